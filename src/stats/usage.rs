//! What a container uses now: the gauges of its last sample, and the rates between that and the one before.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::sample::{Flow, Sample};

/// A pair further apart tells the mean of a time that nobody looked at, and no rate of now.
pub const PAIR_LIMIT_S: f64 = 120.0;
/// How far the engine's system counter may be from the time that passed on all processors, as a factor. Docker counts the whole machine's
/// time; Podman hands out another counter under the same name.
const PLAUSIBLE: f64 = 1.5;

/// What one container uses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// When it was measured, by our clock.
    pub at: DateTime<Utc>,
    /// Processors in use; `None` until there are two samples of one life of the container.
    pub cpu: Option<f64>,
    /// The working set in bytes.
    pub memory: u64,
    /// The memory limit in bytes; the machine's memory where the container has none of its own.
    pub memory_limit: Option<u64>,
    /// Bytes a second over its interfaces.
    pub network: Option<Flow<f64>>,
    /// Bytes a second from and to block devices.
    pub block: Option<Flow<f64>>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// How many there may be.
    pub pids_limit: Option<u64>,
}

/// A sample and when it arrived, by our clock.
pub type Taken = (Sample, DateTime<Utc>);

impl Usage {
    /// The gauges alone.
    pub fn first((sample, at): &Taken) -> Self {
        Self {
            at: *at,
            cpu: None,
            memory: sample.memory,
            memory_limit: sample.memory_limit,
            network: None,
            block: None,
            pids: sample.pids,
            pids_limit: sample.pids_limit,
        }
    }

    /// The gauges of the later sample and the rates since the earlier one; `None` when both are the same reading, told twice.
    ///
    /// A counter that went back has begun anew: its rate is unknown this time. When the processor's did, the container was restarted, and
    /// so is every other rate.
    pub fn between(earlier: &Taken, later: &Taken) -> Option<Self> {
        let (before, after) = (&earlier.0, &later.0);
        if before == after && before.read.is_some() {
            return None;
        }
        let gauges = Self::first(later);
        let Some(seconds) = seconds_between(earlier, later).filter(|seconds| *seconds <= PAIR_LIMIT_S) else { return Some(gauges) };
        let Some(used) = after.cpu.checked_sub(before.cpu) else { return Some(gauges) };
        let flow = |before: Flow<u64>, after: Flow<u64>| {
            let rate = |before: u64, after: u64| Some(after.checked_sub(before)? as f64 / seconds);
            Some(Flow { inward: rate(before.inward, after.inward)?, outward: rate(before.outward, after.outward)? })
        };
        Some(Self {
            cpu: Some(cores(used, before, after, seconds)),
            network: before.network.zip(after.network).and_then(|(before, after)| flow(before, after)),
            block: flow(before.block, after.block),
            ..gauges
        })
    }
}

/// Docker's own formula where the engine's system counter is what Docker's is: the share of the machine's time, times its processors.
/// Elsewhere processor time over time.
fn cores(used: u64, before: &Sample, after: &Sample, seconds: f64) -> f64 {
    let used = used as f64;
    let plain = used / 1e9 / seconds;
    let system = after.system.zip(before.system).and_then(|(after, before)| after.checked_sub(before));
    let Some(system) = system.filter(|system| *system > 0 && after.cpus > 0).map(|system| system as f64) else { return plain };
    let cpus = f64::from(after.cpus);
    let ratio = system / 1e9 / (seconds * cpus);
    if (1.0 / PLAUSIBLE..=PLAUSIBLE).contains(&ratio) { used / system * cpus } else { plain }
}

/// The time between two readings: by the engine's clock, which stamps the reading itself, unless that clock was set in between.
fn seconds_between(earlier: &Taken, later: &Taken) -> Option<f64> {
    let seconds = |span: chrono::TimeDelta| span.num_microseconds().map_or(0.0, |micros| micros as f64 / 1e6);
    let ours = seconds(later.1 - earlier.1);
    let theirs = later.0.read.zip(earlier.0.read).map(|(later, earlier)| seconds(later - earlier));
    let told = theirs.filter(|theirs| *theirs > 0.0 && (theirs - ours).abs() <= 2.0 + ours.abs() / 2.0);
    told.or(Some(ours)).filter(|seconds| *seconds >= 0.01)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_790_000_000_000 + ms)
    }

    fn sample(ms: i64, cpu_ms: u64, bytes: u64) -> Sample {
        let system = u64::try_from(5_000_000 + ms).unwrap() * 1_000_000 * 4;
        Sample {
            read: Some(at(ms)),
            cpu: cpu_ms * 1_000_000,
            system: Some(system),
            cpus: 4,
            memory: 1 << 20,
            memory_limit: Some(1 << 30),
            network: Some(Flow { inward: bytes, outward: bytes * 2 }),
            block: Flow { inward: 0, outward: bytes },
            pids: Some(3),
            pids_limit: None,
        }
    }

    #[test]
    fn rates_are_those_of_docker_stats() {
        let usage = Usage::between(&(sample(0, 1000, 0), at(0)), &(sample(2000, 2000, 4096), at(2000))).unwrap();
        assert_eq!(usage.cpu, Some(0.5));
        assert_eq!(usage.network, Some(Flow { inward: 2048.0, outward: 4096.0 }));
        assert_eq!(usage.block, Some(Flow { inward: 0.0, outward: 2048.0 }));
    }

    #[test]
    fn an_engine_with_another_system_counter_is_judged_by_time() {
        let other = |ms: i64, cpu: u64| Sample { system: Some(7_000_000 + cpu), cpus: 0, ..sample(ms, cpu, 0) };
        let usage = Usage::between(&(other(0, 1000), at(0)), &(other(2000, 3000), at(2000))).unwrap();
        assert_eq!(usage.cpu, Some(1.0), "no processors are told");
        let other = |ms: i64, cpu: u64| Sample { cpus: 4, ..other(ms, cpu) };
        let usage = Usage::between(&(other(0, 1000), at(0)), &(other(2000, 3000), at(2000))).unwrap();
        assert_eq!(usage.cpu, Some(1.0), "the counter is not the machine's time");
    }

    #[test]
    fn a_restart_is_no_rate() {
        let usage = Usage::between(&(sample(0, 9000, 500), at(0)), &(sample(2000, 10, 9000), at(2000))).unwrap();
        assert_eq!((usage.cpu, usage.network, usage.block), (None, None, None));
        assert_eq!(usage.memory, 1 << 20);
        // An interface that left takes its bytes along; the rest goes on.
        let usage = Usage::between(&(sample(0, 9000, 500), at(0)), &(sample(2000, 9100, 20), at(2000))).unwrap();
        assert_eq!((usage.cpu, usage.network), (Some(0.05), None));
    }

    #[test]
    fn the_same_reading_twice_is_none_and_a_long_gap_no_rate() {
        let (one, late) = (sample(0, 1, 1), sample(600_000, 2, 2));
        assert_eq!(Usage::between(&(one, at(0)), &(one, at(900))), None);
        assert_eq!(Usage::between(&(one, at(0)), &(late, at(600_000))).unwrap().cpu, None);
    }

    #[test]
    fn a_clock_that_was_set_does_not_count() {
        let mut back = sample(2000, 2000, 4096);
        back.read = Some(at(-3_600_000));
        let usage = Usage::between(&(sample(0, 1000, 0), at(0)), &(back, at(2000))).unwrap();
        assert_eq!(usage.network.map(|flow| flow.inward), Some(2048.0));
    }

    proptest! {
        #[test]
        fn rates_are_never_negative_nor_infinite(
            times in prop::array::uniform4(-5_000_000i64..5_000_000), counters in prop::array::uniform4(any::<u64>()),
            systems in prop::array::uniform2(any::<Option<u64>>()), cpus in any::<u32>(),
        ) {
            let of = |read: i64, cpu: u64, bytes: u64, system| Sample {
                read: Some(at(read)), cpu, system, cpus,
                network: Some(Flow { inward: bytes, outward: cpu }), block: Flow { inward: cpu, outward: bytes }, ..sample(0, 0, 0)
            };
            let earlier = (of(times[0], counters[0], counters[1], systems[0]), at(times[1]));
            let later = (of(times[2], counters[2], counters[3], systems[1]), at(times[3]));
            if let Some(usage) = Usage::between(&earlier, &later) {
                let flows = [usage.network, usage.block].into_iter().flatten().flat_map(|flow| [flow.inward, flow.outward]);
                for rate in usage.cpu.into_iter().chain(flows) {
                    prop_assert!(rate.is_finite() && rate >= 0.0, "{rate}");
                }
            }
        }
    }
}
