//! What an engine keeps beside its containers: images, volumes, networks. Who uses them, how much they take, and what may be taken away
//! without taking anything from anyone.
//!
//! Read on demand, never sampled: the engine walks its disks for the sizes. Pure.

mod rows;
mod thing;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::fleet::{ContainerId, ImageId};

pub use rows::{ImageRow, NetworkRow, VolumeRow};
pub use thing::{Kind, StockKey, Thing};

/// All of it, of one engine, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Every image but the layers between.
    pub images: Vec<Image>,
    /// Every volume.
    pub volumes: Vec<Volume>,
    /// Every network, the engine's own too.
    pub networks: Vec<Network>,
    /// Bytes of all image layers together, each counted once.
    pub layers: u64,
    /// Bytes that the builder keeps for later builds, as far as nothing uses them now.
    pub build_cache: u64,
}

/// What an engine answered when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the answer came.
    pub at: DateTime<Utc>,
    /// The answer, or why there is none, in one clean line.
    pub result: Result<Box<Stock>, String>,
}

/// A container that uses something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Which.
    pub id: ContainerId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it runs; one that does not holds on to the thing all the same.
    pub running: bool,
}

/// An image of one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// `repository:tag`, every one; empty: nothing names it any more.
    pub names: Vec<Arc<str>>,
    /// Bytes of all its layers.
    pub size: u64,
    /// Bytes of the layers that other images have too; `None`: the engine does not say.
    pub shared: Option<u64>,
    /// When it was built.
    pub created: Option<DateTime<Utc>>,
    /// The containers made from it.
    pub users: Vec<User>,
}

impl Image {
    /// The first name, else the id's first digits.
    pub fn title(&self) -> String {
        let short = || self.id.as_str().trim_start_matches("sha256:").chars().take(12).collect();
        self.names.first().map_or_else(short, |name| name.to_string())
    }

    /// What its removal would give back at least: what no other image shares. `0` where the engine does not say what is shared.
    pub fn unique(&self) -> u64 {
        self.shared.map_or(0, |shared| self.size.saturating_sub(shared))
    }
}

/// A volume of one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name, unique on the engine.
    pub name: Arc<str>,
    /// `local`, or the plugin that keeps it.
    pub driver: Arc<str>,
    /// Bytes in it; `None`: the driver does not say.
    pub size: Option<u64>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Nobody named it: made for one container, by an image that asked for a volume.
    pub anonymous: bool,
    /// The containers that mount it.
    pub users: Vec<User>,
}

/// A network of one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: Arc<str>,
    /// Its name; not unique by the engine's rules.
    pub name: Arc<str>,
    /// `bridge`, `overlay`, `macvlan`, …
    pub driver: Arc<str>,
    /// `local`, or `swarm` for all its nodes.
    pub scope: Arc<str>,
    /// Its address ranges.
    pub subnets: Vec<Arc<str>>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// The engine made it itself and will not give it up.
    pub own: bool,
    /// The containers attached to it, running or not.
    pub users: Vec<User>,
}
