//! The screen that the loop draws on: what is wanted, what stands there, and the way from one to the other.
//!
//! Not [`ratatui::Terminal`] with a backend under it: that keeps two pictures more, writes bytes even when nothing changed, and its
//! comparison misses cells that change under the right half of a wide glyph.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

use super::{Sink, pen::Pen, print::Print};

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Its changes were handed over.
    Sent,
    /// It looks like what stands there: nothing was written.
    Unchanged,
    /// The terminal still reads the frame before; nothing was rendered. Draw again when the sink is free.
    Busy,
}

/// One frame to draw into: blank at first.
#[derive(Debug)]
pub struct Frame<'a> {
    buffer: &'a mut Buffer,
    cursor: Option<Position>,
}

impl Frame<'_> {
    /// The whole screen.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Its cells.
    pub fn buffer_mut(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// Shows the terminal's own cursor here; without this call the frame hides it.
    pub fn set_cursor_position(&mut self, at: impl Into<Position>) {
        self.cursor = Some(at.into());
    }
}

/// A full screen.
///
/// The size is told ([`Canvas::resize`]), never queried.
#[derive(Debug)]
pub struct Canvas<S> {
    pub(super) sink: S,
    pub(super) wanted: Buffer,
    /// What stands on the terminal, cell by cell.
    pub(super) screen: Vec<Print>,
    pub(super) pen: Pen,
    pub(super) cursor: Option<Position>,
    /// Whether nobody knows what stands on the terminal.
    pub(super) unknown: bool,
}

impl<S: Sink> Canvas<S> {
    /// A screen of `size` cells whose present contents are unknown: the first frame clears it.
    pub fn new(size: Size, sink: S) -> Self {
        let area = Rect::new(0, 0, size.width, size.height);
        Self {
            sink,
            wanted: Buffer::empty(area),
            screen: vec![Print::blank(); usize::from(size.width) * usize::from(size.height)],
            pen: Pen::default(),
            cursor: None,
            unknown: true,
        }
    }

    /// Renders one frame and hands over what changed.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Drawn {
        if !self.sink.ready() {
            return Drawn::Busy;
        }
        self.wanted.reset();
        let mut frame = Frame { buffer: &mut self.wanted, cursor: None };
        render(&mut frame);
        self.cursor = frame.cursor;
        match self.compose() {
            Some(bytes) => {
                self.sink.submit(bytes);
                Drawn::Sent
            }
            None => Drawn::Unchanged,
        }
    }

    /// The terminal has `size` cells now. The next frame is painted whole, because terminals differ in what they
    /// keep when they are resized.
    pub fn resize(&mut self, size: Size) {
        if size == self.wanted.area.as_size() {
            return;
        }
        let area = Rect::new(0, 0, size.width, size.height);
        self.wanted = Buffer::empty(area);
        self.screen = vec![Print::blank(); self.wanted.content.len()];
        self.unknown = true;
    }

    /// Someone else wrote to the terminal (a child program, the shell while we were stopped): the next frame clears it and paints
    /// all that is wanted, even if nothing changed.
    pub fn repaint(&mut self) {
        self.unknown = true;
    }

    /// The picture that was drawn last: for saving a screen as text or SVG. The cell behind a wide glyph is empty.
    pub fn picture(&self) -> &Buffer {
        &self.wanted
    }
}
