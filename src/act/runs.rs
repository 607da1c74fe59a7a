//! How far the acts of this process are: what a screen shows while they go on, and afterwards.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Class, Outcome, Plan};
use crate::fleet::ContainerKey;

/// So many runs are remembered; the oldest one that is over goes first.
const REMEMBERED: usize = 16;

/// A plan that is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// How far one target is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// Its turn has not come.
    Waiting,
    /// Its intent is being written.
    Recording,
    /// It was handed to the engine: it cannot be recalled.
    Sent,
    /// Its answer got lost; the engine is asked what is.
    Unsure {
        /// Why.
        why: Arc<str>,
    },
    /// It is over.
    Over {
        /// What became of it.
        result: Outcome,
        /// Why its outcome is not in the audit, where it is not.
        unrecorded: Option<Arc<str>>,
    },
}

/// One step of a run went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which run.
    pub run: RunId,
    /// Which step of its plan.
    pub step: usize,
    /// How far it is now.
    pub stage: Stage,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub id: RunId,
    /// What is carried out.
    pub plan: Arc<Plan>,
    /// How far each step is, in the plan's order.
    pub stages: Vec<Stage>,
    /// Whether it was called off: what is not sent yet will not be.
    pub cancelled: bool,
}

/// A run in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All targets.
    pub all: usize,
    /// As was asked.
    pub good: usize,
    /// Not as was asked, or nobody knows.
    pub bad: usize,
    /// On hosts that could not be reached.
    pub unreached: usize,
    /// Called off.
    pub called_off: usize,
    /// Forbidden.
    pub forbidden: usize,
    /// Sent and without an answer yet.
    pub sent: usize,
    /// Not sent yet.
    pub waiting: usize,
}

impl Run {
    /// A run of which nothing is done yet.
    pub fn new(id: RunId, plan: Arc<Plan>) -> Self {
        Self { id, stages: vec![Stage::Waiting; plan.steps.len()], plan, cancelled: false }
    }

    /// What became of each target, once it is over.
    pub fn outcome(&self, step: usize) -> Option<&Outcome> {
        match self.stages.get(step)? {
            Stage::Over { result, .. } => Some(result),
            Stage::Waiting | Stage::Recording | Stage::Sent | Stage::Unsure { .. } => None,
        }
    }

    /// It in figures.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { all: self.stages.len(), ..Tally::default() };
        for stage in &self.stages {
            let figure = match stage {
                Stage::Waiting | Stage::Recording => &mut tally.waiting,
                Stage::Sent | Stage::Unsure { .. } => &mut tally.sent,
                Stage::Over { result, .. } => match result.class(&self.plan.act) {
                    Class::Good => &mut tally.good,
                    Class::Bad => &mut tally.bad,
                    Class::Unreached => &mut tally.unreached,
                    Class::CalledOff => &mut tally.called_off,
                    Class::Forbidden => &mut tally.forbidden,
                },
            };
            *figure += 1;
        }
        tally
    }

    /// Whether every target is over.
    pub fn is_over(&self) -> bool {
        self.stages.iter().all(|stage| matches!(stage, Stage::Over { .. }))
    }

    /// It in one line: `stop: 3 of 5 · 1 failed · 1 under way`.
    pub fn line(&self) -> String {
        let tally = self.tally();
        let mut line = match tally.all {
            1 => match (self.outcome(0), self.plan.steps.first()) {
                (Some(outcome), Some(step)) => {
                    return format!("{} on {}: {}", step.target.name, step.target.host, outcome.sentence(&self.plan.act));
                }
                (_, Some(step)) => format!("{} {} on {}", self.plan.act.word(), step.target.name, step.target.host),
                (_, None) => self.plan.act.word().to_owned(),
            },
            all => format!("{} {} of {all}", self.plan.act.past(), tally.good),
        };
        for (count, word) in [
            (tally.bad, "failed"),
            (tally.unreached, "not reached"),
            (tally.forbidden, "not allowed"),
            (tally.called_off, "called off"),
            (tally.sent, "under way"),
            (tally.waiting, "waiting"),
        ] {
            if count > 0 {
                line.push_str(&format!(" · {count} {word}"));
            }
        }
        line
    }
}

impl Tally {
    /// How many are not over.
    pub fn open(self) -> usize {
        self.sent + self.waiting
    }
}

/// The runs of this process, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: VecDeque<Run>,
    /// Rows with an act under way, and how many.
    busy: BTreeMap<ContainerKey, usize>,
}

impl Runs {
    /// Begins a run.
    pub fn begin(&mut self, run: Run) {
        for key in run.plan.steps.iter().filter_map(|step| step.target.key()) {
            *self.busy.entry(key).or_default() += 1;
        }
        if self.runs.len() >= REMEMBERED
            && let Some(oldest) = self.runs.iter().position(Run::is_over)
        {
            self.runs.remove(oldest);
        }
        self.runs.push_back(run);
    }

    /// Takes what went on; the run, when this ended it.
    pub fn apply(&mut self, progress: Progress) -> Option<&Run> {
        let Progress { run, step, stage } = progress;
        let run = self.runs.iter_mut().find(|known| known.id == run)?;
        let before = run.stages.get_mut(step)?;
        let ends = matches!(stage, Stage::Over { .. }) && !matches!(before, Stage::Over { .. });
        *before = stage;
        if ends
            && let Some(key) = run.plan.steps.get(step).and_then(|step| step.target.key())
            && let Some(count) = self.busy.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&key);
            }
        }
        (ends && run.is_over()).then_some(run)
    }

    /// Notes that a run was called off.
    pub fn call_off(&mut self, id: RunId) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.id == id) {
            run.cancelled = true;
        }
    }

    /// A run.
    pub fn get(&self, id: RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The newest run.
    pub fn last(&self) -> Option<&Run> {
        self.runs.back()
    }

    /// The runs that are not over, oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| !run.is_over())
    }

    /// Whether something is being done to a row.
    pub fn is_busy(&self, key: &ContainerKey) -> bool {
        self.busy.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        act::{Act, Policy, plan},
        fleet::fixture,
        rights::Rights,
    };

    fn over(run: u64, step: usize, result: Outcome) -> Progress {
        Progress { run: RunId(run), step, stage: Stage::Over { result, unrecorded: None } }
    }

    #[test]
    fn a_run_ends_once_and_frees_its_rows() {
        let fleet = fixture::fleet();
        let keys: Vec<ContainerKey> = fleet.containers().take(3).map(|container| container.key.clone()).collect();
        let planned = Arc::new(plan(Act::Stop { grace: None }, &keys, &fleet, &Rights::Act, &Policy::default()));
        let mut runs = Runs::default();
        runs.begin(Run::new(RunId(1), Arc::clone(&planned)));
        runs.begin(Run::new(RunId(2), planned));
        assert!(keys.iter().all(|key| runs.is_busy(key)));
        assert!(runs.apply(Progress { run: RunId(1), step: 0, stage: Stage::Sent }).is_none());
        assert_eq!(runs.get(RunId(1)).unwrap().line(), "stopped 0 of 3 · 1 under way · 2 waiting");
        assert!(runs.apply(over(1, 0, Outcome::Done)).is_none());
        assert!(runs.apply(over(1, 1, Outcome::Unreachable { why: "lost".into() })).is_none());
        let ended = runs.apply(over(1, 2, Outcome::Refused { status: 409, message: "no".into() })).map(Run::line);
        assert_eq!(ended.as_deref(), Some("stopped 1 of 3 · 1 failed · 1 not reached"));
        assert!(runs.apply(over(1, 2, Outcome::Done)).is_none(), "it ends only once");
        assert!(keys.iter().all(|key| runs.is_busy(key)), "the other run goes on");
        for step in 0..3 {
            runs.apply(over(2, step, Outcome::Cancelled));
        }
        assert!(!keys.iter().any(|key| runs.is_busy(key)));
        assert_eq!(runs.under_way().count(), 0);
    }
}
