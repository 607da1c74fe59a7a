//! What the delivery screens show, as data: lanes, the plan before anything happens, runs, the past, a template being edited.
//!
//! Pure: the [`Board`] holds what was told last, with one writer; [`Order`]s leave the screen for the delivery desk, [`News`] come
//! back. What reads hosts, ledger and repositories stands behind the desk, the same code that the verbs run.

pub mod edit;
pub mod lanes;
pub mod past;
pub mod run;
pub mod sheet;

use crate::delivery::release::DeploymentId;

/// What the screen wants kept up to date; nothing is read that nobody looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Only whether something is under way, for the header.
    #[default]
    Nothing,
    /// The lanes of every app.
    Lanes,
    /// One deployment, as it goes.
    Run(DeploymentId),
    /// What was deployed.
    Past(past::Wish),
}

/// What the screen asks of the delivery desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Keep this up to date from now on, and nothing else.
    Watch(Watch),
    /// About lanes.
    Lanes(lanes::Order),
    /// About the plan of a deployment, and its beginning.
    Sheet(sheet::Order),
    /// About a deployment under way.
    Run(run::Order),
    /// About what was.
    Past(past::Order),
    /// About a template.
    Edit(edit::Order),
}

/// What the delivery desk tells.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// About lanes.
    Lanes(lanes::News),
    /// About a plan.
    Sheet(sheet::News),
    /// About deployments under way.
    Run(run::News),
    /// About what was.
    Past(past::News),
    /// About a template.
    Edit(edit::News),
    /// One line for the foot.
    Said(String),
}

/// All that was told, each the newest.
#[derive(Debug, Default)]
pub struct Board {
    /// The lanes.
    pub lanes: lanes::Page,
    /// The plan that is looked at.
    pub sheet: sheet::Page,
    /// What is under way.
    pub run: run::Page,
    /// What was.
    pub past: past::Page,
    /// The template that is looked at.
    pub edit: edit::Page,
}

impl Board {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        match news {
            News::Lanes(news) => self.lanes.learn(news),
            News::Sheet(news) => self.sheet.learn(news),
            News::Run(news) => self.run.learn(news),
            News::Past(news) => self.past.learn(news),
            News::Edit(news) => self.edit.learn(news),
            News::Said(line) => Some(line),
        }
    }
}
