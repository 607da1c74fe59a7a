//! The themes, tried on while the cursor moves; `esc` brings the old one back.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome, frame};
use crate::{
    action::{Action, Context},
    text::width,
    ui::{
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::{Cursor, Pen},
    },
};

/// The open picker.
pub struct ThemePicker {
    /// Name and one line about it.
    themes: Vec<(String, String)>,
    names: Vec<String>,
    cursor: Cursor<String>,
    before: String,
}

impl ThemePicker {
    /// Opens it on the theme in use.
    pub fn open(themes: Vec<(String, String)>, view: &View<'_>) -> Self {
        let names: Vec<String> = themes.iter().map(|(name, _)| name.clone()).collect();
        let mut cursor = Cursor::default();
        let before = view.theme.name().to_owned();
        cursor.settle(&names);
        cursor.seek(&names, &before);
        Self { themes, names, cursor, before }
    }

    fn choose(&self, keep: bool) -> Option<Request> {
        self.cursor.held().map(|name| Request::Theme { name: name.clone(), keep })
    }
}

impl Layer for ThemePicker {
    fn context(&self) -> Context {
        Context::ThemePicker
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match action {
            Action::ListMoveDown => self.cursor.step(&self.names, 1),
            Action::ListMoveUp => self.cursor.step(&self.names, -1),
            Action::ListMoveFirst => self.cursor.go(&self.names, 0),
            Action::ListMoveLast => self.cursor.go(&self.names, usize::MAX),
            Action::SelectionOpen => return self.choose(true).map_or(LayerOutcome::Close, LayerOutcome::Finish),
            Action::LayerClose => return LayerOutcome::Finish(Request::Theme { name: self.before.clone(), keep: false }),
            _ => return LayerOutcome::Pass,
        }
        self.choose(false).map_or(LayerOutcome::Stay, LayerOutcome::Ask)
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let name_cells = self.themes.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let doc_cells = self.themes.iter().map(|(_, doc)| width(doc)).max().unwrap_or(0);
        let wanted = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        let place = frame::centred(area, wanted(name_cells + doc_cells + 8), wanted(self.themes.len() + 2));
        let inside = frame::paint(place, buffer, view.theme, "Theme", "enter keeps · esc goes back");
        let visible = self.cursor.reveal(self.themes.len(), usize::from(inside.height));
        for (line, index) in visible.enumerate() {
            let (name, doc) = &self.themes[index];
            let current = index == self.cursor.index();
            let ground = if current { view.theme.style(Role::LayerCursor) } else { ratatui::style::Style::default() };
            let mut pen = Pen::new(buffer, inside, wanted(line));
            if current {
                pen.fill(" ", ground);
                pen = Pen::new(buffer, inside, wanted(line));
            }
            let sign = if current { view.theme.symbol(Symbol::Cursor) } else { " " };
            pen.text(sign, ground).skip(1).text(name, ground.patch(view.theme.style(Role::Text)));
            pen.to(inside.x + wanted(name_cells + 4)).text(doc, ground.patch(view.theme.style(Role::TextDim)));
        }
    }
}
