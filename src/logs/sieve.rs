//! Which entries of a ring pass a test: found a bounded piece at a time, the newest first, because those are on the screen.
//!
//! A filter typed over half a million held lines must not make a frame late: whoever owns the sieve calls [`Sieve::work`] as often as
//! its time allows and shows what was found so far.

use std::{collections::VecDeque, ops::Range};

use super::{Entry, Ring};

/// The numbers of the entries that passed, ascending.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    hits: VecDeque<u64>,
    /// What was looked at: one piece without holes. `None`: nothing yet.
    looked: Option<Range<u64>>,
}

impl Sieve {
    /// Nothing looked at.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at entries worth about `budget` bytes ([`Entry::cost`]); forgets what the ring dropped. `true`: there is nothing left to look at.
    pub fn work(&mut self, ring: &Ring, mut budget: usize, passes: impl Fn(&Entry) -> bool) -> bool {
        let held = ring.numbers();
        let mut looked = match self.looked.take() {
            Some(looked) if looked.end >= held.start => looked.start.max(held.start)..looked.end,
            Some(_) | None => held.end..held.end,
        };
        while self.hits.front().is_some_and(|hit| *hit < looked.start) {
            self.hits.pop_front();
        }
        for (number, entry) in ring.range(looked.end..held.end) {
            if passes(entry) {
                self.hits.push_back(number);
            }
            looked.end = number + 1;
            budget = budget.saturating_sub(entry.cost());
            if budget == 0 {
                break;
            }
        }
        if budget > 0 && looked.end == held.end {
            for (number, entry) in ring.range(held.start..looked.start).rev() {
                if passes(entry) {
                    self.hits.push_front(number);
                }
                looked.start = number;
                budget = budget.saturating_sub(entry.cost());
                if budget == 0 {
                    break;
                }
            }
        }
        let done = looked == held;
        self.looked = Some(looked);
        done
    }

    /// How many were found so far.
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Whether none was found so far.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// The first hit at or after a number.
    pub fn at_or_after(&self, number: u64) -> Option<u64> {
        self.hits.get(self.rank(number)).copied()
    }

    /// The last hit before a number.
    pub fn before(&self, number: u64) -> Option<u64> {
        self.rank(number).checked_sub(1).and_then(|rank| self.hits.get(rank)).copied()
    }

    /// How many hits come before a number.
    pub fn rank(&self, number: u64) -> usize {
        self.hits.partition_point(|hit| *hit < number)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{LogLine, LogStream, RawText, SourceId, Stamp};

    fn entry(number: u64) -> Entry {
        let text = RawText::new(Bytes::from(number.to_string()));
        let at = Stamp(number.cast_signed());
        Entry::Line(LogLine { at, source: SourceId(0), stream: LogStream::Out, level: None, late: false, cut: false, text })
    }

    fn third(entry: &Entry) -> bool {
        entry.at().0 % 3 == 0
    }

    proptest! {
        #[test]
        fn whatever_the_steps_it_finds_all_that_is_held(steps in proptest::collection::vec((0u64..40, 1usize..4000), 1..40), limit in 200usize..20_000) {
            let (mut ring, mut sieve, mut number) = (Ring::new(limit), Sieve::new(), 0);
            for (news, budget) in steps {
                for _ in 0..news {
                    ring.push(entry(number));
                    number += 1;
                }
                sieve.work(&ring, budget, third);
                let held = ring.numbers();
                prop_assert!(sieve.hits.iter().is_sorted());
                prop_assert!(sieve.hits.iter().all(|hit| held.contains(hit) && hit % 3 == 0));
            }
            while !sieve.work(&ring, 300, third) {}
            let expected: Vec<u64> = ring.numbers().filter(|number| number % 3 == 0).collect();
            prop_assert_eq!(sieve.hits.iter().copied().collect::<Vec<_>>(), expected.clone());
            for probe in [0, number / 2, number] {
                prop_assert_eq!(sieve.at_or_after(probe), expected.iter().copied().find(|hit| *hit >= probe));
                prop_assert_eq!(sieve.before(probe), expected.iter().copied().rev().find(|hit| *hit < probe));
            }
        }

        #[test]
        fn the_newest_come_first(count in 50u64..200) {
            let (mut ring, mut sieve) = (Ring::new(1 << 20), Sieve::new());
            (0..count).for_each(|number| ring.push(entry(number)));
            prop_assert!(!sieve.work(&ring, 10 * ring.bytes() / count as usize, third));
            prop_assert_eq!(sieve.at_or_after(0).is_some_and(|first| first + 12 > count), true);
        }
    }
}
