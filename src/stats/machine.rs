//! A host's own figures: processor, memory, load, and the disk that the engine's data is on.
//!
//! Read from the host itself where there is a way to (over the same SSH session, or straight from the kernel on this machine); elsewhere
//! only what the engine tells is known, and every figure says which it is.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::series::Series;

/// How many measures a host's history has: [`MachineMeasure`].
pub const MACHINE_MEASURES: usize = 4;

/// What is remembered of a host, by its place in a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MachineMeasure {
    /// Processors in use.
    Cpu,
    /// Bytes that are not available.
    Memory,
    /// The load average of one minute.
    Load,
    /// The used share of the engine's disk, 0 to 1.
    Disk,
}

/// Why a text holds no figures of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no /proc/{missing} in what it told: not Linux, or a restricted shell")]
pub struct MachineError {
    missing: &'static str,
}

/// The disk that the engine's data is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes in use.
    pub used: u64,
    /// Bytes that may still be written: without what is kept for root.
    pub available: u64,
}

impl Disk {
    /// The used share as `df` counts it: of what is used or available.
    pub fn share(&self) -> f64 {
        let all = self.used.saturating_add(self.available);
        if all == 0 { 0.0 } else { self.used as f64 / all as f64 }
    }
}

/// The figures of a host at one moment; processor time as counters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineSample {
    /// Clock ticks of all processors so far.
    pub ticks: u64,
    /// Of these, the ones in which something ran.
    pub busy: u64,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes that a new program could have.
    pub available: u64,
    /// The load average of one minute.
    pub load: f64,
    /// The engine's disk, where it can be seen.
    pub disk: Option<Disk>,
}

impl MachineSample {
    /// Reads `/proc/stat`, `/proc/meminfo` and `/proc/loadavg`, one after the other, and what `df -Pk` says, where it follows. Each line
    /// is known by its beginning, so that more or less of them does no harm.
    ///
    /// # Errors
    /// When one of the three files is missing.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        let (mut cpu, mut cpus, mut total, mut available, mut free, mut load, mut disk) = (None, 0, None, None, None, None, None);
        let mut after_heading = false;
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(first) = words.next() else { continue };
            match first {
                "cpu" => cpu = ticks(words),
                "MemTotal:" => total = kilobytes(words.next()),
                "MemAvailable:" => available = kilobytes(words.next()),
                "MemFree:" => free = kilobytes(words.next()),
                "Filesystem" => after_heading = true,
                _ if first.strip_prefix("cpu").is_some_and(|digits| digits.parse::<u32>().is_ok()) => cpus += 1,
                _ if after_heading => {
                    disk = disk.or(disk_line(line));
                    after_heading = false;
                }
                _ if load.is_none() && is_load(line) => load = first.parse::<f64>().ok().filter(|load| load.is_finite() && *load >= 0.0),
                _ => {}
            }
        }
        let (ticks, busy) = cpu.ok_or(MachineError { missing: "stat" })?;
        let memory = total.ok_or(MachineError { missing: "meminfo" })?;
        // Kernels before 3.14 tell only what is free.
        let available = available.or(free).unwrap_or(0).min(memory);
        Ok(Self { ticks, busy, cpus, memory, available, load: load.ok_or(MachineError { missing: "loadavg" })?, disk })
    }
}

/// All ticks, and those of them that were busy: neither idle nor waiting for a disk. Guests' time is in the first column already.
fn ticks<'t>(words: impl Iterator<Item = &'t str>) -> Option<(u64, u64)> {
    let columns: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let all = columns.iter().copied().fold(0, u64::saturating_add);
    let idle = columns.get(3).copied()?.saturating_add(columns.get(4).copied().unwrap_or(0));
    Some((all, all.saturating_sub(idle)))
}

fn kilobytes(word: Option<&str>) -> Option<u64> {
    word?.parse::<u64>().ok().map(|count| count.saturating_mul(1024))
}

/// `0.52 0.58 0.59 1/389 12345`.
fn is_load(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.len() == 5 && words[3].split_once('/').is_some_and(|(a, b)| a.parse::<u64>().is_ok() && b.parse::<u64>().is_ok())
}

/// `/dev/vda1 41152736 5541048 33675600 15% /`; the device may hold spaces, so it is read from the end.
fn disk_line(line: &str) -> Option<Disk> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let share = words.iter().rposition(|word| word.ends_with('%'))?;
    let kilobytes = |back: usize| share.checked_sub(back).and_then(|at| kilobytes(words.get(at).copied()));
    Some(Disk { used: kilobytes(2)?, available: kilobytes(1)? })
}

/// What came of asking a host for its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineReading {
    /// The host told.
    Host(MachineSample),
    /// Only the engine can be asked, and why.
    Engine(Arc<str>),
}

/// What a host uses now.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineUsage {
    /// When it was measured, by our clock.
    pub at: DateTime<Utc>,
    /// Processors in use; `None` until there are two samples.
    pub cpu: Option<f64>,
    /// Processors.
    pub cpus: u32,
    /// Bytes that are not available.
    pub memory: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// The load average of one minute.
    pub load: f64,
    /// The engine's disk, where it can be seen.
    pub disk: Option<Disk>,
}

/// What is remembered of one host.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    last: Option<(MachineSample, DateTime<Utc>)>,
    usage: Option<MachineUsage>,
    /// Why only the engine can be asked.
    why: Option<Arc<str>>,
    series: Series<MACHINE_MEASURES>,
}

impl Machine {
    /// Takes what came of asking.
    pub fn take(&mut self, reading: &MachineReading, at: DateTime<Utc>) {
        let sample = match reading {
            MachineReading::Host(sample) => *sample,
            MachineReading::Engine(why) => {
                self.why = Some(Arc::clone(why));
                (self.last, self.usage) = (None, None);
                return;
            }
        };
        self.why = None;
        let cpus = sample.cpus.max(1);
        let recent = |(_, taken): &&(MachineSample, DateTime<Utc>)| (at - *taken).num_seconds() <= 120;
        let cpu = self.last.as_ref().filter(recent).and_then(|(before, _)| {
            // A counter that went back: it was booted anew.
            let (all, busy) = (sample.ticks.checked_sub(before.ticks)?, sample.busy.checked_sub(before.busy)?);
            (all > 0).then(|| busy as f64 / all as f64 * f64::from(cpus))
        });
        let usage = MachineUsage {
            at,
            cpu,
            cpus,
            memory: sample.memory.saturating_sub(sample.available),
            memory_total: sample.memory,
            load: sample.load,
            disk: sample.disk,
        };
        self.series.push(at, [cpu, Some(usage.memory as f64), Some(sample.load), sample.disk.map(|disk| disk.share())]);
        self.last = Some((sample, at));
        self.usage = Some(usage);
    }

    /// What the host itself told last.
    pub fn usage(&self) -> Option<&MachineUsage> {
        self.usage.as_ref()
    }

    /// Why only the engine can be asked; `None` where the host tells, or was not asked yet.
    pub fn why_not(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Its history, by [`MachineMeasure`].
    pub fn series(&self) -> &Series<MACHINE_MEASURES> {
        &self.series
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const TOLD: &str = "cpu  100 0 50 800 50 0 0 0 0 0
cpu0 50 0 25 400 25 0 0 0 0 0
cpu1 50 0 25 400 25 0 0 0 0 0
intr 1 2 3 4
ctxt 99
MemTotal:       16384 kB
MemFree:         1024 kB
MemAvailable:    4096 kB
Cached:          9999 kB
0.52 0.58 0.59 1/389 12345
12345.67 99999.01
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/mapper/my disk  41152736 5541048  33675600      15% /var/lib/docker
";

    #[test]
    fn what_the_fixed_command_prints_is_read() {
        let sample = MachineSample::parse(TOLD).unwrap();
        let disk = Disk { used: 5_541_048 << 10, available: 33_675_600 << 10 };
        let whole = MachineSample { ticks: 1000, busy: 150, cpus: 2, memory: 16 << 20, available: 4 << 20, load: 0.52, disk: Some(disk) };
        assert_eq!(sample, whole);
        assert_eq!(format!("{:.0}", disk.share() * 100.0), "14");
        let without = TOLD.split("Filesystem").next().unwrap();
        assert_eq!(MachineSample::parse(without).unwrap().disk, None);
        assert_eq!(
            MachineSample::parse("Darwin").unwrap_err().to_string(),
            "no /proc/stat in what it told: not Linux, or a restricted shell"
        );
    }

    #[test]
    fn processors_in_use_are_the_busy_share_of_the_ticks_that_passed() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000i64 + seconds);
        let first = MachineSample::parse(TOLD).unwrap();
        let mut machine = Machine::default();
        machine.take(&MachineReading::Host(first), at(0));
        assert_eq!(machine.usage().unwrap().cpu, None);
        machine.take(&MachineReading::Host(MachineSample { ticks: 2000, busy: 400, ..first }), at(5));
        assert_eq!(machine.usage().unwrap().cpu, Some(0.5));
        assert_eq!(machine.usage().unwrap().memory, 12 << 20);
        machine.take(&MachineReading::Host(first), at(10));
        assert_eq!(machine.usage().unwrap().cpu, None, "booted anew");
        machine.take(&MachineReading::Engine("sshd runs no command".into()), at(15));
        assert_eq!((machine.usage(), machine.why_not()), (None, Some("sshd runs no command")));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([a-zA-Z0-9%/: .-]{0,40}\n){0,12}", numbers in prop::collection::vec(any::<u64>(), 10)) {
            let _survived = MachineSample::parse(&text);
            let line = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            let full = format!("cpu {line}\nMemTotal: {} kB\n1.0 1.0 1.0 1/1 1\nFilesystem\n{line} 5% /\n", numbers[0]);
            if let Ok(sample) = MachineSample::parse(&full) {
                prop_assert!(sample.busy <= sample.ticks && sample.available <= sample.memory);
            }
        }
    }
}
