//! What happened to a source, shown between its lines.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{SourceId, Stamp};
use crate::{
    fleet::{Health, HostId},
    text::age,
};

/// Something that happened. All text is clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// When: by the engine's clock, or ours for what only we saw.
    pub at: Stamp,
    /// On which host.
    pub host: HostId,
    /// To which source, and the container's name; `None`: to the host's link.
    pub source: Option<(SourceId, Arc<str>)>,
    /// What.
    pub kind: MarkerKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// A container that was not there before begins to speak.
    Joined {
        /// Its version.
        version: Arc<str>,
    },
    /// It took the place of another one of its service.
    Replaced {
        /// The version that ended.
        from: Arc<str>,
        /// Its own.
        to: Arc<str>,
        /// Where the other one ran, if elsewhere.
        elsewhere: Option<HostId>,
    },
    /// Its main process was started again.
    Restarted,
    /// Its main process ended.
    Stopped {
        /// With this code.
        exit_code: Option<i64>,
    },
    /// It was removed.
    Removed,
    /// The kernel ended a process of it for memory.
    OutOfMemory,
    /// Its HEALTHCHECK came to another verdict.
    Health(Health),
    /// Frozen.
    Paused,
    /// Going on.
    Unpaused,
    /// This console asked for it.
    Asked {
        /// What: `stop grace 3 s`.
        act: Arc<str>,
    },
    /// The link to its host does not answer, or is lost: what it says from here on comes later.
    Lost {
        /// Why, in words.
        error: Arc<str>,
    },
    /// The link is back: what was missing comes now.
    Back,
    /// Lines may be missing here: the log was rotated while nobody could read it.
    Gap {
        /// For how long nobody read.
        away: TimeDelta,
    },
    /// Its log cannot be read.
    Unreadable {
        /// Why, in words.
        reason: Arc<str>,
    },
    /// A search did not reach it, or not all of it.
    NotSearched {
        /// Why, in words.
        reason: Arc<str>,
    },
}

impl MarkerKind {
    /// Its word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Joined { .. } => "joined",
            Self::Replaced { .. } => "replaced",
            Self::Restarted => "restarted",
            Self::Stopped { .. } => "stopped",
            Self::Removed => "removed",
            Self::OutOfMemory => "oom",
            Self::Health(_) => "health",
            Self::Paused => "paused",
            Self::Unpaused => "unpaused",
            Self::Asked { .. } => "asked",
            Self::Lost { .. } => "lost",
            Self::Back => "back",
            Self::Gap { .. } => "gap",
            Self::Unreadable { .. } => "unreadable",
            Self::NotSearched { .. } => "not-searched",
        }
    }

    /// Whether lines are or may be missing after it.
    pub fn breaks(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::Gap { .. } | Self::Unreadable { .. } | Self::NotSearched { .. } => true,
            Self::Joined { .. }
            | Self::Replaced { .. }
            | Self::Restarted
            | Self::Stopped { .. }
            | Self::Removed
            | Self::OutOfMemory
            | Self::Health(_)
            | Self::Paused
            | Self::Unpaused
            | Self::Asked { .. }
            | Self::Back => false,
        }
    }
}

impl Marker {
    /// `14:03:01 app-07 api-1 replaced: 1.0.1-19-04bd1c9 → 1.0.1-22-7e56158`.
    pub fn text(&self) -> String {
        let time = crate::text::clock(self.at.moment());
        let who = match &self.source {
            Some((_, name)) => format!("{} {name}", self.host),
            None => self.host.to_string(),
        };
        let what = match &self.kind {
            MarkerKind::Joined { version } => format!("began: {version}"),
            MarkerKind::Replaced { from, to, elsewhere: None } => format!("replaced: {from} → {to}"),
            MarkerKind::Replaced { from, to, elsewhere: Some(host) } => format!("replaced: {from} on {host} → {to}"),
            MarkerKind::Restarted => "restarted".to_owned(),
            MarkerKind::Stopped { exit_code: Some(code) } => format!("stopped: exit {code}"),
            MarkerKind::Stopped { exit_code: None } => "stopped".to_owned(),
            MarkerKind::Removed => "removed".to_owned(),
            MarkerKind::OutOfMemory => "out of memory".to_owned(),
            MarkerKind::Health(health) => health.to_string(),
            MarkerKind::Paused => "paused".to_owned(),
            MarkerKind::Unpaused => "goes on".to_owned(),
            MarkerKind::Asked { act } => format!("was sent from here: {act}"),
            MarkerKind::Lost { error } => format!("lost: {error} · its lines are missing from here"),
            MarkerKind::Back => "is back".to_owned(),
            MarkerKind::Gap { away } => {
                format!("possible gap: the log was rotated within the {} in which it could not be read", age(*away))
            }
            MarkerKind::Unreadable { reason } => format!("cannot be read: {reason}"),
            MarkerKind::NotSearched { reason } => format!("was not searched: {reason}"),
        };
        format!("{time} {who} {what}")
    }
}
