//! A balancer's slots as plain data, and which of them may be filled. Pure.

use std::{collections::HashSet, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

pub use crate::run::SlotState;

/// A group of servers under one name, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// The balancer's name for it.
    pub name: Arc<str>,
    /// Whether clients stick to their server (a cookie, a stick table): what drains still gets their requests.
    pub sticky: bool,
    /// Its servers, in the balancer's order.
    pub slots: Vec<Slot>,
    /// What it counted as a whole, also what it answered itself because no server did.
    pub counters: Counters,
}

/// One server of a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// As the balancer calls it.
    pub name: Arc<str>,
    /// Where it sends to; `None`: nowhere (no address, or a placeholder's name).
    pub address: Option<SocketAddr>,
    /// What it was told.
    pub state: SlotState,
    /// What its own checks say.
    pub check: Check,
    /// Requests under way.
    pub sessions: u32,
    /// Its share, against a full one's 100.
    pub share: u16,
    /// What it counted.
    pub counters: Counters,
    /// Average time of an answer over its last requests, in milliseconds.
    pub latency_ms: u64,
    /// Seconds since it last became what it is.
    pub since: u64,
}

/// What a slot's checks say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It has none.
    Never,
    /// It is in maintenance: nothing is checked.
    Asleep,
    /// No check has ended since it left maintenance; the balancer takes it for good all the same.
    Awaited,
    /// A check has passed since.
    Passed,
    /// The last ones did not, and why.
    Failed(Arc<str>),
}

/// What is counted since the balancer started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Counters {
    /// Requests; connections where it does not speak HTTP.
    pub requests: u64,
    /// Answers of 500 and above, its own among them.
    pub http_5xx: u64,
    /// Connections to servers that could not be made, retried ones too.
    pub connect_errors: u64,
    /// Answers that broke off or made no sense.
    pub response_errors: u64,
    /// Connections that were tried again.
    pub retries: u64,
    /// Whether it speaks HTTP there: else it cannot count failed answers.
    pub http: bool,
}

impl Counters {
    /// Requests that a client saw fail: with HTTP what ended in a 5xx (a lost connection or answer does too), else broken connections.
    pub fn failed(&self) -> u64 {
        if self.http { self.http_5xx } else { self.connect_errors + self.response_errors }
    }

    /// What was counted between an earlier look and this one; `None` when it began anew in between.
    pub fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            requests: self.requests.checked_sub(before.requests)?,
            http_5xx: self.http_5xx.checked_sub(before.http_5xx)?,
            connect_errors: self.connect_errors.checked_sub(before.connect_errors)?,
            response_errors: self.response_errors.checked_sub(before.response_errors)?,
            retries: self.retries.checked_sub(before.retries)?,
            http: self.http,
        })
    }
}

impl Slot {
    /// Whether it answers, as far as its checks know; a server without checks is always taken for good.
    pub fn is_up(&self) -> bool {
        match self.check {
            Check::Never | Check::Awaited | Check::Passed => true,
            Check::Asleep | Check::Failed(_) => false,
        }
    }

    /// Whether new requests go there.
    pub fn serves(&self) -> bool {
        self.state == SlotState::Ready && self.share > 0
    }

    /// A placeholder sends nowhere that anybody listens at: such a slot was never filled.
    pub fn is_blank(&self) -> bool {
        self.address.is_none_or(|address| address.port() <= 1 || address.ip().is_unspecified())
    }
}

/// The slot to fill: in maintenance and without an address of a container of ours, never-filled ones first. `None`: the backend needs more
/// `server` lines.
///
/// `ours` are the addresses of those that run: a slot in maintenance with such an address waits for its own, where clients stick to their
/// servers. One that does not run gets any other slot when it comes back.
pub fn free<'a>(slots: &'a [Slot], ours: &HashSet<SocketAddr>) -> Option<&'a Slot> {
    let is_free = |slot: &&Slot| slot.state == SlotState::Maint && slot.address.is_none_or(|address| !ours.contains(&address));
    let mut found: Vec<&Slot> = slots.iter().filter(is_free).collect();
    found.sort_by_key(|slot| !slot.is_blank());
    found.first().copied()
}

/// The word for what a slot was told.
pub fn state_word(state: SlotState) -> &'static str {
    match state {
        SlotState::Ready => "ready",
        SlotState::Drain => "drain",
        SlotState::Maint => "maint",
    }
}

impl Check {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Never => "none",
            Self::Asleep => "asleep",
            Self::Awaited => "awaited",
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
        }
    }
}

#[cfg(test)]
pub(crate) fn sample(name: &str, address: Option<&str>, state: SlotState) -> Slot {
    Slot {
        name: name.into(),
        address: address.map(|text| text.parse().expect("an address")),
        state,
        check: if state == SlotState::Maint { Check::Asleep } else { Check::Passed },
        sessions: 0,
        share: 100,
        counters: Counters { http: true, ..Counters::default() },
        latency_ms: 0,
        since: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_in_maintenance_without_an_address_of_ours() {
        let slots = [
            sample("live", Some("10.0.0.1:20001"), SlotState::Ready),
            sample("warm", Some("10.0.0.2:20001"), SlotState::Maint),
            sample("old", Some("10.0.0.9:80"), SlotState::Maint),
            sample("blank", Some("127.0.0.1:1"), SlotState::Maint),
            sample("drained", Some("127.0.0.1:1"), SlotState::Drain),
        ];
        let ours: HashSet<SocketAddr> = ["10.0.0.1:20001", "10.0.0.2:20001"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(free(&slots, &ours).map(|slot| &*slot.name), Some("blank"), "never-filled ones first");
        assert_eq!(free(&slots[..3], &ours).map(|slot| &*slot.name), Some("old"));
        assert_eq!(free(&slots[..2], &ours), None);
        assert_eq!(free(&slots[..2], &HashSet::new()).map(|slot| &*slot.name), Some("warm"));
    }

    #[test]
    fn counters_that_began_anew_are_no_figures() {
        let before = Counters { requests: 100, http: true, ..Counters::default() };
        let after = Counters { requests: 140, http_5xx: 2, connect_errors: 9, http: true, ..Counters::default() };
        assert_eq!(after.since(&before).map(|told| (told.requests, told.failed())), Some((40, 2)));
        assert_eq!(before.since(&after), None);
        let tcp = Counters { requests: 1, connect_errors: 2, response_errors: 3, ..Counters::default() };
        assert_eq!(tcp.failed(), 5);
    }
}
