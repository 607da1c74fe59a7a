//! What engines report while they run (`GET /events`), in the model's own words.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{ContainerId, HostId};

/// The kind of object an event is about (`Type` of the engine's event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// The engine itself.
    Daemon,
    /// Swarm objects, plugins, builders: kept for the record.
    Other,
    /// Not the engine's: our link to the host was lost or came back.
    Link,
}

impl EventKind {
    /// The kind's word in screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Daemon => "daemon",
            Self::Other => "other",
            Self::Link => "link",
        }
    }
}

/// One event of one engine. All text is clean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineEvent {
    /// The engine's own time of it, nanoseconds kept.
    pub at: DateTime<Utc>,
    /// The host.
    pub host: HostId,
    /// What it is about.
    pub kind: EventKind,
    /// The engine's word: `start`, `die`, `health_status: healthy`, `exec_create: sh -c …`.
    pub action: Arc<str>,
    /// The object's id: a container's for containers, an image's reference, a volume's name.
    pub id: ContainerId,
    /// The object's name, where it has one.
    pub name: Arc<str>,
    /// The image a container event names.
    pub image: Option<Arc<str>>,
    /// `exitCode` of a `die`.
    pub exit_code: Option<i64>,
    /// `signal` of a `kill`.
    pub signal: Option<Arc<str>>,
    /// The former name in a `rename`.
    pub old_name: Option<Arc<str>>,
    /// The labels the event carries (container events repeat the container's labels): identity is told from them even when the
    /// container is gone.
    pub labels: Arc<std::collections::BTreeMap<Arc<str>, Arc<str>>>,
}

impl EngineEvent {
    /// The action without its argument: `health_status: healthy` → `health_status`.
    pub fn verb(&self) -> &str {
        self.action.split(':').next().unwrap_or_default().trim_end()
    }
}
