//! How bad a container stands, in one word that orders. Pure: what depends on time takes `now`.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    container::{Container, ContainerState, Health},
    link::LinkState,
};

/// So many unexpected ends within [`LOOP_WINDOW`] are a crash loop.
pub const LOOP_DEATHS: usize = 3;
/// The time in which [`LOOP_DEATHS`] must fall.
pub const LOOP_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// So long after the engine was seen waiting between two starts the loop is held to go on: longer than the longest pause of a restart
/// policy (a minute), so that a verdict does not come and go with every turn of the loop.
pub const LOOP_HOLD: TimeDelta = TimeDelta::seconds(90);
/// So long a kill for lack of memory stays a trouble when the container runs again.
pub const OOM_WINDOW: TimeDelta = TimeDelta::minutes(10);

/// What is wrong with a container, least first: the worst of many is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing; also stopped on purpose, finished with code 0, or kept by a deployment.
    #[default]
    None,
    /// Its HEALTHCHECK has no verdict yet.
    Starting,
    /// Its host does not answer at the moment: the rest is the last known.
    Stale,
    /// Ended by itself with an error, and stays down.
    Exited,
    /// Its HEALTHCHECK fails.
    Unhealthy,
    /// Starts and ends again and again.
    CrashLooping,
    /// The kernel ended it for lack of memory.
    Oom,
    /// Its host is lost.
    HostLost,
}

/// How loud a trouble is: the three colours of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to look at.
    Quiet,
    /// Amber.
    Attention,
    /// Red.
    Bad,
}

impl Trouble {
    /// What is wrong with a container now.
    pub fn of(container: &Container, link: &LinkState, now: DateTime<Utc>) -> Self {
        if container.is_kept() {
            return Self::None;
        }
        Self::of_link(link).max(Self::of_container(container, now))
    }

    /// What a link's state alone means for everything behind it.
    pub fn of_link(link: &LinkState) -> Self {
        match link {
            LinkState::Live { .. } => Self::None,
            LinkState::Connecting | LinkState::Stale { .. } => Self::Stale,
            LinkState::Retrying { .. } | LinkState::Refused { .. } => Self::HostLost,
        }
    }

    /// What is wrong with a container itself, whatever its host's link.
    pub fn of_container(container: &Container, now: DateTime<Utc>) -> Self {
        if container.is_kept() {
            return Self::None;
        }
        match container.state {
            ContainerState::Restarting => Self::CrashLooping,
            // Before the lack of memory, which may be its cause: that is known only between an end and the next start.
            ContainerState::Running => match () {
                () if is_looping(container, now) => Self::CrashLooping,
                () if is_out_of_memory(container, now) => Self::Oom,
                () => Self::of_health(container.health),
            },
            ContainerState::Exited if container.stop_asked.is_none() && is_looping(container, now) => Self::CrashLooping,
            _ if container.oom_killed == Some(true) => Self::Oom,
            ContainerState::Dead => Self::Exited,
            ContainerState::Exited if !container.is_oneoff() && ended_badly(container) => Self::Exited,
            ContainerState::Exited
            | ContainerState::Created
            | ContainerState::Paused
            | ContainerState::Removing
            | ContainerState::Unknown => Self::None,
        }
    }

    fn of_health(health: Health) -> Self {
        match health {
            Health::Unhealthy => Self::Unhealthy,
            Health::Starting => Self::Starting,
            Health::None | Health::Healthy => Self::None,
        }
    }

    /// How loud it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::None => Severity::Quiet,
            Self::Starting | Self::Stale => Severity::Attention,
            Self::Exited | Self::Unhealthy | Self::CrashLooping | Self::Oom | Self::HostLost => Severity::Bad,
        }
    }

    /// The word in JSON: `crash-looping`, `host-lost`, …; `none` for none.
    pub fn key(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Stale => "stale",
            Self::Exited => "exited",
            Self::Unhealthy => "unhealthy",
            Self::CrashLooping => "crash-looping",
            Self::Oom => "oom",
            Self::HostLost => "host-lost",
        }
    }

    /// The word on screens: `unhealthy`, `crash-looping`, `out of memory`, …; empty for none.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Starting => "starting",
            Self::Stale => "stale",
            Self::Exited => "exited",
            Self::Unhealthy => "unhealthy",
            Self::CrashLooping => "crash-looping",
            Self::Oom => "out of memory",
            Self::HostLost => "host lost",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// When a verdict that rests on the time alone may end: the next moment from which a crash loop or a lack of memory is none any more,
/// unless something happens.
pub fn settles(container: &Container, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    [loop_ends(container), oom_ends(container)].into_iter().flatten().filter(|ends| *ends > now).min()
}

/// When the evidence of a crash loop will be too old.
fn loop_ends(container: &Container) -> Option<DateTime<Utc>> {
    let counted = container.deaths.len().checked_sub(LOOP_DEATHS).map(|third_last| container.deaths[third_last] + LOOP_WINDOW);
    // One crash is no loop.
    let is_again = container.restarts.is_none_or(|restarts| restarts > 1);
    let seen = container.witness.restarting.filter(|_| is_again).map(|seen| seen + LOOP_HOLD);
    counted.max(seen)
}

fn oom_ends(container: &Container) -> Option<DateTime<Utc>> {
    container.witness.oom.map(|oom| oom + OOM_WINDOW)
}

fn is_looping(container: &Container, now: DateTime<Utc>) -> bool {
    loop_ends(container).is_some_and(|ends| ends > now)
}

fn is_out_of_memory(container: &Container, now: DateTime<Utc>) -> bool {
    container.oom_killed == Some(true) || oom_ends(container).is_some_and(|ends| ends > now)
}

/// Whether an exit needs a person. 143 and 137 are how a stop ends: they count only when the end was seen and nobody had asked for it.
fn ended_badly(container: &Container) -> bool {
    if container.stop_asked.is_some() {
        return false;
    }
    match container.exit_code {
        None | Some(0 | 137 | 143) => container.ended_by_itself(),
        Some(_) => true,
    }
}
