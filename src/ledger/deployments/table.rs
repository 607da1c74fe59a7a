//! The statements of the table of deployments, the same for every engine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Asked, Deployment, DeploymentFilter, Good, Proof, Rebuilt, Standing, UnderWay};
use crate::{
    delivery::{plan::Plan, release::DeploymentId},
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{
        LedgerError, Place, pulses,
        rows::{column, count, from_json, maybe_moment, maybe_number, maybe_text, moment, number, parsed, text, to_json},
        store::Trouble,
    },
    run::journal::{State, Word},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, app, environment, release, from_release, rollback, override_reason, state, asker, needed, approved_by, asked, ",
            "started, finished, hosts, owed, requests, failed, p99_ms, reason FROM deployments ",
            $rest
        )
    };
}
const BY_ID: &str = select!("WHERE id = $1");
const BY_NUMBER: &str = select!("WHERE number = $1 ORDER BY id LIMIT 2");
/// An empty text is no condition: a NULL would have no type for PostgreSQL.
const LIST: &str = select!(
    "WHERE ($1 = '' OR app = $1) AND ($2 = '' OR environment = $2) AND ($3 = '' OR asker = $3) AND ($4 = '' OR state = $4)
     AND asked >= $5 AND asked < $6 ORDER BY asked DESC, number DESC LIMIT $7"
);
const UNDER_WAY: &str = select!("WHERE state IN ('waiting', 'running', 'parked') ORDER BY asked, number LIMIT $1");
const PLAN: &str = "SELECT plan FROM deployments WHERE id = $1";
const GOOD: &str = "SELECT id, environment, release, finished FROM deployments
    WHERE app = $1 AND environment = $2 AND state = 'good' AND finished IS NOT NULL ORDER BY finished DESC, number DESC";
/// One that failed before its first step, for want of a lock say, left everything as it was.
const STARTED: &str = "SELECT id, app, environment, release, state, finished FROM deployments
    WHERE started <= $1
        AND (state <> 'failed' OR EXISTS (SELECT 1 FROM journal WHERE journal.deployment = deployments.id AND journal.word = 'intent'))
    ORDER BY started, number";
const INSERT: &str = "INSERT INTO deployments (id, number, app, environment, release, version, from_release, rollback, override_reason,
        state, asker, needed, approved_by, asked, hosts, owed, plan)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '[]', $13, $14, '[]', $15)";
/// What of a rebuilt one nobody knows is as of one that was asked for and good at once.
const REBUILD: &str =
    "INSERT INTO deployments (id, number, app, environment, release, version, rollback, state, asker, needed, approved_by, asked,
        started, finished, hosts, owed, reason)
    VALUES ($1, $2, $3, $4, $5, $6, 0, 'good', $7, 0, '[]', $8, $8, $9, $10, '[]', $11)
    ON CONFLICT (id) DO NOTHING";
const REPLAN: &str = "UPDATE deployments SET plan = $1, hosts = $2, from_release = $3, approved_by = '[]' WHERE id = $4";
const VOID: &str = "UPDATE approvals SET void = 1 WHERE deployment = $1";
const BEGIN: &str = "UPDATE deployments SET state = 'running', started = $1, finished = NULL, plan = $2, hosts = $3 WHERE id = $4";
/// A good one that is only tidied up stays good.
const RESUME: &str = "UPDATE deployments SET state = 'running', finished = NULL, reason = NULL WHERE id = $1 AND state <> 'good'";
const GOOD_NOW: &str = "UPDATE deployments SET state = 'good', finished = $1, reason = NULL WHERE id = $2 AND state <> 'good'";
const END: &str = "UPDATE deployments SET state = $1, finished = COALESCE(finished, $2), reason = $3, owed = $4 WHERE id = $5";
const PARK: &str = "UPDATE deployments SET state = $1, finished = NULL, reason = $2, owed = $3 WHERE id = $4";
const MEASURE: &str = "UPDATE deployments SET requests = $1, failed = $2, p99_ms = $3 WHERE id = $4";
/// Stands where a person looks for why.
const REBUILT: &str = "rebuilt from the labels on the hosts";
const GIVEN: &str = "SELECT number FROM deployment_number WHERE id = 1";
/// Deployments that were put together from labels never took a number from the counter.
const HIGHEST: &str = "SELECT COALESCE(max(number), 0) FROM deployments";
const GIVE: &str = "UPDATE deployment_number SET number = $1 WHERE id = 1";

fn state(word: &str) -> Result<State, Trouble> {
    Ok(match word {
        "waiting" => State::Waiting,
        "running" => State::Running,
        "parked" => State::Parked,
        "good" => State::Good,
        "failed" => State::Failed,
        "unwound" => State::Unwound,
        other => return Err(Trouble::damaged(format!("{other:?} is no state of a deployment"))),
    })
}

pub(super) async fn last_number(connection: &mut AnyConnection) -> Result<u64, Trouble> {
    let given = number(&sqlx::query(GIVEN).fetch_one(&mut *connection).await?, 0)?;
    let highest = number(&sqlx::query(HIGHEST).fetch_one(connection).await?, 0)?;
    Ok(count(given.max(highest)))
}

pub(super) async fn next_number(connection: &mut AnyConnection) -> Result<u64, Trouble> {
    let next = last_number(connection).await? + 1;
    sqlx::query(GIVE).bind(column(next)).execute(connection).await?;
    Ok(next)
}

pub(super) async fn open(connection: &mut AnyConnection, asked: &Asked, now: DateTime<Utc>, place: Place) -> Result<(), Trouble> {
    let done = insert(connection, &asked.plan, &asked.by, asked.needed, now).await;
    done.map_err(|trouble| match trouble {
        Trouble::Database(sqlx::Error::Database(said)) if said.is_unique_violation() => {
            let what = format!("deployment {}", asked.plan.deployment);
            LedgerError::Taken { place, what, remedy: "ask for it anew, so that it gets an id of its own" }.into()
        }
        other => other,
    })
}

async fn insert(connection: &mut AnyConnection, plan: &Plan, by: &str, needed: u32, now: DateTime<Utc>) -> Result<(), Trouble> {
    let insert = sqlx::query(INSERT)
        .bind(plan.deployment.to_string())
        .bind(column(plan.deployment.number))
        .bind(plan.app.to_string())
        .bind(plan.environment.to_string())
        .bind(plan.release.to_string())
        .bind(plan.release.version.to_string())
        .bind(plan.from.first().map(ToString::to_string))
        .bind(i64::from(plan.options.rollback))
        .bind(plan.options.override_reason.as_deref().map(crate::text::clean_line))
        .bind(State::Waiting.word())
        .bind(crate::text::clean_line(by))
        .bind(i64::from(needed))
        .bind(now.timestamp_millis())
        .bind(to_json(&plan.hosts)?)
        .bind(to_json(plan)?);
    insert.execute(connection).await?;
    Ok(())
}

pub(super) async fn rebuild(connection: &mut AnyConnection, rebuilt: &Rebuilt) -> Result<bool, Trouble> {
    let insert = sqlx::query(REBUILD)
        .bind(rebuilt.id.to_string())
        .bind(column(rebuilt.id.number))
        .bind(rebuilt.app.to_string())
        .bind(rebuilt.environment.to_string())
        .bind(rebuilt.release.to_string())
        .bind(rebuilt.release.version.to_string())
        .bind(crate::text::clean_line(&rebuilt.by))
        .bind(rebuilt.asked.timestamp_millis())
        .bind(rebuilt.good.timestamp_millis())
        .bind(to_json(&rebuilt.hosts)?)
        .bind(REBUILT);
    Ok(insert.execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn replan(connection: &mut AnyConnection, plan: &Plan) -> Result<(), Trouble> {
    let deployment = one(connection, &plan.deployment).await?;
    if deployment.state != State::Waiting {
        let reason = format!("it is {} and waits for nobody: its plan stands", deployment.state.word());
        return Err(LedgerError::Unfit { deployment: deployment.id, reason }.into());
    }
    let update = sqlx::query(REPLAN)
        .bind(to_json(plan)?)
        .bind(to_json(&plan.hosts)?)
        .bind(plan.from.first().map(ToString::to_string))
        .bind(plan.deployment.to_string());
    update.execute(&mut *connection).await?;
    sqlx::query(VOID).bind(plan.deployment.to_string()).execute(connection).await?;
    Ok(())
}

/// Moves a deployment's state as a journal's row says.
pub(in crate::ledger) async fn follow(
    connection: &mut AnyConnection,
    id: &DeploymentId,
    at: DateTime<Utc>,
    said: &Word,
) -> Result<(), Trouble> {
    let (id, at) = (id.to_string(), at.timestamp_millis());
    let update = match said {
        Word::Begun { by, plan, .. } => {
            let known = sqlx::query(PLAN).bind(id.clone()).fetch_optional(&mut *connection).await?;
            if known.is_none() {
                // A run that was carried here from elsewhere: nobody asked for it here.
                insert(connection, plan, by, 0, moment(at)?).await?;
            }
            sqlx::query(BEGIN).bind(at).bind(to_json(plan)?).bind(to_json(&plan.hosts)?).bind(id)
        }
        Word::Resumed { .. } => sqlx::query(RESUME).bind(id),
        Word::Good => sqlx::query(GOOD_NOW).bind(at).bind(id),
        Word::Ended { state, reason, owed } => {
            pulses::end(connection, &parsed(&id)?).await?;
            let (reason, owed) = (reason.as_deref().map(crate::text::clean_line), to_json(owed)?);
            match state {
                State::Good | State::Failed | State::Unwound => {
                    sqlx::query(END).bind(state.word()).bind(at).bind(reason).bind(owed).bind(id)
                }
                State::Waiting | State::Running | State::Parked => sqlx::query(PARK).bind(state.word()).bind(reason).bind(owed).bind(id),
            }
        }
        Word::Measured { proof } => {
            let (requests, failed) = proof.during.counted().unzip();
            sqlx::query(MEASURE).bind(requests.map(column)).bind(failed.map(column)).bind(proof.during.p99_ms()).bind(id)
        }
        Word::Counted { .. }
        | Word::Intent { .. }
        | Word::Outcome { .. }
        | Word::GivenUp { .. }
        | Word::Turned { .. }
        | Word::UndoIntent { .. }
        | Word::UndoOutcome { .. }
        | Word::Bundle { .. } => return Ok(()),
    };
    update.execute(connection).await?;
    Ok(())
}

/// Ends one that waits and was never begun.
pub(in crate::ledger) async fn turn_down(
    connection: &mut AnyConnection,
    id: &DeploymentId,
    at: DateTime<Utc>,
    reason: String,
) -> Result<(), Trouble> {
    let end = sqlx::query(END).bind(State::Unwound.word()).bind(at.timestamp_millis()).bind(reason).bind("[]").bind(id.to_string());
    end.execute(connection).await?;
    Ok(())
}

/// One by its whole id.
pub(in crate::ledger) async fn one(connection: &mut AnyConnection, id: &DeploymentId) -> Result<Deployment, Trouble> {
    let row = sqlx::query(BY_ID).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(deployment).transpose()?.ok_or_else(|| LedgerError::NoDeployment(id.to_string()).into())
}

pub(super) async fn find(connection: &mut AnyConnection, text: &str) -> Result<Deployment, Trouble> {
    if let Ok(number) = text.parse::<i64>() {
        let rows = sqlx::query(BY_NUMBER).bind(number).fetch_all(connection).await?;
        return match rows.as_slice() {
            [] => Err(LedgerError::NoDeployment(text.to_owned()).into()),
            [row] => deployment(row),
            _ => Err(LedgerError::Ambiguous(text.to_owned()).into()),
        };
    }
    match text.parse() {
        Ok(id) => one(connection, &id).await,
        Err(_) => Err(LedgerError::NoDeployment(crate::text::clean_line(text)).into()),
    }
}

pub(super) async fn plan(connection: &mut AnyConnection, id: &str) -> Result<Option<Plan>, Trouble> {
    let row = sqlx::query(PLAN).bind(id.to_owned()).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| LedgerError::NoDeployment(id.to_owned()))?;
    maybe_text(&row, 0)?.as_deref().map(from_json).transpose()
}

pub(super) async fn list(connection: &mut AnyConnection, filter: &DeploymentFilter) -> Result<Vec<Deployment>, Trouble> {
    let list = sqlx::query(LIST)
        .bind(filter.app.as_ref().map_or("", AppName::as_str))
        .bind(filter.environment.as_ref().map_or("", EnvironmentId::as_str))
        .bind(filter.by.as_deref().unwrap_or_default())
        .bind(filter.state.map_or("", State::word))
        .bind(filter.since.map_or(i64::MIN, |at| at.timestamp_millis()))
        .bind(filter.until.map_or(i64::MAX, |at| at.timestamp_millis()))
        .bind(i64::from(filter.limit));
    list.fetch_all(connection).await?.iter().map(deployment).collect()
}

pub(super) async fn under_way(connection: &mut AnyConnection, limit: u32) -> Result<Vec<UnderWay>, Trouble> {
    let rows = sqlx::query(UNDER_WAY).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let deployment = deployment(row)?;
        let sign = pulses::last_sign(connection, &deployment.id).await?;
        found.push(UnderWay { deployment, sign });
    }
    Ok(found)
}

pub(super) async fn good(connection: &mut AnyConnection, app: &str, environment: &str) -> Result<Vec<Good>, Trouble> {
    let rows = sqlx::query(GOOD).bind(app.to_owned()).bind(environment.to_owned()).fetch_all(connection).await?;
    let good = |row: &AnyRow| {
        Ok(Good {
            deployment: parsed(&text(row, 0)?)?,
            environment: EnvironmentId::new(text(row, 1)?),
            release: parsed(&text(row, 2)?)?,
            at: moment(number(row, 3)?)?,
        })
    };
    rows.iter().map(good).collect()
}

pub(super) async fn standing(connection: &mut AnyConnection, at: DateTime<Utc>) -> Result<Vec<Standing>, Trouble> {
    let rows = sqlx::query(STARTED).bind(at.timestamp_millis()).fetch_all(connection).await?;
    let mut places: BTreeMap<(String, String), (Option<Good>, Vec<DeploymentId>)> = BTreeMap::new();
    for row in &rows {
        let (id, environment) = (parsed::<DeploymentId>(&text(row, 0)?)?, text(row, 2)?);
        let finished = maybe_moment(maybe_number(row, 5)?)?.filter(|finished| *finished <= at);
        let (good, unsettled) = places.entry((text(row, 1)?, environment.clone())).or_default();
        match (state(&text(row, 4)?)?, finished) {
            (State::Good, Some(finished)) => {
                *good = Some(Good {
                    deployment: id,
                    environment: EnvironmentId::new(environment),
                    release: parsed(&text(row, 3)?)?,
                    at: finished,
                });
                unsettled.clear();
            }
            (State::Unwound, Some(_)) => {}
            // Those that have ended since were under way then.
            (State::Good | State::Unwound, None) | (State::Waiting | State::Running | State::Parked | State::Failed, _) => {
                unsettled.push(id)
            }
        }
    }
    let standing = places.into_iter().map(|((app, environment), (good, unsettled))| Standing {
        app: AppName::new(app),
        environment: EnvironmentId::new(environment),
        good,
        unsettled,
    });
    Ok(standing.collect())
}

pub(super) async fn measure(connection: &mut AnyConnection, id: &DeploymentId, proof: Proof) -> Result<(), Trouble> {
    let measure = sqlx::query(MEASURE).bind(column(proof.requests)).bind(column(proof.failed)).bind(proof.p99_ms).bind(id.to_string());
    match measure.execute(connection).await?.rows_affected() {
        0 => Err(LedgerError::NoDeployment(id.to_string()).into()),
        _ => Ok(()),
    }
}

fn deployment(row: &AnyRow) -> Result<Deployment, Trouble> {
    let hosts = |index: usize| from_json::<Vec<HostId>>(&text(row, index)?);
    Ok(Deployment {
        id: parsed(&text(row, 0)?)?,
        app: AppName::new(text(row, 1)?),
        environment: EnvironmentId::new(text(row, 2)?),
        release: parsed(&text(row, 3)?)?,
        from_release: maybe_text(row, 4)?.as_deref().map(parsed).transpose()?,
        rollback: number(row, 5)? != 0,
        override_reason: maybe_text(row, 6)?,
        state: state(&text(row, 7)?)?,
        by: text(row, 8)?,
        needed: u32::try_from(number(row, 9)?).unwrap_or_default(),
        approved_by: from_json(&text(row, 10)?)?,
        asked: moment(number(row, 11)?)?,
        started: maybe_moment(maybe_number(row, 12)?)?,
        finished: maybe_moment(maybe_number(row, 13)?)?,
        hosts: hosts(14)?,
        owed: hosts(15)?,
        requests: maybe_number(row, 16)?.map(count),
        failed: maybe_number(row, 17)?.map(count),
        p99_ms: row.try_get(18)?,
        reason: maybe_text(row, 19)?,
    })
}
