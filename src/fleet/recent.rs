//! The recent events of the whole fleet: a ring that never tells the same event twice and says what it no longer holds.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    event::EngineEvent,
    ids::{ContainerId, HostId},
};

/// How many events are kept by default: some hours of a busy fleet, a few megabytes.
pub const RECENT_EVENTS: usize = 20_000;

type Mark = (HostId, DateTime<Utc>, ContainerId, Arc<str>);

/// The ring. Order is arrival; an engine's own order is kept, between hosts clocks may differ.
#[derive(Clone, Debug)]
pub struct EventLog {
    ring: VecDeque<Arc<EngineEvent>>,
    marks: HashSet<Mark>,
    capacity: usize,
    dropped: u64,
}

impl EventLog {
    /// An empty ring of this many events, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { ring: VecDeque::new(), marks: HashSet::new(), capacity: capacity.max(1), dropped: 0 }
    }

    /// Whether the ring still holds this event. An event is told by host, engine time (nanoseconds), object and action: a stream that was
    /// made anew tells the last ones again.
    pub fn contains(&self, event: &EngineEvent) -> bool {
        self.marks.contains(&mark(event))
    }

    /// Appends an event; `false` if it is held already. The oldest makes room and is counted.
    pub fn push(&mut self, event: EngineEvent) -> bool {
        if !self.marks.insert(mark(&event)) {
            return false;
        }
        if self.ring.len() >= self.capacity
            && let Some(oldest) = self.ring.pop_front()
        {
            self.marks.remove(&mark(&oldest));
            self.dropped += 1;
        }
        self.ring.push_back(Arc::new(event));
        true
    }

    /// The events, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<EngineEvent>> + ExactSizeIterator {
        self.ring.iter()
    }

    /// How many it holds.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// How many older events made room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many events were ever appended: changes exactly when the log does.
    pub fn total(&self) -> u64 {
        self.dropped + self.ring.len() as u64
    }
}

fn mark(event: &EngineEvent) -> Mark {
    (event.host.clone(), event.at, event.id.clone(), Arc::clone(&event.action))
}
