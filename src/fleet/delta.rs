//! Everything that can change the fleet, as plain data.
//!
//! Produced by the engine tasks (and the simulator's tests), consumed by [`Fleet::apply`](super::Fleet::apply). Today it crosses a
//! channel inside one process; nothing in it may prevent it from crossing a socket later.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    container::{ContainerState, Health, ImageRef, Port},
    event::EngineEvent,
    host::{EngineInfo, HostCost},
    ids::{ContainerId, HostId, ImageId},
    link::LinkState,
};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "delta")]
pub enum Delta {
    /// A link changed its state. Leaving `Live` keeps every row; coming back to `Live` does not confirm them, the `List` that follows does.
    Link {
        /// Whose.
        host: HostId,
        /// The new state.
        link: LinkState,
        /// When.
        at: DateTime<Utc>,
    },
    /// An engine told about itself.
    Engine {
        /// Whose.
        host: HostId,
        /// What it said.
        info: EngineInfo,
    },
    /// Every container of a host: what is not in it is gone.
    List {
        /// Whose.
        host: HostId,
        /// All of them, any order.
        containers: Vec<ContainerSummary>,
        /// When the engine was asked: rows confirmed later by an inspect or an event stay as they are.
        asked: DateTime<Utc>,
        /// When the answer came.
        at: DateTime<Utc>,
    },
    /// One container in depth: authoritative at `at`, later events override it.
    Inspected {
        /// Whose.
        host: HostId,
        /// The container.
        container: Box<ContainerDetail>,
        /// When the answer came.
        at: DateTime<Utc>,
    },
    /// The engine no longer knows a container (404 on inspect).
    Gone {
        /// Whose.
        host: HostId,
        /// Which.
        id: ContainerId,
        /// When the answer came.
        at: DateTime<Utc>,
    },
    /// Images of a host: facts are merged by id.
    Images {
        /// Whose.
        host: HostId,
        /// Some or all of them.
        images: Vec<ImageFact>,
    },
    /// The engine reported something. State follows at once where the event says enough; an `Inspected` comes after it.
    Event {
        /// What.
        event: EngineEvent,
        /// Whether it may change the state of rows: `false` for events of before the last list (told again on a new stream), which are only
        /// history.
        live: bool,
        /// When it arrived here.
        at: DateTime<Utc>,
    },
    /// The engine was heard without news: an answered probe.
    Heard {
        /// Whose.
        host: HostId,
        /// The probe's round trip in microseconds.
        latency_us: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// What our connection costs the host.
    Cost {
        /// Whose.
        host: HostId,
        /// The figures.
        cost: HostCost,
    },
}

/// A container as `GET /containers/json` tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSummary {
    /// Its full id.
    pub id: ContainerId,
    /// Its name without the leading slash (the first one that is no link alias).
    pub name: Arc<str>,
    /// The image as named.
    pub image: ImageRef,
    /// The bits.
    pub image_id: ImageId,
    /// Labels, cleaned.
    pub labels: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// Its state.
    pub state: ContainerState,
    /// From the status text, `Up 2 hours (unhealthy)`.
    pub health: Health,
    /// From the status text, `Exited (137) 3 minutes ago`.
    pub exit_code: Option<i64>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Its ports, published ones first.
    pub ports: Vec<Port>,
    /// Its command line.
    pub command: Arc<str>,
}

/// A container as `GET /containers/{id}/json` tells it: the summary and what only inspect knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerDetail {
    /// What the list also tells.
    pub summary: ContainerSummary,
    /// When the main process was last started.
    pub started: Option<DateTime<Utc>>,
    /// When it last ended.
    pub finished: Option<DateTime<Utc>>,
    /// Restarts by policy.
    pub restarts: u64,
    /// Ended by the out-of-memory killer.
    pub oom_killed: bool,
    /// How many processors it may use at most; `None`: all there are.
    pub cpu_limit: Option<f64>,
}

/// What is known of an image on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFact {
    /// Its id there.
    pub id: ImageId,
    /// `repository@sha256:…` references, as the engine lists them.
    pub repo_digests: Vec<Arc<str>>,
    /// `repository:tag` references.
    pub repo_tags: Vec<Arc<str>>,
    /// The digests of the unpacked layers, lowest first; empty until the image was inspected.
    pub layers: Vec<Arc<str>>,
}
