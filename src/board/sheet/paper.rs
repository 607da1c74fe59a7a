//! What would happen, in the parts that a sheet is laid out from; or why nothing can.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    delivery::plan::Speed,
    fleet::{EnvironmentId, HostId, ServiceName},
};

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be done.
    pub title: String,
    /// What is wrong and what helps, line by line.
    pub why: Vec<String>,
    /// Hosts that do not answer: each can be left out.
    pub silent: Vec<Silent>,
}

/// A host that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Which.
    pub host: HostId,
    /// Why.
    pub why: Arc<str>,
    /// Whether it is left out.
    pub left_out: bool,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// `Promote shop 1.0.1-24-a91c2f3 to production`.
    pub title: String,
    /// Whether all of it runs already.
    pub is_nothing: bool,
    /// Releases that go.
    pub replaces: Vec<String>,
    /// Between what runs and what will; `None`: the repository does not tell.
    pub commits: Option<Commits>,
    /// Where else, or here before, the build was good.
    pub good: Vec<Good>,
    /// The strategy in words.
    pub way: String,
    /// The last outcomes there, newest first, at most three.
    pub past: Vec<Past>,
    /// Host by host.
    pub rows: Vec<Row>,
    /// Jobs that run.
    pub jobs: Vec<String>,
    /// Of every service that changes.
    pub capacity: Vec<Capacity>,
    /// Who else is at it, a sentence each.
    pub acting: Vec<String>,
    /// Services and data that stay as they are.
    pub stays: Vec<String>,
    /// What is gone or away meanwhile.
    pub lost: Vec<String>,
    /// Hosts that take no part, and why.
    pub out: Vec<(HostId, String)>,
    /// Hosts that do not answer.
    pub silent: Vec<Silent>,
    /// How fast each host would be back where it is.
    pub back: Vec<(HostId, Speed)>,
    /// How long the old ones stay warm.
    pub keep_warm: Duration,
    /// What keeps it from beginning.
    pub gate: Option<Shut>,
    /// What it passes over, and why.
    pub passes: Option<String>,
    /// How many others have to say yes before it begins.
    pub approvals: u32,
    /// Who asks, and may not say yes to it.
    pub asker: String,
    /// What to know.
    pub notes: Vec<String>,
    /// What must be answered.
    pub asks: Asks,
}

/// The way from one build to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// Newest first.
    pub list: Vec<Commit>,
    /// Whether there are more than these.
    pub more: bool,
    /// Whether they are taken back rather than brought.
    pub backwards: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its author.
    pub author: String,
    /// Its first line.
    pub subject: String,
}

/// A place where a build is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// Where.
    pub environment: EnvironmentId,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// An outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// `good`, `failed`, `unwound`.
    pub word: &'static str,
    /// Whether it went well.
    pub is_good: bool,
    /// From its beginning to its end.
    pub took: Duration,
}

/// What changes on a host: services to which the same happens stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where.
    pub host: HostId,
    /// Which.
    pub services: Vec<String>,
    /// `new image`, `GREETING changed`.
    pub what: Vec<String>,
    /// What it runs in place of what the others run.
    pub odd: Option<String>,
    /// Requests that the old ones have not answered yet, where a balancer tells.
    pub in_flight: Option<u32>,
}

/// How many of a service serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Which.
    pub service: ServiceName,
    /// Now.
    pub before: usize,
    /// At least, at any moment.
    pub least: usize,
    /// In the end.
    pub after: usize,
}

/// A gate that is shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Why.
    pub why: String,
    /// What opens it.
    pub opens: Opens,
}

/// What opens a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// Nothing that a person could say here.
    Nothing,
    /// A reason.
    Reason,
    /// A reason for passing it over, which stays in history.
    Override,
}

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// One key.
    Key,
    /// This word, typed.
    Word {
        /// The word.
        word: Arc<str>,
        /// Why a key is not enough.
        because: Arc<str>,
    },
}

/// `62 s`, `2 m 10 s`, `3 h 4 m`: as exact as a person waits.
pub fn span(time: Duration) -> String {
    match time.as_secs() {
        0 if !time.is_zero() => format!("{} ms", time.as_millis()),
        secs if secs < 100 => format!("{secs} s"),
        secs if secs < 3600 && secs % 60 == 0 => format!("{} m", secs / 60),
        secs if secs < 3600 => format!("{} m {} s", secs / 60, secs % 60),
        secs if secs % 3600 < 60 => format!("{} h", secs / 3600),
        secs => format!("{} h {} m", secs / 3600, secs % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_a_person_waits() {
        for (millis, text) in
            [(0, "0 s"), (400, "400 ms"), (62_000, "62 s"), (130_000, "2 m 10 s"), (600_000, "10 m"), (11_040_000, "3 h 4 m")]
        {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
