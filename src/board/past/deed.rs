//! What an engine's events of one container say together: `kill`, `die`, `stop`, `start` and `restart` are one restart.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    delivery::release::{KEPT, label},
    fleet::{ContainerKey, EngineEvent},
};

/// A container that is stopped has this long to end before it is two things that happened.
const STOPPING: TimeDelta = TimeDelta::seconds(90);
/// Engines wait at most a minute before they start again what ended.
const AGAIN: TimeDelta = TimeDelta::seconds(120);

/// What was done to a container, or happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Created,
    Started,
    Restarted,
    Stopped,
    Killed {
        signal: Arc<str>,
    },
    /// By itself; `again`: its engine has started it again.
    Ended {
        code: Option<i64>,
        again: bool,
    },
    OutOfMemory {
        again: bool,
    },
    Removed,
    Renamed {
        from: Arc<str>,
    },
    Paused,
    Unpaused,
    Updated,
    Unhealthy,
    Healthy,
}

impl Verb {
    /// Whether somebody must have asked for it.
    pub fn is_asked(&self) -> bool {
        match self {
            Self::Created
            | Self::Started
            | Self::Restarted
            | Self::Stopped
            | Self::Killed { .. }
            | Self::Removed
            | Self::Renamed { .. }
            | Self::Paused
            | Self::Unpaused
            | Self::Updated => true,
            Self::Ended { .. } | Self::OutOfMemory { .. } | Self::Unhealthy | Self::Healthy => false,
        }
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// When it began, by the engine's clock.
    pub at: DateTime<Utc>,
    /// When its last event came.
    pub until: DateTime<Utc>,
    pub verb: Verb,
    /// The event that tells about the container.
    pub event: Arc<EngineEvent>,
}

impl Deed {
    pub fn key(&self) -> ContainerKey {
        ContainerKey { host: self.event.host.clone(), id: self.event.id.clone() }
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.event.labels.get(key).map(|value| &**value)
    }

    /// A lock or a freeze: a container that never runs, and no service.
    pub fn is_barrier(&self) -> bool {
        matches!(self.label(label::KIND), Some("lock" | "freeze"))
    }

    /// What a deployment kept for a fast way back: only it puts that away.
    pub fn is_kept(&self) -> bool {
        let was_kept = matches!(&self.verb, Verb::Renamed { from } if from.ends_with(KEPT));
        (was_kept || self.event.name.ends_with(KEPT)) && self.label(label::DEPLOYMENT).is_some()
    }
}

/// Folds the events of one container, oldest first.
pub(super) fn deeds<'e>(events: impl Iterator<Item = &'e Arc<EngineEvent>>) -> Vec<Deed> {
    let mut told: Vec<Deed> = Vec::new();
    for event in events {
        note(&mut told, event);
    }
    told
}

fn note(told: &mut Vec<Deed>, event: &Arc<EngineEvent>) {
    let argument = event.action.split_once(':').map(|(_, argument)| argument.trim()).unwrap_or_default();
    let new = |verb| Deed { at: event.at, until: event.at, verb, event: Arc::clone(event) };
    match (event.verb(), argument) {
        ("create", _) => told.push(new(Verb::Created)),
        ("start", _) => match told.last_mut() {
            Some(Deed { verb: Verb::Created, until, at, .. }) if event.at - *at <= STOPPING => *until = event.at,
            Some(Deed { verb: Verb::Ended { again, .. } | Verb::OutOfMemory { again }, until, .. }) if event.at - *until <= AGAIN => {
                (*again, *until) = (true, event.at);
            }
            _ => told.push(new(Verb::Started)),
        },
        ("restart", _) => {
            let began = |one: &Deed| {
                let is_part = matches!(one.verb, Verb::Killed { .. } | Verb::Ended { .. } | Verb::Stopped | Verb::Started);
                is_part && event.at - one.at <= STOPPING
            };
            replace(told, new(Verb::Restarted), began);
        }
        ("stop", _) => replace(told, new(Verb::Stopped), |one| is_ending(one, event)),
        ("destroy" | "remove", _) => {
            replace(told, new(Verb::Removed), |one| is_ending(one, event) || one.verb == Verb::Stopped && event.at - one.until <= STOPPING);
        }
        ("kill", _) => match told.last_mut() {
            // A stop that is not heeded is followed by a harder word.
            Some(Deed { verb: Verb::Killed { signal }, until, at, .. }) if event.at - *at <= STOPPING => {
                (*signal, *until) = (event.signal.clone().unwrap_or_else(|| "KILL".into()), event.at);
            }
            _ => told.push(new(Verb::Killed { signal: event.signal.clone().unwrap_or_else(|| "KILL".into()) })),
        },
        ("die", _) => match told.last_mut() {
            Some(Deed { verb: Verb::Killed { .. } | Verb::OutOfMemory { .. }, until, at, .. }) if event.at - *at <= STOPPING => {
                *until = event.at;
            }
            _ => told.push(new(Verb::Ended { code: event.exit_code, again: false })),
        },
        ("oom", _) => match told.last() {
            Some(Deed { verb: Verb::OutOfMemory { again: false }, at, .. }) if event.at - *at <= STOPPING => {}
            _ => told.push(new(Verb::OutOfMemory { again: false })),
        },
        ("rename", _) => told.push(new(Verb::Renamed { from: event.old_name.clone().unwrap_or_default() })),
        ("pause", _) => told.push(new(Verb::Paused)),
        ("unpause", _) => told.push(new(Verb::Unpaused)),
        ("update", _) => told.push(new(Verb::Updated)),
        ("health_status", "unhealthy") => told.push(new(Verb::Unhealthy)),
        ("health_status", "healthy") => told.push(new(Verb::Healthy)),
        // The rest follows from these, or changes nothing; what a HEALTHCHECK runs looks like what a person runs.
        _ => {}
    }
}

/// The end that an act brought about.
fn is_ending(one: &Deed, event: &EngineEvent) -> bool {
    matches!(one.verb, Verb::Killed { .. } | Verb::Ended { again: false, .. }) && event.at - one.at <= STOPPING
}

/// Puts one deed in the place of the last ones that were only its parts.
fn replace(told: &mut Vec<Deed>, mut deed: Deed, is_part: impl Fn(&Deed) -> bool) {
    while let Some(part) = told.pop_if(|last| is_part(last)) {
        deed.at = part.at;
    }
    told.push(deed);
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::event, *};

    /// What comes of events so many seconds in.
    fn of(actions: &[(i64, &str)]) -> Vec<(i64, Verb)> {
        let start = crate::fleet::fixture::now();
        let events: Vec<_> = actions
            .iter()
            .map(|(seconds, action)| {
                let mut event = event("app-04", "web-1", action, *seconds);
                if event.action.starts_with("kill") {
                    event.signal = Some("15".into());
                }
                event.exit_code = (&*event.action == "die").then_some(1);
                Arc::new(event)
            })
            .collect();
        deeds(events.iter()).into_iter().map(|deed| ((deed.at - start).num_seconds(), deed.verb)).collect()
    }

    #[test]
    fn what_engines_say_in_pieces_is_one_thing() {
        let ended = |again| Verb::Ended { code: Some(1), again };
        let killed = Verb::Killed { signal: "15".into() };
        for (events, expected) in [
            (&[(0, "kill"), (1, "die"), (1, "stop"), (2, "start"), (2, "restart")][..], vec![(0, Verb::Restarted)]),
            (&[(0, "kill"), (10, "kill"), (10, "die"), (10, "stop")], vec![(0, Verb::Stopped)]),
            (&[(0, "create"), (1, "start"), (5, "health_status: healthy")], vec![(0, Verb::Created), (5, Verb::Healthy)]),
            (&[(0, "kill"), (0, "die"), (1, "destroy")], vec![(0, Verb::Removed)]),
            (&[(0, "die"), (1, "start"), (4, "die"), (6, "start")], vec![(0, ended(true)), (4, ended(true))]),
            (&[(0, "die"), (300, "start")], vec![(0, ended(false)), (300, Verb::Started)]),
            (&[(0, "oom"), (0, "oom"), (1, "die"), (2, "start")], vec![(0, Verb::OutOfMemory { again: true })]),
            (&[(0, "kill")], vec![(0, killed.clone())]),
            (&[(0, "kill"), (1, "die"), (400, "start")], vec![(0, killed), (400, Verb::Started)]),
            (&[(0, "exec_create: sh -c true"), (1, "exec_die"), (2, "attach")], vec![]),
            (&[(0, "pause"), (9, "unpause")], vec![(0, Verb::Paused), (9, Verb::Unpaused)]),
        ] {
            assert_eq!(of(events), expected, "{events:?}");
        }
    }
}
