//! A search through the whole logs of many containers: how far it is on each host, and what it did not reach.

use std::collections::BTreeMap;

use super::{Cast, Marker, MarkerKind, SourceId, Stamp};
use crate::fleet::HostId;

/// A search under way, or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// What is looked for.
    pub pattern: String,
    /// How far it is, by host.
    pub hosts: BTreeMap<HostId, Progress>,
    /// What was not searched, or not to its end. Complete once it is over.
    pub missing: Vec<Marker>,
    /// Whether nothing more comes.
    pub over: bool,
    /// Whether what is missing stands in the stream already.
    pub told: bool,
}

/// How far a search is on one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many logs there are.
    pub logs: usize,
    /// How many of them were searched, or given up.
    pub done: usize,
    /// How many lines were looked at.
    pub scanned: u64,
    /// How many matched.
    pub found: u64,
}

impl Hunt {
    /// A search that begins: what it has to search is the cast, and `unknown` tells of hosts of which nobody knows what
    /// runs there.
    pub fn new(pattern: String, cast: &Cast, unknown: impl Iterator<Item = Marker>) -> Self {
        let mut hosts: BTreeMap<HostId, Progress> = BTreeMap::new();
        for source in cast.sources() {
            hosts.entry(source.key.host.clone()).or_default().logs += 1;
        }
        Self { pattern, hosts, missing: unknown.collect(), over: cast.sources().is_empty(), told: false }
    }

    /// Lines of a source were looked at.
    pub fn scanned(&mut self, cast: &Cast, source: SourceId, scanned: u64, found: u64) {
        if let Some(progress) = cast.source(source).and_then(|source| self.hosts.get_mut(&source.key.host)) {
            progress.scanned += scanned;
            progress.found += found;
        }
    }

    /// A source is done with; `why` if not all of it was searched.
    pub fn ended(&mut self, cast: &Cast, source: SourceId, why: Option<&str>, at: Stamp) {
        self.fell_short(cast, source, why, at);
        if let Some(progress) = cast.source(source).and_then(|source| self.hosts.get_mut(&source.key.host)) {
            progress.done += 1;
        }
        self.over = self.hosts.values().all(|progress| progress.done >= progress.logs);
    }

    /// Not all of a source was searched.
    pub fn fell_short(&mut self, cast: &Cast, source: SourceId, why: Option<&str>, at: Stamp) {
        if let (Some(source), Some(why)) = (cast.source(source), why) {
            let kind = MarkerKind::NotSearched { reason: why.into() };
            self.missing.push(Marker { at, host: source.key.host.clone(), source: Some((source.id, source.name.clone())), kind });
        }
    }

    /// All hosts together.
    pub fn total(&self) -> Progress {
        self.hosts.values().fold(Progress::default(), |sum, one| Progress {
            logs: sum.logs + one.logs,
            done: sum.done + one.done,
            scanned: sum.scanned + one.scanned,
            found: sum.found + one.found,
        })
    }
}
