//! SQLite as the ledger's engine: a file in the state directory, in WAL mode, synced to the disk before a commit returns.
//!
//! The file is made by us, with its mode, before SQLite sees it: the `-wal` and `-shm` beside it take its mode, and a file that another
//! user could only read would lock its owner out.

use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Row as _, any::AnyConnectOptions};

use super::{LedgerError, Place, StateDir, error::PATIENCE_SECONDS, migrations, state_dir::Sharing};

/// A transaction that sees one moment.
pub(super) const BEGIN_READ: &str = "BEGIN";

/// A transaction that holds the write lock from its first moment: two that read first would deadlock on writing.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// `QDLG`: tells our files from other programs' (https://www.sqlite.org/pragma.html#pragma_application_id).
const APPLICATION_ID: i64 = 0x5144_4c47;

/// What an SQLite URL may hold unescaped.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// Between two tries for the lock.
const RETRY: Duration = Duration::from_millis(10);

/// Opens the file to record in; makes it where there is none, and brings it to the schema of today.
pub(super) async fn open(dir: &StateDir) -> Result<AnyConnection, LedgerError> {
    let sharing = dir.prepare()?;
    let file = dir.ledger_file();
    let _lock = lock(dir.path(), &file).await?;
    make(&file, sharing)?;
    let mut connection = connect(&file, "mode=rw").await?;
    let said = |error: sqlx::Error| LedgerError::database(&Place::File(file.clone()), &error);
    check(&mut connection, &file).await?;
    for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"] {
        sqlx::raw_sql(pragma).execute(&mut connection).await.map_err(said)?;
    }
    migrate(&mut connection, &file).await?;
    Ok(connection)
}

/// Opens the file to look at, without making any: not even the `-wal` and `-shm` that a reader of a WAL file makes. Where nobody has it open
/// it holds everything, and nothing beside it is needed.
pub(super) async fn look(dir: &StateDir) -> Result<AnyConnection, LedgerError> {
    let file = dir.ledger_file();
    if dir.check()?.is_none() || !file.exists() {
        return Err(LedgerError::Absent { place: Place::File(file) });
    }
    let beside = |end: &str| file.with_file_name(format!("{}{end}", super::state_dir::LEDGER_FILE));
    let in_use = std::fs::metadata(beside("-wal")).is_ok_and(|meta| meta.len() > 0);
    let mut connection = connect(&file, if in_use { "mode=ro" } else { "mode=ro&immutable=1" }).await?;
    check(&mut connection, &file).await?;
    let query_only = sqlx::raw_sql("PRAGMA query_only = ON").execute(&mut connection).await;
    query_only.map_err(|error| LedgerError::database(&Place::File(file.clone()), &error))?;
    if number(&mut connection, "PRAGMA user_version", &file).await? == 0 {
        return Err(LedgerError::Absent { place: Place::File(file) });
    }
    Ok(connection)
}

async fn connect(file: &Path, parameters: &str) -> Result<AnyConnection, LedgerError> {
    let unusable = |reason: &str| LedgerError::Other { place: Place::File(file.to_owned()), reason: reason.to_owned() };
    let text = file.to_str().ok_or_else(|| unusable("its path is not UTF-8: name another directory with --state"))?;
    let url = format!("sqlite://{}?{parameters}", utf8_percent_encode(text, PATH));
    let options: AnyConnectOptions = url.parse().map_err(|error| LedgerError::database(&Place::File(file.to_owned()), &error))?;
    let mut connection = AnyConnection::connect_with(&options.disable_statement_logging())
        .await
        .map_err(|error| LedgerError::database(&Place::File(file.to_owned()), &error))?;
    let patience = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {}", PATIENCE_SECONDS * 1000));
    sqlx::raw_sql(patience).execute(&mut connection).await.map_err(|error| LedgerError::database(&Place::File(file.to_owned()), &error))?;
    Ok(connection)
}

/// That only one process at a time makes and migrates the file; held while it lives. On the directory: a lock on the database would meet
/// SQLite's own.
async fn lock(dir: &Path, file: &Path) -> Result<File, LedgerError> {
    let handle = File::open(dir).map_err(|error| LedgerError::system(dir, &error))?;
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_SECONDS);
    loop {
        match rustix::fs::flock(&handle, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(handle),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => tokio::time::sleep(RETRY).await,
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LedgerError::Locked { place: Place::File(file.to_owned()), seconds: PATIENCE_SECONDS });
            }
            Err(error) => return Err(LedgerError::system(dir, &error.into())),
        }
    }
}

/// Makes the file with its mode, or mends the mode of ours. What is no plain file is refused: nothing of ours is a link.
fn make(file: &Path, sharing: Sharing) -> Result<(), LedgerError> {
    let system = |error: io::Error| LedgerError::system(file, &error);
    let mode = sharing.file_mode();
    match std::fs::symlink_metadata(file) {
        Ok(meta) if !meta.file_type().is_file() => {
            Err(LedgerError::Foreign { place: Place::File(file.to_owned()), reason: "it is no plain file".to_owned() })
        }
        Ok(meta) if meta.permissions().mode() & 0o777 == mode => Ok(()),
        Ok(meta) if meta.uid() == rustix::process::geteuid().as_raw() => {
            std::fs::set_permissions(file, Permissions::from_mode(mode)).map_err(system)
        }
        Ok(meta) => {
            let reason = format!("its mode is {:o} and must be {mode:o}: its owner (uid {}) can mend it", meta.mode() & 0o777, meta.uid());
            Err(LedgerError::Permission { place: Place::File(file.to_owned()), reason })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(system)?;
            // The umask may have taken bits away.
            made.set_permissions(Permissions::from_mode(mode)).map_err(system)
        }
        Err(error) => Err(system(error)),
    }
}

/// That the file is ours, and not newer than us.
async fn check(connection: &mut AnyConnection, file: &Path) -> Result<(), LedgerError> {
    let known = migrations::KNOWN;
    let found = number(connection, "PRAGMA user_version", file).await?;
    let id = number(connection, "PRAGMA application_id", file).await?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_master", file).await?;
    match () {
        () if id != APPLICATION_ID && (id != 0 || found != 0 || tables != 0) => {
            Err(LedgerError::Foreign { place: Place::File(file.to_owned()), reason: "another program's SQLite database".to_owned() })
        }
        () if found > known => Err(LedgerError::Newer { place: Place::File(file.to_owned()), found, known }),
        () => Ok(()),
    }
}

/// Each step with its mark in one transaction, so that a kill leaves a whole schema: the old or the new one. Nobody else migrates meanwhile:
/// the caller holds the lock.
async fn migrate(connection: &mut AnyConnection, file: &Path) -> Result<(), LedgerError> {
    let version = number(connection, "PRAGMA user_version", file).await?;
    for (step, statements) in (1..).zip(migrations::SQLITE).filter(|(step, _)| *step > version) {
        let whole =
            format!("{BEGIN_WRITE};\n{statements}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {step};\nCOMMIT");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(whole)).execute(&mut *connection).await;
        done.map_err(|error| LedgerError::database(&Place::File(file.to_owned()), &error))?;
    }
    Ok(())
}

async fn number(connection: &mut AnyConnection, question: &'static str, file: &Path) -> Result<i64, LedgerError> {
    let row = sqlx::query(question).fetch_one(connection).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| LedgerError::database(&Place::File(file.to_owned()), &error))
}
