//! Why the ledger could not do what was asked; each sentence names the file or the server, and the remedy.

use std::path::Path;

use thiserror::Error;

use super::{Place, StateDirError, audit::EntryId};
use crate::{delivery::release::DeploymentId, text::clean_line};

/// Why the ledger failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The directory is not one to keep records in.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// There is nothing to look at.
    #[error("{place}: there is no ledger yet: nothing was recorded here")]
    Absent {
        /// Where it would be.
        place: Place,
    },
    /// A newer program wrote it.
    #[error("{place}: a newer quarterdeck wrote it (schema {found}, this one knows {known}): update quarterdeck on this machine")]
    Newer {
        /// Where.
        place: Place,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// An older program wrote it, and who only looks cannot bring it up to date.
    #[error(
        "{place}: an older quarterdeck wrote it, without what is asked for: `quarterdeck init` by somebody who may write brings it up to date"
    )]
    Older {
        /// Where.
        place: Place,
    },
    /// Some other program's database, or no database at all.
    #[error("{place}: is no ledger of quarterdeck ({reason}): {}", .place.instead())]
    Foreign {
        /// Where.
        place: Place,
        /// What it is.
        reason: String,
    },
    /// Its contents contradict themselves.
    #[error("{place}: is damaged ({reason}): `quarterdeck audit --verify` tells more; {}", .place.repair())]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong.
        reason: String,
    },
    /// No room.
    #[error("{place}: the disk is full: make room there and try again")]
    Full {
        /// Where.
        place: Place,
    },
    /// Another process writes and does not end.
    #[error("{place}: another process has held its lock for more than {seconds} s: {} tells which", .place.holders())]
    Locked {
        /// Where.
        place: Place,
        /// How long we waited.
        seconds: u64,
    },
    /// The file or its directory may not be used.
    #[error("{place}: {reason}: {}", .place.access())]
    Permission {
        /// Where.
        place: Place,
        /// The system's words.
        reason: String,
    },
    /// Anything else that the system or the database says.
    #[error("{place}: {reason}")]
    Other {
        /// Where.
        place: Place,
        /// Their words, in one clean line.
        reason: String,
    },
    /// The server cannot be reached, or will not have us.
    #[error("{place}: {reason}: {remedy}")]
    Server {
        /// Where.
        place: Place,
        /// Its words or the system's.
        reason: String,
        /// What helps.
        remedy: &'static str,
    },
    /// The server went away while it was told to keep what was written.
    #[error(
        "{place}: {reason}: it went away before it answered, and what was being written may or may not be recorded: look before you do it again"
    )]
    Unsure {
        /// Where.
        place: Place,
        /// Its words or the system's.
        reason: String,
    },
    /// An outcome for what is no open entry: it has one already, or there was no such intent.
    #[error("the audit has no entry {0} that waits for its outcome")]
    NotOpen(EntryId),
    /// There is no such deployment.
    #[error("there is no deployment {0:?}: `quarterdeck deployments` lists them")]
    NoDeployment(String),
    /// Several have this number: the ledger was put together from several.
    #[error("{0:?} is the number of several deployments: give the whole id, as in 44-k3f9")]
    Ambiguous(String),
    /// It is not at a point where that could be done.
    #[error("deployment {deployment}: {reason}")]
    Unfit {
        /// Which.
        deployment: DeploymentId,
        /// Why not.
        reason: String,
    },
    /// Something else is recorded under that name, and records are not changed.
    #[error("{place}: {what} is recorded already, and not the same: {remedy}")]
    Taken {
        /// Where.
        place: Place,
        /// What.
        what: String,
        /// What helps.
        remedy: &'static str,
    },
    /// It was opened to look only.
    #[error("nothing is recorded: this console is read-only")]
    ReadOnly,
    /// Its thread could not start, or has ended.
    #[error("the ledger cannot run: {0}")]
    Stopped(String),
}

/// How long a writer waits for another one: the busy timeout of the connection.
pub(super) const PATIENCE_SECONDS: u64 = 5;

// SQLite's primary result codes: https://www.sqlite.org/rescode.html
const SQLITE_PERM: i64 = 3;
const SQLITE_BUSY: i64 = 5;
const SQLITE_LOCKED: i64 = 6;
const SQLITE_READONLY: i64 = 8;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_CANTOPEN: i64 = 14;
const SQLITE_AUTH: i64 = 23;
const SQLITE_NOTADB: i64 = 26;

impl LedgerError {
    /// What the database said, in our words.
    pub(super) fn database(place: &Place, error: &sqlx::Error) -> Self {
        match (place, error) {
            // What lies there is of another type or form than we write.
            (_, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => {
                Self::Damaged { place: place.clone(), reason: clean_line(&error.to_string()) }
            }
            (Place::File(_), _) => Self::sqlite(place.clone(), error),
            (Place::Server(_), _) => Self::postgres(place.clone(), error),
        }
    }

    fn sqlite(place: Place, error: &sqlx::Error) -> Self {
        let (code, reason) = match error {
            sqlx::Error::Database(said) => {
                let code = said.code().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff);
                (code, clean_line(said.message()))
            }
            other => (None, clean_line(&other.to_string())),
        };
        match code {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Locked { place, seconds: PATIENCE_SECONDS },
            Some(SQLITE_CORRUPT) => Self::Damaged { place, reason },
            Some(SQLITE_FULL) => Self::Full { place },
            Some(SQLITE_NOTADB) => Self::Foreign { place, reason },
            Some(SQLITE_PERM | SQLITE_READONLY | SQLITE_CANTOPEN | SQLITE_AUTH) => Self::Permission { place, reason },
            Some(_) if reason.starts_with("no such table") => Self::Older { place },
            Some(_) | None => Self::Other { place, reason },
        }
    }

    fn postgres(place: Place, error: &sqlx::Error) -> Self {
        let said = match error {
            sqlx::Error::Database(said) => said,
            // What rustls says of a certificate comes this way.
            sqlx::Error::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => {
                let remedy = "is PostgreSQL running there, and does it listen on that address (listen_addresses, port)?";
                return Self::Server { place, reason: clean_line(&error.to_string()), remedy };
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                let remedy = "sslmode=verify-full wants sslrootcert=FILE of who signed its certificate; sslmode=disable is for loopback";
                return Self::Server { place, reason: clean_line(&error.to_string()), remedy };
            }
            sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                let remedy = "the connection broke, or that is no PostgreSQL";
                return Self::Server { place, reason: clean_line(&error.to_string()), remedy };
            }
            other => return Self::Other { place, reason: clean_line(&other.to_string()) },
        };
        let reason = clean_line(said.message());
        // SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
        let remedy = match said.code().as_deref().unwrap_or_default() {
            "55P03" => return Self::Locked { place, seconds: PATIENCE_SECONDS },
            "53100" => return Self::Full { place },
            "42P01" => return Self::Older { place },
            "42501" => return Self::Permission { place, reason },
            code if code.starts_with("XX00") && code != "XX000" => return Self::Damaged { place, reason },
            "28P01" | "28000" => {
                "give that user's password in ~/.pgpass or the file of PGPASSFILE (HOST:PORT:DATABASE:USER:PASSWORD, mode 0600) or in PGPASSWORD, and let pg_hba.conf there take it"
            }
            "3D000" => "make it there: createdb -E UTF8 -O USER DATABASE",
            "53300" => "raise max_connections there, or end what holds them: select * from pg_stat_activity",
            "25006" => "it takes no writes: a standby, or set to read only: name the primary",
            "57P03" => "it is starting up or shutting down: try again in a moment",
            code if code.starts_with("57P") || code.starts_with("08") || code == "25P03" => {
                "it was restarted or ended the connection: try again"
            }
            "57014" => "it took longer than 60 s: is the server overloaded?",
            _ => return Self::Other { place, reason },
        };
        Self::Server { place, reason, remedy }
    }

    /// What the system said of the file.
    pub(super) fn system(file: &Path, error: &std::io::Error) -> Self {
        let (place, reason) = (Place::File(file.to_owned()), error.to_string());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::Permission { place, reason },
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { place },
            _ => Self::Other { place, reason },
        }
    }
}

/// The ends of sentences that differ between a file and a server.
impl Place {
    fn instead(&self) -> &'static str {
        match self {
            Self::File(_) => "move it away, or name another directory with --state",
            Self::Server(_) => "give quarterdeck a database of its own (createdb -E UTF8 -O USER DATABASE) and name that in `ledger`",
        }
    }

    fn repair(&self) -> &'static str {
        match self {
            Self::File(_) => "move it away to keep it for a closer look (a new one is begun then), or restore it from a backup",
            Self::Server(_) => "restore it from a backup",
        }
    }

    fn holders(&self) -> String {
        match self {
            Self::File(file) => format!("`fuser {}`", file.display()),
            Self::Server(_) => "`select pid, client_addr, state, query from pg_stat_activity` there".to_owned(),
        }
    }

    fn access(&self) -> &'static str {
        match self {
            Self::File(_) => "it and its directory must be readable and writable for you",
            Self::Server(_) => "let that user own the database (alter database NAME owner to USER), or grant it the tables of quarterdeck",
        }
    }
}
