//! The timeline: one heap of what is due, for the whole fleet.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc, time::Duration};

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A fault of the scenario begins, on every host it names.
    FaultBegins(usize),
    /// What a fault switched on a host is switched back.
    FaultEnds(usize, usize),
    /// A crash-looping container ends by itself: host, id, life.
    Crash(usize, Arc<str>, u32),
    /// A restart policy starts a container.
    Restart(usize, Arc<str>, u32),
    /// A start period is over and the health check gives its verdict.
    Verdict(usize, Arc<str>, u32),
    /// A flapping container ends, again and again until then.
    Flap(usize, Arc<str>, Duration, i64),
    /// A part of an event flood: host, how many events at each step, steps left, and the time between.
    Flood(usize, u32, u32, Duration),
    /// The next change of the steady churn.
    Churn,
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    number: u64,
    due: Due,
}

/// What is due, soonest first; what is due at the same moment, in the order it was planned.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Entry>,
    next: u64,
}

impl Schedule {
    /// Plans `due` for this moment of the timeline.
    pub fn push(&mut self, at: Duration, due: Due) {
        self.heap.push(Entry { at, number: self.next, due });
        self.next += 1;
    }

    /// When the next thing is due.
    pub fn peek(&self) -> Option<Duration> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes the next thing that is due up to `now`, with its moment.
    pub fn pop(&mut self, now: Duration) -> Option<(Duration, Due)> {
        if self.peek()? > now {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.due))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}
