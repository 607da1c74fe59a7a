//! Which hosts take part, which do not, and what is wrong with that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Out, PlanError, make::Request};
use crate::{
    delivery::observed::{HostView, Sight},
    fleet::HostId,
};

/// Who takes part.
#[derive(Debug)]
pub(super) struct Cast<'a> {
    pub(super) views: BTreeMap<HostId, &'a HostView>,
    pub(super) out: BTreeMap<HostId, Out>,
}

impl<'a> Cast<'a> {
    pub(super) fn of(request: &Request<'a>) -> Result<Self, PlanError> {
        let options = request.options;
        let targets = targets(request);
        for asked in options.host.iter().chain(&options.without) {
            if !targets.contains(asked) {
                return Err(PlanError::NoHost {
                    host: asked.clone(),
                    near: nearest(asked.as_str(), targets.iter().map(HostId::as_str)).map(HostId::new),
                });
            }
        }
        let mut cast = Self { views: BTreeMap::new(), out: BTreeMap::new() };
        let mut silent = Vec::new();
        for host in targets {
            let skipped = options.host.as_ref().is_some_and(|only| *only != host)
                || options.only_failed && !request.observed.failed.contains(&host)
                || options.only_owed && !request.observed.owed.contains(&host);
            match request.observed.hosts.get(&host) {
                _ if options.without.contains(&host) => drop(cast.out.insert(host, Out::Without)),
                _ if skipped => drop(cast.out.insert(host, Out::NotAsked)),
                Some(Sight::Seen(view)) => drop(cast.views.insert(host, view)),
                Some(Sight::Lost(why)) if options.rollback => {
                    cast.out.insert(host, Out::Silent(Arc::clone(why)));
                }
                Some(Sight::Lost(why)) => silent.push((host, Arc::clone(why))),
                None => silent.push((host, "it is not in the configuration".into())),
            }
        }
        if !silent.is_empty() {
            return Err(PlanError::Unreachable(silent));
        }
        if cast.views.is_empty() {
            let why = match () {
                () if options.only_owed => "no host is owed anything",
                () if options.only_failed => "the last deployment failed on none",
                () => "all of the environment's are left out or silent",
            };
            return Err(PlanError::NoHosts(why));
        }
        for (host, view) in &cast.views {
            let passes = options.override_reason.is_some() || options.rollback && options.reason.is_some();
            if let Some(freeze) = view.freeze.as_ref().filter(|_| !passes) {
                let reason = freeze.reason.clone().unwrap_or_else(|| "no reason given".into());
                return Err(PlanError::Frozen { holder: Arc::clone(&freeze.holder), since: Arc::clone(&freeze.since), reason });
            }
            let names = request.names();
            if let Some(name) = view.foreign.iter().find(|name| **name == names.lock() || **name == names.freeze()) {
                return Err(PlanError::Foreign { host: host.clone(), name: Arc::clone(name) });
            }
        }
        Ok(cast)
    }
}

/// Everything that the environment names, and hosts that still have something of it.
fn targets(request: &Request<'_>) -> BTreeSet<HostId> {
    let named = request.rendered.services.values().flat_map(|service| &service.hosts).chain(&request.policy.hosts);
    let still = request.observed.hosts.iter().filter(|(_, sight)| match sight {
        Sight::Seen(view) => !view.instances.is_empty(),
        Sight::Lost(_) => false,
    });
    named.chain(still.map(|(host, _)| host)).cloned().collect()
}

/// The known word that a person may have meant.
pub(super) fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|word| (strsim::damerau_levenshtein(asked, word), word));
    scored.min().filter(|(distance, word)| *distance <= 1 + word.len() / 3).map(|(_, word)| word)
}
