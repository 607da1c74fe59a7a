//! Where rows and lanes go: pure. What has no room gives way by what matters least, and the cursor's own is always there.

use std::ops::Range;

/// A lane is never narrower: a version and a space.
const LEAST: u16 = 17;
/// Nor wider.
const MOST: u16 = 40;
/// The column of commits where the others need the room: a count.
const COUNT: u16 = 9;
/// A lane in which names have room.
const EASY: u16 = 20;
/// Lines that the pane below keeps at least.
const PANE: u16 = 7;
/// An app that is not under the cursor shows at least its heading, versions and states.
const SHORT: u16 = 3;

/// Lanes beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// The first that is shown.
    pub first: usize,
    /// Cells of each that is shown, the space behind it included.
    pub widths: Vec<u16>,
    /// How many are hidden behind the last one.
    pub after: usize,
}

impl Columns {
    /// The lanes that are shown.
    pub fn range(&self) -> Range<usize> {
        self.first..self.first + self.widths.len()
    }
}

/// How `count` lanes share `width` cells: all in equal parts; else commits as a count; else as many as fit, the current one among them and
/// `first` the first where that can be.
pub(super) fn columns(count: usize, current: usize, first: usize, width: u16) -> Columns {
    let room = width.saturating_sub(1);
    let lanes = u16::try_from(count).unwrap_or(u16::MAX).max(1);
    let equal = room / lanes;
    if equal >= EASY {
        return Columns { first: 0, widths: vec![equal.min(MOST); count], after: 0 };
    }
    let rest = room.saturating_sub(COUNT) / lanes.saturating_sub(1).max(1);
    if count > 1 && rest >= LEAST {
        let mut widths = vec![rest.min(MOST); count];
        // The first has what is left over.
        widths[0] = (room - rest.min(MOST) * (lanes - 1)).min(MOST);
        return Columns { first: 0, widths, after: 0 };
    }
    // A cell on each side tells that there is more.
    let fitting = usize::from((room.saturating_sub(2) / LEAST).max(1)).min(count);
    let first = first.min(current).max((current + 1).saturating_sub(fitting)).min(count - fitting.min(count));
    let each = (room.saturating_sub(2) / u16::try_from(fitting).unwrap_or(1).max(1)).min(MOST);
    Columns { first, widths: vec![each; fitting], after: count.saturating_sub(first + fitting) }
}

/// Apps below each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// The first that is shown.
    pub first: usize,
    /// Which, each with its height.
    pub shown: Vec<(usize, u16)>,
    /// How many are not.
    pub hidden: usize,
}

/// Which apps fit into `height` lines above a pane: the current one whole, the others whole, else short, else not at all.
pub(super) fn rows(wanted: &[u16], current: usize, first: usize, height: u16) -> Rows {
    let room = height.saturating_sub(PANE.max(height / 3)).max(SHORT);
    let whole: u16 = wanted.iter().fold(0, |sum, height| sum.saturating_add(*height));
    let short = |index: usize, height: u16| if index == current || whole <= room { height } else { height.min(SHORT) };
    let heights: Vec<u16> = wanted.iter().enumerate().map(|(index, height)| short(index, *height).min(room)).collect();
    let sum = |range: Range<usize>| heights.get(range).unwrap_or_default().iter().fold(0u16, |sum, height| sum.saturating_add(*height));
    let mut first = first.min(current);
    while first < current && sum(first..current + 1) > room {
        first += 1;
    }
    // What went out at the top comes back when there is room.
    while first > 0 && sum(first - 1..heights.len()) <= room {
        first -= 1;
    }
    let mut shown = Vec::new();
    let mut used = 0u16;
    for (index, height) in heights.iter().enumerate().skip(first) {
        if used.saturating_add(*height) > room && !shown.is_empty() {
            break;
        }
        used = used.saturating_add(*height);
        shown.push((index, *height));
    }
    Rows { first, hidden: wanted.len() - shown.len(), shown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lanes_give_way_by_what_matters_least() {
        // 160 and 80 cells, five lanes.
        assert_eq!(columns(5, 2, 0, 160), Columns { first: 0, widths: vec![31; 5], after: 0 });
        assert_eq!(columns(5, 2, 0, 100), Columns { first: 0, widths: vec![11, 22, 22, 22, 22], after: 0 });
        assert_eq!(columns(5, 2, 0, 80), Columns { first: 0, widths: vec![11, 17, 17, 17, 17], after: 0 });
        assert_eq!(columns(6, 0, 0, 80), Columns { first: 0, widths: vec![19; 4], after: 2 });
        assert_eq!(columns(6, 5, 0, 80), Columns { first: 2, widths: vec![19; 4], after: 0 });
        // Back one: nothing moves.
        assert_eq!(columns(6, 4, 2, 80).first, 2);
    }

    #[test]
    fn apps_are_whole_or_short_or_hidden() {
        assert_eq!(rows(&[6, 6], 0, 0, 24), Rows { first: 0, shown: vec![(0, 6), (1, 6)], hidden: 0 });
        assert_eq!(rows(&[6, 6, 6], 1, 0, 24).shown, [(0, 3), (1, 6), (2, 3)]);
        assert_eq!(rows(&[6; 9], 8, 0, 24), Rows { first: 5, shown: vec![(5, 3), (6, 3), (7, 3), (8, 6)], hidden: 5 });
    }

    proptest! {
        #[test]
        fn the_current_one_is_always_there(count in 1usize..12, at in 0usize..12, first in 0usize..12, width in 0u16..300, height in 0u16..80) {
            let current = at % count;
            let columns = columns(count, current, first, width);
            prop_assert!(columns.range().contains(&current), "{columns:?}");
            prop_assert!(columns.range().end + columns.after == count);
            prop_assert!(width < LEAST + 3 || columns.widths.iter().sum::<u16>() <= width);
            let rows = rows(&vec![6; count], current, first, height);
            prop_assert!(rows.shown.iter().any(|(index, _)| *index == current), "{rows:?}");
            prop_assert!(height < SHORT + PANE || rows.shown.iter().map(|(_, height)| height).sum::<u16>() <= height);
        }
    }
}
