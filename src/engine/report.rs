//! What crosses the bus between the engine side and its reader: plain data in both directions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    action::{Answer, RequestId},
    fleet::{ContainerId, Delta, EngineEvent, HostId},
    stats::{Batch, Demand},
};

/// Out of the engine side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The fleet changed.
    Delta(Delta),
    /// A question was answered.
    Answer(Answer),
    /// What was measured on one host.
    Measured(Batch),
    /// What [`HostCommand::History`] asked for, oldest first: it happened before, so it changes no row.
    History {
        /// Whose.
        host: HostId,
        /// The events, or why there are none, in one clean line.
        result: Result<Vec<EngineEvent>, String>,
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
