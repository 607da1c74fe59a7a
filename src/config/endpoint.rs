//! Where an engine is reached: the URL of a host, parsed once.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
};

use thiserror::Error;

use crate::text::{clean, nearest};

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

/// What a URL of a host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An engine.
    Engine(Endpoint),
    /// A context of the Docker CLI, which the configuration resolves.
    Context(String),
}

const SCHEMES: [&str; 4] = ["unix", "tcp", "ssh", "context"];

impl Address {
    /// Reads `unix://`, `tcp://`, `ssh://` and `context://` URLs. A password in one is refused and never repeated in the error.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let shown = masked(url);
        let invalid = |reason: &str| EndpointError::Invalid { url: shown.clone(), reason: reason.to_owned() };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(EndpointError::NoUrl { url: shown });
        };
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("white space and control characters have no place in a URL"));
        }
        match scheme {
            "unix" if rest.len() > 1 && rest.starts_with('/') => Ok(Self::Engine(Endpoint::Unix { path: PathBuf::from(rest) })),
            "unix" => Err(invalid("the path of a socket is absolute: unix:///var/run/docker.sock")),
            "context" => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
                if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && rest.chars().all(plain) {
                    Ok(Self::Context(rest.to_owned()))
                } else {
                    Err(invalid("a context's name is letters, digits and _ . + -"))
                }
            }
            "tcp" => {
                let (authority, path) = authority(rest);
                if authority.contains('@') {
                    return Err(invalid("tcp takes no user and no password: TLS certificates say who we are"));
                }
                if !path.is_empty() && path != "/" {
                    return Err(invalid("tcp takes no path"));
                }
                let (host, port) = host_port(authority).map_err(|reason| invalid(&reason))?;
                Ok(Self::Engine(Endpoint::Tcp { host, port: port.unwrap_or(2375) }))
            }
            "ssh" => {
                let (authority, path) = authority(rest);
                let (user, host) = match authority.rsplit_once('@') {
                    Some((user, host)) => (Some(user), host),
                    None => (None, authority),
                };
                if let Some(user) = user {
                    user_ok(user).map_err(invalid)?;
                }
                let (host, port) = host_port(host).map_err(|reason| invalid(&reason))?;
                if path.contains(['?', '#', '%']) {
                    return Err(invalid("the path is a socket's: no query, no fragment, no escapes"));
                }
                let socket = (path.len() > 1).then(|| path.to_owned());
                Ok(Self::Engine(Endpoint::Ssh { user: user.map(str::to_owned), host, port, socket, engine: SshEngine::default() }))
            }
            other => {
                let hint = nearest(other, SCHEMES).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
                Err(EndpointError::Scheme { url: shown, scheme: clean(other).into_owned(), hint })
            }
        }
    }
}

impl Endpoint {
    /// Reads the URL of an engine. `context://` is refused here: the configuration resolves it.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        match Address::parse(url)? {
            Address::Engine(endpoint) => Ok(endpoint),
            Address::Context(_) => Err(EndpointError::Invalid {
                url: masked(url),
                reason: "a Docker context is resolved by the configuration; this place needs the engine's own URL".to_owned(),
            }),
        }
    }

    /// The URL's scheme.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Unix { .. } => "unix",
            Self::Tcp { .. } | Self::Tls { .. } => "tcp",
            Self::Ssh { .. } => "ssh",
        }
    }

    /// The machine, without brackets; `None` for a local socket.
    pub fn machine(&self) -> Option<&str> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp { host, .. } | Self::Tls { host, .. } | Self::Ssh { host, .. } => Some(host),
        }
    }

    /// Whether bytes to it can be read and changed on the way: plain TCP beyond loopback.
    pub fn unprotected(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => {
                let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
                !loopback && !host.eq_ignore_ascii_case("localhost")
            }
            Self::Unix { .. } | Self::Tls { .. } | Self::Ssh { .. } => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        match self {
            Self::Unix { path } => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Ssh { user, host, port, socket, .. } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracketed(host))?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                f.write_str(socket.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The URL with what follows `user:` replaced: for every place that shows one.
pub(super) fn masked(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    // A password may itself hold a slash: then the last @ of the whole text ends it.
    let end = if url[start..end].contains('@') { end } else { url.len() };
    let text = match url[start..end].rfind('@') {
        Some(at) => match url[start..start + at].find(':') {
            Some(colon) => format!("{}:***{}", &url[..start + colon], &url[start + at..]),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    };
    clean(&text).into_owned()
}

fn authority(rest: &str) -> (&str, &str) {
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

fn user_ok(user: &str) -> Result<(), &'static str> {
    match () {
        () if user.is_empty() => Err("there is no user before the @"),
        () if user.contains(':') => Err("a password in a URL is not used: use an SSH key or agent"),
        () if user.starts_with('-') => Err("a user does not begin with a dash: ssh would read it as an option"),
        () if !user.chars().all(|c| c.is_ascii_alphanumeric() || "._+$-".contains(c)) => Err("a user is letters, digits and . _ + $ -"),
        () => Ok(()),
    }
}

fn host_port(text: &str) -> Result<(String, Option<u16>), String> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(format!("{text:?} is no port: 1 to 65535")),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err("the bracket of the IPv6 address is not closed".to_owned());
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(format!("{host:?} is no IPv6 address"));
        }
        return match after.strip_prefix(':') {
            Some(digits) => Ok((host.to_owned(), Some(port(digits)?))),
            None if after.is_empty() => Ok((host.to_owned(), None)),
            None => Err("after the IPv6 address comes :port or nothing".to_owned()),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("an IPv6 address stands in brackets: [{text}]"));
    }
    let (host, digits) = match text.split_once(':') {
        Some((host, digits)) => (host, Some(digits)),
        None => (text, None),
    };
    match () {
        () if host.is_empty() => Err("there is no host".to_owned()),
        () if host.starts_with('-') => Err("a host does not begin with a dash: ssh would read it as an option".to_owned()),
        () if !host.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) => {
            Err("a host is letters, digits and . _ -".to_owned())
        }
        () => Ok((host.to_owned(), digits.map(port).transpose()?)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_read_and_shown_alike() {
        for (url, shown) in [
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
            ("tcp://[::1]:99/", "tcp://[::1]:99"),
            ("ssh://ops@app-03.internal", "ssh://ops@app-03.internal"),
            ("ssh://app:22/run/x.sock", "ssh://app:22/run/x.sock"),
            ("ssh://ops@[fe80::1]:2222", "ssh://ops@[fe80::1]:2222"),
        ] {
            assert_eq!(Endpoint::parse(url).map(|e| e.to_string()), Ok(shown.to_owned()), "{url}");
        }
        assert_eq!(Address::parse("context://lab"), Ok(Address::Context("lab".into())));
    }

    #[test]
    fn wrong_urls_are_refused() {
        for url in [
            "",
            "app-03",
            "unix://",
            "unix://x.sock",
            "unix:///",
            "tcp://",
            "tcp://:2375",
            "tcp://a:0",
            "tcp://a:70000",
            "tcp://a:+1",
            "tcp://::1",
            "tcp://[::1",
            "tcp://[x]",
            "tcp://[::1]x",
            "tcp://u@h",
            "tcp://h/x",
            "ssh://-oProxyCommand=x",
            "ssh://-x@h",
            "ssh://u:p@h",
            "ssh://@h",
            "ssh://u@-h",
            "ssh://h/a%2fb",
            "ssh://h h",
            "shs://h",
            "https://h",
            "context://",
            "context://a/b",
            "context://../x",
            "ssh://a$(x)",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn passwords_are_not_repeated() {
        for url in ["ssh://ops:hunter2@h", "tcp://a:hunter2@h:1", "ssh://ops:hun/ter2@h", "hunter://x:ter2@h"] {
            let text = Address::parse(url).map_or_else(|e| e.to_string(), |_| "accepted".to_owned());
            assert!(!text.contains("ter2") && text.contains("***"), "{text}");
        }
    }

    #[test]
    fn plain_tcp_beyond_loopback_is_unprotected() {
        for (url, unprotected) in [
            ("tcp://10.0.0.1", true),
            ("tcp://localhost", false),
            ("tcp://127.8.0.1", false),
            ("tcp://[::1]", false),
            ("tcp://[::ffff:127.0.0.1]", false),
            ("tcp://127.0.0.1.example.com", true),
            ("ssh://h", false),
            ("unix:///x", false),
        ] {
            assert_eq!(Endpoint::parse(url).map(|e| e.unprotected()), Ok(unprotected), "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_never_looks_like_an_option(url in "(ssh|tcp|unix|context)://[ -~]{0,40}") {
            if let Ok(Address::Engine(endpoint)) = Address::parse(&url) {
                prop_assert!(!endpoint.machine().is_some_and(|host| host.starts_with('-') || host.is_empty()));
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}
