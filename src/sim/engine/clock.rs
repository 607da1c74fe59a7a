//! Two times: the timeline (what a scenario counts in, possibly faster than life) and the engines' wall clock (what timestamps say).

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::{sync::watch, time::Instant};

/// How the timeline moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// By itself, so many times as fast as life. Timestamps keep to life.
    Running(f64),
    /// Only when told, for tests: timestamps go with it.
    Manual,
}

/// A moment in both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the start of the scenario.
    pub timeline: Duration,
    /// Nanoseconds since 1970.
    pub wall: i64,
}

/// The one clock of a fleet.
#[derive(Debug)]
pub struct Clock {
    base: i64,
    origin: Instant,
    pace: Pace,
    manual: watch::Sender<Duration>,
}

impl Clock {
    /// A clock whose timeline starts now, and whose wall clock then says `base`.
    pub fn new(base: DateTime<Utc>, pace: Pace) -> Self {
        let pace = match pace {
            Pace::Running(speed) if speed.is_finite() && speed > 0.0 => Pace::Running(speed.clamp(0.001, 10_000.0)),
            Pace::Running(_) => Pace::Running(1.0),
            Pace::Manual => Pace::Manual,
        };
        Self {
            base: base.timestamp_nanos_opt().unwrap_or_default(),
            origin: Instant::now(),
            pace,
            manual: watch::Sender::new(Duration::ZERO),
        }
    }

    /// What the wall clock said at the start.
    pub fn base(&self) -> i64 {
        self.base
    }

    /// Now.
    pub fn now(&self) -> Moment {
        match self.pace {
            Pace::Manual => self.moment(*self.manual.borrow()),
            Pace::Running(speed) => {
                let life = self.origin.elapsed();
                Moment { timeline: life.mul_f64(speed), wall: self.base + life.as_nanos() as i64 }
            }
        }
    }

    /// A moment of the timeline in both times.
    pub fn moment(&self, timeline: Duration) -> Moment {
        let life = match self.pace {
            Pace::Manual => timeline,
            Pace::Running(speed) => timeline.div_f64(speed),
        };
        Moment { timeline, wall: self.base + life.as_nanos() as i64 }
    }

    /// Moves a manual timeline to this moment, never back; no effect on one that runs by itself.
    pub fn set(&self, to: Duration) {
        self.manual.send_if_modified(|now| {
            let moved = to > *now;
            *now = to.max(*now);
            moved
        });
    }

    /// Whether the timeline moves only when told.
    pub fn is_manual(&self) -> bool {
        self.pace == Pace::Manual
    }

    /// Waits until the timeline has reached this moment.
    pub async fn reached(&self, timeline: Duration) {
        match self.pace {
            Pace::Running(speed) => tokio::time::sleep_until(self.origin + timeline.div_f64(speed)).await,
            Pace::Manual => {
                // The sender lives in `self`, so waiting cannot fail.
                let _ = self.manual.subscribe().wait_for(|now| *now >= timeline).await;
            }
        }
    }

    /// Waits until the wall clock has reached these nanoseconds.
    pub async fn reached_wall(&self, wall: i64) {
        let life = Duration::from_nanos(wall.saturating_sub(self.base).max(0) as u64);
        match self.pace {
            Pace::Running(_) => tokio::time::sleep_until(self.origin + life).await,
            Pace::Manual => self.reached(life).await,
        }
    }
}

/// Nanoseconds since 1970 as a time.
pub fn time(wall: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(wall)
}

/// RFC 3339 with nine digits, as the engine writes times.
pub fn stamp(wall: i64) -> String {
    time(wall).to_rfc3339_opts(SecondsFormat::Nanos, true)
}
