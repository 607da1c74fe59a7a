//! Why the ledger could not do what was asked; each sentence names the file and the remedy.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{StateDirError, audit::EntryId};
use crate::text::clean_line;

/// Why the ledger failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The directory is not one to keep records in.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// There is nothing to look at.
    #[error("{}: there is no ledger yet: nothing was recorded here", .file.display())]
    Absent {
        /// Where it would be.
        file: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{}: a newer quarterdeck wrote it (schema {found}, this one knows {known}): update quarterdeck on this machine", .file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// Some other program's database, or no database at all.
    #[error("{}: is no ledger of quarterdeck ({reason}): move it away, or name another directory with --state", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        reason: String,
    },
    /// Its contents contradict themselves.
    #[error("{}: is damaged ({reason}): `quarterdeck audit --verify` tells more; move it away to keep it for a closer look (a new one is begun then), or restore it from a backup", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No room.
    #[error("{}: the disk is full: make room there and try again", .file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// Another process writes and does not end.
    #[error("{}: another process has held its lock for more than {seconds} s: `fuser {}` tells which", .file.display(), .file.display())]
    Locked {
        /// The file.
        file: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The file or its directory may not be used.
    #[error("{}: {reason}: it and its directory must be readable and writable for you", .file.display())]
    Permission {
        /// The file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Anything else that the system or the database says.
    #[error("{}: {reason}", .file.display())]
    Other {
        /// The file.
        file: PathBuf,
        /// Their words, in one clean line.
        reason: String,
    },
    /// An outcome for what is no open entry: it has one already, or there was no such intent.
    #[error("the audit has no entry {0} that waits for its outcome")]
    NotOpen(EntryId),
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
    pub(super) fn database(file: &Path, error: &sqlx::Error) -> Self {
        let file = file.to_owned();
        let (code, reason) = match error {
            sqlx::Error::Database(said) => {
                let code = said.code().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff);
                (code, clean_line(said.message()))
            }
            other => (None, clean_line(&other.to_string())),
        };
        match code {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Locked { file, seconds: PATIENCE_SECONDS },
            Some(SQLITE_CORRUPT) => Self::Damaged { file, reason },
            Some(SQLITE_FULL) => Self::Full { file },
            Some(SQLITE_NOTADB) => Self::Foreign { file, reason },
            Some(SQLITE_PERM | SQLITE_READONLY | SQLITE_CANTOPEN | SQLITE_AUTH) => Self::Permission { file, reason },
            Some(_) | None => Self::Other { file, reason },
        }
    }

    /// What the system said of the file.
    pub(super) fn system(file: &Path, error: &std::io::Error) -> Self {
        let (file, reason) = (file.to_owned(), error.to_string());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::Permission { file, reason },
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { file },
            _ => Self::Other { file, reason },
        }
    }
}
