//! Under which address a service is reached by those that need it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use super::{PlanError, hosts::Cast, make::Request};
use crate::{
    delivery::{observed::BoundPort, release::address_variable, spec::RenderedService},
    fleet::{HostId, ServiceName},
};

/// Where services are reached from other hosts, filled in the order of their start.
#[derive(Debug, Default)]
pub(super) struct Links {
    outside: BTreeMap<(ServiceName, HostId), (IpAddr, u16)>,
}

/// What is known of a needed service.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    Known(Arc<str>),
    /// All of its hosts are out.
    Silent,
}

impl Links {
    /// A container of `service` on `host` publishes this first port there.
    pub(super) fn add(&mut self, service: &ServiceName, host: &HostId, address: Option<IpAddr>, port: Option<u16>) {
        if let (Some(address), Some(port)) = (address, port) {
            self.outside.entry((service.clone(), host.clone())).or_insert((address, port));
        }
    }

    /// The same for one that is there.
    pub(super) fn add_bound(&mut self, service: &ServiceName, host: &HostId, address: Option<IpAddr>, ports: &[BoundPort]) {
        self.add(service, host, address, ports.first().map(|port| port.host));
    }

    /// How `from` on `host` reaches `needs`: by name where both are on one host, else by address.
    pub(super) fn to(
        &self,
        request: &Request<'_>,
        cast: &Cast<'_>,
        from: &ServiceName,
        needs: &ServiceName,
        host: &HostId,
    ) -> Result<Link, PlanError> {
        let Some(needed) = request.rendered.services.get(needs) else { return Ok(Link::Silent) };
        if needed.hosts.contains(host) {
            let inside = needed.spec.ports.first().map(|port| port.container);
            return Ok(Link::Known(inside.map_or_else(|| needs.as_str().into(), |port| format!("{needs}:{port}").into())));
        }
        let known = needed.hosts.iter().find_map(|host| self.outside.get(&(needs.clone(), host.clone())));
        match (known, needed.hosts.iter().find(|host| cast.views.contains_key(*host))) {
            (Some((IpAddr::V6(address), port)), _) => Ok(Link::Known(format!("[{address}]:{port}").into())),
            (Some((address, port)), _) => Ok(Link::Known(format!("{address}:{port}").into())),
            (None, Some(seen)) => Err(PlanError::NotReached { service: from.clone(), needs: needs.clone(), host: seen.clone() }),
            (None, None) => Ok(Link::Silent),
        }
    }
}

/// Adds the variables of everything that is needed.
pub(super) fn add_addresses(
    vars: &mut BTreeMap<Arc<str>, Arc<str>>,
    warnings: &mut Vec<Arc<str>>,
    (request, cast, links): (&Request<'_>, &Cast<'_>, &Links),
    (from, needs, host): (&ServiceName, &[ServiceName], &HostId),
) -> Result<(), PlanError> {
    for needed in needs {
        match links.to(request, cast, from, needed, host)? {
            Link::Known(address) => drop(vars.insert(address_variable(needed), address)),
            Link::Silent => {
                warnings.push(format!("{from} on {host} gets no {}: no host of {needed} takes part", address_variable(needed)).into())
            }
        }
    }
    Ok(())
}

/// Whether services of other hosts hold this one's address: then its port must stay.
pub(super) fn is_reached(request: &Request<'_>, name: &ServiceName, service: &RenderedService) -> bool {
    let from_elsewhere =
        |other: &RenderedService| other.spec.needs.contains(name) && other.hosts.iter().any(|host| !service.hosts.contains(host));
    service.spec.traffic.is_none() && request.rendered.services.values().any(from_elsewhere)
}
