//! What changed near something, merged in time: what the ledger recorded, what engines told, and what containers say of themselves. What
//! an engine tells and neither a deployment nor an act of the audit explains was done by hand.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Near, Nearness, Product, Recorded, RecordedAct, RecordedDeployment,
    deed::{Deed, Verb, deeds},
    words::{foreign, line, of_act, of_deployment, words},
};
use crate::{
    delivery::release::{DeploymentId, label},
    fleet::{
        Container, ContainerKey, EngineEvent, EventKind, Fleet, HostId, Identity, LinkState, Severity,
        drift::{self, DriftKind},
    },
    ledger::Deployment,
    run::journal::State,
};

/// Clocks of ledger and engines are compared this loosely.
const NEAR: TimeDelta = TimeDelta::seconds(5);
/// What an act brings about comes at most so long after its end.
const WAKE: TimeDelta = TimeDelta::seconds(60);
/// What starts later than this after it was made was started again.
const FIRST_START: TimeDelta = TimeDelta::seconds(10);
const BY_HAND: &str = "by hand, not through quarterdeck";
const UNREAD: &str = "unknown: the ledger is not read";

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A deployment.
    Deployment,
    /// The settings of a release.
    Settings,
    /// An act of the audit.
    Act,
    /// An act that the audit does not have.
    ByHand,
    /// Something ended by itself.
    Restart,
    /// Something was killed for want of memory.
    Memory,
    /// A HEALTHCHECK's verdict turned.
    Health,
    /// One tag with different bits.
    Drift,
    /// A host was lost, or came back.
    Link,
}

impl Kind {
    /// Whether it may be the cause of what goes wrong after it.
    fn may_be_cause(self) -> bool {
        match self {
            Self::Deployment | Self::Settings | Self::Act | Self::ByHand | Self::Drift | Self::Link => true,
            Self::Restart | Self::Memory | Self::Health => false,
        }
    }
}

/// One line of what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When; of several of a kind the newest.
    pub at: DateTime<Utc>,
    /// Of several the oldest.
    pub first: DateTime<Utc>,
    /// How often.
    pub times: usize,
    /// What kind.
    pub kind: Kind,
    /// How loud.
    pub severity: Severity,
    /// What, in words.
    pub what: String,
    /// Who did it; empty where nobody did.
    pub who: String,
    /// Where.
    pub place: String,
    /// The deployment that it is or belongs to.
    pub deployment: Option<DeploymentId>,
}

/// All that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Newest first.
    pub changes: Vec<Change>,
    /// The nearest change before the newest trouble that may be its cause.
    pub suspect: Option<usize>,
    /// From when on the events of every engine concerned are here; `None`: none of them was heard yet.
    pub listening: Option<DateTime<Utc>>,
}

/// Everything that changed near something since a moment. `recorded` is the ledger's share; `None`: it was not read.
pub fn story(near: &Near, since: DateTime<Utc>, recorded: Option<&Recorded>, fleet: &Fleet, now: DateTime<Utc>) -> Story {
    let listening = listening(near, fleet);
    let mut teller = Teller { near, since, recorded, fleet, now, listening, changes: Vec::new() };
    teller.deployments();
    let deeds = teller.deeds();
    teller.acts(&deeds);
    teller.own_words(&deeds);
    teller.deeds_in_words(deeds);
    teller.links();
    teller.drift();
    let changes = folded(teller.changes);
    let suspect = suspect(&changes);
    Story { changes, suspect, listening }
}

struct Teller<'a> {
    near: &'a Near,
    since: DateTime<Utc>,
    recorded: Option<&'a Recorded>,
    fleet: &'a Fleet,
    now: DateTime<Utc>,
    listening: Option<DateTime<Utc>>,
    changes: Vec<Change>,
}

/// A container that something happened to.
struct Subject {
    identity: Identity,
    nearness: Nearness,
    deeds: Vec<Deed>,
}

impl Teller<'_> {
    fn tell(&mut self, change: Change) {
        if change.at >= self.since {
            self.changes.push(change);
        }
    }

    fn recorded_deployments(&self) -> impl Iterator<Item = &RecordedDeployment> {
        self.recorded.into_iter().flat_map(|recorded| &recorded.deployments)
    }

    fn recorded_acts(&self) -> impl Iterator<Item = &RecordedAct> {
        self.recorded.into_iter().flat_map(|recorded| &recorded.acts)
    }

    fn deployments(&mut self) {
        let told: Vec<Change> = self.recorded_deployments().flat_map(of_deployment).collect();
        told.into_iter().for_each(|change| self.tell(change));
    }

    /// What engines tell, by container.
    fn deeds(&self) -> BTreeMap<ContainerKey, Subject> {
        let mut known: HashMap<ContainerKey, Option<(Identity, Nearness)>> = HashMap::new();
        let mut events: BTreeMap<ContainerKey, Vec<&Arc<EngineEvent>>> = BTreeMap::new();
        for event in self.fleet.events().iter().filter(|event| event.kind == EventKind::Container && event.at >= self.since - NEAR) {
            let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
            let about = known.entry(key.clone()).or_insert_with(|| {
                let identity = self.fleet.identity_of(event)?;
                let nearness = self.near.container(&identity, &event.host);
                Some((identity, nearness)).filter(|(_, nearness)| *nearness != Nearness::Away)
            });
            if about.is_some() {
                events.entry(key).or_default().push(event);
            }
        }
        let subject = |(key, mut events): (ContainerKey, Vec<&Arc<EngineEvent>>)| {
            let (identity, nearness) = known.remove(&key).flatten()?;
            // A stream that was made anew tells the last ones again.
            events.sort_by_key(|event| event.at);
            Some((key, Subject { identity, nearness, deeds: deeds(events.into_iter()) }))
        };
        events.into_iter().filter_map(subject).collect()
    }

    /// An engine's time as ours.
    fn ours(&self, host: &HostId, at: DateTime<Utc>) -> DateTime<Utc> {
        let skew = self.fleet.host(host).and_then(|host| host.engine.as_ref()).map_or(0, |engine| engine.clock_skew_ms);
        at.checked_sub_signed(TimeDelta::milliseconds(skew)).unwrap_or(at)
    }

    /// The deployment that was at these containers of that host then.
    fn deployment_at(&self, identity: &Identity, host: &HostId, at: DateTime<Utc>) -> Option<&RecordedDeployment> {
        self.recorded_deployments().find(|RecordedDeployment { deployment: one, .. }| {
            let is_its = identity.service.app.as_ref() == Some(&one.app) && identity.environment.as_ref() == Some(&one.environment);
            let was_there = one.hosts.contains(host) || one.owed.contains(host);
            let end = one.finished.unwrap_or(self.now) + WAKE;
            is_its && was_there && one.started.is_some_and(|start| start - NEAR <= at && at <= end)
        })
    }

    /// The act of the audit that brought something about.
    fn act_at(&self, key: &ContainerKey, name: &str, at: DateTime<Utc>) -> Option<&RecordedAct> {
        self.recorded_acts().find(|act| {
            let is_it = &*act.host == key.host.as_str() && (&*act.target_id == key.id.as_str() || &*act.target == name);
            is_it && act.at - NEAR <= at && at <= act.ended.unwrap_or(act.at) + WAKE
        })
    }

    fn acts(&mut self, subjects: &BTreeMap<ContainerKey, Subject>) {
        let near = |act: &RecordedAct| self.is_near(act, subjects);
        let told: Vec<Change> = self.recorded_acts().filter(|act| near(act)).filter_map(of_act).collect();
        told.into_iter().for_each(|change| self.tell(change));
    }

    fn is_near(&self, act: &RecordedAct, subjects: &BTreeMap<ContainerKey, Subject>) -> bool {
        if act.host.is_empty() {
            let of_place =
                act.target.split_once(" in ").is_some_and(|(app, environment)| self.near.is_of(&app.into(), &environment.into()));
            return of_place || self.recorded_deployments().any(|one| one.deployment.id.to_string() == *act.target);
        }
        let host = HostId::new(&act.host);
        let is_it = |id: &str, name: &str| id == &*act.target_id || name == &*act.target;
        let known = self.fleet.containers_on(&host).find(|one| is_it(one.key.id.as_str(), &one.name));
        if let Some(container) = known {
            return self.near.container(&container.identity, &host) != Nearness::Away;
        }
        let gone = |(key, one): (&ContainerKey, &Subject)| {
            key.host == host && one.deeds.iter().any(|deed| is_it(key.id.as_str(), &deed.event.name))
        };
        self.near.host.as_ref() == Some(&host) || subjects.iter().any(gone)
    }

    fn deeds_in_words(&mut self, subjects: BTreeMap<ContainerKey, Subject>) {
        let mut told = Vec::new();
        for subject in subjects.into_values() {
            let mut before: Option<Verb> = None;
            for deed in &subject.deeds {
                // That it is well after it was started is no news.
                let is_news = deed.verb != Verb::Healthy || before.is_none() || before == Some(Verb::Unhealthy);
                told.extend(self.of_deed(&subject, deed).filter(|_| is_news));
                before = Some(deed.verb.clone());
            }
        }
        told.into_iter().for_each(|change| self.tell(change));
    }

    fn of_deed(&self, subject: &Subject, deed: &Deed) -> Option<Change> {
        let (key, name) = (deed.key(), &*deed.event.name);
        let at = self.ours(&key.host, deed.at);
        let during = self.deployment_at(&subject.identity, &key.host, at).map(|one| &one.deployment);
        let is_asked = deed.verb.is_asked();
        let is_its_deed = during.as_ref().is_some_and(|one| {
            let is_over = deed.verb != Verb::Updated && is_new_and_over(deed.label(label::DEPLOYMENT), at, one);
            deployment_does(&deed.verb) && !is_over
        });
        let is_ours = is_its_deed || self.made_by(deed).is_some() || deed.is_kept() || self.act_at(&key, name, at).is_some();
        if deed.is_barrier() || is_asked && is_ours {
            return None;
        }
        let (kind, severity, what) = words(&deed.verb);
        if during.is_some() && !is_asked && severity == Severity::Quiet
            || subject.nearness == Nearness::Beside && !(is_asked || kind == Kind::Memory)
        {
            return None;
        }
        let foreign = (deed.verb == Verb::Created).then(|| foreign(|key| deed.label(key))).flatten();
        let who = match (is_asked, &during, foreign) {
            (true, _, Some(who)) => who,
            (true, _, None) => self.nobody_of_ours().to_owned(),
            (false, Some(one), _) => format!("during deployment {}", one.id),
            (false, None, _) => String::new(),
        };
        let deployment = during.filter(|_| !is_asked).map(|one| one.id.clone());
        Some(Change { deployment, ..line(at, kind, severity, what, who, format!("{} {name}", key.host)) })
    }

    /// Who did what nobody of ours is known to have done.
    fn nobody_of_ours(&self) -> &'static str {
        if self.recorded.is_some() { BY_HAND } else { UNREAD }
    }

    /// The recorded deployment that a new container names as its maker.
    fn made_by(&self, deed: &Deed) -> Option<&RecordedDeployment> {
        let named = deed.label(label::DEPLOYMENT).filter(|_| deed.verb == Verb::Created)?;
        self.recorded_deployments().find(|one| one.deployment.id.to_string() == named)
    }

    /// What containers say of themselves that no event told: it was before anybody listened.
    fn own_words(&mut self, subjects: &BTreeMap<ContainerKey, Subject>) {
        let near = |one: &&Container| self.near.container(&one.identity, &one.key.host) == Nearness::Here;
        let told: Vec<Change> = self.fleet.containers().filter(near).flat_map(|one| self.of_container(one, subjects)).collect();
        told.into_iter().for_each(|change| self.tell(change));
    }

    fn of_container(&self, one: &Container, subjects: &BTreeMap<ContainerKey, Subject>) -> Vec<Change> {
        let host = &one.key.host;
        let deeds = subjects.get(&one.key).map_or(&[][..], |subject| &subject.deeds);
        let was_told = |at: DateTime<Utc>| deeds.iter().any(|deed| deed.at - NEAR <= at && at <= deed.until + NEAR);
        let is_explained = |at: DateTime<Utc>| {
            let at = self.ours(host, at);
            let deployed = self.deployment_at(&one.identity, host, at).map(|one| &one.deployment);
            let is_its_deed = deployed.is_some_and(|deployment| !is_new_and_over(one.label(label::DEPLOYMENT), at, deployment));
            was_told(at) || is_its_deed || self.act_at(&one.key, &one.name, at).is_some()
        };
        let place = || format!("{host} {}", one.name);
        let mut told = Vec::new();
        let maker = one.label(label::DEPLOYMENT);
        let is_recorded = maker.is_some_and(|id| self.recorded_deployments().any(|known| known.deployment.id.to_string() == id));
        if !is_recorded && !is_explained(one.created) {
            let who = foreign(|key| one.label(key)).unwrap_or_else(|| self.nobody_of_ours().to_owned());
            let what = format!("created from {}", one.image);
            told.push(line(self.ours(host, one.created), Kind::ByHand, Severity::Quiet, what, who, place()));
        }
        let restarts = one.restarts.unwrap_or(0);
        if let Some(started) = one.started.filter(|started| *started - one.created > FIRST_START && !is_explained(*started)) {
            let at = self.ours(host, started);
            told.push(match restarts {
                0 => line(at, Kind::ByHand, Severity::Quiet, "started again".to_owned(), "by hand, or with its engine".to_owned(), place()),
                _ => {
                    let what = format!("started again by its engine, restart {restarts}");
                    line(at, Kind::Restart, Severity::Attention, what, String::new(), place())
                }
            });
        }
        let oom = one.finished.filter(|finished| one.oom_killed == Some(true) && !was_told(*finished));
        told.extend(
            oom.map(|at| line(self.ours(host, at), Kind::Memory, Severity::Bad, "out of memory".to_owned(), String::new(), place())),
        );
        // Before the engines were heard it may have been anybody; since then an event would have told.
        told.retain(|change| self.listening.is_none_or(|since| change.at <= since + NEAR));
        told
    }

    fn links(&mut self) {
        let hosts = hosts(self.near, self.fleet);
        let mut lost: BTreeSet<&HostId> = BTreeSet::new();
        let mut told = Vec::new();
        for event in self.fleet.events().iter().filter(|event| event.kind == EventKind::Link && hosts.contains(&event.host)) {
            let cause = event.action.split_once(':').map(|(_, cause)| format!(": {}", cause.trim())).unwrap_or_default();
            let (severity, what) = match event.verb() {
                "retrying" | "refused" if !lost.insert(&event.host) => continue,
                "retrying" | "refused" => (Severity::Attention, format!("link lost{cause}")),
                "live" if lost.remove(&event.host) => (Severity::Quiet, "link is up again".to_owned()),
                _ => continue,
            };
            told.push(line(event.at, Kind::Link, severity, what, String::new(), event.host.to_string()));
        }
        told.into_iter().for_each(|change| self.tell(change));
    }

    /// One tag that stands for different bits: since the odd ones were made.
    fn drift(&mut self) {
        let is_near = |key: &ContainerKey| {
            let container = self.fleet.container(key)?;
            (self.near.container(&container.identity, &key.host) == Nearness::Here).then_some(container)
        };
        let services = self.fleet.services().filter(|service| match &self.near.product {
            Some(product) => Product::of(service) == *product,
            None => self.fleet.containers_of(service).any(|one| Some(&one.key.host) == self.near.host.as_ref()),
        });
        let mut told = Vec::new();
        for drift in services.flat_map(|service| drift::of_service(self.fleet, service)).filter(|drift| drift.kind == DriftKind::Bits) {
            let odd: Vec<&Container> = drift.odd.iter().filter_map(is_near).collect();
            let Some(at) = odd.iter().map(|one| one.created).max() else { continue };
            let place: BTreeSet<&str> = odd.iter().map(|one| one.key.host.as_str()).collect();
            let place = place.into_iter().collect::<Vec<_>>().join(", ");
            told.push(line(at, Kind::Drift, Severity::Attention, drift.why.to_string(), String::new(), place));
        }
        told.into_iter().for_each(|change| self.tell(change));
    }
}

/// Whether a deployment does such a thing at all: it never restarts or pauses what is there.
fn deployment_does(verb: &Verb) -> bool {
    match verb {
        Verb::Created | Verb::Started | Verb::Stopped | Verb::Killed { .. } | Verb::Removed | Verb::Renamed { .. } => true,
        // The restart policy of what it takes out of use, and brings back.
        Verb::Updated => true,
        Verb::Restarted | Verb::Paused | Verb::Unpaused => false,
        Verb::Ended { .. } | Verb::OutOfMemory { .. } | Verb::Unhealthy | Verb::Healthy => false,
    }
}

/// Whether a deployment was done with a container that names this maker: what it tidies up afterwards others have made.
fn is_new_and_over(maker: Option<&str>, at: DateTime<Utc>, deployment: &Deployment) -> bool {
    let is_its = maker.is_some_and(|id| id == deployment.id.to_string());
    is_its && deployment.finished.is_some_and(|end| deployment.state == State::Good && end + NEAR < at)
}

/// The hosts that are concerned.
fn hosts(near: &Near, fleet: &Fleet) -> BTreeSet<HostId> {
    let of_product = fleet.containers().filter(|one| near.container(&one.identity, &one.key.host) == Nearness::Here);
    near.host.iter().cloned().chain(of_product.map(|one| one.key.host.clone())).collect()
}

/// From when on all events are here, of every host that is concerned.
fn listening(near: &Near, fleet: &Fleet) -> Option<DateTime<Utc>> {
    let heard = |host: &HostId| {
        let of_link = |event: &&Arc<EngineEvent>| event.kind == EventKind::Link && event.host == *host && event.verb() == "live";
        let first = fleet.events().iter().find(of_link).map(|event| event.at);
        let now = match fleet.host(host).map(|host| &host.link) {
            Some(LinkState::Live { since }) => Some(*since),
            _ => None,
        };
        first.into_iter().chain(now).min()
    };
    let all = hosts(near, fleet).iter().filter_map(heard).max()?;
    let oldest = fleet.events().iter().next().filter(|_| fleet.events().dropped() > 0).map(|event| event.at);
    Some(oldest.map_or(all, |oldest| oldest.max(all)))
}

/// Newest first; what happens again and again, with nothing else between, is one line.
fn folded(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| (Reverse(change.at), change.kind));
    let mut told: Vec<Change> = Vec::new();
    for change in changes {
        let same = |other: &&mut Change| other.what == change.what && other.place == change.place && other.who == change.who;
        let run = told.iter_mut().rev().take_while(|other| !other.kind.may_be_cause());
        match run.filter(|_| !change.kind.may_be_cause()).find(same) {
            Some(other) => (other.times, other.first) = (other.times + 1, change.at),
            None => told.push(change),
        }
    }
    told
}

/// The nearest possible cause before the newest trouble.
fn suspect(changes: &[Change]) -> Option<usize> {
    let trouble = changes.iter().find(|change| change.severity == Severity::Bad && !change.kind.may_be_cause())?;
    changes.iter().position(|change| change.kind.may_be_cause() && change.at <= trouble.first)
}
