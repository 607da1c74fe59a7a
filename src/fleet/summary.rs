//! The counts of the header: the whole fleet in one line.

use chrono::{DateTime, Utc};

use super::{link::LinkState, matrix::Matrix, model::Fleet, trouble::Trouble};

/// The counts. A container counts for its own worst trouble only, whatever its host's link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hosts whose engine answers.
    pub live: usize,
    /// Hosts configured.
    pub hosts: usize,
    /// Hosts that are lost (retrying or refused).
    pub lost: usize,
    /// Hosts that do not answer at the moment.
    pub stale: usize,
    /// Containers, the last known of lost hosts too.
    pub containers: usize,
    /// Of these, running.
    pub running: usize,
    /// Failing their HEALTHCHECK.
    pub unhealthy: usize,
    /// In a crash loop.
    pub crash_looping: usize,
    /// Ended for lack of memory.
    pub oom: usize,
    /// Ended by themselves with an error.
    pub exited: usize,
    /// Waiting for their HEALTHCHECK's first verdict.
    pub starting: usize,
    /// Services with drift.
    pub drift: usize,
}

impl Summary {
    /// Counts. Costs the hosts, the services and the containers that may be troubled, never the whole fleet. `matrix` must be one without
    /// a filter, or the drift is only that of what it shows.
    pub fn of(fleet: &Fleet, matrix: &Matrix, now: DateTime<Utc>) -> Self {
        let (containers, running) = fleet.counts();
        let mut summary = Self { containers, running, ..Self::default() };
        for host in fleet.hosts() {
            summary.hosts += 1;
            match host.link {
                LinkState::Live { .. } => summary.live += 1,
                LinkState::Stale { .. } => summary.stale += 1,
                LinkState::Retrying { .. } | LinkState::Refused { .. } => summary.lost += 1,
                LinkState::Connecting => {}
            }
        }
        for container in fleet.troubled() {
            match Trouble::of_container(container, now) {
                Trouble::Unhealthy => summary.unhealthy += 1,
                Trouble::CrashLooping => summary.crash_looping += 1,
                Trouble::Oom => summary.oom += 1,
                Trouble::Exited => summary.exited += 1,
                Trouble::Starting => summary.starting += 1,
                Trouble::None | Trouble::Stale | Trouble::HostLost => {}
            }
        }
        summary.drift = matrix.rows().iter().filter(|row| !row.drift.is_empty()).count();
        summary
    }
}
