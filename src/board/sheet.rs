//! The plan of a deployment before anything happens, and its beginning.
//!
//! A sheet on the screen has a number of its own, and every order about it a turn: what is told of an earlier turn is not looked at any
//! more. Nothing in here is a secret's value: variables and secrets stand by name.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    delivery::{plan::Speed, release::DeploymentId},
    fleet::{AppName, EnvironmentId, HostId, ServiceName},
};

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest build, or the release of the deployment that is looked at.
    Deploy,
    /// What is good in one environment, in the next.
    Promote,
    /// The last good release before, or the release of the deployment that is looked at.
    RollBack,
    /// Today's configuration of what runs.
    Apply,
}

impl Kind {
    /// The word that a title begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "Deploy",
            Self::Promote => "Promote",
            Self::RollBack => "Roll back",
            Self::Apply => "Apply configuration",
        }
    }
}

/// What the cursor stood on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An app somewhere; `None`: nobody said where.
    Place {
        /// The app.
        app: AppName,
        /// For a promotion where it comes from, else where it is to go.
        environment: Option<EnvironmentId>,
    },
    /// A deployment that was: its app, its environment, its release.
    Deployment(DeploymentId),
}

/// What a plan is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What to do.
    pub kind: Kind,
    /// With what.
    pub about: About,
    /// Where to, once a person has chosen.
    pub environment: Option<EnvironmentId>,
    /// Hosts that do not answer and are left out.
    pub without: BTreeSet<HostId>,
    /// Why at all: what a rollback needs to go through a freeze.
    pub reason: Option<Arc<str>>,
    /// Why a gate is passed over.
    pub override_reason: Option<Arc<str>>,
}

impl Wish {
    /// Without anything that a person adds on the sheet.
    pub fn new(kind: Kind, about: About) -> Self {
        Self { kind, about, environment: None, without: BTreeSet::new(), reason: None, override_reason: None }
    }

    /// What is wanted, before anything is known.
    pub fn title(&self) -> String {
        let word = self.kind.word();
        match (&self.about, self.kind, &self.environment) {
            (About::Deployment(id), ..) => format!("{word} as in deployment {id}"),
            (About::Place { app, .. }, Kind::Promote, Some(to)) => format!("{word} {app} to {to}"),
            (About::Place { app, environment: Some(from) }, Kind::Promote, None) => format!("{word} {app} from {from}"),
            (About::Place { app, .. }, _, Some(at)) | (About::Place { app, environment: Some(at) }, _, None) => {
                format!("{word} {app} in {at}")
            }
            (About::Place { app, environment: None }, _, None) => format!("{word} {app}"),
        }
    }
}

/// Which order about which sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The sheet; a later one has a higher number.
    pub sheet: u64,
    /// The order about it, from 1.
    pub turn: u32,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// What would happen.
    Plan {
        /// Answers carry it.
        ticket: Ticket,
        /// What is wanted.
        wish: Wish,
    },
    /// Do it, if what would happen is still what was told last of this sheet.
    Start {
        /// Answers carry it.
        ticket: Ticket,
        /// What was shown.
        wish: Wish,
    },
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The order that it answers.
    pub ticket: Ticket,
    /// How far it is.
    pub stand: Stand,
}

/// How far a plan is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stand {
    /// These hosts are asked what they run.
    Asking {
        /// As far as it is known.
        title: String,
        /// All at once.
        hosts: Vec<HostId>,
    },
    /// Nobody said where, and there are several places.
    Choose {
        /// What is to be done there.
        title: String,
        /// In the template's order.
        environments: Vec<EnvironmentId>,
    },
    /// This would happen.
    Shown {
        /// All of it.
        sheet: Box<Sheet>,
        /// Why it was not begun, where that was asked.
        note: Option<String>,
    },
    /// There is no plan.
    Refused(Box<Refusal>),
    /// It has begun, or waits for those who have to say yes.
    Begun {
        /// Its id.
        deployment: DeploymentId,
        /// In words.
        line: String,
    },
}

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

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    told: Option<News>,
    /// What was shown last, and of which sheet: it stays in sight while it is looked at anew.
    shown: Option<(u64, Box<Sheet>)>,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        let line = match &news.stand {
            // Whoever has left the sheet meanwhile is told as well.
            Stand::Begun { line, .. } => Some(line.clone()),
            Stand::Asking { .. } | Stand::Choose { .. } | Stand::Shown { .. } | Stand::Refused(_) => None,
        };
        if self.told.as_ref().is_none_or(|told| told.ticket <= news.ticket) {
            if let Stand::Shown { sheet, .. } = &news.stand {
                self.shown = Some((news.ticket.sheet, sheet.clone()));
            }
            self.told = Some(news);
        }
        line
    }

    /// What was told last of a sheet, and in answer to which of its orders.
    pub fn of(&self, sheet: u64) -> Option<(u32, &Stand)> {
        self.told.as_ref().filter(|told| told.ticket.sheet == sheet).map(|told| (told.ticket.turn, &told.stand))
    }

    /// What was shown last of a sheet.
    pub fn shown(&self, sheet: u64) -> Option<&Sheet> {
        self.shown.as_ref().filter(|(of, _)| *of == sheet).map(|(_, shown)| &**shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(sheet: u64, turn: u32) -> News {
        News { ticket: Ticket { sheet, turn }, stand: Stand::Asking { title: format!("{sheet}.{turn}"), hosts: Vec::new() } }
    }

    #[test]
    fn spans_are_as_exact_as_a_person_waits() {
        for (millis, text) in
            [(0, "0 s"), (400, "400 ms"), (62_000, "62 s"), (130_000, "2 m 10 s"), (600_000, "10 m"), (11_040_000, "3 h 4 m")]
        {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_is_late_does_not_come_back() {
        let mut page = Page::default();
        for (sheet, turn, seen) in [(1, 1, (1, 1)), (1, 2, (1, 2)), (1, 1, (1, 2)), (2, 1, (2, 1)), (1, 3, (2, 1))] {
            assert_eq!(page.learn(asking(sheet, turn)), None);
            assert_eq!(page.of(seen.0).map(|(turn, _)| turn), Some(seen.1), "after {sheet}.{turn}");
            assert_eq!(page.of(seen.0 + 1), None);
        }
        let deployment = DeploymentId::new(44, 0);
        let begun = Stand::Begun { deployment, line: "deployment 44 has begun".into() };
        let line = page.learn(News { ticket: Ticket { sheet: 1, turn: 4 }, stand: begun });
        assert_eq!(line.as_deref(), Some("deployment 44 has begun"), "its sheet is closed, and it is told all the same");
    }
}
