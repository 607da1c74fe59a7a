//! Releases and deployments that were, what ran where at a moment, and what changed near something.

mod deed;
mod filter;
#[cfg(test)]
pub(crate) mod fixture;
mod near;
mod recorded;
mod story;
#[cfg(test)]
mod tests;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

pub use filter::{Filter, FilterError};
pub use near::{Near, Nearness, Product};
pub use recorded::{Recorded, RecordedAct, RecordedDeployment};
pub use story::{Change, Kind, Story, story};

use crate::{
    delivery::release::{DeploymentId, ReleaseId},
    fleet::{AppName, EnvironmentId},
    ledger::{Deployment, Good},
    run::journal::State,
    text::age,
};

/// So many deployments are listed at first, and so many more each time the end is reached.
pub const PAGE: u32 = 200;

/// What of the past is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What was deployed.
    Deployments {
        /// Which.
        filter: Filter,
        /// At most so many, the newest.
        limit: u32,
        /// The one that is told in full.
        open: Option<DeploymentId>,
    },
    /// What can be deployed or brought back.
    Releases {
        /// Which.
        filter: Filter,
    },
    /// What ran where at a moment.
    Moment {
        /// Of which apps and environments.
        filter: Filter,
        /// When.
        at: DateTime<Utc>,
    },
    /// One deployment in full.
    Account(DeploymentId),
    /// What the ledger knows of changes.
    Changes {
        /// Of what.
        near: Near,
        /// From when on.
        since: DateTime<Utc>,
    },
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A text of the evidence of a failure.
    Read {
        /// The directory, as the journal names it.
        place: Arc<str>,
        /// The file in it.
        name: String,
    },
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// What was deployed.
    Deployments {
        /// By this.
        filter: Filter,
        /// Newest first.
        rows: Vec<Deployment>,
        /// Whether there may be older ones.
        more: bool,
    },
    /// What can be deployed or brought back.
    Releases {
        /// By this.
        filter: Filter,
        /// Newest first.
        rows: Vec<ReleaseRow>,
    },
    /// What ran where.
    Moment {
        /// By this.
        filter: Filter,
        /// When, and what.
        moment: Moment,
    },
    /// One deployment in full.
    Account(Box<Account>),
    /// A text of the evidence of a failure.
    Text(Box<Text>),
    /// What the ledger knows of changes.
    Changes(Box<Recorded>),
    /// The ledger could not be read: why, and what helps.
    Unreadable(String),
}

/// A release with where it was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// The product.
    pub app: AppName,
    /// Which.
    pub release: ReleaseId,
    /// When it was recorded first.
    pub created: DateTime<Utc>,
    /// Who asked for it first.
    pub by: String,
    /// Image of the spec → reference by digest.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// The last time in each environment, the newest first.
    pub good: Vec<Good>,
}

/// What ran where at a moment, by the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: DateTime<Utc>,
    /// By app and environment.
    pub stands: Vec<Stand>,
}

/// What an environment ran then, and what the ledger says of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// The last good deployment before that moment; `None`: none was.
    pub then: Option<Good>,
    /// Who asked for it.
    pub by: Option<String>,
    /// Deployments that were under way then, or had failed and were not all taken back.
    pub unsettled: Vec<DeploymentId>,
    /// The last good deployment of all.
    pub now: Option<Good>,
}

/// One deployment in full, as the verb `deployment show` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The deployment.
    pub deployment: Deployment,
    /// Label and value.
    pub facts: Vec<(&'static str, String)>,
    /// The evidence of its failures.
    pub bundles: Vec<Bundle>,
    /// Title and lines: plan, answers, orders, journal.
    pub chapters: Vec<(&'static str, Vec<String>)>,
}

/// The evidence of one failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The directory, as the journal names it.
    pub place: Arc<str>,
    /// Its texts; else why they cannot be read from here.
    pub texts: Result<Vec<Evidence>, String>,
}

/// One text of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The file's name, clean.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The directory, as the journal names it.
    pub place: Arc<str>,
    /// The file in it.
    pub name: String,
    /// Its lines, clean; else why it cannot be read.
    pub lines: Result<Vec<String>, String>,
}

/// Rows with the filter that they were read by.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<T> {
    /// By this.
    pub filter: Filter,
    /// As told.
    pub rows: T,
    /// Whether there may be more.
    pub more: bool,
}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    /// What was deployed.
    pub deployments: Option<Listed<Vec<Deployment>>>,
    /// What can be deployed or brought back.
    pub releases: Option<Listed<Vec<ReleaseRow>>>,
    /// What ran where.
    pub moment: Option<Listed<Moment>>,
    /// One deployment in full.
    pub account: Option<Account>,
    /// A text of a failure's evidence.
    pub text: Option<Text>,
    /// What the ledger knows of changes.
    pub recorded: Option<Recorded>,
    /// Why the ledger could not be read the last time.
    pub fault: Option<String>,
    /// Rises with everything that is told: who works something out of it knows when to do so again.
    pub turn: u64,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        self.turn += 1;
        if let News::Unreadable(why) = news {
            self.fault = Some(why);
            return None;
        }
        self.fault = None;
        match news {
            News::Deployments { filter, rows, more } => self.deployments = Some(Listed { filter, rows, more }),
            News::Releases { filter, rows } => self.releases = Some(Listed { filter, rows, more: false }),
            News::Moment { filter, moment } => self.moment = Some(Listed { filter, rows: moment, more: false }),
            News::Account(account) => self.account = Some(*account),
            News::Text(text) => self.text = Some(*text),
            News::Changes(recorded) => self.recorded = Some(*recorded),
            News::Unreadable(_) => {}
        }
        None
    }

    /// A deployment that was told, in a list or in full.
    pub fn deployment(&self, id: &DeploymentId) -> Option<&Deployment> {
        let listed = self.deployments.iter().flat_map(|listed| &listed.rows);
        let noted = self.recorded.iter().flat_map(|recorded| recorded.deployments.iter().map(|one| &one.deployment));
        listed.chain(self.account.iter().map(|account| &account.deployment)).chain(noted).find(|one| one.id == *id)
    }
}

/// Every state, in the order of a deployment's life.
pub const STATES: [State; 6] = [State::Waiting, State::Running, State::Parked, State::Good, State::Failed, State::Unwound];

/// How long a deployment took: seconds, as long as they say more than minutes do.
pub fn span(span: TimeDelta) -> String {
    match span.num_seconds() {
        seconds @ 0..600 => format!("{seconds} s"),
        _ => age(span),
    }
}
