//! What was measured of the drawn [fleet](crate::fleet::fixture): three minutes of every container, and most hosts' own figures. For
//! tests and examples; nothing at run time uses it.

use chrono::TimeDelta;

use super::{Batch, Book, Disk, Flow, MachineReading, MachineSample, Sample};
use crate::fleet::{Container, Fleet, fixture};

/// Seconds between two samples, and how many there are.
const STEP: i64 = 5;
const STEPS: i64 = 37;

/// What a container of the drawn fleet uses: processors, bytes, its own limit of bytes, bytes in and out a second.
fn load(container: &Container) -> (f64, u64, Option<u64>, u64) {
    let unhealthy = container.key.host.as_str() == "app-03" && &*container.name == "worker-1";
    match container.identity.service.service.as_str() {
        "api" => (0.35, 180 << 20, Some(512 << 20), 40 << 10),
        "web" => (0.12, 61 << 20, None, 220 << 10),
        "worker" if unhealthy => (0.02, 61 << 20, Some(64 << 20), 512),
        "worker" => (0.80, 33 << 20, Some(64 << 20), 9 << 10),
        "proxy" => (0.05, 18 << 20, None, 1 << 20),
        _ => (0.22, 900 << 20, None, 3 << 10),
    }
}

/// Everything measured until the fixture's now.
pub fn book(fleet: &Fleet) -> Book {
    let mut book = Book::default();
    for batch in batches(fleet) {
        book.take(&batch, fleet);
    }
    book
}

/// The same, as it was told.
pub fn batches(fleet: &Fleet) -> Vec<Batch> {
    let mut batches = Vec::new();
    for step in 0..STEPS {
        for host in fleet.hosts().filter(|host| host.link.is_live()) {
            let at = fixture::now() - TimeDelta::seconds((STEPS - 1 - step) * STEP);
            let running = fleet.containers_on(&host.spec.id).filter(|container| container.is_running());
            let samples = running.map(|container| (container.key.id.clone(), sample(container, step, at))).collect();
            let machine = Some(machine(host.spec.id.as_str(), step));
            batches.push(Batch { host: host.spec.id.clone(), at, samples, machine });
        }
    }
    batches
}

fn sample(container: &Container, step: i64, at: chrono::DateTime<chrono::Utc>) -> Sample {
    let (cores, memory, limit, bytes) = load(container);
    // A slow swing around the mean, whose counter only grows.
    let seconds = (step * STEP) as f64;
    let used = cores * (seconds + 8.0 * (1.0 - (seconds / 20.0).cos()));
    let count = |rate: u64| rate * u64::try_from(step * STEP).unwrap_or(0);
    Sample {
        read: Some(at),
        cpu: (used * 1e9) as u64,
        system: Some(count(4_000_000_000) + 1),
        cpus: 4,
        memory,
        memory_limit: Some(limit.unwrap_or(16 << 30)),
        network: Some(Flow { inward: count(bytes), outward: count(bytes * 2) }),
        block: Flow { inward: 0, outward: count(bytes / 4) },
        pids: Some(7),
        pids_limit: None,
    }
}

/// app-03's disk is almost full, and test-01 does not tell.
fn machine(host: &str, step: i64) -> MachineReading {
    if host == "test-01" {
        return MachineReading::Engine("sshd on test-01.internal runs no command for ops: it said nothing".into());
    }
    let ticks = 2000 * u64::try_from(step).unwrap_or(0);
    let full = if host == "app-03" { 93 } else { 41 };
    MachineReading::Host(MachineSample {
        ticks,
        busy: ticks / 5,
        cpus: 4,
        memory: 16 << 30,
        available: 9 << 30,
        load: 0.86,
        disk: Some(Disk { used: full << 30, available: (100 - full) << 30 }),
    })
}
