//! The ledger: what was done, by whom and what came of it, in a database that several people and processes share.
//!
//! [`Ledger`] is a handle: nothing is opened before the first call, and what is opened lives on a thread of its own, so that it can
//! be used from any runtime. A table is a directory here with its own types and statements ([`audit`] is the first) and a step in the
//! engine's list of migrations. The statements are written once for every engine: `$1` placeholders and only BIGINT, TEXT, BLOB and
//! DOUBLE; times are milliseconds since 1970, truth is 0 or 1.

pub mod audit;
mod builds;
mod error;
mod keeper;
mod sqlite;
mod state_dir;
mod store;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

pub use audit::Audit;
pub use builds::BuildRecords;
pub use error::LedgerError;
pub use state_dir::{Sharing, StateDir, StateDirError};

use keeper::Keeper;
use store::Store;

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
    dir: StateDir,
    access: Access,
    /// `None` until the first call. A lock, because callers of several runtimes may come first at the same time; nobody holds it while a
    /// statement runs.
    keeper: Mutex<Option<Arc<Keeper>>>,
}

impl Ledger {
    /// A ledger that opens (and makes) its file with the first call, not before: who only looks at containers needs none.
    pub fn lazy(dir: StateDir, access: Access) -> Self {
        Self { inner: Arc::new(Inner { dir, access, keeper: Mutex::new(None) }) }
    }

    /// A ledger that is open: what stands in its way shows now and not with the first act.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn open(dir: &StateDir) -> Result<Self, LedgerError> {
        let ledger = Self::lazy(dir.clone(), Access::Record);
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

    /// Where it is kept.
    pub fn file(&self) -> PathBuf {
        self.inner.dir.ledger_file()
    }

    /// Runs work on the connection, opening it where that was not done yet. The work is done to its end even if the caller stops waiting.
    async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut Store) -> BoxFuture<'s, Result<T, LedgerError>> + Send + 'static,
    {
        self.keeper().await?.run(work).await
    }

    /// The connection's keeper. One that failed to open is tried again with the next call: a full disk may have been emptied.
    async fn keeper(&self) -> Result<Arc<Keeper>, LedgerError> {
        let mut slot = self.inner.keeper.lock().await;
        if let Some(keeper) = slot.as_ref().filter(|keeper| keeper.is_at(&self.file())) {
            return Ok(Arc::clone(keeper));
        }
        let keeper = Arc::new(Keeper::start(&self.inner.dir, self.inner.access).await?);
        *slot = Some(Arc::clone(&keeper));
        Ok(keeper)
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("dir", &self.inner.dir).field("access", &self.inner.access).finish_non_exhaustive()
    }
}
