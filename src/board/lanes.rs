//! The way of each app from commit to production: what is asked of the desk, what it tells, and what it told last.
//!
//! Pure. What stands in a lane is in [`way`]; a build under way in [`build_run`]; two lanes beside each other in [`comparison`].

pub mod build_run;
pub mod comparison;
pub mod question;
pub mod way;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub use build_run::{BuildRun, BuildWord};
pub use comparison::{Comparison, Pair};
pub use question::{Question, Subject};
pub use way::{Behind, Build, Commit, Estimate, Expected, Frozen, Good, Size, Source, Stop, Try, Way, WayBack};

use crate::{
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId},
    ledger::Answer,
};

/// Nobody keeps records of a simulated fleet.
pub const SIMULATED: &str = "a simulated fleet takes no deployments, and is gone with this process";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Look at repositories, ledger and hosts again, now.
    Reload,
    /// Tell in what two lanes differ.
    Compare(Pair),
    /// Tell how a place stands, for somebody who is about to decide something there.
    Ask(Subject),
    /// Tell which commits a build would take in.
    AskCommits(AppName),
    /// Nothing may be deployed there from now on.
    Freeze {
        /// Of which product.
        app: AppName,
        /// Where.
        environment: EnvironmentId,
        /// Why.
        reason: String,
    },
    /// It may again.
    Thaw {
        /// Of which product.
        app: AppName,
        /// Where.
        environment: EnvironmentId,
        /// Why.
        reason: String,
    },
    /// Say yes or no to a deployment that waits for it.
    Answer {
        /// Which.
        deployment: DeploymentId,
        /// Yes or no.
        answer: Answer,
        /// Why.
        reason: String,
    },
    /// Build the newest commit.
    Build(AppName),
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Every registered app, in the order of the configuration.
    Ways(Vec<Way>),
    /// The ledger cannot be read, and why; what was told before stays.
    Unread(String),
    /// In what two lanes differ, or why nobody can tell.
    Compared(Pair, Result<Box<Comparison>, String>),
    /// How a place stood at this moment.
    Asked(Subject, DateTime<Utc>, Result<Question, String>),
    /// What a build would have taken in at this moment.
    Commits(AppName, DateTime<Utc>, Result<Source, String>),
    /// How a build goes on.
    Build(AppName, BuildWord),
}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    /// Every registered app; `None`: nothing was told yet.
    pub ways: Option<Vec<Way>>,
    /// Why the ledger could not be read the last time.
    pub unread: Option<String>,
    /// The two lanes that were asked for last.
    pub comparison: Option<(Pair, Result<Box<Comparison>, String>)>,
    /// The place that was asked for last.
    pub question: Option<(Subject, DateTime<Utc>, Result<Question, String>)>,
    /// The commits that were asked for last.
    pub commits: Option<(AppName, DateTime<Utc>, Result<Source, String>)>,
    /// Builds that this console began, the last of each app.
    pub builds: BTreeMap<AppName, BuildRun>,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        match news {
            News::Ways(ways) => {
                self.ways = Some(ways);
                self.unread = None;
            }
            News::Unread(why) => self.unread = Some(why),
            News::Compared(pair, result) => self.comparison = Some((pair, result)),
            News::Asked(subject, at, result) => self.question = Some((subject, at, result)),
            News::Commits(app, at, result) => self.commits = Some((app, at, result)),
            News::Build(app, BuildWord::Begun(at)) => drop(self.builds.insert(app, BuildRun::begun(at))),
            News::Build(app, word) => {
                let build = self.builds.get_mut(&app)?;
                build.hear(word);
                return build.line(&app);
            }
        }
        None
    }

    /// The way of an app.
    pub fn way(&self, app: &AppName) -> Option<&Way> {
        self.ways.iter().flatten().find(|way| way.app == *app)
    }

    /// A lane of it.
    pub fn stop(&self, app: &AppName, environment: &EnvironmentId) -> Option<&Stop> {
        self.way(app)?.stop(environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_leaves_what_was_told_and_the_next_word_takes_it_away() {
        let mut page = Page::default();
        assert_eq!(page.learn(News::Ways(vec![Way::new(AppName::new("shop"))])), None);
        page.learn(News::Unread("the ledger is locked".into()));
        assert!(page.way(&AppName::new("shop")).is_some() && page.unread.is_some());
        page.learn(News::Ways(Vec::new()));
        assert_eq!((page.ways, page.unread), (Some(Vec::new()), None));
    }

    #[test]
    fn a_build_is_told_from_its_beginning_to_its_end() {
        let (mut page, app) = (Page::default(), AppName::new("shop"));
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(page.learn(News::Build(app.clone(), BuildWord::Lines(vec!["lost".into()]))), None);
        page.learn(News::Build(app.clone(), BuildWord::Begun(at)));
        assert_eq!(page.learn(News::Build(app.clone(), BuildWord::Lines(vec!["web: build".into()]))), None);
        assert!(page.builds[&app].is_under_way());
        let end = BuildWord::Ended(at + chrono::TimeDelta::seconds(38), Ok("1.0.1-24-a91c2f3".into()));
        assert_eq!(page.learn(News::Build(app.clone(), end)).as_deref(), Some("shop: 1.0.1-24-a91c2f3 is built"));
        let failed = BuildWord::Ended(at, Err("web: the stage test failed".into()));
        assert_eq!(page.learn(News::Build(app.clone(), failed)).as_deref(), Some("shop: not built: web: the stage test failed"));
        assert!(!page.builds[&app].is_under_way());
    }
}
