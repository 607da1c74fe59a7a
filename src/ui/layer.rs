//! The seam between the screen and what opens above a panel. A layer is closed by `esc`, always without effect.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{screen::Request, view::View};
use crate::{
    action::{Action, Answer, Context},

};

/// What a layer made of a key or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerOutcome {
    /// It means nothing here.
    Ignored,
    /// Done; the layer stays.
    Done,
    /// It closes without effect.
    Close,
    /// The layer stays, and this is asked.
    Ask(Request),
    /// The layer closes, and this is asked.
    CloseWith(Request),
    /// A column chooser closes: these columns are shown from now on.
    Columns(Vec<&'static str>),
    /// The layer closes, and this action runs where it was opened.
    Run(Action),
}

/// Something opened above a panel.
pub trait Layer {
    /// Where its keys are bound.
    fn context(&self) -> Context;

    /// An action bound to a key here.
    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome;

    /// A key that no binding claims: typed text, in layers that take text.
    fn type_key(&mut self, key: KeyEvent, view: &View<'_>) -> LayerOutcome;

    /// Pasted text.
    fn paste(&mut self, text: &str, view: &View<'_>) -> LayerOutcome {
        text.chars().fold(LayerOutcome::Ignored, |last, c| {
            let typed = self.type_key(KeyEvent::from(crossterm::event::KeyCode::Char(c)), view);
            if typed == LayerOutcome::Ignored { last } else { typed }
        })
    }

    /// Whether it covers the whole panel, which then need not be painted.
    fn is_full(&self) -> bool {
        false
    }

    /// An answer arrived that it may have asked for.
    fn answer(&mut self, _: &Answer) {}

    /// Paints it over the panel.
    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>);
}
