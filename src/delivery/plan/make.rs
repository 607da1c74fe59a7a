//! The plan itself: services in the order of their start, container by container.

use std::{cmp::Reverse, collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use super::{
    Blueprint, Change, Incoming, JobPlan, Options, Plan, PlanError, ServicePlan, Speed, VerifyPlan,
    hosts::{Cast, nearest},
    links::{Links, add_addresses, is_reached},
    ports::PortBook,
    units::{Unit, changes},
};
use crate::{
    delivery::{
        observed::Observed,
        packed::pack,
        release::{DeploymentId, Names, Release, ReleaseId, label},
        seal::{self, Seals},
        spec::{Deliver, ImageSource, JobSpec, Order, Policy, Rendered, RenderedService, Restart, SecretUse, ServiceSpec, Verify},
        steps::Gate,
    },
    fleet::{HostId, ServiceName},
};

/// Everything that a plan is made from.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is to run.
    pub release: &'a Release,
    /// The release's spec and revision put together, on today's hosts.
    pub rendered: &'a Rendered,
    /// Today's.
    pub policy: &'a Policy,
    /// What runs.
    pub observed: &'a Observed,
    /// The id that it will have.
    pub deployment: &'a DeploymentId,
    /// What a person asks for.
    pub options: &'a Options,
    /// Hashes of today's secrets, as far as they are known.
    pub sealed: &'a Seals,
    /// For ports that we choose.
    pub ports: RangeInclusive<u16>,
    /// Who asks.
    pub by: &'a str,
    /// When, RFC 3339.
    pub at: &'a str,
    /// The audit's head at that moment; empty: there is none.
    pub audit: &'a str,
}

impl<'a> Request<'a> {
    pub(super) fn names(&self) -> Names<'a> {
        Names { app: &self.rendered.app, environment: &self.rendered.environment }
    }

    /// Whether this service is asked for.
    pub(super) fn wants(&self, service: &ServiceName) -> bool {
        self.options.service.as_ref().is_none_or(|only| only == service)
    }

    /// What stands on everything that this deployment makes.
    fn labels(&self, service: &str) -> BTreeMap<Arc<str>, Arc<str>> {
        let text = |text: &dyn std::fmt::Display| -> Arc<str> { text.to_string().into() };
        [
            (label::APP, text(&self.rendered.app)),
            (label::SERVICE, text(&service)),
            (label::ENVIRONMENT, text(&self.rendered.environment)),
            (label::VERSION, Arc::clone(&self.release.version)),
            (label::RELEASE, text(&self.release.id())),
            (label::DEPLOYMENT, text(self.deployment)),
            (label::CONFIG, self.release.config.as_str().into()),
            (label::BY, text(&self.by)),
            (label::AT, text(&self.at)),
            (label::AUDIT, text(&self.audit)),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (Arc::from(key), value))
        .collect()
    }

    /// A container that runs once.
    fn once(&self, name: &str, job: &JobSpec, vars: BTreeMap<Arc<str>, Arc<str>>) -> Result<Blueprint, PlanError> {
        let mut labels = self.labels(name);
        labels.insert(label::KIND.into(), "job".into());
        Ok(Blueprint {
            name: self.names().job(name, self.deployment),
            service: ServiceName::new(name),
            n: 1,
            image: self.release.image(&job.image)?,
            command: job.command.clone(),
            vars,
            secrets: job.secrets.clone(),
            ports: Vec::new(),
            mounts: Vec::new(),
            memory: job.memory,
            cpus: None,
            restart: Restart::No,
            stop: std::time::Duration::from_secs(10),
            logs: None,
            network: self.names().network(),
            alias: None,
            labels,
        })
    }

    /// One of a service's containers, without the ports that we choose.
    pub(super) fn blueprint(
        &self,
        service: &ServiceName,
        rendered: &RenderedService,
        n: u16,
        vars: BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<Blueprint, PlanError> {
        let spec = &rendered.spec;
        let mut labels = self.labels(service.as_str());
        let mut add = |key: &str, value: String| drop(labels.insert(key.into(), value.into()));
        add(label::N, n.to_string());
        if let Some(body) = pack(self.release) {
            add(label::BODY, body);
        }
        add(label::WANTED, (rendered.hosts.len() * usize::from(spec.per_host)).to_string());
        add(label::RESTART, super::super::observed::restart_word(spec.restart).to_owned());
        if let Some(traffic) = &spec.traffic {
            add(label::TRAFFIC, format!("{}/{}:{}", traffic.lb, traffic.backend, traffic.port));
        }
        if let Some(health) = spec.health.as_ref().and_then(|health| serde_json::to_string(health).ok()) {
            add(label::HEALTH, health);
        }
        let mounts: Vec<_> = spec.volumes.iter().map(|volume| super::Mount::of(volume, |name| self.names().volume(name))).collect();
        let written: Vec<_> = mounts.iter().filter(|mount| !mount.read_only).map(|mount| &*mount.source).collect();
        if !written.is_empty() {
            add(label::VOLUMES, written.join(","));
        }
        let sealed = seal::text(self.sealed, spec.secrets.iter().map(|secret| &secret.name));
        if !sealed.is_empty() {
            add(label::SEALED, sealed);
        }
        let mut blueprint = Blueprint {
            name: self.names().container(service, n, self.deployment),
            service: service.clone(),
            n,
            image: self.release.image(&spec.image)?,
            command: spec.command.clone(),
            vars,
            secrets: spec.secrets.clone(),
            ports: Vec::new(),
            mounts,
            memory: spec.memory,
            cpus: spec.cpus,
            restart: spec.restart,
            stop: spec.stop,
            logs: spec.logs.clone(),
            network: self.names().network(),
            alias: Some(service.as_str().into()),
            labels,
        };
        let made = blueprint.made(&spec.image, spec).to_string();
        blueprint.labels.insert(label::MADE.into(), made.into());
        Ok(blueprint)
    }
}

/// Makes a plan, or says why there is none.
///
/// # Errors
/// Every [`PlanError`].
pub fn plan(request: &Request<'_>) -> Result<Plan, PlanError> {
    let services = &request.rendered.services;
    if let Some(asked) = request.options.service.as_ref().filter(|asked| !services.contains_key(*asked)) {
        let near = nearest(asked.as_str(), services.keys().map(ServiceName::as_str)).map(ServiceName::new);
        return Err(PlanError::NoService { service: asked.clone(), near });
    }
    let cast = Cast::of(request)?;
    let mut book = PortBook::new(request.ports.clone());
    let (mut links, mut warnings, mut stale) = (Links::default(), Vec::new(), Vec::new());
    let mut plans: Vec<ServicePlan> = Vec::new();
    for (name, service) in services {
        if !request.wants(name) {
            for (host, view) in &cast.views {
                view.in_use(name).for_each(|instance| links.add_bound(name, host, view.address, &instance.ports));
            }
            continue;
        }
        let order = order(request, name, service)?;
        let mut unit = Unit {
            request,
            cast: &cast,
            name,
            service,
            order,
            links: &mut links,
            book: &mut book,
            warnings: &mut warnings,
            stale: &mut stale,
        };
        let changes = changes(&mut unit)?;
        plans.push(ServicePlan {
            service: name.clone(),
            wave: 0,
            order,
            stateful: is_stateful(&service.spec),
            traffic: service.spec.traffic.clone(),
            needs: service.spec.needs.clone(),
            gate: Gate::of(&service.spec),
            stop: service.spec.stop,
            changes,
        });
    }
    leave(request, &cast, &mut plans, &mut warnings);
    number_waves(&mut plans, services);
    warn_of_secrets(&plans, request, &mut warnings);
    let strategy = request.options.strategy.clone().unwrap_or_else(|| request.policy.strategy.clone());
    let mut plan = Plan {
        deployment: request.deployment.clone(),
        app: request.rendered.app.clone(),
        environment: request.rendered.environment.clone(),
        release: request.release.id(),
        from: from(&cast),
        options: request.options.clone(),
        hosts: cast.views.keys().cloned().collect(),
        out: cast.out.clone(),
        lost: lost(&plans),
        back: back(&plans, &strategy),
        services: plans,
        jobs: Vec::new(),
        verify: None,
        warnings,
        stale,
        strategy,
        secrets: request.sealed.clone(),
    };
    if !plan.is_nothing() {
        plan.jobs = jobs(request, &cast, &links, &mut plan.warnings)?;
        plan.verify = verify(request, &cast, &links, &mut plan.warnings)?;
    }
    Ok(plan)
}

/// Whether it writes to a volume.
pub(super) fn is_stateful(spec: &ServiceSpec) -> bool {
    spec.volumes.iter().any(|volume| !volume.read_only)
}

/// Start-first when nothing forbids it; whoever demands it against that is told why not.
fn order(request: &Request<'_>, name: &ServiceName, service: &RenderedService) -> Result<Order, PlanError> {
    let asked = request.options.strategy.as_ref().unwrap_or(&request.policy.strategy).order;
    let forbidden = match () {
        () if is_stateful(&service.spec) => Some("a volume that it writes to"),
        () if service.spec.ports.iter().any(|port| port.host.is_some()) => Some("a fixed port"),
        () if is_reached(request, name, service) => Some("an address that services of other hosts hold"),
        () => None,
    };
    match (asked, forbidden) {
        (Some(Order::StartFirst), Some(because)) => Err(PlanError::NoStartFirst { service: name.clone(), because }),
        (Some(Order::StopFirst), _) | (None, Some(_)) => Ok(Order::StopFirst),
        (Some(Order::StartFirst) | None, None) => Ok(Order::StartFirst),
    }
}

/// What runs and is in the release no more goes; what writes to a volume stays until a person takes it away.
fn leave(request: &Request<'_>, cast: &Cast<'_>, plans: &mut Vec<ServicePlan>, warnings: &mut Vec<Arc<str>>) {
    for (host, view) in &cast.views {
        for instance in view.instances.iter().filter(|instance| !instance.kept && request.wants(&instance.service)) {
            if request.rendered.services.contains_key(&instance.service) {
                continue;
            }
            if !instance.volumes.is_empty() {
                let volumes = instance.volumes.join(", ");
                warnings.push(format!("{} on {host} is not in the release; it writes to {volumes} and stays", instance.name).into());
                continue;
            }
            let old = super::Old::of(instance);
            let change =
                Change { host: host.clone(), n: instance.n, reasons: Vec::new(), outgoing: Some(old.clone()), incoming: None, keeps: None };
            match plans.iter_mut().find(|plan| plan.service == instance.service) {
                Some(plan) => plan.changes.push(change),
                None => plans.push(ServicePlan {
                    service: instance.service.clone(),
                    wave: 0,
                    order: Order::StopFirst,
                    stateful: false,
                    traffic: None,
                    needs: Vec::new(),
                    gate: old.gate,
                    stop: std::time::Duration::from_secs(10),
                    changes: vec![change],
                }),
            }
        }
    }
}

/// A new wave begins where a service needs one of the wave before it, or starts later by number.
fn number_waves(plans: &mut [ServicePlan], services: &indexmap::IndexMap<ServiceName, RenderedService>) {
    let (mut wave, mut start, mut inside) = (0, None, Vec::new());
    for plan in plans {
        // What only goes comes last.
        let own = services.get(&plan.service).map_or(i32::MAX, |service| service.spec.start);
        if plan.needs.iter().any(|needed| inside.contains(needed)) || start.is_some_and(|start| own != start) {
            wave += 1;
            inside.clear();
        }
        start = Some(own);
        inside.push(plan.service.clone());
        plan.wave = wave;
    }
}

fn from(cast: &Cast<'_>) -> Vec<ReleaseId> {
    let mut counts: BTreeMap<&ReleaseId, usize> = BTreeMap::new();
    for instance in cast.views.values().flat_map(|view| &view.instances).filter(|instance| !instance.kept) {
        if let Some(release) = &instance.release {
            *counts.entry(release).or_default() += 1;
        }
    }
    let mut found: Vec<_> = counts.into_iter().collect();
    found.sort_by_key(|(release, count)| (Reverse(*count), *release));
    found.into_iter().map(|(release, _)| release.clone()).collect()
}

fn lost(plans: &[ServicePlan]) -> Vec<Arc<str>> {
    let mut lines = Vec::new();
    for plan in plans {
        for change in plan.changes.iter().filter(|change| change.outgoing.is_some()) {
            let (service, host) = (&plan.service, &change.host);
            match (&change.incoming, plan.order) {
                (None, _) => lines.push(format!("{service} on {host}: goes, and nothing comes in its place").into()),
                (Some(Incoming::New { blueprint, .. }), Order::StopFirst) if plan.stateful => {
                    let written: Vec<_> = blueprint.mounts.iter().filter(|mount| !mount.read_only).map(|mount| &*mount.source).collect();
                    let data = written.join(", ");
                    lines.push(
                        format!("{service} on {host}: away while it is replaced; its data in {data} stays, as the new one leaves it")
                            .into(),
                    );
                }
                (Some(_), Order::StopFirst) => lines.push(format!("{service} on {host}: away while it is replaced").into()),
                (Some(_), Order::StartFirst) => {}
            }
        }
    }
    lines
}

/// How fast each host would be back: the slowest of its containers counts.
fn back(plans: &[ServicePlan], strategy: &crate::delivery::spec::StrategySpec) -> BTreeMap<HostId, Speed> {
    let mut speeds: BTreeMap<HostId, Speed> = BTreeMap::new();
    for plan in plans {
        for change in plan.changes.iter().filter(|change| change.is_change()) {
            let speed = match &change.outgoing {
                Some(_) if plan.traffic.is_some() && !strategy.keep_warm.is_zero() => Speed::Flip,
                Some(_) => Speed::Start,
                None => Speed::Impossible(format!("{} did not run there before", plan.service).into()),
            };
            let slowest = speeds.entry(change.host.clone()).or_insert_with(|| speed.clone());
            *slowest = speed.max(slowest.clone());
        }
    }
    speeds
}

fn warn_of_secrets(plans: &[ServicePlan], request: &Request<'_>, warnings: &mut Vec<Arc<str>>) {
    for plan in plans.iter().filter(|plan| plan.changes.iter().any(|change| change.incoming.is_some())) {
        let Some(service) = request.rendered.services.get(&plan.service) else { continue };
        let is_variable = |secret: &&SecretUse| secret.deliver == Deliver::Variable;
        let names: Vec<_> = service.spec.secrets.iter().filter(is_variable).map(|secret| &*secret.name).collect();
        if !names.is_empty() {
            let line = format!("{}: {} as variables: docker inspect on the host shows them", plan.service, names.join(", "));
            warnings.push(line.into());
        }
        if request.options.rollback && !service.spec.secrets.is_empty() {
            // Kept containers that were given others do not come back.
            let all = service.spec.secrets.iter().map(|secret| &*secret.name).collect::<Vec<_>>().join(", ");
            warnings.push(format!("{}: {all} with the values of today", plan.service).into());
        }
    }
}

fn jobs(request: &Request<'_>, cast: &Cast<'_>, links: &Links, warnings: &mut Vec<Arc<str>>) -> Result<Vec<JobPlan>, PlanError> {
    let Some(host) = first_host(request, cast) else { return Ok(Vec::new()) };
    let mut plans = Vec::new();
    // One service alone is no release of the app: its jobs belong to the whole. And they ran when the hosts that are owed it were away.
    let Options { rollback, only_owed, .. } = *request.options;
    for (name, job) in request.rendered.jobs.iter().filter(|_| request.options.service.is_none() && !rollback && !only_owed) {
        let mut vars = job.vars.clone();
        add_addresses(&mut vars, warnings, (request, cast, links), (&ServiceName::new(name), &job.needs, &host))?;
        if job.one_way {
            warnings.push(format!("job {name} cannot be undone: there is no automatic way back once it has run").into());
        }
        plans.push(JobPlan {
            name: Arc::clone(name),
            host: host.clone(),
            blueprint: Box::new(request.once(name, job, vars)?),
            needs: job.needs.clone(),
            when: job.when,
            one_way: job.one_way,
            timeout: job.timeout,
        });
    }
    Ok(plans)
}

fn verify(request: &Request<'_>, cast: &Cast<'_>, links: &Links, warnings: &mut Vec<Arc<str>>) -> Result<Option<VerifyPlan>, PlanError> {
    let services = &request.rendered.services;
    match &request.policy.verify {
        Some(Verify::Http { service, path, contains, timeout }) => {
            let port = services.get(service).and_then(|service| service.spec.ports.first()).map(|port| port.container);
            let Some(port) = port else {
                warnings.push(format!("verify: {service} has no port to ask").into());
                return Ok(None);
            };
            Ok(Some(VerifyPlan::Http {
                service: service.clone(),
                path: Arc::clone(path),
                port,
                contains: contains.clone(),
                timeout: *timeout,
            }))
        }
        Some(Verify::Command { command, image, timeout }) => {
            let first = || request.release.spec.images.keys().next().map(|name| ImageSource::Built(Arc::clone(name)));
            let (Some(image), Some(host)) = (image.clone().or_else(first), first_host(request, cast)) else { return Ok(None) };
            let job = JobSpec {
                image,
                command: Some(command.clone()),
                vars: BTreeMap::new(),
                secrets: Vec::new(),
                needs: Vec::new(),
                memory: None,
                timeout: *timeout,
                when: crate::delivery::spec::JobTime::After,
                one_way: false,
            };
            let mut vars = BTreeMap::new();
            let all: Vec<_> = services.keys().cloned().collect();
            // Not every service is reached from there; what is not has no variable.
            for service in &all {
                let one = std::slice::from_ref(service);
                let known = add_addresses(&mut vars, &mut Vec::new(), (request, cast, links), (&ServiceName::new("verify"), one, &host));
                drop(known);
            }
            let blueprint = Box::new(request.once("verify", &job, vars)?);
            Ok(Some(VerifyPlan::Command { host, blueprint, timeout: *timeout }))
        }
        None => Ok(None),
    }
}

/// The first of the environment's hosts that takes part.
fn first_host(request: &Request<'_>, cast: &Cast<'_>) -> Option<HostId> {
    request.policy.hosts.iter().find(|host| cast.views.contains_key(*host)).or_else(|| cast.views.keys().next()).cloned()
}
