//! What stands in a cell of the terminal, packed into a third of a [`Cell`]'s room: the picture of the screen is the largest thing that an
//! idle console holds.

use ratatui::{buffer::Cell, style::Color};

/// A cell's look, comparable. Exact for glyphs of up to five bytes (all single characters); longer ones, with combining marks, are told
/// apart by forty bits of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(u128);

impl Print {
    /// The look of a cell after [`Cell::reset`].
    pub(super) fn blank() -> Self {
        Self::of(&Cell::EMPTY)
    }

    /// The look of a settled cell.
    pub(super) fn of(cell: &Cell) -> Self {
        let glyph = cell.symbol().as_bytes();
        let glyph = match glyph.len() {
            0..=5 => glyph.iter().fold(1u64, |sum, byte| sum << 8 | u64::from(*byte)),
            _ => 1 << 63 | (glyph.iter().fold(0, |sum, byte| mix(sum, u64::from(*byte))) & 0xff_ffff_ffff),
        };
        let style = u64::from(colour(cell.fg)) << 26 | u64::from(colour(cell.bg)) | u64::from(cell.modifier.bits()) << 52;
        Self(u128::from(glyph) << 64 | u128::from(style))
    }

    /// Folds a row's looks into one number. It only proposes: looks are compared before anything is moved.
    pub(super) fn hash(row: impl Iterator<Item = Self>) -> u64 {
        row.fold(0, |sum, Self(print)| mix(mix(sum, (print >> 64) as u64), print as u64))
    }
}

fn mix(sum: u64, value: u64) -> u64 {
    (sum.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// A colour in 26 bits.
fn colour(colour: Color) -> u32 {
    match colour {
        Color::Rgb(r, g, b) => u32::from_be_bytes([1, r, g, b]),
        Color::Indexed(index) => u32::from_be_bytes([2, 0, 0, index]),
        Color::Reset => 0,
        Color::Black => 3,
        Color::Red => 4,
        Color::Green => 5,
        Color::Yellow => 6,
        Color::Blue => 7,
        Color::Magenta => 8,
        Color::Cyan => 9,
        Color::Gray => 10,
        Color::DarkGray => 11,
        Color::LightRed => 12,
        Color::LightGreen => 13,
        Color::LightYellow => 14,
        Color::LightBlue => 15,
        Color::LightMagenta => 16,
        Color::LightCyan => 17,
        Color::White => 18,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Modifier, Style};

    use super::*;

    #[test]
    fn what_looks_different_is_different() {
        let styles = [
            Style::new(),
            Style::new().fg(Color::Rgb(0, 0, 3)),
            Style::new().bg(Color::Rgb(0, 0, 3)),
            Style::new().fg(Color::Black),
            Style::new().fg(Color::Indexed(3)),
            Style::new().add_modifier(Modifier::BOLD),
            Style::new().add_modifier(Modifier::CROSSED_OUT),
            Style::new().fg(Color::Rgb(255, 255, 255)).bg(Color::Rgb(255, 255, 255)),
        ];
        let glyphs = ["", " ", "a", "é", "e\u{301}", "日", "🦀", "e\u{301}\u{302}\u{303}", "e\u{301}\u{302}\u{304}", "\u{1f1e9}\u{1f1ea}"];
        let mut seen: Vec<Print> = Vec::new();
        for glyph in glyphs {
            for style in styles {
                let mut cell = Cell::EMPTY;
                cell.set_symbol(glyph).set_style(style);
                let print = Print::of(&cell);
                assert!(!seen.contains(&print), "{glyph:?} {style:?}");
                seen.push(print);
            }
        }
        assert!(seen.contains(&Print::blank()));
    }
}
