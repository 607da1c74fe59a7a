//! The same scenario in another size: overrides from the command line.

use toml::Spanned;

use super::{Churn, ChurnKind, Scenario, glob};

/// What the command line may change about a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Hosts in all, shared among the groups in proportion.
    pub hosts: Option<u32>,
    /// Containers per host.
    pub containers: Option<u32>,
    /// Events per second over all hosts.
    pub events_per_second: Option<f64>,
    /// Another seed.
    pub seed: Option<u64>,
}

impl Scenario {
    /// This scenario with `overrides`. Faults and drift whose hosts no longer exist fall away.
    pub fn with(mut self, overrides: Overrides) -> Self {
        if let Some(seed) = overrides.seed {
            self.seed = seed;
        }
        if let Some(rate) = overrides.events_per_second {
            let kind = self.churn.as_ref().map_or(ChurnKind::default(), |churn| churn.kind);
            self.churn = Some(Churn { events_per_second: rate.clamp(0.0, 100_000.0), kind });
        }
        if let Some(hosts) = overrides.hosts {
            self.resize_hosts(hosts.clamp(1, 10_000));
        }
        if let Some(containers) = overrides.containers {
            self.containers_per_host = Some(containers.min(10_000));
        }
        self
    }

    fn resize_hosts(&mut self, wanted: u32) {
        let before: u32 = self.hosts.iter().map(|group| group.name.get_ref().count() as u32).sum();
        let (mut counted, mut given) = (0, 0);
        self.hosts.retain_mut(|group| {
            counted += group.name.get_ref().count() as u32;
            let upto = (u64::from(wanted) * u64::from(counted) / u64::from(before.max(1))) as u32;
            let mine = upto - given;
            given = upto;
            if mine == 0 {
                return false;
            }
            group.name = Spanned::new(group.name.span(), group.name.get_ref().resized(mine));
            group.address = None;
            true
        });
        let names: Vec<String> = self.hosts.iter().flat_map(|group| group.name.get_ref().names()).collect();
        let lives = |pattern: &Spanned<String>| names.iter().any(|name| glob(pattern.get_ref(), name));
        self.faults.retain(|fault| lives(&fault.host));
        self.drift.retain(|drift| lives(&drift.host));
        self.trouble.retain(|trouble| lives(&trouble.host));
    }
}
