//! What an environment is to run: the spec, its revision put over it, and today's word on where.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;

use crate::{
    delivery::spec::{JobSpec, Policy, Rendered, RenderedService, Revision, ServicePatch, ServiceSpec, Spec},
    fleet::{EnvironmentId, ServiceName},
};

/// Renders a spec for an environment. The three may be of different days: the spec and the revision are the release's, the policy is
/// today's. What a revision or a policy says of a service that the spec has not is left out.
///
/// Variables: the service's < the environment's < the environment's of this service. Everything else is replaced as a whole.
pub fn render(spec: &Spec, environment: &EnvironmentId, revision: &Revision, policy: &Policy) -> Rendered {
    let mut services = IndexMap::with_capacity(spec.services.len());
    for name in start_order(&spec.services) {
        let Some(written) = spec.services.get(&name) else { continue };
        let mut service = written.clone();
        service.vars.extend(revision.vars.clone());
        if let Some(patch) = revision.services.get(&name) {
            put(&mut service, patch);
        }
        if let Some(traffic) = policy.service_traffic.get(&name) {
            service.traffic = traffic.clone();
        }
        let hosts = policy.service_hosts.get(&name).unwrap_or(&policy.hosts).clone();
        services.insert(name, RenderedService { spec: service, hosts });
    }
    let jobs = spec.jobs.iter().map(|(name, job)| (name.clone(), job_of(job, revision))).collect();
    Rendered { app: spec.app.clone(), environment: environment.clone(), config: revision.hash(), services, jobs }
}

/// A job has no overrides of its own: the environment's variables are stronger than its own.
fn job_of(job: &JobSpec, revision: &Revision) -> JobSpec {
    let mut job = job.clone();
    job.vars.extend(revision.vars.clone());
    job
}

/// Puts what is said anew over a service.
pub(super) fn put(service: &mut ServiceSpec, patch: &ServicePatch) {
    let ServicePatch { vars, secrets, command, ports, volumes, memory, cpus, restart, per_host, health, stop, logs } = patch.clone();
    service.vars.extend(vars);
    service.secrets = secrets.unwrap_or_else(|| std::mem::take(&mut service.secrets));
    service.command = command.or_else(|| service.command.take());
    service.ports = ports.unwrap_or_else(|| std::mem::take(&mut service.ports));
    service.volumes = volumes.unwrap_or_else(|| std::mem::take(&mut service.volumes));
    service.memory = memory.or(service.memory);
    service.cpus = cpus.or(service.cpus);
    service.restart = restart.unwrap_or(service.restart);
    service.per_host = per_host.unwrap_or(service.per_host);
    service.health = health.or_else(|| service.health.take());
    service.stop = stop.unwrap_or(service.stop);
    service.logs = logs.or_else(|| service.logs.take());
}

/// The order in which services start: what one needs before it, then by `start`, then as written.
///
/// Total: of services that need each other in a circle, which no checked template has, the first by `start` goes first.
pub fn start_order(services: &IndexMap<ServiceName, ServiceSpec>) -> Vec<ServiceName> {
    let mut waiting: BTreeMap<(i32, usize), &ServiceName> =
        services.iter().enumerate().map(|(index, (name, spec))| ((spec.start, index), name)).collect();
    let mut started: HashSet<&ServiceName> = HashSet::with_capacity(services.len());
    let mut order = Vec::with_capacity(services.len());
    while let Some(first) = waiting.first_key_value().map(|(place, _)| *place) {
        let is_ready = |name: &ServiceName| {
            let needs = services.get(name).map_or(&[][..], |spec| &spec.needs);
            needs.iter().all(|need| started.contains(need) || need == name || !services.contains_key(need))
        };
        let next = waiting.iter().find(|(_, name)| is_ready(name)).map_or(first, |(place, _)| *place);
        if let Some(name) = waiting.remove(&next) {
            started.insert(name);
            order.push(name.clone());
        }
    }
    order
}
