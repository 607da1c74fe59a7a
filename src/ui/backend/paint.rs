//! One frame: compares the wanted picture with the screen and writes the difference.

use super::tile::{columns, is_follower, settle};
use super::{Canvas, Sink, print::Print, shift};
use ratatui::buffer::Cell;

/// Begin and end of a synchronized update: the terminal shows the frame whole. Terminals without it ignore them
/// (DEC private mode 2026, <https://github.com/contour-terminal/vt-extensions>).
const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";

/// Unchanged cells between two changed ones up to here are written again: a cursor move is not shorter.
const GAP: usize = 4;

/// How many separately scrolling panes are looked for in one frame.
const SHIFTS: usize = 4;

impl<S: Sink> Canvas<S> {
    /// The bytes that bring the wanted picture to the screen, or `None` when it stands there already.
    pub(super) fn compose(&mut self) -> Option<Vec<u8>> {
        let (width, height) = (self.wanted.area.width, self.wanted.area.height);
        if width == 0 || height == 0 {
            return None;
        }
        let mut dirty = Vec::new();
        for y in 0..usize::from(height) {
            let cells = y * usize::from(width)..(y + 1) * usize::from(width);
            settle(&mut self.wanted.content[cells.clone()]);
            if self.unknown || differs(&self.wanted.content[cells.clone()], &self.screen[cells]) {
                dirty.push(y);
            }
        }
        let cursor = self.cursor.map(|at| (at.x.min(width - 1), at.y.min(height - 1)));
        let cursor_stands = if cursor.is_some() { self.pen.shown && self.pen.at == cursor } else { !self.pen.shown };
        if dirty.is_empty() && cursor_stands && !self.unknown {
            return None;
        }
        self.pen.out = Vec::with_capacity(64 + dirty.len() * 16);
        self.pen.out.extend_from_slice(SYNC_BEGIN);
        if std::mem::take(&mut self.unknown) {
            self.pen.forget();
            self.pen.out.extend_from_slice(b"\x1b[r\x1b[H\x1b[2J");
            self.screen.fill(Print::blank());
        } else {
            self.scroll(&mut dirty);
        }
        for y in dirty {
            self.paint_row(y);
        }
        if let Some((x, y)) = cursor {
            self.pen.go(x, y);
        }
        if self.pen.shown != cursor.is_some() {
            self.pen.shown = cursor.is_some();
            self.pen.out.extend_from_slice(if self.pen.shown { b"\x1b[?25h" } else { b"\x1b[?25l" });
        }
        self.pen.out.extend_from_slice(SYNC_END);
        Some(std::mem::take(&mut self.pen.out))
    }

    /// Moves what only moved. Delete and insert line within a region, because multiplexers and emulators that
    /// ignore `CSI S` and `CSI T` know these.
    fn scroll(&mut self, dirty: &mut Vec<usize>) {
        let width = usize::from(self.wanted.area.width);
        for _ in 0..SHIFTS {
            let Some(shift) = shift::find(&self.wanted, &self.screen, dirty) else { return };
            let (top, bottom) = (shift.region.start as u16, shift.region.end as u16);
            self.pen.plain();
            self.pen.csi(&[top + 1, bottom], b'r');
            self.pen.at = None;
            self.pen.go(0, top);
            self.pen.csi(&[shift.by.unsigned_abs() as u16], if shift.by > 0 { b'M' } else { b'L' });
            self.pen.out.extend_from_slice(b"\x1b[r");
            self.pen.at = None;
            shift.apply(&mut self.screen, width);
            let rows = 0..usize::from(self.wanted.area.height);
            *dirty = rows
                .filter(|y| differs(&self.wanted.content[y * width..(y + 1) * width], &self.screen[y * width..(y + 1) * width]))
                .collect();
        }
    }

    fn paint_row(&mut self, y: usize) {
        let edge = self.wanted.area.width;
        let start = y * usize::from(edge);
        let wanted = &self.wanted.content[start..start + usize::from(edge)];
        let screen = &mut self.screen[start..start + usize::from(edge)];
        let mut written = 0;
        let mut x = 0;
        while x < wanted.len() {
            // A wide glyph is one unit: when either half differs, both are written.
            let unit = if wanted.get(x + 1).is_some_and(is_follower) { 2 } else { 1 };
            if !differs(&wanted[x..x + unit], &screen[x..x + unit]) {
                x += unit;
                continue;
            }
            let gap = &wanted[written..x];
            let bridge = self.pen.at == Some((written as u16, y as u16))
                && gap.len() <= GAP
                && gap.iter().all(|cell| cell.symbol().len() == 1 && self.pen.suits(cell));
            if bridge {
                gap.iter().for_each(|cell| self.pen.put(cell, 1, edge));
            }
            self.pen.go(x as u16, y as u16);
            self.pen.put(&wanted[x], columns(&wanted[x]), edge);
            for (stands, cell) in screen[x..x + unit].iter_mut().zip(&wanted[x..x + unit]) {
                *stands = Print::of(cell);
            }
            x += unit;
            written = x;
        }
    }
}

/// Whether cells look other than what stands there.
fn differs(wanted: &[Cell], screen: &[Print]) -> bool {
    wanted.iter().zip(screen).any(|(cell, stands)| Print::of(cell) != *stands)
}
