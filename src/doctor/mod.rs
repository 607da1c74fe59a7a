//! Why a host can or cannot be reached: a chain of checks from the configuration to what the engine says of itself, each with what
//! was seen and, where a person can mend it, how.
//!
//! [`chain`] (pure) knows the checks, which of them a failure belongs to, and the remedies; [`probe`] goes and looks. Nothing is
//! changed anywhere, and nothing is tried twice.

pub mod chain;
pub mod probe;

use serde::Serialize;

pub use chain::{Check, Stage};
pub use probe::examine;

use crate::fleet::HostId;

/// What one check of one host found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which host.
    pub host: HostId,
    /// Which check.
    pub check: Check,
    /// Whether it is well enough to go on; the checks after a failure are not made.
    pub ok: bool,
    /// What was seen, one clean line.
    pub detail: String,
    /// What a person can do; on a check that is `ok`, what would be better.
    pub remedy: Option<String>,
}
