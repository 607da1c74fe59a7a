//! Where a value was said, so that every error and `doctor` can point at it.

use std::{fmt, path::PathBuf, sync::Arc};

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nobody said it: built in.
    Default,
    /// A place in a file; line and column count from 1, columns in characters.
    File {
        /// The file.
        path: Arc<PathBuf>,
        /// Its line.
        line: usize,
        /// The column there.
        column: usize,
    },
    /// A file as a whole: it could not be read, or it is not ours (Docker's `config.json`).
    Whole(Arc<PathBuf>),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
    /// A context of the Docker CLI, and who named it.
    Context {
        /// The context.
        name: String,
        /// `DOCKER_CONTEXT`, a `currentContext` or a `context://` URL.
        named_by: Box<Origin>,
    },
    /// A socket of this machine, found by looking; with all places that were looked at.
    LocalSocket {
        /// In the order of looking.
        looked_at: Vec<PathBuf>,
    },
}

impl Origin {
    /// The file a value stands in: relative paths start at its directory.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File { path, .. } | Self::Whole(path) => Some(path),
            Self::Default | Self::Variable(_) | Self::Flag(_) | Self::Context { .. } | Self::LocalSocket { .. } => None,
        }
    }

    /// `/etc/quarterdeck/config.toml:3`: file and line without the column, as sentences on a screen name it.
    pub fn short(&self) -> String {
        match self {
            Self::File { path, line, .. } => format!("{}:{line}", path.display()),
            Self::Default | Self::Whole(_) | Self::Variable(_) | Self::Flag(_) | Self::Context { .. } | Self::LocalSocket { .. } => {
                self.to_string()
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Whole(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Context { name, named_by } => write!(f, "Docker context {name:?} (named by {named_by})"),
            Self::LocalSocket { looked_at } => {
                let places: Vec<String> = looked_at.iter().map(|p| p.display().to_string()).collect();
                write!(f, "local socket (looked at {})", places.join(", "))
            }
        }
    }
}
