//! What crosses the bus between the engine side and its reader: plain data in both directions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    act::{Act, ActId, ActWord, Object},
    action::{Answer, RequestId},
    fleet::{ContainerId, Delta, EngineEvent, HostId},
    stats::{Batch, Demand},
    stock::Stock,
};

/// Out of the engine side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The fleet changed.
    Delta(Delta),
    /// A question was answered.
    Answer(Answer),
    /// What [`HostCommand::Stock`] asked for.
    Stock {
        /// Whose.
        host: HostId,
        /// All of it, or why there is none, in one clean line.
        result: Result<Box<Stock>, String>,
    },
    /// What was measured on one host.
    Measured(Batch),
    /// What [`HostCommand::History`] asked for, oldest first: it happened before, so it changes no row.
    History {
        /// Whose.
        host: HostId,
        /// The events, or why there are none, in one clean line.
        result: Result<Vec<EngineEvent>, String>,
    },
    /// What becomes of a [`HostCommand::Act`]: at most one word that it is unsure, then the one that it is over.
    Acted {
        /// Where.
        host: HostId,
        /// Which.
        request: ActId,
        /// What.
        word: ActWord,
    },
}

/// Into one host's task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostCommand {
    /// Try a lost link now instead of at its next turn; list a live one again.
    Retry,
    /// These rows are looked at: learn what only inspect knows of them.
    Inspect(Vec<ContainerId>),
    /// Measure this from now on, in place of what was measured before; an empty demand ends it at once. It outlives the link.
    Measure(Demand),
    /// Tell what the engine remembers of this time, with one [`Report::History`]. Docker remembers its last 256 events, Podman more.
    History {
        /// From here.
        since: DateTime<Utc>,
        /// To here; by the engine's clock, and it answers only when that has passed.
        until: DateTime<Utc>,
    },
    /// Tell images, volumes and networks with one [`Report::Stock`]. It costs the engine a walk over its disks.
    Stock,
    /// Do this, once, and tell with [`Report::Acted`]. The one command that changes something.
    Act {
        /// Ties the words to it; never used twice.
        request: ActId,
        /// What it is done to.
        object: Object,
        /// The engine's id of it.
        target: Arc<str>,
        /// What.
        act: Act,
        /// When it was asked for: one that waited too long for its host is not carried out.
        asked: DateTime<Utc>,
    },
    /// Answer a question with a [`Report::Answer`].
    Ask {
        /// Ties the answer to it.
        request: RequestId,
        /// What.
        question: Question,
    },
}

/// What can be asked of one host beyond the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// A container's inspect document, unabridged.
    InspectRaw(ContainerId),
    /// A container's processes.
    Top(ContainerId),
}

impl Question {
    /// The container it is about.
    pub fn container(&self) -> &ContainerId {
        match self {
            Self::InspectRaw(id) | Self::Top(id) => id,
        }
    }
}
