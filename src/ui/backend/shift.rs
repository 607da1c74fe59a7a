//! Finds rows that only moved up or down, so that they can be scrolled instead of painted again.
//!
//! Pure: two pictures in, one proposal out. Only whole rows can move (a terminal scrolls full width), so panes that
//! scroll should span it.

use std::ops::Range;

use ratatui::buffer::{Buffer, Cell};

use super::{print::Print, tile::is_bare};

/// What a scroll costs in bytes (region, move, scroll, region off), with a margin: a saving below is none.
const PRICE: i32 = 40;

/// How many of the most voted distances are weighed exactly.
const CANDIDATES: usize = 2;

/// Rows `region` of the screen move by `by` rows: upwards when positive. The rows that are uncovered become blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) region: Range<usize>,
    pub(super) by: isize,
}

impl Shift {
    /// Does to the picture what the terminal does to its screen.
    pub(super) fn apply(&self, screen: &mut [Print], width: usize) {
        let count = self.by.unsigned_abs() * width;
        let rows = &mut screen[self.region.start * width..self.region.end * width];
        if self.by > 0 {
            rows.rotate_left(count);
            let blank = rows.len() - count;
            rows[blank..].fill(Print::blank());
        } else {
            rows.rotate_right(count);
            rows[..count].fill(Print::blank());
        }
    }
}

/// The shift that saves most, if any saves more than it costs. `dirty` are the rows that differ now.
pub(super) fn find(wanted: &Buffer, screen: &[Print], dirty: &[usize]) -> Option<Shift> {
    let (Some(&first), Some(&last)) = (dirty.first(), dirty.last()) else { return None };
    if dirty.len() < 2 {
        return None;
    }
    let pictures = Pictures { wanted, screen, width: usize::from(wanted.area.width) };
    let span = first..last + 1;
    let standing: Vec<u64> = span.clone().map(|y| Print::hash(pictures.screen_row(y).iter().copied())).collect();
    let mut votes: Vec<(isize, usize)> = Vec::new();
    for &y in dirty {
        let row = pictures.wanted_row(y);
        if row.iter().all(is_bare) {
            continue;
        }
        let sought = Print::hash(row.iter().map(Print::of));
        for (index, _) in standing.iter().enumerate().filter(|(_, found)| **found == sought) {
            let by = (first + index) as isize - y as isize;
            match votes.iter_mut().find(|(distance, _)| *distance == by) {
                Some((_, count)) => *count += 1,
                None if by != 0 => votes.push((by, 1)),
                None => {}
            }
        }
    }
    votes.sort_by_key(|(by, count)| (std::cmp::Reverse(*count), by.unsigned_abs()));
    votes
        .iter()
        .take(CANDIDATES)
        .filter_map(|(by, _)| pictures.best(&span, *by))
        .max_by_key(|(saving, _)| *saving)
        .filter(|(saving, _)| *saving > PRICE)
        .map(|(_, shift)| shift)
}

struct Pictures<'a> {
    wanted: &'a Buffer,
    screen: &'a [Print],
    width: usize,
}

impl<'a> Pictures<'a> {
    fn wanted_row(&self, y: usize) -> &'a [Cell] {
        &self.wanted.content[y * self.width..(y + 1) * self.width]
    }

    fn screen_row(&self, y: usize) -> &'a [Print] {
        &self.screen[y * self.width..(y + 1) * self.width]
    }

    /// The region within `span` for which moving by `by` saves most cells: a maximum-sum run of rows, less what
    /// must be painted on the rows that the move uncovers.
    fn best(&self, span: &Range<usize>, by: isize) -> Option<(i32, Shift)> {
        let far = by.unsigned_abs();
        if far >= span.len() {
            return None;
        }
        // Rows whose new content comes from inside the span.
        let rows = if by > 0 { span.start..span.end - far } else { span.start + far..span.end };
        let mut best: Option<(i32, Range<usize>)> = None;
        let (mut sum, mut start) = (0, rows.start);
        for y in rows {
            let source = y.saturating_add_signed(by);
            let wanted = self.wanted_row(y);
            sum += differing(wanted, self.screen_row(y)) - differing(wanted, self.screen_row(source));
            if sum <= 0 {
                (sum, start) = (0, y + 1);
            } else if best.as_ref().is_none_or(|(most, _)| sum > *most) {
                best = Some((sum, start..y + 1));
            }
        }
        let (saved, moved) = best?;
        let (region, uncovered) = if by > 0 {
            (moved.start..moved.end + far, moved.end..moved.end + far)
        } else {
            (moved.start - far..moved.end, moved.start - far..moved.start)
        };
        let lost: i32 = uncovered
            .map(|y| {
                let wanted = self.wanted_row(y);
                let afresh = wanted.iter().filter(|cell| !is_bare(cell)).count() as i32;
                afresh - differing(wanted, self.screen_row(y))
            })
            .sum();
        Some((saved - lost, Shift { region, by }))
    }
}

fn differing(wanted: &[Cell], screen: &[Print]) -> i32 {
    wanted.iter().zip(screen).filter(|(cell, stands)| Print::of(cell) != **stands).count() as i32
}
