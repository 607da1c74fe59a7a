//! Many sources, one order.
//!
//! Each source's own order is kept whatever its stamps say; between sources the stamps decide. Live, an item waits until every source that
//! has spoken lately has shown its next item, at most a short time: what comes later still is marked late and shown at once. For a whole
//! answer the merge waits for every source that is open, so nothing is ever late. Pure: time is an argument.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{Entry, SourceId, Stamp};

/// Something with a place in time.
pub trait Timed {
    /// When.
    fn at(&self) -> Stamp;
    /// It comes after what it should have preceded.
    fn set_late(&mut self);
}

impl Timed for Entry {
    fn at(&self) -> Stamp {
        Self::at(self)
    }

    fn set_late(&mut self) {
        match self {
            Self::Line(line) => line.late = true,
            Self::Marker(_) => {}
        }
    }
}

impl Timed for super::LogLine {
    fn at(&self) -> Stamp {
        self.at
    }

    fn set_late(&mut self) {
        self.late = true;
    }
}

/// A source has been silent for so long that nobody waits for its next item.
const QUIET: Duration = Duration::from_millis(200);
/// The longest an item waits, even for sources that speak all the time (their clock may be behind).
const HOLD: Duration = Duration::from_millis(1200);

/// The merge of any number of sources.
#[derive(Debug)]
pub struct Merge<T> {
    lanes: HashMap<SourceId, Lane<T>>,
    /// The first item of each lane that has one.
    heads: BinaryHeap<Reverse<(Stamp, SourceId)>>,
    /// Open lanes without an item, by when they last had one.
    empty: BTreeSet<(Option<Instant>, SourceId)>,
    patience: Option<(Duration, Duration)>,
    /// The place of the last item given out.
    given: Option<Stamp>,
    held: usize,
}

#[derive(Debug)]
struct Lane<T> {
    items: VecDeque<(Stamp, Instant, T)>,
    /// The place of the last item taken in: none of the same source may come before it.
    last: Option<Stamp>,
    spoke: Option<Instant>,
    open: bool,
}

impl<T: Timed> Merge<T> {
    /// For sources that go on: nobody is waited for for long.
    pub fn live() -> Self {
        Self::with(Some((QUIET, HOLD)))
    }

    /// For sources that end: everybody is waited for. Every source must be opened before the first [`Merge::pop`] and closed at its end.
    pub fn whole() -> Self {
        Self::with(None)
    }

    fn with(patience: Option<(Duration, Duration)>) -> Self {
        Self { lanes: HashMap::new(), heads: BinaryHeap::new(), empty: BTreeSet::new(), patience, given: None, held: 0 }
    }

    /// A source begins; one that is known goes on.
    pub fn open(&mut self, source: SourceId) {
        let lane = self.lanes.entry(source).or_insert_with(|| Lane { items: VecDeque::new(), last: None, spoke: None, open: true });
        lane.open = true;
        if lane.items.is_empty() {
            self.empty.insert((lane.spoke, source));
        }
    }

    /// A source has no more items: nobody waits for it. What it brought is still given out.
    pub fn close(&mut self, source: SourceId) {
        let Some(lane) = self.lanes.get_mut(&source) else { return };
        lane.open = false;
        if lane.items.is_empty() {
            self.empty.remove(&(lane.spoke, source));
            self.lanes.remove(&source);
        }
    }

    /// Takes the next item of a source, in the source's order.
    pub fn push(&mut self, source: SourceId, item: T, now: Instant) {
        if !self.lanes.contains_key(&source) {
            self.open(source);
        }
        let Some(lane) = self.lanes.get_mut(&source) else { return };
        let place = lane.last.map_or(item.at(), |last| last.max(item.at()));
        lane.last = Some(place);
        if lane.items.is_empty() {
            self.empty.remove(&(lane.spoke, source));
            self.heads.push(Reverse((place, source)));
        }
        lane.spoke = Some(now);
        lane.items.push_back((place, now, item));
        self.held += 1;
    }

    /// The next item in order, if its turn has come.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let Reverse((place, source)) = *self.heads.peek()?;
        if self.turn(place, source, now) > now {
            return None;
        }
        self.heads.pop();
        let lane = self.lanes.get_mut(&source)?;
        let (_, _, mut item) = lane.items.pop_front()?;
        self.held -= 1;
        match (lane.items.front(), lane.open) {
            (Some((next, _, _)), _) => self.heads.push(Reverse((*next, source))),
            (None, true) => {
                self.empty.insert((lane.spoke, source));
            }
            (None, false) => {
                self.lanes.remove(&source);
            }
        }
        if self.given.is_some_and(|given| place < given) {
            item.set_late();
        } else {
            self.given = Some(place);
        }
        Some(item)
    }

    /// When the next item's turn comes if nothing else happens; `None` when nothing is held, or only the sources can tell.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let Reverse((place, source)) = *self.heads.peek()?;
        let turn = self.turn(place, source, now);
        self.patience.map(|_| turn)
    }

    /// A source without which [`Merge::pop`] of a whole answer cannot go on.
    pub fn waits_for(&self) -> Option<SourceId> {
        self.empty.first().map(|(_, source)| *source)
    }

    /// How many items are held.
    pub fn held(&self) -> usize {
        self.held
    }

    fn turn(&self, place: Stamp, source: SourceId, now: Instant) -> Instant {
        let Some((spoke, _)) = self.empty.last() else { return now };
        let Some((quiet, hold)) = self.patience else { return now + Duration::from_secs(1) };
        // Waiting would not make a late item less late.
        if self.given.is_some_and(|given| place < given) {
            return now;
        }
        let arrived = self.lanes.get(&source).and_then(|lane| lane.items.front()).map_or(now, |(_, arrived, _)| *arrived);
        let hushed = spoke.map_or(now, |spoke| spoke + quiet);
        hushed.min(arrived + hold)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Item {
        at: i64,
        source: u32,
        number: usize,
        late: bool,
    }

    impl Timed for Item {
        fn at(&self) -> Stamp {
            Stamp(self.at)
        }

        fn set_late(&mut self) {
            self.late = true;
        }
    }

    fn item(source: u32, number: usize, at: i64) -> Item {
        Item { at, source, number, late: false }
    }

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn live_waits_a_little_for_who_speaks_and_not_for_who_is_silent() {
        let start = Instant::now();
        let mut merge = Merge::live();
        merge.open(SourceId(9));
        merge.push(SourceId(1), item(1, 0, 100), start);
        assert_eq!(merge.pop(start).map(|item| item.at), Some(100), "source 9 has never spoken");
        merge.push(SourceId(2), item(2, 0, 120), start + ms(10));
        assert_eq!(merge.pop(start + ms(20)), None, "source 1 spoke just now");
        merge.push(SourceId(1), item(1, 1, 110), start + ms(30));
        assert_eq!(merge.pop(start + ms(31)).map(|item| item.at), Some(110));
        assert_eq!(merge.pop(start + ms(31)), None);
        assert_eq!(merge.due(start + ms(31)), Some(start + ms(230)));
        assert_eq!(merge.pop(start + ms(230)).map(|item| item.at), Some(120));
        merge.push(SourceId(1), item(1, 2, 115), start + ms(300));
        let late = merge.pop(start + ms(300)).unwrap();
        assert!(late.late && late.at == 115, "late is late at once");
    }

    #[test]
    fn a_clock_far_behind_holds_nobody_up_for_ever() {
        let start = Instant::now();
        let mut merge = Merge::live();
        merge.push(SourceId(1), item(1, 0, 1_000_000), start);
        let mut shown = None;
        for n in 0..100 {
            let now = start + ms(50 * n);
            merge.push(SourceId(2), item(2, n as usize, n as i64), now);
            while let Some(item) = merge.pop(now) {
                if item.source == 1 {
                    shown.get_or_insert(now - start);
                }
            }
        }
        assert!(shown.unwrap() <= HOLD + ms(50), "{shown:?}");
    }

    #[test]
    fn whole_waits_for_every_open_source() {
        let now = Instant::now();
        let mut merge = Merge::whole();
        for source in 1..=3 {
            merge.open(SourceId(source));
        }
        merge.push(SourceId(1), item(1, 0, 10), now);
        merge.push(SourceId(2), item(2, 0, 5), now);
        assert_eq!((merge.pop(now + ms(9999)), merge.due(now), merge.waits_for()), (None, None, Some(SourceId(3))));
        merge.close(SourceId(3));
        assert_eq!(merge.pop(now).map(|item| item.at), Some(5));
        assert_eq!(merge.waits_for(), Some(SourceId(2)));
        merge.close(SourceId(2));
        assert_eq!(merge.pop(now).map(|item| item.at), Some(10));
        merge.close(SourceId(1));
        assert_eq!((merge.pop(now), merge.held(), merge.lanes.len()), (None, 0, 0));
    }

    proptest! {
        #[test]
        fn whole_is_sorted_and_complete(sources in proptest::collection::vec(proptest::collection::vec(-5i64..50, 0..30), 1..6)) {
            let now = Instant::now();
            let mut merge = Merge::whole();
            let mut feeds: Vec<_> = sources.iter().map(|steps| {
                let mut at = 0;
                steps.iter().map(move |step| { at += step; at }).enumerate().collect::<VecDeque<_>>()
            }).collect();
            for source in 0..feeds.len() {
                merge.open(SourceId(source as u32));
            }
            let mut out: Vec<Item> = Vec::new();
            loop {
                while let Some(item) = merge.pop(now) {
                    out.push(item);
                }
                let Some(wanted) = merge.waits_for() else { break };
                match feeds[wanted.0 as usize].pop_front() {
                    Some((number, at)) => merge.push(wanted, item(wanted.0, number, at), now),
                    None => merge.close(wanted),
                }
            }
            prop_assert_eq!(out.len(), sources.iter().map(Vec::len).sum::<usize>());
            prop_assert!(out.iter().all(|item| !item.late));
            for source in 0..sources.len() as u32 {
                let own: Vec<usize> = out.iter().filter(|item| item.source == source).map(|item| item.number).collect();
                prop_assert_eq!(own, (0..sources[source as usize].len()).collect::<Vec<_>>());
            }
            if sources.iter().flatten().all(|step| *step >= 0) {
                prop_assert!(out.is_sorted_by_key(|item| item.at));
            }
        }

        #[test]
        fn live_keeps_each_sources_order_and_loses_nothing(arrivals in proptest::collection::vec((0u32..5, -20i64..100, 0u64..400), 0..200)) {
            let mut now = Instant::now();
            let mut merge = Merge::live();
            let (mut clocks, mut counts) = ([0i64; 5], [0usize; 5]);
            let mut out: Vec<Item> = Vec::new();
            for (source, step, pause) in &arrivals {
                now += ms(*pause);
                let n = *source as usize;
                clocks[n] += step;
                merge.push(SourceId(*source), item(*source, counts[n], clocks[n]), now);
                counts[n] += 1;
                while let Some(item) = merge.pop(now) {
                    out.push(item);
                }
            }
            while let Some(due) = merge.due(now) {
                now = now.max(due);
                out.extend(merge.pop(now));
            }
            prop_assert_eq!(out.len(), arrivals.len());
            for source in 0..5u32 {
                let own: Vec<usize> = out.iter().filter(|item| item.source == source).map(|item| item.number).collect();
                prop_assert_eq!(own, (0..counts[source as usize]).collect::<Vec<_>>());
            }
        }
    }
}
