//! What a run writes down, and what it is told meanwhile. The ledger's tables come behind this; a directory of files is enough for it.

use std::{future::Future, sync::Arc};

use thiserror::Error;

use super::{journal::Entry, pulse::Pulse};
use crate::delivery::release::DeploymentId;

/// Something was not written or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the records of deployment {deployment}: {reason}")]
pub struct RecordsError {
    /// Whose.
    pub deployment: DeploymentId,
    /// One clean line.
    pub reason: String,
}

/// What a person tells a run that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    #[default]
    GoOn,
    /// Finish what is under way, then stop.
    Park,
    /// Take it all back.
    Unwind,
}

/// Where a run's words are kept.
pub trait Records: Send + Sync {
    /// Adds entries; on return they outlive this process.
    fn append(&self, deployment: &DeploymentId, entries: &[Entry]) -> impl Future<Output = Result<(), RecordsError>> + Send;
    /// Says what it is at, for those who look on, in the place of what was said before. Nothing depends on it.
    fn pulse(&self, deployment: &DeploymentId, pulse: &Pulse) -> impl Future<Output = Result<(), RecordsError>> + Send;
    /// Everything that was added, in order.
    fn load(&self, deployment: &DeploymentId) -> impl Future<Output = Result<Vec<Entry>, RecordsError>> + Send;
    /// What a person has told the run last.
    fn order(&self, deployment: &DeploymentId) -> impl Future<Output = Result<Order, RecordsError>> + Send;
    /// Whether somebody said yes to this question, or no with a reason.
    fn answer(
        &self,
        deployment: &DeploymentId,
        question: &str,
    ) -> impl Future<Output = Result<Option<Result<(), Arc<str>>>, RecordsError>> + Send;
    /// Keeps a failure's evidence and says where.
    fn bundle(
        &self,
        deployment: &DeploymentId,
        files: Vec<(String, Vec<u8>)>,
    ) -> impl Future<Output = Result<Arc<str>, RecordsError>> + Send;
}
