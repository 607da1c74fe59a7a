//! What differs between the slots of the balancers and the containers of the fleet, and what mends it. Pure.
//!
//! The fleet is the truth: what runs and is in use gets requests, what is kept warm gets none, and no slot sends to where nobody is. An
//! address that no host of ours has is other people's and left alone; a host that is not seen now is not judged.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use serde::Serialize;

use super::{
    Backend, Slot, free,
    slot::{SlotState, state_word},
};
use crate::{
    delivery::{observed::bound_ports, release::label, spec::Protocol},
    fleet::{Container, ContainerState, Fleet, HostId},
};

/// A published port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it is.
    pub host: HostId,
    /// The container's name.
    pub name: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Product and environment, where it is ours.
    pub part: Option<(Arc<str>, Arc<str>)>,
    /// Where the port is reached.
    pub address: SocketAddr,
    /// The balancer and its backend that the port was made for.
    pub route: Option<(Arc<str>, Arc<str>)>,
    /// Whether it is to get requests.
    pub duty: Duty,
}

/// What a container is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// It gets requests.
    Serves,
    /// A deployment keeps it running for a fast way back: none.
    Warm,
    /// It does not run: none.
    Off,
}

/// The fleet as far as it concerns balancers.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// What could be sent requests.
    pub instances: Vec<Instance>,
    /// Addresses of hosts that tell now what they have.
    pub seen: BTreeMap<IpAddr, HostId>,
    /// Addresses of hosts that do not.
    pub unseen: BTreeMap<IpAddr, HostId>,
    /// Products and environments in which a deployment is under way, and who holds the lock: what differs there is its business.
    pub locked: BTreeMap<(Arc<str>, Arc<str>), Locked>,
    /// Containers that ask for requests and can get none, and why.
    pub unreachable: Vec<(HostId, Arc<str>, Arc<str>)>,
}

/// A deployment under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Who carries it out.
    pub holder: Arc<str>,
    /// Its id.
    pub deployment: Option<Arc<str>>,
}

/// A backend of a balancer.
#[derive(Clone, Debug)]
pub struct Told {
    /// As in `[lb.NAME]`.
    pub lb: Arc<str>,
    /// As it is now.
    pub backend: Backend,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The balancer.
    pub lb: Arc<str>,
    /// Its backend.
    pub backend: Arc<str>,
    /// The slot; `None`: it has none.
    pub slot: Option<Arc<str>>,
    /// Where it sends to, or should.
    pub address: SocketAddr,
    /// The host of that address.
    pub host: Option<HostId>,
    /// The container there.
    pub container: Option<Arc<str>>,
    /// What is wrong.
    pub kind: Lack,
    /// What mends it.
    pub mend: Mend,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// It runs and no slot sends to it.
    Missing,
    /// It runs and its slot gets no requests.
    Resting,
    /// It runs and gets a part of its share only.
    Share(u16),
    /// Its slot gets requests and it does not run.
    Dead,
    /// It is kept for a way back and gets requests.
    Warm,
    /// A slot gets requests for an address of our hosts at which no container is.
    Stray,
    /// Two slots of a backend send to it.
    Twice,
    /// The backend that it was made for is not there.
    NoBackend,
}

/// What mends a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Mend {
    /// Fill this slot, or take it as it is, and send it requests.
    Admit {
        /// Which.
        slot: Arc<str>,
    },
    /// Send it nothing new.
    Drain {
        /// Which.
        slot: Arc<str>,
    },
    /// To maintenance.
    Remove {
        /// Which.
        slot: Arc<str>,
    },
    /// Its whole share.
    Weigh {
        /// Which.
        slot: Arc<str>,
    },
    /// Nothing that we do; what a person can.
    ByHand {
        /// The remedy.
        remedy: Arc<str>,
    },
}

impl Sight {
    /// What a fleet shows. `addresses`: where the published ports of hosts are reached.
    pub fn of(fleet: &Fleet, addresses: &BTreeMap<HostId, IpAddr>) -> Self {
        let mut sight = Self::default();
        for (host, address) in addresses {
            let live = fleet.host(host).is_some_and(|host| host.link.is_live() && host.listed);
            let known = if live { &mut sight.seen } else { &mut sight.unseen };
            known.insert(*address, host.clone());
        }
        for container in fleet.containers() {
            let part = container.label(label::APP).zip(container.label(label::ENVIRONMENT));
            let part = part.map(|(app, environment)| (Arc::from(app), Arc::from(environment)));
            if container.label(label::KIND) == Some("lock") {
                let holder = container.label(label::HOLDER).unwrap_or("someone").into();
                let deployment = container.label(label::DEPLOYMENT).map(Arc::from);
                sight.locked.extend(part.map(|part| (part, Locked { holder, deployment })));
            } else if container.label(label::KIND).is_none() {
                sight.take(container, part, addresses.get(&container.key.host));
            }
        }
        sight
    }

    fn take(&mut self, container: &Container, part: Option<(Arc<str>, Arc<str>)>, address: Option<&IpAddr>) {
        let host = &container.key.host;
        let route = container.label(label::TRAFFIC).and_then(route);
        let ports = published(container);
        let duty = match () {
            () if container.state != ContainerState::Running => Duty::Off,
            () if container.is_kept() => Duty::Warm,
            () => Duty::Serves,
        };
        if let Some((lb, _, inside)) = &route
            && duty == Duty::Serves
        {
            let why = match (address, ports.iter().any(|(private, _)| private == inside)) {
                (None, _) => Some(format!("balancer {lb} needs an `address` of host {host}")),
                (Some(_), false) => Some(format!("port {inside} is not published")),
                (Some(_), true) => None,
            };
            self.unreachable.extend(why.map(|why| (host.clone(), Arc::clone(&container.name), Arc::from(why))));
        }
        let Some(address) = address else { return };
        for (private, public) in ports {
            let route = route.as_ref().filter(|(_, _, inside)| *inside == private);
            self.instances.push(Instance {
                host: host.clone(),
                name: Arc::clone(&container.name),
                id: container.key.id.as_str().into(),
                part: part.clone(),
                address: SocketAddr::new(*address, public),
                route: route.map(|(lb, backend, _)| (Arc::clone(lb), Arc::clone(backend))),
                duty,
            });
        }
    }

    /// Addresses of those of ours that run: no slot with one of them is free.
    pub fn ours(&self) -> HashSet<SocketAddr> {
        self.instances.iter().filter(|instance| instance.duty != Duty::Off).map(|instance| instance.address).collect()
    }

    /// The container at an address: one that runs before one that does not.
    pub fn at(&self, address: SocketAddr) -> Option<&Instance> {
        self.instances.iter().filter(|instance| instance.address == address).min_by_key(|instance| instance.duty)
    }
}

/// `edge/shop_web:80`.
fn route(text: &str) -> Option<(Arc<str>, Arc<str>, u16)> {
    let (lb, rest) = text.split_once('/')?;
    let (backend, port) = rest.rsplit_once(':')?;
    Some((lb.into(), backend.into(), port.parse().ok()?))
}

/// Inside and outside of each TCP port; the label knows them also while it does not run.
fn published(container: &Container) -> BTreeSet<(u16, u16)> {
    let told = container.label(label::PORTS).map(bound_ports).unwrap_or_default();
    let told = told.into_iter().filter(|port| port.protocol == Protocol::Tcp).map(|port| (port.container, port.host));
    let listed = container.ports.iter().filter(|port| &*port.protocol == "tcp").filter_map(|port| Some((port.private, port.public?)));
    told.chain(listed).collect()
}

/// Everything that differs, and what mends it: in the order in which it is to be done, so that what is missing comes before what is taken
/// away.
pub fn differences(told: &[Told], sight: &Sight) -> Vec<Difference> {
    let ours = sight.ours();
    let mut found = Vec::new();
    for Told { lb, backend } in told {
        let mut seen = HashSet::new();
        for slot in &backend.slots {
            found.extend(judged(lb, backend, slot, sight, &mut seen));
        }
    }
    let mut taken: HashSet<(Arc<str>, Arc<str>, Arc<str>)> = HashSet::new();
    for instance in sight.instances.iter().filter(|instance| instance.duty == Duty::Serves) {
        let Some((lb, backend)) = &instance.route else { continue };
        let known = told.iter().find(|told| told.lb == *lb && told.backend.name == *backend);
        let is_told = |told: &Told| told.backend.slots.iter().any(|slot| slot.address == Some(instance.address));
        if known.is_some_and(is_told) || !sight.seen.contains_key(&instance.address.ip()) {
            continue;
        }
        // Of a balancer that did not answer nothing is known.
        if known.is_none() && !told.iter().any(|told| told.lb == *lb) {
            continue;
        }
        let (kind, mend) = match known {
            None => (Lack::NoBackend, by_hand(format!("add backend {backend} to {lb}, or mend `traffic` in the template"))),
            Some(told) => {
                let left: Vec<Slot> = told.backend.slots.iter().filter(|slot| !taken.contains(&key(lb, backend, slot))).cloned().collect();
                match free(&left, &ours) {
                    Some(slot) => {
                        taken.insert(key(lb, backend, slot));
                        (Lack::Missing, Mend::Admit { slot: Arc::clone(&slot.name) })
                    }
                    None => {
                        (Lack::Missing, by_hand(format!("backend {backend} has no free slot: add `server` lines to it, each with `check`")))
                    }
                }
            }
        };
        found.push(Difference {
            lb: Arc::clone(lb),
            backend: Arc::clone(backend),
            slot: None,
            address: instance.address,
            host: Some(instance.host.clone()),
            container: Some(Arc::clone(&instance.name)),
            kind,
            mend: unlocked(sight, instance, mend),
        });
    }
    found.sort_by_key(|difference| rank(&difference.mend));
    found
}

fn key(lb: &Arc<str>, backend: &Arc<str>, slot: &Slot) -> (Arc<str>, Arc<str>, Arc<str>) {
    (Arc::clone(lb), Arc::clone(backend), Arc::clone(&slot.name))
}

fn rank(mend: &Mend) -> u8 {
    match mend {
        Mend::Admit { .. } => 0,
        Mend::Weigh { .. } => 1,
        Mend::Drain { .. } => 2,
        Mend::Remove { .. } => 3,
        Mend::ByHand { .. } => 4,
    }
}

fn by_hand(remedy: String) -> Mend {
    Mend::ByHand { remedy: remedy.into() }
}

/// What a deployment is at is not touched.
fn unlocked(sight: &Sight, instance: &Instance, mend: Mend) -> Mend {
    match instance.part.as_ref().and_then(|part| Some((part, sight.locked.get(part)?))) {
        Some(((app, environment), Locked { holder, .. })) => {
            by_hand(format!("{app} in {environment} is locked by {holder}: wait for that deployment, or resume it"))
        }
        None => mend,
    }
}

fn judged(lb: &Arc<str>, backend: &Backend, slot: &Slot, sight: &Sight, seen: &mut HashSet<SocketAddr>) -> Option<Difference> {
    let address = slot.address.filter(|_| !slot.is_blank())?;
    let host = sight.seen.get(&address.ip())?;
    let instance = sight.at(address);
    let name = Arc::clone(&slot.name);
    let asleep = slot.state == SlotState::Maint;
    let twice = !asleep && !seen.insert(address);
    let (kind, mend) = match (instance.map(|instance| instance.duty), slot.state) {
        (_, SlotState::Ready | SlotState::Drain) if twice => (Lack::Twice, Mend::Remove { slot: name }),
        (None, SlotState::Ready | SlotState::Drain) => (Lack::Stray, Mend::Remove { slot: name }),
        (Some(Duty::Off), SlotState::Ready | SlotState::Drain) => (Lack::Dead, Mend::Remove { slot: name }),
        (Some(Duty::Warm), SlotState::Ready) => (Lack::Warm, Mend::Drain { slot: name }),
        (Some(Duty::Serves), SlotState::Drain) => (Lack::Resting, Mend::Admit { slot: name }),
        // Another slot may serve it: a slot in maintenance with an address of ours alone is what is left of an earlier life.
        (Some(Duty::Serves), SlotState::Maint) if !served(backend, address) && belongs(instance, lb, backend) => {
            (Lack::Resting, Mend::Admit { slot: name })
        }
        (Some(Duty::Serves), SlotState::Ready) if slot.share != 100 => (Lack::Share(slot.share), Mend::Weigh { slot: name }),
        (Some(Duty::Serves), SlotState::Ready | SlotState::Maint)
        | (Some(Duty::Warm), SlotState::Drain | SlotState::Maint)
        | (Some(Duty::Off) | None, SlotState::Maint) => return None,
    };
    Some(Difference {
        lb: Arc::clone(lb),
        backend: Arc::clone(&backend.name),
        slot: Some(Arc::clone(&slot.name)),
        address,
        host: Some(host.clone()),
        container: instance.map(|instance| Arc::clone(&instance.name)),
        kind,
        mend: match instance {
            Some(instance) => unlocked(sight, instance, mend),
            None => mend,
        },
    })
}

fn served(backend: &Backend, address: SocketAddr) -> bool {
    backend.slots.iter().any(|slot| slot.address == Some(address) && slot.state != SlotState::Maint)
}

fn belongs(instance: Option<&Instance>, lb: &Arc<str>, backend: &Backend) -> bool {
    instance.and_then(|instance| instance.route.as_ref()).is_some_and(|(to, group)| to == lb && *group == backend.name)
}

impl Difference {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let container = self.container.as_deref().unwrap_or("nobody");
        let host = self.host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
        let place = match &self.slot {
            Some(slot) => format!("{}/{slot}", self.backend),
            None => self.backend.to_string(),
        };
        match self.kind {
            Lack::Missing => format!("{container}{host} runs and has no slot in {place}"),
            Lack::Resting => format!("{container}{host} runs and {place} sends it nothing"),
            Lack::Share(share) => format!("{container}{host} gets {share} % of its share from {place}"),
            Lack::Dead => format!("{place} sends to {container}{host}, which does not run"),
            Lack::Warm => format!("{place} sends to {container}{host}, which is only kept for a way back"),
            Lack::Stray => format!("{place} sends to {}{host}, where no container is", self.address),
            Lack::Twice => format!("{place} sends to {container}{host} as another slot does"),
            Lack::NoBackend => format!("{container}{host} was made for {place}, which {} does not have", self.lb),
        }
    }

    /// What mends it, in words.
    pub fn remedy(&self) -> String {
        match &self.mend {
            Mend::Admit { slot } => format!("{}/{slot}: fill, check, {}", self.backend, state_word(SlotState::Ready)),
            Mend::Drain { slot } => format!("{}/{slot}: {}", self.backend, state_word(SlotState::Drain)),
            Mend::Remove { slot } => format!("{}/{slot}: {}", self.backend, state_word(SlotState::Maint)),
            Mend::Weigh { slot } => format!("{}/{slot}: its whole share", self.backend),
            Mend::ByHand { remedy } => remedy.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
