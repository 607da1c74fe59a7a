//! The rows of the list verbs: one shape for table and JSON.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Image, Network, Stock, User, Volume};
use crate::fleet::HostId;

/// A row of `images`. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageRow {
    /// Where it is.
    pub host: HostId,
    /// Its id.
    pub id: Arc<str>,
    /// Every `repository:tag`.
    pub names: Vec<Arc<str>>,
    /// All layers.
    pub size: u64,
    /// The layers that other images have too.
    pub shared: Option<u64>,
    /// When it was built.
    pub created: Option<DateTime<Utc>>,
    /// Names of the containers made from it.
    pub containers: Vec<Arc<str>>,
}

/// A row of `volumes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeRow {
    /// Where it is.
    pub host: HostId,
    /// Its name.
    pub name: Arc<str>,
    /// What keeps it.
    pub driver: Arc<str>,
    /// Bytes in it.
    pub size: Option<u64>,
    /// Whether nobody named it.
    pub anonymous: bool,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Names of the containers that mount it.
    pub containers: Vec<Arc<str>>,
}

/// A row of `networks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkRow {
    /// Where it is.
    pub host: HostId,
    /// Its id.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What drives it.
    pub driver: Arc<str>,
    /// `local` or `swarm`.
    pub scope: Arc<str>,
    /// Its address ranges.
    pub subnets: Vec<Arc<str>>,
    /// Whether the engine made it itself.
    pub own: bool,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Names of the containers attached to it.
    pub containers: Vec<Arc<str>>,
}

fn names(users: &[User]) -> Vec<Arc<str>> {
    users.iter().map(|user| Arc::clone(&user.name)).collect()
}

impl ImageRow {
    /// Of one image.
    pub fn of(host: &HostId, image: &Image) -> Self {
        let Image { id, names: tags, size, shared, created, users } = image;
        Self {
            host: host.clone(),
            id: id.as_str().into(),
            names: tags.clone(),
            size: *size,
            shared: *shared,
            created: *created,
            containers: names(users),
        }
    }

    /// Of all images of a host, the largest first.
    pub fn all(host: &HostId, stock: &Stock) -> Vec<Self> {
        let mut rows: Vec<Self> = stock.images.iter().map(|image| Self::of(host, image)).collect();
        rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.id.cmp(&b.id)));
        rows
    }
}

impl VolumeRow {
    /// Of one volume.
    pub fn of(host: &HostId, volume: &Volume) -> Self {
        let Volume { name, driver, size, created, anonymous, users } = volume;
        Self {
            host: host.clone(),
            name: Arc::clone(name),
            driver: Arc::clone(driver),
            size: *size,
            anonymous: *anonymous,
            created: *created,
            containers: names(users),
        }
    }

    /// Of all volumes of a host, the largest first.
    pub fn all(host: &HostId, stock: &Stock) -> Vec<Self> {
        let mut rows: Vec<Self> = stock.volumes.iter().map(|volume| Self::of(host, volume)).collect();
        rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
        rows
    }
}

impl NetworkRow {
    /// Of one network.
    pub fn of(host: &HostId, network: &Network) -> Self {
        let Network { id, name, driver, scope, subnets, created, own, users } = network;
        Self {
            host: host.clone(),
            id: Arc::clone(id),
            name: Arc::clone(name),
            driver: Arc::clone(driver),
            scope: Arc::clone(scope),
            subnets: subnets.clone(),
            own: *own,
            created: *created,
            containers: names(users),
        }
    }

    /// Of all networks of a host, the engine's own last.
    pub fn all(host: &HostId, stock: &Stock) -> Vec<Self> {
        let mut rows: Vec<Self> = stock.networks.iter().map(|network| Self::of(host, network)).collect();
        rows.sort_by(|a, b| a.own.cmp(&b.own).then_with(|| a.name.cmp(&b.name)));
        rows
    }
}
