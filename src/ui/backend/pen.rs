//! The terminal's pen: which style and which cursor position the last byte left behind, and the bytes that change them.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Modifiers, what switches each on, and what switches it off (which for bold also switches dim off, and the reverse).
const MODIFIERS: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Modifiers that show on a cell without a glyph.
pub(super) const VISIBLE_ON_BLANK: Modifier =
    Modifier::UNDERLINED.union(Modifier::REVERSED).union(Modifier::CROSSED_OUT).union(Modifier::SLOW_BLINK).union(Modifier::RAPID_BLINK);

/// Style, cursor and visibility as the terminal has them, and the frame being written.
#[derive(Debug, Default)]
pub(super) struct Pen {
    /// Bytes of the frame so far.
    pub(super) out: Vec<u8>,
    /// Where the cursor stands; `None` when that is not certain (pending wrap, disputed widths, a new region).
    pub(super) at: Option<(u16, u16)>,
    /// Whether the cursor is visible. Hidden at first: entering the screen hides it.
    pub(super) shown: bool,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Pen {
    /// Nothing is known about the terminal: its style is reset and the cursor is moved before it is used.
    pub(super) fn forget(&mut self) {
        self.at = None;
        self.fg = Color::Reset;
        self.bg = Color::Reset;
        self.modifier = Modifier::empty();
        self.out.extend_from_slice(b"\x1b[m\x1b[?25l");
        self.shown = false;
    }

    /// Default colours and no attributes, which erasing and scrolling need: terminals fill with the pen's background.
    pub(super) fn plain(&mut self) {
        self.restyle(Color::Reset, Color::Reset, Modifier::empty());
    }

    /// Moves the cursor, by the shorter of a relative and an absolute move; no bytes when it stands there already.
    pub(super) fn go(&mut self, x: u16, y: u16) {
        if self.at == Some((x, y)) {
            return;
        }
        match self.at {
            Some((from, row)) if row == y && from < x => self.csi(&[x - from], b'C'),
            Some(_) | None if x == 0 => self.csi(&[y + 1], b'H'),
            Some(_) | None => self.csi(&[y + 1, x + 1], b'H'),
        }
        self.at = Some((x, y));
    }

    /// A control sequence with numbers; a single 1 is left out, it is the default of every sequence used here.
    pub(super) fn csi(&mut self, numbers: &[u16], end: u8) {
        self.out.extend_from_slice(b"\x1b[");
        if numbers != [1] {
            for (index, number) in numbers.iter().enumerate() {
                if index > 0 {
                    self.out.push(b';');
                }
                push_number(&mut self.out, *number);
            }
        }
        self.out.push(end);
    }

    /// Writes one cell where the cursor stands. `columns` is the glyph's width, `edge` the width of the screen.
    pub(super) fn put(&mut self, cell: &Cell, columns: u16, edge: u16) {
        let symbol = cell.symbol();
        if !self.suits(cell) {
            self.restyle(cell.fg, cell.bg, cell.modifier);
        }
        self.out.extend_from_slice(symbol.as_bytes());
        // Terminals count the columns of a cluster of several characters differently: move absolutely after it.
        let certain = symbol.len() == 1 || symbol.chars().nth(1).is_none();
        self.at = self.at.map(|(x, y)| (x + columns, y)).filter(|(x, _)| certain && *x < edge);
    }

    /// Whether writing `cell` needs no change of style. A blank needs only the right background.
    pub(super) fn suits(&self, cell: &Cell) -> bool {
        let is_blank = cell.symbol() == " " && !cell.modifier.union(self.modifier).intersects(VISIBLE_ON_BLANK);
        self.bg == cell.bg && (is_blank || self.fg == cell.fg && self.modifier == cell.modifier)
    }

    fn restyle(&mut self, fg: Color, bg: Color, modifier: Modifier) {
        if self.fg == fg && self.bg == bg && self.modifier == modifier {
            return;
        }
        let mut whole = Numbers::default();
        if (fg, bg, modifier) != (Color::Reset, Color::Reset, Modifier::empty()) {
            whole.push(0);
            whole.modifiers(modifier);
            whole.colour(fg, Color::Reset, 30);
            whole.colour(bg, Color::Reset, 40);
        }
        let mut change = Numbers::default();
        let mut kept = self.modifier;
        for (flag, _, off) in MODIFIERS {
            if kept.contains(flag) && !modifier.contains(flag) {
                change.push(off);
                for (other, _, same) in MODIFIERS {
                    if same == off {
                        kept.remove(other);
                    }
                }
            }
        }
        change.modifiers(modifier.difference(kept));
        change.colour(fg, self.fg, 30);
        change.colour(bg, self.bg, 40);
        let shorter = if whole.text.len() <= change.text.len() { &whole.text } else { &change.text };
        self.out.extend_from_slice(b"\x1b[");
        self.out.extend_from_slice(shorter);
        self.out.push(b'm');
        (self.fg, self.bg, self.modifier) = (fg, bg, modifier);
    }
}

/// The numbers of one `CSI … m`, joined by semicolons.
#[derive(Default)]
struct Numbers {
    text: Vec<u8>,
}

impl Numbers {
    fn push(&mut self, number: u8) {
        if !self.text.is_empty() {
            self.text.push(b';');
        }
        push_number(&mut self.text, u16::from(number));
    }

    fn modifiers(&mut self, modifier: Modifier) {
        for (flag, on, _) in MODIFIERS {
            if modifier.contains(flag) {
                self.push(on);
            }
        }
    }

    /// `base` is 30 for the foreground, 40 for the background (ECMA-48 8.3.117; 90 and 100 are aixterm's bright ones).
    fn colour(&mut self, colour: Color, before: Color, base: u8) {
        if colour == before {
            return;
        }
        match colour {
            Color::Reset => self.push(base + 9),
            Color::Black => self.push(base),
            Color::Red => self.push(base + 1),
            Color::Green => self.push(base + 2),
            Color::Yellow => self.push(base + 3),
            Color::Blue => self.push(base + 4),
            Color::Magenta => self.push(base + 5),
            Color::Cyan => self.push(base + 6),
            Color::Gray => self.push(base + 7),
            Color::DarkGray => self.push(base + 60),
            Color::LightRed => self.push(base + 61),
            Color::LightGreen => self.push(base + 62),
            Color::LightYellow => self.push(base + 63),
            Color::LightBlue => self.push(base + 64),
            Color::LightMagenta => self.push(base + 65),
            Color::LightCyan => self.push(base + 66),
            Color::White => self.push(base + 67),
            Color::Indexed(index) => [base + 8, 5, index].into_iter().for_each(|n| self.push(n)),
            Color::Rgb(r, g, b) => [base + 8, 2, r, g, b].into_iter().for_each(|n| self.push(n)),
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: u16) {
    let mut digits = [0u8; 5];
    let mut rest = number;
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
