//! What was read and is held, and what of it is shown: a ring, the filters on it, and the search in it.
//!
//! Filters and search never make anybody wait: they are worked off in bounded pieces ([`Shelf::work`]), the newest lines first.

use std::ops::Range;

use super::{Entry, Filter, FilterError, Level, Ring, Sieve};

/// A ring that is this close to full waits rather than drop what is looked at: a share of its limit.
const SLACK: usize = 16;
/// So many of the oldest entries may go while an entry is held: more than one push makes room for.
const RESERVE: u64 = 16_384;

/// Held entries, and which of them are shown.
#[derive(Clone, Debug)]
pub struct Shelf {
    ring: Ring,
    limit: usize,
    filter: Filter,
    /// What passes the filter; `None` while everything does.
    sieve: Option<Sieve>,
    search: Option<Search>,
    /// What is held from here on is being looked at.
    hold: Option<u64>,
    /// Moves when lines must be dressed anew: another filter, another search.
    look: u64,
    settled: bool,
}

/// What is looked for among the shown lines.
#[derive(Clone, Debug)]
pub struct Search {
    text: String,
    filter: Filter,
    sieve: Sieve,
}

impl Search {
    /// As typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it hits in a shown text.
    pub fn highlights(&self, shown: &str) -> Vec<Range<usize>> {
        self.filter.highlights(shown)
    }

    /// The lines it found so far.
    pub fn found(&self) -> &Sieve {
        &self.sieve
    }
}

impl Shelf {
    /// An empty one that holds at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { ring: Ring::new(limit), limit, filter: Filter::new(), sieve: None, search: None, hold: None, look: 0, settled: true }
    }

    /// Everything that is held.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Appends an entry; ask [`Shelf::must_wait`] first.
    pub fn push(&mut self, entry: Entry) {
        self.ring.push(entry);
        self.settled = self.sieve.is_none() && self.search.is_none();
    }

    /// Whether one more entry could drop what is being looked at. Who reads then lets the engines wait: their logs keep what is not read.
    pub fn must_wait(&self) -> bool {
        self.hold.is_some_and(|held| {
            self.ring.bytes() + self.limit / SLACK > self.limit && self.ring.numbers().start.saturating_add(RESERVE) > held
        })
    }

    /// What is held from here on must not make room; `None`: nothing is looked at but the newest.
    pub fn hold(&mut self, from: Option<u64>) {
        self.hold = from;
    }

    /// Goes on with filter and search by about `budget` bytes; `true` when nothing is left to do.
    pub fn work(&mut self, budget: usize) -> bool {
        if self.settled {
            return true;
        }
        let Self { ring, filter, sieve, search, .. } = self;
        let passes = |entry: &Entry| match entry {
            Entry::Line(line) => filter.matches(line),
            // What happened to a source explains the lines around it.
            Entry::Marker(_) => true,
        };
        let sieved = sieve.as_mut().is_none_or(|sieve| sieve.work(ring, budget, passes));
        let searched = sieved
            && search.as_mut().is_none_or(|search| {
                let wanted = &search.filter;
                search.sieve.work(ring, budget, |entry| match entry {
                    Entry::Line(line) => filter.matches(line) && wanted.matches(line),
                    Entry::Marker(_) => false,
                })
            });
        self.settled = sieved && searched;
        self.settled
    }

    /// Whether filter and search have seen everything that is held.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// The filters.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Shows only lines that match this too.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn include(&mut self, pattern: &str) -> Result<(), FilterError> {
        self.filter.include(pattern)?;
        self.refilter();
        Ok(())
    }

    /// Hides the lines that match this.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn exclude(&mut self, pattern: &str) -> Result<(), FilterError> {
        self.filter.exclude(pattern)?;
        self.refilter();
        Ok(())
    }

    /// Takes the newest expression off; `false` if there is none.
    pub fn pop_filter(&mut self) -> bool {
        let popped = self.filter.pop();
        if popped {
            self.refilter();
        }
        popped
    }

    /// Shows only lines at least so severe.
    pub fn set_level(&mut self, level: Option<Level>) {
        self.filter.set_level(level);
        self.refilter();
    }

    /// The filters of another shelf: a stream that is opened anew keeps them.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.refilter();
    }

    fn refilter(&mut self) {
        self.sieve = (!self.filter.is_empty()).then(Sieve::new);
        if let Some(search) = &mut self.search {
            search.sieve = Sieve::new();
        }
        self.look += 1;
        self.settled = false;
    }

    /// What is looked for.
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Looks for this from now on; for nothing if it is empty.
    ///
    /// # Errors
    /// When it is no regular expression; what was looked for before stays.
    pub fn seek(&mut self, pattern: &str) -> Result<(), FilterError> {
        if self.search.as_ref().map_or("", Search::text) == pattern {
            return Ok(());
        }
        self.search = match pattern {
            "" => None,
            _ => {
                let mut filter = Filter::new();
                filter.include(pattern)?;
                Some(Search { text: pattern.to_owned(), filter, sieve: Sieve::new() })
            }
        };
        self.look += 1;
        self.settled = false;
        Ok(())
    }

    /// Moves when a line that was dressed for the screen must be dressed anew.
    pub fn look(&self) -> u64 {
        self.look
    }

    /// How many entries are shown, as far as is known.
    pub fn shown(&self) -> usize {
        self.sieve.as_ref().map_or(self.ring.len(), Sieve::len)
    }

    /// The first shown entry at or after a number.
    pub fn at_or_after(&self, number: u64) -> Option<u64> {
        match &self.sieve {
            Some(sieve) => sieve.at_or_after(number),
            None => Some(number.max(self.ring.numbers().start)).filter(|number| *number < self.ring.numbers().end),
        }
    }

    /// The last shown entry before a number.
    pub fn before(&self, number: u64) -> Option<u64> {
        match &self.sieve {
            Some(sieve) => sieve.before(number),
            None => {
                let held = self.ring.numbers();
                number.min(held.end).checked_sub(1).filter(|number| *number >= held.start)
            }
        }
    }

    /// The newest shown entry.
    pub fn newest(&self) -> Option<u64> {
        self.before(u64::MAX)
    }

    /// The oldest shown entry.
    pub fn oldest(&self) -> Option<u64> {
        self.at_or_after(0)
    }

    /// How many shown entries come at or after a number.
    pub fn count_from(&self, number: u64) -> usize {
        match &self.sieve {
            Some(sieve) => sieve.len() - sieve.rank(number),
            None => {
                let held = self.ring.numbers();
                usize::try_from(held.end - number.clamp(held.start, held.end)).unwrap_or(usize::MAX)
            }
        }
    }

    /// The first shown entry of this moment or later. The order of a stream is nearly that of time; what is late does not mislead it by
    /// more than its own lateness.
    pub fn at_moment(&self, moment: super::Stamp) -> Option<u64> {
        let held = self.ring.numbers();
        let (mut low, mut high) = (held.start, held.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.ring.get(middle) {
                Some(entry) if entry.at() < moment => low = middle + 1,
                Some(_) | None => high = middle,
            }
        }
        self.at_or_after(low)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::logs::{LogLine, LogStream, RawText, SourceId, Stamp};

    fn line(at: i64, text: &str) -> Entry {
        let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
        Entry::Line(LogLine { at: Stamp(at), source: SourceId(0), stream: LogStream::Out, level: None, late: false, cut: false, text })
    }

    fn shelf(count: i64) -> Shelf {
        let mut shelf = Shelf::new(1 << 20);
        (0..count).for_each(|n| shelf.push(line(n * 10, &format!("line {n}"))));
        while !shelf.work(1000) {}
        shelf
    }

    fn all(shelf: &Shelf) -> Vec<u64> {
        std::iter::successors(shelf.oldest(), |number| shelf.at_or_after(number + 1)).collect()
    }

    #[test]
    fn filters_and_search_work_off_in_pieces() {
        let mut shelf = shelf(100);
        assert_eq!((shelf.shown(), shelf.oldest(), shelf.newest()), (100, Some(0), Some(99)));
        shelf.include("[05]$").unwrap();
        assert!(!shelf.work(2000) && shelf.shown() < 20 && shelf.newest() == Some(95), "the newest are there at once");
        while !shelf.work(500) {}
        assert_eq!(all(&shelf), (0..20).map(|n| n * 5).collect::<Vec<u64>>());
        shelf.seek("line 5").unwrap();
        while !shelf.work(500) {}
        let found = shelf.search().unwrap().found();
        assert_eq!((found.len(), found.at_or_after(0), found.before(56)), (3, Some(5), Some(55)));
        shelf.push(line(1000, "line 500"));
        assert!(!shelf.is_settled());
        while !shelf.work(500) {}
        assert_eq!((shelf.newest(), shelf.count_from(96), shelf.search().unwrap().found().len()), (Some(100), 1, 4));
        assert!(shelf.seek("(").is_err() && shelf.search().unwrap().text() == "line 5");
        assert!(shelf.pop_filter() && !shelf.pop_filter());
        while !shelf.work(500) {}
        assert_eq!((shelf.shown(), shelf.search().unwrap().found().len()), (101, 12));
    }

    #[test]
    fn a_moment_is_found() {
        let mut shelf = shelf(100);
        assert_eq!(shelf.at_moment(Stamp(0)), Some(0));
        assert_eq!(shelf.at_moment(Stamp(501)), Some(51));
        assert_eq!(shelf.at_moment(Stamp(2000)), None);
        shelf.exclude("line 5").unwrap();
        while !shelf.work(500) {}
        assert_eq!(shelf.at_moment(Stamp(501)), Some(60));
    }

    #[test]
    fn what_is_looked_at_does_not_make_room() {
        let mut shelf = Shelf::new(100_000);
        shelf.hold(Some(3));
        let mut pushed = 0;
        while !shelf.must_wait() {
            shelf.push(line(pushed, "x"));
            pushed += 1;
        }
        assert!(shelf.ring().dropped() == 0 && shelf.ring().get(3).is_some() && pushed > 500);
        shelf.hold(None);
        (0..1000).for_each(|n| shelf.push(line(pushed + n, "x")));
        assert!(shelf.ring().dropped() > 500 && !shelf.must_wait());
        shelf.hold(Some(shelf.ring().numbers().end + RESERVE));
        assert!(!shelf.must_wait(), "far from the oldest there is room to drop");
    }
}
