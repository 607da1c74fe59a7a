//! What nothing uses. Ours is narrower than the engine's own prune, and exact: what is taken away is what was listed, one by one, so that
//! nothing that came into being between the list and the yes goes with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Stock;

/// What kind of thing is spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpareKind {
    /// An image without a name that no container was made from. Images that have a name are the retention's matter.
    Image,
    /// A volume that nobody named and no container mounts. One with a name is somebody's data, whoever mounts it today.
    Volume,
    /// A network that a person or a program made and no container is attached to.
    Network,
}

impl SpareKind {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }
}

/// One thing that nothing uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spare {
    /// What it is.
    pub kind: SpareKind,
    /// What the engine knows it by.
    pub id: Arc<str>,
    /// What a person knows it by.
    pub name: Arc<str>,
    /// Bytes that come back at least.
    pub bytes: u64,
}

/// All that nothing uses, the largest first.
pub fn spares(stock: &Stock) -> Vec<Spare> {
    let images = stock.images.iter().filter(|image| image.names.is_empty() && image.users.is_empty()).map(|image| Spare {
        kind: SpareKind::Image,
        id: Arc::from(image.id.as_str()),
        name: image.title().into(),
        bytes: image.unique(),
    });
    let volumes = stock.volumes.iter().filter(|volume| volume.anonymous && volume.users.is_empty()).map(|volume| Spare {
        kind: SpareKind::Volume,
        id: Arc::clone(&volume.name),
        name: Arc::clone(&volume.name),
        bytes: volume.size.unwrap_or(0),
    });
    let networks = stock.networks.iter().filter(|network| !network.own && network.users.is_empty()).map(|network| Spare {
        kind: SpareKind::Network,
        id: Arc::clone(&network.id),
        name: Arc::clone(&network.name),
        bytes: 0,
    });
    let mut all: Vec<Spare> = images.chain(volumes).chain(networks).collect();
    all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.kind.cmp(&b.kind)).then_with(|| a.name.cmp(&b.name)));
    all
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
        let told: Vec<(SpareKind, String, u64)> =
            spares(&stock).into_iter().map(|spare| (spare.kind, spare.name.to_string(), spare.bytes)).collect();
        let expected = [
            (SpareKind::Volume, "f00d", 70),
            (SpareKind::Image, "bb", 60),
            (SpareKind::Image, "dd", 0),
            (SpareKind::Volume, "cafe", 0),
            (SpareKind::Network, "old", 0),
        ];
        assert_eq!(told, expected.map(|(kind, name, bytes)| (kind, name.to_owned(), bytes)));
    }
}
