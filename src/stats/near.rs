//! What is nearest to trouble: limits that are almost reached, the worst first.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use super::{book::Book, sum::own_memory_limit};
use crate::fleet::{Container, ContainerKey, Fleet, Host, HostId};

/// What comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strain {
    /// The disk of the engine's data.
    Disk,
    /// Memory, against a limit or the machine's.
    Memory,
    /// Processes, against a limit.
    Pids,
    /// Processors, against a limit or the machine's.
    Cpu,
}

impl Strain {
    /// From this share on it is worth a word, and from this one on it is bad. A full disk and a full memory end things; busy processors
    /// only make them slow.
    const fn thresholds(self) -> (f64, f64) {
        match self {
            Self::Disk => (0.80, 0.92),
            Self::Memory => (0.85, 0.95),
            Self::Pids => (0.80, 0.95),
            Self::Cpu => (0.90, 1.50),
        }
    }

    /// Whether a share of this is worth a word.
    pub fn is_near(self, share: f64) -> bool {
        share >= self.thresholds().0
    }

    /// Whether a share of this is bad now.
    pub fn is_bad(self, share: f64) -> bool {
        share >= self.thresholds().1
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "mem",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }
}

/// Whose limit it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A container's own.
    Container(ContainerKey),
    /// A host's.
    Host(HostId),
}

/// One limit that is almost reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// Whose.
    pub of: Of,
    /// Which.
    pub strain: Strain,
    /// What is used: bytes, processors or processes.
    pub used: f64,
    /// The limit, in the same unit.
    pub limit: f64,
}

impl Near {
    /// The used share of the limit.
    pub fn share(&self) -> f64 {
        self.used / self.limit
    }

    /// Whether it is bad now.
    pub fn is_bad(&self) -> bool {
        self.strain.is_bad(self.share())
    }

    /// How far it is from the first word (0) to bad (1): what is compared.
    fn urgency(&self) -> f64 {
        let (near, bad) = self.strain.thresholds();
        (self.share() - near) / (bad - near)
    }
}

/// The limits that are almost reached, the most urgent first, as far as anything was measured.
pub fn nearest(fleet: &Fleet, book: &Book, now: DateTime<Utc>) -> Vec<Near> {
    let mut found = Vec::new();
    for host in fleet.hosts().filter(|host| host.link.is_live()) {
        of_host(host, book, now, &mut found);
        for container in fleet.containers_on(&host.spec.id) {
            of_container(container, host, book, now, &mut found);
        }
    }
    found.sort_by(|a, b| b.urgency().partial_cmp(&a.urgency()).unwrap_or(Ordering::Equal).then_with(|| place(a).cmp(&place(b))));
    found
}

fn place(near: &Near) -> (Strain, &str, &str) {
    match &near.of {
        Of::Host(host) => (near.strain, host.as_str(), ""),
        Of::Container(key) => (near.strain, key.host.as_str(), key.id.as_str()),
    }
}

fn of_host(host: &Host, book: &Book, now: DateTime<Utc>, found: &mut Vec<Near>) {
    let usage = book.machine(&host.spec.id).and_then(|machine| machine.usage());
    let Some(usage) = usage.filter(|usage| now - usage.at <= super::book::FRESH) else { return };
    let mut judge = |strain: Strain, used: f64, limit: f64| {
        if limit > 0.0 && strain.is_near(used / limit) {
            found.push(Near { of: Of::Host(host.spec.id.clone()), strain, used, limit });
        }
    };
    if let Some(disk) = usage.disk {
        judge(Strain::Disk, disk.used as f64, disk.used.saturating_add(disk.available) as f64);
    }
    judge(Strain::Memory, usage.memory as f64, usage.memory_total as f64);
    if let Some(cpu) = usage.cpu {
        judge(Strain::Cpu, cpu, f64::from(usage.cpus));
    }
}

fn of_container(container: &Container, host: &Host, book: &Book, now: DateTime<Utc>, found: &mut Vec<Near>) {
    let Some(usage) = book.current(container, host, now) else { return };
    let mut judge = |strain: Strain, used: Option<f64>, limit: Option<f64>| {
        if let Some((used, limit)) = used.zip(limit)
            && limit > 0.0
            && strain.is_near(used / limit)
        {
            found.push(Near { of: Of::Container(container.key.clone()), strain, used, limit });
        }
    };
    judge(Strain::Memory, Some(usage.memory as f64), own_memory_limit(usage, host).map(|limit| limit as f64));
    judge(Strain::Cpu, usage.cpu, container.cpu_limit);
    judge(Strain::Pids, usage.pids.map(|pids| pids as f64), usage.pids_limit.map(|limit| limit as f64));
}
