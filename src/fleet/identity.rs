//! Which app, service and environment a container belongs to, and which rule said so.
//!
//! Order (design: Identity): `quarterdeck.*` labels > `[[identity]]` rules > compose > swarm labels > the
//! container's name less a replica suffix. Pure.

use serde::{Deserialize, Serialize};

use super::ids::{EnvironmentId, ServiceKey};

/// What names a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The app and service.
    pub service: ServiceKey,
    /// Where it runs; `None` is the column `–`.
    pub environment: Option<EnvironmentId>,
    /// Which rule named the service.
    pub origin: IdentityOrigin,
}

/// Which rule named a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityOrigin {
    /// `quarterdeck.*` labels.
    Label,
    /// The `[[identity]]` rule with this index in the configuration.
    Rule(usize),
    /// `com.docker.compose.*` labels.
    Compose,
    /// `com.docker.swarm.*` labels.
    Swarm,
    /// The container's own name.
    Name,
}
