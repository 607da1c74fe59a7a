//! What of a deployed app really runs somewhere now: as its containers say.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    board::past::Stand,
    delivery::release::label,
    fleet::{Fleet, HostId},
};

/// Release → where it runs, told by the labels of what runs; else what the ledger says.
pub(super) struct Runs {
    pub releases: BTreeMap<String, BTreeSet<HostId>>,
    /// Whether no container was seen that says anything, and the ledger speaks.
    pub by_ledger: bool,
}

impl Runs {
    pub(super) fn of(stand: &Stand, fleet: &Fleet) -> Self {
        let mut releases: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
        for one in fleet.containers().filter(|one| one.is_running() && !one.is_kept() && one.label(label::KIND).is_none()) {
            let is_there =
                one.identity.service.app.as_ref() == Some(&stand.app) && one.identity.environment.as_ref() == Some(&stand.environment);
            if let Some(release) = one.label(label::RELEASE).filter(|_| is_there) {
                releases.entry(release.to_owned()).or_default().insert(one.key.host.clone());
            }
        }
        let by_ledger = releases.is_empty();
        if let Some(now) = stand.now.as_ref().filter(|_| by_ledger) {
            releases.insert(now.release.to_string(), BTreeSet::new());
        }
        Self { releases, by_ledger }
    }

    /// Whether something else runs than ran then.
    pub(super) fn differs(&self, stand: &Stand) -> bool {
        let then = stand.then.as_ref().map(|good| good.release.to_string());
        match &then {
            Some(then) => self.releases.keys().any(|now| now != then) || self.releases.is_empty(),
            None => !self.releases.is_empty(),
        }
    }

    /// `1.0.1-22-7e56158+c1f09ab2 (by the ledger)`.
    pub(super) fn words(&self) -> String {
        let all: Vec<&str> = self.releases.keys().map(String::as_str).collect();
        let source = if self.by_ledger { " (by the ledger)" } else { "" };
        if all.is_empty() { "nothing".to_owned() } else { format!("{}{source}", all.join(", ")) }
    }
}
