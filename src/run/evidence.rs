//! What is kept of a failure before it is taken back: the containers that were at it, old and new, as their engine tells them and in their own
//! last words, with their health log and the balancer's figures. All of it comes through the port, which lets no secret pass.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use futures_util::future::join_all;

use super::{perform::Scene, port::Port, records::Records};
use crate::{
    delivery::{
        plan::Plan,
        release::label,
        steps::{Act, Step},
    },
    fleet::{ContainerSummary, HostId, ServiceName},
    traffic::Slot,
};

/// So much of each log.
const LINES: u32 = 2_000;

/// Keeps it; `None` when nothing could be kept, which is logged and changes nothing.
pub(super) async fn keep<P: Port, R: Records>(scene: &Scene<'_, P, R>, plan: &Plan, step: &Step, because: &str) -> Option<Arc<str>> {
    let services = services(plan, step);
    let mut files = vec![("failure.txt".to_owned(), format!("{}\n{}\n{because}\n", plan.headline(), step).into_bytes())];
    let of_hosts = hosts(plan, step).into_iter().map(|host| of_host(scene, plan, host, &services));
    files.extend(join_all(of_hosts).await.into_iter().flatten());
    files.extend(of_balancers(scene, plan, &services).await);
    match scene.records.bundle(scene.deployment, files).await {
        Ok(place) => Some(place),
        Err(error) => {
            tracing::warn!(deployment = %scene.deployment, %error, "the evidence is not kept");
            None
        }
    }
}

/// Where to look: at the step's host, or wherever what it watched is.
fn hosts<'a>(plan: &'a Plan, step: &'a Step) -> BTreeSet<&'a HostId> {
    match (&step.host, &step.act) {
        (Some(host), _) => BTreeSet::from([host]),
        (None, Act::Bake { watch, .. } | Act::Compare { new: watch, .. }) => watch.iter().map(|watched| &watched.host).collect(),
        (None, _) => plan.hosts.iter().collect(),
    }
}

/// At whose containers: the step's service and what that needs, or all that change.
fn services(plan: &Plan, step: &Step) -> BTreeSet<ServiceName> {
    let Some(service) = &step.service else { return plan.services.iter().map(|service| service.service.clone()).collect() };
    let needs = plan.service(service).into_iter().flat_map(|plan| &plan.needs);
    needs.chain([service]).cloned().collect()
}

async fn of_host<P: Port, R: Records>(
    scene: &Scene<'_, P, R>,
    plan: &Plan,
    host: &HostId,
    services: &BTreeSet<ServiceName>,
) -> Vec<(String, Vec<u8>)> {
    let all = match scene.port.containers(host).await {
        Ok(all) => all,
        Err(error) => return vec![(format!("{host}.txt"), format!("no answer: {error}\n").into_bytes())],
    };
    let ours = |found: &&ContainerSummary| {
        let label = |key: &str| found.labels.get(key).map(|label| &**label);
        // A job's container has its own name for a service.
        let is_asked = label(label::KIND) == Some("job") || label(label::SERVICE).is_some_and(|name| services.contains(name));
        label(label::APP) == Some(plan.app.as_str()) && label(label::ENVIRONMENT) == Some(plan.environment.as_str()) && is_asked
    };
    let mut files = Vec::new();
    for found in all.iter().filter(ours) {
        let name = format!("{host}-{}", found.name);
        let life = match scene.port.life(host, &found.id).await {
            Ok(Some(life)) => format!("{life:?}"),
            Ok(None) => "it is gone".to_owned(),
            Err(error) => format!("no answer: {error}"),
        };
        files.push((format!("{name}.txt"), format!("{} {} {}\n{life}\n", found.name, found.image, found.state).into_bytes()));
        match scene.port.document(host, &found.id).await {
            Ok(Some(document)) => {
                let pretty = format!("{document:#}\n");
                if let Some(health) = document.pointer("/State/Health/Log").filter(|log| log.as_array().is_some_and(|log| !log.is_empty()))
                {
                    files.push((format!("{name}.health.json"), format!("{health:#}\n").into_bytes()));
                }
                files.push((format!("{name}.inspect.json"), pretty.into_bytes()));
            }
            Ok(None) => {}
            Err(error) => files.push((format!("{name}.inspect.json"), format!("no answer: {error}\n").into_bytes())),
        }
        match scene.port.tail(host, &found.id, LINES).await {
            Ok(text) if text.is_empty() => {}
            Ok(text) => files.push((format!("{name}.log"), text.into_bytes())),
            Err(error) => files.push((format!("{name}.log"), format!("no log: {error}\n").into_bytes())),
        }
    }
    files
}

async fn of_balancers<P: Port, R: Records>(
    scene: &Scene<'_, P, R>,
    plan: &Plan,
    services: &BTreeSet<ServiceName>,
) -> Vec<(String, Vec<u8>)> {
    let groups: BTreeSet<_> = plan
        .services
        .iter()
        .filter(|service| services.contains(&service.service))
        .filter_map(|service| service.traffic.as_ref())
        .map(|traffic| (&traffic.lb, &traffic.backend))
        .collect();
    let mut files = Vec::new();
    for (lb, backend) in groups {
        let text = match scene.port.slots(lb, backend).await {
            Ok(found) => table(&found.slots),
            Err(error) => format!("no answer: {error}\n"),
        };
        files.push((format!("{lb}-{backend}.txt"), text.into_bytes()));
    }
    files
}

/// A balancer's figures, a line for each slot.
fn table(slots: &[Slot]) -> String {
    let mut text = "slot address state check sessions share requests failed latency-ms\n".to_owned();
    for slot in slots {
        let address = slot.address.map_or_else(|| "–".to_owned(), |address| address.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {address} {:?} {:?} {} {} {} {} {}",
            slot.name,
            slot.state,
            slot.check,
            slot.sessions,
            slot.share,
            slot.counters.requests,
            slot.counters.failed(),
            slot.latency_ms
        );
    }
    text
}
