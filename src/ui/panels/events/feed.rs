//! The log as the panel shows it: newest first, and what repeats of one object folded into a run. Kept up to date event by event.
//!
//! Every event has a number, its place in the log since it began. A run is named by the number that its first event had when it came;
//! runs are ordered by their latest event. Nothing here walks the whole log but a new filter.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use chrono::TimeDelta;

use super::words::{theme, words};
use crate::fleet::{Change, ContainerKey, EngineEvent, EventKind, Fleet, Selector, Severity};

/// What repeats within this time belongs together.
const FLAPPING: TimeDelta = TimeDelta::minutes(10);
/// So many of an object's latest rows are looked at for a repetition.
const LOOK_BACK: usize = 8;

type Object = (EventKind, ContainerKey);

/// One row of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A run, or an event by itself, by the run's name.
    Run(u64),
    /// One event of an unfolded run.
    Event {
        /// The run's name.
        run: u64,
        /// The event's number.
        number: u64,
    },
}

impl Line {
    fn run(self) -> u64 {
        match self {
            Self::Run(run) | Self::Event { run, .. } => run,
        }
    }
}

/// Events of one object that repeat; or only one event.
#[derive(Debug)]
pub struct Run {
    events: VecDeque<(u64, Arc<EngineEvent>)>,
    /// What happened, each once, in the order of its first time, with how often.
    said: Vec<(Severity, String, usize)>,
    unfolded: bool,
}

impl Run {
    fn new(number: u64, event: &Arc<EngineEvent>) -> Self {
        let mut run = Self { events: VecDeque::new(), said: Vec::new(), unfolded: false };
        run.push(number, event);
        run
    }

    fn push(&mut self, number: u64, event: &Arc<EngineEvent>) {
        let (severity, text) = words(event);
        match self.said.iter_mut().find(|(_, known, _)| *known == text) {
            Some((_, _, count)) => *count += 1,
            None => self.said.push((severity, text, 1)),
        }
        self.events.push_back((number, Arc::clone(event)));
    }

    fn pop(&mut self) {
        let Some((_, event)) = self.events.pop_front() else { return };
        let (_, text) = words(&event);
        for (_, known, count) in &mut self.said {
            *count -= usize::from(*known == text);
        }
        self.said.retain(|(.., count)| *count > 0);
    }

    fn first(&self) -> u64 {
        self.events.front().map_or(0, |(number, _)| *number)
    }

    fn last(&self) -> u64 {
        self.events.back().map_or(0, |(number, _)| *number)
    }

    fn at(&self, number: u64) -> Option<usize> {
        self.events.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether its events are shown one by one.
    pub fn is_unfolded(&self) -> bool {
        self.unfolded && self.len() > 1
    }

    /// What happened in it, with how often.
    pub fn said(&self) -> &[(Severity, String, usize)] {
        &self.said
    }

    /// Its newest event.
    pub fn latest(&self) -> Option<&Arc<EngineEvent>> {
        self.events.back().map(|(_, event)| event)
    }

    /// From its first to its latest event.
    pub fn span(&self) -> TimeDelta {
        match (self.events.front(), self.events.back()) {
            (Some((_, first)), Some((_, last))) => (last.at - first.at).abs(),
            (None, _) | (_, None) => TimeDelta::zero(),
        }
    }
}

/// The rows.
#[derive(Debug, Default)]
pub struct Feed {
    runs: HashMap<u64, Run>,
    /// The runs that the filter lets through, by their latest event.
    shown: BTreeMap<u64, u64>,
    /// All runs by their first event that the log still holds.
    by_first: BTreeMap<u64, u64>,
    /// The runs about an object; the larger name is the later run.
    by_object: HashMap<Object, BTreeSet<u64>>,
    seen: u64,
    selector: Option<Selector>,
}

impl Feed {
    /// Takes what the log got since the last time, and forgets what it forgot. Whether there was anything.
    pub fn take(&mut self, fleet: &Fleet) -> bool {
        let log = fleet.events();
        let new = usize::try_from(log.total().saturating_sub(self.seen)).unwrap_or(usize::MAX).min(log.len());
        let first = log.total() - new as u64;
        for (number, event) in (first..).zip(log.iter().skip(log.len() - new)) {
            self.add(number, event, fleet);
        }
        self.seen = log.total();
        self.trim(log.dropped());
        new > 0
    }

    /// Filters by another selector; costs every event. The same one costs nothing.
    pub fn filter(&mut self, selector: Option<&Selector>, fleet: &Fleet) {
        if self.selector.as_ref() != selector {
            self.selector = selector.cloned();
            let all: Vec<u64> = self.runs.keys().copied().collect();
            all.into_iter().for_each(|run| self.judge(run, fleet));
        }
    }

    /// Judges the rows of changed containers again: `state:running` may let them through now.
    pub fn rejudge(&mut self, change: &Change, fleet: &Fleet) {
        if self.selector.is_none() {
            return;
        }
        for key in change.containers.iter().chain(&change.removed) {
            let runs: Vec<u64> = self.by_object.get(&(EventKind::Container, key.clone())).into_iter().flatten().copied().collect();
            runs.into_iter().for_each(|run| self.judge(run, fleet));
        }
    }

    fn judge(&mut self, name: u64, fleet: &Fleet) {
        let Some(run) = self.runs.get(&name) else { return };
        let wanted = self.selector.as_ref().is_none_or(|selector| run.events.iter().any(|(_, event)| selector.matches_event(event, fleet)));
        match wanted {
            true => self.shown.insert(run.last(), name),
            false => self.shown.remove(&run.last()),
        };
    }

    fn add(&mut self, number: u64, event: &Arc<EngineEvent>, fleet: &Fleet) {
        let object = object_of(event);
        let known = self.by_object.entry(object).or_default();
        let repeated = known.iter().rev().take(LOOK_BACK).copied().find(|name| {
            self.runs.get(name).is_some_and(|run| {
                let near = run.latest().is_some_and(|latest| (event.at - latest.at).abs() <= FLAPPING);
                near && run.events.iter().rev().take(LOOK_BACK).any(|(_, other)| theme(other) == theme(event))
            })
        });
        let wanted = self.selector.as_ref().is_none_or(|selector| selector.matches_event(event, fleet));
        let Some(name) = repeated else {
            known.insert(number);
            self.runs.insert(number, Run::new(number, event));
            self.by_first.insert(number, number);
            if wanted {
                self.shown.insert(number, number);
            }
            return;
        };
        // What came between belongs to the same story.
        let later = known.split_off(&(name + 1));
        let mut shown = wanted;
        let mut between = Vec::new();
        for absorbed in later {
            if let Some(run) = self.runs.remove(&absorbed) {
                self.by_first.remove(&run.first());
                shown |= self.shown.remove(&run.last()).is_some();
                between.extend(run.events);
            }
        }
        if let Some(run) = self.runs.get_mut(&name) {
            shown |= self.shown.remove(&run.last()).is_some();
            between.iter().for_each(|(number, event)| run.push(*number, event));
            run.push(number, event);
            if shown {
                self.shown.insert(number, name);
            }
        }
    }

    fn trim(&mut self, dropped: u64) {
        while let Some(entry) = self.by_first.first_entry().filter(|entry| *entry.key() < dropped) {
            let name = entry.remove();
            let Some(run) = self.runs.get_mut(&name) else { continue };
            let (object, last) = (run.latest().map(|event| object_of(event)), run.last());
            while run.len() > 0 && run.first() < dropped {
                run.pop();
            }
            if run.len() > 0 {
                self.by_first.insert(run.first(), name);
                continue;
            }
            self.runs.remove(&name);
            self.shown.remove(&last);
            if let Some(object) = object
                && let Some(runs) = self.by_object.get_mut(&object)
            {
                runs.remove(&name);
                if runs.is_empty() {
                    self.by_object.remove(&object);
                }
            }
        }
    }

    /// A run.
    pub fn run(&self, name: u64) -> Option<&Run> {
        self.runs.get(&name)
    }

    /// How many rows there are, unfolded ones counted once.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// The event of a line: a run's newest, or the one.
    pub fn event(&self, line: Line) -> Option<&Arc<EngineEvent>> {
        let run = self.runs.get(&line.run())?;
        match line {
            Line::Run(_) => run.latest(),
            Line::Event { number, .. } => run.events.get(run.at(number)?).map(|(_, event)| event),
        }
    }

    /// Folds or unfolds the run of a line; whether there is anything to fold. Returns the line that the cursor belongs on then.
    pub fn toggle(&mut self, line: Line) -> Option<Line> {
        let run = self.runs.get_mut(&line.run()).filter(|run| run.len() > 1)?;
        run.unfolded = !run.unfolded;
        Some(Line::Run(line.run()))
    }

    /// The first row.
    pub fn newest(&self) -> Option<Line> {
        self.shown.last_key_value().map(|(_, name)| Line::Run(*name))
    }

    /// The last row.
    pub fn oldest(&self) -> Option<Line> {
        self.shown.first_key_value().and_then(|(_, name)| self.bottom_of(*name))
    }

    fn bottom_of(&self, name: u64) -> Option<Line> {
        let run = self.runs.get(&name)?;
        Some(if run.is_unfolded() { Line::Event { run: name, number: run.first() } } else { Line::Run(name) })
    }

    /// The next row, which is older.
    pub fn below(&self, line: Line) -> Option<Line> {
        let run = self.runs.get(&line.run())?;
        let inner = match line {
            Line::Run(_) => run.events.back().filter(|_| run.is_unfolded()),
            Line::Event { number, .. } => run.at(number).and_then(|at| at.checked_sub(1)).and_then(|at| run.events.get(at)),
        };
        match inner {
            Some((number, _)) => Some(Line::Event { run: line.run(), number: *number }),
            None => self.shown.range(..run.last()).next_back().map(|(_, name)| Line::Run(*name)),
        }
    }

    /// The row before, which is newer.
    pub fn above(&self, line: Line) -> Option<Line> {
        let run = self.runs.get(&line.run())?;
        match line {
            Line::Run(_) => self.shown.range(run.last() + 1..).next().and_then(|(_, name)| self.bottom_of(*name)),
            Line::Event { number, .. } => match run.at(number).and_then(|at| run.events.get(at + 1)) {
                Some((number, _)) => Some(Line::Event { run: line.run(), number: *number }),
                None => Some(Line::Run(line.run())),
            },
        }
    }

    /// Where a line that was held is now: in the run that took it in, or, where its events were dropped or filtered out, on what stands
    /// nearest to its place.
    pub fn find(&self, line: Line, number: u64, event: &EngineEvent) -> Option<Line> {
        let holder = match self.runs.get(&line.run()) {
            Some(run) => Some((line.run(), run)),
            None => self.by_object.get(&object_of(event)).into_iter().flatten().find_map(|name| {
                let run = self.runs.get(name)?;
                run.at(number).map(|_| (*name, run))
            }),
        };
        if let Some((name, run)) = holder.filter(|(name, run)| self.shown.get(&run.last()) == Some(name)) {
            return Some(match line {
                Line::Event { number, .. } if run.is_unfolded() && run.at(number).is_some() => Line::Event { run: name, number },
                Line::Event { .. } | Line::Run(_) => Line::Run(name),
            });
        }
        let older = self.shown.range(..=number).next_back().map(|(_, name)| Line::Run(*name));
        older.or_else(|| self.oldest())
    }

    /// Orders lines: the larger stands above.
    pub fn rank(&self, line: Line) -> (u64, u64) {
        let last = self.runs.get(&line.run()).map_or(0, Run::last);
        match line {
            Line::Run(_) => (last, u64::MAX),
            Line::Event { number, .. } => (last, number),
        }
    }

    /// What is known of the same object before an event, newest first; bounded.
    pub fn before(&self, number: u64, event: &EngineEvent) -> Vec<&Arc<EngineEvent>> {
        let names = self.by_object.get(&object_of(event)).into_iter().flatten().rev().take(LOOK_BACK);
        let runs = names.filter_map(|name| self.runs.get(name));
        // A run takes in what came between: only the numbers tell the order.
        let older = runs.flat_map(|run| run.events.iter().rev().filter(|(other, _)| *other < number).take(LOOK_BACK));
        let mut older: Vec<&(u64, Arc<EngineEvent>)> = older.collect();
        older.sort_by_key(|(other, _)| std::cmp::Reverse(*other));
        older.into_iter().map(|(_, event)| event).collect()
    }

    /// The number of a line's event.
    pub fn number(&self, line: Line) -> u64 {
        match line {
            Line::Run(name) => self.runs.get(&name).map_or(0, Run::last),
            Line::Event { number, .. } => number,
        }
    }
}

fn object_of(event: &EngineEvent) -> Object {
    (event.kind, ContainerKey { host: event.host.clone(), id: event.id.clone() })
}
