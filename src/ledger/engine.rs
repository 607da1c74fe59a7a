//! Where a ledger is kept: a file in a state directory, or a PostgreSQL server that several machines share.

use std::{fmt, path::PathBuf, sync::Arc};

use super::StateDir;
use crate::text::clean_line;

/// Which database holds the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEngine {
    /// SQLite, a file in this directory.
    Sqlite(StateDir),
    /// PostgreSQL.
    Postgres(Server),
}

/// A PostgreSQL database by its URL, in which no password stands: that comes from `PGPASSFILE`, `~/.pgpass` or `PGPASSWORD`.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    url: Arc<str>,
}

/// A ledger's place in messages: its file, or its server and database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// SQLite's file.
    File(PathBuf),
    /// PostgreSQL's URL.
    Server(Arc<str>),
}

impl LedgerEngine {
    /// How messages call it.
    pub fn place(&self) -> Place {
        match self {
            Self::Sqlite(dir) => Place::File(dir.ledger_file()),
            Self::Postgres(server) => Place::Server(clean_line(server.url.split('?').next().unwrap_or_default()).into()),
        }
    }
}

impl From<StateDir> for LedgerEngine {
    fn from(dir: StateDir) -> Self {
        Self::Sqlite(dir)
    }
}

impl From<&StateDir> for LedgerEngine {
    fn from(dir: &StateDir) -> Self {
        Self::Sqlite(dir.clone())
    }
}

impl From<Server> for LedgerEngine {
    fn from(server: Server) -> Self {
        Self::Postgres(server)
    }
}

impl Server {
    /// The database at this URL: `postgres://user@host:5432/name`, with libpq's parameters behind a `?`.
    pub fn at(url: impl AsRef<str>) -> Self {
        Self { url: url.as_ref().into() }
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// Its parameters may name files, and a person may have put a password there all the same.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.url.split('?').next().unwrap_or_default())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Server(name) => write!(f, "ledger {name}"),
        }
    }
}
