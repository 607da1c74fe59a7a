//! The table of journals: what each run means to do and what came of it, row by row.

use sqlx::AnyConnection;

use super::{
    LedgerError, deployments,
    rows::{column, from_json, number, text, to_json},
    store::Trouble,
};
use crate::{
    delivery::release::DeploymentId,
    run::journal::{Entry, Word},
};

const INSERT: &str = "INSERT INTO journal (deployment, seq, at, word, entry) VALUES ($1, $2, $3, $4, $5)";
const LOAD: &str = "SELECT entry FROM journal WHERE deployment = $1 ORDER BY seq";
const SINCE: &str = "SELECT entry FROM journal WHERE deployment = $1 AND seq >= $2 ORDER BY seq";
const LAST: &str = "SELECT COALESCE(max(seq), -1) FROM journal WHERE deployment = $1";
const RESUMED_SINCE: &str = "SELECT count(*) FROM journal WHERE deployment = $1 AND word = 'resumed' AND seq > $2";

/// A beginning that ended before its first step: nothing was done, and it may be begun anew.
const IS_IDLE: &str = "SELECT count(*) FROM journal WHERE deployment = $1 AND word = 'ended'
    AND NOT EXISTS (SELECT 1 FROM journal WHERE deployment = $1 AND word NOT IN ('begun', 'ended'))";
const CLEAR: &str = "DELETE FROM journal WHERE deployment = $1";

/// Appends rows, and moves the deployment as they say. A number that is taken means that another run writes this journal: that one has the
/// lock, and we have not. Only what never got its locks is begun a second time, in the place of the first.
pub(super) async fn append(connection: &mut AnyConnection, deployment: &DeploymentId, entries: &[Entry]) -> Result<(), Trouble> {
    if let Some(Entry { seq: 0, word: Word::Begun { .. }, .. }) = entries.first() {
        let idle = sqlx::query(IS_IDLE).bind(deployment.to_string()).fetch_one(&mut *connection).await?;
        if number(&idle, 0)? > 0 {
            sqlx::query(CLEAR).bind(deployment.to_string()).execute(&mut *connection).await?;
        }
    }
    for entry in entries {
        let insert = sqlx::query(INSERT)
            .bind(deployment.to_string())
            .bind(column(entry.seq))
            .bind(entry.at.timestamp_millis())
            .bind(kind(&entry.word))
            .bind(to_json(entry)?);
        insert.execute(&mut *connection).await.map_err(|error| match &error {
            sqlx::Error::Database(said) if said.is_unique_violation() => {
                let reason = format!("row {} of its journal is written already: another run carries it on", entry.seq);
                Trouble::from(LedgerError::Unfit { deployment: deployment.clone(), reason })
            }
            _ => error.into(),
        })?;
        deployments::follow(connection, deployment, entry.at, &entry.word).await?;
    }
    Ok(())
}

/// All rows of a deployment, in order.
pub(super) async fn load(connection: &mut AnyConnection, deployment: &DeploymentId) -> Result<Vec<Entry>, Trouble> {
    let rows = sqlx::query(LOAD).bind(deployment.to_string()).fetch_all(connection).await?;
    rows.iter().map(|row| from_json(&text(row, 0)?)).collect()
}

/// The rows of a deployment from this number on, in order.
pub(super) async fn since(connection: &mut AnyConnection, deployment: &DeploymentId, seq: u64) -> Result<Vec<Entry>, Trouble> {
    let rows = sqlx::query(SINCE).bind(deployment.to_string()).bind(column(seq)).fetch_all(connection).await?;
    rows.iter().map(|row| from_json(&text(row, 0)?)).collect()
}

/// The number of its last row; -1 before the first.
pub(super) async fn last(connection: &mut AnyConnection, deployment: &DeploymentId) -> Result<i64, Trouble> {
    number(&sqlx::query(LAST).bind(deployment.to_string()).fetch_one(connection).await?, 0)
}

/// Whether somebody carried it on after this row.
pub(super) async fn is_resumed_since(connection: &mut AnyConnection, deployment: &DeploymentId, seq: i64) -> Result<bool, Trouble> {
    let count = sqlx::query(RESUMED_SINCE).bind(deployment.to_string()).bind(seq).fetch_one(connection).await?;
    Ok(number(&count, 0)? > 0)
}

/// A row's kind, as its JSON calls it.
fn kind(word: &Word) -> &'static str {
    match word {
        Word::Begun { .. } => "begun",
        Word::Resumed { .. } => "resumed",
        Word::Intent { .. } => "intent",
        Word::Outcome { .. } => "outcome",
        Word::GivenUp { .. } => "given-up",
        Word::Turned { .. } => "turned",
        Word::UndoIntent { .. } => "undo-intent",
        Word::UndoOutcome { .. } => "undo-outcome",
        Word::Bundle { .. } => "bundle",
        Word::Counted { .. } => "counted",
        Word::Measured { .. } => "measured",
        Word::Good => "good",
        Word::Ended { .. } => "ended",
    }
}
