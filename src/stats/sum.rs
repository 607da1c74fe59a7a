//! Sums over containers: of a service, an app, an environment, a host.
//!
//! Only what runs counts, and only what is known of it now: what was measured in another life of the container, too long ago, or over a
//! link that is lost, is missing from the sum, and the sum says how much is missing.

use chrono::{DateTime, Utc};

use super::{book::Book, sample::Flow, usage::Usage};
use crate::fleet::{Container, Host};

/// What a machine has; the limit of whatever has none of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Processors.
    pub cpus: f64,
    /// Bytes of memory.
    pub memory: u64,
}

impl Capacity {
    /// That of a host, as its engine tells it.
    pub fn of(host: &Host) -> Option<Self> {
        host.engine.as_ref().map(|engine| Self { cpus: f64::from(engine.cpus), memory: engine.memory })
    }
}

/// A container's memory limit, where it has one of its own: one that is less than the machine's memory.
pub fn own_memory_limit(usage: &Usage, host: &Host) -> Option<u64> {
    let machine = host.engine.as_ref().map_or(0, |engine| engine.memory);
    // Engines round the machine's memory down to whole pages.
    usage.memory_limit.filter(|limit| machine > 0 && *limit < machine - machine / 1000)
}

/// What several containers use together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// Containers that run.
    pub running: usize,
    /// Of these, the ones whose usage is known now.
    pub known: usize,
    /// When the oldest of these was measured.
    pub at: Option<DateTime<Utc>>,
    /// Processors in use.
    pub cpu: Option<f64>,
    /// Processors that they may use, where each has a limit of its own.
    pub cpu_limit: Option<f64>,
    /// Working sets in bytes.
    pub memory: Option<u64>,
    /// Bytes that they may use, where each has a limit of its own.
    pub memory_limit: Option<u64>,
    /// Bytes a second over their interfaces.
    pub network: Option<Flow<f64>>,
    /// Bytes a second from and to block devices.
    pub block: Option<Flow<f64>>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Restarts by policy.
    pub restarts: Option<u64>,
    /// Whether one of them has no limit of its own: then all of them have none.
    open: (bool, bool),
}

impl Sum {
    /// Of these containers.
    pub fn of<'c>(containers: impl Iterator<Item = (&'c Container, &'c Host)>, book: &Book, now: DateTime<Utc>) -> Self {
        let mut sum = Self::default();
        for (container, host) in containers {
            sum.add(container, host, book, now);
        }
        sum
    }

    /// Of one container; its limits are the machine's where it has none of its own.
    pub fn one(container: &Container, host: &Host, book: &Book, now: DateTime<Utc>) -> Self {
        let mut sum = Self::default();
        sum.add(container, host, book, now);
        if let Some(capacity) = Capacity::of(host) {
            sum.within(capacity);
        }
        sum
    }

    /// Adds a container, if it runs.
    pub fn add(&mut self, container: &Container, host: &Host, book: &Book, now: DateTime<Utc>) {
        if !container.is_running() {
            return;
        }
        self.running += 1;
        if let Some(restarts) = container.restarts {
            *self.restarts.get_or_insert(0) += restarts;
        }
        match container.cpu_limit.filter(|_| !self.open.0) {
            Some(limit) => *self.cpu_limit.get_or_insert(0.0) += limit,
            None => (self.open.0, self.cpu_limit) = (true, None),
        }
        let Some(usage) = book.current(container, host, now) else { return };
        self.known += 1;
        self.at = Some(self.at.map_or(usage.at, |at| at.min(usage.at)));
        self.memory = Some(self.memory.unwrap_or(0).saturating_add(usage.memory));
        match own_memory_limit(usage, host).filter(|_| !self.open.1) {
            Some(limit) => self.memory_limit = Some(self.memory_limit.unwrap_or(0).saturating_add(limit)),
            None => (self.open.1, self.memory_limit) = (true, None),
        }
        if let Some(cpu) = usage.cpu {
            *self.cpu.get_or_insert(0.0) += cpu;
        }
        for (sum, flow) in [(&mut self.network, usage.network), (&mut self.block, usage.block)] {
            if let Some(flow) = flow {
                let sum = sum.get_or_insert_default();
                sum.inward += flow.inward;
                sum.outward += flow.outward;
            }
        }
        if let Some(pids) = usage.pids {
            *self.pids.get_or_insert(0) += pids;
        }
    }

    /// Takes a machine's size as the limit of what has none of its own.
    pub fn within(&mut self, capacity: Capacity) {
        self.cpu_limit = self.cpu_limit.or(Some(capacity.cpus)).filter(|cpus| *cpus > 0.0);
        self.memory_limit = self.memory_limit.or(Some(capacity.memory)).filter(|memory| *memory > 0);
    }

    /// Whether something that runs is not in it.
    pub fn is_partial(&self) -> bool {
        self.known < self.running
    }

    /// Processors in use as a share of the limit.
    pub fn cpu_share(&self) -> Option<f64> {
        self.cpu.zip(self.cpu_limit).filter(|(_, limit)| *limit > 0.0).map(|(cpu, limit)| cpu / limit)
    }

    /// Memory as a share of the limit.
    pub fn memory_share(&self) -> Option<f64> {
        self.memory.zip(self.memory_limit).filter(|(_, limit)| *limit > 0).map(|(memory, limit)| memory as f64 / limit as f64)
    }
}
