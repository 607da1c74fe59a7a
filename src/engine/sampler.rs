//! Which containers of one host are asked for their counters, and when: what is in demand, within the budget of [`pace`].
//!
//! Decides only; the session sends the requests and brings the answers back. Nothing is in demand: nothing is asked, from that moment on.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use indexmap::IndexMap;

use super::docker::EngineError;
use crate::{
    fleet::ContainerId,
    stats::{Demand, MachineReading, Sample, pace},
};

/// How many samples may be asked for at once; engines before Docker 25 keep each waiting for up to a second.
const WIDTH: usize = 16;
/// The least of that, where requests fail.
const NARROW: usize = 2;
/// So many samples may be taken early after a quiet time: the first look at a screen is answered at once.
const BURST: f64 = 32.0;
/// Two samples make a rate: the second of a new container follows the first after this.
const PAIR: Duration = Duration::from_millis(1200);
/// Answers that come together are told together.
const GATHER: Duration = Duration::from_millis(250);
/// How often a host is asked for its own figures where somebody looks at them.
const MACHINE: Duration = Duration::from_secs(5);
/// And where only its load matters, which slows the rest down.
const MACHINE_LOAD: Duration = Duration::from_secs(20);
/// After a host could not be asked: the reason may pass (an agent that waits, a disk that hangs).
const MACHINE_REFUSED: Duration = Duration::from_secs(300);
/// An answer that takes longer than an old engine's tick tells that the engine has too much to do.
const SLOW: Duration = Duration::from_millis(2500);

/// One container in demand.
#[derive(Clone, Copy, Debug)]
struct Slot {
    near: bool,
    /// Since when it is in demand.
    since: Instant,
    /// When it was last asked for.
    asked: Option<Instant>,
    /// Answers so far: a first pair is asked for sooner.
    answers: u32,
    /// It cannot be measured; until it is in demand anew.
    dead: bool,
}

/// What to send next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A container's counters.
    Container(ContainerId),
    /// The host's own figures.
    Machine,
}

/// The sampling of one link.
#[derive(Debug)]
pub(super) struct Sampler {
    demand: Demand,
    slots: IndexMap<ContainerId, Slot>,
    flying: HashSet<ContainerId>,
    /// Samples that may be asked for now.
    tokens: f64,
    filled: Instant,
    width: usize,
    /// How much slower than usual the engine answers.
    strain: f64,
    /// The host's load over its processors.
    load: Option<f64>,
    /// Whether what a host's figures are judged by is known: its engine's own description.
    described: bool,
    machine_asked: Option<Instant>,
    machine_refused: bool,
    machine_flying: bool,
    gathered: Vec<(ContainerId, Sample)>,
    machine: Option<MachineReading>,
    gathered_since: Option<Instant>,
}

impl Sampler {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            demand: Demand::default(),
            slots: IndexMap::new(),
            flying: HashSet::new(),
            tokens: BURST,
            filled: now,
            width: WIDTH,
            strain: 1.0,
            load: None,
            described: false,
            machine_asked: None,
            machine_refused: false,
            machine_flying: false,
            gathered: Vec::new(),
            machine: None,
            gathered_since: None,
        }
    }

    /// Measures this from now on. What was in demand before keeps its turn.
    pub(super) fn demand(&mut self, demand: Demand, now: Instant) {
        let mut slots = IndexMap::with_capacity(demand.near.len() + demand.rest.len());
        for (ids, near) in [(&demand.near, true), (&demand.rest, false)] {
            for id in ids {
                let known = self.slots.get(id).copied().unwrap_or(Slot { near, since: now, asked: None, answers: 0, dead: false });
                slots.insert(id.clone(), Slot { near, ..known });
            }
        }
        self.slots = slots;
        self.demand = demand;
    }

    /// The pace of now.
    fn pace(&self) -> pace::Pace {
        let near = self.slots.values().filter(|slot| slot.near && !slot.dead).count();
        let rest = self.slots.values().filter(|slot| !slot.near && !slot.dead).count();
        pace::pace(near, rest, self.demand.every(), self.rate())
    }

    fn rate(&self) -> f64 {
        pace::rate(self.load, self.strain)
    }

    /// When a container's turn comes; `None`: never, or its answer is awaited.
    fn due(&self, id: &ContainerId, slot: &Slot, pace: pace::Pace, now: Instant) -> Option<Instant> {
        if slot.dead || self.flying.contains(id) {
            return None;
        }
        let Some(asked) = slot.asked else { return Some(slot.since) };
        let wait = match slot.answers {
            1 => PAIR,
            _ if slot.near => pace.near,
            _ => pace.rest,
        };
        Some(asked.checked_add(wait).unwrap_or(now + Duration::from_secs(86_400)))
    }

    /// What to ask for now; called until there is nothing.
    pub(super) fn next(&mut self, now: Instant) -> Option<Next> {
        if self.demand.is_empty() {
            return None;
        }
        if self.machine_due(now).is_some_and(|due| due <= now) {
            (self.machine_flying, self.machine_asked) = (true, Some(now));
            return Some(Next::Machine);
        }
        self.fill(now);
        if self.tokens < 1.0 || self.flying.len() >= self.width {
            return None;
        }
        let pace = self.pace();
        let dues = self.slots.iter().enumerate().filter_map(|(at, (id, slot))| Some((!slot.near, self.due(id, slot, pace, now)?, at)));
        let (.., at) = dues.filter(|(_, due, _)| *due <= now).min()?;
        let (id, slot) = self.slots.get_index_mut(at)?;
        slot.asked = Some(now);
        let id = id.clone();
        self.tokens -= 1.0;
        self.flying.insert(id.clone());
        Some(Next::Container(id))
    }

    /// When the host is asked for its own figures; `None` while it is, or cannot be.
    fn machine_due(&self, now: Instant) -> Option<Instant> {
        if !self.described || self.machine_flying {
            return None;
        }
        let rest = match () {
            () if self.machine_refused => MACHINE_REFUSED,
            () if self.demand.machine => MACHINE,
            () => MACHINE_LOAD,
        };
        Some(self.machine_asked.map_or(now, |asked| asked + rest))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate()).min(BURST);
        self.filled = now;
    }

    /// When [`Sampler::next`] or [`Sampler::told`] has something to say again.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let gathered = self.gathered_since.map(|since| since + GATHER);
        if self.demand.is_empty() {
            return gathered;
        }
        let machine = self.machine_due(now);
        let container = (self.flying.len() < self.width).then(|| {
            let pace = self.pace();
            let due = self.slots.iter().filter_map(|(id, slot)| self.due(id, slot, pace, now)).min()?;
            if self.tokens >= 1.0 {
                return Some(due);
            }
            // A moment longer: rounding must not wake us for a token that is not whole.
            let missing = ((1.0 - self.tokens) / self.rate()).min(3600.0);
            Some(due.max(self.filled + Duration::from_secs_f64(missing) + Duration::from_millis(1)))
        });
        [gathered, machine, container.flatten()].into_iter().flatten().min()
    }

    /// An answer about a container, and how long it took.
    pub(super) fn answered(&mut self, id: ContainerId, result: Result<Option<Sample>, EngineError>, took: Duration, now: Instant) {
        self.flying.remove(&id);
        let slow = took > SLOW;
        self.strain = (self.strain * if slow { 1.5 } else { 0.8 }).clamp(1.0, 16.0);
        let slot = self.slots.get_mut(&id);
        match result {
            Ok(Some(sample)) => {
                self.width = (self.width + 1).min(WIDTH);
                if let Some(slot) = slot {
                    slot.answers = slot.answers.saturating_add(1);
                    self.gathered.push((id, sample));
                    self.gathered_since.get_or_insert(now);
                }
            }
            // Nothing runs in it: between two restarts, or it ended and the event is on its way.
            Ok(None) => {
                if let Some(slot) = slot {
                    slot.answers = 0;
                }
            }
            Err(error) if error.is_not_found() => {
                if let Some(slot) = slot {
                    slot.dead = true;
                }
            }
            Err(error) => {
                tracing::debug!(container = id.short(), %error, "not measured");
                self.width = (self.width / 2).max(NARROW);
                if let Some(slot) = slot {
                    slot.answers = slot.answers.max(2);
                }
            }
        }
    }

    /// The host's own figures, or why there are none.
    pub(super) fn machine_answered(&mut self, reading: MachineReading, now: Instant) {
        self.machine_flying = false;
        self.load = match &reading {
            MachineReading::Host(sample) => Some(sample.load / f64::from(sample.cpus.max(1))),
            MachineReading::Engine(_) => None,
        };
        self.machine_refused = self.load.is_none();
        self.machine = Some(reading);
        self.gathered_since.get_or_insert(now);
    }

    /// The engine has described itself: its host's figures may be judged by that.
    pub(super) fn described(&mut self) {
        self.described = true;
    }

    /// What was gathered, when it is time to tell it: a little after the first answer, so that a burst of them is one report.
    pub(super) fn told(&mut self, now: Instant) -> Option<Gathered> {
        if now < self.gathered_since? + GATHER {
            return None;
        }
        self.gathered_since = None;
        Some((std::mem::take(&mut self.gathered), self.machine.take()))
    }
}

/// Of the containers, and of the machine where it was read.
pub(super) type Gathered = (Vec<(ContainerId, Sample)>, Option<MachineReading>);

#[cfg(test)]
mod tests;
