//! The fleet itself: hosts, containers, images, recent events; and [`Fleet::apply`], its only writer.
//!
//! Invariants: a row exists from the first sure word of it until the engine says it is gone: a lost link removes nothing. Every derived
//! fact (identity, version, digest, the indices) is current after each `apply`. No delta costs more than what it speaks of: a list costs
//! its host, an event one row, a link the rows of its host.

mod apply;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use super::{
    change::Change,
    container::{Container, canonical_repository},
    delta::ImageFact,
    event::{EngineEvent, EventKind},
    host::{Host, HostCost, HostSpec},
    identity::{self, Identity, IdentityOrigin, IdentityRule, Subject},
    ids::{ContainerId, ContainerKey, HostId, ImageId, ServiceKey, ServiceName},
    index::{Index, group_of},
    link::LinkState,
    recent::{EventLog, RECENT_EVENTS},
    row::{Row, looks_same},
    version,
};

/// Everything known of every host.
#[derive(Clone, Debug)]
pub struct Fleet {
    rooms: IndexMap<HostId, Room>,
    rules: Vec<IdentityRule>,
    index: Index,
    events: EventLog,
    revision: u64,
}

/// One host and all that lives there.
#[derive(Clone, Debug)]
struct Room {
    host: Host,
    rows: BTreeMap<ContainerId, Row>,
    images: HashMap<ImageId, ImageFact>,
    /// Who runs an image: whom a new fact about it concerns.
    users: HashMap<ImageId, BTreeSet<ContainerId>>,
    /// Containers that are gone, and since when: a late answer about one must not bring it back. Cleared by the next list.
    gone: HashMap<ContainerId, DateTime<Utc>>,
    /// When the newest applied list was asked for.
    listed_as_of: Option<DateTime<Utc>>,
}

impl Fleet {
    /// A fleet of these hosts, in this order, of which nothing is known yet. A name that occurs twice counts once.
    pub fn new(specs: Vec<HostSpec>, rules: Vec<IdentityRule>) -> Self {
        let rooms = specs.into_iter().map(|spec| (spec.id.clone(), Room::new(spec))).collect();
        Self { rooms, rules, index: Index::default(), events: EventLog::new(RECENT_EVENTS), revision: 0 }
    }

    /// Moves whenever something visible changed; equal revisions look equal.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A host.
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.rooms.get(id).map(|room| &room.host)
    }

    /// The hosts, in the order of the configuration.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.rooms.values().map(|room| &room.host)
    }

    /// A container.
    pub fn container(&self, key: &ContainerKey) -> Option<&Container> {
        self.rooms.get(&key.host)?.rows.get(&key.id).map(|row| &row.container)
    }

    /// All containers: host by host in the order of the configuration, by id within a host.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.rooms.values().flat_map(|room| room.rows.values().map(|row| &row.container))
    }

    /// The containers of one host, by id; none for an unknown host.
    pub fn containers_on(&self, host: &HostId) -> impl Iterator<Item = &Container> {
        self.rooms.get(host).into_iter().flat_map(|room| room.rows.values().map(|row| &row.container))
    }

    /// How many containers a host has, the last known while it is lost.
    pub fn container_count(&self, host: &HostId) -> usize {
        self.rooms.get(host).map_or(0, |room| room.rows.len())
    }

    /// The services in order, each with its containers.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &ServiceKey> {
        self.index.services().keys()
    }

    /// The containers of one service, by host name and id.
    pub fn containers_of<'a>(&'a self, service: &ServiceKey) -> impl Iterator<Item = &'a Container> {
        self.index.services().get(service).into_iter().flatten().filter_map(|key| self.container(key))
    }

    /// The few containers that some rule may call troubled; see [`trouble`](super::trouble).
    pub fn troubled(&self) -> impl Iterator<Item = &Container> {
        self.index.troubled().iter().filter_map(|key| self.container(key))
    }

    /// How many containers there are, and how many of them run.
    pub fn counts(&self) -> (usize, usize) {
        (self.index.total(), self.index.running())
    }

    /// What is known of an image on a host.
    pub fn image(&self, host: &HostId, id: &ImageId) -> Option<&ImageFact> {
        self.rooms.get(host)?.images.get(id)
    }

    /// The images known of a host, in no order.
    pub fn images_on(&self, host: &HostId) -> impl Iterator<Item = &ImageFact> {
        self.rooms.get(host).into_iter().flat_map(|room| room.images.values())
    }

    /// The recent events.
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// The identity rules in force.
    pub fn rules(&self) -> &[IdentityRule] {
        &self.rules
    }

    /// Which source named a container's app, service and environment, in words; see [`identity::explain`].
    pub fn explain(&self, key: &ContainerKey) -> Option<String> {
        let container = self.container(key)?;
        let subject = subject(&self.rooms.get(&key.host)?.host.spec, container);
        let siblings = group_of(container).is_some_and(|group| self.index.has_siblings(&group));
        Some(identity::explain(&subject, &self.rules, siblings))
    }

    /// Whom a container event is about: the row's identity, or for one that is gone what the event's own labels tell.
    pub fn identity_of(&self, event: &EngineEvent) -> Option<Identity> {
        if event.kind != EventKind::Container {
            return None;
        }
        let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
        if let Some(container) = self.container(&key) {
            return Some(container.identity.clone());
        }
        let host = &self.rooms.get(&event.host)?.host.spec;
        let image = super::ImageRef::parse(event.image.as_deref().unwrap_or_default());
        let subject = Subject { host, name: &event.name, image: &image, labels: &event.labels };
        Some(identity::identify(&subject, &self.rules, false))
    }

    fn row(&self, key: &ContainerKey) -> Option<&Row> {
        self.rooms.get(&key.host)?.rows.get(&key.id)
    }

    /// Puts a row in place of the old one (`None`: removes it), derives what follows from it, and keeps every index true. The one way in
    /// which rows change.
    fn settle(&mut self, host: &HostId, id: &ContainerId, row: Option<Row>, change: &mut Change) {
        let key = ContainerKey { host: host.clone(), id: id.clone() };
        let Some(room) = self.rooms.get_mut(host) else { return };
        let old = room.rows.remove(id);
        let old_group = old.as_ref().and_then(|old| group_of(&old.container));
        let new = row.map(|mut row| {
            room.derive(&mut row.container, old.as_ref().map(|old| &old.container), &self.rules);
            row
        });
        let new_group = new.as_ref().and_then(|new| group_of(&new.container));
        let mut regroup = Vec::new();
        if old_group != new_group {
            regroup.extend(old_group.and_then(|group| self.index.leave(&group, &key)));
            regroup.extend(new_group.clone().and_then(|group| self.index.join(group, &key)));
        }
        let siblings = new_group.as_ref().is_some_and(|group| self.index.has_siblings(group));
        let new = new.map(|mut row| {
            shorten(&mut row.container, siblings);
            row
        });

        // No index rests on anything that a row can change without looking different.
        let same = matches!((&old, &new), (Some(old), Some(new)) if looks_same(&old.container, &new.container));
        if let Some(old) = old.filter(|_| !same) {
            self.index.remove(&old.container);
            room.forget_user(&old.container);
            change.services.insert(old.container.identity.service);
            if new.is_none() {
                change.containers.remove(&key);
                change.removed.insert(key.clone());
            }
        }
        if let Some(new) = new {
            if !same {
                self.index.add(&new.container);
                room.users.entry(new.container.image_id.clone()).or_default().insert(id.clone());
                change.services.insert(new.container.identity.service.clone());
                change.removed.remove(&key);
                change.containers.insert(key);
            }
            room.rows.insert(id.clone(), new);
        }
        for other in regroup {
            let row = self.row(&other).cloned();
            self.settle(&other.host, &other.id, row, change);
        }
    }
}

impl Room {
    fn new(spec: HostSpec) -> Self {
        let host = Host {
            spec,
            link: LinkState::default(),
            engine: None,
            latency_us: None,
            heard: None,
            listed: false,
            cost: HostCost::default(),
        };
        Self { host, rows: BTreeMap::new(), images: HashMap::new(), users: HashMap::new(), gone: HashMap::new(), listed_as_of: None }
    }

    /// Digest, version and identity of a row, the last as if it had no sibling. What the old row already tells is not worked out again.
    fn derive(&self, container: &mut Container, old: Option<&Container>, rules: &[IdentityRule]) {
        let digest = self.digest_of(container);
        if container.digest.as_deref() != digest {
            container.digest = digest.map(Into::into);
        }
        let told = old.filter(|old| old.name == container.name && old.image == container.image && old.labels == container.labels);
        if !told.is_some_and(|old| old.digest == container.digest && old.image_id == container.image_id) {
            container.version = version::derive(&container.labels, &container.image, container.digest.as_deref(), &container.image_id);
        }
        if told.is_none() {
            container.identity = identity::identify(&subject(&self.host.spec, container), rules, false);
        }
    }

    /// The manifest digest of what it runs, in the repository it was started from; the least one where an engine knows several.
    fn digest_of<'a>(&'a self, container: &Container) -> Option<&'a str> {
        let repository = container.image.canonical_repository();
        let references = self.images.get(&container.image_id)?.repo_digests.iter().filter_map(|reference| reference.split_once('@'));
        references.filter(|(place, _)| canonical_repository(place) == repository).map(|(_, digest)| digest).min()
    }

    fn forget_user(&mut self, container: &Container) {
        if let Some(users) = self.users.get_mut(&container.image_id) {
            users.remove(&container.key.id);
            if users.is_empty() {
                self.users.remove(&container.image_id);
            }
        }
    }
}

fn subject<'a>(host: &'a HostSpec, container: &'a Container) -> Subject<'a> {
    Subject { host, name: &container.name, image: &container.image, labels: &container.labels }
}

/// Names a container that only its name names: by its stem when it has siblings.
fn shorten(container: &mut Container, siblings: bool) {
    if container.identity.origin == IdentityOrigin::Name {
        let name = if siblings { identity::stem(&container.name) } else { &container.name };
        if container.identity.service.service.as_str() != name {
            container.identity.service.service = ServiceName::new(name);
        }
    }
}

#[cfg(test)]
mod tests;
