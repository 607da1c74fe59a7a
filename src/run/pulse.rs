//! What a run is at right now, for whoever looks on: what each waiting step was answered last, and what clients got so far. One small row that
//! is overwritten while it lasts, no part of the journal: nobody carries a run on from here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::halt::Halt;
use crate::{delivery::steps::StepId, text::clean_line, traffic::proof::Proof};

/// Of so many waiting steps at most is told.
const WAITS: usize = 64;
/// Characters of an answer that are told.
const SAID: usize = 200;

/// A sign of life with what there is to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Pulse {
    /// By the clock of who wrote it.
    pub at: DateTime<Utc>,
    /// The steps that wait for something, and for what.
    pub waits: BTreeMap<StepId, Wait>,
    /// What clients got so far; `None`: nobody counts.
    pub traffic: Option<Proof>,
}

/// What a step waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Wait {
    /// Since when: deadlines count from here.
    pub since: DateTime<Utc>,
    /// So often it was asked.
    pub asked: u32,
    /// Good answers in a row.
    pub good: u16,
    /// The last answer that was none, in one clean line.
    pub said: Option<Arc<str>>,
    /// Bytes that are there, and bytes in all as far as is known.
    pub bytes: Option<(u64, u64)>,
}

/// What the steps of a run have to tell while they wait. A lock, as steps run side by side; never held while anybody is waited for.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    waits: BTreeMap<StepId, Wait>,
    is_new: bool,
}

impl Notes {
    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of them, and whether one has changed since the last look.
    pub(super) fn take(&self) -> (BTreeMap<StepId, Wait>, bool) {
        self.change(|pages| (pages.waits.clone(), std::mem::take(&mut pages.is_new)))
    }
}

/// A step that waits: it hears when it is to stop, and tells what it is answered.
pub(super) struct Vigil<'a> {
    halt: &'a Halt,
    notes: &'a Notes,
    step: StepId,
    since: DateTime<Utc>,
}

impl<'a> Vigil<'a> {
    /// Begins now.
    pub(super) fn new(halt: &'a Halt, notes: &'a Notes, step: StepId, since: DateTime<Utc>) -> Self {
        Self { halt, notes, step, since }
    }

    /// Whether it is to stop.
    pub(super) fn is_halted(&self) -> bool {
        self.halt.is_said()
    }

    /// It was asked once more. `good`: good answers in a row; `said`: the last that was none.
    pub(super) fn asked(&self, good: u16, said: Option<&str>) {
        self.tell(|wait| {
            wait.asked = wait.asked.saturating_add(1);
            wait.good = good;
            if let Some(said) = said {
                wait.said = Some(told(said));
            }
        });
    }

    /// What it waits for, in words.
    pub(super) fn waits_for(&self, what: &str) {
        self.tell(|wait| wait.said = Some(told(what)));
    }

    /// So many bytes of so many are there.
    pub(super) fn has(&self, bytes: u64, of: u64) {
        self.tell(|wait| wait.bytes = Some((bytes, of)));
    }

    fn tell(&self, change: impl FnOnce(&mut Wait)) {
        self.notes.change(|pages| {
            if pages.waits.len() >= WAITS && !pages.waits.contains_key(&self.step) {
                return;
            }
            let wait = pages.waits.entry(self.step).or_insert_with(|| Wait { since: self.since, ..Wait::default() });
            let before = wait.clone();
            change(wait);
            pages.is_new |= *wait != before;
        });
    }
}

/// It waits no more.
impl Drop for Vigil<'_> {
    fn drop(&mut self) {
        self.notes.change(|pages| pages.is_new |= pages.waits.remove(&self.step).is_some());
    }
}

fn told(text: &str) -> Arc<str> {
    let line = clean_line(text);
    line.char_indices().nth(SAID).map_or(&*line, |(end, _)| &line[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_while_it_waits_and_nothing_afterwards() {
        let (halt, notes) = (Halt::default(), Notes::default());
        assert_eq!(notes.take(), (BTreeMap::new(), false));
        let vigil = Vigil::new(&halt, &notes, StepId(4), DateTime::UNIX_EPOCH);
        vigil.asked(0, Some("GET /: 503\n"));
        vigil.asked(0, Some("GET /: 503"));
        let (waits, is_new) = notes.take();
        assert_eq!((waits[&StepId(4)].asked, waits[&StepId(4)].said.as_deref(), is_new), (2, Some("GET /: 503"), true));
        vigil.asked(1, None);
        assert_eq!(notes.take().0[&StepId(4)].good, 1);
        vigil.has(3, 9);
        vigil.has(3, 9);
        assert_eq!(notes.take().0[&StepId(4)].bytes, Some((3, 9)));
        vigil.has(3, 9);
        assert!(!notes.take().1, "nothing new");
        drop(vigil);
        assert_eq!(notes.take(), (BTreeMap::new(), true));
    }

    #[test]
    fn what_is_told_is_bounded() {
        let (halt, notes) = (Halt::default(), Notes::default());
        let vigils: Vec<_> = (0..200).map(|step| Vigil::new(&halt, &notes, StepId(step), DateTime::UNIX_EPOCH)).collect();
        vigils.iter().for_each(|vigil| vigil.waits_for(&"é".repeat(4000)));
        let (waits, _) = notes.take();
        assert_eq!(waits.len(), WAITS);
        let pulse = Pulse { waits, ..Pulse::default() };
        let text = serde_json::to_string(&pulse).unwrap();
        assert!(text.len() < 40_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Pulse>(&text).unwrap(), pulse);
    }
}
