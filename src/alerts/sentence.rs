//! One sentence an entry, which names the odd one.

use std::collections::BTreeSet;

use super::{Rule, Usage};
use crate::{
    fleet::{Container, EnvironmentId, Host, HostId, ServiceKey},
    text::{bytes, counted},
};

/// So many hosts of one entry are named.
const NAMED: usize = 3;

/// The containers of one service in one environment that one rule is about.
pub(super) struct Case<'a> {
    pub rule: Rule,
    pub service: &'a ServiceKey,
    pub environment: Option<&'a EnvironmentId>,
    /// At least one.
    pub members: Vec<(&'a Container, Option<Usage>)>,
    /// How many containers the service has there.
    pub all: usize,
}

impl Case<'_> {
    /// `billing/worker in production is unhealthy on app-03 (1 of 6)`.
    pub fn sentence(&self) -> String {
        let whom = whom(self.service, self.environment);
        let hosts: BTreeSet<&HostId> = self.members.iter().map(|(member, _)| &member.key.host).collect();
        let at = names(&hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>());
        let part = match (self.members.len(), self.all) {
            (1, 1) => String::new(),
            (some, all) if some == all => format!(" (all {all})"),
            (some, all) => format!(" ({some} of {all})"),
        };
        match self.rule {
            Rule::CrashLooping => format!("{whom} crash-loops on {at}{part}"),
            Rule::OutOfMemory => format!("{whom} ran out of memory on {at}{part}"),
            Rule::Unhealthy => format!("{whom} is unhealthy on {at}{part}"),
            Rule::Exited => format!("{whom} ended by itself on {at}{}{part}", self.exit_codes()),
            Rule::NearMemory => format!("{whom} uses {} on {at}{part}", self.fullest()),
            Rule::HostLost | Rule::HostRefused | Rule::HostStale | Rule::Drift => format!("{whom}: {} on {at}{part}", self.rule.word()),
        }
    }

    fn exit_codes(&self) -> String {
        let codes: BTreeSet<i64> = self.members.iter().filter_map(|(member, _)| member.exit_code).collect();
        match codes.is_empty() {
            true => String::new(),
            false => format!(": exit {}", codes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    /// `61.0 MB of 64.0 MB (95 %)`: the fullest of them.
    fn fullest(&self) -> String {
        let usages = self.members.iter().filter_map(|(_, usage)| *usage);
        let fullest = usages.max_by(|a, b| a.share().unwrap_or(0.0).total_cmp(&b.share().unwrap_or(0.0)));
        match fullest.map(|usage| (usage, usage.memory_limit, usage.share())) {
            Some((usage, Some(limit), Some(share))) => format!("{} of {} ({:.0} %)", bytes(usage.memory), bytes(limit), share * 100.0),
            Some((usage, _, _)) => bytes(usage.memory),
            None => "almost all its memory".to_owned(),
        }
    }
}

/// `shop/api in production`.
pub(super) fn whom(service: &ServiceKey, environment: Option<&EnvironmentId>) -> String {
    match environment {
        Some(environment) => format!("{service} in {environment}"),
        None => service.to_string(),
    }
}

/// `app-05 is lost: connection timed out · 14 containers last known`.
pub(super) fn of_host(rule: Rule, host: &Host, containers: usize) -> String {
    let id = &host.spec.id;
    let why = host.link.error().map_or(String::new(), |error| format!(": {error}"));
    let known = if containers > 0 { format!(" · {} last known", counted(containers, "container")) } else { String::new() };
    match rule {
        Rule::HostRefused => format!("{id} does not let us in{why}{known}"),
        Rule::HostStale => format!("{id} does not answer at the moment{known}"),
        _ => format!("{id} is lost{why}{known}"),
    }
}

/// `app-04`, `app-04 and app-05`, `app-04, app-05, app-06 and 3 more`.
fn names(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        more => format!("{} and {} more", more[..NAMED].join(", "), more.len() - NAMED),
    }
}
