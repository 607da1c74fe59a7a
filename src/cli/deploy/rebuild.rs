//! `ledger rebuild`: releases and deployments are put back into the records from what the hosts tell: labels on what runs or was kept, and
//! the journals in the locks of runs that never ended.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{ask, stage::Stage};
use crate::{
    build::version::commit,
    cli::{
        args::{Format, Global, Output},
        deed::failure,
        exit::{Exit, Failure},
        fleet::Sources,
        gather::{Need, Watch, wait},
        json, out,
    },
    delivery::{
        packed::unpack,
        release::{DeploymentId, KEPT, Names, Release, ReleaseId, label},
    },
    fleet::{AppName, Container, ContainerState, EnvironmentId, HostId},
    ledger::{
        AppBuild, Ledger, LedgerError, Rebuilt, StateDir,
        audit::{Intent, Outcome, Target, Who},
    },
    run::{Records as _, journal::beginning, read_journal},
    text::counted,
};

/// What hosts tell of one deployment.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    app: AppName,
    environment: EnvironmentId,
    release: ReleaseId,
    by: String,
    at: DateTime<Utc>,
    hosts: BTreeSet<HostId>,
    /// Whether anything of it is in use; else it is only kept.
    used: bool,
}

/// All that hosts tell.
#[derive(Debug, Default)]
struct Sight {
    deployments: BTreeMap<DeploymentId, Told>,
    /// In full.
    releases: BTreeMap<(AppName, ReleaseId), Release>,
    /// Where a run has its lock.
    locks: BTreeMap<(AppName, EnvironmentId), BTreeSet<HostId>>,
    /// Deployments whose runs have not ended.
    unfinished: BTreeSet<DeploymentId>,
}

impl Sight {
    fn take(&mut self, container: &Container) {
        let label = |key: &str| container.labels.get(key).map(|value| &**value);
        let (Some(app), Some(environment)) = (label(label::APP).map(AppName::new), label(label::ENVIRONMENT).map(EnvironmentId::new))
        else {
            return;
        };
        let host = container.key.host.clone();
        let Some(deployment) = label(label::DEPLOYMENT).and_then(|text| text.parse::<DeploymentId>().ok()) else { return };
        match label(label::KIND) {
            Some("lock") => {
                self.locks.entry((app, environment)).or_default().insert(host);
                self.unfinished.insert(deployment);
                return;
            }
            // A freeze, or a job that ran once.
            Some(_) => return,
            None => {}
        }
        let release = label(label::RELEASE).and_then(|text| text.parse::<ReleaseId>().ok());
        let at = label(label::AT).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let (Some(release), Some(at)) = (release, at) else { return };
        // What it says of itself must be what its other labels say, or somebody wrote it by hand.
        let body = label(label::BODY).and_then(unpack);
        if let Some(body) = body.filter(|body| body.id() == release && body.app == app && body.revision.hash() == body.config) {
            self.releases.entry((app.clone(), release.clone())).or_insert(body);
        }
        let told = self.deployments.entry(deployment).or_insert_with(|| Told {
            app,
            environment,
            release,
            by: label(label::BY).unwrap_or("somebody").to_owned(),
            at: at.with_timezone(&Utc),
            hosts: BTreeSet::new(),
            used: false,
        });
        told.hosts.insert(host);
        told.used |= !container.name.ends_with(KEPT) && container.state == ContainerState::Running;
    }

    /// The deployments as rows, oldest first. What is in use counts as good now, because what ran before may be newer by its own labels:
    /// that is how it looks after a way back.
    fn rows(&self, now: DateTime<Utc>) -> Vec<Rebuilt> {
        let mut told: Vec<_> = self.deployments.iter().filter(|(id, _)| !self.unfinished.contains(*id)).collect();
        told.sort_by_key(|(id, told)| (told.used, told.at, (*id).clone()));
        let count = i64::try_from(told.len()).unwrap_or(i64::MAX);
        let row = |(at, (id, told)): (i64, (&DeploymentId, &Told))| Rebuilt {
            id: id.clone(),
            app: told.app.clone(),
            environment: told.environment.clone(),
            release: told.release.clone(),
            by: told.by.clone(),
            asked: told.at,
            good: if told.used { now - TimeDelta::milliseconds(count - at) } else { told.at },
            hosts: told.hosts.iter().cloned().collect(),
        };
        (1..).zip(told).map(row).collect()
    }
}

/// What was put back.
#[derive(Debug, Default, Serialize)]
struct Row {
    releases: usize,
    builds: usize,
    deployments: usize,
    /// Deployments whose runs never ended, by their locks.
    unfinished: Vec<String>,
    /// Releases of which only the name is known.
    without_body: Vec<String>,
}

/// Does it.
pub(in crate::cli) fn run(global: &Global, yes: bool, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("ledger rebuild")?;
    let ledger = sources.ledger()?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let mut sight = Sight::default();
        watch.fleet().containers().for_each(|container| sight.take(container));
        let what = format!(
            "{} and {} on the hosts, {} under way",
            counted(sight.releases.len(), "release"),
            counted(sight.deployments.len(), "deployment"),
            sight.unfinished.len()
        );
        out::complain(&format!("{what}: what the records at {} lack of it is put back", ledger.place()));
        if !yes {
            super::terminal()?;
            ask("yes")?;
        }
        let intent = Intent {
            who: Who::of_process(),
            action: "ledger.rebuild".to_owned(),
            host: String::new(),
            target: Target { name: ledger.place().to_string(), id: String::new() },
            argument: String::new(),
            plan: what,
        };
        let entry = ledger.audit().begin(intent).await.map_err(failure)?;
        let done = rebuild(&sources, &ledger, &sight).await;
        let outcome = match &done {
            Ok(row) => Outcome::done(format!("{} releases, {} deployments", row.releases, row.deployments)),
            Err(failure) => Outcome::failed(failure.clone().words()),
        };
        ledger.audit().finish(entry, outcome).await.map_err(failure)?;
        let row = done?;
        out::print(&match output.format {
            Format::Json => json::line(&row)?,
            Format::Table => page(&row),
        })?;
        Ok(watch.finish())
    })
}

async fn rebuild(sources: &Sources, ledger: &Ledger, sight: &Sight) -> Result<Row, Failure> {
    let mut row = Row::default();
    for release in sight.releases.values() {
        let by = sight.deployments.values().find(|told| told.release == release.id()).map_or("somebody", |told| &told.by);
        let known = ledger.releases().find(&release.app, &release.id().to_string()).await.map_err(failure)?;
        if known.is_none() {
            ledger.releases().record(release.clone(), by).await.map_err(failure)?;
            row.releases += 1;
        }
        if ledger.app_builds().find(&release.app, &release.version).await.map_err(failure)?.is_none() {
            let at = sight.deployments.values().filter(|told| told.release == release.id()).map(|told| told.at).min();
            let build = AppBuild {
                app: release.app.clone(),
                version: release.version.clone(),
                // All that a version tells of its commit.
                revision: commit(&release.version).unwrap_or(&release.version).into(),
                images: release.images.clone(),
                spec: release.spec.clone(),
                at: at.unwrap_or_else(Utc::now),
                by: by.to_owned(),
            };
            ledger.app_builds().record(build).await.map_err(failure)?;
            row.builds += 1;
        }
    }
    for rebuilt in sight.rows(Utc::now()) {
        let (app, release) = (rebuilt.app.clone(), rebuilt.release.clone());
        if ledger.deployments().rebuild(rebuilt).await.map_err(failure)? {
            row.deployments += 1;
        }
        if ledger.releases().find(&app, &release.to_string()).await.map_err(failure)?.is_none() {
            row.without_body.push(format!("{app} {release}"));
        }
    }
    row.without_body.dedup();
    for ((app, environment), hosts) in &sight.locks {
        row.unfinished.extend(unfinished(sources, ledger, (app, environment), hosts).await?);
    }
    Ok(row)
}

/// Puts the journal of a run that never ended back from the locks, so that it can be carried on or taken back.
async fn unfinished(
    sources: &Sources,
    ledger: &Ledger,
    (app, environment): (&AppName, &EnvironmentId),
    hosts: &BTreeSet<HostId>,
) -> Result<Option<String>, Failure> {
    let stage = Stage::new(sources, app, environment, false)?;
    let hosts: Vec<HostId> = hosts.iter().cloned().collect();
    let entries = match read_journal(&stage.port, Names { app, environment }, &hosts).await {
        Ok(entries) => entries,
        Err((host, error)) => {
            out::complain(&format!("host {host:?}: the lock of {app} in {environment} cannot be read: {error}"));
            return Ok(None);
        }
    };
    let Some((plan, _)) = beginning(&entries) else {
        out::complain(&format!("the lock of {app} in {environment} holds no plan: nothing of it can be carried on"));
        return Ok(None);
    };
    let id = plan.deployment.clone();
    let records = ledger.records(StateDir::at(&sources.config.state));
    if records.load(&id).await.map_err(Failure::failed)?.is_empty() {
        match ledger.deployments().find(&id.to_string()).await {
            // Its own rows go first where it is known: they are of more worth.
            Ok(_) | Err(LedgerError::NoDeployment(_)) => records.append(&id, &entries).await.map_err(Failure::failed)?,
            Err(error) => return Err(failure(error)),
        }
    }
    Ok(Some(id.to_string()))
}

fn page(row: &Row) -> String {
    let mut text = format!(
        "put back: {}, {}, {}\n",
        counted(row.releases, "release"),
        counted(row.builds, "build"),
        counted(row.deployments, "deployment")
    );
    for id in &row.unfinished {
        text.push_str(&format!("deployment {id} never ended: quarterdeck deployment resume {id}, or unwind\n"));
    }
    for name in &row.without_body {
        text.push_str(&format!("{name}: only its name is known: it can be deployed again, but nothing goes back to it\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn told(release: &str, minute: u32, used: bool) -> Told {
        Told {
            app: "shop".into(),
            environment: "production".into(),
            release: format!("{release}+00000000").parse().unwrap(),
            by: "ana".to_owned(),
            at: Utc.with_ymd_and_hms(2026, 11, 21, 14, minute, 0).unwrap(),
            hosts: [HostId::new("app-01")].into(),
            used,
        }
    }

    #[test]
    fn what_is_in_use_is_what_was_good_last() {
        // After a way back: the older one runs, the newer one is kept. The database was never changed since the first.
        let deployments = [
            (DeploymentId::new(1, 0), told("1.0-1-aaaaaaa", 1, true)),
            (DeploymentId::new(2, 0), told("1.0-2-bbbbbbb", 2, true)),
            (DeploymentId::new(3, 0), told("1.0-3-ccccccc", 3, false)),
            (DeploymentId::new(4, 0), told("1.0-4-ddddddd", 4, true)),
        ];
        let unfinished = [DeploymentId::new(4, 0)].into();
        let sight = Sight { deployments: deployments.into(), unfinished, ..Sight::default() };
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 15, 0, 0).unwrap();
        let mut rows = sight.rows(now);
        rows.sort_by_key(|row| std::cmp::Reverse(row.good));
        let order: Vec<_> = rows.iter().map(|row| (row.id.number, row.good <= now)).collect();
        assert_eq!(order, [(2, true), (1, true), (3, true)]);
    }
}
