//! What a container uses, as counters that only grow and gauges that swing: all computed from the clock.

use super::{container::Container, host::Machine, seed};

/// One look at the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time used since the process started, nanoseconds.
    pub cpu: u64,
    /// Processor time of the whole machine since it booted, nanoseconds times processors.
    pub system: u64,
    /// Bytes resident, without the page cache.
    pub memory: u64,
    /// Bytes of page cache counted on top.
    pub cache: u64,
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes read from disk.
    pub read: u64,
    /// Bytes written to disk.
    pub written: u64,
    /// Processes.
    pub processes: u64,
}

/// How long the machine was up before the container's first life, at least: keeps the system counter ahead.
const BOOTED: i64 = 1_700_000_000_000_000_000;

/// The counters at this moment; none while there is no process.
pub fn usage(container: &Container, machine: &Machine, wall: i64) -> Option<Usage> {
    let run = container.runs.last().filter(|_| container.state.lives())?;
    let load = &container.spec.load;
    let seconds = (wall - run.start).max(0) as f64 / 1e9;
    let period = 60.0 + seed::part(container.seed) * 240.0;
    let turn = std::f64::consts::TAU / period;
    let phase = seed::part(container.seed.rotate_left(9)) * std::f64::consts::TAU;
    // The integral of cpu × (1 + wave × sin(turn × t + phase)) from 0: its slope at any moment is the cores in use.
    let swung = load.wave * (phase.cos() - (turn * seconds + phase).cos()) / turn;
    let cores = load.cpu * (seconds + swung).max(0.0);
    let swing = 1.0 + 0.2 * load.wave * (turn * seconds + phase).sin();
    let limit = load.limit.map_or(machine.memory, |limit| limit.0);
    let memory = ((load.memory.0 as f64 * swing) as u64).min(limit);
    let traffic = load.cpu * seconds * 2e6;
    Some(Usage {
        cpu: (cores * 1e9) as u64,
        system: (wall - BOOTED).max(0) as u64 * u64::from(machine.cpus),
        memory,
        cache: (memory / 5).min(limit - memory),
        limit,
        received: traffic as u64,
        sent: (traffic * 1.7) as u64,
        read: (load.memory.0 as f64 * 0.4) as u64,
        written: (traffic * 0.1) as u64,
        processes: 3 + container.seed % 20,
    })
}
