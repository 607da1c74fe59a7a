//! A real sshd on loopback, and a small engine on a Unix socket: what the tests of this transport run against.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use super::super::{SshSettings, SshTransport};
use crate::config::{Endpoint, SshEngine};

/// How long a test waits for anything before it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Ends a test that cannot run here, loudly.
macro_rules! skip {
    ($($reason:tt)*) => {{
        eprintln!("SKIPPED: {}", format_args!($($reason)*));
        return;
    }};
}
pub(super) use skip;

/// Why these tests cannot run here, if so.
pub(super) fn unavailable() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("sshd with several accounts needs root".to_owned());
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        return Some("there is no /usr/sbin/sshd".to_owned());
    }
    fs::create_dir_all("/run/sshd").err().map(|error| format!("/run/sshd cannot be made: {error}"))
}

/// A folder with keys, and the settings of a client that knows nothing but what is in it.
pub(super) struct Lab {
    pub(super) folder: TempDir,
    pub(super) settings: SshSettings,
}

pub(super) fn make_key(path: &Path, kind: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"]).arg(path).status();
    assert!(made.expect("ssh-keygen runs").success());
}

impl Lab {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The accounts behind sshd must be able to pass through it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("opened");
        let ssh = folder.path().join(".ssh");
        fs::create_dir(&ssh).expect("made");
        make_key(&ssh.join("id_ed25519"), "ed25519");
        fs::copy(ssh.join("id_ed25519.pub"), folder.path().join("authorized_keys")).expect("copied");
        let mut settings = SshSettings::below(folder.path().to_owned(), "root".to_owned());
        settings.config_files = vec![ssh.join("config")];
        settings.known_hosts = Some(vec![ssh.join("known_hosts")]);
        Self { folder, settings }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn socket(&self) -> String {
        self.path("engine.sock").display().to_string()
    }

    pub(super) fn transport(&self) -> SshTransport {
        SshTransport::new(self.settings.clone())
    }

    /// Adds the key of an sshd to known_hosts.
    pub(super) fn trust(&self, sshd: &Sshd) {
        let key = fs::read_to_string(sshd.key.with_extension("pub")).expect("the host key");
        self.append(".ssh/known_hosts", &format!("[127.0.0.1]:{} {key}", sshd.port));
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        let mut all = fs::read_to_string(self.path(name)).unwrap_or_default();
        all.push_str(text);
        fs::write(self.path(name), all).expect("written");
    }

    pub(super) fn endpoint(&self, sshd: &Sshd) -> Endpoint {
        Endpoint::Ssh {
            user: Some("root".to_owned()),
            host: "127.0.0.1".to_owned(),
            port: Some(sshd.port),
            socket: Some(self.socket()),
            engine: SshEngine::Ssh2,
        }
    }
}

/// A running sshd; ended with the value.
pub(super) struct Sshd {
    child: Child,
    pub(super) port: u16,
    pub(super) key: PathBuf,
}

impl Sshd {
    /// Starts one with these lines before the usual ones: the first value wins in sshd_config.
    pub(super) fn start(lab: &Lab, name: &str, lines: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let key = lab.path(&format!("{name}_key"));
        make_key(&key, "ed25519");
        let config = lab.path(&format!("{name}_config"));
        let text = format!(
            "{lines}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\n\
             UsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxStartups 100\nLogLevel VERBOSE\n",
            key.display(),
            lab.path("authorized_keys").display()
        );
        fs::write(&config, text).expect("written");
        let log = fs::File::create(lab.path(&format!("{name}.log"))).expect("a log");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts");
        let sshd = Self { child, port, key };
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < until,
                "sshd does not listen: {}",
                fs::read_to_string(lab.path(&format!("{name}.log"))).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        sshd
    }

    /// The processes that serve its sessions.
    pub(super) fn sessions(&self) -> Vec<i32> {
        children(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// Waits until it serves this many sessions.
    pub(super) async fn wait_for_sessions(&self, count: usize) {
        wait_for(&format!("{count} sessions"), || self.sessions().len() == count).await;
    }

    /// Kills all that serve sessions, not the listener.
    pub(super) fn kill_sessions(&self) {
        self.signal_sessions(rustix::process::Signal::KILL);
    }

    /// Stops all that serve sessions: the network takes what its buffers hold, and no more until [`thaw`](Self::thaw).
    pub(super) fn freeze(&self) {
        self.signal_sessions(rustix::process::Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.signal_sessions(rustix::process::Signal::CONT);
    }

    fn signal_sessions(&self, signal: rustix::process::Signal) {
        for session in self.sessions() {
            for pid in children(session).into_iter().chain([session]) {
                let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
                let _may_be_gone = rustix::process::kill_process(pid, signal);
            }
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_sessions();
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// A running ssh-agent; ended with the value, also when the test fails.
pub(super) struct Agent(Child);

impl Agent {
    pub(super) fn start(socket: &Path) -> Self {
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-a"]).arg(socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(agent.spawn().expect("ssh-agent runs"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn children(parent: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let of_parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.next() != Some("Z") && fields.next() == Some(&parent.to_string())
    };
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(of_parent).collect()
}

pub(super) async fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Bytes that repeat nowhere a buffer could hide it.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The engine: one line says what it does. `echo`; `send N`; `sink` (answers with the hash); `GET …` (one HTTP answer).
pub(super) fn engine(socket: &str) -> JoinSet<()> {
    let listener = UnixListener::bind(socket).expect("the engine's socket");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut streams = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.spawn(serve(stream));
        }
    });
    tasks
}

async fn serve(stream: UnixStream) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).await.is_err() {
        return;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    // A client that goes away in between is what several tests are about.
    let _client_gone = match words.as_slice() {
        ["echo"] => {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let copied = tokio::io::copy(&mut reader, &mut writer).await;
            copied.and(writer.shutdown().await)
        }
        ["send", count] => stream.write_all(&pattern(count.parse().expect("a count"))).await,
        ["sink"] => {
            let mut bytes = Vec::new();
            let read = stream.read_to_end(&mut bytes).await;
            read.and(stream.write_all(hash(&bytes).as_bytes()).await)
        }
        ["GET", ..] => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK").await,
        _ => Ok(()),
    };
}
