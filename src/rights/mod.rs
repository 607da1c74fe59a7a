//! What may leave this process: one value, asked where bytes would leave.
//!
//! With [`Rights::View`] everything is refused that is not on the list of `routes`; nothing is normalised, so a path that is not
//! written canonically is refused as well. It guards against one's own hand: who holds the key can use it elsewhere. Pure.

mod routes;

use std::sync::Arc;

use http::Method;
use thiserror::Error;

/// The command that reaches an engine through its own CLI, on the host, by SSH.
pub const DIAL_STDIO: &str = "docker system dial-stdio";

/// The fixed read of a host's own figures, by SSH: processor, memory, load and the disk of the engine.
pub const HOST_METRICS: &str = "cat /proc/stat /proc/meminfo /proc/loadavg /proc/uptime; df -Pk /var/lib/docker 2>/dev/null || df -Pk /";

/// What a person or a screen may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Only look.
    View {
        /// Who said so: `read-only is set by /etc/quarterdeck/config.toml:3`.
        because: Arc<str>,
    },
    /// Everything.
    Act,
}

/// Something that is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving<'a> {
    /// A request to an engine.
    Engine {
        /// Its method.
        method: &'a Method,
        /// Path and query as they would be sent.
        path: &'a str,
        /// Whether it asks to take the connection over (attach, exec, session).
        upgrade: bool,
    },
    /// A command on a host.
    SshExec(&'a str),
    /// A connection from a host to a TCP address, by SSH.
    Dial {
        /// As that host sees it.
        address: &'a str,
        /// There.
        port: u16,
    },
    /// A command line for a balancer's runtime API.
    Balancer(&'a str),
    /// A balancer's file is written, or one of its commands is run; what is about to be done.
    BalancerFile(&'a str),
}

/// Refused; the sentence is for the screen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} is refused: {because}")]
pub struct Denied {
    /// What would have left, clean and short.
    pub what: String,
    /// Why not.
    pub because: Arc<str>,
}

impl Rights {
    /// Only look, and why.
    pub fn view(because: impl AsRef<str>) -> Self {
        Self::View { because: Arc::from(because.as_ref()) }
    }

    /// Whether a request to an engine may be sent.
    pub fn may(&self, method: &Method, path_and_query: &str, upgrade: bool) -> Result<(), Denied> {
        self.check(Leaving::Engine { method, path: path_and_query, upgrade })
    }

    /// Whether this may leave.
    pub fn check(&self, leaving: Leaving<'_>) -> Result<(), Denied> {
        let Self::View { because } = self else { return Ok(()) };
        let allowed = match leaving {
            Leaving::Engine { method, path, upgrade } => !upgrade && routes::reads_only(method, path),
            Leaving::SshExec(command) => command == DIAL_STDIO || command == HOST_METRICS,
            Leaving::Balancer(line) => shows_only(line),
            Leaving::Dial { .. } | Leaving::BalancerFile(_) => false,
        };
        if allowed { Ok(()) } else { Err(Denied { what: leaving.named(), because: because.clone() }) }
    }
}

impl Leaving<'_> {
    /// Without the query, which may hold names and tokens that are nobody's business.
    fn named(self) -> String {
        let short = |text: &str| crate::text::fit(&crate::text::clean_line(text), 80).into_owned();
        match self {
            Self::Engine { method, path, upgrade } => {
                let path = path.split('?').next().unwrap_or_default();
                let taking = if upgrade { " (taking the connection over)" } else { "" };
                format!("{} {}{taking}", short(method.as_str()), short(path))
            }
            Self::Dial { address, port } => format!("a connection to {}:{port}", short(address)),
            Self::SshExec(command) => format!("the command {:?}", short(command)),
            Self::Balancer(line) => format!("{:?} to the balancer", short(line)),
            Self::BalancerFile(what) => short(what),
        }
    }
}

/// What a viewer may ask a balancer: these tables and nothing that prints sessions, certificates or variables.
fn shows_only(line: &str) -> bool {
    const SHOWN: [&str; 5] = ["show info", "show stat", "show servers state", "show servers conn", "show backend"];
    // With a name it would print what clients it knows.
    if line == "show table" {
        return true;
    }
    let plain = |rest: &str| rest.is_empty() || rest.strip_prefix(' ').is_some_and(|rest| rest.chars().all(is_argument));
    SHOWN.iter().any(|shown| line.strip_prefix(shown).is_some_and(plain))
}

/// Neither an end of the command nor an escape.
fn is_argument(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ':')
}

#[cfg(test)]
mod tests;
