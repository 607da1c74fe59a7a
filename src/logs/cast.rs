//! Who speaks: the containers whose logs belong together, as the fleet changes.
//!
//! A cast follows services, not container ids: what the rule selects joins when it is started; what takes the place of a member that ended
//! (same service and environment, made after it, on any host) joins too. What happens to members becomes markers. It only decides; who
//! reads the logs obeys its steps.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Marker, MarkerKind, Source, SourceId, Stamp};
use crate::fleet::{
    Change, Container, ContainerKey, ContainerState, EngineEvent, EnvironmentId, EventKind, Fleet, Health, HostId, Selector, ServiceKey,
};

/// What belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CastRule {
    /// What a selector selects.
    Matching(Selector),
    /// A service, everywhere or in one environment.
    Service {
        /// Which.
        service: ServiceKey,
        /// `Some(None)`: where it has no environment.
        environment: Option<Option<EnvironmentId>>,
    },
    /// These containers.
    Containers(Vec<ContainerKey>),
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CastStep {
    /// Read this source's log. A `fresh` one began after the cast: from its first line.
    Join {
        /// Whose.
        source: Source,
        /// Whether its whole log is news.
        fresh: bool,
    },
    /// Its process was started again: its log goes on.
    Wake(SourceId),
    /// It is gone; its log too.
    Leave(SourceId),
    /// Show this.
    Mark(Marker),
}

/// The members, and those that were.
#[derive(Clone, Debug)]
pub struct Cast {
    rule: CastRule,
    sources: Vec<Source>,
    members: BTreeMap<ContainerKey, Member>,
    /// Containers of the members' services that were there from the beginning and not selected: they take nobody's place.
    neighbours: BTreeSet<ContainerKey>,
    /// How many of the fleet's events were looked at.
    events: u64,
}

#[derive(Clone, Debug)]
struct Member {
    id: SourceId,
    created: DateTime<Utc>,
    /// When it was last started, once known.
    started: Option<DateTime<Utc>>,
    running: bool,
    gone: bool,
    /// Whether it came after the cast began.
    fresh: bool,
    /// Whether another one took its place already.
    succeeded: bool,
    /// Whether it took another one's place already.
    successor: bool,
    health: Health,
}

/// An event and an inspect tell the same start a little apart.
const SAME_START: TimeDelta = TimeDelta::milliseconds(50);

impl Cast {
    /// The cast as the fleet stands, the ended ones included; the steps are its first members. What was only made and never started has no log.
    pub fn start(rule: CastRule, fleet: &Fleet) -> (Self, Vec<CastStep>) {
        let mut cast =
            Self { rule, sources: Vec::new(), members: BTreeMap::new(), neighbours: BTreeSet::new(), events: fleet.events().total() };
        let chosen: Vec<&Container> = fleet.containers().filter(|container| cast.selects(container, fleet)).collect();
        let steps = chosen.into_iter().map(|container| CastStep::Join { source: cast.admit(container, false), fresh: false }).collect();
        let services: BTreeSet<&ServiceKey> = cast.sources.iter().map(|source| &source.service).collect();
        let there = services.into_iter().flat_map(|service| fleet.containers_of(service)).map(|container| &container.key);
        cast.neighbours = there.filter(|key| !cast.members.contains_key(key)).cloned().collect();
        (cast, steps)
    }

    /// Every source there ever was, by [`SourceId`].
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// A marker for a member; `None`: it is none.
    pub(super) fn mark(&self, key: &ContainerKey, at: Stamp, kind: MarkerKind) -> Option<CastStep> {
        let source = self.source(self.members.get(key)?.id)?;
        Some(CastStep::Mark(marker(source, at, kind)))
    }

    /// A source.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// Takes in what one or several deltas changed.
    pub fn observe(&mut self, fleet: &Fleet, change: &Change) -> Vec<CastStep> {
        let mut steps = Vec::new();
        let mut ended = Vec::new();
        for key in &change.removed {
            if let Some(member) = self.members.get_mut(key).filter(|member| !member.gone) {
                (member.gone, member.running) = (true, false);
                ended.push(key.clone());
                steps.push(CastStep::Leave(member.id));
            }
        }
        for key in &change.containers {
            let Some(container) = fleet.container(key) else { continue };
            let Some(member) = self.members.get_mut(key) else {
                if self.selects(container, fleet) || self.succeeds(container) {
                    self.join(container, &mut steps);
                }
                continue;
            };
            let speaks = speaks(container);
            // An engine that was restarted has forgotten its events; the row tells the start all the same.
            let again = member.started.zip(container.started).filter(|(before, now)| *now > *before + SAME_START).map(|(_, now)| now);
            if speaks && (!member.running || again.is_some()) {
                steps.push(CastStep::Wake(member.id));
            } else if !speaks && member.running {
                ended.push(key.clone());
            }
            (member.running, member.gone) = (speaks, false);
            member.started = member.started.max(container.started);
            if let (Some(at), Some(source)) = (again, self.sources.get(member.id.0 as usize)) {
                steps.push(CastStep::Mark(marker(source, Stamp::of(at), MarkerKind::Restarted)));
            }
        }
        for key in ended {
            self.find_successors(&key, fleet, &mut steps);
        }
        let total = fleet.events().total();
        let news = usize::try_from(total - self.events).unwrap_or(usize::MAX);
        self.events = total;
        let skip = fleet.events().len().saturating_sub(news);
        for event in fleet.events().iter().skip(skip) {
            self.on_event(event, &mut steps);
        }
        steps
    }

    fn selects(&self, container: &Container, fleet: &Fleet) -> bool {
        let fits = match &self.rule {
            CastRule::Matching(selector) => fleet.host(&container.key.host).is_some_and(|host| selector.matches(container, host)),
            CastRule::Service { service, environment } => {
                let identity = &container.identity;
                identity.service == *service && environment.as_ref().is_none_or(|wanted| *wanted == identity.environment)
            }
            CastRule::Containers(keys) => keys.contains(&container.key),
        };
        fits && container.state != ContainerState::Created
    }

    /// Whether it takes the place of a member that ended.
    fn succeeds(&self, container: &Container) -> bool {
        let free = |member: &Member| !member.running && !member.succeeded && self.may_follow(member, container);
        speaks(container) && self.members.values().any(free)
    }

    /// Whether a container could take a member's place: of the same service and environment, and made while the member was there.
    fn may_follow(&self, member: &Member, container: &Container) -> bool {
        container.created > member.started.unwrap_or(member.created)
            && !self.neighbours.contains(&container.key)
            && self.same_place(member.id, container)
    }

    fn same_place(&self, id: SourceId, container: &Container) -> bool {
        self.source(id)
            .is_some_and(|source| source.service == container.identity.service && source.environment == container.identity.environment)
    }

    fn admit(&mut self, container: &Container, fresh: bool) -> Source {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        let source = Source::of(id, container);
        self.sources.push(source.clone());
        let member = Member {
            id,
            created: container.created,
            started: container.started,
            running: speaks(container),
            gone: false,
            fresh,
            succeeded: false,
            successor: false,
            health: container.health,
        };
        self.members.insert(container.key.clone(), member);
        source
    }

    fn join(&mut self, container: &Container, steps: &mut Vec<CastStep>) {
        let source = self.admit(container, true);
        let at = Stamp::of(container.started.unwrap_or(container.created));
        let kind = self.replace(container).unwrap_or_else(|| MarkerKind::Joined { version: source.version.clone() });
        steps.push(CastStep::Mark(marker(&source, at, kind)));
        steps.push(CastStep::Join { source, fresh: true });
    }

    /// Pairs a running member with the one whose place it took, on its own host rather than elsewhere.
    fn replace(&mut self, container: &Container) -> Option<MarkerKind> {
        let here = &container.key.host;
        let candidates = self
            .members
            .iter()
            .filter(|(key, member)| **key != container.key && !member.running && !member.succeeded && self.may_follow(member, container));
        let (old, _) = candidates.max_by_key(|(key, member)| (key.host == *here, member.created))?;
        let old = old.clone();
        let member = self.members.get_mut(&old)?;
        member.succeeded = true;
        let from = self.sources.get(member.id.0 as usize)?.version.clone();
        let elsewhere = (old.host != *here).then(|| old.host.clone());
        self.members.get_mut(&container.key)?.successor = true;
        Some(MarkerKind::Replaced { from, to: container.version.text.clone(), elsewhere })
    }

    /// A member ended: who was started beside it in time takes its place.
    fn find_successors(&mut self, ended: &ContainerKey, fleet: &Fleet, steps: &mut Vec<CastStep>) {
        if let Some(member) = self.members.get_mut(ended) {
            member.running = false;
        }
        let Some(member) = self.members.get(ended).filter(|member| !member.succeeded).cloned() else { return };
        let Some(service) = self.source(member.id).map(|source| source.service.clone()) else { return };
        let heirs: Vec<&Container> = fleet.containers_of(&service).filter(|heir| speaks(heir) && self.may_follow(&member, heir)).collect();
        for heir in heirs {
            match self.members.get(&heir.key) {
                None => self.join(heir, steps),
                Some(known) if known.fresh && !known.successor => {
                    let at = Stamp::of(heir.started.unwrap_or(heir.created));
                    if let (Some(kind), Some(source)) = (self.replace(heir), self.members.get(&heir.key).and_then(|it| self.source(it.id)))
                    {
                        steps.push(CastStep::Mark(marker(source, at, kind)));
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn on_event(&mut self, event: &EngineEvent, steps: &mut Vec<CastStep>) {
        match event.kind {
            EventKind::Container => self.on_container(event, steps),
            EventKind::Link => self.on_link(event, steps),
            EventKind::Image | EventKind::Network | EventKind::Volume | EventKind::Daemon | EventKind::Other => {}
        }
    }

    fn on_container(&mut self, event: &EngineEvent, steps: &mut Vec<CastStep>) {
        let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
        let Some(member) = self.members.get_mut(&key) else { return };
        let kind = match event.verb() {
            "start" => {
                let again = member.started.is_some_and(|started| event.at > started + SAME_START);
                member.started = member.started.max(Some(event.at));
                if again {
                    steps.push(CastStep::Wake(member.id));
                }
                again.then_some(MarkerKind::Restarted)
            }
            "die" => Some(MarkerKind::Stopped { exit_code: event.exit_code }),
            "destroy" => Some(MarkerKind::Removed),
            "oom" => Some(MarkerKind::OutOfMemory),
            "pause" => Some(MarkerKind::Paused),
            "unpause" => Some(MarkerKind::Unpaused),
            "health_status" => {
                let health = event.action.split_once(':').map_or(Health::None, |(_, word)| Health::parse(word.trim()));
                // Starting to work is what containers do; only a change that somebody would act on is told.
                let told = health != member.health && !(health == Health::Healthy && member.health != Health::Unhealthy);
                member.health = health;
                told.then_some(MarkerKind::Health(health))
            }
            _ => None,
        };
        let id = member.id;
        if let (Some(kind), Some(source)) = (kind, self.source(id)) {
            steps.push(CastStep::Mark(marker(source, Stamp::of(event.at), kind)));
        }
    }

    fn on_link(&mut self, event: &EngineEvent, steps: &mut Vec<CastStep>) {
        if !self.hosts().any(|host| *host == event.host) {
            return;
        }
        let error = || event.action.split_once(": ").map_or("the engine stopped answering", |(_, error)| error).into();
        let kind = match event.verb() {
            "live" => MarkerKind::Back,
            _ => MarkerKind::Lost { error: error() },
        };
        steps.push(CastStep::Mark(Marker { at: Stamp::of(event.at), host: event.host.clone(), source: None, kind }));
    }

    /// The hosts of members that are not gone, once for each of them.
    fn hosts(&self) -> impl Iterator<Item = &HostId> {
        self.members.iter().filter(|(_, member)| !member.gone).map(|(key, _)| &key.host)
    }
}

/// Whether its main process can write.
fn speaks(container: &Container) -> bool {
    match container.state {
        ContainerState::Running | ContainerState::Paused | ContainerState::Unknown => true,
        ContainerState::Created | ContainerState::Restarting | ContainerState::Removing | ContainerState::Exited | ContainerState::Dead => {
            false
        }
    }
}

fn marker(source: &Source, at: Stamp, kind: MarkerKind) -> Marker {
    Marker { at, host: source.key.host.clone(), source: Some((source.id, source.name.clone())), kind }
}

#[cfg(test)]
mod tests;
