//! What one delta changed, so that readers rebuild only what it touched.

use std::collections::BTreeSet;

use super::ids::{ContainerKey, HostId, ServiceKey};

/// The visible outcome of [`Fleet::apply`](super::Fleet::apply). Empty sets mean: nothing on any screen looks different now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Hosts whose own row changed (link, engine, age of a lost one).
    pub hosts: BTreeSet<HostId>,
    /// Containers that are new or look different.
    pub containers: BTreeSet<ContainerKey>,
    /// Containers that are gone.
    pub removed: BTreeSet<ContainerKey>,
    /// Services with at least one container that changed, came, went, or whose host's link changed: what
    /// [`Matrix::update`](super::matrix::Matrix::update) wants. A container that moved to another service names both.
    pub services: BTreeSet<ServiceKey>,
    /// Whether the event log got a new entry. Not a visible change by itself: only a screen that shows events repaints for it.
    pub logged: bool,
}

impl Change {
    /// Whether any row of any host, container or service looks different: exactly then the fleet's revision moved.
    pub fn is_visible(&self) -> bool {
        !(self.hosts.is_empty() && self.containers.is_empty() && self.removed.is_empty() && self.services.is_empty())
    }

    /// Folds a later change into this one: how a loop gathers several deltas into one frame. A container that went and came back counts
    /// as changed, one that came and went as removed.
    pub fn merge(&mut self, later: Change) {
        for key in &later.containers {
            self.removed.remove(key);
        }
        for key in &later.removed {
            self.containers.remove(key);
        }
        self.hosts.extend(later.hosts);
        self.containers.extend(later.containers);
        self.removed.extend(later.removed);
        self.services.extend(later.services);
        self.logged |= later.logged;
    }
}
