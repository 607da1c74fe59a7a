//! The table of pulses: what each run is at right now, one row a run, overwritten. Who looks on from another machine reads it here, too.

use sqlx::AnyConnection;

use super::{
    rows::{from_json, maybe_moment, maybe_number, text, to_json},
    store::Trouble,
};
use crate::{delivery::release::DeploymentId, run::Pulse};

const PUT: &str = "INSERT INTO pulses (deployment, at, body) VALUES ($1, $2, $3)
    ON CONFLICT (deployment) DO UPDATE SET at = excluded.at, body = excluded.body";
const GET: &str = "SELECT body FROM pulses WHERE deployment = $1";
const END: &str = "DELETE FROM pulses WHERE deployment = $1";
const SIGN: &str = "SELECT max(at) FROM (SELECT at FROM pulses WHERE deployment = $1
    UNION ALL SELECT max(at) AS at FROM journal WHERE deployment = $1) signs";

/// Puts it in the place of the one before.
pub(super) async fn put(connection: &mut AnyConnection, deployment: &DeploymentId, pulse: &Pulse) -> Result<(), Trouble> {
    let put = sqlx::query(PUT).bind(deployment.to_string()).bind(pulse.at.timestamp_millis()).bind(to_json(pulse)?);
    put.execute(connection).await?;
    Ok(())
}

/// The last one; `None`: it has not begun to tell, or it has ended.
pub(super) async fn get(connection: &mut AnyConnection, deployment: &DeploymentId) -> Result<Option<Pulse>, Trouble> {
    let row = sqlx::query(GET).bind(deployment.to_string()).fetch_optional(connection).await?;
    row.map(|row| from_json(&text(&row, 0)?)).transpose()
}

/// Its run has ended.
pub(super) async fn end(connection: &mut AnyConnection, deployment: &DeploymentId) -> Result<(), Trouble> {
    sqlx::query(END).bind(deployment.to_string()).execute(connection).await?;
    Ok(())
}

/// The last thing that its run is known to have written, pulse or journal.
pub(super) async fn last_sign(
    connection: &mut AnyConnection,
    deployment: &DeploymentId,
) -> Result<Option<chrono::DateTime<chrono::Utc>>, Trouble> {
    let row = sqlx::query(SIGN).bind(deployment.to_string()).fetch_one(connection).await?;
    maybe_moment(maybe_number(&row, 0)?)
}
