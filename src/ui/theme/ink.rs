//! Colours that a program asked for in its own log: brought down to what the terminal shows, as the themes' are.

use ratatui::style::{Color, Modifier, Style};

use super::{Depth, Theme};
use crate::logs::{Ink, Paint};

impl Theme {
    /// The look a log line asks for, over `base`. Without colours only its weight is left.
    pub fn ink(&self, ink: Ink, base: Style) -> Style {
        let colour = |paint: Paint| {
            let colour = match paint {
                Paint::Index(index) => Color::Indexed(index),
                Paint::Rgb(r, g, b) => Color::Rgb(r, g, b),
            };
            (self.depth != Depth::None).then(|| self.depth.show(colour))
        };
        let mut style = base;
        if let Some(fg) = ink.fg.and_then(colour) {
            style = style.fg(fg);
        }
        if let Some(bg) = ink.bg.and_then(colour) {
            style = style.bg(bg);
        }
        let weights = [
            (ink.bold, Modifier::BOLD),
            (ink.dim, Modifier::DIM),
            (ink.italic, Modifier::ITALIC),
            (ink.underline, Modifier::UNDERLINED),
            (ink.reverse, Modifier::REVERSED),
        ];
        weights.into_iter().filter(|(on, _)| *on).fold(style, |style, (_, modifier)| style.add_modifier(modifier))
    }
}
