//! `deployments`: which release was put where, when, by whom and what came of it; `--at`: what ran where at some moment.

mod carried;
mod show;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::Serialize;

pub(super) use carried::of_journal;
pub use show::show;
pub(super) use show::{Page, PageRow, journal, remedy};

use super::{
    TimeSpec,
    args::{Format, Global, Output},
    deed::failure,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    json, out,
    table::{Column, Table, or_nothing},
};
use crate::{
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{Deployment, DeploymentFilter, Ledger, LedgerError, Standing},
    run::journal::State,
    text::age,
};

/// What is asked for.
pub struct Request {
    pub app: Option<String>,
    pub environment: Option<String>,
    pub by: Option<String>,
    pub since: Option<TimeSpec>,
    pub at: Option<TimeSpec>,
    pub limit: u32,
    pub output: Output,
}

/// Prints the deployments, newest first.
pub fn run(global: &Global, request: &Request) -> Result<Exit, Failure> {
    let ledger = Sources::load(global)?.ledger()?;
    let app = request.app.as_ref().map(AppName::new);
    let environment = request.environment.as_ref().map(EnvironmentId::new);
    let now = Local::now();
    wait(async {
        if let Some(at) = request.at {
            return standing(&ledger, at.resolve(&now), app, environment, request.output).await;
        }
        let since = request.since.map(|since| since.resolve(&now));
        let filter = DeploymentFilter { app, environment, by: request.by.clone(), since, limit: request.limit, ..Default::default() };
        let found = list(&ledger, filter).await?;
        out::print(&match request.output.format {
            Format::Json => json::array(&found.iter().map(Row::of).collect::<Vec<_>>())?,
            Format::Table => table(&found).render(out::width()),
        })?;
        Ok(Exit::DONE)
    })
}

/// Those that a filter names, newest first.
pub(in crate::cli) async fn list(ledger: &Ledger, filter: DeploymentFilter) -> Result<Vec<Deployment>, Failure> {
    or_none(ledger.deployments().list(filter).await)
}

/// What ran where at a moment.
pub(in crate::cli) async fn standing_at(ledger: &Ledger, at: DateTime<Utc>) -> Result<Vec<Standing>, Failure> {
    or_none(ledger.deployments().standing(at).await)
}

/// Nothing was recorded, and nothing is what there is to tell.
fn or_none<T>(found: Result<Vec<T>, LedgerError>) -> Result<Vec<T>, Failure> {
    match found {
        Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
        other => other.map_err(failure),
    }
}

async fn standing(
    ledger: &Ledger,
    at: DateTime<Utc>,
    app: Option<AppName>,
    environment: Option<EnvironmentId>,
    output: Output,
) -> Result<Exit, Failure> {
    let mut found = standing_at(ledger, at).await?;
    found.retain(|one| app.as_ref().is_none_or(|app| one.app == *app) && environment.as_ref().is_none_or(|e| one.environment == *e));
    out::print(&match output.format {
        Format::Json => json::array(&found.iter().map(StandingRow::of).collect::<Vec<_>>())?,
        Format::Table => standing_table(&found).render(out::width()),
    })?;
    Ok(Exit::DONE)
}

pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn local(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A deployment as JSON.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    app: &'a str,
    environment: &'a str,
    release: String,
    from_release: Option<String>,
    rollback: bool,
    state: &'static str,
    by: &'a str,
    needed: u32,
    approved_by: &'a [String],
    asked: String,
    started: Option<String>,
    finished: Option<String>,
    hosts: &'a [HostId],
    owed: &'a [HostId],
    requests: Option<u64>,
    failed: Option<u64>,
    p99_ms: Option<f64>,
    #[serde(rename = "override")]
    override_reason: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(found: &'a Deployment) -> Self {
        Self {
            id: found.id.to_string(),
            app: found.app.as_str(),
            environment: found.environment.as_str(),
            release: found.release.to_string(),
            from_release: found.from_release.as_ref().map(ToString::to_string),
            rollback: found.rollback,
            state: found.state.word(),
            by: &found.by,
            needed: found.needed,
            approved_by: &found.approved_by,
            asked: moment(found.asked),
            started: found.started.map(moment),
            finished: found.finished.map(moment),
            hosts: &found.hosts,
            owed: &found.owed,
            requests: found.requests,
            failed: found.failed,
            p99_ms: found.p99_ms,
            override_reason: found.override_reason.as_deref(),
            reason: found.reason.as_deref(),
        }
    }
}

fn table(found: &[Deployment]) -> Table {
    let mut table = Table::new(vec![
        Column::new("ID").whole(),
        Column::new("APP").least(6),
        Column::new("ENV").least(7),
        Column::new("RELEASE").least(20),
        Column::new("FROM").least(20).rank(3),
        Column::new("STATE").whole(),
        Column::new("BY").least(6),
        Column::new("APPROVED BY").least(6).rank(4),
        Column::new("STARTED").whole().rank(2),
        Column::new("TOOK").right().rank(5),
        Column::new("REQUESTS").right().rank(6),
        Column::new("FAILED").right().rank(6),
        Column::new("P99_MS").right().rank(6),
        Column::new("OWED").least(8).rank(4),
        Column::new("REASON").least(12).rank(1),
    ]);
    for one in found {
        let took = one.started.zip(one.finished).map(|(started, finished)| age(finished - started));
        table.push(vec![
            one.id.to_string(),
            one.app.to_string(),
            one.environment.to_string(),
            one.release.to_string(),
            or_nothing(one.from_release.as_ref()),
            one.state.word().to_owned(),
            one.by.clone(),
            approvals(one),
            or_nothing(one.started.map(local)),
            or_nothing(took),
            or_nothing(one.requests),
            or_nothing(one.failed),
            or_nothing(one.p99_ms.map(|ms| format!("{ms:.0}"))),
            one.owed.iter().map(HostId::as_str).collect::<Vec<_>>().join(", "),
            one.override_reason.iter().map(|why| format!("OVERRIDE: {why}")).chain(one.reason.clone()).collect::<Vec<_>>().join("; "),
        ]);
    }
    table
}

/// Who said yes, and how many are still to.
fn approvals(one: &Deployment) -> String {
    let names = one.approved_by.join(", ");
    match one.state == State::Waiting && one.needed > 0 {
        true => format!("{} of {} {names}", one.approved_by.len(), one.needed).trim_end().to_owned(),
        false => names,
    }
}

/// What ran where, as JSON.
#[derive(Serialize)]
struct StandingRow<'a> {
    app: &'a str,
    environment: &'a str,
    release: Option<String>,
    deployment: Option<String>,
    since: Option<String>,
    unsettled: Vec<String>,
}

impl<'a> StandingRow<'a> {
    fn of(one: &'a Standing) -> Self {
        let good = one.good.as_ref();
        Self {
            app: one.app.as_str(),
            environment: one.environment.as_str(),
            release: good.map(|good| good.release.to_string()),
            deployment: good.map(|good| good.deployment.to_string()),
            since: good.map(|good| moment(good.at)),
            unsettled: one.unsettled.iter().map(ToString::to_string).collect(),
        }
    }
}

fn standing_table(found: &[Standing]) -> Table {
    let mut table = Table::new(vec![
        Column::new("APP").least(6),
        Column::new("ENV").least(7),
        Column::new("RELEASE").least(20),
        Column::new("SINCE").whole().rank(1),
        Column::new("DEPLOYMENT").whole().rank(2),
        Column::new("UNSETTLED").least(8),
    ]);
    for one in found {
        let good = one.good.as_ref();
        table.push(vec![
            one.app.to_string(),
            one.environment.to_string(),
            or_nothing(good.map(|good| &good.release)),
            or_nothing(good.map(|good| local(good.at))),
            or_nothing(good.map(|good| &good.deployment)),
            one.unsettled.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}
