//! The other engine: `ssh -N -L`, one process per host, for what libssh2 cannot do (certificates, hardware keys, ProxyCommand).
//!
//! ssh reads the person's own configuration; what would prompt, share connections or accept unknown keys is switched off. The
//! process ends with the link, and its folder goes with it. Commands, and the ways to other places of the host, go through the session of
//! that process.

use std::{
    collections::VecDeque,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::UnixStream,
    process::{Child, ChildStderr, Command},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    link::{figures, no_command},
    plan::{Hop, as_one_file},
    quote::shell_word,
    settings::SshSettings,
};
use crate::{
    engine::transport::{CommandEnd, ConnectError, IoStream, Link, LinkLoad, local::attend},
    fleet::LinkCause,
    rights::HOST_METRICS,
};

/// The files of a link's folder: the engine's socket, ssh's own, and its configuration.
const ENGINE: &str = "engine.sock";
const CONTROL: &str = "control";
const CONFIG: &str = "config";

/// So many other places of a host are kept: a balancer's socket, and addresses that are probed just now.
const PLACES: usize = 8;
/// How often the socket is looked for while ssh logs in.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of ssh's messages that are kept for an error.
const LINES: usize = 4;
/// The longest line that is kept.
const LINE_LENGTH: u64 = 1024;

/// A private folder for one socket, removed with the link.
struct Folder(PathBuf);

impl Folder {
    fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir);
        loop {
            let path = base.join(format!("quarterdeck-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a temporary folder could not be removed");
        }
    }
}

/// Ways to other places of the host.
#[derive(Default)]
struct Places {
    /// Each place and our socket that leads there.
    known: VecDeque<(String, PathBuf)>,
    /// How many were made: no name is used twice.
    made: u64,
}

type LastWords = Arc<Mutex<VecDeque<String>>>;

/// One engine behind one `ssh` process.
pub(super) struct OpensshLink {
    folder: Folder,
    ended: watch::Receiver<Option<ConnectError>>,
    streams: Arc<()>,
    host: String,
    program: PathBuf,
    /// Other places of the host, the latest last. A lock, as several callers must wait for one forwarding.
    places: tokio::sync::Mutex<Places>,
    /// Holds the process: aborted when the link is dropped, which kills it.
    _tasks: JoinSet<()>,
}

impl OpensshLink {
    /// Logs in and forwards to a socket there.
    pub(super) async fn start(written: &Hop, socket: &str, settings: &SshSettings) -> Result<Self, ConnectError> {
        without_colon(socket)?;
        let name = written.command();
        let failed = |error: io::Error| ConnectError::new(LinkCause::Configuration, format!("ssh {name}: cannot be started: {error}"));
        let folder = Folder::create().map_err(failed)?;
        let (local, config) = (folder.0.join(ENGINE), folder.0.join(CONFIG));
        let mut text = String::new();
        settings.identities.iter().for_each(|file| text.push_str(&format!("IdentityFile \"{}\"\n", file.display())));
        text.push_str(&as_one_file(settings));
        fs::write(&config, text).map_err(failed)?;
        let mut child = command(written, &folder.0, socket, settings).spawn().map_err(failed)?;
        let words = LastWords::default();
        let mut tasks = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            tasks.spawn(listen(stderr, Arc::clone(&words)));
        }
        wait_for_socket(&mut child, &local, &name, &words, &mut tasks, settings.deadlines.connect + settings.deadlines.handshake).await?;
        let (ending, ended) = watch::channel(None);
        let (name, words) = (name.clone(), Arc::clone(&words));
        tasks.spawn(async move {
            // Owned here: aborting this task drops the child, which kills it.
            let status = child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
            let error = ConnectError::new(LinkCause::Closed, format!("ssh {name} ended ({status}): {}", said(&words)));
            ending.send_replace(Some(error));
        });
        let (host, program) = (written.host.clone(), settings.program.clone());
        Ok(Self { folder, ended, streams: Arc::new(()), host, program, places: tokio::sync::Mutex::default(), _tasks: tasks })
    }

    /// Opens a stream to a socket of ours that leads there.
    async fn connect(&self, socket: &Path) -> Result<IoStream, ConnectError> {
        if let Some(error) = self.ended.borrow().clone() {
            return Err(error);
        }
        let stream = UnixStream::connect(socket).await;
        let stream =
            stream.map_err(|error| ConnectError::new(LinkCause::Closed, format!("the socket of ssh cannot be opened: {error}")))?;
        let (reader, writer) = stream.into_split();
        let counted = Counted { reader, _count: Arc::clone(&self.streams) };
        Ok(Box::new(tokio::io::join(counted, writer)) as IoStream)
    }

    /// Opens a stream to another place of the same host: a path without a colon, or `address:port`.
    async fn beside(&self, place: &str) -> Result<IoStream, ConnectError> {
        let mut places = self.places.lock().await;
        let socket = match places.known.iter().find(|(known, _)| known == place) {
            Some((_, socket)) => socket.clone(),
            None => {
                places.made += 1;
                let socket = self.folder.0.join(format!("{}.sock", places.made));
                self.forward("forward", &socket, place).await?;
                places.known.push_back((place.to_owned(), socket.clone()));
                if places.known.len() > PLACES
                    && let Some((place, socket)) = places.known.pop_front()
                {
                    // Streams that are open go on; a listener that is left costs nothing but a descriptor.
                    let _left = self.forward("cancel", &socket, &place).await;
                }
                socket
            }
        };
        self.connect(&socket).await
    }

    /// Tells the process of a way to another place.
    async fn forward(&self, what: &str, socket: &Path, place: &str) -> Result<(), ConnectError> {
        let mut command = self.client();
        command.args(["-O", what, "-L"]).arg(format!("{}:{place}", socket.display())).arg("--").arg(&self.host);
        let end = attend(command, &format!("ssh {}", self.host), b"").await?;
        if end.status == Some(0) {
            return Ok(());
        }
        let why = crate::text::clean_bytes(end.errors.trim_ascii());
        Err(ConnectError::new(LinkCause::Forwarding, format!("ssh {} does not forward to {place}: {why}", self.host)))
    }

    /// Runs a line of shell on the host.
    async fn run(&self, line: &str, input: &[u8]) -> Result<CommandEnd, ConnectError> {
        let mut command = self.client();
        command.arg("--").arg(&self.host).arg(line);
        let end = attend(command, &format!("ssh {}", self.host), input).await?;
        // ssh's own failures, and next to no command's.
        if end.status == Some(255) {
            return Err(no_command(&self.host, line, &crate::text::clean_bytes(end.errors.trim_ascii())));
        }
        Ok(end)
    }

    /// One more `ssh`, through the session that is there or not at all.
    fn client(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-T").arg("-F").arg(self.folder.0.join(CONFIG)).arg("-S").arg(self.folder.0.join(CONTROL));
        for option in ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "RemoteCommand=none", "LogLevel=ERROR"] {
            command.arg("-o").arg(option);
        }
        command.process_group(0);
        command
    }
}

fn without_colon(path: &str) -> Result<(), ConnectError> {
    if path.contains(':') {
        return Err(ConnectError::new(LinkCause::Configuration, format!("ssh cannot forward to {path:?}: the path contains a colon")));
    }
    Ok(())
}

fn command(written: &Hop, folder: &Path, socket: &str, settings: &SshSettings) -> Command {
    let mut command = Command::new(&settings.program);
    command.arg("-N").arg("-T").arg("-F").arg(folder.join(CONFIG));
    // Commands go through this session, and nobody else finds it: the folder is ours alone.
    command.arg("-S").arg(folder.join(CONTROL));
    let connect = format!("ConnectTimeout={}", settings.deadlines.connect.as_secs().max(1));
    for option in [
        "BatchMode=yes",
        "ExitOnForwardFailure=yes",
        "StrictHostKeyChecking=yes",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=2",
        "ControlMaster=yes",
        "ControlPersist=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "StreamLocalBindMask=0177",
        "LogLevel=ERROR",
        &connect,
    ] {
        command.arg("-o").arg(option);
    }
    if let Some(user) = &written.user {
        command.arg("-l").arg(user);
    }
    if let Some(port) = written.port {
        command.arg("-p").arg(port.to_string());
    }
    command.arg("-L").arg(format!("{}:{socket}", folder.join(ENGINE).display())).arg("--").arg(&written.host);
    if let Some(agent) = &settings.agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    // No terminal and no way to ask one: a prompt would stand in the middle of the screen.
    command.env_remove("DISPLAY").env("SSH_ASKPASS_REQUIRE", "never");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    command
}

/// Keeps the last lines of what ssh says.
async fn listen(stderr: ChildStderr, words: LastWords) {
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LINE_LENGTH).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                words.push_back(crate::text::clean_bytes(line.trim_ascii()));
                if words.len() > LINES {
                    words.pop_front();
                }
            }
        }
    }
}

fn said(words: &LastWords) -> String {
    let words = words.lock().unwrap_or_else(PoisonError::into_inner);
    if words.is_empty() { "it said nothing".to_owned() } else { words.iter().map(String::as_str).collect::<Vec<_>>().join(" / ") }
}

/// ssh makes the socket once it is logged in; before that it can only end.
async fn wait_for_socket(
    child: &mut Child,
    local: &Path,
    name: &str,
    words: &LastWords,
    tasks: &mut JoinSet<()>,
    patience: Duration,
) -> Result<(), ConnectError> {
    let until = Instant::now() + patience;
    while !local.exists() {
        let status = child.try_wait();
        if !matches!(status, Ok(None)) {
            // Its last words may still be on their way; they end with it.
            let _all_read = timeout(Duration::from_secs(1), tasks.join_next()).await;
            let said = said(words);
            return Err(ConnectError::new(cause(&said), format!("ssh {name} failed: {said}")));
        }
        if Instant::now() > until {
            let message = format!("ssh {name}: not logged in within {} s: {}", patience.as_secs(), said(words));
            return Err(ConnectError::new(LinkCause::NoAnswer, message));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// What kind of failure ssh's words tell of; they are English whatever the locale.
fn cause(said: &str) -> LinkCause {
    let kinds = [
        ("Host key verification failed", LinkCause::HostKey),
        ("host key", LinkCause::HostKey),
        ("Permission denied", LinkCause::Authentication),
        ("Too many authentication failures", LinkCause::Authentication),
        ("Bad configuration option", LinkCause::Configuration),
        ("administratively prohibited", LinkCause::Forwarding),
        ("forwarding", LinkCause::Forwarding),
        ("closed by", LinkCause::Closed),
        ("reset by", LinkCause::Closed),
    ];
    kinds.iter().find(|(words, _)| said.contains(words)).map_or(LinkCause::Unreachable, |(_, cause)| *cause)
}

impl Link for OpensshLink {
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>> {
        Box::pin(async { self.connect(&self.folder.0.join(ENGINE)).await })
    }

    fn socket<'a>(&'a self, path: &'a str) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        Some(Box::pin(async move {
            without_colon(path)?;
            self.beside(path).await
        }))
    }

    fn dial<'a>(&'a self, address: &'a str, port: u16) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        let place = if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
        Some(Box::pin(async move { self.beside(&place).await }))
    }

    fn closed(&self) -> BoxFuture<'_, ConnectError> {
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let error = match ended.wait_for(Option::is_some).await {
                Ok(error) => error.clone(),
                Err(_) => None,
            };
            error.unwrap_or_else(|| ConnectError::new(LinkCause::Closed, "the ssh process is gone"))
        })
    }

    fn host_metrics(&self) -> Option<BoxFuture<'_, Result<String, ConnectError>>> {
        Some(Box::pin(async { figures(self.run(HOST_METRICS, b""), &self.host).await }))
    }

    fn command<'a>(&'a self, words: &'a [String], input: &'a [u8]) -> Option<BoxFuture<'a, Result<CommandEnd, ConnectError>>> {
        let line = words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        Some(Box::pin(async move { self.run(&line, input).await }))
    }

    fn load(&self) -> LinkLoad {
        let streams = u32::try_from(Arc::strong_count(&self.streams) - 1).unwrap_or(u32::MAX);
        LinkLoad { sessions: u32::from(self.ended.borrow().is_none()), streams }
    }
}

/// The reading half of a stream, which stands in the count of open streams.
struct Counted {
    reader: tokio::net::unix::OwnedReadHalf,
    _count: Arc<()>,
}

impl tokio::io::AsyncRead for Counted {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}
