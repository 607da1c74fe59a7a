//! An open stream: whose logs, how the reading of each stands, what came so far, and what of it is shown. Pure: it decides nothing about
//! reading, and time is an argument.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{
    Cast, CastRule, CastStep, Entry, Marker, MarkerKind, Source, SourceId, Span, Stamp,
    hunt::Hunt,
    shelf::Shelf,
    tag::{self, Tag},
};
use crate::fleet::{Change, ContainerKey, Fleet};

/// How much of a stream is held, in bytes: some 300,000 ordinary lines.
pub const HELD: usize = 64 << 20;
/// How many lines of the past are asked for in all, spread over the logs, if nobody says.
const PAST: u64 = 4000;
/// Of one log at least and at most so many.
const PAST_EACH: (u64, u64) = (50, 2000);
/// Over how long the rate is measured.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// How the reading of a source stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Asked for, nothing heard yet.
    #[default]
    Asked,
    /// It waits for a free stream.
    Queued,
    /// It is read.
    Reading,
    /// Its stream broke; it goes on by itself.
    Broken,
    /// All was read; its container does not run.
    Waiting,
    /// Nothing more will come.
    Over,
    /// It cannot be read.
    Failed,
}

/// The open stream.
#[derive(Clone, Debug)]
pub struct Tape {
    number: u64,
    title: String,
    rule: CastRule,
    span: Span,
    cast: Cast,
    tags: Vec<Tag>,
    tag_width: usize,
    standing: Vec<Standing>,
    hunt: Option<Hunt>,
    shelf: Shelf,
    rate: Rate,
}

impl Tape {
    /// A stream of what `rule` selects now and later, and whom to read first. `number` tells it from the streams before it.
    pub fn follow(number: u64, rule: CastRule, title: String, span: Span, fleet: &Fleet) -> (Self, Vec<CastStep>) {
        let (cast, steps) = Cast::start(rule.clone(), fleet);
        let mut tape = Self {
            number,
            title,
            rule,
            span,
            cast,
            tags: Vec::new(),
            tag_width: 0,
            standing: Vec::new(),
            hunt: None,
            shelf: Shelf::new(HELD),
            rate: Rate::default(),
        };
        tape.retag();
        (tape, steps)
    }

    /// A search of the whole logs of what `rule` selects now, for a pattern, begun at a moment; and whom to read.
    pub fn hunt(number: u64, rule: CastRule, title: String, span: Span, hunted: (String, Stamp), fleet: &Fleet) -> (Self, Vec<CastStep>) {
        let (pattern, at) = hunted;
        let (mut tape, steps) = Self::follow(number, rule, title, span, fleet);
        let unknown = fleet.hosts().filter(|host| !host.link.is_live() && fleet.containers_on(&host.spec.id).next().is_none());
        let unknown = unknown.map(|host| {
            let reason = host.link.error().map_or_else(|| "it is not connected".into(), Into::into);
            Marker { at, host: host.spec.id.clone(), source: None, kind: MarkerKind::NotSearched { reason } }
        });
        tape.hunt = Some(Hunt::new(pattern, &tape.cast, unknown));
        (tape, steps)
    }

    /// Tells this stream from those before it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What belongs to it.
    pub fn rule(&self) -> &CastRule {
        &self.rule
    }

    /// Which part of each log.
    pub fn span(&self) -> Span {
        self.span
    }

    /// How many lines of each log's past to ask for.
    pub fn tail(&self) -> Option<u64> {
        let sources = u64::try_from(self.cast.sources().len()).unwrap_or(u64::MAX).max(1);
        let each = (PAST / sources).clamp(PAST_EACH.0, PAST_EACH.1);
        match (self.span.tail, self.span.since, &self.hunt) {
            (Some(tail), ..) => Some(tail),
            (None, None, None) => Some(each),
            (None, Some(_), _) | (None, None, Some(_)) => None,
        }
    }

    /// A source.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.cast.source(id)
    }

    /// Every source there ever was.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The containers that belong to it now.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerKey> {
        let sources = self.cast.sources().iter().zip(&self.standing);
        sources.filter(|(_, standing)| **standing != Standing::Over).map(|(source, _)| &source.key)
    }

    /// What stands in front of a source's lines.
    pub fn tag(&self, id: SourceId) -> Option<&Tag> {
        self.tags.get(id.0 as usize)
    }

    /// The widest tag, in cells.
    pub fn tag_width(&self) -> usize {
        self.tag_width
    }

    /// What was read, and what of it is shown.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The same, to change it.
    pub fn shelf_mut(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    /// The search that it is, if it is one.
    pub fn as_hunt(&self) -> Option<&Hunt> {
        self.hunt.as_ref()
    }

    /// The same, to bring it up to date.
    pub fn hunt_and_cast(&mut self) -> (Option<&mut Hunt>, &Cast) {
        (self.hunt.as_mut(), &self.cast)
    }

    /// Takes in what changed on the fleet; what must be done about it. A search is of one moment and follows nobody.
    pub fn observe(&mut self, fleet: &Fleet, change: &Change) -> Vec<CastStep> {
        if self.hunt.is_some() {
            return Vec::new();
        }
        let known = self.cast.sources().len();
        let steps = self.cast.observe(fleet, change);
        if self.cast.sources().len() != known {
            self.retag();
        }
        steps
    }

    /// What this console does to one of those who speak, for its place in the stream.
    pub fn note(&self, to: &ContainerKey, act: Arc<str>, at: DateTime<Utc>) -> Option<CastStep> {
        if self.hunt.is_some() {
            return None;
        }
        self.cast.mark(to, Stamp::of(at), MarkerKind::Asked { act })
    }

    fn retag(&mut self) {
        (self.tags, self.tag_width) = tag::tags(self.cast.sources());
        self.standing.resize(self.cast.sources().len(), Standing::Asked);
    }

    /// The reading of a source stands so now; how it stood before.
    pub fn set_standing(&mut self, id: SourceId, standing: Standing) -> Standing {
        self.standing.get_mut(id.0 as usize).map_or(standing, |stands| std::mem::replace(stands, standing))
    }

    /// Whether something of a source may still come.
    pub fn is_open(&self, id: SourceId) -> bool {
        self.standing.get(id.0 as usize).is_some_and(|standing| !matches!(standing, Standing::Over | Standing::Failed))
    }

    /// How many sources stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.standing.iter().filter(|stands| **stands == standing).count()
    }

    /// How many sources there are of which something may still come.
    pub fn sources(&self) -> usize {
        self.standing.len() - self.count(Standing::Over)
    }

    /// An entry has its turn.
    pub fn push(&mut self, entry: Entry) {
        if matches!(entry, Entry::Line(_)) {
            self.rate.count += 1;
        }
        self.shelf.push(entry);
    }

    /// A search that is over tells what it did not reach, below what it found; whether there was something to tell.
    pub fn tell_missing(&mut self) -> bool {
        let Some(hunt) = self.hunt.as_mut().filter(|hunt| hunt.over && !hunt.told) else { return false };
        hunt.told = true;
        hunt.missing.iter().for_each(|marker| self.shelf.push(Entry::Marker(marker.clone())));
        true
    }

    /// Lines a second, lately.
    pub fn rate(&self) -> u64 {
        self.rate.per_second
    }

    /// When the rate may read differently even if nothing more comes.
    pub fn ticks_at(&self) -> Option<Instant> {
        let moves = self.rate.count > 0 || self.rate.per_second > 0;
        self.rate.since.filter(|_| moves).map(|since| since + RATE_SPAN)
    }

    /// Moves the clock of the rate; whether it reads differently.
    pub fn tick(&mut self, now: Instant) -> bool {
        self.rate.tick(now)
    }
}

/// Lines a second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    since: Option<Instant>,
    count: u64,
    per_second: u64,
}

impl Rate {
    fn tick(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let span = now.saturating_duration_since(since);
        if span < RATE_SPAN {
            return false;
        }
        let rate = (self.count as f64 / span.as_secs_f64()).round() as u64;
        let changed = rate != self.per_second;
        *self = Self { since: Some(now), count: 0, per_second: rate };
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Selector, fixture};

    #[test]
    fn the_past_is_spread_over_the_logs() {
        let open = |selector: &str, span| {
            Tape::follow(0, CastRule::Matching(Selector::parse(selector).unwrap()), String::new(), span, &fixture::fleet()).0
        };
        assert_eq!(open("service:db host:app-09", Span::default()).tail(), Some(2000));
        assert_eq!(open("service:api env:production", Span::default()).tail(), Some(1000));
        assert_eq!(open("", Span { tail: Some(7), ..Span::default() }).tail(), Some(7));
        assert_eq!(open("", Span { since: Some(Stamp(1)), ..Span::default() }).tail(), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert!(!rate.tick(start));
        rate.count = 62;
        assert!(!rate.tick(start + Duration::from_millis(999)));
        assert!(rate.tick(start + Duration::from_secs(2)) && rate.per_second == 31);
        assert!(rate.tick(start + Duration::from_secs(3)) && rate.per_second == 0);
        assert!(!rate.tick(start + Duration::from_secs(4)));
    }
}
