//! The hosts of a deployment, reached and looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
};

use futures_util::future::join_all;

use crate::{
    cli::{exit::Failure, fleet::Sources},
    delivery::{
        observed::{Observed, Sight},
        spec::Policy,
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::audit::Who,
    run::{
        Holder,
        engine_port::{EnginePort, RunHost},
        secrets,
    },
    traffic::{Balancers, Ground, OwnLinks, RunTraffic},
};

/// Everything that a run acts through.
pub(super) struct Stage {
    pub(super) port: EnginePort<RunTraffic>,
    pub(super) holder: Holder,
    /// Secrets by name; none for who only looks.
    pub(super) values: Values,
    pub(super) known: BTreeSet<HostId>,
    /// Hosts that the configuration says to be the environment's: something may be left on one that the template names no more.
    also: Vec<HostId>,
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
    pub(super) fn new(sources: &Sources, app: &AppName, environment: &EnvironmentId, acts: bool) -> Result<Self, Failure> {
        let values = match sources.config.delivery.secrets.get(&(app.clone(), environment.clone())).filter(|_| acts) {
            Some(named) => secrets::resolve(named).map_err(Failure::failed)?,
            None => Values::new(),
        };
        Ok(Self::with(sources, app, environment, values))
    }

    /// The same with secrets that somebody else has looked up.
    pub(super) fn with(sources: &Sources, app: &AppName, environment: &EnvironmentId, values: Values) -> Self {
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
        // A balancer's host may be none of the environment's: its socket is reached over a link of its own.
        let endpoints = sources.targets.iter().map(|target| (target.spec.id.clone(), target.endpoint.clone())).collect();
        let ground: Arc<dyn Ground> = Arc::new(OwnLinks::new(endpoints, &sources.rights));
        let traffic = RunTraffic::new(Balancers::of(&sources.config.delivery.balancers, &ground, &sources.rights));
        let port = EnginePort::new(hosts, sources.rights.clone(), (app.clone(), environment.clone()), values.clone(), traffic);
        let own = sources.targets.iter().filter(|target| target.spec.environment.as_ref() == Some(environment));
        let also = own.map(|target| target.spec.id.clone()).collect();
        Self { port, holder, values, known, also }
    }

    /// What the environment's hosts have; all are asked at once.
    pub(super) async fn observe(&self, policy: &Policy) -> Observed {
        let hosts: BTreeSet<&HostId> = policy.hosts.iter().chain(policy.service_hosts.values().flatten()).chain(&self.also).collect();
        let looks = hosts.into_iter().filter(|host| self.known.contains(*host)).map(|host| async move {
            let sight = match self.port.view(host).await {
                Ok(view) => Sight::Seen(view),
                Err(error) => Sight::Lost(error.to_string().into()),
            };
            (host.clone(), sight)
        });
        Observed { hosts: join_all(looks).await.into_iter().collect(), ..Observed::default() }
    }
}
