//! Balancers and fleet, seen at one moment.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use futures_util::future::join_all;

use super::{
    super::{exit::Failure, fleet::Sources, gather::Watch},
    Deed,
};
use crate::{
    act::{Asks, Policy},
    fleet::{ContainerKey, EnvironmentId, HostId},
    ledger::LedgerError,
    run::journal::State,
    traffic::{
        Balancer, Balancers, Ground, Standing,
        drift::{Difference, Sight, Told, differences},
    },
};

/// Balancers and fleet.
pub struct View {
    pub(super) ground: Arc<dyn Ground>,
    pub(super) balancers: Vec<BalancerSeen>,
    pub(super) told: Vec<Told>,
    pub(super) sight: Sight,
    pub(super) differences: Vec<Difference>,
    /// The environments of the containers at each address.
    environments: BTreeMap<std::net::SocketAddr, EnvironmentId>,
}

/// One balancer.
pub struct BalancerSeen {
    pub(super) lb: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) port: Arc<dyn Balancer>,
    pub(super) persist: Option<PathBuf>,
    pub(super) standing: Option<Standing>,
    /// Why it was not seen.
    pub(super) error: Option<String>,
}

impl View {
    /// Looks at these balancers, or at all.
    pub async fn take(sources: &Sources, watch: &Watch, names: &[String]) -> Result<Self, Failure> {
        if sources.sim.is_some() {
            return Err(Failure::usage("simulated hosts have no balancer"));
        }
        let config = &sources.config.delivery.balancers;
        if config.is_empty() {
            return Err(Failure::usage(
                "no balancer is configured: [lb.edge] with kind = \"haproxy\", host and admin = \"unix:///run/haproxy/admin.sock\"",
            ));
        }
        let ground: Arc<dyn Ground> = Arc::new(watch.exec().clone());
        let all = Balancers::of(config, &ground, &sources.rights);
        for name in names {
            all.get(name).map_err(Failure::usage)?;
        }
        let chosen = all.iter().filter(|(lb, _)| names.is_empty() || names.iter().any(|name| **name == ***lb));
        let seen = join_all(chosen.map(|(lb, port)| look(lb, port))).await;
        let (mut balancers, mut told) = (Vec::new(), Vec::new());
        for (mut balancer, backends) in seen {
            balancer.persist = config.get(&*balancer.lb).and_then(|config| config.persist.clone());
            told.extend(backends.into_iter().map(|backend| Told { lb: Arc::clone(&balancer.lb), backend }));
            balancers.push(balancer);
        }
        let addresses = addresses(sources);
        let mut sight = Sight::of(watch.fleet(), &addresses);
        release_parked(sources, &mut sight).await?;
        let differences = differences(&told, &sight);
        let environment = |instance: &crate::traffic::drift::Instance| {
            let key = ContainerKey { host: instance.host.clone(), id: (&*instance.id).into() };
            Some((instance.address, watch.fleet().container(&key)?.identity.environment.clone()?))
        };
        let environments = sight.instances.iter().filter_map(environment).collect();
        Ok(Self { ground, balancers, told, sight, differences, environments })
    }

    /// The fleet's side.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// The balancers' side.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Whose address it is, seen now or not.
    pub fn host_at(&self, address: IpAddr) -> Option<&HostId> {
        self.sight.seen.get(&address).or_else(|| self.sight.unseen.get(&address))
    }

    pub(super) fn balancer(&self, lb: &str) -> Option<&BalancerSeen> {
        self.balancers.iter().find(|seen| *seen.lb == *lb)
    }

    /// What must be answered before these are done: in a guarded environment its name.
    pub fn asks(&self, verb: &str, deeds: &[Deed]) -> Asks {
        let guarded = Policy::default().guarded;
        let mut touched = deeds.iter().filter_map(|deed| self.environments.get(&deed.address));
        match touched.find(|environment| guarded.contains(*environment)) {
            Some(environment) => Asks::Word {
                word: environment.as_str().into(),
                because: format!("this is {environment}, {verb} moves its requests").into(),
            },
            None => Asks::Yes,
        }
    }
}

/// A parked run is at nothing: it keeps its lock so that nobody deploys over it, and a balancer that forgot what it did is mended first.
async fn release_parked(sources: &Sources, sight: &mut Sight) -> Result<(), Failure> {
    if sight.locked.is_empty() {
        return Ok(());
    }
    let deployments = sources.ledger()?.deployments();
    let mut parked = Vec::new();
    for (part, locked) in &sight.locked {
        let Some(id) = &locked.deployment else { continue };
        match deployments.find(id).await {
            Ok(found) if found.state == State::Parked => parked.push(part.clone()),
            // Another's ledger knows it: to us it is under way.
            Ok(_) | Err(LedgerError::NoDeployment(_) | LedgerError::Absent { .. }) => {}
            Err(error) => return Err(Failure::failed(error)),
        }
    }
    sight.locked.retain(|part, _| !parked.contains(part));
    Ok(())
}

async fn look(lb: &Arc<str>, port: &Arc<dyn Balancer>) -> (BalancerSeen, Vec<crate::traffic::Backend>) {
    let mut seen =
        BalancerSeen { lb: Arc::clone(lb), kind: port.kind(), port: Arc::clone(port), persist: None, standing: None, error: None };
    let found = match port.verify().await {
        Ok(standing) => {
            seen.standing = Some(standing);
            port.targets(None).await
        }
        Err(trouble) => Err(trouble),
    };
    let backends = found.unwrap_or_else(|trouble| {
        seen.error = Some(trouble.to_string());
        Vec::new()
    });
    (seen, backends)
}

/// Where the published ports of hosts are reached.
pub fn addresses(sources: &Sources) -> BTreeMap<HostId, IpAddr> {
    let one = |host: &crate::config::HostConfig| Some((host.id.clone(), host.address.as_ref()?.parse().ok()?));
    sources.config.hosts.iter().filter_map(one).collect()
}
