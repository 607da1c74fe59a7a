//! The screen that the loop draws on: ratatui's frame on our backend.

use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};

use super::{ScreenBackend, Sink};

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

/// A full-screen [`Terminal`] whose every frame is compared as a whole.
#[derive(Debug)]
pub struct Canvas<S: Sink> {
    terminal: Terminal<ScreenBackend<S>>,
}

impl<S: Sink> Canvas<S> {
    /// A screen of `size` cells; the first frame clears what stands there.
    pub fn new(size: Size, sink: S) -> Self {
        let Ok(terminal) = Terminal::new(ScreenBackend::new(size, sink));
        Self { terminal }
    }

    /// Renders one frame and hands over what changed. The cursor shows only when the frame sets its position.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> Drawn {
        if !self.terminal.backend().sink.ready() {
            return Drawn::Busy;
        }
        // Ratatui's own comparison misses cells that change under the right half of a wide glyph. With its memory of
        // the last frame cleared it passes every cell on, and ours, which knows the screen, finds the difference.
        // On this backend `clear` asks the terminal nothing and writes nothing.
        let Ok(()) = self.terminal.clear();
        let sent = self.terminal.backend().sent;
        let Ok(_) = self.terminal.draw(render);
        if self.terminal.backend().sent == sent { Drawn::Unchanged } else { Drawn::Sent }
    }

    /// The terminal has `size` cells now: the next frame is painted whole.
    pub fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().resize(size);
    }

    /// Someone else wrote to the terminal: the next frame is painted whole.
    pub fn repaint(&mut self) {
        self.terminal.backend_mut().repaint();
    }

    /// The picture that was drawn last: for saving a screen as text or SVG. The cell behind a wide glyph is empty.
    pub fn picture(&self) -> &Buffer {
        self.terminal.backend().wanted()
    }
}
