//! The state of one link: what is shown of a host's connection, and when it is called stale or lost.
//!
//! Pure: [`LinkState`] is data that the engine task sends as [`Delta::Link`](super::Delta::Link); the deadlines are here so that one place
//! states them (design: Links).

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Silence of the engine after which a link is probed: over a network.
pub const QUIET_NETWORK: Duration = Duration::from_secs(2);
/// Silence of the engine after which a link is probed: on a Unix socket of this machine.
pub const QUIET_LOCAL: Duration = Duration::from_secs(5);
/// How long a probe may stay unanswered before the host is stale.
pub const PROBE_ANSWER: Duration = Duration::from_millis(2500);
/// How long a stale link is kept before it is torn down and made anew.
pub const STALE_KEPT: Duration = Duration::from_secs(15);

/// Why a link is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkCause {
    /// Name, route or port: nobody answered there.
    Unreachable,
    /// A connection exists, the engine does not answer on it.
    NoAnswer,
    /// The connection was closed by the other side.
    Closed,
    /// The socket or account is not ours to use.
    Permission,
    /// The host key is unknown, or another one than the known one.
    HostKey,
    /// No offered key, agent or account was accepted.
    Authentication,
    /// Certificate, name or protocol mismatch.
    Tls,
    /// sshd forbids what the transport needs.
    Forwarding,
    /// Something answers there that is no Docker engine.
    NoEngine,
    /// The engine answered what the protocol does not allow.
    Protocol,
    /// The configuration of this host cannot be used.
    Configuration,
}

impl LinkCause {
    /// Whether trying again by itself makes sense. What needs a person (a changed host key, a missing permission, a wrong
    /// certificate) is tried seldom, and shown as refused.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::Permission | Self::HostKey | Self::Authentication | Self::Tls | Self::Forwarding | Self::Configuration => true,
            Self::Unreachable | Self::NoAnswer | Self::Closed | Self::NoEngine | Self::Protocol => false,
        }
    }
}

/// How a link stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "status")]
pub enum LinkState {
    /// First attempt under way; nothing known yet.
    #[default]
    Connecting,
    /// The engine answers.
    Live {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A probe is overdue; the link is kept, what is shown may be old.
    Stale {
        /// When the engine was last heard.
        since: DateTime<Utc>,
    },
    /// Lost; will be tried again by itself.
    Retrying {
        /// When it was lost (for a host that never answered: when it was first tried).
        since: DateTime<Utc>,
        /// What kind of failure.
        cause: LinkCause,
        /// The failure in words, with the remedy where one is known. Clean, one line.
        error: Arc<str>,
        /// When the next attempt starts.
        next: DateTime<Utc>,
    },
    /// Lost, and a person must act first; tried again seldom.
    Refused {
        /// When it was first refused.
        since: DateTime<Utc>,
        /// What kind of failure.
        cause: LinkCause,
        /// The failure in words, with the remedy. Clean, one line.
        error: Arc<str>,
        /// When the next attempt starts.
        next: DateTime<Utc>,
    },
}

impl LinkState {
    /// The word of the status column: `connecting`, `live`, `stale`, `retrying`, `refused`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live { .. } => "live",
            Self::Stale { .. } => "stale",
            Self::Retrying { .. } => "retrying",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether what is shown of the host is current.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// The failure in words, where there is one.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Connecting | Self::Live { .. } | Self::Stale { .. } => None,
            Self::Retrying { error, .. } | Self::Refused { error, .. } => Some(error),
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
