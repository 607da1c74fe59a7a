//! The list of what is bad now.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    Rule, Usage,
    sentence::{self, Case},
};
use crate::fleet::{
    Container, ContainerKey, ContainerState, EnvironmentId, Fleet, Host, HostId, LinkState, Matrix, Selector, ServiceKey, Severity,
    Trouble,
    drift::Drift,
    matrix::{self, MatrixRow},
};

/// Whom an entry is about: together with its rule its identity, whatever else of it changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum About {
    /// A host as a whole.
    Host(HostId),
    /// A service in an environment; for drift `None` also where several are concerned.
    Service {
        /// Which.
        service: ServiceKey,
        /// Where.
        environment: Option<EnvironmentId>,
    },
}

/// One entry: one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What is wrong.
    pub rule: Rule,
    /// With whom.
    pub about: About,
    /// Since when, as far as anybody saw it begin; `None`: since before.
    pub since: Option<DateTime<Utc>>,
    /// The sentence that names the odd one. Clean, one line.
    pub sentence: String,
    /// The containers it is about, by host and id: with drift the odd ones out, none with a host.
    pub members: Vec<ContainerKey>,
    /// The hosts it is about, in the order of the configuration.
    pub hosts: Vec<HostId>,
    /// Whether all of it is only the last known, because no host of it answers.
    pub stale: bool,
    /// With drift: every disagreement, the first of which is the sentence.
    pub drift: Vec<Arc<Drift>>,
}

impl Alert {
    /// How loud it is.
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// What tells it from every other entry, now and later.
    pub fn id(&self) -> (Rule, About) {
        (self.rule, self.about.clone())
    }

    /// A selector of whom it is about, for another list to be filtered by.
    pub fn selector(&self) -> String {
        let value = |text: &str| if text.contains([' ', ',', '"', '/', '!']) { format!("{text:?}") } else { text.to_owned() };
        match &self.about {
            About::Host(host) => format!("host:{}", value(host.as_str())),
            About::Service { service, environment } => {
                let mut terms = Vec::new();
                terms.extend(service.app.as_ref().map(|app| format!("app:{}", value(app.as_str()))));
                terms.push(format!("service:{}", value(service.service.as_str())));
                terms.extend(environment.as_ref().map(|environment| format!("env:{}", value(environment.as_str()))));
                terms.join(" ")
            }
        }
    }
}

/// What is bad now, worst first. The order depends on nothing that changes while an entry stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triage {
    alerts: Vec<Alert>,
}

impl Triage {
    /// Judges the fleet: what the filter of `matrix` selects of it, whose rows also tell the drift. `usage` is what was measured of
    /// containers' memory, of as many as were. Costs the hosts, the services and the containers that may be troubled.
    pub fn of<'u>(fleet: &Fleet, matrix: &Matrix, usage: impl IntoIterator<Item = (&'u ContainerKey, Usage)>, now: DateTime<Utc>) -> Self {
        let filter = matrix.filter();
        let mut alerts: Vec<Alert> = fleet.hosts().filter_map(|host| of_host(fleet, host, filter)).collect();
        alerts.extend(of_containers(fleet, filter, usage, now));
        alerts.extend(matrix.rows().iter().filter_map(|row| of_drift(fleet, row, filter)));
        alerts.sort_by_cached_key(|alert| (rank(alert), alert.about.clone()));
        Self { alerts }
    }

    /// The entries, worst first.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The entry of this identity.
    pub fn alert(&self, id: &(Rule, About)) -> Option<&Alert> {
        self.alerts.iter().find(|alert| alert.rule == id.0 && alert.about == id.1)
    }

    /// How many entries are this loud.
    pub fn count(&self, severity: Severity) -> usize {
        self.alerts.iter().filter(|alert| alert.severity() == severity).count()
    }

    /// How many containers (with drift: services, with hosts: hosts) a rule is broken by.
    pub fn broken(&self, rule: Rule) -> usize {
        let of_rule = self.alerts.iter().filter(|alert| alert.rule == rule);
        match rule {
            Rule::Drift | Rule::HostLost | Rule::HostRefused | Rule::HostStale => of_rule.count(),
            Rule::CrashLooping | Rule::OutOfMemory | Rule::Unhealthy | Rule::Exited | Rule::NearMemory => {
                of_rule.map(|alert| alert.members.len()).sum()
            }
        }
    }
}

/// Loud before quiet, by rule, production before testing.
fn rank(alert: &Alert) -> (Reverse<Severity>, Rule, Reverse<u8>) {
    let stage = match &alert.about {
        About::Service { environment: Some(environment), .. } => matrix::stage(environment),
        About::Service { environment: None, .. } | About::Host(_) => 0,
    };
    (Reverse(alert.severity()), alert.rule, Reverse(stage))
}

fn of_host(fleet: &Fleet, host: &Host, filter: Option<&Selector>) -> Option<Alert> {
    let id = &host.spec.id;
    let is_selected =
        filter.is_none_or(|filter| filter.matches_host(host) || fleet.containers_on(id).any(|container| filter.matches(container, host)));
    let rule = Rule::of_link(&host.link).filter(|_| is_selected)?;
    let since = match &host.link {
        LinkState::Connecting => None,
        LinkState::Live { since } | LinkState::Stale { since } | LinkState::Retrying { since, .. } | LinkState::Refused { since, .. } => {
            Some(*since)
        }
    };
    Some(Alert {
        rule,
        about: About::Host(id.clone()),
        since,
        sentence: sentence::of_host(rule, host, fleet.container_count(id)),
        members: Vec::new(),
        hosts: vec![id.clone()],
        stale: true,
        drift: Vec::new(),
    })
}

type Place<'a> = (Rule, &'a ServiceKey, Option<&'a EnvironmentId>);

fn of_containers<'u>(
    fleet: &Fleet,
    filter: Option<&Selector>,
    usage: impl IntoIterator<Item = (&'u ContainerKey, Usage)>,
    now: DateTime<Utc>,
) -> Vec<Alert> {
    let is_selected = |container: &Container| {
        filter.is_none_or(|filter| fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host)))
    };
    let mut cases: BTreeMap<Place<'_>, Vec<(&Container, Option<Usage>)>> = BTreeMap::new();
    for container in fleet.troubled() {
        let rule = Rule::of_trouble(Trouble::of_container(container, now));
        if let Some(rule) = rule.filter(|_| is_selected(container)) {
            cases.entry(place(rule, container)).or_default().push((container, None));
        }
    }
    let near = usage.into_iter().filter(|(_, usage)| usage.is_near());
    for (container, usage) in near.filter_map(|(key, usage)| Some((fleet.container(key)?, usage))) {
        let runs = container.state == ContainerState::Running && !container.is_kept();
        if runs && is_selected(container) {
            cases.entry(place(Rule::NearMemory, container)).or_default().push((container, Some(usage)));
        }
    }
    let mut sizes: HashMap<(&ServiceKey, Option<&EnvironmentId>), usize> = HashMap::new();
    for (_, service, environment) in cases.keys() {
        sizes.entry((service, *environment)).or_insert_with(|| size(fleet, service, *environment));
    }
    let alert = |((rule, service, environment), mut members): (Place<'_>, Vec<(&Container, Option<Usage>)>)| {
        members.sort_by_key(|(member, _)| &member.key);
        let all = sizes.get(&(service, environment)).copied().unwrap_or(0).max(members.len());
        let keys: Vec<ContainerKey> = members.iter().map(|(member, _)| member.key.clone()).collect();
        let hosts = hosts_of(fleet, &keys);
        let since = members.iter().map(|(member, _)| since(rule, member)).min().flatten();
        let stale = hosts.iter().all(|host| fleet.host(host).is_none_or(|host| !host.link.is_live()));
        let sentence = Case { rule, service, environment, members, all }.sentence();
        let about = About::Service { service: service.clone(), environment: environment.cloned() };
        Alert { rule, about, since, sentence, members: keys, hosts, stale, drift: Vec::new() }
    };
    cases.into_iter().map(alert).collect()
}

fn place(rule: Rule, container: &Container) -> Place<'_> {
    (rule, &container.identity.service, container.identity.environment.as_ref())
}

/// How many containers a service has in an environment, those not counted that are no part of it.
fn size(fleet: &Fleet, service: &ServiceKey, environment: Option<&EnvironmentId>) -> usize {
    let members = fleet.containers_of(service).filter(|member| member.identity.environment.as_ref() == environment);
    members.filter(|member| !member.is_kept() && !member.is_oneoff()).count()
}

fn hosts_of(fleet: &Fleet, keys: &[ContainerKey]) -> Vec<HostId> {
    let hosts = fleet.hosts().map(|host| &host.spec.id);
    hosts.filter(|host| keys.iter().any(|key| key.host == **host)).cloned().collect()
}

/// Since when a rule is broken by a container, as far as anybody saw it begin.
fn since(rule: Rule, container: &Container) -> Option<DateTime<Utc>> {
    match rule {
        Rule::CrashLooping => container.deaths.first().copied().or(container.witness.restarting),
        Rule::OutOfMemory => container.witness.oom.or(container.finished),
        Rule::Unhealthy => container.witness.health,
        Rule::Exited => container.finished,
        Rule::NearMemory | Rule::Drift | Rule::HostLost | Rule::HostRefused | Rule::HostStale => None,
    }
}

/// The disagreements of a service of which the filter selects an odd one out: a row tells also those of what it hides.
fn of_drift(fleet: &Fleet, row: &MatrixRow, filter: Option<&Selector>) -> Option<Alert> {
    let is_selected = |key: &ContainerKey| {
        let known = fleet.container(key).zip(fleet.host(&key.host));
        filter.is_none_or(|filter| known.is_some_and(|(container, host)| filter.matches(container, host)))
    };
    let drift: Vec<Arc<Drift>> = row.drift.iter().filter(|drift| drift.odd.iter().any(is_selected)).cloned().collect();
    let first = Arc::clone(drift.first()?);
    let mut members: Vec<ContainerKey> = drift.iter().flat_map(|drift| drift.odd.iter().cloned()).collect();
    members.sort();
    members.dedup();
    let hosts = hosts_of(fleet, &members);
    let environment = first.environment.clone().filter(|_| drift.iter().all(|other| other.environment == first.environment));
    let stale = hosts.iter().all(|host| fleet.host(host).is_none_or(|host| !host.link.is_live()));
    Some(Alert {
        rule: Rule::Drift,
        since: drift_since(fleet, &row.service, &first),
        sentence: format!("{}: {}", sentence::whom(&row.service, environment.as_ref()), first.why),
        about: About::Service { service: row.service.clone(), environment },
        members,
        hosts,
        stale,
        drift,
    })
}

/// Two camps disagree since the younger of them exists.
fn drift_since(fleet: &Fleet, service: &ServiceKey, drift: &Drift) -> Option<DateTime<Utc>> {
    let of_it = |container: &&Container| {
        container.is_running()
            && !container.is_kept()
            && (drift.environment.is_none() || container.identity.environment == drift.environment)
    };
    let (odd, rest): (Vec<&Container>, Vec<&Container>) =
        fleet.containers_of(service).filter(of_it).partition(|container| drift.odd.contains(&container.key));
    let begin = |camp: &[&Container]| camp.iter().map(|member| member.created).min();
    begin(&odd).zip(begin(&rest)).map(|(odd, rest)| odd.max(rest))
}
