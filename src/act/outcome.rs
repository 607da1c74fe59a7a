//! What became of an act on one target.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Act;

/// Ties what the engine side says to the order it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActId(pub u64);

/// What the engine side says of an act under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActWord {
    /// It was sent and its answer got lost: the engine is being asked what is. It is not sent again.
    Unsure {
        /// Why the answer got lost.
        why: Arc<str>,
    },
    /// It is over.
    Over(Outcome),
}

/// What became of an act. Texts are clean lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The engine says that it did it.
    Done,
    /// It was so before.
    Already,
    /// The target does not exist (any more).
    Gone,
    /// The engine refused.
    Refused {
        /// HTTP status: 409 where the target's state forbids it.
        status: u16,
        /// The engine's own words.
        message: Arc<str>,
    },
    /// It makes no sense for this target; nothing was sent.
    Impossible {
        /// Why.
        why: Arc<str>,
    },
    /// The host could not be reached; nothing was sent.
    Unreachable {
        /// Why.
        why: Arc<str>,
    },
    /// This process may not do it; nothing was sent.
    Denied {
        /// Why.
        why: Arc<str>,
    },
    /// The audit could not be written; nothing was sent.
    Unrecorded {
        /// Why.
        why: Arc<str>,
    },
    /// Called off before it was sent.
    Cancelled,
    /// It was sent and the answer got lost; the engine, asked afterwards, says that it is so.
    DoneUnheard {
        /// What the engine said when asked.
        seen: Arc<str>,
    },
    /// It was sent and the answer got lost; the engine, asked afterwards, says that it is not so. It was not sent again.
    Undone {
        /// What the engine said when asked.
        seen: Arc<str>,
    },
    /// It was sent, and nobody can tell what became of it.
    Unknown {
        /// Why not.
        why: Arc<str>,
    },
}

/// How an outcome counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// It is as was asked.
    Good,
    /// Called off by a person.
    CalledOff,
    /// Its host could not be reached.
    Unreached,
    /// Rights forbid it.
    Forbidden,
    /// It is not as was asked, or nobody knows.
    Bad,
}

impl Outcome {
    /// How it counts for this act: what was to be removed and is gone is as was asked.
    pub fn class(&self, act: &Act) -> Class {
        match self {
            Self::Done | Self::Already | Self::DoneUnheard { .. } => Class::Good,
            Self::Gone if act.removes() => Class::Good,
            Self::Cancelled => Class::CalledOff,
            Self::Unreachable { .. } => Class::Unreached,
            Self::Denied { .. } => Class::Forbidden,
            Self::Gone
            | Self::Refused { .. }
            | Self::Impossible { .. }
            | Self::Unrecorded { .. }
            | Self::Undone { .. }
            | Self::Unknown { .. } => Class::Bad,
        }
    }

    /// The word in JSON: `done`, `done-unheard`, …
    pub fn key(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Gone => "gone",
            Self::Refused { .. } => "refused",
            Self::Impossible { .. } => "impossible",
            Self::Unreachable { .. } => "unreachable",
            Self::Denied { .. } => "denied",
            Self::Unrecorded { .. } => "unrecorded",
            Self::Cancelled => "cancelled",
            Self::DoneUnheard { .. } => "done-unheard",
            Self::Undone { .. } => "undone",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether the engine was sent the act.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Done | Self::Refused { .. } | Self::DoneUnheard { .. } | Self::Undone { .. } | Self::Unknown { .. } => true,
            Self::Already
            | Self::Gone
            | Self::Impossible { .. }
            | Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::Unrecorded { .. }
            | Self::Cancelled => false,
        }
    }

    /// For the audit, which knows the act already: the word, and what there is to say about it.
    pub fn record(&self) -> String {
        let key = self.key();
        match self {
            Self::Done | Self::Already | Self::Gone | Self::Cancelled => key.to_owned(),
            Self::Refused { status, message } => format!("{key} ({status}): {message}"),
            Self::Impossible { why }
            | Self::Unreachable { why }
            | Self::Denied { why }
            | Self::Unrecorded { why }
            | Self::DoneUnheard { seen: why }
            | Self::Undone { seen: why }
            | Self::Unknown { why } => format!("{key}: {why}"),
        }
    }

    /// The sentence for a person: `stopped`, `was so already`, `refused: …`.
    pub fn sentence(&self, act: &Act) -> String {
        match self {
            Self::Done => act.past().to_owned(),
            Self::Already => "was so already".to_owned(),
            Self::Gone => "gone: it is not there any more".to_owned(),
            Self::Refused { status: 409, message } => format!("conflict: {message}"),
            Self::Refused { status, message } => format!("refused ({status}): {message}"),
            Self::Impossible { why } => format!("not done: {why}"),
            Self::Unreachable { why } => format!("not sent: {why}"),
            Self::Denied { why } => format!("not allowed: {why}"),
            Self::Unrecorded { why } => format!("not sent, the audit cannot be written: {why}"),
            Self::Cancelled => "not sent: called off".to_owned(),
            Self::DoneUnheard { seen } => format!("{}: the answer got lost, but {seen}", act.past()),
            Self::Undone { seen } => format!("not {}: the answer got lost, and {seen}; not sent again", act.past()),
            Self::Unknown { why } => format!("unknown: it was sent, but {why}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}
