//! One open connection, whatever the engine behind it.

use std::time::Duration;

use sqlx::{AnyConnection, Connection as _};

use super::{Access, LedgerEngine, LedgerError, Place, error::PATIENCE_SECONDS, postgres, sqlite};

/// An open connection.
pub(super) struct Store {
    connection: AnyConnection,
    engine: LedgerEngine,
    place: Place,
    access: Access,
    /// Whether the connection is of no more use: the server went away, or nobody knows what it is at.
    is_lost: bool,
}

/// Why a piece of work was not done: in the database's words, or already in ours. It becomes a [`LedgerError`] at the [end](Store::end).
pub(super) enum Trouble {
    Database(sqlx::Error),
    Told(LedgerError),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Told(error)
    }
}

impl Trouble {
    /// What lies in the ledger cannot be read.
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Database(sqlx::Error::Decode(what.to_string().into()))
    }
}

impl Store {
    /// Opens the ledger, making and migrating it where that is allowed.
    pub(super) async fn open(engine: &LedgerEngine, access: Access) -> Result<Self, LedgerError> {
        sqlx::any::install_default_drivers();
        let connection = connect(engine, access).await?;
        Ok(Self { connection, place: engine.place(), engine: engine.clone(), access, is_lost: false })
    }

    /// Where it is kept, for messages.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// How long a piece of work may take before the other side counts as gone. A file has no other side.
    pub(super) fn limit(&self) -> Option<Duration> {
        match self.engine {
            LedgerEngine::Sqlite(_) => None,
            LedgerEngine::Postgres(_) => Some(postgres::LIMIT),
        }
    }

    /// The work on it was broken off: what it is at, nobody knows.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// Begins to read: what is read until the [end](Store::end) is of one moment.
    pub(super) async fn begin_read(&mut self) -> Result<&mut AnyConnection, LedgerError> {
        self.begin(match self.engine {
            LedgerEngine::Sqlite(_) => sqlite::BEGIN_READ,
            LedgerEngine::Postgres(_) => postgres::BEGIN_READ,
        })
        .await
    }

    /// Begins to write, alone, until the [end](Store::end).
    pub(super) async fn begin_write(&mut self) -> Result<&mut AnyConnection, LedgerError> {
        if self.access == Access::Look {
            return Err(LedgerError::ReadOnly);
        }
        self.begin(match self.engine {
            LedgerEngine::Sqlite(_) => sqlite::BEGIN_WRITE,
            LedgerEngine::Postgres(_) => postgres::BEGIN_WRITE,
        })
        .await
    }

    /// Begins. A server that was restarted meanwhile is connected to anew: nothing was asked of it yet.
    async fn begin(&mut self, statement: &'static str) -> Result<&mut AnyConnection, LedgerError> {
        if !self.is_lost {
            match self.execute(statement).await {
                Ok(()) => return Ok(&mut self.connection),
                Err(error @ LedgerError::Locked { .. }) => {
                    self.roll_back().await;
                    return Err(error);
                }
                Err(error) => match self.engine {
                    LedgerEngine::Sqlite(_) => return Err(error),
                    LedgerEngine::Postgres(_) => tracing::info!(%error, "the ledger is connected to anew"),
                },
            }
        }
        self.is_lost = true;
        self.connection = connect(&self.engine, self.access).await?;
        self.is_lost = false;
        match self.execute(statement).await {
            Ok(()) => Ok(&mut self.connection),
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    /// Ends what was begun: what was written stays if the work succeeded, else nothing of it. Not sqlx's transactions: they lose count when
    /// SQLite itself rolls back, as it does when the disk is full, and the connection is of no use from then on.
    pub(super) async fn end<T>(&mut self, work: Result<T, impl Into<Trouble>>) -> Result<T, LedgerError> {
        let done = match work.map_err(Into::into) {
            Ok(value) => match self.execute("COMMIT").await {
                Ok(()) => Ok(value),
                Err(LedgerError::Server { place, reason, .. }) => Err(LedgerError::Unsure { place, reason }),
                Err(error) => Err(error),
            },
            Err(Trouble::Told(error)) => Err(error),
            Err(Trouble::Database(error)) => Err(LedgerError::database(&self.place, &error)),
        };
        if done.is_err() {
            self.roll_back().await;
        }
        done
    }

    async fn roll_back(&mut self) {
        let undone = self.execute("ROLLBACK").await;
        // SQLite may have rolled back already: then this fails, and it is done. PostgreSQL says no only where nobody hears us.
        self.is_lost |= undone.is_err() && matches!(self.engine, LedgerEngine::Postgres(_));
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), LedgerError> {
        let done = sqlx::raw_sql(statement).execute(&mut self.connection);
        let done = match self.engine {
            LedgerEngine::Sqlite(_) => done.await,
            // None of these takes long, beyond the server's own wait for a lock.
            LedgerEngine::Postgres(_) => {
                let limit = Duration::from_secs(2 * PATIENCE_SECONDS);
                tokio::time::timeout(limit, done).await.unwrap_or_else(|_| Err(postgres::silence(limit)))
            }
        };
        done.map(|_| ()).map_err(|error| LedgerError::database(&self.place, &error))
    }

    /// Changes a setting of the connection.
    #[cfg(test)]
    pub(super) async fn set(&mut self, pragma: &'static str) -> Result<(), LedgerError> {
        self.execute(pragma).await
    }

    /// Closes it.
    pub(super) async fn close(self) {
        if self.is_lost {
            return;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(ledger = %self.place, %error, "the ledger did not close well");
        }
    }
}

async fn connect(engine: &LedgerEngine, access: Access) -> Result<AnyConnection, LedgerError> {
    match (engine, access) {
        (LedgerEngine::Sqlite(dir), Access::Record) => sqlite::open(dir).await,
        (LedgerEngine::Sqlite(dir), Access::Look) => sqlite::look(dir).await,
        (LedgerEngine::Postgres(server), access) => postgres::open(server, &engine.place(), access).await,
    }
}
