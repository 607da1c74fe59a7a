//! What `apply` keeps sorted beside the rows, so that no query and no delta has to walk the fleet.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    container::{Container, ContainerState, Health, canonical_repository},
    identity::{IdentityOrigin, stem},
    ids::{ContainerKey, ServiceKey},
};

/// Containers that only their name names, of one repository and one name stem: siblings, wherever they live.
pub(super) type Group = (Arc<str>, Arc<str>);

/// The indices over all rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    services: BTreeMap<ServiceKey, BTreeSet<ContainerKey>>,
    groups: HashMap<Group, BTreeSet<ContainerKey>>,
    troubled: BTreeSet<ContainerKey>,
    total: usize,
    running: usize,
}

impl Index {
    pub fn add(&mut self, container: &Container) {
        let key = &container.key;
        self.services.entry(container.identity.service.clone()).or_default().insert(key.clone());
        if may_be_troubled(container) {
            self.troubled.insert(key.clone());
        }
        self.total += 1;
        self.running += usize::from(container.is_running());
    }

    pub fn remove(&mut self, container: &Container) {
        let key = &container.key;
        if let Some(members) = self.services.get_mut(&container.identity.service) {
            members.remove(key);
            if members.is_empty() {
                self.services.remove(&container.identity.service);
            }
        }
        self.troubled.remove(key);
        self.total -= 1;
        self.running -= usize::from(container.is_running());
    }

    /// Adds a member to a sibling group; the one other member, if this made two of one.
    pub fn join(&mut self, group: Group, key: &ContainerKey) -> Option<ContainerKey> {
        let members = self.groups.entry(group).or_default();
        let lone = (members.len() == 1).then(|| members.first().cloned()).flatten();
        members.insert(key.clone()).then_some(lone).flatten()
    }

    /// Removes a member from a sibling group; the one that is left alone by it.
    pub fn leave(&mut self, group: &Group, key: &ContainerKey) -> Option<ContainerKey> {
        let members = self.groups.get_mut(group)?;
        let was = members.remove(key);
        match members.len() {
            0 => {
                self.groups.remove(group);
                None
            }
            1 if was => members.first().cloned(),
            _ => None,
        }
    }

    /// Whether a group has more than one member.
    pub fn has_siblings(&self, group: &Group) -> bool {
        self.groups.get(group).is_some_and(|members| members.len() > 1)
    }

    pub fn services(&self) -> &BTreeMap<ServiceKey, BTreeSet<ContainerKey>> {
        &self.services
    }

    pub fn troubled(&self) -> &BTreeSet<ContainerKey> {
        &self.troubled
    }

    pub fn total(&self) -> usize {
        self.total
    }

    pub fn running(&self) -> usize {
        self.running
    }
}

/// The sibling group of a container that only its name names. A container started from a bare image id has siblings by that id.
pub(super) fn group_of(container: &Container) -> Option<Group> {
    if container.identity.origin != IdentityOrigin::Name {
        return None;
    }
    let repository = match canonical_repository(&container.image.repository) {
        "" => container.image_id.as_str(),
        named => named,
    };
    Some((repository.into(), stem(&container.name).into()))
}

/// Whether any rule could call the container troubled, now or as time passes. Everything else is never looked at for counts.
fn may_be_troubled(container: &Container) -> bool {
    !container.deaths.is_empty()
        || container.oom_killed == Some(true)
        || container.witness.oom.is_some()
        || container.witness.restarting.is_some()
        || matches!(container.health, Health::Unhealthy | Health::Starting)
        || matches!(container.state, ContainerState::Restarting | ContainerState::Dead)
        || container.state == ContainerState::Exited && container.exit_code != Some(0)
}
