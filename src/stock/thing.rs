//! What may be taken away. Ours is narrower than the engine's own prune, and exact: what is taken away is what was listed, one by one, so
//! that nothing that came into being between the list and the yes goes with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Image, Network, Stock, User, Volume};
use crate::fleet::HostId;

/// What engines keep beside containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What containers are made from.
    #[default]
    Image,
    /// What outlives them.
    Volume,
    /// What joins them.
    Network,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Image, Self::Volume, Self::Network];

    /// One of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }

    /// Many of it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Volume => "volumes",
            Self::Network => "networks",
        }
    }

    /// The next one, around.
    pub fn next(self) -> Self {
        match self {
            Self::Image => Self::Volume,
            Self::Volume => Self::Network,
            Self::Network => Self::Image,
        }
    }
}

/// A thing anywhere in the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StockKey {
    /// The host it is on.
    pub host: HostId,
    /// What it is.
    pub kind: Kind,
    /// What the engine knows it by there.
    pub id: Arc<str>,
}

/// One thing as far as taking it away needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// What the engine knows it by.
    pub id: Arc<str>,
    /// What a person knows it by.
    pub name: Arc<str>,
    /// Every name that must be taken from it before it is gone: an image may have several, and each is one request.
    pub handles: Vec<Arc<str>>,
    /// It has other names and stays: only these are taken from it.
    pub stays: bool,
    /// Bytes that come back at least; `None`: the engine does not say.
    pub bytes: Option<u64>,
    /// Nobody named it; for a network: it is not the engine's own.
    pub unnamed: bool,
    /// The engine made it itself and will not give it up.
    pub own: bool,
    /// The containers that use it, running or not.
    pub users: Vec<User>,
}

impl Thing {
    /// Whether it goes with a prune: an image without a name that no container was made from (those that have a name are the
    /// retention's matter), a volume that nobody named and no container mounts (one with a name is somebody's data, whoever mounts it
    /// today), a network that a person or a program made and no container is attached to.
    pub fn is_spare(&self) -> bool {
        self.unnamed && !self.own && self.users.is_empty()
    }
}

impl From<&Image> for Thing {
    fn from(image: &Image) -> Self {
        let id: Arc<str> = image.id.as_str().into();
        let handles = if image.names.is_empty() { vec![Arc::clone(&id)] } else { image.names.clone() };
        Self {
            kind: Kind::Image,
            name: image.title().into(),
            handles,
            stays: false,
            bytes: image.shared.map(|_| image.unique()),
            unnamed: image.names.is_empty(),
            own: false,
            users: image.users.clone(),
            id,
        }
    }
}

impl From<&Volume> for Thing {
    fn from(volume: &Volume) -> Self {
        Self {
            kind: Kind::Volume,
            id: Arc::clone(&volume.name),
            name: Arc::clone(&volume.name),
            handles: vec![Arc::clone(&volume.name)],
            stays: false,
            bytes: volume.size,
            unnamed: volume.anonymous,
            own: false,
            users: volume.users.clone(),
        }
    }
}

impl From<&Network> for Thing {
    fn from(network: &Network) -> Self {
        Self {
            kind: Kind::Network,
            id: Arc::clone(&network.id),
            name: Arc::clone(&network.name),
            handles: vec![Arc::clone(&network.id)],
            stays: false,
            bytes: Some(0),
            unnamed: true,
            own: network.own,
            users: network.users.clone(),
        }
    }
}

impl Stock {
    /// All of one kind, as the engine listed them.
    pub fn things(&self, kind: Kind) -> Vec<Thing> {
        match kind {
            Kind::Image => self.images.iter().map(Thing::from).collect(),
            Kind::Volume => self.volumes.iter().map(Thing::from).collect(),
            Kind::Network => self.networks.iter().map(Thing::from).collect(),
        }
    }

    /// One of them; `None`: it is not there.
    pub fn thing(&self, kind: Kind, id: &str) -> Option<Thing> {
        match kind {
            Kind::Image => self.images.iter().find(|image| image.id.as_str() == id).map(Thing::from),
            Kind::Volume => self.volumes.iter().find(|volume| *volume.name == *id).map(Thing::from),
            Kind::Network => self.networks.iter().find(|network| *network.id == *id).map(Thing::from),
        }
    }

    /// All that nothing uses, the largest first.
    pub fn spares(&self) -> Vec<Thing> {
        let mut all: Vec<Thing> = Kind::ALL.into_iter().flat_map(|kind| self.things(kind)).filter(Thing::is_spare).collect();
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.kind.cmp(&b.kind)).then_with(|| a.name.cmp(&b.name)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock::{Image, Network, User, Volume};

    fn user() -> Vec<User> {
        vec![User { id: "c1".into(), name: "web".into(), running: false }]
    }

    fn image(id: &str, names: &[&str], size: u64, shared: Option<u64>, users: Vec<User>) -> Image {
        Image { id: id.into(), names: names.iter().map(|name| Arc::from(*name)).collect(), size, shared, created: None, users }
    }

    fn volume(name: &str, anonymous: bool, size: Option<u64>, users: Vec<User>) -> Volume {
        Volume { name: name.into(), driver: "local".into(), size, created: None, anonymous, users }
    }

    fn network(name: &str, own: bool, users: Vec<User>) -> Network {
        let (id, driver, scope) = (name.into(), "bridge".into(), "local".into());
        Network { id, name: name.into(), driver, scope, subnets: Vec::new(), created: None, own, users }
    }

    #[test]
    fn only_what_nobody_named_and_nobody_uses_is_spare() {
        let stock = Stock {
            images: vec![
                image("sha256:aa", &["shop/web:1.0"], 9, Some(0), vec![]),
                image("sha256:bb", &[], 100, Some(40), vec![]),
                image("sha256:cc", &[], 100, Some(0), user()),
                image("sha256:dd", &[], 100, None, vec![]),
            ],
            volumes: vec![
                volume("shop-data", false, Some(500), vec![]),
                volume("f00d", true, Some(70), vec![]),
                volume("beef", true, Some(70), user()),
                volume("cafe", true, None, vec![]),
            ],
            networks: vec![network("bridge", true, vec![]), network("old", false, vec![]), network("shop", false, user())],
            layers: 0,
            build_cache: 0,
        };
        let told: Vec<(Kind, String, Option<u64>)> =
            stock.spares().into_iter().map(|spare| (spare.kind, spare.name.to_string(), spare.bytes)).collect();
        let expected = [
            (Kind::Volume, "f00d", Some(70)),
            (Kind::Image, "bb", Some(60)),
            (Kind::Network, "old", Some(0)),
            (Kind::Image, "dd", None),
            (Kind::Volume, "cafe", None),
        ];
        assert_eq!(told, expected.map(|(kind, name, bytes)| (kind, name.to_owned(), bytes)));
    }
}
