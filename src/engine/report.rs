//! What crosses the bus between the engine side and its reader: plain data in both directions.

use serde::{Deserialize, Serialize};

use crate::fleet::{ContainerId, ContainerKey, Delta};

/// Ties an answer to the question that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Out of the engine side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The fleet changed.
    Delta(Delta),
    /// A question was answered.
    Answer(Answer),
}

/// The answer to one [`Question`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Which question.
    pub request: RequestId,
    /// About what.
    pub key: ContainerKey,
    /// The engine's JSON, or why there is none, in one clean line.
    pub result: Result<serde_json::Value, String>,
}

/// Into one host's task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostCommand {
    /// Try a lost link now instead of at its next turn.
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
