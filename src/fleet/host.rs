//! One host of the fleet: what the configuration says of it, and what its engine said of itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ids::{EnvironmentId, HostId},
    link::LinkState,
};

/// What the configuration says of a host, as far as the model needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// Its name.
    pub id: HostId,
    /// The endpoint's URL as written, without secrets.
    pub url: Arc<str>,
    /// The environment of what runs here, unless a label or a rule says otherwise.
    pub environment: Option<EnvironmentId>,
    /// Free words to select by.
    pub tags: Vec<Arc<str>>,
    /// Whether bytes to it can be read and changed on the way: plain `tcp://` beyond loopback.
    pub unprotected: bool,
}

/// What an engine says of itself (`GET /version` and `GET /info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// `Docker 20.10.24`, `Podman 4.3.1`.
    pub engine: Arc<str>,
    /// The newest API version both sides speak: `1.41`.
    pub api: Arc<str>,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub os: Arc<str>,
    /// `x86_64`.
    pub arch: Arc<str>,
    /// The machine's own name.
    pub hostname: Arc<str>,
    /// CPUs the engine sees.
    pub cpus: u32,
    /// Memory the engine sees, in bytes.
    pub memory: u64,
    /// Where it keeps its data, on its machine; empty where it does not say.
    pub data_root: Arc<str>,
    /// Whether the engine uses the containerd image store: image ids are manifest digests there, config digests elsewhere.
    pub containerd_store: bool,
    /// The engine's clock minus ours, in milliseconds, as measured when it answered.
    pub clock_skew_ms: i64,
}

/// A host as the fleet knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// What the configuration says of it.
    pub spec: HostSpec,
    /// How our connection to it stands.
    pub link: LinkState,
    /// What its engine said of itself; the last known while it is lost.
    pub engine: Option<EngineInfo>,
    /// The last round trip to the engine, in microseconds.
    pub latency_us: Option<u64>,
    /// When anything was last heard from the engine: what stale rows are "as of".
    pub heard: Option<DateTime<Utc>>,
    /// Whether a full list has arrived since the link last came up.
    pub listed: bool,
    /// What our own connection costs it.
    pub cost: HostCost,
}

/// What this program costs one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCost {
    /// Requests sent since the program started.
    pub requests: u64,
    /// Of these, one-shot stats samples.
    pub samples: u64,
    /// Connections (for ssh: channels) open now.
    pub connections: u32,
    /// SSH sessions open now: 0 or 1.
    pub sessions: u32,
    /// Bytes received since the program started.
    pub received: u64,
}
