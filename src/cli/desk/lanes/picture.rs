//! All lanes as they stand, put together from the ledger now and from what repositories and hosts told last.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use chrono::{TimeDelta, Utc};

use super::{
    super::Desk,
    source::{COMMITS, between, commit_of, unbuilt},
};
use crate::{
    board::lanes::{Behind, Build, Estimate, Expected, Frozen, Good, Size, Stop, Try, Way, WayBack},
    cli::exit::Failure,
    delivery::{
        release::{Release, ReleaseId},
        spec::{ImageSource, Policy},
    },
    fleet::{AppName, EnvironmentId},
    ledger::{AppBuild, Deployment, DeploymentFilter, Freeze, LedgerError, audit::Verdict},
    run::journal::State,
};

/// So many of an app's last deployments are looked through.
const LOOKED_THROUGH: u32 = 60;
/// A build that took longer is looked up in vain.
const LONGEST_BUILD: TimeDelta = TimeDelta::hours(2);
/// So long after a build was recorded its row of the audit is surely closed.
const CLOSED: TimeDelta = TimeDelta::minutes(1);

/// Where there is no ledger yet, nothing was done.
pub(super) fn or_nothing<T: Default>(result: Result<T, LedgerError>) -> Result<T, Failure> {
    match result {
        Err(LedgerError::Absent { .. }) => Ok(T::default()),
        other => other.map_err(Failure::failed),
    }
}

/// Every registered app.
///
/// # Errors
/// Why the ledger cannot be read.
pub(super) async fn ways(desk: &Desk) -> Result<Vec<Way>, Failure> {
    let freezes = or_nothing(desk.history.ledger().freezes().list().await)?;
    let mut ways = Vec::new();
    for app in desk.sources.config.delivery.apps.keys() {
        ways.push(way(desk, app, &freezes).await?);
    }
    Ok(ways)
}

async fn way(desk: &Desk, app: &AppName, freezes: &[Freeze]) -> Result<Way, Failure> {
    let ledger = desk.history.ledger();
    let builds = or_nothing(ledger.app_builds().newest(app).await)?;
    let newest = builds.first();
    let filter = DeploymentFilter { app: Some(app.clone()), limit: LOOKED_THROUGH, ..DeploymentFilter::default() };
    let past = or_nothing(ledger.deployments().list(filter).await)?;
    let policies = desk.lanes.policies(app);
    let (fault, failed) = desk.lanes.of(app, |known| (known.fault.clone(), known.failed_build.clone()));
    let mut stops = Vec::with_capacity(policies.len());
    for (environment, policy) in &policies {
        let of_it: Vec<&Deployment> = past.iter().filter(|one| one.environment == *environment).collect();
        stops.push(stop(desk, (app, environment), policy, &of_it, freezes).await?);
    }
    let versions: BTreeMap<EnvironmentId, Arc<str>> =
        stops.iter().filter_map(|stop| Some((stop.environment.clone(), Arc::clone(&stop.good.as_ref()?.release.version)))).collect();
    for stop in &mut stops {
        let there = match &stop.before {
            Some(before) => versions.get(before),
            None => newest.map(|build| &build.version),
        };
        if let (Some(here), Some(there)) = (versions.get(&stop.environment), there) {
            stop.behind = behind(desk, app, here, there).await;
        }
    }
    let build = match newest {
        Some(newest) => Some(build(desk, app, newest, builds.get(1)).await?),
        None => None,
    };
    let failed_build = failed.filter(|(at, _)| build.as_ref().is_none_or(|build| build.at < *at));
    let source = unbuilt(desk, app, newest).await;
    Ok(Way { app: app.clone(), fault, source, build, failed_build, stops })
}

async fn build(desk: &Desk, app: &AppName, newest: &AppBuild, before: Option<&AppBuild>) -> Result<Build, Failure> {
    let known = desk.lanes.of(app, |known| known.sizes.clone().filter(|(version, _)| *version == newest.version));
    let sizes = match known {
        Some((_, sizes)) => sizes,
        None => {
            let sizes = sizes(desk, newest, before).await;
            desk.lanes.note(app, |known| known.sizes = Some((Arc::clone(&newest.version), sizes.clone())));
            sizes
        }
    };
    let known = desk.lanes.of(app, |known| known.took.clone().filter(|(version, _)| *version == newest.version));
    let took = match known {
        Some((_, took)) => took,
        None => {
            let rows = or_nothing(desk.history.ledger().audit().rows(Some(newest.at - LONGEST_BUILD)).await)?;
            let is_it = |row: &&crate::ledger::audit::Entry| {
                row.action == crate::cli::build::ACTION && row.verdict == Some(Verdict::Done) && row.detail == *newest.version
            };
            let row = rows.iter().filter(|row| row.target.name == app.as_str()).find(is_it);
            let took = row.and_then(|row| (row.ended? - row.at).to_std().ok());
            // The row is closed a moment after the build is recorded; later there is none to come.
            if took.is_some() || Utc::now() - newest.at > CLOSED {
                desk.lanes.note(app, |known| known.took = Some((Arc::clone(&newest.version), took)));
            }
            took
        }
    };
    Ok(Build { version: Arc::clone(&newest.version), at: newest.at, by: newest.by.clone(), took, sizes })
}

/// What its own images weigh, beside those of the build before.
async fn sizes(desk: &Desk, newest: &AppBuild, before: Option<&AppBuild>) -> Vec<Size> {
    let builds = desk.history.ledger().builds();
    let mut sizes = Vec::new();
    for (image, pinned) in newest.images.iter().filter(|(image, _)| newest.spec.images.contains_key(*image)) {
        // What was not built here has no size.
        let Ok(Some(bytes)) = builds.size(pinned).await else { continue };
        let was = match before.and_then(|before| before.images.get(image)) {
            Some(pinned) => builds.size(pinned).await.ok().flatten(),
            None => None,
        };
        let growth = was.and_then(|was| i64::try_from(i128::from(bytes) - i128::from(was)).ok());
        sizes.push(Size { image: Arc::clone(image), bytes, growth });
    }
    sizes
}

async fn stop(
    desk: &Desk,
    (app, environment): (&AppName, &EnvironmentId),
    policy: &Policy,
    past: &[&Deployment],
    freezes: &[Freeze],
) -> Result<Stop, Failure> {
    let deployments = desk.history.ledger().deployments();
    let last_good = past.iter().filter(|one| one.state == State::Good).max_by_key(|one| one.finished);
    let found = match last_good {
        Some(good) => Some((*good).clone()),
        // It may be longer ago than what was looked through.
        None => match or_nothing(deployments.good(app, environment).await)?.first() {
            Some(good) => Some(deployments.find(&good.deployment.to_string()).await.map_err(Failure::failed)?),
            None => None,
        },
    };
    let good = found.as_ref().and_then(good);
    let since = found.as_ref().map(|good| good.asked);
    let mut tries = Vec::new();
    for (place, one) in past.iter().enumerate() {
        let counts = match one.state {
            State::Waiting | State::Running | State::Parked => true,
            // What failed counts while it is the last word.
            State::Failed | State::Unwound => place == 0 && since.is_none_or(|since| one.asked > since),
            State::Good => false,
        };
        if counts {
            tries.push(attempt(desk, one).await?);
        }
    }
    let frozen = freezes.iter().find(|freeze| freeze.app == *app && freeze.environment == *environment).map(freeze);
    let (of_host, way_back) =
        desk.lanes.of(app, |known| (known.frozen.get(environment).cloned(), known.way_back.get(environment).cloned()));
    let longest = good.as_ref().and_then(|good| good.took);
    let expected = match &good {
        Some(good) => release(desk, app, &good.release).await?.map(|release| expected(&release, policy)).unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(Stop {
        environment: environment.clone(),
        before: policy.after.clone(),
        good,
        tries,
        frozen: frozen.or(of_host),
        behind: Behind::Unknown,
        way_back: at_most(way_back.unwrap_or_default(), longest),
        expected,
    })
}

/// Where no way back was measured, the last deployment bounds it.
fn at_most(way_back: WayBack, longest: Option<std::time::Duration>) -> WayBack {
    match (way_back, longest) {
        (WayBack::Ready { to, speed, hosts, estimate: Estimate::Unknown, at }, Some(longest)) => {
            WayBack::Ready { to, speed, hosts, estimate: Estimate::AtMost(longest), at }
        }
        (other, _) => other,
    }
}

pub(super) fn freeze(freeze: &Freeze) -> Frozen {
    Frozen { who: freeze.who.clone(), why: freeze.why.clone(), since: Some(freeze.since), host: None }
}

fn good(one: &Deployment) -> Option<Good> {
    let at = one.finished?;
    Some(Good {
        deployment: one.id.clone(),
        release: one.release.clone(),
        at,
        took: one.started.and_then(|started| (at - started).to_std().ok()),
        by: one.by.clone(),
        approved_by: one.approved_by.clone(),
        rollback: one.rollback,
        override_reason: one.override_reason.clone(),
        owed: one.owed.clone(),
        proof: one.requests.map(|requests| (requests, one.failed.unwrap_or(0), one.p99_ms)),
    })
}

/// A deployment that is not good, with what it asks of a person.
pub(super) async fn attempt(desk: &Desk, one: &Deployment) -> Result<Try, Failure> {
    let asks = match one.state {
        State::Running => desk.history.ledger().approvals().question(&one.id).await.map_err(Failure::failed)?,
        State::Waiting | State::Parked | State::Good | State::Failed | State::Unwound => None,
    };
    Ok(Try {
        deployment: one.id.clone(),
        release: one.release.clone(),
        state: one.state,
        by: one.by.clone(),
        asked: one.asked,
        started: one.started,
        finished: one.finished,
        needed: one.needed,
        approved_by: one.approved_by.clone(),
        asks,
        reason: one.reason.clone(),
    })
}

/// A release as it was recorded; looked up once.
pub(super) async fn release(desk: &Desk, app: &AppName, id: &ReleaseId) -> Result<Option<Rc<Release>>, Failure> {
    if let Some(known) = desk.lanes.of(app, |known| known.releases.get(id).cloned()) {
        return Ok(known);
    }
    let found = or_nothing(desk.history.ledger().releases().find(app, &id.to_string()).await)?.map(Rc::new);
    desk.lanes.note(app, |known| drop(known.releases.insert(id.clone(), found.clone())));
    Ok(found)
}

/// What each service of a release should run, and where.
pub(super) fn expected(release: &Release, policy: &Policy) -> Vec<Expected> {
    let services = release.spec.services.iter().map(|(name, service)| {
        let pinned = release.image(&service.image).ok();
        let digest = pinned.as_ref().and_then(|pinned| pinned.split_once('@')).map(|(_, digest)| digest.into());
        let version = matches!(service.image, ImageSource::Built(_)).then(|| Arc::clone(&release.version));
        let hosts = policy.service_hosts.get(name).unwrap_or(&policy.hosts).clone();
        Expected { service: name.clone(), digest, version, hosts }
    });
    services.collect()
}

/// How a version stands to the one of the lane before.
async fn behind(desk: &Desk, app: &AppName, here: &str, there: &str) -> Behind {
    if here == there {
        return Behind::Same;
    }
    let (from, to) = match (commit_of(here), commit_of(there)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(why), _) | (_, Err(why)) => return Behind::Fault(why),
    };
    if from == to {
        return Behind::Rebuilt;
    }
    match between(desk, app, from, to).await {
        Ok(mut commits) if !commits.is_empty() => {
            let more = commits.len() > COMMITS;
            commits.truncate(COMMITS);
            Behind::Commits(commits, more)
        }
        Ok(_) => match between(desk, app, to, from).await {
            Ok(commits) => Behind::Ahead(commits.len()),
            Err(why) => Behind::Fault(why),
        },
        Err(why) => Behind::Fault(why),
    }
}
