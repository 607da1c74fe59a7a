//! PostgreSQL as the ledger's engine: a database of its own on a server that several jump hosts share.
//!
//! Writers take turns, as SQLite's do: a writing transaction begins by locking the audit's head, so that the chain of hashes is one chain
//! whoever appends. The lock is the transaction's and goes with it, also when its process is killed.

use std::{io, time::Duration};

use sqlx::{AnyConnection, ConnectOptions as _, Row as _, any::AnyConnectOptions};

use super::{Access, LedgerError, Place, Server, migrations};

/// A transaction that sees one moment and cannot write.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A transaction that writes alone. Readers are not kept waiting (https://www.postgresql.org/docs/current/explicit-locking.html).
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; LOCK TABLE audit_head IN EXCLUSIVE MODE";

/// A piece of work that takes longer has nobody at the other end: `statement_timeout` has ended each of its statements long before.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// From the first packet to the last of a login.
const LOGIN: Duration = Duration::from_secs(10);

/// For every connection, whatever the role's own settings say: a commit is on the disk when it returns, nobody waits for ever, and a
/// process that was stopped in the middle of a transaction does not keep the others out.
const SETTINGS: &str = "SET synchronous_commit = on; SET lock_timeout = '5s'; SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";

/// The key of the lock on which migrating processes take turns: `QDLG`. Keys are a database's own.
const MIGRATE: &str = "BEGIN; SET LOCAL lock_timeout = '30s'; SELECT CAST(pg_advisory_xact_lock(1363430471) AS TEXT)";

const SCHEMA_TABLE: &str = "CREATE TABLE quarterdeck_ledger (id BIGINT PRIMARY KEY CHECK (id = 1), schema BIGINT NOT NULL)";
const HAS_SCHEMA_TABLE: &str =
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'quarterdeck_ledger'";
const TABLES: &str = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()";
const UTF8: &str = "SELECT count(*) FROM pg_database WHERE datname = current_database() AND pg_encoding_to_char(encoding) = 'UTF8'";
const SCHEMA: &str = "SELECT schema FROM quarterdeck_ledger WHERE id = 1";

/// Connects, and brings the database to the schema of today where we may write.
pub(super) async fn open(server: &Server, place: &Place, access: Access) -> Result<AnyConnection, LedgerError> {
    let said = |error: sqlx::Error| LedgerError::database(place, &error);
    let options: AnyConnectOptions = server.url().parse().map_err(said)?;
    let options = options.disable_statement_logging();
    let login = tokio::time::timeout(LOGIN, options.connect()).await;
    let mut connection = login.unwrap_or_else(|_| Err(silence(LOGIN))).map_err(said)?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await.map_err(said)?;
    let found = schema(&mut connection).await.map_err(said)?;
    match access {
        Access::Look => {
            sqlx::raw_sql("SET default_transaction_read_only = on").execute(&mut connection).await.map_err(said)?;
            match found {
                None => Err(LedgerError::Absent { place: place.clone() }),
                Some(found) => known(found, place).map(|()| connection),
            }
        }
        Access::Record if found == Some(migrations::KNOWN) => Ok(connection),
        Access::Record => {
            // One transaction from the first step to the last: a kill leaves the old schema. What fails is undone with the connection.
            sqlx::raw_sql(MIGRATE).execute(&mut connection).await.map_err(said)?;
            migrate(&mut connection, place).await?;
            sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(said)?;
            Ok(connection)
        }
    }
}

async fn migrate(connection: &mut AnyConnection, place: &Place) -> Result<(), LedgerError> {
    let said = |error: sqlx::Error| LedgerError::database(place, &error);
    let foreign = |reason: &str| LedgerError::Foreign { place: place.clone(), reason: reason.to_owned() };
    let found = match schema(connection).await.map_err(said)? {
        Some(found) => found,
        None if number(connection, TABLES).await.map_err(said)? > 0 => return Err(foreign("another program's tables are in it")),
        None if number(connection, UTF8).await.map_err(said)? == 0 => return Err(foreign("its encoding is not UTF8")),
        None => {
            sqlx::raw_sql(SCHEMA_TABLE).execute(&mut *connection).await.map_err(said)?;
            sqlx::query("INSERT INTO quarterdeck_ledger (id, schema) VALUES (1, 0)").execute(&mut *connection).await.map_err(said)?;
            0
        }
    };
    known(found, place)?;
    for (_, step) in (1..).zip(migrations::POSTGRES).filter(|(number, _)| *number > found) {
        sqlx::raw_sql(step).execute(&mut *connection).await.map_err(said)?;
    }
    let mark = sqlx::query("UPDATE quarterdeck_ledger SET schema = $1 WHERE id = 1").bind(migrations::KNOWN);
    mark.execute(connection).await.map(|_| ()).map_err(said)
}

/// The schema that is there; `None` where there is no ledger.
async fn schema(connection: &mut AnyConnection) -> Result<Option<i64>, sqlx::Error> {
    match number(connection, HAS_SCHEMA_TABLE).await? {
        0 => Ok(None),
        _ => number(connection, SCHEMA).await.map(Some),
    }
}

fn known(found: i64, place: &Place) -> Result<(), LedgerError> {
    match found <= migrations::KNOWN {
        true => Ok(()),
        false => Err(LedgerError::Newer { place: place.clone(), found, known: migrations::KNOWN }),
    }
}

async fn number(connection: &mut AnyConnection, question: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(question).fetch_one(connection).await?.try_get(0)
}

/// Nobody answered.
pub(super) fn silence(after: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", after.as_secs())))
}
