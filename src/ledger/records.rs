//! What a run writes to and reads from: journal, orders and answers in the ledger, evidence beside it.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{Deployment, Ledger, LedgerEngine, LedgerError, StateDir, approvals, bundles, deployments, journal, orders, pulses};
use crate::{
    delivery::release::DeploymentId,
    run::{Order, Pulse, Records, RecordsError, journal::Entry},
};

/// A deployment as whoever looks on finds it, all of one moment.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its row.
    pub deployment: Deployment,
    /// Its journal from the row on that was asked for.
    pub entries: Vec<Entry>,
    /// What its run is at.
    pub pulse: Option<Pulse>,
}

/// A run's records, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct RunRecords {
    ledger: Ledger,
    dir: StateDir,
}

impl RunRecords {
    pub(super) fn new(ledger: Ledger, dir: StateDir) -> Self {
        Self { ledger, dir }
    }

    /// The rows of a deployment's journal from this number on, in order: for who follows it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn since(&self, deployment: &DeploymentId, seq: u64) -> Result<Vec<Entry>, RecordsError> {
        let id = deployment.clone();
        let done = self.ledger.read(move |connection| async move { journal::since(connection, &id, seq).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    /// How a deployment stands, with the rows of its journal from this number on.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn look(&self, deployment: &DeploymentId, seq: u64) -> Result<Look, LedgerError> {
        let id = deployment.clone();
        let look = self.ledger.read(move |connection| {
            async move {
                let deployment = deployments::one(connection, &id).await?;
                let entries = journal::since(connection, &id, seq).await?;
                Ok(Look { deployment, entries, pulse: pulses::get(connection, &id).await? })
            }
            .boxed()
        });
        look.await
    }

    /// Where a bundle lies; who shares a server with other machines is told on which.
    fn told(&self, path: &std::path::Path) -> Arc<str> {
        let machine = match &self.ledger.inner.engine {
            LedgerEngine::Sqlite(_) => None,
            LedgerEngine::Postgres(_) => super::audit::Who::of_process().machine,
        };
        match machine {
            Some(machine) => format!("{machine}:{}", path.display()).into(),
            None => path.display().to_string().into(),
        }
    }
}

fn failed(deployment: &DeploymentId) -> impl FnOnce(LedgerError) -> RecordsError + use<'_> {
    move |error| RecordsError { deployment: deployment.clone(), reason: error.to_string() }
}

impl Records for RunRecords {
    async fn append(&self, deployment: &DeploymentId, entries: &[Entry]) -> Result<(), RecordsError> {
        let (id, entries) = (deployment.clone(), entries.to_vec());
        let done = self.ledger.write(move |connection| async move { journal::append(connection, &id, &entries).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    async fn pulse(&self, deployment: &DeploymentId, pulse: &Pulse) -> Result<(), RecordsError> {
        let (id, pulse) = (deployment.clone(), pulse.clone());
        let done = self.ledger.write(move |connection| async move { pulses::put(connection, &id, &pulse).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    async fn load(&self, deployment: &DeploymentId) -> Result<Vec<Entry>, RecordsError> {
        let id = deployment.clone();
        let done = self.ledger.read(move |connection| async move { journal::load(connection, &id).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    async fn order(&self, deployment: &DeploymentId) -> Result<Order, RecordsError> {
        let id = deployment.clone();
        let done = self.ledger.read(move |connection| async move { orders::in_force(connection, &id).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    async fn answer(&self, deployment: &DeploymentId, question: &str) -> Result<Option<Result<(), Arc<str>>>, RecordsError> {
        let (id, question) = (deployment.clone(), question.to_owned());
        let done = self.ledger.read(move |connection| async move { approvals::last(connection, &id, &question).await }.boxed());
        done.await.map_err(failed(deployment))
    }

    async fn bundle(&self, deployment: &DeploymentId, files: Vec<(String, Vec<u8>)>) -> Result<Arc<str>, RecordsError> {
        let (dir, id) = (self.dir.clone(), deployment.clone());
        let kept = tokio::task::spawn_blocking(move || bundles::keep(&dir, &id, &files)).await;
        let kept = kept.unwrap_or_else(|error| Err(LedgerError::Stopped(error.to_string())));
        kept.map(|path| self.told(&path)).map_err(failed(deployment))
    }
}
