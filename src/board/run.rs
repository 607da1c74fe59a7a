//! Deployments under way: which there are, and how far the one that is looked at is.
//!
//! Told by the delivery desk out of the ledger, which every console reads: whoever began it, all see the same.

mod brief;
mod mark;
mod story;
mod why;

pub use brief::{Brief, Ended, Stand};
pub use mark::Mark;
pub use story::{Account, Cell, Line, Row, Sign, Story, Traffic};
pub use why::Why;

use crate::delivery::release::DeploymentId;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It stops after the steps that are under way.
    Park(DeploymentId),
    /// It is taken back.
    Unwind(DeploymentId),
    /// It is carried on from where it stands; one that was approved and never begun begins.
    Resume(DeploymentId),
    /// What it keeps warm is put away now.
    Finish(DeploymentId),
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// What is under way, all of it.
    Abroad {
        /// In the order in which it was asked for.
        briefs: Vec<Brief>,
        /// What has come to its end since this was told last.
        ended: Vec<Ended>,
        /// The one that is looked at: it needs no word at the foot.
        watched: Option<DeploymentId>,
    },
    /// The one that is looked at.
    Story(Box<Story>),
    /// The one that is looked at cannot be read.
    Unread {
        /// Which.
        id: DeploymentId,
        /// Why, in one line.
        why: String,
    },
}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    /// `None`: nothing was told yet.
    briefs: Option<Vec<Brief>>,
    story: Option<Box<Story>>,
    unread: Option<(DeploymentId, String)>,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        match news {
            News::Abroad { briefs, ended, watched } => {
                let said = brief::said(self.briefs.as_deref(), &briefs, &ended, watched.as_ref());
                self.briefs = Some(briefs);
                said
            }
            News::Story(story) => {
                self.unread = None;
                self.story = Some(story);
                None
            }
            News::Unread { id, why } => {
                self.unread = Some((id, why));
                None
            }
        }
    }

    /// What is under way.
    pub fn briefs(&self) -> &[Brief] {
        self.briefs.as_deref().unwrap_or_default()
    }

    /// How far this one is, if that was told.
    pub fn story(&self, id: &DeploymentId) -> Option<&Story> {
        self.story.as_deref().filter(|story| story.id == *id)
    }

    /// Why nothing is known of this one.
    pub fn unread(&self, id: &DeploymentId) -> Option<&str> {
        self.unread.as_ref().filter(|(unread, _)| unread == id).map(|(_, why)| why.as_str())
    }
}
