//! Painting text into cells, left to right, clipped with a sign.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::text::{fit, width};

/// Writes text into one row of a buffer, from left to right, and never beyond its right edge.
pub struct Pen<'b> {
    buffer: &'b mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'b> Pen<'b> {
    /// A pen at the left of row `row` of `area` (0: its first row). Rows beyond the area paint nothing.
    pub fn new(buffer: &'b mut Buffer, area: Rect, row: u16) -> Self {
        let inside = row < area.height;
        let end = if inside { area.right().min(buffer.area.right()) } else { area.x };
        Self { buffer, x: area.x, y: area.y.saturating_add(row), end }
    }

    /// How many cells are left.
    pub fn left(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    /// Writes clean text; what does not fit ends in `…`.
    pub fn text(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.left();
        if room == 0 || text.is_empty() {
            return self;
        }
        let shown = fit(text, room);
        let (x, _) = self.buffer.set_stringn(self.x, self.y, &shown, room, style);
        self.x = x;
        self
    }

    /// Writes text only if all of it fits: for the less important end of a line.
    pub fn text_if_fits(&mut self, text: &str, style: Style) -> &mut Self {
        if width(text) <= self.left() { self.text(text, style) } else { self }
    }

    /// Moves on by this many cells.
    pub fn skip(&mut self, cells: u16) -> &mut Self {
        self.x = self.x.saturating_add(cells).min(self.end);
        self
    }

    /// Moves to this column, counted from the left of the buffer.
    pub fn to(&mut self, x: u16) -> &mut Self {
        self.x = x.min(self.end);
        self
    }

    /// The column the pen is at, counted from the left of the buffer.
    pub fn at(&self) -> u16 {
        self.x
    }

    /// Writes text so that it ends at the right edge, if it fits between here and there with one cell of air.
    pub fn right(&mut self, text: &str, style: Style) -> &mut Self {
        let need = width(text);
        if need < self.left() {
            self.x = self.end.saturating_sub(u16::try_from(need).unwrap_or(u16::MAX));
            self.text(text, style);
        }
        self
    }

    /// Fills the rest of the row with a symbol.
    pub fn fill(&mut self, symbol: &str, style: Style) -> &mut Self {
        while self.x < self.end {
            self.buffer.set_stringn(self.x, self.y, symbol, 1, style);
            self.x += 1;
        }
        self
    }
}
