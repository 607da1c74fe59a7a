//! What crosses the bus between the engine side and its reader: plain data in both directions.

use serde::{Deserialize, Serialize};

use crate::{
    action::{Answer, RequestId},
    fleet::{ContainerId, Delta},
};

/// Out of the engine side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The fleet changed.
    Delta(Delta),
    /// A question was answered.
    Answer(Answer),
}

/// Into one host's task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostCommand {
    /// Try a lost link now instead of at its next turn; list a live one again.
    Retry,
    /// These rows are looked at: learn what only inspect knows of them.
    Inspect(Vec<ContainerId>),
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
}

impl Question {
    /// The container it is about.
    pub fn container(&self) -> &ContainerId {
        match self {
            Self::InspectRaw(id) => id,
        }
    }
}
