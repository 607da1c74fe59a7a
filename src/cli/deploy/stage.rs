//! The hosts of a deployment, reached and looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
};

use futures_util::future::join_all;

use crate::{
    cli::{exit::Failure, fleet::Sources},
    config::{BalancerConfig, BalancerKind},
    delivery::{
        observed::{Observed, Sight},
        plan::{Change, Plan, ServicePlan, Speed},
        seal::{self, Seals},
        spec::Policy,
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{StateDir, audit::Who},
    rights::Rights,
    run::{
        Holder, PortError,
        engine_port::{EnginePort, RunHost, RunLinks},
        secrets,
    },
    traffic::{Backend, Balancers, Ground, RunTraffic},
};

/// Everything that a run acts through.
pub(in crate::cli) struct Stage {
    pub(in crate::cli) port: EnginePort<RunTraffic>,
    pub(super) holder: Holder,
    /// Secrets by name; none for who only looks.
    pub(super) values: Values,
    /// Keyed hashes of the secrets as they are now; empty for who only looks.
    pub(super) sealed: Seals,
    pub(super) known: BTreeSet<HostId>,
    /// Hosts that the configuration says to be the environment's: something may be left on one that the template names no more.
    also: Vec<HostId>,
    /// Balancers that forget every switch when they restart.
    forgetful: BTreeSet<Arc<str>>,
}

/// Secrets by name.
pub(super) type Values = BTreeMap<Arc<str>, Arc<str>>;

/// Some bits that nobody else draws at the same moment.
pub(super) fn random() -> u64 {
    // Each of these is seeded by the operating system.
    RandomState::new().build_hasher().finish()
}

impl Stage {
    /// For one app in one environment. Who only looks needs no secrets.
    pub(in crate::cli) fn new(sources: &Sources, app: &AppName, environment: &EnvironmentId, acts: bool) -> Result<Self, Failure> {
        let values = match sources.config.delivery.secrets.get(&(app.clone(), environment.clone())).filter(|_| acts) {
            Some(named) => secrets::resolve(named).map_err(Failure::failed)?,
            None => Values::new(),
        };
        Self::with(sources, app, environment, values)
    }

    /// The same with secrets that somebody else has looked up.
    ///
    /// # Errors
    /// When the key that seals them cannot be had.
    pub(super) fn with(sources: &Sources, app: &AppName, environment: &EnvironmentId, values: Values) -> Result<Self, Failure> {
        let sealed = match values.is_empty() {
            true => Seals::new(),
            false => {
                let key = StateDir::at(&sources.config.state).seal_key().map_err(Failure::failed)?;
                key.seal_all((app, environment), &values)
            }
        };
        let address = |host: &HostId| {
            let found = sources.config.hosts.iter().find(|config| config.id == *host)?;
            found.address.as_ref()?.parse().ok()
        };
        let host = |target: &crate::engine::Target| {
            let id = target.spec.id.clone();
            RunHost { address: address(&id), endpoint: target.endpoint.clone(), id }
        };
        let hosts: Vec<RunHost> = sources.targets.iter().map(host).collect();
        let known = hosts.iter().map(|host| host.id.clone()).collect();
        let who = Who::of_process();
        let machine = who.machine.as_deref().map(|machine| format!("@{machine}")).unwrap_or_default();
        let holder =
            Holder { who: format!("{}{machine} (pid {})", who.short(), who.pid).into(), nonce: format!("{:016x}", random()).into() };
        // One link to each host, for its engine and for the balancer beside it.
        let links = Arc::new(RunLinks::new(hosts, sources.rights.clone()));
        let ground: Arc<dyn Ground> = Arc::clone(&links) as _;
        let balancers = &sources.config.delivery.balancers;
        let fronts = balancers.iter().filter_map(|(lb, config)| Some((lb.as_str().into(), config.probe.as_deref()?.into())));
        let traffic = RunTraffic::new(Balancers::of(balancers, &ground, &sources.rights)).with_fronts(fronts.collect());
        let port = EnginePort::new(links, (app.clone(), environment.clone()), values.clone(), traffic);
        let port = port.with_logins(sources.logins.clone()).with_seals(sealed.clone());
        let own = sources.targets.iter().filter(|target| target.spec.environment.as_ref() == Some(environment));
        let also = own.map(|target| target.spec.id.clone()).collect();
        let forgets = |config: &BalancerConfig| config.kind == BalancerKind::Haproxy && config.persist.is_none();
        let forgetful = balancers.iter().filter(|(_, config)| forgets(config)).map(|(lb, _)| lb.as_str().into()).collect();
        Ok(Self { port, holder, values, sealed, known, also, forgetful })
    }

    /// A backend of a balancer as it is now.
    ///
    /// # Errors
    /// What the balancer says, or does not.
    pub(in crate::cli) async fn balancer(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        self.port.balancer().show(lb, backend).await
    }

    /// What a plan should say of the balancers and cannot know by itself.
    pub(super) async fn note_balancers(&self, plan: &mut Plan) {
        let changes = |service: &&ServicePlan| service.changes.iter().any(Change::is_change);
        let routes: BTreeSet<_> = plan
            .services
            .iter()
            .filter(changes)
            .filter_map(|service| service.traffic.as_ref())
            .map(|traffic| (Arc::clone(&traffic.lb), Arc::clone(&traffic.backend)))
            .collect();
        for (lb, backend) in routes {
            if self.forgetful.contains(&lb) {
                plan.warnings.push(format!("balancer {lb}: a restart of it undoes the switch: set `persist` in its configuration").into());
            }
            match self.balancer(&lb, &backend).await {
                Ok(found) if found.sticky => stick(plan, &lb, &backend),
                Ok(_) => {}
                Err(error) => plan.warnings.push(error.to_string().into()),
            }
        }
    }

    /// For a plan that is only shown: what the secrets are now, as far as this person may know. The plan holds without it; it only does not tell of
    /// containers that have older values.
    pub(super) fn learn_secrets(&mut self, sources: &Sources, place: (&AppName, &EnvironmentId)) {
        let Some(named) = sources.config.delivery.secrets.get(&(place.0.clone(), place.1.clone())) else { return };
        let Ok(Some(key)) = StateDir::at(&sources.config.state).known_seal_key() else { return };
        match sources.rights {
            Rights::Act => {}
            // Their commands are not for who only looks.
            Rights::View { .. } => return,
        }
        if let Ok(values) = secrets::resolve(named) {
            self.sealed = key.seal_all(place, &values);
        }
    }

    /// The environment's hosts that the configuration knows: those that the policy names, and those that are marked as the environment's.
    pub(in crate::cli) fn hosts<'a>(&'a self, policy: Option<&'a Policy>) -> BTreeSet<&'a HostId> {
        let named = policy.into_iter().flat_map(|policy| policy.hosts.iter().chain(policy.service_hosts.values().flatten()));
        named.chain(&self.also).filter(|host| self.known.contains(*host)).collect()
    }

    /// Which secrets are not what they were when this was asked for: what is made from here on gets today's.
    pub(super) fn changed_secrets(&self, plan: &Plan) -> Vec<String> {
        let seal::Compared { differ, unknown } = seal::compare(&plan.secrets, &self.sealed);
        let mut lines = Vec::new();
        if !differ.is_empty() {
            lines.push(format!("changed since it was asked for, and given anew to what is made from here on: {}", differ.join(", ")));
        }
        if !unknown.is_empty() {
            lines.push(format!(
                "cannot tell whether these secrets are what they were, as another state directory asked for it: {}",
                unknown.join(", ")
            ));
        }
        lines
    }

    /// What the environment's hosts have; all are asked at once.
    pub(super) async fn observe(&self, policy: &Policy) -> Observed {
        let looks = self.hosts(Some(policy)).into_iter().map(|host| async move {
            let sight = match self.port.view(host).await {
                Ok(view) => Sight::Seen(view),
                Err(error) => Sight::Lost(error.to_string().into()),
            };
            (host.clone(), sight)
        });
        Observed { hosts: join_all(looks).await.into_iter().collect(), ..Observed::default() }
    }
}

/// Clients that stick to their servers would still come to one that drains: it goes to maintenance at once, and its way back is longer.
fn stick(plan: &mut Plan, lb: &str, backend: &str) {
    let text = format!(
        "{backend} of {lb}: clients stick to their servers: the old ones go to maintenance at once, and the way back to them waits for a check"
    );
    plan.warnings.push(text.into());
    let of_it = |service: &&ServicePlan| service.traffic.as_ref().is_some_and(|traffic| *traffic.lb == *lb && *traffic.backend == *backend);
    let hosts: BTreeSet<_> =
        plan.services.iter().filter(of_it).flat_map(|service| &service.changes).map(|change| change.host.clone()).collect();
    for (_, speed) in plan.back.iter_mut().filter(|(host, speed)| hosts.contains(*host) && **speed == Speed::Flip) {
        *speed = Speed::Recheck;
    }
}
