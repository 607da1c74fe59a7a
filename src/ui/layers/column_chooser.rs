//! Which columns a table shows, and in which order.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome, frame};
use crate::{
    action::{Action, Context},
    ui::{
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// The open menu.
pub struct ColumnChooser {
    columns: Vec<(&'static str, bool)>,
    at: usize,
}

impl ColumnChooser {
    /// Opens it on every column the table has, shown ones first, in their order.
    pub fn open(columns: Vec<(&'static str, bool)>) -> Self {
        Self { columns, at: 0 }
    }

    /// Moves the column under the cursor one place, and the cursor with it.
    fn carry(&mut self, to: Option<usize>) {
        if let Some(to) = to.filter(|to| *to < self.columns.len()) {
            self.columns.swap(self.at, to);
            self.at = to;
        }
    }
}

impl Layer for ColumnChooser {
    fn context(&self) -> Context {
        Context::ColumnChooser
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match action {
            Action::ListMoveDown => self.at = (self.at + 1).min(self.columns.len().saturating_sub(1)),
            Action::ListMoveUp => self.at = self.at.saturating_sub(1),
            Action::ListMoveLeft => self.carry(self.at.checked_sub(1)),
            Action::ListMoveRight => self.carry(Some(self.at + 1)),
            Action::RowMark => {
                if let Some((_, shown)) = self.columns.get_mut(self.at) {
                    *shown = !*shown;
                }
            }
            Action::SelectionOpen => {
                let shown: Vec<&'static str> = self.columns.iter().filter(|(_, shown)| *shown).map(|(title, _)| *title).collect();
                // A table without columns is a blank screen.
                return if shown.is_empty() { LayerOutcome::Stay } else { LayerOutcome::Columns(shown) };
            }
            Action::LayerClose => return LayerOutcome::Close,
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let place = frame::centred(area, 46, u16::try_from(self.columns.len() + 2).unwrap_or(u16::MAX));
        let inside = frame::paint(place, buffer, view.theme, "Columns", &foot(view));
        let height = usize::from(inside.height).max(1);
        let first = (self.at + 1).saturating_sub(height);
        for (line, (title, shown)) in self.columns.iter().skip(first).take(height).enumerate() {
            let current = first + line == self.at;
            let row = u16::try_from(line).unwrap_or(u16::MAX);
            let ground = if current { view.theme.style(Role::LayerCursor) } else { ratatui::style::Style::default() };
            if current {
                Pen::new(buffer, inside, row).fill(" ", ground);
            }
            let sign = if *shown { view.theme.symbol(Symbol::Mark) } else { " " };
            let role = if *shown { Role::Text } else { Role::TextDim };
            Pen::new(buffer, inside, row)
                .skip(1)
                .text(sign, ground.patch(view.theme.style(Role::Accent)))
                .skip(1)
                .text(title, ground.patch(view.theme.style(role)));
        }
    }
}

/// What can be done here, with the keys of the loaded keymap.
fn foot(view: &View<'_>) -> String {
    let contexts = [Context::ColumnChooser, Context::Global];
    let key = |action| view.keymap.reverse(action, &contexts);
    let hints = [
        key(Action::RowMark).map(|key| format!("{key} shows")),
        key(Action::ListMoveLeft).zip(key(Action::ListMoveRight)).map(|(left, right)| format!("{left} {right} move")),
        key(Action::SelectionOpen).map(|key| format!("{key} keeps")),
    ];
    hints.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture::{Scene, text};

    #[test]
    fn columns_are_hidden_moved_and_kept_in_order() {
        let scene = Scene::drawn();
        let mut chooser = ColumnChooser::open(vec![("HOST", true), ("NAME", true), ("ID", false)]);
        for action in [Action::RowMark, Action::ListMoveDown, Action::ListMoveDown, Action::RowMark, Action::ListMoveLeft] {
            assert_eq!(chooser.act(action, &scene.view()), LayerOutcome::Stay);
        }
        assert_eq!(chooser.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Columns(vec!["ID", "NAME"]));
        let area = Rect::new(0, 0, 60, 12);
        let mut buffer = Buffer::empty(area);
        chooser.render(&mut buffer, area, &scene.view());
        let shown = text(&buffer);
        assert!(shown.contains("space shows  left right move  enter keeps"), "{shown}");
    }

    #[test]
    fn a_table_keeps_one_column_at_least() {
        let scene = Scene::drawn();
        let mut chooser = ColumnChooser::open(vec![("HOST", true)]);
        chooser.act(Action::RowMark, &scene.view());
        assert_eq!(chooser.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
        assert_eq!(chooser.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
    }
}
