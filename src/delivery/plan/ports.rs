//! Free ports of a host, out of the configured range.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::PlanError;
use crate::{
    delivery::{observed::HostView, spec::Protocol},
    fleet::HostId,
};

/// What is given away while a plan is made.
#[derive(Debug)]
pub(super) struct PortBook {
    range: RangeInclusive<u16>,
    given: BTreeMap<HostId, BTreeSet<(Protocol, u16)>>,
}

impl PortBook {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, given: BTreeMap::new() }
    }

    /// The lowest free one.
    pub(super) fn choose(&mut self, host: &HostId, view: &HostView, protocol: Protocol) -> Result<u16, PlanError> {
        let given = self.given.entry(host.clone()).or_default();
        let free = |port: &u16| {
            !given.contains(&(protocol, *port)) && !view.ports.iter().any(|taken| taken.protocol == protocol && taken.port == *port)
        };
        let Some(port) = self.range.clone().find(free) else {
            return Err(PlanError::NoPort { host: host.clone(), first: *self.range.start(), last: *self.range.end() });
        };
        given.insert((protocol, port));
        Ok(port)
    }

    /// Somebody has this one.
    pub(super) fn give(&mut self, host: &HostId, protocol: Protocol, port: u16) {
        self.given.entry(host.clone()).or_default().insert((protocol, port));
    }
}
