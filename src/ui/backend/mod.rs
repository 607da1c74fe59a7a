//! What is written to the terminal: the smallest bytes that turn what stands there into what is wanted.
//!
//! Owns the picture of the terminal's screen across frames: cells, pen and cursor. It writes **nothing** when
//! nothing changed, moves rows by scrolling instead of repainting them, and never asks the terminal anything, so
//! that a silent or slow terminal cannot hold a frame. It knows no file descriptor: a finished frame goes to a
//! [`Sink`] as one piece.

mod canvas;
mod paint;
mod pen;
mod shift;
mod tile;

use std::convert::Infallible;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};

pub use self::canvas::{Canvas, Drawn};
use self::pen::Pen;

/// Where finished frames go.
///
/// A sink that is not ready gets no frame: the change stays in the wanted picture and is part of the next frame,
/// so a slow terminal gets fewer frames, never older ones.
pub trait Sink {
    /// Whether a frame would be taken now without waiting.
    fn ready(&self) -> bool;
    /// Takes one frame. Called only after [`Sink::ready`] said yes; from then on the frame counts as on the screen.
    fn submit(&self, frame: Vec<u8>);
}

/// The backend for [`ratatui::Terminal`] with a full-screen viewport; [`Canvas`] joins the two.
///
/// The size is told ([`ScreenBackend::resize`]), never queried; `Terminal::draw` notices the new size by itself.
#[derive(Debug)]
pub struct ScreenBackend<S> {
    sink: S,
    wanted: Buffer,
    screen: Buffer,
    touched: Vec<bool>,
    pen: Pen,
    cursor: Option<Position>,
    position: Position,
    unknown: bool,
    sent: u64,
}

impl<S: Sink> ScreenBackend<S> {
    /// A backend for a screen of `size` cells whose present contents are unknown: the first frame clears it.
    pub fn new(size: Size, sink: S) -> Self {
        let area = Rect::new(0, 0, size.width, size.height);
        Self {
            sink,
            wanted: Buffer::empty(area),
            screen: Buffer::empty(area),
            touched: vec![true; usize::from(size.height)],
            pen: Pen::default(),
            cursor: None,
            position: Position::ORIGIN,
            unknown: true,
            sent: 0,
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
        self.screen = Buffer::empty(area);
        self.touched = vec![true; usize::from(size.height)];
        self.unknown = true;
    }

    /// Someone else wrote to the terminal (a child program, the shell while we were stopped): the next flush
    /// clears it and paints all that is wanted, even if the application draws nothing new.
    pub fn repaint(&mut self) {
        self.unknown = true;
        self.touched.fill(true);
    }

    /// The picture that the next flush brings to the screen: for saving a screen as text or SVG.
    pub fn wanted(&self) -> &Buffer {
        &self.wanted
    }

    fn row(&mut self, y: u16) {
        if let Some(touched) = self.touched.get_mut(usize::from(y)) {
            *touched = true;
        }
    }
}

impl<S: Sink> Backend for ScreenBackend<S> {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            if let Some(slot) = self.wanted.cell_mut((x, y)) {
                slot.clone_from(cell);
                self.row(y);
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.cursor = None;
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.cursor = Some(self.position);
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.position)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.position = position.into();
        if self.cursor.is_some() {
            self.cursor = Some(self.position);
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Infallible> {
        let width = usize::from(self.wanted.area.width);
        let at = usize::from(self.position.y) * width + usize::from(self.position.x);
        let line = usize::from(self.position.y) * width;
        let len = self.wanted.content.len();
        let range = match clear_type {
            ClearType::All => 0..len,
            ClearType::AfterCursor => at..len,
            ClearType::BeforeCursor => 0..at + 1,
            ClearType::CurrentLine => line..line + width,
            ClearType::UntilNewLine => at..line + width,
        };
        for cell in self.wanted.content.get_mut(range.start.min(len)..range.end.min(len)).into_iter().flatten() {
            cell.reset();
        }
        self.touched.fill(true);
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.wanted.area.as_size())
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        // The size in pixels is for image protocols, which this program does not speak.
        Ok(WindowSize { columns_rows: self.wanted.area.as_size(), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        if !self.sink.ready() {
            return Ok(());
        }
        if let Some(frame) = self.compose() {
            self.sent += 1;
            self.sink.submit(frame);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
