//! Where the lines go: a file of text, a file of JSON lines, or the clipboard.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::{Action, Context},
    logs::{ExportForm, LogWish, Tape},
    text::count,
    ui::{
        layers::{Layer, LayerOutcome, frame},
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// The open menu.
pub struct ExportMenu {
    on_screen: String,
    entries: [String; 3],
    at: usize,
}

impl ExportMenu {
    /// Opens it on what the stream shows.
    pub fn open(tape: &Tape, on_screen: String) -> Self {
        let shown = count(tape.shelf().shown() as u64);
        let seen = on_screen.lines().count();
        let entries = [
            format!("the {shown} lines that are shown, as text, to a file here"),
            format!("the {shown} lines that are shown, as JSON lines, to a file here"),
            format!("the {seen} lines on the screen, to the clipboard of this terminal"),
        ];
        Self { on_screen, entries, at: 0 }
    }

    fn step(&mut self, by: usize) {
        self.at = (self.at + by) % self.entries.len();
    }
}

impl Layer for ExportMenu {
    fn context(&self) -> Context {
        Context::Menu
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match action {
            Action::LayerClose => return LayerOutcome::Close,
            Action::ListMoveDown | Action::PaneNext => self.step(1),
            Action::ListMoveUp | Action::PanePrevious => self.step(self.entries.len() - 1),
            Action::SelectionOpen => {
                let export = |form| LayerOutcome::Finish(Request::Logs(LogWish::Export(form)));
                return match self.at {
                    0 => export(ExportForm::Text),
                    1 => export(ExportForm::JsonLines),
                    _ => LayerOutcome::Finish(Request::Copy(std::mem::take(&mut self.on_screen))),
                };
            }
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let place = frame::centred(area, 74, 5);
        let inside = frame::paint(place, buffer, theme, "Export", "enter writes · esc writes nothing");
        for ((index, entry), row) in self.entries.iter().enumerate().zip(0..inside.height) {
            let current = index == self.at;
            let ground = if current { theme.style(Role::LayerCursor) } else { ratatui::style::Style::default() };
            if current {
                Pen::new(buffer, inside, row).fill(" ", ground);
            }
            let sign = if current { theme.symbol(Symbol::Cursor) } else { " " };
            Pen::new(buffer, inside, row).text(sign, ground).skip(1).text(entry, ground.patch(theme.style(Role::Text)));
        }
    }
}
