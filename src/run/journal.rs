//! A run's journal: what it means to do before it does it, and what came of it. Plain rows; the same in the records and in the locks.
//!
//! A run that was killed is carried on from here, by whoever reads it: a step with an outcome is done, one with an intent alone may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    delivery::{plan::Plan, steps::StepId, strategies::Script},
    fleet::HostId,
    traffic::proof::{Count, Proof},
};

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// Rising within a deployment, over all runs that carried it on.
    pub seq: u64,
    /// By the clock of who wrote it.
    pub at: DateTime<Utc>,
    /// What.
    pub word: Word,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// What is going to happen, in full.
    Begun {
        /// Who carries it out.
        by: Arc<str>,
        /// For whoever reads it.
        plan: Box<Plan>,
        /// For whoever carries it on.
        script: Box<Script>,
    },
    /// Somebody carries it on.
    Resumed {
        /// Who.
        by: Arc<str>,
        /// Which way.
        way: Way,
    },
    /// A step begins.
    Intent {
        /// Which.
        step: StepId,
    },
    /// A step has ended.
    Outcome {
        /// Which.
        step: StepId,
        /// `None`: well. Else why not.
        error: Option<Arc<str>>,
    },
    /// A host's part in a batch failed within what is borne: it is taken back, and the others go on.
    GivenUp {
        /// For a person.
        because: Arc<str>,
        /// Which steps.
        scope: BTreeSet<StepId>,
    },
    /// It is taken back from here on, and why.
    Turned {
        /// For a person.
        because: Arc<str>,
        /// Which steps.
        scope: BTreeSet<StepId>,
        /// How the deployment stands once they are.
        to: State,
    },
    /// A step's inverse begins.
    UndoIntent {
        /// Whose.
        step: StepId,
    },
    /// A step's inverse has ended.
    UndoOutcome {
        /// Whose.
        step: StepId,
        /// `None`: well. Else why not.
        error: Option<Arc<str>>,
    },
    /// A failing gate's evidence was kept there.
    Bundle {
        /// Where.
        place: Arc<str>,
    },
    /// What the balancers had served when it began: whoever carries it on counts from here.
    Counted {
        /// Group by group.
        counts: Vec<Count>,
    },
    /// What its clients got meanwhile.
    Measured {
        /// As the balancers and we ourselves saw it.
        proof: Box<Proof>,
    },
    /// It is good: nothing is taken back any more.
    Good,
    /// It has ended.
    Ended {
        /// How.
        state: State,
        /// For a person.
        reason: Option<Arc<str>>,
        /// Hosts that did not take part in the end.
        owed: BTreeSet<HostId>,
    },
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// To the release.
    Forward,
    /// Back to what was before.
    Back,
}

/// How a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is not begun: somebody has to say yes.
    Waiting,
    /// It is under way.
    Running,
    /// It stands still where it is; somebody has to say which way.
    Parked,
    /// All of it runs.
    Good,
    /// It failed, and not all of it was taken back.
    Failed,
    /// All of it was taken back.
    Unwound,
}

impl State {
    /// Its word: in ledgers, in what the verbs print for people and scripts, and in filters. Never changed once released.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Good => "good",
            Self::Failed => "failed",
            Self::Unwound => "unwound",
        }
    }
}

/// The decision to take something back.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// For a person.
    pub because: Arc<str>,
    /// Which steps.
    pub scope: BTreeSet<StepId>,
    /// How the deployment stands once they are.
    pub to: State,
}

/// What a journal tells about each step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Begun, with or without an end.
    pub begun: BTreeSet<StepId>,
    /// Ended well.
    pub done: BTreeSet<StepId>,
    /// Ended badly, and why.
    pub failed: BTreeMap<StepId, Arc<str>>,
    /// Steps of hosts that failed within what is borne.
    pub given_up: BTreeSet<StepId>,
    /// Which steps are taken back, once that was decided, and why.
    pub turned: Option<Turn>,
    /// Taken back.
    pub undone: BTreeSet<StepId>,
    /// It is good; only tidying is left.
    pub good: bool,
    /// Its end.
    pub ended: Option<State>,
    /// The next row's number.
    pub next: u64,
}

impl Progress {
    /// Reads a journal.
    pub fn of(entries: &[Entry]) -> Self {
        let mut progress = Self::default();
        for entry in entries {
            progress.next = progress.next.max(entry.seq + 1);
            progress.note(&entry.word);
        }
        progress
    }

    /// Takes one row in.
    pub fn note(&mut self, word: &Word) {
        match word {
            Word::Begun { .. } | Word::Bundle { .. } | Word::UndoIntent { .. } | Word::Counted { .. } | Word::Measured { .. } => {}
            Word::Resumed { .. } => self.ended = None,
            Word::Intent { step } => drop(self.begun.insert(*step)),
            Word::Outcome { step, error: None } => {
                self.done.insert(*step);
                self.failed.remove(step);
            }
            Word::Outcome { step, error: Some(error) } => drop(self.failed.insert(*step, Arc::clone(error))),
            Word::GivenUp { scope, .. } => self.given_up.extend(scope),
            Word::Turned { because, scope, to } => {
                self.turned = Some(Turn { because: Arc::clone(because), scope: scope.clone(), to: *to });
            }
            Word::UndoOutcome { step, error: None } => drop(self.undone.insert(*step)),
            // It is tried again by whoever carries it on.
            Word::UndoOutcome { error: Some(_), .. } => {}
            Word::Good => self.good = true,
            Word::Ended { state, .. } => self.ended = Some(*state),
        }
    }
}

/// What a journal began with.
pub fn beginning(entries: &[Entry]) -> Option<(&Plan, &Script)> {
    entries.iter().find_map(|entry| match &entry.word {
        Word::Begun { plan, script, .. } => Some((&**plan, &**script)),
        Word::Resumed { .. }
        | Word::Intent { .. }
        | Word::Outcome { .. }
        | Word::GivenUp { .. }
        | Word::Turned { .. }
        | Word::UndoIntent { .. }
        | Word::UndoOutcome { .. }
        | Word::Bundle { .. }
        | Word::Counted { .. }
        | Word::Measured { .. }
        | Word::Good
        | Word::Ended { .. } => None,
    })
}

/// What the balancers had served when it began, as far as anybody counted.
pub fn counted(entries: &[Entry]) -> Option<&[Count]> {
    entries.iter().find_map(|entry| if let Word::Counted { counts } = &entry.word { Some(counts.as_slice()) } else { None })
}

/// What its clients got, as it was measured last.
pub fn measured(entries: &[Entry]) -> Option<&Proof> {
    entries.iter().rev().find_map(|entry| if let Word::Measured { proof } = &entry.word { Some(&**proof) } else { None })
}

/// Rows as lines of JSON.
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut text = Vec::new();
    for entry in entries {
        // Plain data with text as keys always has a JSON form.
        if serde_json::to_writer(&mut text, entry).is_ok() {
            text.push(b'\n');
        }
    }
    text
}

/// Reads lines of JSON; a line that was cut off by the end of its writer is left out.
pub fn read(text: &[u8]) -> Vec<Entry> {
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
