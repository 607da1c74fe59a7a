//! What was measured in this session: the last usage of every container that was looked at, its history, and the hosts'.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    machine::{Machine, MachineReading},
    sample::Sample,
    series::{MEASURES, Series},
    usage::{Taken, Usage},
};
use crate::fleet::{AppName, Change, Container, ContainerId, ContainerKey, EnvironmentId, Fleet, Host, HostId, ServiceKey};

/// A usage older than this is not what a container uses now.
pub const FRESH: TimeDelta = TimeDelta::minutes(2);
/// So many containers have a history at most, those measured last: 9.2 KB each.
pub const KEPT: usize = 1024;

/// What was measured on one host, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Which.
    pub host: HostId,
    /// When the answers were here, by our clock.
    pub at: DateTime<Utc>,
    /// Of its containers.
    pub samples: Vec<(ContainerId, Sample)>,
    /// Of the host itself.
    pub machine: Option<MachineReading>,
}

/// What is remembered of one container.
#[derive(Clone, Debug)]
pub struct Track {
    last: Taken,
    usage: Option<Usage>,
    /// The life that it was measured in.
    started: Option<DateTime<Utc>>,
    service: ServiceKey,
    environment: Option<EnvironmentId>,
    series: Series<MEASURES>,
}

/// Whose histories a chart adds up. What is gone counts where it was.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'s> {
    /// One container.
    Container(&'s ContainerKey),
    /// A service, in one environment.
    Service(&'s ServiceKey, Option<&'s EnvironmentId>),
    /// An app, in one environment; what belongs to none is one, too.
    App(Option<&'s AppName>, Option<&'s EnvironmentId>),
    /// An environment.
    Environment(Option<&'s EnvironmentId>),
    /// A host.
    Host(&'s HostId),
}

impl Scope<'_> {
    fn holds(&self, key: &ContainerKey, track: &Track) -> bool {
        let environment = track.environment.as_ref();
        match self {
            Self::Container(of) => *of == key,
            Self::Service(service, of) => **service == track.service && *of == environment,
            Self::App(app, of) => *app == track.service.app.as_ref() && *of == environment,
            Self::Environment(of) => *of == environment,
            Self::Host(host) => **host == key.host,
        }
    }
}

/// The measurements of a session. Its memory is bounded: at most [`KEPT`] containers, and one history a host.
#[derive(Clone, Debug, Default)]
pub struct Book {
    tracks: HashMap<ContainerKey, Track>,
    machines: HashMap<HostId, Machine>,
}

impl Book {
    /// Takes what was measured. Samples of containers that the fleet does not know are dropped: they are gone.
    pub fn take(&mut self, batch: &Batch, fleet: &Fleet) {
        if let Some(reading) = &batch.machine {
            self.machines.entry(batch.host.clone()).or_default().take(reading, batch.at);
        }
        for (id, sample) in &batch.samples {
            let key = ContainerKey { host: batch.host.clone(), id: id.clone() };
            if let Some(container) = fleet.container(&key) {
                self.take_sample(key, container, (*sample, batch.at));
            }
        }
        self.prune();
    }

    fn take_sample(&mut self, key: ContainerKey, container: &Container, taken: Taken) {
        let identity = &container.identity;
        let track = self.tracks.entry(key).or_insert_with(|| Track {
            last: taken,
            usage: None,
            started: container.started,
            service: identity.service.clone(),
            environment: identity.environment.clone(),
            series: Series::default(),
        });
        if track.service != identity.service || track.environment != identity.environment {
            (track.service, track.environment) = (identity.service.clone(), identity.environment.clone());
        }
        let usage = match &track.usage {
            Some(_) if !is_other_life(track.started, container.started) => match Usage::between(&track.last, &taken) {
                Some(usage) => usage,
                // The same reading again.
                None => return,
            },
            Some(_) | None => Usage::first(&taken),
        };
        let inward = |flow: Option<super::Flow<f64>>| (flow.map(|flow| flow.inward), flow.map(|flow| flow.outward));
        let ((received, sent), (read, written)) = (inward(usage.network), inward(usage.block));
        let values = [usage.cpu, Some(usage.memory as f64), received, sent, read, written, usage.pids.map(|pids| pids as f64)];
        track.series.push(usage.at, values);
        (track.last, track.usage, track.started) = (taken, Some(usage), container.started);
    }

    /// What no longer runs uses nothing, and begins anew when it runs again; its history stays.
    pub fn settle(&mut self, change: &Change, fleet: &Fleet) {
        for key in change.containers.iter().chain(&change.removed) {
            if let Some(track) = self.tracks.get_mut(key)
                && fleet.container(key).is_none_or(|container| !container.is_running())
            {
                track.usage = None;
            }
        }
    }

    /// What a container uses now; `None` when it does not run, its host is lost, or nobody measured it lately.
    pub fn current(&self, container: &Container, host: &Host, now: DateTime<Utc>) -> Option<&Usage> {
        if !container.is_running() || !host.link.is_live() {
            return None;
        }
        let track = self.tracks.get(&container.key)?;
        let usage = track.usage.as_ref()?;
        (now - usage.at <= FRESH && !is_other_life(track.started, container.started)).then_some(usage)
    }

    /// What was last measured of a container, however long ago.
    pub fn last(&self, key: &ContainerKey) -> Option<&Usage> {
        self.tracks.get(key)?.usage.as_ref()
    }

    /// What is known of a host itself.
    pub fn machine(&self, host: &HostId) -> Option<&Machine> {
        self.machines.get(host)
    }

    /// The histories of a scope, for a chart that adds them up.
    pub fn histories<'b>(&'b self, scope: Scope<'b>) -> impl Iterator<Item = &'b Series<MEASURES>> {
        let single = match scope {
            Scope::Container(key) => Some(self.tracks.get(key)),
            Scope::Service(..) | Scope::App(..) | Scope::Environment(_) | Scope::Host(_) => None,
        };
        let many = self.tracks.iter().filter(move |(key, track)| single.is_none() && scope.holds(key, track)).map(|(_, track)| track);
        single.flatten().into_iter().chain(many).map(|track| &track.series)
    }

    /// Whether nothing was measured yet.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty() && self.machines.is_empty()
    }

    /// Forgets the containers measured longest ago when there are too many, an eighth at once.
    fn prune(&mut self) {
        if self.tracks.len() <= KEPT {
            return;
        }
        let mut moments: Vec<DateTime<Utc>> = self.tracks.values().map(|track| track.last.1).collect();
        let spare = self.tracks.len() - KEPT * 7 / 8;
        let (_, oldest, _) = moments.select_nth_unstable(spare - 1);
        let (oldest, mut left) = (*oldest, spare);
        self.tracks.retain(|_, track| {
            let goes = left > 0 && track.last.1 <= oldest;
            left -= usize::from(goes);
            !goes
        });
    }
}

/// Whether a container was started anew in between; a start that nobody knows of yet tells nothing.
fn is_other_life(measured: Option<DateTime<Utc>>, now: Option<DateTime<Utc>>) -> bool {
    measured.zip(now).is_some_and(|(measured, now)| measured != now)
}

#[cfg(test)]
mod tests;
