//! The ledger's share of what changed.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Near;
use crate::ledger::{Deployment, audit::Verdict};

/// What the ledger knows of changes near something.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Near what.
    pub near: Near,
    /// From when on.
    pub since: DateTime<Utc>,
    /// Newest first.
    pub deployments: Vec<RecordedDeployment>,
    /// Oldest first; of the whole fleet, for who acted on a container is told by where and which it was.
    pub acts: Vec<RecordedAct>,
}

/// A deployment with what it changed in the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedDeployment {
    /// The deployment.
    pub deployment: Deployment,
    /// What changed from the release that was there, by name: no value of a variable.
    pub settings: Vec<String>,
}

/// An act of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAct {
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// When it ended; `None`: it is under way, or its process died.
    pub ended: Option<DateTime<Utc>>,
    /// By whom.
    pub who: String,
    /// The action's id.
    pub action: Arc<str>,
    /// The host; empty for what concerns none.
    pub host: Arc<str>,
    /// The name of what it was done to.
    pub target: Arc<str>,
    /// Its id, as the engine has it.
    pub target_id: Arc<str>,
    /// What was given with it: a reason, a signal, a command.
    pub argument: Arc<str>,
    /// What came of it; `None`: nobody knows yet.
    pub verdict: Option<Verdict>,
}
