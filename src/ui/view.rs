//! What a frame is drawn from: everything a panel may read, nothing it may write.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{filter::Filter, keymap::Keymap, theme::Theme};
use crate::{
    act::Runs,
    alerts::{Evidence, Usage},
    board::Board,
    fleet::{ContainerKey, Fleet, HostId, matrix::Matrix, summary::Summary, trouble::Trouble},
    logs::Tape,
    rights::Rights,
    stats::Book,
    stock::{Reading, StockKey, Thing},
    text,
};

/// The read side of the console, for one frame or one key.
pub struct View<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// What was measured, as far as somebody looks.
    pub stats: &'a Book,
    /// The version matrix of what the filter selects.
    pub matrix: &'a Matrix,
    /// The header's figures.
    pub summary: &'a Summary,
    /// What was measured of containers' memory, of those that were looked at.
    pub usage: &'a BTreeMap<ContainerKey, Usage>,
    /// What engines answered about troubles.
    pub evidence: &'a Evidence,
    /// What is filtered by.
    pub filter: &'a Filter,
    /// What the engines answered when they were last asked for what they keep.
    pub stocks: &'a BTreeMap<HostId, Reading>,
    /// What the delivery desk told.
    pub board: &'a Board,
    /// The rows marked for a common action.
    pub marks: &'a BTreeSet<ContainerKey>,
    /// The acts of this process, how far each is.
    pub runs: &'a Runs,
    /// What this process may do.
    pub rights: &'a Rights,
    /// How it looks.
    pub theme: &'a Theme,
    /// Which keys it answers to.
    pub keymap: &'a Keymap,
    /// The open stream of logs.
    pub logs: Option<&'a Tape>,
    /// The moment the frame shows.
    pub now: DateTime<Utc>,
    /// Whether the fleet is simulated: said on every screen.
    pub simulated: bool,
    /// Whether the header shows the time of day.
    pub clock: bool,
    /// The smallest unit of any age on the screen, noted while painting.
    pub ages: &'a Ages,
}

impl View<'_> {
    /// How long ago a moment was, in the screen's words; the frame is painted anew when the text changes.
    pub fn age(&self, moment: DateTime<Utc>) -> String {
        let span = self.now - moment;
        self.ages.note(span);
        text::age(span)
    }

    /// [`View::age`] for a screen that is watched for long: what is younger than a minute reads `<1m`, so that nothing ticks by the
    /// second.
    pub fn calm_age(&self, moment: DateTime<Utc>) -> String {
        let span = self.now - moment;
        if span < TimeDelta::minutes(1) {
            self.ages.within(TimeDelta::minutes(1) - span);
            return "<1m".to_owned();
        }
        self.age(moment)
    }

    /// What is wrong with a container now; [`Trouble::None`] for one that is gone.
    pub fn trouble(&self, key: &ContainerKey) -> Trouble {
        match (self.fleet.container(key), self.fleet.host(&key.host)) {
            (Some(container), Some(host)) => Trouble::of(container, &host.link, self.now),
            (Some(_) | None, _) => Trouble::None,
        }
    }

    /// A thing beside the containers as its engine told it last; `None`: it is not there any more, or was never told.
    pub fn thing(&self, key: &StockKey) -> Option<Thing> {
        self.stocks.get(&key.host)?.result.as_ref().ok()?.thing(key.kind, &key.id)
    }

    /// Whether what is shown of a host is only the last known.
    pub fn is_stale(&self, host: &HostId) -> bool {
        self.fleet.host(host).is_some_and(|host| !host.link.is_live())
    }
}

/// Gathers, while a frame is painted, how soon one of its ages will read differently.
#[derive(Debug, Default)]
pub struct Ages {
    next: Cell<Option<TimeDelta>>,
}

impl Ages {
    /// Forgets the last frame's ages.
    pub fn clear(&self) {
        self.next.set(None);
    }

    /// Notes that an age of this length is on the screen.
    pub fn note(&self, span: TimeDelta) {
        let unit = match span.num_seconds() {
            secs if secs < 60 => 1,
            secs if secs < 36_000 => 60,
            _ => 3600,
        };
        let into = span.num_milliseconds().max(0) % (unit * 1000);
        self.within(TimeDelta::milliseconds(unit * 1000 - into));
    }

    /// Notes that something on the screen reads differently after this long: a countdown, a figure that is measured.
    pub fn within(&self, left: TimeDelta) {
        self.next.set(Some(self.next.get().map_or(left, |next| next.min(left))));
    }

    /// How long the frame stays true as far as its ages go.
    pub fn next(&self) -> Option<TimeDelta> {
        self.next.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_ends_when_the_first_age_ticks() {
        let ages = Ages::default();
        assert_eq!(ages.next(), None);
        ages.note(TimeDelta::milliseconds(7_200_500));
        assert_eq!(ages.next(), Some(TimeDelta::milliseconds(59_500)));
        ages.note(TimeDelta::milliseconds(42_250));
        assert_eq!(ages.next(), Some(TimeDelta::milliseconds(750)));
        ages.note(TimeDelta::days(3));
        assert_eq!(ages.next(), Some(TimeDelta::milliseconds(750)));
    }
}
