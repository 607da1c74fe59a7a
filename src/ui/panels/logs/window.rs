//! Which rows are on the screen: the newest, or a place that a person holds. What comes never moves what is held, and following never takes
//! a person away from a place: only going to the end, or going on after a pause, follows again.

use crate::logs::Shelf;

/// The most rows one line takes when lines are wrapped; the rest is folded.
pub const FOLD: usize = 12;

/// Where the window is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At the newest.
    #[default]
    Newest,
    /// Held.
    Held {
        /// The entry under the cursor.
        cursor: u64,
        /// The first entry on the screen, and its first row that is seen.
        top: (u64, usize),
        /// Paused before this entry: what comes from there on waits.
        paused: Option<u64>,
    },
}

/// One row of the screen: which entry, which of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The entry.
    pub number: u64,
    /// Its row, from 0.
    pub part: usize,
}

/// The window.
#[derive(Clone, Debug, Default)]
pub struct Window {
    place: Place,
    /// The rows of the last frame.
    seen: Vec<Seen>,
}

impl Window {
    /// The rows of the last frame, from the top.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Whether the newest is followed.
    pub fn follows(&self) -> bool {
        self.place == Place::Newest
    }

    /// Follows the newest from now on.
    pub fn follow(&mut self) {
        self.place = Place::Newest;
    }

    /// The entry that actions are about: the one under the cursor, or the newest.
    pub fn cursor(&self, shelf: &Shelf) -> Option<u64> {
        match self.place {
            Place::Newest => shelf.newest(),
            Place::Held { cursor, .. } => Some(cursor).filter(|cursor| shelf.ring().get(*cursor).is_some()),
        }
    }

    /// The oldest entry that must not make room; `None` while the newest is followed.
    pub fn hold(&self) -> Option<u64> {
        match self.place {
            Place::Newest => None,
            Place::Held { cursor, top, .. } => Some(cursor.min(top.0)),
        }
    }

    /// How many entries wait behind a pause, or lie below what is seen.
    pub fn waiting(&self, shelf: &Shelf) -> usize {
        match self.place {
            Place::Newest => 0,
            Place::Held { paused: Some(end), .. } => shelf.count_from(end),
            Place::Held { paused: None, .. } => self.seen.last().map_or(0, |last| shelf.count_from(last.number + 1)),
        }
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        matches!(self.place, Place::Held { paused: Some(_), .. })
    }

    /// Pauses at what is seen, or goes on at the newest.
    pub fn toggle_pause(&mut self, shelf: &Shelf) {
        if self.is_paused() {
            self.place = Place::Newest;
            return;
        }
        self.grab(shelf);
        if let Place::Held { paused, .. } = &mut self.place {
            *paused = Some(shelf.ring().numbers().end);
        }
    }

    /// Leaves following, where it is.
    fn grab(&mut self, shelf: &Shelf) {
        let Some(newest) = shelf.newest().filter(|_| self.follows()) else { return };
        let top = self.seen.first().map_or((newest, 0), |seen| (seen.number, seen.part));
        self.place = Place::Held { cursor: newest, top, paused: None };
    }

    /// Moves the cursor by so many entries. Down from the newest, while it is followed, there is nothing.
    pub fn step(&mut self, by: isize, shelf: &Shelf) {
        if by > 0 && self.follows() {
            return;
        }
        self.grab(shelf);
        let Place::Held { cursor, paused, .. } = &mut self.place else { return };
        let end = paused.unwrap_or(u64::MAX);
        for _ in 0..by.unsigned_abs() {
            let next = if by < 0 { shelf.before(*cursor) } else { shelf.at_or_after(*cursor + 1).filter(|next| *next < end) };
            match next {
                Some(next) => *cursor = next,
                None => break,
            }
        }
    }

    /// Moves by a screen, and what is seen with it.
    pub fn page(&mut self, down: bool, shelf: &Shelf) {
        if down && self.follows() {
            return;
        }
        let (first, last) = (self.seen.first().copied(), self.seen.last().copied());
        let rows = self.seen.len().max(1);
        self.grab(shelf);
        self.step(if down { rows.cast_signed() } else { -rows.cast_signed() }, shelf);
        let Place::Held { cursor, top, .. } = &mut self.place else { return };
        match (down, first, last) {
            // The last row becomes the first one, so that the eye finds on.
            (true, _, Some(last)) => {
                *top = (last.number, last.part);
                *cursor = (*cursor).max(last.number);
            }
            (false, Some(first), _) => {
                let mut at = first.number;
                for _ in 0..rows - 1 {
                    at = shelf.before(at).unwrap_or(at);
                }
                *top = (at, 0);
                *cursor = (*cursor).max(at);
            }
            _ => {}
        }
    }

    /// Moves what is seen by so many entries, and the cursor with it.
    pub fn scroll(&mut self, by: isize, shelf: &Shelf) {
        if by > 0 && self.follows() {
            return;
        }
        self.grab(shelf);
        let Place::Held { cursor, top, paused } = &mut self.place else { return };
        let end = paused.unwrap_or(u64::MAX);
        let beside = |number: u64| if by < 0 { shelf.before(number) } else { shelf.at_or_after(number + 1).filter(|next| *next < end) };
        for _ in 0..by.unsigned_abs() {
            let (Some(first), Some(next)) = (beside(top.0), beside(*cursor).or(Some(*cursor))) else { break };
            (*top, *cursor) = ((first, 0), next);
        }
    }

    /// To the oldest.
    pub fn first(&mut self, shelf: &Shelf) {
        self.grab(shelf);
        if let (Some(oldest), Place::Held { cursor, top, .. }) = (shelf.oldest(), &mut self.place) {
            (*cursor, *top) = (oldest, (oldest, 0));
        }
    }

    /// To an entry; it comes into the middle where it is not seen already.
    pub fn jump(&mut self, number: u64, shelf: &Shelf) {
        self.grab(shelf);
        let is_seen = self.seen.iter().any(|seen| seen.number == number);
        let above = self.seen.len() / 2;
        let Place::Held { cursor, top, .. } = &mut self.place else { return };
        *cursor = number;
        if !is_seen {
            let mut at = number;
            for _ in 0..above {
                at = shelf.before(at).unwrap_or(at);
            }
            *top = (at, 0);
        }
    }

    /// Puts the cursor on the entry of a row of the last frame.
    pub fn click(&mut self, row: usize, shelf: &Shelf) -> bool {
        let Some(seen) = self.seen.get(row).copied() else { return false };
        self.grab(shelf);
        if let Place::Held { cursor, .. } = &mut self.place {
            *cursor = seen.number;
        }
        true
    }

    /// The rows of a window of `height`; `rows_of` tells how many an entry takes, which is asked only of those near the window.
    pub fn lay_out(&mut self, height: usize, shelf: &Shelf, mut rows_of: impl FnMut(u64) -> usize) {
        self.seen.clear();
        self.settle(shelf);
        match self.place {
            Place::Newest => self.fill_up(u64::MAX, height, shelf, &mut rows_of),
            Place::Held { cursor, mut top, paused } => {
                let end = paused.unwrap_or(u64::MAX);
                if cursor < top.0 {
                    top = (cursor, 0);
                }
                self.fill_down(top, height, end, shelf, &mut rows_of);
                let last = Seen { number: cursor, part: rows_of(cursor).max(1) - 1 };
                let fills = self.seen.len() == height && self.seen.first().is_some_and(|first| first.number == cursor);
                let is_short = self.seen.len() < height;
                if !self.seen.contains(&last) && !fills {
                    self.fill_up(cursor + 1, height, shelf, &mut rows_of);
                } else if is_short {
                    // Nothing is left empty below while there is something above.
                    self.fill_up(end, height, shelf, &mut rows_of);
                }
                if let Some(first) = self.seen.first() {
                    self.place = Place::Held { cursor, top: (first.number, first.part), paused };
                }
            }
        }
    }

    /// What is held may be hidden by a new filter, or gone.
    fn settle(&mut self, shelf: &Shelf) {
        let Place::Held { cursor, top, .. } = &mut self.place else { return };
        let Some(newest) = shelf.newest() else { return };
        // A filter that has not seen everything yet hides what it has not reached.
        let is_held = |number: u64| shelf.ring().get(number).is_some();
        if !shelf.is_settled() && is_held(*cursor) && is_held(top.0) {
            return;
        }
        let near = |number: u64| shelf.at_or_after(number).unwrap_or(newest);
        let (cursor_now, top_now) = (near(*cursor), near(top.0));
        *cursor = cursor_now;
        if top_now != top.0 {
            *top = (top_now, 0);
        }
    }

    /// Rows from `top` on, downwards, before the entry `end`.
    fn fill_down(&mut self, top: (u64, usize), height: usize, end: u64, shelf: &Shelf, rows_of: &mut impl FnMut(u64) -> usize) {
        let mut next = shelf.at_or_after(top.0);
        while let Some(number) = next.filter(|number| *number < end) {
            let first = if number == top.0 { top.1 } else { 0 };
            let parts = first..rows_of(number).max(1);
            for part in parts {
                if self.seen.len() == height {
                    return;
                }
                self.seen.push(Seen { number, part });
            }
            next = shelf.at_or_after(number + 1);
        }
    }

    /// Rows that end with the last entry before `end`.
    fn fill_up(&mut self, end: u64, height: usize, shelf: &Shelf, rows_of: &mut impl FnMut(u64) -> usize) {
        self.seen.clear();
        let mut next = shelf.before(end);
        while let Some(number) = next {
            for part in (0..rows_of(number).max(1)).rev() {
                if self.seen.len() == height {
                    break;
                }
                self.seen.push(Seen { number, part });
            }
            if self.seen.len() == height {
                break;
            }
            next = shelf.before(number);
        }
        self.seen.reverse();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{Entry, LogLine, LogStream, RawText, SourceId, Stamp};

    fn push(shelf: &mut Shelf, count: u64) {
        for _ in 0..count {
            let number = shelf.ring().numbers().end;
            let text = RawText::new(Bytes::from(format!("line {number}")));
            let at = Stamp(number.cast_signed());
            let line = LogLine { at, source: SourceId(0), stream: LogStream::Out, level: None, late: false, cut: false, text };
            shelf.push(Entry::Line(line));
        }
        while !shelf.work(1 << 20) {}
    }

    fn shelf(count: u64) -> Shelf {
        let mut shelf = Shelf::new(1 << 20);
        push(&mut shelf, count);
        shelf
    }

    fn numbers(window: &mut Window, shelf: &Shelf) -> Vec<u64> {
        window.lay_out(5, shelf, |_| 1);
        window.seen.iter().map(|seen| seen.number).collect()
    }

    #[test]
    fn following_never_fights_the_scroll() {
        let mut shelf = shelf(20);
        let mut window = Window::default();
        assert_eq!(numbers(&mut window, &shelf), [15, 16, 17, 18, 19]);
        window.step(1, &shelf);
        push(&mut shelf, 1);
        assert_eq!((numbers(&mut window, &shelf), window.hold()), (vec![16, 17, 18, 19, 20], None));
        window.step(-1, &shelf);
        push(&mut shelf, 10);
        assert_eq!(numbers(&mut window, &shelf), [16, 17, 18, 19, 20], "one step up and nothing moves any more");
        assert_eq!((window.cursor(&shelf), window.hold(), window.waiting(&shelf)), (Some(19), Some(16), 10));
        window.step(-5, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [14, 15, 16, 17, 18]);
        window.page(false, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [10, 11, 12, 13, 14]);
        window.step(100, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [26, 27, 28, 29, 30]);
        push(&mut shelf, 1);
        assert_eq!(numbers(&mut window, &shelf), [26, 27, 28, 29, 30], "at the end, and still held");
        window.scroll(-3, &shelf);
        assert_eq!((numbers(&mut window, &shelf), window.cursor(&shelf)), (vec![23, 24, 25, 26, 27], Some(27)));
        window.scroll(2, &shelf);
        assert_eq!((numbers(&mut window, &shelf), window.cursor(&shelf)), (vec![25, 26, 27, 28, 29], Some(29)));
        window.follow();
        assert_eq!(numbers(&mut window, &shelf), [27, 28, 29, 30, 31]);
    }

    #[test]
    fn a_pause_counts_what_waits_and_loses_nothing() {
        let mut shelf = shelf(10);
        let mut window = Window::default();
        numbers(&mut window, &shelf);
        window.toggle_pause(&shelf);
        push(&mut shelf, 7);
        assert_eq!((numbers(&mut window, &shelf), window.waiting(&shelf)), (vec![5, 6, 7, 8, 9], 7));
        window.step(3, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [5, 6, 7, 8, 9], "what waits is not scrolled to");
        window.step(-9, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [0, 1, 2, 3, 4]);
        window.toggle_pause(&shelf);
        assert_eq!((numbers(&mut window, &shelf), window.waiting(&shelf), window.hold()), (vec![12, 13, 14, 15, 16], 0, None));
    }

    #[test]
    fn a_jump_brings_its_line_into_the_middle_and_a_filter_keeps_the_place() {
        let mut shelf = shelf(100);
        let mut window = Window::default();
        numbers(&mut window, &shelf);
        window.jump(50, &shelf);
        assert_eq!(numbers(&mut window, &shelf), [48, 49, 50, 51, 52]);
        shelf.include("[05]$").unwrap();
        while !shelf.work(1 << 20) {}
        assert_eq!(numbers(&mut window, &shelf), [50, 55, 60, 65, 70]);
        assert_eq!(window.cursor(&shelf), Some(50));
        window.first(&shelf);
        assert_eq!(numbers(&mut window, &shelf), [0, 5, 10, 15, 20]);
        shelf.include("nothing").unwrap();
        while !shelf.work(1 << 20) {}
        assert!(numbers(&mut window, &shelf).is_empty());
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_seen_and_no_row_is_left_empty(
            steps in proptest::collection::vec((0u8..9, 0u64..30), 1..60),
            height in 1usize..12,
            tall in 1usize..5,
        ) {
            let (mut shelf, mut window) = (shelf(30), Window::default());
            let rows_of = |number: u64| if number.is_multiple_of(4) { tall } else { 1 };
            window.lay_out(height, &shelf, rows_of);
            for (kind, count) in steps {
                match kind {
                    0 => window.step(-(count.cast_signed() as isize), &shelf),
                    1 => window.step(count.cast_signed() as isize, &shelf),
                    2 => window.page(count % 2 == 0, &shelf),
                    3 => window.jump(count, &shelf),
                    4 => window.toggle_pause(&shelf),
                    5 => window.follow(),
                    6 => window.first(&shelf),
                    7 => window.scroll(count.cast_signed() as isize - 15, &shelf),
                    _ => push(&mut shelf, count),
                }
                window.lay_out(height, &shelf, rows_of);
                prop_assert_eq!(window.seen().len(), height, "{:?}", window);
                let cursor = window.cursor(&shelf).unwrap();
                prop_assert!(window.seen().iter().any(|seen| seen.number == cursor), "{:?}", window);
                prop_assert!(window.seen().windows(2).all(|pair| (pair[0].number, pair[0].part) < (pair[1].number, pair[1].part)));
            }
        }
    }
}
