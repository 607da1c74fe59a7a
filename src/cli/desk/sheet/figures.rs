//! What a plan alone does not know: how it went the last times, where the build is good, which commits lie between, who else is at it, and how many
//! requests are under way.

use std::{collections::BTreeMap, net::SocketAddr};

use chrono::Utc;

use crate::{
    board::sheet::{Commit, Commits, Good, Past},
    build::version::commit,
    cli::{
        build::Named,
        deed::failure,
        deploy::{Aim, Stage},
        desk::Desk,
        exit::Failure,
    },
    delivery::{
        observed::{Observed, Sight},
        plan::{Change, Plan},
        spec::Protocol,
    },
    fleet::{HostId, ServiceName},
    ledger::{Deployment, DeploymentFilter, LedgerError},
    run::journal::State,
    text::{clean_line, since},
};

/// Deployments that are looked through.
const LATELY: u32 = 20;
/// Outcomes that are told.
const OUTCOMES: usize = 3;
/// Commits that are told.
const COMMITS: usize = 5;

fn or_nothing<T: Default>(found: Result<T, LedgerError>) -> Result<T, Failure> {
    match found {
        Err(LedgerError::Absent { .. }) => Ok(T::default()),
        other => other.map_err(failure),
    }
}

/// The last outcomes of this kind there, and what is under way.
pub(super) async fn lately(desk: &Desk, plan: &Plan) -> Result<(Vec<Past>, Vec<String>), Failure> {
    let filter = DeploymentFilter {
        app: Some(plan.app.clone()),
        environment: Some(plan.environment.clone()),
        limit: LATELY,
        ..DeploymentFilter::default()
    };
    let found = or_nothing(desk.history.ledger().deployments().list(filter).await)?;
    // A way back skips pause and bake: its time says nothing of the way forward.
    let alike = found.iter().filter(|one| one.rollback == plan.options.rollback);
    Ok((alike.filter_map(past).take(OUTCOMES).collect(), found.iter().filter_map(acting).collect()))
}

fn past(one: &Deployment) -> Option<Past> {
    let word = match one.state {
        State::Good => "good",
        State::Failed => "failed",
        State::Unwound => "taken back",
        State::Waiting | State::Running | State::Parked => return None,
    };
    let took = (one.finished? - one.started?).to_std().ok()?;
    Some(Past { word, is_good: one.state == State::Good, took })
}

fn acting(one: &Deployment) -> Option<String> {
    let age = since(one.asked, Utc::now());
    let by = clean_line(&one.by);
    match one.state {
        State::Running => Some(format!("deployment {} by {by} is under way for {age}", one.id)),
        State::Parked => Some(format!("deployment {} by {by} is parked: resume or unwind it first", one.id)),
        State::Waiting => Some(format!("deployment {} by {by} waits for approval since {age}", one.id)),
        State::Good | State::Failed | State::Unwound => None,
    }
}

/// Where this build is good, in the template's order: elsewhere, and here when it is gone back to.
pub(super) async fn good(desk: &Desk, aim: &Aim, plan: &Plan) -> Result<Vec<Good>, Failure> {
    let mut found = Vec::new();
    for environment in aim.template.environments.keys() {
        if *environment == plan.environment && !plan.options.rollback {
            continue;
        }
        let good = or_nothing(desk.history.ledger().deployments().good(&plan.app, environment).await)?;
        let newest = good.into_iter().find(|good| good.release.version == plan.release.version);
        found.extend(newest.map(|good| Good { environment: environment.clone(), since: good.at }));
    }
    Ok(found)
}

/// The commits between what runs and what will. `None`: the versions are of no commits, or our copy of the repository does not have them.
pub(super) async fn commits(desk: &Desk, plan: &Plan) -> Option<Commits> {
    let from = plan.from.iter().find(|from| from.version != plan.release.version)?;
    let named = Named::find(&desk.sources.config, plan.app.as_str()).ok()?;
    let [old, new] = [commit(&from.version)?, commit(&plan.release.version)?];
    let (old, new) = (named.repository.resolve(Some(old)).await.ok()?, named.repository.resolve(Some(new)).await.ok()?);
    let forward = named.repository.between(&old, &new, COMMITS + 1).await.ok()?;
    let backwards = forward.is_empty();
    let found = if backwards { named.repository.between(&new, &old, COMMITS + 1).await.ok()? } else { forward };
    let list = found.iter().take(COMMITS).map(|one| Commit { author: clean_line(&one.author), subject: clean_line(&one.subject) });
    Some(Commits { list: list.collect(), more: found.len() > COMMITS, backwards })
}

/// Requests that the old ones have not answered yet. A balancer that does not answer is told of in the plan's own notes.
pub(super) async fn in_flight(stage: &Stage, plan: &Plan, observed: &Observed) -> BTreeMap<(HostId, ServiceName), u32> {
    let mut found = BTreeMap::new();
    for service in plan.services.iter().filter(|service| service.changes.iter().any(Change::is_change)) {
        let Some(traffic) = &service.traffic else { continue };
        let Ok(backend) = stage.balancer(&traffic.lb, &traffic.backend).await else { continue };
        for change in &service.changes {
            let Some(Sight::Seen(view)) = observed.hosts.get(&change.host) else { continue };
            let old = change.outgoing.as_ref().and_then(|old| view.instances.iter().find(|instance| instance.id == old.id));
            let port = old.and_then(|old| old.port(traffic.port, Protocol::Tcp));
            let Some(at) = view.address.zip(port).map(|(address, port)| SocketAddr::new(address, port)) else { continue };
            if let Some(slot) = backend.slots.iter().find(|slot| slot.address == Some(at)) {
                *found.entry((change.host.clone(), service.service.clone())).or_default() += slot.sessions;
            }
        }
    }
    found
}
