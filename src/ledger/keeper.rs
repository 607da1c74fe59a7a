//! The thread that owns the connection, and how work gets there.

use std::{
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread::{self, JoinHandle},
    time::SystemTime,
};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{Access, LedgerEngine, LedgerError, Place, Store};

/// How many pieces of work may wait. Nothing of the audit is ever dropped: a full queue makes the callers wait.
const JOBS: usize = 64;

type Job = Box<dyn for<'s> FnOnce(&'s mut Store) -> BoxFuture<'s, ()> + Send>;

/// Owner of the thread. Dropping it closes the queue and waits until what is in it is written: a statement's time, not more.
pub(super) struct Keeper {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Device and inode of the file that is open; `None` for what is not kept in a file.
    file: Option<(u64, u64)>,
    /// How the files stood when they were opened.
    stamp: Option<Stamp>,
}

/// Sizes and times of the ledger's file and its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([Option<(u64, SystemTime)>; 2]);

impl Stamp {
    /// `None` for what is not kept in a file.
    pub(super) fn of(place: &Place) -> Option<Self> {
        let Place::File(file) = place else { return None };
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        let look = |file: &Path| std::fs::metadata(file).ok().and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
        Some(Self([look(file), look(Path::new(&log))]))
    }

    /// Whether somebody writes to it: what is written shows there first.
    fn has_log(self) -> bool {
        self.0[1].is_some_and(|(length, _)| length > 0)
    }
}

impl Keeper {
    /// Opens the store on a new thread.
    pub(super) async fn start(engine: &LedgerEngine, access: Access) -> Result<Self, LedgerError> {
        // jobs: wait
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS);
        let (tell, told) = oneshot::channel();
        let stamp = Stamp::of(&engine.place());
        let (engine, stopped) = (engine.clone(), |error: &dyn std::fmt::Display| LedgerError::Stopped(error.to_string()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| stopped(&error))?;
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let mut store = match Store::open(&engine, access).await {
                    Ok(store) => store,
                    Err(error) => {
                        // Nobody waits for it any more: then nobody needs to know.
                        let _ = tell.send(Err(error));
                        return;
                    }
                };
                let _ = tell.send(Ok(identity(store.place())));
                while let Some(job) = queue.recv().await {
                    job(&mut store).await;
                }
                store.close().await;
            });
        });
        let mut keeper = Self { jobs: Some(jobs), thread: Some(thread.map_err(|error| stopped(&error))?), file: None, stamp };
        match told.await {
            Ok(opened) => keeper.file = opened?,
            Err(_) => return Err(stopped(&"its thread ended while opening")),
        }
        Ok(keeper)
    }

    /// Whether what is open is still what lies there: somebody may have moved the file away, and what is written to it then is seen by
    /// nobody. Who only looks may have opened it as one that nobody writes to, and looks anew once somebody has.
    pub(super) fn is_at(&self, place: &Place, access: Access) -> bool {
        let is_same = self.file.is_none() || self.file == identity(place);
        let sees_all = access == Access::Record || self.stamp.is_some_and(|stamp| stamp.has_log());
        is_same && (sees_all || self.stamp == Stamp::of(place))
    }

    /// Runs work on the connection and brings its result back.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut Store) -> BoxFuture<'s, Result<T, LedgerError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            Box::pin(async move {
                let done = match store.limit() {
                    None => work(store).await,
                    Some(limit) => match tokio::time::timeout(limit, work(store)).await {
                        Ok(done) => done,
                        Err(_) => {
                            store.lose();
                            Err(LedgerError::Unsure {
                                place: store.place().clone(),
                                reason: format!("no answer within {} s", limit.as_secs()),
                            })
                        }
                    },
                };
                // Who asked may have stopped waiting; the work is done all the same.
                let _ = tell.send(done);
            })
        });
        let ended = || LedgerError::Stopped("its thread has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }
}

/// Device and inode of a file.
fn identity(place: &Place) -> Option<(u64, u64)> {
    match place {
        Place::File(file) => std::fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino())),
        Place::Server(_) => None,
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's thread panicked");
        }
    }
}
