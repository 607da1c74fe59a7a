//! One open connection, whatever the engine behind it.

use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, Connection as _};

use super::{Access, LedgerError, StateDir, sqlite};

/// An open connection.
pub(super) struct Store {
    connection: AnyConnection,
    file: PathBuf,
    access: Access,
    /// How this engine begins a transaction that nobody else can write beside.
    begin_write: &'static str,
}

impl Store {
    /// Opens the ledger of a state directory, making and migrating it where that is allowed.
    pub(super) async fn open(dir: &StateDir, access: Access) -> Result<Self, LedgerError> {
        sqlx::any::install_default_drivers();
        let file = dir.ledger_file();
        let connection = match access {
            Access::Record => sqlite::open(dir).await?,
            Access::Look => sqlite::look(dir).await?,
        };
        Ok(Self { connection, file, access, begin_write: sqlite::BEGIN_WRITE })
    }

    /// The file, for messages.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Begins to read: what is read until the [end](Store::end) is of one moment.
    pub(super) async fn begin_read(&mut self) -> Result<&mut AnyConnection, LedgerError> {
        self.execute("BEGIN").await?;
        Ok(&mut self.connection)
    }

    /// Begins to write, alone, until the [end](Store::end).
    pub(super) async fn begin_write(&mut self) -> Result<&mut AnyConnection, LedgerError> {
        match self.access {
            Access::Look => return Err(LedgerError::ReadOnly),
            Access::Record => self.execute(self.begin_write).await?,
        }
        Ok(&mut self.connection)
    }

    /// Ends what was begun: what was written stays if the work succeeded, else nothing of it. Not sqlx's transactions: they lose count when
    /// SQLite itself rolls back, as it does when the disk is full, and the connection is of no use from then on.
    pub(super) async fn end<T>(&mut self, work: Result<T, LedgerError>) -> Result<T, LedgerError> {
        let done = match work {
            Ok(value) => self.execute("COMMIT").await.map(|()| value),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Fails when SQLite has rolled back already; then it is done.
            let _ = self.execute("ROLLBACK").await;
        }
        done
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), LedgerError> {
        let done = sqlx::raw_sql(statement).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(|error| LedgerError::database(&self.file, &error))
    }

    /// Changes a setting of the connection.
    #[cfg(test)]
    pub(super) async fn set(&mut self, pragma: &'static str) -> Result<(), LedgerError> {
        self.execute(pragma).await
    }

    /// Closes it.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(file = %self.file.display(), %error, "the ledger did not close well");
        }
    }
}
