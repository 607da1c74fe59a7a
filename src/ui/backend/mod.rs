//! What is written to the terminal: the smallest bytes that turn what stands there into what is wanted.
//!
//! Owns the picture of the terminal's screen across frames: cells, pen and cursor. It writes **nothing** when
//! nothing changed, moves rows by scrolling instead of repainting them, and never asks the terminal anything, so
//! that a silent or slow terminal cannot hold a frame. It knows no file descriptor: a finished frame goes to a
//! [`Sink`] as one piece.

mod canvas;
mod paint;
mod pen;
mod print;
mod shift;
mod tile;

pub use self::canvas::{Canvas, Drawn, Frame};

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

#[cfg(test)]
mod tests;
