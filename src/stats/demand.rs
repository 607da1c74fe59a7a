//! What is to be measured: what a screen shows or a rule needs, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::fleet::{ContainerId, ContainerKey, HostId};

/// What is to be measured on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The containers that somebody looks at, in the order in which they matter.
    pub near: Vec<ContainerId>,
    /// Those that only a sum needs.
    pub rest: Vec<ContainerId>,
    /// None of them more often than this, in milliseconds.
    pub every_ms: u32,
    /// Whether the host's own figures are wanted.
    pub machine: bool,
}

impl Demand {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.near.is_empty() && self.rest.is_empty() && !self.machine
    }

    /// No container more often than this.
    pub fn every(&self) -> Duration {
        Duration::from_millis(u64::from(self.every_ms))
    }
}

/// What a panel, or a rule, wants measured anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The containers that somebody looks at, in the order in which they matter.
    pub near: Vec<ContainerKey>,
    /// Those that only a sum needs. What is in both is near.
    pub rest: Vec<ContainerKey>,
    /// The hosts whose own figures are wanted.
    pub machines: Vec<HostId>,
    /// None of the containers more often than this.
    pub every: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { near: Vec::new(), rest: Vec::new(), machines: Vec::new(), every: Duration::from_secs(5) }
    }
}

impl Wanted {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.near.is_empty() && self.rest.is_empty() && self.machines.is_empty()
    }

    /// Adds what another wants; the more impatient of the two decides.
    pub fn merge(&mut self, other: Wanted) {
        if other.is_empty() {
            return;
        }
        self.every = if self.is_empty() { other.every } else { self.every.min(other.every) };
        self.near.extend(other.near);
        self.rest.extend(other.rest);
        self.machines.extend(other.machines);
    }

    /// Host by host; each container once.
    pub fn by_host(&self) -> BTreeMap<HostId, Demand> {
        let every_ms = u32::try_from(self.every.as_millis()).unwrap_or(u32::MAX);
        let mut demands: BTreeMap<HostId, Demand> = BTreeMap::new();
        let mut seen: BTreeSet<&ContainerKey> = BTreeSet::new();
        fn of<'d>(demands: &'d mut BTreeMap<HostId, Demand>, host: &HostId, every_ms: u32) -> &'d mut Demand {
            demands.entry(host.clone()).or_insert_with(|| Demand { every_ms, ..Demand::default() })
        }
        for key in &self.near {
            if seen.insert(key) {
                of(&mut demands, &key.host, every_ms).near.push(key.id.clone());
            }
        }
        for key in &self.rest {
            if seen.insert(key) {
                of(&mut demands, &key.host, every_ms).rest.push(key.id.clone());
            }
        }
        for host in &self.machines {
            of(&mut demands, host, every_ms).machine = true;
        }
        demands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(host: &str, id: &str) -> ContainerKey {
        ContainerKey { host: host.into(), id: id.into() }
    }

    #[test]
    fn each_container_is_wanted_once_and_nearest() {
        let mut wanted = Wanted { near: vec![key("a", "2"), key("a", "1")], every: Duration::from_secs(5), ..Wanted::default() };
        wanted.merge(Wanted {
            rest: vec![key("a", "1"), key("a", "3"), key("b", "9")],
            every: Duration::from_secs(2),
            ..Wanted::default()
        });
        wanted.merge(Wanted { machines: vec!["c".into()], every: Duration::from_secs(9), ..Wanted::default() });
        wanted.merge(Wanted { every: Duration::from_millis(1), ..Wanted::default() });
        let demands = wanted.by_host();
        let a = Demand { near: vec!["2".into(), "1".into()], rest: vec!["3".into()], every_ms: 2000, machine: false };
        assert_eq!(demands[&HostId::new("a")], a);
        assert_eq!(demands[&HostId::new("b")].rest.len(), 1);
        assert_eq!(demands[&HostId::new("c")], Demand { every_ms: 2000, machine: true, ..Demand::default() });
        assert!(Wanted::default().by_host().is_empty());
    }
}
