//! Why there is no plan.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    delivery::release::NoImage,
    fleet::{HostId, ServiceName},
};

/// Why there is no plan. Each sentence says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The release is not whole.
    #[error(transparent)]
    NoImage(#[from] NoImage),
    /// Hosts that should take part do not answer.
    #[error("no answer from {}: wait for it, or go on with --without {}", named(.0), .0.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(" --without "))]
    Unreachable(Vec<(HostId, Arc<str>)>),
    /// Nothing is left to deploy to.
    #[error("no host is left: {0}")]
    NoHosts(&'static str),
    /// Somebody froze the environment.
    #[error("frozen by {holder} since {since}: {reason}: wait, thaw it, or give --override with a reason")]
    Frozen {
        /// Who.
        holder: Arc<str>,
        /// Since when.
        since: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// A service that the release does not have.
    #[error("there is no service {service:?} in the release{}", meant(.near))]
    NoService {
        /// As asked.
        service: ServiceName,
        /// The nearest one.
        near: Option<ServiceName>,
    },
    /// A host that the environment does not have.
    #[error("host {host:?} is not one of the environment's{}", meant(.near))]
    NoHost {
        /// As asked.
        host: HostId,
        /// The nearest one.
        near: Option<HostId>,
    },
    /// A name of ours is somebody else's.
    #[error("host {host:?}: a container named {name:?} is there without our labels: rename or remove it")]
    Foreign {
        /// Where.
        host: HostId,
        /// Which.
        name: Arc<str>,
    },
    /// A fixed port is somebody else's.
    #[error("host {host:?}: port {port} of service {service:?} is taken by another container: free it, or publish another port")]
    PortTaken {
        /// Where.
        host: HostId,
        /// Whose.
        service: ServiceName,
        /// Which.
        port: u16,
    },
    /// The range is full.
    #[error("host {host:?}: no port is free in {first}-{last}: widen `ports` in the configuration")]
    NoPort {
        /// Where.
        host: HostId,
        /// First of the range.
        first: u16,
        /// Last of the range.
        last: u16,
    },
    /// Another host's service cannot be reached.
    #[error(
        "service {service:?} needs {needs:?}, which runs on {host:?} without a published port or without an `address` of that host: give it a port and the host an address"
    )]
    NotReached {
        /// Who needs.
        service: ServiceName,
        /// Whom.
        needs: ServiceName,
        /// Where that is.
        host: HostId,
    },
    /// Two at once cannot be.
    #[error("service {service:?} cannot be replaced start-first: it has {because}: leave `order` out, or say stop-first")]
    NoStartFirst {
        /// Which.
        service: ServiceName,
        /// A volume, a port.
        because: &'static str,
    },
    /// Data stays where it is.
    #[error(
        "service {service:?} has its data in {volume:?} on {from:?}, and the template wants it on {to:?}: move the data by hand, then change `hosts`"
    )]
    WouldMove {
        /// Which.
        service: ServiceName,
        /// Its volume.
        volume: Arc<str>,
        /// Where the data is.
        from: HostId,
        /// Where it would go.
        to: HostId,
    },
}

fn named(hosts: &[(HostId, Arc<str>)]) -> String {
    hosts.iter().map(|(host, why)| format!("host {:?} ({why})", host.as_str())).collect::<Vec<_>>().join(", ")
}

fn meant<T: std::fmt::Debug>(near: &Option<T>) -> String {
    near.as_ref().map(|near| format!(": did you mean {near:?}?")).unwrap_or_default()
}
