//! The link to one engine over an SSH session: how its socket is reached there, found once and then used for every stream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    dial_stdio::{self, Answer},
    driver::{OpenError, Target},
    flight::Flight,
    plan::Plan,
    quote::shell_word,
    session::Session,
    settings::SshSettings,
    stream::{ExecEnd, Opened, SshStream},
};
use crate::{
    engine::transport::{COMMAND_OUTPUT, CommandEnd, ConnectError, IoStream, Link, LinkLoad},
    fleet::LinkCause,
    rights::HOST_METRICS,
};

/// How long a host may take to tell its own figures: `df` waits for a disk that hangs.
const METRICS_LIMIT: Duration = Duration::from_secs(10);

/// How streams reach the engine's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// sshd connects to it (`direct-streamlocal`).
    Socket,
    /// A command on the host connects to it.
    Command,
}

/// One engine behind one session.
pub(super) struct SshLink {
    session: Arc<Session>,
    plan: Arc<Plan>,
    socket: String,
    settings: Arc<SshSettings>,
    way: Flight<Way>,
    /// sshd has connected to the socket on this session: a later failure is the engine's.
    forwards: AtomicBool,
    /// The stream that finding the way has opened, for the first who asks. A lock, as tasks of several requests meet here.
    spare: Mutex<Option<Opened>>,
    commands: Arc<Semaphore>,
}

impl SshLink {
    pub(super) fn new(session: Arc<Session>, plan: Arc<Plan>, socket: String, settings: Arc<SshSettings>) -> Self {
        let commands = Arc::new(Semaphore::new(dial_stdio::STREAMS));
        Self { session, plan, socket, settings, way: Flight::new(), forwards: AtomicBool::new(false), spare: Mutex::new(None), commands }
    }

    async fn open_stream(&self) -> Result<SshStream, ConnectError> {
        let way = self.way.get(|_| true, async || self.find_way().await).await?;
        if let Some(opened) = self.spare.lock().await.take() {
            return self.stream(opened, None);
        }
        match way {
            Way::Socket => match self.session.open(Target::Socket(self.socket.clone())).await {
                Ok(opened) => self.stream(opened, None),
                Err(error) => Err(self.open_failed(error)),
            },
            Way::Command => {
                let place = timeout(self.settings.deadlines.open, Arc::clone(&self.commands).acquire_owned()).await;
                let Ok(Ok(permit)) = place else {
                    let message = format!(
                        "all {} streams of {} are in use: allow AllowStreamLocalForwarding in sshd_config there to lift this limit",
                        dial_stdio::STREAMS,
                        self.plan.target()
                    );
                    return Err(ConnectError::new(LinkCause::Forwarding, message));
                };
                match self.session.open(Target::Command(dial_stdio::command(&self.socket))).await {
                    Ok(opened) => self.stream(opened, Some(permit)),
                    Err(error) => Err(self.open_failed(error)),
                }
            }
        }
    }

    fn stream(&self, opened: Opened, permit: Option<OwnedSemaphorePermit>) -> Result<SshStream, ConnectError> {
        SshStream::new(opened.socket, opened.state, permit)
            .map_err(|error| ConnectError::new(LinkCause::Protocol, format!("a stream of {} cannot be used: {error}", self.plan.target())))
    }

    fn open_failed(&self, error: OpenError) -> ConnectError {
        let target = self.plan.target();
        match error {
            OpenError::Over(error) => error,
            OpenError::Late => {
                let seconds = self.settings.deadlines.open.as_secs();
                ConnectError::new(LinkCause::NoAnswer, format!("sshd on {target} opened no stream within {seconds} s"))
            }
            OpenError::Failed(_) if self.forwards.load(Ordering::Relaxed) => dial_stdio::nobody_there(&self.socket),
            OpenError::Prohibited(text) | OpenError::Failed(text) => {
                ConnectError::new(LinkCause::Forwarding, format!("sshd on {target} opened no stream: {text}"))
            }
        }
    }

    /// Tries the socket; if sshd refuses without a reason, asks the docker command, which works or knows the reason.
    async fn find_way(&self) -> Result<Way, ConnectError> {
        let refusal = match self.try_socket().await {
            Ok(()) => return Ok(Way::Socket),
            Err(refusal @ (OpenError::Prohibited(_) | OpenError::Failed(_))) => refusal,
            Err(error @ (OpenError::Late | OpenError::Over(_))) => return Err(self.open_failed(error)),
        };
        match dial_stdio::ask(&self.session, &self.socket).await {
            // The engine may have come up in between: the socket is the better way.
            Answer::Engine if self.try_socket().await.is_ok() => Ok(Way::Socket),
            Answer::Engine => {
                tracing::info!(host = self.plan.target(), "sshd does not forward to Unix sockets: using docker system dial-stdio");
                Ok(Way::Command)
            }
            Answer::Failed(error) => Err(error),
            Answer::Ended(end) => match dial_stdio::verdict(&end, &self.plan.user, &self.socket) {
                Some(error) => Err(error),
                None => Err(self.unexplained(refusal, last_words(&end)).await),
            },
            Answer::NoCommand(text) => Err(self.unexplained(refusal, text).await),
        }
    }

    async fn try_socket(&self) -> Result<(), OpenError> {
        let opened = self.session.open(Target::Socket(self.socket.clone())).await?;
        self.forwards.store(true, Ordering::Relaxed);
        *self.spare.lock().await = Some(opened);
        Ok(())
    }

    /// Runs a line of shell on the host.
    async fn run(&self, line: &str, input: &[u8]) -> Result<CommandEnd, ConnectError> {
        let target = self.plan.target();
        let refused = |why: &str| no_command(&target, line, why);
        let mut opened = match self.session.open(Target::Command(line.to_owned())).await {
            Ok(opened) => opened,
            Err(OpenError::Prohibited(why) | OpenError::Failed(why)) => return Err(refused(&why)),
            Err(error @ (OpenError::Late | OpenError::Over(_))) => return Err(self.open_failed(error)),
        };
        let end = opened.end.take();
        let stream = self.stream(opened, None)?;
        // Both halves live until the end is known: a stream that nobody holds is closed, and nobody is told how its command ended.
        let (mut reader, mut writer) = tokio::io::split(stream);
        let write = async {
            // Who does not read what it is given says so with its status.
            let _unread = writer.write_all(input).await;
            let _unread = writer.shutdown().await;
        };
        let read = async {
            let mut output = Vec::new();
            (&mut reader).take(COMMAND_OUTPUT as u64 + 1).read_to_end(&mut output).await.map(|_| output)
        };
        let ((), output) = tokio::join!(write, read);
        let output = output.map_err(|error| refused(&error.to_string()))?;
        if output.len() > COMMAND_OUTPUT {
            return Err(refused(&format!("it said more than {} MB", COMMAND_OUTPUT >> 20)));
        }
        let ended = match end {
            Some(end) => end.await.ok(),
            None => None,
        };
        let ended = ended.ok_or_else(|| refused("nobody knows how it ended"))?;
        Ok(CommandEnd { status: Some(ended.status).filter(|status| *status >= 0), output, errors: ended.stderr })
    }

    /// Neither way works, and neither says why.
    async fn unexplained(&self, refusal: OpenError, command: String) -> ConnectError {
        let (target, user, socket) = (self.plan.target(), &self.plan.user, &self.socket);
        let tried = format!("`{}` there: {command}", dial_stdio::command(socket));
        let probed = if self.settings.may_probe { dial_stdio::probe(&self.session, socket).await } else { None };
        match (refusal, probed.as_deref()) {
            (_, Some("missing")) => dial_stdio::nobody_there(socket),
            (_, Some("denied")) => dial_stdio::denied(user, socket),
            (OpenError::Prohibited(_), _) => ConnectError::new(
                LinkCause::Forwarding,
                format!(
                    "sshd on {target} forbids forwarding to Unix sockets: set AllowStreamLocalForwarding yes in sshd_config there ({tried})"
                ),
            ),
            (_, Some("open")) => ConnectError::new(
                LinkCause::Forwarding,
                format!(
                    "sshd on {target} does not connect to {socket}, which {user} may open: either it forbids forwarding \
                     (AllowStreamLocalForwarding) or no engine listens any more ({tried})"
                ),
            ),
            (_, _) => ConnectError::new(
                LinkCause::NoEngine,
                format!(
                    "sshd on {target} cannot connect to {socket}: either no engine listens there, or {user} may not open it (group docker), \
                     or sshd forbids it (AllowStreamLocalForwarding) ({tried})"
                ),
            ),
        }
    }
}

fn last_words(end: &ExecEnd) -> String {
    let text = String::from_utf8_lossy(&end.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no answer");
    format!("{line} (status {})", end.status)
}

/// A command that a host does not run: this account may not, or it has no shell.
pub(super) fn no_command(target: &str, line: &str, why: &str) -> ConnectError {
    let shown = crate::text::fit(&crate::text::clean_line(line), 60).into_owned();
    ConnectError::new(LinkCause::Forwarding, format!("sshd on {target} runs no {shown:?}: {why}"))
}

/// What the fixed command has printed.
pub(super) async fn figures(command: impl Future<Output = Result<CommandEnd, ConnectError>>, target: &str) -> Result<String, ConnectError> {
    match timeout(METRICS_LIMIT, command).await {
        Ok(Ok(end)) if end.output.is_empty() => Err(no_command(target, HOST_METRICS, "it said nothing")),
        Ok(end) => end.map(|end| String::from_utf8_lossy(&end.output).into_owned()),
        Err(_) => {
            let words = format!("{target} did not tell its figures within {} s", METRICS_LIMIT.as_secs());
            Err(ConnectError::new(LinkCause::NoAnswer, words))
        }
    }
}

impl Link for SshLink {
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>> {
        Box::pin(async { self.open_stream().await.map(|stream| Box::new(stream) as IoStream) })
    }

    fn closed(&self) -> BoxFuture<'_, ConnectError> {
        Box::pin(self.session.closed())
    }

    fn host_metrics(&self) -> Option<BoxFuture<'_, Result<String, ConnectError>>> {
        Some(Box::pin(async { figures(self.run(HOST_METRICS, b""), &self.plan.target()).await }))
    }

    fn dial<'a>(&'a self, address: &'a str, port: u16) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        Some(Box::pin(async move {
            match self.session.open(Target::Tcp(address.to_owned(), port)).await {
                Ok(opened) => self.stream(opened, None).map(|stream| Box::new(stream) as IoStream),
                Err(OpenError::Prohibited(why)) => {
                    let target = self.plan.target();
                    let message =
                        format!("sshd on {target} forbids to connect to {address}:{port}: allow AllowTcpForwarding there ({why})");
                    Err(ConnectError::new(LinkCause::Forwarding, message))
                }
                Err(OpenError::Failed(why)) => {
                    Err(ConnectError::new(LinkCause::Unreachable, format!("nothing answers at {address}:{port}: {why}")))
                }
                Err(error @ (OpenError::Late | OpenError::Over(_))) => Err(self.open_failed(error)),
            }
        }))
    }

    fn socket<'a>(&'a self, path: &'a str) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        Some(Box::pin(async move {
            match self.session.open(Target::Socket(path.to_owned())).await {
                Ok(opened) => self.stream(opened, None).map(|stream| Box::new(stream) as IoStream),
                Err(OpenError::Prohibited(why)) => {
                    let target = self.plan.target();
                    let message =
                        format!("sshd on {target} forbids {path}: set AllowStreamLocalForwarding yes in sshd_config there ({why})");
                    Err(ConnectError::new(LinkCause::Forwarding, message))
                }
                Err(OpenError::Failed(why)) => {
                    let user = &self.plan.user;
                    let message = format!("nobody listens on {path} there, or {user} may not open it (mode, group): {why}");
                    Err(ConnectError::new(LinkCause::NoEngine, message))
                }
                Err(error @ (OpenError::Late | OpenError::Over(_))) => Err(self.open_failed(error)),
            }
        }))
    }

    fn command<'a>(&'a self, words: &'a [String], input: &'a [u8]) -> Option<BoxFuture<'a, Result<CommandEnd, ConnectError>>> {
        let line = words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        Some(Box::pin(async move { self.run(&line, input).await }))
    }

    fn load(&self) -> LinkLoad {
        LinkLoad { sessions: u32::from(!self.session.is_over()), streams: self.session.streams() }
    }
}
