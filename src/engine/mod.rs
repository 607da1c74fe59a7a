//! The engine side: one task per host, a bounded bus of [`Report`]s out of it, and the transports under it.
//!
//! Runs on a thread of its own, so that no slow engine and no large answer ever delays a frame. Knows nothing of screens;
//! `docker/` is the only place that names bollard.

mod acts;
mod backoff;
pub mod docker;
mod documents;
pub mod exec;
mod host;
mod live;
pub mod logs;
mod machine;
mod report;
mod sampler;
mod session;
pub mod transport;
mod watchdog;

use std::{sync::Arc, thread, time::Duration};

use tokio::{
    runtime,
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub use documents::DocumentPort;
pub use live::{Lifeline, LinkLost};
pub use machine::free_disk;
pub use report::{HostCommand, Question, Report};

use crate::{config::Endpoint, fleet::HostSpec, rights::Rights};
use host::HostTask;
use live::{Links, Live};
use transport::Transports;

/// How many reports may wait for the reader. State is never dropped: a full bus makes the host tasks wait, and through
/// them the engines' streams.
const BUS: usize = 1024;

/// How many commands may wait for one host; commands come from a person's hands or from what is on screen, newest first needed, so a
/// full queue refuses and the caller asks again with the next frame.
const COMMANDS: usize = 64;

/// How many hosts may have a full list in memory at once while starting.
const LISTS: usize = 32;

/// A host to keep a link to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the model knows of it.
    pub spec: HostSpec,
    /// Where its engine is reached.
    pub endpoint: Endpoint,
}

/// The running engine side. Dropping it ends every task and closes every link.
pub struct Engine {
    hosts: std::collections::HashMap<crate::fleet::HostId, mpsc::Sender<HostCommand>>,
    logs: logs::LogPort,
    exec: exec::ExecPort,
    documents: DocumentPort,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

/// What all host tasks share.
struct Shared {
    transports: Transports,
    rights: Rights,
    lists: Semaphore,
    /// How many hosts there are: probe intervals grow with it.
    fleet_size: usize,
}

impl Shared {
    /// An interval that grows with the fleet, so that the whole fleet's cost stays level.
    fn spread(&self, base: Duration) -> Duration {
        base.mul_f64((self.fleet_size as f64 / 100.0).max(1.0))
    }
}

impl Engine {
    /// Starts one task per target on a thread of its own. Reports come out of the receiver until the engine is dropped.
    ///
    /// # Errors
    /// When the operating system gives no thread or no event queue.
    pub fn start(targets: Vec<Target>, rights: Rights) -> std::io::Result<(Self, mpsc::Receiver<Report>)> {
        // state: wait
        let (out, reports) = mpsc::channel(BUS);
        let stop = CancellationToken::new();
        let mut hosts = std::collections::HashMap::with_capacity(targets.len());
        let mut links = std::collections::HashMap::with_capacity(targets.len());
        let mut tasks = Vec::with_capacity(targets.len());
        for target in targets {
            // commands: refuse when full
            let (tx, rx) = mpsc::channel(COMMANDS);
            hosts.insert(target.spec.id.clone(), tx);
            let (live, link) = watch::channel(Live::None);
            links.insert(target.spec.id.clone(), link);
            tasks.push((target, rx, live));
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let links = Links::new(links);
        let logs = logs::LogPort::new(links.clone(), runtime.handle().clone());
        let documents = DocumentPort::new(links.clone(), runtime.handle().clone());
        let exec = exec::ExecPort::new(links, runtime.handle().clone());
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let shared = Arc::new(Shared {
                transports: Transports::from_environment(&rights),
                rights,
                lists: Semaphore::new(LISTS),
                fleet_size: tasks.len(),
            });
            runtime.block_on(async {
                let mut set = JoinSet::new();
                for (target, commands, live) in tasks {
                    let task = HostTask::new(target, Arc::clone(&shared), out.clone(), commands, live);
                    set.spawn(task.run());
                }
                drop(out);
                tokio::select! {
                    () = stopped.cancelled() => set.shutdown().await,
                    () = async { while set.join_next().await.is_some() {} } => {}
                }
            });
            // Blocking look-ups of host names may still hang in the runtime's pool; they hold nothing.
            runtime.shutdown_background();
        })?;
        Ok((Self { hosts, logs, documents, exec, stop, thread: Some(thread) }, reports))
    }

    /// The way to containers' logs. What is read through it ends with the engine.
    pub fn logs(&self) -> &logs::LogPort {
        &self.logs
    }

    /// The way into containers. What is open through it ends with the engine.
    pub fn exec(&self) -> &exec::ExecPort {
        &self.exec
    }

    /// The way to containers' inspect documents.
    pub fn documents(&self) -> &DocumentPort {
        &self.documents
    }

    /// Hands a command to a host's task. `false` when its queue is full or the host is unknown: the caller asks again later.
    #[must_use]
    pub fn command(&self, host: &crate::fleet::HostId, command: HostCommand) -> bool {
        self.hosts.get(host).is_some_and(|tx| tx.try_send(command).is_ok())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the engine thread panicked");
        }
    }
}
