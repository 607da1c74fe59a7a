//! One container: what it is ([`Spec`], shared by all that are alike) and what happens to it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{clock, image::Image};
use crate::sim::scenario::{Kind, Load, Log, Restart};

/// What containers of one service, environment and version have in common.
#[derive(Debug)]
pub struct Spec {
    /// The product.
    pub app: String,
    /// The part of it.
    pub service: String,
    /// What started it.
    pub kind: Kind,
    /// Its bits.
    pub image: Arc<Image>,
    /// Its command line.
    pub command: String,
    /// Its labels, but for those that differ from replica to replica.
    pub labels: BTreeMap<String, String>,
    /// Its published ports, inside.
    pub ports: Vec<u16>,
    /// Whether it has a health check.
    pub checked: bool,
    /// What the engine does when it ends.
    pub restart: Restart,
    /// Whether it has a terminal.
    pub tty: bool,
    /// What it logs.
    pub log: Log,
    /// What it uses.
    pub load: Load,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunState {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Frozen.
    Paused,
    /// Ended, and about to be started by its policy.
    Restarting,
    /// Ended.
    Exited,
}

impl RunState {
    /// The engine's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }

    /// Whether its process exists.
    pub fn lives(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What a health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HealthState {
    /// There is none.
    None,
    /// No verdict yet.
    Starting,
    /// Passes.
    Healthy,
    /// Fails.
    Unhealthy,
}

impl HealthState {
    /// The engine's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One life of the container's process: its log and its counters follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it started, nanoseconds since 1970.
    pub start: i64,
    /// When it ended; none while it lives.
    pub end: Option<i64>,
    /// How it ended.
    pub exit_code: i64,
}

/// One container.
#[derive(Debug)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: Arc<str>,
    /// Its name without a slash.
    pub name: Arc<str>,
    /// Which replica on its host, from 1.
    pub number: u32,
    /// What it is.
    pub spec: Arc<Spec>,
    /// What its chance follows from.
    pub seed: u64,
    /// What it does.
    pub state: RunState,
    /// What its health check says.
    pub health: HealthState,
    /// What the health check of a fresh process says after its start period; `Starting` for never.
    pub health_wanted: HealthState,
    /// How its process ended.
    pub exit_code: i64,
    /// Whether the kernel ended it for its memory.
    pub oom_killed: bool,
    /// How often its policy restarted it.
    pub restarts: u64,
    /// When it was made, nanoseconds since 1970.
    pub created: i64,
    /// The lives of its process, oldest first, the last [`RUNS`] of them.
    pub runs: Vec<Run>,
    /// It ends by itself after this long.
    pub crash: Option<Duration>,
    /// With which code it then ends.
    pub crash_code: i64,
    /// A person stopped it: its policy rests.
    pub stopped: bool,
    /// Restarts in a row that were short, which stretch the wait before the next.
    pub streak: u32,
    /// Counts starts and ends, so that what was planned for an earlier life is void.
    pub life: u32,
    /// The first of its host ports.
    pub first_port: u16,
    /// The last number of its address.
    pub slot: u16,
}

/// How many lives of its process a container remembers.
pub const RUNS: usize = 8;

impl Container {
    /// All its labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.spec.labels.clone();
        match self.spec.kind {
            Kind::Compose => {
                labels.insert("com.docker.compose.container-number".to_owned(), self.number.to_string());
            }
            Kind::Quarterdeck | Kind::Plain => {}
        }
        labels
    }

    /// When its process last started, nanoseconds since 1970.
    pub fn started(&self) -> Option<i64> {
        self.runs.last().map(|run| run.start)
    }

    /// When its process last ended.
    pub fn finished(&self) -> Option<i64> {
        self.runs.iter().rev().find_map(|run| run.end)
    }

    /// The id of its main process; 0 when there is none.
    pub fn pid(&self) -> u64 {
        if self.state.lives() { 2000 + (self.seed ^ u64::from(self.life)) % 60_000 } else { 0 }
    }

    /// Its address on the bridge.
    pub fn address(&self) -> String {
        format!("172.17.{}.{}", self.slot / 250, self.slot % 250 + 2)
    }

    /// Whether this is what a person means by `name`: its name, its id, or the start of its id.
    pub fn answers_to(&self, name: &str) -> bool {
        let bare = name.strip_prefix('/').unwrap_or(name);
        *self.name == *bare || (!bare.is_empty() && self.id.starts_with(bare))
    }

    /// Its exact state, for comparison with what a client shows.
    pub fn truth(&self, host: &str) -> ContainerTruth {
        ContainerTruth {
            host: host.to_owned(),
            id: self.id.to_string(),
            name: self.name.to_string(),
            app: self.spec.app.clone(),
            service: self.spec.service.clone(),
            image: self.spec.image.name(),
            image_id: self.spec.image.id.clone(),
            digest: self.spec.image.digest.clone(),
            state: self.state,
            health: self.health,
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            restarts: self.restarts,
            created: clock::time(self.created),
            started: self.started().map(clock::time),
            finished: self.finished().map(clock::time),
        }
    }
}

/// What a client that misses nothing knows about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerTruth {
    /// Its host.
    pub host: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its app.
    pub app: String,
    /// Its service.
    pub service: String,
    /// `repository:tag`.
    pub image: String,
    /// `sha256:…`.
    pub image_id: String,
    /// `sha256:…`.
    pub digest: String,
    /// What it does.
    pub state: RunState,
    /// What its health check says.
    pub health: HealthState,
    /// How its process last ended.
    pub exit_code: i64,
    /// Whether the kernel ended it for its memory.
    pub oom_killed: bool,
    /// How often its policy restarted it.
    pub restarts: u64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When its process last started.
    pub started: Option<DateTime<Utc>>,
    /// When its process last ended.
    pub finished: Option<DateTime<Utc>>,
}
