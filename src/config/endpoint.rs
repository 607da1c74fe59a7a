//! Where an engine is reached: the URL of a host, parsed once.

use std::path::PathBuf;

use thiserror::Error;

/// The socket of an engine that a URL names none for.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Which program speaks SSH for a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SshEngine {
    /// libssh2 inside this process: one session, one thread.
    #[default]
    Ssh2,
    /// The machine's own `ssh -N -L`: certificates, hardware keys, ProxyCommand.
    Openssh,
}

/// The files of a TLS link, absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// The only authority that is trusted.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// Where an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `unix:///path`.
    Unix {
        /// The socket.
        path: PathBuf,
    },
    /// `tcp://host:port` without TLS.
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Default 2375.
        port: u16,
    },
    /// `tcp://host:port` with TLS.
    Tls {
        /// Name or address; the name the certificate must carry.
        host: String,
        /// Default 2376.
        port: u16,
        /// Authority, certificate, key.
        files: TlsFiles,
    },
    /// `ssh://[user@]host[:port][/path/to/docker.sock]`.
    Ssh {
        /// The account; `None`: `~/.ssh/config`, else our own.
        user: Option<String>,
        /// An alias of `~/.ssh/config`, name or address.
        host: String,
        /// `None`: `~/.ssh/config`, else 22.
        port: Option<u16>,
        /// The engine's socket there; `None`: [`DEFAULT_SOCKET`].
        socket: Option<String>,
        /// Who speaks SSH.
        engine: SshEngine,
    },
}

/// Why a URL names no engine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not of the form `scheme://…`.
    #[error("{url:?} is no URL: expected unix:///path, tcp://host:port, ssh://user@host or context://NAME")]
    NoUrl {
        /// As written.
        url: String,
    },
    /// A scheme nobody here speaks.
    #[error("{url:?}: unknown scheme {scheme:?}{hint}: expected unix, tcp, ssh or context")]
    Scheme {
        /// As written.
        url: String,
        /// The scheme.
        scheme: String,
        /// ` (did you mean "ssh"?)` or nothing.
        hint: String,
    },
    /// The rest of the URL is wrong.
    #[error("{url:?}: {reason}")]
    Invalid {
        /// As written.
        url: String,
        /// What is wrong.
        reason: String,
    },
}
