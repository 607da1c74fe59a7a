//! An act as it is told to the audit, and as the audit tells it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Who;
use crate::text::{clean_line, clean_within};

/// A longer text is cut, with a sign: a plan over a thousand targets must not make the ledger a heap.
const TEXT_LIMIT: usize = 64 * 1024;

/// An act's place in the audit: the number of its intent's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub i64);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is about to be done. Texts are made clean and short here; secrets must be masked by who fills it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Who does it.
    pub who: Who,
    /// The action's id in the catalogue: `container.stop`.
    pub action: String,
    /// The host it is done on; empty for what concerns none.
    pub host: String,
    /// What it is done to.
    pub target: Target,
    /// What was given with it: a signal, a new name, a command line.
    pub argument: String,
    /// The plan as it was shown, several lines.
    pub plan: String,
}

/// What an act is done to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As people name it.
    pub name: String,
    /// As the engine does: unique for ever.
    pub id: String,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In a word.
    pub verdict: Verdict,
    /// And in a sentence; may be empty.
    pub detail: String,
}

/// What came of an act, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was done.
    Done,
    /// It was not, or failed in the middle.
    Failed,
    /// Somebody stopped it before it was done.
    Cancelled,
    /// Nobody knows: the link broke before the answer came.
    Unknown,
}

/// An act with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// By whom.
    pub who: Who,
    /// The action's id.
    pub action: String,
    /// The host.
    pub host: String,
    /// What it was done to.
    pub target: Target,
    /// What was given with it.
    pub argument: String,
    /// The plan.
    pub plan: String,
    /// `None`: it is under way, or its process died.
    pub verdict: Option<Verdict>,
    /// The verdict's sentence.
    pub detail: String,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
}

impl Intent {
    pub(super) fn cleaned(&self) -> Self {
        Self {
            who: self.who.clone(),
            action: line(&self.action),
            host: line(&self.host),
            target: Target { name: line(&self.target.name), id: line(&self.target.id) },
            argument: line(&self.argument),
            plan: lines(&self.plan),
        }
    }
}

impl Outcome {
    /// It was done.
    pub fn done(detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Done, detail: detail.into() }
    }

    /// It failed.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, detail: detail.into() }
    }

    /// Nobody knows.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, detail: detail.into() }
    }

    pub(super) fn cleaned(&self) -> Self {
        Self { verdict: self.verdict, detail: line(&self.detail) }
    }
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Cancelled, Self::Unknown];

    /// Its word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}

fn line(text: &str) -> String {
    cut(clean_line(text))
}

fn lines(text: &str) -> String {
    cut(text.lines().map(|line| clean_within(line, TEXT_LIMIT)).collect::<Vec<_>>().join("\n"))
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_LIMIT {
        let end = (0..=TEXT_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
