//! [`Fleet::apply`]: what each kind of delta means. Which rows it concerns is decided here, how a row takes it in [`Row`], what follows
//! from a changed row in [`Fleet::settle`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Fleet;
use crate::fleet::{
    change::Change,
    delta::{ContainerDetail, ContainerSummary, Delta, ImageFact},
    event::{EngineEvent, EventKind},
    host::HostCost,
    ids::{ContainerId, ContainerKey, HostId, ImageId},
    link::LinkState,
    row::{Row, is_stop, was_asked},
};

/// So many of the log's newest events are looked through for who asked for an end; Docker tells at most 256 of the past.
const HISTORY_LOOK_BACK: usize = 512;

impl Fleet {
    /// Takes a change in. Deltas about hosts that are not in the configuration are ignored.
    pub fn apply(&mut self, delta: Delta) -> Change {
        let mut change = Change::default();
        match delta {
            Delta::Link { host, link, at } => self.apply_link(&host, link, at, &mut change),
            Delta::Engine { host, info } => {
                if let Some(room) = self.rooms.get_mut(&host)
                    && room.host.engine.as_ref() != Some(&info)
                {
                    room.host.engine = Some(info);
                    change.hosts.insert(host);
                }
            }
            Delta::List { host, containers, asked, at } => self.apply_list(&host, &containers, asked, at, &mut change),
            Delta::Inspected { host, container, at } => self.apply_inspected(&host, &container, at, &mut change),
            Delta::Gone { host, id, at } => {
                self.hear(&host, at, &mut change);
                self.remove(&host, &id, at, &mut change);
            }
            Delta::Images { host, images } => self.apply_images(&host, images, &mut change),
            Delta::Event { event, live, at } => self.apply_event(event, live, at, &mut change),
            Delta::Heard { host, latency_us, at } => {
                self.hear(&host, at, &mut change);
                if let Some(room) = self.rooms.get_mut(&host) {
                    room.host.latency_us = Some(latency_us);
                }
            }
            Delta::Cost { host, cost } => self.apply_cost(&host, cost),
        }
        self.revision += u64::from(change.is_visible());
        change
    }

    fn apply_link(&mut self, id: &HostId, link: LinkState, at: DateTime<Utc>, change: &mut Change) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        if link.is_live() {
            room.host.heard = room.host.heard.max(Some(at));
        }
        if room.host.link == link {
            return;
        }
        let turned = room.host.link.word() != link.word();
        if turned && !matches!(link, LinkState::Stale { .. }) {
            // Coming back (or going) leaves the rows unconfirmed until the list that follows.
            room.host.listed = false;
        }
        if turned && link != LinkState::Connecting {
            let action = match link.error() {
                Some(error) => format!("{}: {error}", link.word()),
                None => link.word().to_owned(),
            };
            change.logged |= self.events.push(EngineEvent {
                at,
                host: id.clone(),
                kind: EventKind::Link,
                action: action.into(),
                id: ContainerId::new(""),
                name: "".into(),
                image: None,
                exit_code: None,
                signal: None,
                old_name: None,
                labels: Default::default(),
            });
        }
        room.host.link = link;
        change.hosts.insert(id.clone());
        if turned {
            change.services.extend(room.rows.values().map(|row| row.container.identity.service.clone()));
        }
    }

    fn apply_cost(&mut self, id: &HostId, cost: HostCost) {
        // Not a visible change: the screen that shows it repaints by its own tick.
        if let Some(room) = self.rooms.get_mut(id) {
            room.host.cost = cost;
        }
    }

    fn apply_list(&mut self, id: &HostId, list: &[ContainerSummary], asked: DateTime<Utc>, at: DateTime<Utc>, change: &mut Change) {
        self.hear(id, at, change);
        let Some(room) = self.rooms.get_mut(id) else { return };
        if room.listed_as_of.is_some_and(|newest| asked < newest) {
            return;
        }
        room.listed_as_of = Some(asked);
        if !room.host.listed {
            room.host.listed = true;
            change.hosts.insert(id.clone());
        }
        room.gone.retain(|_, since| *since > asked);
        let named: BTreeSet<&ContainerId> = list.iter().map(|summary| &summary.id).collect();
        let absent = room.rows.iter().filter(|(id, row)| row.as_of <= asked && !named.contains(id));
        let absent: Vec<ContainerId> = absent.map(|(id, _)| id.clone()).collect();
        let late: BTreeSet<ContainerId> = room.gone.keys().cloned().collect();
        for gone in absent {
            self.settle(id, &gone, None, change);
        }
        for summary in list.iter().filter(|summary| !late.contains(&summary.id)) {
            let key = ContainerKey { host: id.clone(), id: summary.id.clone() };
            let row = match self.row(&key) {
                Some(row) => {
                    let mut row = row.clone();
                    row.take_summary(summary, asked, at);
                    row
                }
                None => Row::from_summary(key, summary, asked, at),
            };
            self.settle(id, &summary.id, Some(row), change);
        }
    }

    fn apply_inspected(&mut self, id: &HostId, detail: &ContainerDetail, at: DateTime<Utc>, change: &mut Change) {
        self.hear(id, at, change);
        let container = &detail.summary.id;
        let Some(room) = self.rooms.get(id) else { return };
        if room.gone.contains_key(container) {
            return;
        }
        let key = ContainerKey { host: id.clone(), id: container.clone() };
        let mut row = match self.row(&key) {
            Some(row) => row.clone(),
            None => Row::from_summary(key, &detail.summary, at, at),
        };
        row.take_detail(detail, at);
        self.settle(id, container, Some(row), change);
    }

    fn apply_images(&mut self, id: &HostId, images: Vec<ImageFact>, change: &mut Change) {
        for mut fact in images {
            let Some(room) = self.rooms.get_mut(id) else { return };
            let known = room.images.get(&fact.id);
            if let Some(known) = known
                && fact.layers.is_empty()
            {
                fact.layers.clone_from(&known.layers);
            }
            if known == Some(&fact) {
                continue;
            }
            let users: Vec<ContainerId> = room.users.get(&fact.id).into_iter().flatten().cloned().collect();
            room.images.insert(fact.id.clone(), fact);
            for user in users {
                let row = self.rooms.get(id).and_then(|room| room.rows.get(&user)).cloned();
                // Layers may settle a question between hosts without changing how the row itself looks.
                change.services.extend(row.as_ref().map(|row| row.container.identity.service.clone()));
                self.settle(id, &user, row, change);
            }
        }
    }

    fn apply_event(&mut self, event: EngineEvent, live: bool, at: DateTime<Utc>, change: &mut Change) {
        let host = event.host.clone();
        if !self.rooms.contains_key(&host) {
            return;
        }
        self.hear(&host, at, change);
        if self.events.contains(&event) {
            return;
        }
        if live && event.kind == EventKind::Container {
            self.apply_container_event(&host, &event, at, change);
        } else if !live && event.kind == EventKind::Container {
            self.apply_history(&host, &event, change);
        } else if live && event.kind == EventKind::Image && event.verb() == "delete" {
            self.forget_image(&host, &ImageId::new(event.id.as_str()));
        }
        if !self.is_check(&event) {
            change.logged |= self.events.push(event);
        }
    }

    fn apply_container_event(&mut self, host: &HostId, event: &EngineEvent, at: DateTime<Utc>, change: &mut Change) {
        if matches!(event.verb(), "destroy" | "remove") {
            self.remove(host, &event.id, at, change);
            return;
        }
        let Some(room) = self.rooms.get(host) else { return };
        if room.gone.contains_key(&event.id) {
            return;
        }
        let row = match room.rows.get(&event.id) {
            Some(row) => {
                let mut row = row.clone();
                row.take_event(event, at);
                Some(row)
            }
            None => Row::from_event(event, at),
        };
        if row.is_some() {
            self.settle(host, &event.id, row, change);
        }
    }

    /// What an event of before tells of a row that is still there: only how often it ended, ran out of memory, and since when its
    /// HEALTHCHECK says what it says.
    fn apply_history(&mut self, host: &HostId, event: &EngineEvent, change: &mut Change) {
        let key = ContainerKey { host: host.clone(), id: event.id.clone() };
        let Some(mut row) = self.row(&key).cloned() else { return };
        let is_turn = |other: &&std::sync::Arc<EngineEvent>| {
            other.id == event.id && other.host == event.host && (other.verb() == "start" || is_stop(other))
        };
        // What was asked for before it was started again was another end.
        let turn = self.events.iter().rev().take(HISTORY_LOOK_BACK).find(is_turn);
        let asked = turn.is_some_and(|turn| is_stop(turn) && was_asked(turn.at, event.at));
        row.take_history(event, asked);
        self.settle(host, &event.id, Some(row), change);
    }

    /// Whether an event is most likely a HEALTHCHECK at work: three `exec_*` events for every check of every container would push
    /// everything worth reading out of the log within minutes. A person's exec into a container with a HEALTHCHECK is not kept either.
    fn is_check(&self, event: &EngineEvent) -> bool {
        let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
        event.kind == EventKind::Container && event.verb().starts_with("exec_") && self.row(&key).is_some_and(|row| row.checked)
    }

    fn hear(&mut self, id: &HostId, at: DateTime<Utc>, change: &mut Change) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        if room.host.heard < Some(at) {
            room.host.heard = Some(at);
            match room.host.link {
                LinkState::Connecting | LinkState::Live { .. } => {}
                // "As of" stands beside the rows of such a host.
                LinkState::Stale { .. } | LinkState::Retrying { .. } | LinkState::Refused { .. } => {
                    change.hosts.insert(id.clone());
                }
            }
        }
    }

    fn remove(&mut self, host: &HostId, id: &ContainerId, at: DateTime<Utc>, change: &mut Change) {
        if let Some(room) = self.rooms.get_mut(host) {
            room.gone.insert(id.clone(), at);
            self.settle(host, id, None, change);
        }
    }

    fn forget_image(&mut self, host: &HostId, id: &ImageId) {
        if let Some(room) = self.rooms.get_mut(host)
            && !room.users.contains_key(id)
        {
            room.images.remove(id);
        }
    }
}
