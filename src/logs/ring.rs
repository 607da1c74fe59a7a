//! The newest entries of a log view, bounded in bytes; what made room is counted.

use std::collections::VecDeque;

use super::Entry;

/// The ring. Entries have numbers that never change while they are held: a view keeps its place by number while lines come and go.
#[derive(Clone, Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    limit: usize,
    bytes: usize,
    dropped: u64,
}

impl Ring {
    /// A ring that holds at most `limit` bytes as [`Entry::cost`] counts them, yet always its newest entry.
    pub fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), limit, bytes: 0, dropped: 0 }
    }

    /// Appends an entry; the oldest make room.
    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.cost();
        self.entries.push_back(entry);
        while self.bytes > self.limit && self.entries.len() > 1 {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.cost();
                self.dropped += 1;
            }
        }
    }

    /// An entry by its number; `None` once it made room.
    pub fn get(&self, number: u64) -> Option<&Entry> {
        let index = usize::try_from(number.checked_sub(self.dropped)?).ok()?;
        self.entries.get(index)
    }

    /// The numbers held: from the oldest to one past the newest.
    pub fn numbers(&self) -> std::ops::Range<u64> {
        self.dropped..self.dropped + self.entries.len() as u64
    }

    /// The entries of these numbers that are still held, oldest first, each with its number.
    pub fn range(&self, numbers: std::ops::Range<u64>) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        let index = |number: u64| usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX).min(self.entries.len());
        let (start, end) = (index(numbers.start), index(numbers.end));
        let first = self.dropped + start as u64;
        self.entries.range(start..end.max(start)).enumerate().map(move |(n, entry)| (first + n as u64, entry))
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is held, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many entries made room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets everything; numbers go on.
    pub fn clear(&mut self) {
        self.dropped += self.entries.len() as u64;
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{LogLine, LogStream, RawText, SourceId, Stamp};

    fn entry(number: i64, len: usize) -> Entry {
        let text = RawText::new(Bytes::from(vec![b'x'; len]));
        Entry::Line(LogLine { at: Stamp(number), source: SourceId(0), stream: LogStream::Out, level: None, late: false, cut: false, text })
    }

    proptest! {
        #[test]
        fn bounded_counted_and_numbered(lens in proptest::collection::vec(0usize..5000, 1..200), limit in 1usize..100_000) {
            let mut ring = Ring::new(limit);
            for (n, len) in lens.iter().enumerate() {
                ring.push(entry(n as i64, *len));
                prop_assert!(ring.bytes() <= limit || ring.len() == 1);
                let newest = ring.get(n as u64).map(Entry::at);
                prop_assert_eq!(newest, Some(Stamp(n as i64)));
            }
            prop_assert_eq!(ring.dropped() + ring.len() as u64, lens.len() as u64);
            prop_assert_eq!(ring.bytes(), ring.range(0..u64::MAX).map(|(_, entry)| entry.cost()).sum::<usize>());
            prop_assert!(ring.range(0..u64::MAX).all(|(number, entry)| entry.at() == Stamp(number as i64)));
            let held = ring.numbers();
            prop_assert!(ring.get(held.end).is_none() && held.start.checked_sub(1).is_none_or(|before| ring.get(before).is_none()));
            let newest: Vec<u64> = ring.range(held.end.saturating_sub(3)..held.end).rev().map(|(number, _)| number).collect();
            prop_assert!(newest.is_sorted_by(|a, b| a > b) && newest.len() <= 3);
            ring.clear();
            prop_assert!(ring.is_empty() && ring.bytes() == 0 && ring.numbers() == (held.end..held.end));
        }
    }
}
