//! The way into containers: commands with or without a terminal, and files out of them.
//!
//! Connections are opened on the engine's own thread, where their pool lives; what is open may be read and written from any other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time::sleep};
use tokio_util::task::AbortOnDropHandle;

pub use super::docker::{ArchiveBody, Duplex, ExecOrder, PathStat};
use super::{
    docker::{Client, EngineError, ExecId},
    live::{Lifeline, LinkLost, Links},
    transport::{ConnectError, Link},
};
use crate::fleet::{ContainerKey, HostId, LinkCause};

/// Where shells are, best first. Looked at rather than tried: a try would be a process and three events.
const SHELLS: [&str; 8] =
    ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/ash", "/bin/sh", "/usr/bin/sh", "/busybox/sh", "/bin/busybox"];

/// How long the engine may take to notice that a command whose streams have ended has ended too.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Between two looks at that.
const LOOK: Duration = Duration::from_millis(20);

/// The way into the containers of every host.
#[derive(Clone)]
pub struct ExecPort {
    links: Links,
    runtime: Handle,
}

/// A command that runs.
pub struct ExecSession {
    /// Its input and output.
    pub streams: Duplex,
    /// All else.
    pub control: ExecControl,
}

/// What can be done to a command beside talking to it.
pub struct ExecControl {
    client: Client,
    exec: ExecId,
    runtime: Handle,
    link: Lifeline,
    /// The last size told; a newer one ends it.
    resizing: Option<AbortOnDropHandle<()>>,
}

impl ExecPort {
    pub(super) fn new(links: Links, runtime: Handle) -> Self {
        Self { links, runtime }
    }

    /// The command of a shell that the container has; `None` when it has none at the places where shells are.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn find_shell(&self, key: &ContainerKey) -> Result<Option<Vec<String>>, EngineError> {
        let (client, id) = (self.links.client(&key.host)?.0, key.id.clone());
        self.there(async move {
            for shell in SHELLS {
                if client.path_stat(&id, shell).await?.is_some_and(|stat| !stat.is_dir()) {
                    let applet = shell.ends_with("/busybox").then_some("sh");
                    return Ok(Some([shell].into_iter().chain(applet).map(str::to_owned).collect()));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn open(&self, key: &ContainerKey, order: ExecOrder) -> Result<ExecSession, EngineError> {
        let (client, link) = self.links.client(&key.host)?;
        let (asked, id) = (client.clone(), key.id.clone());
        let (exec, streams) = self
            .there(async move {
                let exec = asked.exec_create(&id, &order).await?;
                let streams = asked.exec_start(&exec, &order).await?;
                if let Some((columns, rows)) = order.size.filter(|_| order.tty) {
                    // Engines that cannot be told before are told now; a command that has ended already needs no size.
                    if let Err(error) = asked.exec_resize(&exec, columns, rows).await {
                        tracing::debug!(%error, "the size of the terminal was not taken");
                    }
                }
                Ok((exec, streams))
            })
            .await?;
        Ok(ExecSession { streams, control: ExecControl { client, exec, runtime: self.runtime.clone(), link, resizing: None } })
    }

    /// Reads what lies at a path in a container, as a tar stream.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn archive(&self, key: &ContainerKey, path: &str) -> Result<(PathStat, ArchiveBody), EngineError> {
        let (client, link) = self.links.client(&key.host)?;
        let (id, path) = (key.id.clone(), path.to_owned());
        let (stat, body) = self.there(async move { client.archive(&id, &path).await }).await?;
        Ok((stat, body.until_lost(link)))
    }

    /// The link of now to a host, for what is beside its engine there: a balancer.
    ///
    /// # Errors
    /// That there is none now.
    pub fn link(&self, host: &HostId) -> Result<Arc<dyn Link>, ConnectError> {
        Ok(Arc::clone(self.links.client(host)?.0.link()))
    }

    async fn there<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        on_engine(&self.runtime, work).await
    }
}

impl ExecControl {
    /// Tells the size of the command's terminal; the newest wins.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (client, exec) = (self.client.clone(), self.exec.clone());
        let tell = async move {
            if let Err(error) = client.exec_resize(&exec, columns, rows).await {
                tracing::debug!(%error, "the size of the terminal was not taken");
            }
        };
        self.resizing = Some(AbortOnDropHandle::new(self.runtime.spawn(tell)));
    }

    /// Resolves when the link to the host was lost. Cancel-safe; tells it once.
    pub async fn lost(&mut self) -> LinkLost {
        self.link.lost().await
    }

    /// Its exit code, once its streams have ended; `None` when it goes on without them.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn exit_code(&self) -> Result<Option<i32>, EngineError> {
        let (client, exec) = (self.client.clone(), self.exec.clone());
        on_engine(&self.runtime, async move {
            let deadline = Instant::now() + AFTERMATH;
            loop {
                let state = client.exec_state(&exec).await?;
                if !state.running || Instant::now() > deadline {
                    return Ok(state.code.filter(|_| !state.running));
                }
                sleep(LOOK).await;
            }
        })
        .await
    }
}

async fn on_engine<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    let ended = || ConnectError::new(LinkCause::Closed, "the engine side has ended").into();
    AbortOnDropHandle::new(runtime.spawn(work)).await.unwrap_or_else(|_| Err(ended()))
}
