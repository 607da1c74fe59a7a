//! The table of freezes: where nothing may be deployed until somebody thaws it.

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Ledger, LedgerError, Place,
    rows::{moment, number, text},
    store::Trouble,
};
use crate::{
    fleet::{AppName, EnvironmentId},
    text::clean_line,
};

const LIST: &str = "SELECT app, environment, who, why, since FROM freezes ORDER BY app, environment";
const ONE: &str = "SELECT app, environment, who, why, since FROM freezes WHERE app = $1 AND environment = $2";
const INSERT: &str = "INSERT INTO freezes (app, environment, who, why, since) VALUES ($1, $2, $3, $4, $5)";
const DELETE: &str = "DELETE FROM freezes WHERE app = $1 AND environment = $2";

/// A place where nothing may be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// Who said so.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The table of freezes, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Freezes {
    ledger: Ledger,
}

impl Freezes {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Freezes an environment.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Taken` when it is frozen.
    pub async fn freeze(&self, app: &AppName, environment: &EnvironmentId, who: &str, why: &str) -> Result<Freeze, LedgerError> {
        let since = moment(Utc::now().timestamp_millis()).unwrap_or_default();
        let freeze = Freeze { app: app.clone(), environment: environment.clone(), who: clean_line(who), why: clean_line(why), since };
        let place = self.ledger.place();
        self.ledger.write(move |connection| async move { insert(connection, freeze, place).await }.boxed()).await
    }

    /// Thaws it, and tells what was frozen.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn thaw(&self, app: &AppName, environment: &EnvironmentId) -> Result<Option<Freeze>, LedgerError> {
        let (app, environment) = (app.clone(), environment.clone());
        self.ledger.write(move |connection| async move { delete(connection, &app, &environment).await }.boxed()).await
    }

    /// Whether it is frozen, by whom and why.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn of(&self, app: &AppName, environment: &EnvironmentId) -> Result<Option<Freeze>, LedgerError> {
        let (app, environment) = (app.clone(), environment.clone());
        self.ledger.read(move |connection| async move { one(connection, &app, &environment).await }.boxed()).await
    }

    /// All that is frozen.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn list(&self) -> Result<Vec<Freeze>, LedgerError> {
        self.ledger.read(|connection| list(connection).boxed()).await
    }
}

async fn insert(connection: &mut AnyConnection, freeze: Freeze, place: Place) -> Result<Freeze, Trouble> {
    if let Some(known) = one(connection, &freeze.app, &freeze.environment).await? {
        let what = format!("a freeze of {} in {} by {} ({})", known.app, known.environment, known.who, known.why);
        return Err(LedgerError::Taken { place, what, remedy: "thaw it first, or leave it as it is" }.into());
    }
    let insert = sqlx::query(INSERT)
        .bind(freeze.app.to_string())
        .bind(freeze.environment.to_string())
        .bind(freeze.who.clone())
        .bind(freeze.why.clone())
        .bind(freeze.since.timestamp_millis());
    insert.execute(connection).await?;
    Ok(freeze)
}

async fn delete(connection: &mut AnyConnection, app: &AppName, environment: &EnvironmentId) -> Result<Option<Freeze>, Trouble> {
    let known = one(connection, app, environment).await?;
    sqlx::query(DELETE).bind(app.to_string()).bind(environment.to_string()).execute(connection).await?;
    Ok(known)
}

async fn one(connection: &mut AnyConnection, app: &AppName, environment: &EnvironmentId) -> Result<Option<Freeze>, Trouble> {
    let row = sqlx::query(ONE).bind(app.to_string()).bind(environment.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(freeze).transpose()
}

async fn list(connection: &mut AnyConnection) -> Result<Vec<Freeze>, Trouble> {
    sqlx::query(LIST).fetch_all(connection).await?.iter().map(freeze).collect()
}

fn freeze(row: &AnyRow) -> Result<Freeze, Trouble> {
    Ok(Freeze {
        app: AppName::new(text(row, 0)?),
        environment: EnvironmentId::new(text(row, 1)?),
        who: text(row, 2)?,
        why: text(row, 3)?,
        since: moment(number(row, 4)?)?,
    })
}
