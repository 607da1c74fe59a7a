//! The way to a balancer: over the link of the host that it runs on, or on this machine. Opens its admin socket, reads and writes its
//! files, runs its commands; asks the rights before each.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::Trouble;
use crate::{
    engine::{
        exec::ExecPort,
        transport::{CommandEnd, ConnectError, IoStream, Link, explain_socket, run_here},
    },
    fleet::{HostId, LinkCause},
    rights::{Leaving, Rights},
    text::clean_line,
};

/// How long opening a stream may take.
const OPEN: Duration = Duration::from_secs(10);
/// How long a command may run: a reload of a large configuration takes its time.
const COMMAND: Duration = Duration::from_secs(60);

/// Whoever holds the links to hosts.
pub trait Ground: Send + Sync {
    /// The link of now to a host.
    ///
    /// # Errors
    /// Why there is none.
    fn link<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>>;
}

impl Ground for ExecPort {
    fn link<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        std::future::ready(ExecPort::link(self, host)).boxed()
    }
}

/// Where a balancer runs.
#[derive(Clone)]
pub struct Way {
    /// `None`: on this machine.
    host: Option<HostId>,
    ground: Arc<dyn Ground>,
    rights: Rights,
}

impl Way {
    /// The way to this host, or to nowhere else than here.
    pub fn new(host: Option<HostId>, ground: Arc<dyn Ground>, rights: Rights) -> Self {
        Self { host, ground, rights }
    }

    /// Asks the rights.
    pub(super) fn may(&self, leaving: Leaving<'_>) -> Result<(), Trouble> {
        Ok(self.rights.check(leaving)?)
    }

    fn unreached(&self, what: &str) -> Trouble {
        let host = self.host.as_ref().map_or_else(String::new, |host| host.to_string());
        Trouble::Refused(format!(
            "{what} cannot be reached: the link to host {host} leads to its engine only: give that host an ssh:// URL, or leave `host` out of \
             the balancer's configuration if it runs on this machine"
        ))
    }

    /// A stream to a Unix socket there.
    pub(super) async fn socket(&self, path: &str) -> Result<IoStream, Trouble> {
        let opened = async {
            let Some(host) = &self.host else {
                let stream = UnixStream::connect(path).await;
                return stream.map(|stream| Box::new(stream) as IoStream).map_err(|error| explain_socket(path, &error).into());
            };
            let link = self.ground.link(host).await?;
            match link.socket(path) {
                Some(opening) => Ok(opening.await?),
                None => Err(self.unreached(path)),
            }
        };
        within(OPEN, path, opened).await
    }

    /// A stream to a TCP address as that host sees it.
    pub(super) async fn dial(&self, address: &str, port: u16) -> Result<IoStream, Trouble> {
        let place = format!("{address}:{port}");
        let opened = async {
            if let Some(host) = &self.host {
                let link = self.ground.link(host).await?;
                if let Some(opening) = link.dial(address, port) {
                    return Ok(opening.await?);
                }
                // A link that opens sockets without dialling is one to this machine's own engine.
                if link.socket("").is_none() && is_loopback(address) {
                    return Err(self.unreached(&place));
                }
            }
            let stream = TcpStream::connect((address, port)).await;
            let stream = stream.map_err(|error| ConnectError::new(LinkCause::Unreachable, format!("{place}: {error}")))?;
            Ok(Box::new(stream) as IoStream)
        };
        within(OPEN, &place, opened).await
    }

    /// Whether connections are taken at an address as that host sees it.
    ///
    /// # Errors
    /// What came instead.
    pub async fn answers(&self, address: SocketAddr) -> Result<(), String> {
        let ip = address.ip().to_string();
        let asked = self.may(Leaving::Dial { address: &ip, port: address.port() });
        asked.map_err(|denied| denied.to_string())?;
        self.dial(&ip, address.port()).await.map(drop).map_err(|trouble| trouble.to_string())
    }

    /// Runs a command there.
    pub(super) async fn command(&self, words: &[String], input: &[u8]) -> Result<CommandEnd, Trouble> {
        let line = clean_line(&words.join(" "));
        self.may(Leaving::BalancerFile(&format!("the command {line:?}")))?;
        self.perform(&line, words, input).await
    }

    async fn perform(&self, line: &str, words: &[String], input: &[u8]) -> Result<CommandEnd, Trouble> {
        let run = async {
            let Some(host) = &self.host else { return Ok(run_here(words, input).await?) };
            let link = self.ground.link(host).await?;
            match link.command(words, input) {
                Some(running) => Ok(running.await?),
                None => Err(self.unreached(&format!("the command {line:?}"))),
            }
        };
        within(COMMAND, line, run).await
    }

    /// The text of a file there; `None`: there is none.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Trouble> {
        const SCRIPT: &str = "if test -e \"$0\"; then cat -- \"$0\"; else exit 44; fi";
        let shown = path.display().to_string();
        let words = ["sh", "-c", SCRIPT, &shown].map(str::to_owned);
        let end = self.command(&words, b"").await?;
        match end.status {
            Some(0) => Ok(Some(end.output)),
            Some(44) => Ok(None),
            _ => Err(failed(&format!("reading {shown}"), &end)),
        }
    }

    /// Puts a file there in one step: who reads it sees the old text or the new one. A file that exists keeps its mode and owner where we may
    /// set them.
    pub(super) async fn write(&self, path: &Path, text: &[u8]) -> Result<(), Trouble> {
        const SCRIPT: &str = "new=\"$0.quarterdeck-$$\"; trap 'rm -f -- \"$new\"' EXIT; umask 077; cat >\"$new\" && \
             { if test -e \"$0\"; then chmod --reference=\"$0\" -- \"$new\" 2>/dev/null; chown --reference=\"$0\" -- \"$new\" 2>/dev/null; fi; \
             mv -f -- \"$new\" \"$0\"; }";
        let shown = path.display().to_string();
        self.may(Leaving::BalancerFile(&format!("writing {}", clean_line(&shown))))?;
        let words = ["sh", "-c", SCRIPT, &shown].map(str::to_owned);
        let end = self.perform(&format!("writing {shown}"), &words, text).await?;
        if end.status == Some(0) { Ok(()) } else { Err(failed(&format!("writing {shown}"), &end)) }
    }
}

/// A command that did not end with 0, with its last words.
pub(super) fn failed(what: &str, end: &CommandEnd) -> Trouble {
    let said = crate::text::clean_bytes(&end.errors);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).map(clean_line).unwrap_or_else(|| "it said nothing".to_owned());
    let status = end.status.map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
    Trouble::Refused(format!("{what} failed with {status}: {last}"))
}

fn is_loopback(address: &str) -> bool {
    address.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::Away(format!("{what}: no answer within {} s", limit.as_secs()))),
    }
}
