//! Columns that fit: as wide as their content asks, dropped by priority when the screen is narrow, never overlapping. Pure.

use std::ops::Range;

/// On which side a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers, so that they line up.
    Right,
}

/// A column as a table wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// The side its text stands on.
    pub align: Align,
    /// Below this width it is not worth showing, in cells.
    pub min: u16,
    /// What its content asks for, in cells; more is never given.
    pub wanted: u16,
    /// The lower, the longer it stays when the screen is narrow; 0 stays always.
    pub priority: u8,
}

/// A column as it stands on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its index in the list given to [`place`].
    pub index: usize,
    /// Its left edge, in cells from the table's left.
    pub x: u16,
    /// Its width in cells.
    pub width: u16,
}

impl Placed {
    /// Its cells, counted from the table's left.
    pub fn cells(&self) -> Range<u16> {
        self.x..self.x + self.width
    }
}

/// Cells of air between columns.
const GAP: u16 = 2;

/// Places columns in `width` cells. The most important ones come in first, each with its minimum width, and a smaller one further down
/// takes the room that a larger one before it could not use; what is left over goes to those that want more, from the left.
pub fn place(columns: &[Column], width: u16) -> Vec<Placed> {
    let needed = |kept: &[usize]| {
        let gaps = GAP * u16::try_from(kept.len().saturating_sub(1)).unwrap_or(u16::MAX);
        kept.iter().fold(gaps, |sum, index| sum.saturating_add(columns[*index].min.min(columns[*index].wanted)))
    };
    let mut ranked: Vec<usize> = (0..columns.len()).collect();
    ranked.sort_by_key(|index| columns[*index].priority);
    let mut kept: Vec<usize> = Vec::with_capacity(columns.len());
    for index in ranked {
        kept.push(index);
        if columns[index].priority > 0 && needed(&kept) > width {
            kept.pop();
        }
    }
    kept.sort_unstable();
    let mut spare = width.saturating_sub(needed(&kept));
    let mut x = 0;
    let mut placed = Vec::with_capacity(kept.len());
    for index in kept {
        let column = &columns[index];
        let base = column.min.min(column.wanted);
        let extra = column.wanted.saturating_sub(base).min(spare);
        spare -= extra;
        let room = width.saturating_sub(x);
        if room == 0 {
            break;
        }
        let cells = (base + extra).min(room);
        placed.push(Placed { index, x, width: cells });
        x = x.saturating_add(cells).saturating_add(GAP);
    }
    placed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(min: u16, wanted: u16, priority: u8) -> Column {
        Column { title: "", align: Align::Left, min, wanted, priority }
    }

    #[test]
    fn drops_by_priority_and_gives_what_is_left_from_the_left() {
        let columns = [column(4, 10, 0), column(4, 20, 2), column(4, 6, 1)];
        let widths = |width| place(&columns, width).iter().map(|p| (p.index, p.x, p.width)).collect::<Vec<_>>();
        assert_eq!(widths(40), [(0, 0, 10), (1, 12, 20), (2, 34, 6)]);
        assert_eq!(widths(30), [(0, 0, 10), (1, 12, 12), (2, 26, 4)]);
        assert_eq!(widths(15), [(0, 0, 9), (2, 11, 4)]);
        assert_eq!(widths(6), [(0, 0, 6)]);
        assert_eq!(widths(3), [(0, 0, 3)]);
    }

    proptest! {
        #[test]
        fn never_overlaps_and_never_leaves_the_screen(specs in proptest::collection::vec((1u16..20, 0u16..40, 0u8..4), 0..12), width in 0u16..200) {
            let columns: Vec<Column> = specs.iter().map(|(min, more, priority)| column(*min, min + more, *priority)).collect();
            let placed = place(&columns, width);
            for pair in placed.windows(2) {
                prop_assert!(pair[0].cells().end < pair[1].x);
            }
            prop_assert!(placed.last().is_none_or(|last| last.cells().end <= width));
        }
    }
}
