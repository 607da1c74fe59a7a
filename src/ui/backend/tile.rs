//! Rows in the one form that is compared and written: no glyph that could act as a command or take an unknown
//! number of columns, and exactly one follower cell behind each wide glyph.

use ratatui::buffer::{Cell, CellDiffOption};
use ratatui::style::{Color, Modifier};
use unicode_segmentation::UnicodeSegmentation;

use super::pen::VISIBLE_ON_BLANK;
use crate::text;

/// The symbol of the right half of a wide glyph. No real cell has it: ratatui's blank is one space.
const FOLLOWER: &str = "";

/// Whether `cell` is the right half of the wide glyph before it.
pub(super) fn is_follower(cell: &Cell) -> bool {
    cell.symbol().is_empty()
}

/// How many columns the glyph of a settled cell takes: 1 or 2.
pub(super) fn columns(cell: &Cell) -> u16 {
    if cell.symbol().len() == 1 || text::width(cell.symbol()) < 2 { 1 } else { 2 }
}

/// Whether a settled cell shows nothing and has the default background.
pub(super) fn is_bare(cell: &Cell) -> bool {
    *cell == Cell::EMPTY
}

/// Settles a row in place. Idempotent, so a row may be settled again after some of its cells were drawn anew.
pub(super) fn settle(row: &mut [Cell]) {
    let mut x = 0;
    while x < row.len() {
        let claimed = claim(&mut row[x]);
        let wide = columns(&row[x]) == 2;
        if wide && x + 1 >= row.len() {
            row[x].set_symbol(" ");
        }
        // What the layout gave to this glyph belongs to it even when the glyph became narrower.
        for next in x + 1..(x + claimed).min(row.len()) {
            row[next] = row[x].clone();
            row[next].set_symbol(" ");
            if wide && next == x + 1 {
                row[next].set_symbol(FOLLOWER);
            } else {
                quiet(&mut row[next]);
            }
        }
        quiet(&mut row[x]);
        x += claimed;
    }
}

/// Makes one cell's symbol harmless; returns how many columns the layout counted for what it held before.
fn claim(cell: &mut Cell) -> usize {
    cell.set_diff_option(CellDiffOption::None);
    let symbol = cell.symbol();
    if let [byte] = symbol.as_bytes()
        && (0x20..0x7f).contains(byte)
    {
        return 1;
    }
    let before = text::width(symbol).max(1);
    let harmless = harmless(symbol);
    if let Some(other) = harmless {
        cell.set_symbol(&other);
    }
    before
}

/// What is written instead of `symbol`, or `None` when it may be written as it is.
fn harmless(symbol: &str) -> Option<String> {
    if symbol.is_empty() {
        return Some(" ".to_owned());
    }
    let clean = text::clean(symbol);
    let single = clean.graphemes(true).nth(1).is_none() && (1..=2).contains(&text::width(&clean));
    if single && clean == symbol {
        return None;
    }
    // A cluster reduced to its base (an emoji without its variation selector) still says what it said.
    if single && symbol.starts_with(clean.as_ref()) { Some(clean.into_owned()) } else { Some("·".to_owned()) }
}

/// A blank that shows nothing but its background is the same blank whatever its foreground.
fn quiet(cell: &mut Cell) {
    if cell.symbol() == " " && !cell.modifier.intersects(VISIBLE_ON_BLANK) {
        cell.fg = Color::Reset;
        cell.modifier = Modifier::empty();
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Cell;

    use super::{is_follower, settle};

    fn settled(symbols: &[&str]) -> Vec<String> {
        let mut row: Vec<Cell> = symbols
            .iter()
            .map(|symbol| {
                let mut cell = Cell::EMPTY;
                cell.set_symbol(symbol);
                cell
            })
            .collect();
        settle(&mut row);
        let once: Vec<String> = row.iter().map(|cell| cell.symbol().to_owned()).collect();
        settle(&mut row);
        assert_eq!(once, row.iter().map(|cell| cell.symbol().to_owned()).collect::<Vec<_>>(), "not idempotent");
        once
    }

    #[test]
    fn commands_and_invisible_characters_become_dots() {
        for bad in ["\x1b", "\x1b[2J", "\u{9b}2J", "\u{202e}", "a\u{202e}", "\u{200b}", "ab", "\u{e0041}", "\r\n", "\x7f", "\u{2028}"] {
            let row = settled(&[bad, "x", "x"]);
            assert_eq!(row[0], "·", "{bad:?}");
            assert!(row.iter().all(|symbol| symbol.chars().all(|c| !c.is_control())), "{bad:?}");
        }
    }

    #[test]
    fn wide_glyphs_own_the_next_cell_unless_the_edge_is_there() {
        assert_eq!(settled(&["日", "x", "y"]), ["日", "", "y"]);
        assert_eq!(settled(&["x", "日"]), ["x", " "]);
        assert_eq!(settled(&["日", "日", "日"]), ["日", "", " "]);
    }

    #[test]
    fn disputed_clusters_keep_their_base_and_their_room() {
        assert_eq!(settled(&["❤\u{fe0f}", "stale", "y"]), ["❤", " ", "y"]);
        assert_eq!(settled(&["e\u{301}", "y"]), ["e\u{301}", "y"]);
    }

    #[test]
    fn an_orphaned_follower_is_a_blank() {
        let mut row = vec![Cell::EMPTY; 2];
        row[0].set_symbol("");
        settle(&mut row);
        assert!(!is_follower(&row[0]));
    }
}
