//! The ledger: what was done, by whom and what came of it, in a database that several people and processes share.
//!
//! [`Ledger`] is a handle: nothing is opened before the first call, and what is opened lives on a thread of its own, so that it can
//! be used from any runtime. A [`LedgerEngine`] is SQLite or PostgreSQL. A table is a file or a directory here with its own types and
//! statements ([`audit`] is the first) and a step in each engine's folder of migrations. The statements are written once for every engine: `$1` placeholders and only BIGINT, TEXT, BLOB and
//! DOUBLE; times are milliseconds since 1970, truth is 0 or 1.

mod app_builds;
mod approvals;
pub mod audit;
mod builds;
mod bundles;
mod deployments;
mod engine;
mod error;
mod freezes;
mod journal;
mod keeper;
mod migrations;
mod orders;
mod postgres;
mod pulses;
mod records;
mod releases;
mod rows;
mod seal_key;
mod sqlite;
mod state_dir;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::AnyConnection;
use tokio::sync::Mutex;

pub use app_builds::{AppBuild, AppBuilds};
pub use approvals::{Answer, Approval, Approvals, START};
pub use audit::Audit;
pub use builds::BuildRecords;
pub use deployments::{Asked, Deployment, DeploymentFilter, Deployments, Good, Proof, Rebuilt, Standing, UnderWay};
pub use engine::{LedgerEngine, Place, Server};
pub use error::LedgerError;
pub use freezes::{Freeze, Freezes};
pub use orders::{Orders, Told};
pub use records::{Look, RunRecords};
pub use releases::{RecordedRelease, Releases};
pub use state_dir::{Sharing, StateDir, StateDirError};

use keeper::Keeper;
pub use keeper::Stamp;
use store::{Store, Trouble};

/// What may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and append.
    Record,
    /// Read, and write no file at all: for who may only view.
    Look,
}

/// A handle on the ledger. Clones share one connection; it is closed when the last one is dropped.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    engine: LedgerEngine,
    access: Access,
    /// `None` until the first call. A lock, because callers of several runtimes may come first at the same time; nobody holds it while a
    /// statement runs.
    keeper: Mutex<Option<Arc<Keeper>>>,
}

impl Ledger {
    /// A ledger that is opened (and made) with the first call, not before: who only looks at containers needs none.
    pub fn lazy(engine: impl Into<LedgerEngine>, access: Access) -> Self {
        Self { inner: Arc::new(Inner { engine: engine.into(), access, keeper: Mutex::new(None) }) }
    }

    /// A ledger that is open: what stands in its way shows now and not with the first act.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn open(engine: impl Into<LedgerEngine>) -> Result<Self, LedgerError> {
        let ledger = Self::lazy(engine, Access::Record);
        ledger.keeper().await?;
        Ok(ledger)
    }

    /// Its table of acts.
    pub fn audit(&self) -> Audit {
        Audit::new(self.clone())
    }

    /// Its table of images that were built.
    pub fn builds(&self) -> BuildRecords {
        BuildRecords::new(self.clone())
    }

    /// Its table of builds of whole apps.
    pub fn app_builds(&self) -> AppBuilds {
        AppBuilds::new(self.clone())
    }

    /// Its table of releases.
    pub fn releases(&self) -> Releases {
        Releases::new(self.clone())
    }

    /// Its table of deployments.
    pub fn deployments(&self) -> Deployments {
        Deployments::new(self.clone())
    }

    /// Its table of answers to the questions of deployments.
    pub fn approvals(&self) -> Approvals {
        Approvals::new(self.clone())
    }

    /// Its table of what people tell runs.
    pub fn orders(&self) -> Orders {
        Orders::new(self.clone())
    }

    /// Its table of places where nothing may be deployed.
    pub fn freezes(&self) -> Freezes {
        Freezes::new(self.clone())
    }

    /// What a run writes to and reads from; the evidence of its failures goes into files of this directory.
    pub fn records(&self, dir: StateDir) -> RunRecords {
        RunRecords::new(self.clone(), dir)
    }

    /// Whether there is something to read, as far as that shows without opening it.
    pub fn is_there(&self) -> bool {
        match self.place() {
            Place::File(file) => file.exists(),
            Place::Server(_) => true,
        }
    }

    /// Differs from the last one when something may have been written since: a look at files that costs next to nothing. `None`: only a
    /// question tells.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.place())
    }

    /// Where it is kept.
    pub fn place(&self) -> Place {
        self.inner.engine.place()
    }

    /// Runs work on the connection, opening it where that was not done yet. The work is done to its end even if the caller stops waiting.
    async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut Store) -> BoxFuture<'s, Result<T, LedgerError>> + Send + 'static,
    {
        self.keeper().await?.run(work).await
    }

    /// Reads, all of it of one moment.
    async fn read<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Trouble>> + Send + 'static,
    {
        self.run(move |store| {
            async move {
                let done = work(store.begin_read().await?).await;
                store.end(done).await
            }
            .boxed()
        })
        .await
    }

    /// Writes, alone, all of it or nothing.
    async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Trouble>> + Send + 'static,
    {
        self.run(move |store| {
            async move {
                let done = work(store.begin_write().await?).await;
                store.end(done).await
            }
            .boxed()
        })
        .await
    }

    /// The connection's keeper. One that failed to open is tried again with the next call: a full disk may have been emptied.
    async fn keeper(&self) -> Result<Arc<Keeper>, LedgerError> {
        let mut slot = self.inner.keeper.lock().await;
        if let Some(keeper) = slot.as_ref().filter(|keeper| keeper.is_at(&self.place(), self.inner.access)) {
            return Ok(Arc::clone(keeper));
        }
        let keeper = Arc::new(Keeper::start(&self.inner.engine, self.inner.access).await?);
        *slot = Some(Arc::clone(&keeper));
        Ok(keeper)
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("engine", &self.inner.engine).field("access", &self.inner.access).finish_non_exhaustive()
    }
}
