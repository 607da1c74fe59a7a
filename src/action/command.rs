//! What a person's action asks of the engine side, resolved against a selection, and what comes back: plain data, the same from
//! screen and command line.

use serde::{Deserialize, Serialize};

use crate::fleet::{ContainerKey, HostId};

/// A resolved action that leaves the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Try a lost host now instead of at its next turn; list a live one again.
    RetryLink(HostId),
    /// Ask every live host for its images, volumes and networks.
    ReadStock,
    /// Learn what only inspect knows of these rows: they are on screen.
    InspectRows(Vec<ContainerKey>),
    /// Fetch a container's inspect document, whole; comes back as an [`Answer`].
    ReadInspect {
        /// Ties the answer to it.
        request: RequestId,
        /// Which.
        container: ContainerKey,
    },
    /// Fetch a container's processes; comes back as an [`Answer`].
    ReadProcesses {
        /// Ties the answer to it.
        request: RequestId,
        /// Which.
        container: ContainerKey,
    },
}

/// Ties an [`Answer`] to the [`Command`] that asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// What the engine side answers to a command that asks for something beyond the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Which command.
    pub request: RequestId,
    /// About what.
    pub key: ContainerKey,
    /// The engine's JSON, its texts as they came, or why there is none, in one clean line.
    pub result: Result<serde_json::Value, String>,
}
