//! What stands in the lanes of one app: commits, the newest build, and each environment in the order of promotion.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    delivery::{
        plan::Speed,
        release::{DeploymentId, ReleaseId},
    },
    fleet::{AppName, EnvironmentId, HostId, ServiceName, matrix::stage},
    run::journal::State,
};

/// One app from commit to production.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Which.
    pub app: AppName,
    /// Why its template cannot be read: the environments are those of its last reading then.
    pub fault: Option<String>,
    /// Its repository.
    pub source: Source,
    /// Its newest build.
    pub build: Option<Build>,
    /// Why the newest attempt to build it failed, and when; `None`: it did not, or there is a newer build.
    pub failed_build: Option<(DateTime<Utc>, String)>,
    /// Its environments, in the order in which releases go through them.
    pub stops: Vec<Stop>,
}

impl Way {
    /// One of which nothing is known yet.
    pub fn new(app: AppName) -> Self {
        Self { app, fault: None, source: Source::default(), build: None, failed_build: None, stops: Vec::new() }
    }

    /// One of its environments.
    pub fn stop(&self, environment: &EnvironmentId) -> Option<&Stop> {
        self.stops.iter().find(|stop| stop.environment == *environment)
    }
}

/// What a repository has that no build has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Commits since the newest build, newest first.
    pub unbuilt: Vec<Commit>,
    /// Whether there are more than that.
    pub more: bool,
    /// When the repository was last read; `None`: it never was.
    pub at: Option<DateTime<Utc>>,
    /// Why it could not be read since.
    pub fault: Option<String>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its first seven digits.
    pub sha: Arc<str>,
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// The newest build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: Arc<str>,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// How long it took; `None`: nobody wrote it down.
    pub took: Option<Duration>,
    /// What each of its own images weighs.
    pub sizes: Vec<Size>,
}

/// What an image weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its name in the template.
    pub image: Arc<str>,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// Bytes more than in the build before; `None`: that one had no such image, or nobody knows.
    pub growth: Option<i64>,
}

/// An environment on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// Which.
    pub environment: EnvironmentId,
    /// Where a build must be good before; `None`: builds come here first.
    pub before: Option<EnvironmentId>,
    /// The last deployment that was good here.
    pub good: Option<Good>,
    /// What was asked for since: what waits, is under way, is parked or has failed; newest first.
    pub tries: Vec<Try>,
    /// Who keeps everybody out, and why.
    pub frozen: Option<Frozen>,
    /// How far it is behind the lane before.
    pub behind: Behind,
    /// How fast one would be back.
    pub way_back: WayBack,
    /// What should run here by the release that is good.
    pub expected: Vec<Expected>,
}

/// A good deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Good {
    /// Which.
    pub deployment: DeploymentId,
    /// What it put there.
    pub release: ReleaseId,
    /// Since when it is good.
    pub at: DateTime<Utc>,
    /// How long it took; `None`: it was put together from labels.
    pub took: Option<Duration>,
    /// Who asked for it.
    pub by: String,
    /// Who said yes.
    pub approved_by: Vec<String>,
    /// Whether it was the way back.
    pub rollback: bool,
    /// Why a freeze or a gate was passed over.
    pub override_reason: Option<String>,
    /// Hosts that did not get there.
    pub owed: Vec<HostId>,
    /// Requests that the balancers counted meanwhile, how many of them failed, and the slowest hundredth of our own in milliseconds.
    pub proof: Option<(u64, u64, Option<f64>)>,
}

/// A deployment that is not good, or not yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// Which.
    pub deployment: DeploymentId,
    /// What it is about to put there.
    pub release: ReleaseId,
    /// How it stands.
    pub state: State,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub asked: DateTime<Utc>,
    /// When its run began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// How many must say yes before it begins.
    pub needed: u32,
    /// Who did.
    pub approved_by: Vec<String>,
    /// In the middle of its run it asks this of a person.
    pub asks: Option<Arc<str>>,
    /// Why it is not good.
    pub reason: Option<String>,
}

impl Try {
    /// How many have still to say yes before it begins; 0 for one that waits for nobody.
    pub fn missing(&self) -> usize {
        match self.state {
            State::Waiting => (self.needed as usize).saturating_sub(self.approved_by.len()),
            State::Running => usize::from(self.asks.is_some()),
            State::Parked | State::Good | State::Failed | State::Unwound => 0,
        }
    }
}

/// Nothing may be deployed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Who said so.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when; `None`: a host tells it, and nobody can read its moment.
    pub since: Option<DateTime<Utc>>,
    /// The host that tells of it, where the ledger knows of none: somebody with another ledger froze it.
    pub host: Option<HostId>,
}

/// How a lane stands to the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// Nobody has looked yet, or there is nothing to compare.
    #[default]
    Unknown,
    /// It has the same build.
    Same,
    /// So many commits are there and not here; the flag: at least.
    Commits(Vec<Commit>, bool),
    /// The build here has commits that the one there has not.
    Ahead(usize),
    /// Another build of the same commit.
    Rebuilt,
    /// Why nobody can tell.
    Fault(String),
}

/// How fast one would be back at the release before.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum WayBack {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// There is nowhere to go back to.
    Nowhere,
    /// There is a way.
    Ready {
        /// To what.
        to: ReleaseId,
        /// The slowest host's.
        speed: Speed,
        /// How fast each host is.
        hosts: BTreeMap<HostId, Speed>,
        /// How long it takes.
        estimate: Estimate,
        /// When the hosts were looked at.
        at: DateTime<Utc>,
    },
    /// Nobody can tell.
    Fault {
        /// Why.
        why: String,
        /// When it was tried.
        at: DateTime<Utc>,
    },
}

/// How long a way back takes, out of what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// Only the balancer is told.
    Moment,
    /// As long as the last one that was as fast as this.
    AsBefore(Duration),
    /// None was measured: not longer than the last deployment, which paused and baked besides.
    AtMost(Duration),
    /// Nothing was ever measured here.
    Unknown,
}

/// What one service should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub service: ServiceName,
    /// The digest of its image; `None`: the release names none.
    pub digest: Option<Arc<str>>,
    /// The build's version, for an image that we build; `None` for one of others.
    pub version: Option<Arc<str>>,
    /// Where.
    pub hosts: Vec<HostId>,
}

/// Environments in the order of promotion: each after the one that it is `after`; among those that could be next the usual words decide
/// (testing before staging before production), then the order of the file. A circle, which no checked template has, comes last.
pub fn in_order(mut left: Vec<(EnvironmentId, Option<EnvironmentId>)>) -> Vec<(EnvironmentId, Option<EnvironmentId>)> {
    let mut placed: Vec<(EnvironmentId, Option<EnvironmentId>)> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_next = |after: &Option<EnvironmentId>| match after {
            Some(after) => placed.iter().any(|(name, _)| name == after) || !left.iter().any(|(name, _)| name == after),
            None => true,
        };
        let ready = left.iter().enumerate().filter(|(_, (_, after))| is_next(after));
        let next = ready.min_by_key(|(place, (name, _))| (stage(name), *place)).map_or(0, |(place, _)| place);
        placed.push(left.remove(next));
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_stand_in_the_order_of_promotion() {
        for (written, expected) in [
            (vec![("production", Some("staging")), ("staging", Some("testing")), ("testing", None)], "testing staging production"),
            // Nobody said: the usual words.
            (vec![("production", None), ("demo", None), ("testing", None)], "testing demo production"),
            // `after` is stronger than a word.
            (vec![("prod-eu", None), ("prod-us", Some("stage")), ("stage", Some("prod-eu"))], "prod-eu stage prod-us"),
            (vec![("gamma", None), ("alpha", None)], "gamma alpha"),
            // What no template has, and still an order.
            (vec![("a", Some("b")), ("b", Some("a")), ("c", Some("gone"))], "c a b"),
        ] {
            let written = written.into_iter().map(|(name, after)| (EnvironmentId::new(name), after.map(EnvironmentId::new)));
            let order: Vec<String> = in_order(written.collect()).into_iter().map(|(name, _)| name.to_string()).collect();
            assert_eq!(order.join(" "), expected);
        }
    }
}
