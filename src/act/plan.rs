//! What an act will do, to whom, and what stays: worked out from what is known, before anything is asked or sent.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Act, Capacity,
    policy::{Asks, Policy},
};
use crate::{
    fleet::{Container, ContainerKey, ContainerState, EnvironmentId, Fleet, Health, HostId, LinkState, ServiceKey},
    rights::Rights,
    stock::Kind,
    text::counted,
};

/// What kind of thing a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A container.
    Container,
    /// What the engine keeps beside them.
    Stock(Kind),
}

impl Object {
    /// One of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Stock(kind) => kind.word(),
        }
    }
}

/// Whom an act is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Where it lives.
    pub host: HostId,
    /// Its name, for people; clean.
    pub name: Arc<str>,
    /// What requests name it by.
    pub id: Arc<str>,
    /// What it is.
    pub object: Object,
}

/// What will happen to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It is acted on.
    Act,
    /// It is so already: nothing is sent.
    Already,
    /// Its host cannot be reached: nothing is sent.
    Unreachable {
        /// Why.
        why: Arc<str>,
    },
    /// It makes no sense for it: nothing is sent.
    Impossible {
        /// Why.
        why: Arc<str>,
    },
}

/// One target of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whom it is for.
    pub target: Target,
    /// The service it is a part of, where it is one's.
    pub service: Option<ServiceKey>,
    /// Where that runs.
    pub environment: Option<EnvironmentId>,
    /// How it is now: `running, healthy`.
    pub now: Arc<str>,
    /// What will happen to it.
    pub fate: Fate,
    /// What is lost or should be known before, a clause each: `port 20010 is given up`.
    pub notes: Vec<Arc<str>>,
}

/// How much a consequence asks of the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// To be known.
    Note,
    /// Look here.
    Attention,
    /// Something is down afterwards.
    Bad,
}

/// What follows for more than one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consequence {
    /// How much it asks of the eye.
    pub weight: Weight,
    /// In one line: `shop/web in production: 3 of 4 healthy stay`.
    pub text: Arc<str>,
}

/// An act on its targets, worked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The act.
    pub act: Act,
    /// The targets, by host and name.
    pub steps: Vec<Step>,
    /// What follows, the worst first.
    pub consequences: Vec<Consequence>,
    /// How it is taken back, in words.
    pub undo: Arc<str>,
    /// What must be answered first.
    pub asks: Asks,
    /// Why it may not be carried out at all.
    pub refusal: Option<Arc<str>>,
    /// The deployment that it is a part of.
    pub deployment: Option<Arc<str>>,
}

impl Target {
    /// A container as a target.
    pub fn of(container: &Container) -> Self {
        Self {
            host: container.key.host.clone(),
            name: container.name.clone(),
            id: container.key.id.as_str().into(),
            object: Object::Container,
        }
    }

    /// The row of the fleet that it is, if it is a container.
    pub fn key(&self) -> Option<ContainerKey> {
        (self.object == Object::Container).then(|| ContainerKey { host: self.host.clone(), id: (&*self.id).into() })
    }
}

impl Plan {
    /// How many targets are acted on.
    pub fn affected(&self) -> usize {
        self.steps.iter().filter(|step| step.fate == Fate::Act).count()
    }

    /// `Stop web-1 on app-04`, `Stop 5 containers on 3 hosts`.
    pub fn title(&self) -> String {
        let mut verb = self.act.word().to_owned();
        verb[..1].make_ascii_uppercase();
        let argument = self.act.argument().map_or(String::new(), |argument| format!(" {argument}"));
        let subject = match self.steps.as_slice() {
            [only] => format!("{} on {}", only.target.name, only.target.host),
            steps => {
                let hosts: BTreeSet<&HostId> = steps.iter().map(|step| &step.target.host).collect();
                format!("{} on {}", counted(steps.len(), noun(steps)), counted(hosts.len(), "host"))
            }
        };
        match self.act {
            Act::Rename { .. } | Act::Remove { .. } | Act::Discard => format!("{verb} {subject}{argument}"),
            Act::Start | Act::Stop { .. } | Act::Restart { .. } | Act::Kill { .. } | Act::Pause | Act::Unpause if argument.is_empty() => {
                format!("{verb} {subject}")
            }
            Act::Start | Act::Stop { .. } | Act::Restart { .. } | Act::Kill { .. } | Act::Pause | Act::Unpause => {
                format!("{verb} {subject},{argument}")
            }
        }
    }

    /// All that was shown, in one line: for the audit.
    pub fn line(&self) -> String {
        let mut line = self.title();
        for consequence in &self.consequences {
            line.push_str("; ");
            line.push_str(&consequence.text);
        }
        line
    }

    /// Whether the other plan would do the same to the same targets: a plan that was shown and one made anew before it is carried out.
    pub fn does_as(&self, other: &Self) -> bool {
        let does = |plan: &Self| plan.steps.iter().map(|step| (step.target.id.clone(), step.fate.clone())).collect::<Vec<_>>();
        self.act == other.act && self.refusal == other.refusal && self.asks == other.asks && does(self) == does(other)
    }
}

/// What the targets are, in one word.
pub(super) fn noun<'a>(steps: impl IntoIterator<Item = &'a Step>) -> &'static str {
    let mut words = steps.into_iter().map(|step| step.target.object.word());
    match words.next() {
        Some(first) if words.all(|word| word == first) => first,
        Some(_) => "thing",
        None => "container",
    }
}

/// Plans `act` for these containers. A key that occurs twice counts once.
pub fn plan(act: Act, targets: &[ContainerKey], fleet: &Fleet, rights: &Rights, policy: &Policy) -> Plan {
    let mut seen = HashSet::new();
    let mut steps: Vec<Step> = targets.iter().filter(|key| seen.insert(*key)).map(|key| step(&act, key, fleet)).collect();
    steps.sort_by(|a, b| a.target.cmp(&b.target));
    forbid_twins(&act, &mut steps);
    let consequences = consequences(&act, &steps, fleet);
    let refusal = match rights {
        Rights::Act => steps.is_empty().then(|| "nothing is selected".into()),
        Rights::View { because } => Some(because.clone()),
    };
    let asks = policy.asks(act.action().row().confirm, act.word(), &steps);
    Plan { undo: act.undo().into(), act, steps, consequences, asks, refusal, deployment: None }
}

fn step(act: &Act, key: &ContainerKey, fleet: &Fleet) -> Step {
    let Some(container) = fleet.container(key) else {
        return Step {
            target: Target { host: key.host.clone(), name: key.id.short().into(), id: key.id.as_str().into(), object: Object::Container },
            service: None,
            environment: None,
            now: "gone".into(),
            fate: if act.removes() { Fate::Already } else { Fate::Impossible { why: "it is gone".into() } },
            notes: Vec::new(),
        };
    };
    let fate = match unreachable(fleet, &key.host) {
        Some(why) => Fate::Unreachable { why },
        None => fate(act, container, fleet),
    };
    Step {
        target: Target::of(container),
        service: Some(container.identity.service.clone()),
        environment: container.identity.environment.clone(),
        now: now_words(container),
        notes: if fate == Fate::Act { notes(act, container) } else { Vec::new() },
        fate,
    }
}

/// Why nothing is sent to a host now. A stale link may come back, but an act that is carried out at some later time is a surprise.
pub(super) fn unreachable(fleet: &Fleet, host: &HostId) -> Option<Arc<str>> {
    match fleet.host(host).map(|host| &host.link) {
        None => Some("its host is not part of this fleet".into()),
        Some(LinkState::Live { .. }) => None,
        Some(LinkState::Connecting) => Some("its host is still being reached".into()),
        Some(LinkState::Stale { .. }) => Some("its host does not answer now".into()),
        Some(LinkState::Retrying { error, .. } | LinkState::Refused { error, .. }) => Some(format!("its host is lost: {error}").into()),
    }
}

fn fate(act: &Act, container: &Container, fleet: &Fleet) -> Fate {
    use ContainerState::{Created, Dead, Exited, Paused, Removing, Restarting, Running, Unknown};
    let cannot = |why: &str| Fate::Impossible { why: why.into() };
    let leaving = || cannot("it is being removed");
    match (act, container.state) {
        (Act::Discard, _) => cannot("it is a container"),
        (Act::Remove { .. }, Removing) => Fate::Already,
        (_, Removing) => leaving(),
        (Act::Start, Running | Restarting) => Fate::Already,
        (Act::Start, Paused) => cannot("it is paused: unpause it"),
        (Act::Start | Act::Restart { .. }, Dead) => cannot("it is half removed: remove it"),
        (Act::Stop { .. }, Created | Exited | Dead) => Fate::Already,
        (Act::Kill { .. } | Act::Pause, Created | Exited | Dead) => cannot("it does not run"),
        (Act::Pause, Restarting) => cannot("it is about to be restarted: wait until it runs"),
        (Act::Pause, Paused) => Fate::Already,
        (Act::Unpause, Running) => Fate::Already,
        (Act::Unpause, Created | Exited | Dead | Restarting) => cannot("it is not paused"),
        (Act::Remove { force: false, .. }, Running | Paused | Restarting) => cannot("it runs: stop it first, or remove it by force"),
        (Act::Rename { to }, _) if *container.name == **to => Fate::Already,
        (Act::Rename { to }, _) if fleet.containers_on(&container.key.host).any(|other| *other.name == **to) => {
            cannot(&format!("{to} is another container there"))
        }
        (
            Act::Start
            | Act::Stop { .. }
            | Act::Restart { .. }
            | Act::Kill { .. }
            | Act::Pause
            | Act::Unpause
            | Act::Remove { .. }
            | Act::Rename { .. },
            Created | Running | Paused | Restarting | Exited | Dead | Unknown,
        ) => Fate::Act,
    }
}

/// One name is for one container a host.
fn forbid_twins(act: &Act, steps: &mut [Step]) {
    if let Act::Rename { to } = act {
        let mut named: HashSet<HostId> = HashSet::new();
        for step in steps.iter_mut().filter(|step| step.fate == Fate::Act) {
            if !named.insert(step.target.host.clone()) {
                step.fate = Fate::Impossible { why: format!("only one there can be called {to}").into() };
                step.notes.clear();
            }
        }
    }
}

fn now_words(container: &Container) -> Arc<str> {
    let mut words = container.state.word().to_owned();
    match (container.state, container.health) {
        (ContainerState::Running, Health::Starting | Health::Healthy | Health::Unhealthy) => {
            words = format!("{words}, {}", container.health.word());
        }
        (ContainerState::Exited, _) => {
            if let Some(code) = container.exit_code {
                words = format!("{words} {code}");
            }
        }
        _ => {}
    }
    if container.is_kept() {
        words.push_str(", kept");
    }
    words.into()
}

/// What is lost, or should be known before.
fn notes(act: &Act, container: &Container) -> Vec<Arc<str>> {
    let mut notes: Vec<Arc<str>> = Vec::new();
    let mut ports: Vec<u16> = container.ports.iter().filter_map(|port| port.public).collect();
    ports.dedup();
    let listed = || ports.iter().map(|port| format!(":{port}")).collect::<Vec<_>>().join(" ");
    match act {
        Act::Remove { volumes, .. } => {
            notes.push("its log and what it wrote into its own layer are lost".into());
            if !ports.is_empty() {
                notes.push(format!("{} given up", listed()).into());
            }
            if *volumes {
                notes.push("its anonymous volumes go with it, named ones stay".into());
            }
            if container.is_kept() {
                notes.push("a deployment keeps it as the way back: without it that takes a new start".into());
            }
        }
        Act::Stop { .. } | Act::Kill { .. } if act.capacity() == Capacity::Takes && !ports.is_empty() => {
            notes.push(format!("nobody answers on {} then", listed()).into());
        }
        Act::Start if container.is_kept() => notes.push("a deployment keeps it: beside its successor it runs an older version".into()),
        Act::Rename { .. } => notes.push("who finds it by its name finds it no more".into()),
        Act::Start | Act::Stop { .. } | Act::Restart { .. } | Act::Kill { .. } | Act::Pause | Act::Unpause | Act::Discard => {}
    }
    notes
}

/// Whether a container does its work now: it runs, its health check does not say otherwise, and its host answers.
fn serves(container: &Container, fleet: &Fleet) -> bool {
    container.state == ContainerState::Running
        && matches!(container.health, Health::None | Health::Healthy)
        && !container.is_kept()
        && !container.is_oneoff()
        && fleet.host(&container.key.host).is_some_and(|host| host.link.is_live())
}

fn consequences(act: &Act, steps: &[Step], fleet: &Fleet) -> Vec<Consequence> {
    let mut found = Vec::new();
    let mut touched: BTreeMap<(&ServiceKey, Option<&EnvironmentId>), BTreeSet<&str>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.fate == Fate::Act) {
        if let Some(service) = &step.service {
            touched.entry((service, step.environment.as_ref())).or_default().insert(&step.target.id);
        }
    }
    for ((service, environment), ids) in touched {
        let mine: Vec<&Container> =
            fleet.containers_of(service).filter(|container| container.identity.environment.as_ref() == environment).collect();
        let serving: Vec<&&Container> = mine.iter().filter(|container| serves(container, fleet)).collect();
        let stay = serving.iter().filter(|container| !ids.contains(container.key.id.as_str())).count();
        let word = if serving.iter().any(|container| container.health == Health::Healthy) { "healthy" } else { "running" };
        let place = environment.map_or(String::new(), |environment| format!(" in {environment}"));
        found.extend(
            told(act.capacity(), stay, serving.len(), word, ids.len())
                .map(|(weight, words)| Consequence { weight, text: format!("{service}{place}: {words}").into() }),
        );
    }
    found.extend(left_out(steps));
    found.sort_by_key(|consequence| std::cmp::Reverse(consequence.weight));
    found
}

/// What becomes of a service of which `all` serve and `stay` of them are not touched.
fn told(capacity: Capacity, stay: usize, all: usize, word: &str, touched: usize) -> Option<(Weight, String)> {
    let told = match (capacity, stay, all) {
        (Capacity::Keeps, ..) => return None,
        (Capacity::Gives, _, all) => (Weight::Note, format!("{all} {word} now, {touched} more then")),
        (Capacity::Takes, _, 0) => (Weight::Note, format!("none is {word} now")),
        (Capacity::Interrupts, _, 0) => (Weight::Note, format!("none is {word} now")),
        (Capacity::Takes, 0, all) => (Weight::Bad, format!("none of {all} {word} stays: it is down then")),
        (Capacity::Interrupts, 0, all) => (Weight::Bad, format!("none of {all} {word} serves meanwhile")),
        (Capacity::Takes, stay, all) if stay == all => (Weight::Note, format!("all {all} {word} stay")),
        (Capacity::Interrupts, stay, all) if stay == all => (Weight::Note, format!("all {all} {word} serve meanwhile")),
        (Capacity::Takes, stay, all) => (Weight::Attention, format!("{stay} of {all} {word} stay")),
        (Capacity::Interrupts, stay, all) => (Weight::Attention, format!("{stay} of {all} {word} serve meanwhile")),
    };
    Some(told)
}

/// One line for each host to which nothing is sent.
pub(super) fn left_out(steps: &[Step]) -> Vec<Consequence> {
    let mut hosts: BTreeMap<&HostId, usize> = BTreeMap::new();
    for step in steps.iter().filter(|step| matches!(step.fate, Fate::Unreachable { .. })) {
        *hosts.entry(&step.target.host).or_default() += 1;
    }
    let line = |(host, count)| format!("{host} cannot be reached: {} left out", counted(count, noun(steps)));
    hosts.into_iter().map(|host| Consequence { weight: Weight::Attention, text: line(host).into() }).collect()
}

#[cfg(test)]
mod tests;
