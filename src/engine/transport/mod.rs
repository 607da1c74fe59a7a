//! How bytes reach an engine. A [`Transport`] makes a [`Link`]; a link opens byte streams to the engine's HTTP socket.
//!
//! A new transport is one file here and one row in [`Transports::for_endpoint`]. Nothing above this module knows whether a stream
//! is a Unix socket, TLS or an SSH channel.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{config::Endpoint, fleet::LinkCause, rights::Rights};

mod local;
pub mod ssh;
mod tcp;
mod tls;
mod unix;

pub(crate) use local::run as run_here;
pub(crate) use tls::explain_first_read as explain_tls;
pub(crate) use unix::elsewhere as explain_socket;

/// How long making one connection may take before the host counts as unreachable.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A byte stream to an engine's HTTP socket.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A boxed [`Io`].
pub type IoStream = Box<dyn Io>;

/// Makes links of one kind.
pub trait Transport: Send + Sync {
    /// The URL scheme it serves.
    fn scheme(&self) -> &'static str;

    /// Makes the link: for ssh the whole handshake, for the others a first connection that proves someone is there.
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>>;
}

/// A link to one engine. Dropping the last reference closes everything it holds.
pub trait Link: Send + Sync {
    /// Opens one more byte stream to the engine's HTTP socket.
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>>;

    /// Resolves when the link as a whole is gone (an SSH session closed); never for links that are only a way to make connections.
    fn closed(&self) -> BoxFuture<'_, ConnectError> {
        Box::pin(std::future::pending())
    }

    /// Reads the figures of the host itself: what [`HOST_METRICS`](crate::rights::HOST_METRICS) prints there. `None` where this way to the
    /// engine is none to its host. The caller has asked the rights.
    fn host_metrics(&self) -> Option<BoxFuture<'_, Result<String, ConnectError>>> {
        None
    }

    /// Opens a stream to a TCP address as the engine's host sees it. `None` where this way to the engine is none to its host. The caller has
    /// asked the rights.
    fn dial<'a>(&'a self, _address: &'a str, _port: u16) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        None
    }

    /// Opens a stream to another Unix socket of the engine's host, such as a balancer's. `None` where this way to the engine is none to its
    /// host. The caller has asked the rights.
    fn socket<'a>(&'a self, _path: &'a str) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        None
    }

    /// Runs a command on the engine's host and gives it `input` to read. `None` where this way to the engine is none to its host. The caller
    /// has asked the rights, and sets the deadline: dropping the future ends it.
    fn command<'a>(&'a self, _words: &'a [String], _input: &'a [u8]) -> Option<BoxFuture<'a, Result<CommandEnd, ConnectError>>> {
        None
    }

    /// What it holds open now; nothing for links that are only a way to make connections.
    fn load(&self) -> LinkLoad {
        LinkLoad::default()
    }
}

/// How a command on a host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// Its exit status; `None`: a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to its standard output, at most [`COMMAND_OUTPUT`] bytes.
    pub output: Vec<u8>,
    /// The last of what it wrote to its standard error.
    pub errors: Vec<u8>,
}

/// So much of a command's output is read; more is an error, and never half an answer.
pub const COMMAND_OUTPUT: usize = 4 << 20;

/// What a link holds open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkLoad {
    /// SSH sessions: 0 or 1.
    pub sessions: u32,
    /// Streams open over them.
    pub streams: u32,
}

/// Why a link or a stream could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ConnectError {
    /// The kind of failure: decides between retry and refusal.
    pub cause: LinkCause,
    /// One clean line: what failed and, where known, the remedy. The host's name is added by the caller.
    pub message: String,
}

impl ConnectError {
    /// An error of this kind; `message` is [cleaned](crate::text::clean_line) here.
    pub fn new(cause: LinkCause, message: impl AsRef<str>) -> Self {
        Self { cause, message: crate::text::clean_line(message.as_ref()) }
    }
}

/// One of each transport, shared by all hosts (bastion sessions and handshake limits are process-wide).
pub struct Transports {
    unix: unix::UnixTransport,
    tcp: tcp::TcpTransport,
    tls: tls::TlsTransport,
    ssh: ssh::SshTransport,
}

impl Transports {
    /// The transports with the settings of this process's environment (`HOME`, `SSH_AUTH_SOCK`, `USER`).
    pub fn from_environment(rights: &Rights) -> Self {
        let mut ssh = ssh::SshSettings::from_environment();
        // To tell a missing socket from a forbidden one takes a command of ours on the host.
        ssh.may_probe = matches!(rights, Rights::Act);
        Self { unix: unix::UnixTransport, tcp: tcp::TcpTransport, tls: tls::TlsTransport, ssh: ssh::SshTransport::new(ssh) }
    }

    /// The transport that serves an endpoint.
    pub fn for_endpoint(&self, endpoint: &Endpoint) -> &dyn Transport {
        match endpoint {
            Endpoint::Unix { .. } => &self.unix,
            Endpoint::Tcp { .. } => &self.tcp,
            Endpoint::Tls { .. } => &self.tls,
            Endpoint::Ssh { .. } => &self.ssh,
        }
    }
}
