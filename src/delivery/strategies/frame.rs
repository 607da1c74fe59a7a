//! What all strategies have in common: images, networks and volumes first, jobs at their point, the proof at the end, then what is tidied up.

use std::{collections::BTreeSet, sync::Arc};

use super::{Script, Strategy, flip, unit::cool};
use crate::{
    delivery::{
        plan::{Blueprint, Incoming, JobPlan, MountKind, Plan, ServicePlan, VerifyPlan},
        spec::JobTime,
        steps::{Act, Draft, Phase, Route, Step, StepId, Watched},
    },
    fleet::{HostId, ServiceName},
};

/// All steps.
pub(super) fn script(plan: &Plan, strategy: &dyn Strategy) -> Script {
    let mut draft = Draft::default();
    draft.phase(Phase::Prepare);
    let mut at = prepare(plan, &mut draft);
    draft.phase(Phase::Change);
    let before: Vec<_> = plan.jobs.iter().filter(|job| job.when == JobTime::Before).collect();
    let needed = needed(plan, &before);
    let (first, rest): (Vec<_>, Vec<_>) = plan.services.iter().partition(|service| needed.contains(&service.service));
    if !before.is_empty() {
        at = waves(plan, strategy, &first, &mut draft, &at);
        at = standing(&first, &mut draft, &at);
        at = jobs(&before, &mut draft, &at);
        waves(plan, strategy, &rest, &mut draft, &at);
    } else {
        let all: Vec<_> = plan.services.iter().collect();
        waves(plan, strategy, &all, &mut draft, &at);
    }
    // From here on nothing waits in the background any more.
    at = draft.ends();
    draft.next_batch();
    let after: Vec<_> = plan.jobs.iter().filter(|job| job.when == JobTime::After).collect();
    at = jobs(&after, &mut draft, &at);
    draft.phase(Phase::Prove);
    at = prove(plan, &mut draft, &at);
    draft.phase(Phase::Clean);
    for stale in &plan.stale {
        let (host, container) = (&stale.host, &stale.container);
        let mut at = at.clone();
        // It may have been kept warm, and its slot waits for it.
        if let Some(traffic) = plan.service(&stale.service).and_then(|service| service.traffic.as_ref()) {
            let route = Route { lb: Arc::clone(&traffic.lb), backend: Arc::clone(&traffic.backend), port: traffic.port };
            at = vec![draft.push(Some(host), Some(&stale.service), &at, Act::Withdraw { route, container: container.clone() })];
        }
        draft.push(Some(host), Some(&stale.service), &at, Act::Remove { container: container.clone() });
    }
    let steps = draft.finish();
    // Numbered on from the others: one journal holds them all.
    let failed = failed(plan, steps.len());
    let mut draft = Draft::from(steps.len() + failed.len());
    draft.phase(Phase::Clean);
    cool(plan, &mut draft);
    Script { steps, failed, cool: draft.finish() }
}

fn failed(plan: &Plan, first: usize) -> Vec<Step> {
    let mut draft = Draft::from(first);
    draft.phase(Phase::Clean);
    let jobs_left: Vec<_> = plan.jobs.iter().filter(|job| job.when == JobTime::Failed).collect();
    jobs(&jobs_left, &mut draft, &[]);
    draft.finish()
}

/// Nothing that serves changes, and what takes long is done on all hosts before anything does.
fn prepare(plan: &Plan, draft: &mut Draft) -> Vec<StepId> {
    for host in &plan.hosts {
        let made: Vec<&Blueprint> = made(plan, host).collect();
        if made.is_empty() {
            continue;
        }
        let images: BTreeSet<_> = pulled(plan, host).collect();
        for image in images {
            draft.push(Some(host), None, &[], Act::Pull { image: Arc::clone(image) });
        }
        let networks: BTreeSet<_> = made.iter().map(|blueprint| &blueprint.network).collect();
        for name in networks {
            draft.push(Some(host), None, &[], Act::EnsureNetwork { name: Arc::clone(name) });
        }
        let own = made.iter().flat_map(|blueprint| &blueprint.mounts).filter(|mount| mount.kind == MountKind::Own);
        let volumes: BTreeSet<_> = own.map(|mount| &mount.source).collect();
        for name in volumes {
            draft.push(Some(host), None, &[], Act::EnsureVolume { name: Arc::clone(name) });
        }
    }
    draft.ends()
}

/// Everything that is made on a host.
fn made<'a>(plan: &'a Plan, host: &'a HostId) -> impl Iterator<Item = &'a Blueprint> {
    let services = plan.services.iter().flat_map(|service| &service.changes).filter(move |change| change.host == *host);
    let services = services.filter_map(|change| match &change.incoming {
        Some(Incoming::New { blueprint, .. }) => Some(&**blueprint),
        Some(Incoming::Back(_)) | None => None,
    });
    services.chain(once(plan, host))
}

/// What runs once on a host.
fn once<'a>(plan: &'a Plan, host: &'a HostId) -> impl Iterator<Item = &'a Blueprint> {
    let jobs = plan.jobs.iter().filter(move |job| job.host == *host).map(|job| &*job.blueprint);
    let verify = match &plan.verify {
        Some(VerifyPlan::Command { host: there, blueprint, .. }) if there == host => Some(&**blueprint),
        Some(VerifyPlan::Command { .. } | VerifyPlan::Http { .. }) | None => None,
    };
    jobs.chain(verify)
}

fn pulled<'a>(plan: &'a Plan, host: &'a HostId) -> impl Iterator<Item = &'a Arc<str>> {
    let services = plan.services.iter().flat_map(|service| &service.changes).filter(move |change| change.host == *host);
    let services = services.filter_map(|change| match &change.incoming {
        Some(Incoming::New { blueprint, pull: true }) => Some(&blueprint.image),
        Some(Incoming::New { pull: false, .. } | Incoming::Back(_)) | None => None,
    });
    services.chain(once(plan, host).map(|blueprint| &blueprint.image))
}

/// What jobs need, and what that needs.
fn needed(plan: &Plan, jobs: &[&JobPlan]) -> BTreeSet<ServiceName> {
    let mut found: BTreeSet<_> = jobs.iter().flat_map(|job| &job.needs).cloned().collect();
    loop {
        let further: Vec<_> = plan
            .services
            .iter()
            .filter(|service| found.contains(&service.service))
            .flat_map(|service| &service.needs)
            .filter(|needed| !found.contains(*needed))
            .cloned()
            .collect();
        if further.is_empty() {
            return found;
        }
        found.extend(further);
    }
}

fn waves(plan: &Plan, strategy: &dyn Strategy, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let mut at = after.to_vec();
    let numbers: BTreeSet<_> = services.iter().map(|service| service.wave).collect();
    for number in numbers {
        let changing =
            |service: &&&ServicePlan| service.wave == number && service.changes.iter().any(super::super::plan::Change::is_change);
        let wave = services.iter().filter(changing).copied();
        let (flips, wave): (Vec<_>, Vec<_>) = wave.partition(|service| flip::is_flip(plan, service));
        if !flips.is_empty() {
            at = flip::flip(plan, &flips, draft, &at);
        }
        if !wave.is_empty() {
            at = strategy.wave(plan, &wave, draft, &at);
        }
    }
    at
}

/// What a job needs and what is not changed must be well, too.
fn standing(services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let mut at = after.to_vec();
    for service in services {
        for change in &service.changes {
            if let Some(old) = &change.keeps {
                let act = Act::Gate { container: old.subject(), gate: service.gate.clone() };
                at.push(draft.push(Some(&change.host), Some(&service.service), after, act));
            }
        }
    }
    at
}

fn jobs(jobs: &[&JobPlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let mut at = after.to_vec();
    for job in jobs {
        draft.next_batch();
        at = vec![once_through(&job.host, &job.blueprint, (job.timeout, job.one_way), draft, &at)];
    }
    at
}

fn once_through(
    host: &HostId,
    blueprint: &Blueprint,
    (timeout, one_way): (std::time::Duration, bool),
    draft: &mut Draft,
    after: &[StepId],
) -> StepId {
    let act = Act::Job { blueprint: Box::new(blueprint.clone()), timeout, one_way };
    let ran = draft.push(Some(host), None, after, act);
    draft.push(Some(host), None, &[ran], Act::Remove { container: blueprint.subject() })
}

fn prove(plan: &Plan, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let mut at = after.to_vec();
    let new = plan.services.iter().flat_map(|service| service.changes.iter().map(move |change| (service, change)));
    let new: Vec<_> = new.filter_map(|(service, change)| Some((service, &change.host, change.incoming.as_ref()?.subject()))).collect();
    if !plan.options.rollback && !plan.strategy.bake.is_zero() && !new.is_empty() {
        let watched = |(service, host, container): &(&ServicePlan, &HostId, _)| Watched {
            host: (*host).clone(),
            container: Clone::clone(container),
            gate: service.gate.clone(),
        };
        let watch = new.iter().map(watched).collect();
        at = vec![draft.push(None, None, &at, Act::Bake { time: plan.strategy.bake, watch })];
    }
    match &plan.verify {
        Some(VerifyPlan::Http { service, path, port, contains, timeout }) => {
            let of_it = new.iter().filter(|(of, ..)| of.service == *service);
            let asked: Vec<_> = of_it
                .map(|(_, host, container)| {
                    let (container, path, contains) = (container.clone(), Arc::clone(path), contains.clone());
                    let act = Act::Verify { container, path, port: *port, contains, timeout: *timeout };
                    draft.push(Some(host), Some(service), &at, act)
                })
                .collect();
            if asked.is_empty() { at } else { asked }
        }
        Some(VerifyPlan::Command { host, blueprint, timeout }) => vec![once_through(host, blueprint, (*timeout, false), draft, &at)],
        None => at,
    }
}
