//! One answer of `GET /containers/{id}/stats`, decoded.
//!
//! Engines differ: cgroup v1 and v2, Podman's imitation, fields that are missing or null. What is missing is unknown, not an error; only
//! an answer that is no stats document at all is one.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;

/// No limit that means anything is larger: cgroup v1 says "none" with 2^63 less a page.
const UNLIMITED: u64 = 1 << 60;

/// Why an answer is no stats document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no stats: {0}")]
pub struct SampleError(String);

/// Something that goes both ways: received and sent, read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow<T> {
    /// Received; read.
    pub inward: T,
    /// Sent; written.
    pub outward: T,
}

/// The counters and gauges of one container at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the engine read them, by its own clock.
    pub read: Option<DateTime<Utc>>,
    /// Processor time since the container started, in nanoseconds.
    pub cpu: u64,
    /// What the engine calls the system's processor time, in nanoseconds; on Docker that of the whole machine, idle time included.
    pub system: Option<u64>,
    /// Processors that are on.
    pub cpus: u32,
    /// The working set in bytes, as `docker stats` counts it: without the page cache that is not in use.
    pub memory: u64,
    /// The memory limit in bytes; the machine's memory where the container has none of its own.
    pub memory_limit: Option<u64>,
    /// Bytes over all its interfaces; `None` where it has none of its own (the host's network).
    pub network: Option<Flow<u64>>,
    /// Bytes from and to block devices.
    pub block: Flow<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// How many there may be.
    pub pids_limit: Option<u64>,
}

impl Sample {
    /// Reads an answer; `None` when nothing runs in the container, which Docker tells by a document without
    /// figures and Podman by an empty one.
    ///
    /// # Errors
    /// When it is no JSON, or JSON of another shape.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, SampleError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| SampleError(crate::text::clean_line(&error.to_string())))?;
        Ok(raw.sample())
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    read: Loose<DateTime<Utc>>,
    #[serde(default)]
    cpu_stats: Nullable<RawCpu>,
    #[serde(default)]
    memory_stats: Nullable<RawMemory>,
    #[serde(default)]
    networks: Option<BTreeMap<String, Nullable<RawInterface>>>,
    /// Before API 1.21: the one interface.
    #[serde(default)]
    network: Option<RawInterface>,
    #[serde(default)]
    blkio_stats: Nullable<RawBlock>,
    #[serde(default)]
    pids_stats: Nullable<RawPids>,
}

#[derive(Default, Deserialize)]
struct RawCpu {
    #[serde(default)]
    cpu_usage: Nullable<RawCpuUsage>,
    #[serde(default)]
    system_cpu_usage: Loose<u64>,
    #[serde(default)]
    online_cpus: Loose<u64>,
}

#[derive(Default, Deserialize)]
struct RawCpuUsage {
    #[serde(default)]
    total_usage: Loose<u64>,
    #[serde(default)]
    percpu_usage: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
struct RawMemory {
    #[serde(default)]
    usage: Loose<u64>,
    #[serde(default)]
    limit: Loose<u64>,
    #[serde(default)]
    stats: Nullable<RawMemoryDetail>,
}

#[derive(Default, Deserialize)]
struct RawMemoryDetail {
    /// cgroup v1 only.
    #[serde(default)]
    total_inactive_file: Loose<u64>,
    #[serde(default)]
    inactive_file: Loose<u64>,
}

#[derive(Default, Deserialize)]
struct RawInterface {
    #[serde(default)]
    rx_bytes: Loose<u64>,
    #[serde(default)]
    tx_bytes: Loose<u64>,
}

#[derive(Default, Deserialize)]
struct RawBlock {
    #[serde(default)]
    io_service_bytes_recursive: Option<Vec<RawOperation>>,
}

#[derive(Deserialize)]
struct RawOperation {
    #[serde(default)]
    op: Loose<String>,
    #[serde(default)]
    value: Loose<u64>,
}

#[derive(Default, Deserialize)]
struct RawPids {
    #[serde(default)]
    current: Loose<u64>,
    #[serde(default)]
    limit: Loose<u64>,
}

impl Raw {
    fn sample(self) -> Option<Sample> {
        let (cpu, memory, pids) = (self.cpu_stats.0, self.memory_stats.0, self.pids_stats.0);
        // The engine writes "never" as year 1.
        let read = self.read.0.filter(|at| at.timestamp() > 0);
        let used = cpu.cpu_usage.0.total_usage.0.unwrap_or(0);
        if memory.usage.0.is_none() && pids.current.0.is_none() && used == 0 {
            return None;
        }
        let listed = cpu.cpu_usage.0.percpu_usage.map_or(0, |each| each.len() as u64);
        let cpus = cpu.online_cpus.0.filter(|count| *count > 0).unwrap_or(listed);
        let limit = |limit: Loose<u64>| limit.0.filter(|limit| (1..UNLIMITED).contains(limit));
        Some(Sample {
            read,
            cpu: used,
            system: cpu.system_cpu_usage.0.filter(|system| *system > 0),
            cpus: u32::try_from(cpus).unwrap_or(0),
            memory: memory.working_set(),
            memory_limit: limit(memory.limit),
            network: network(self.networks, self.network),
            block: self.blkio_stats.0.bytes(),
            pids: pids.current.0,
            pids_limit: limit(pids.limit),
        })
    }
}

impl RawMemory {
    /// The rule of Docker's own client (`calculateMemUsageUnixNoCache` in docker/cli): usage less the inactive file cache, under the name
    /// that cgroup v1 has for it, else that of v2, where it is less than the usage.
    fn working_set(&self) -> u64 {
        let usage = self.usage.0.unwrap_or(0);
        let detail = &self.stats.0;
        let cache = [detail.total_inactive_file.0, detail.inactive_file.0].into_iter().flatten().find(|cache| *cache < usage);
        usage - cache.unwrap_or(0)
    }
}

fn network(many: Option<BTreeMap<String, Nullable<RawInterface>>>, one: Option<RawInterface>) -> Option<Flow<u64>> {
    let each: Vec<RawInterface> = many.map(|many| many.into_values().map(|each| each.0).collect()).or(one.map(|one| vec![one]))?;
    let sum = |bytes: fn(&RawInterface) -> Option<u64>| each.iter().filter_map(bytes).fold(0, u64::saturating_add);
    Some(Flow { inward: sum(|each| each.rx_bytes.0), outward: sum(|each| each.tx_bytes.0) })
}

impl RawBlock {
    /// By the first letter of the operation, as Docker's own client does: the words are `Read` and `read`, `Total` is neither.
    fn bytes(self) -> Flow<u64> {
        let mut flow = Flow::default();
        for operation in self.io_service_bytes_recursive.unwrap_or_default() {
            let bytes = operation.value.0.unwrap_or(0);
            match operation.op.0.unwrap_or_default().as_bytes().first() {
                Some(b'r' | b'R') => flow.inward = u64::saturating_add(flow.inward, bytes),
                Some(b'w' | b'W') => flow.outward = u64::saturating_add(flow.outward, bytes),
                Some(_) | None => {}
            }
        }
        flow
    }
}

/// Go writes what is empty as `null`.
#[derive(Default)]
struct Nullable<T>(T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A value of whatever JSON type; one that is not what was hoped for is unknown.
#[derive(Default)]
struct Loose<T>(Option<T>);

/// What can be read out of a JSON scalar.
trait Scalar: Sized {
    fn number(_: f64) -> Option<Self> {
        None
    }
    fn count(_: u64) -> Option<Self> {
        None
    }
    fn text(text: &str) -> Option<Self>;
}

impl Scalar for u64 {
    fn number(number: f64) -> Option<Self> {
        // The range of what a float can hold of it; `as` saturates.
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    }
    fn count(count: u64) -> Option<Self> {
        Some(count)
    }
    fn text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Scalar for String {
    fn text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Scalar for DateTime<Utc> {
    fn text(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData)).map(Self)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for Any<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Self::Value, E> {
        Ok(T::count(count))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        // Only what is below zero comes this way.
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(T::number(number))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::text(text))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
