//! The line at a sheet's foot: what is asked, and what the keys do.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Mode, Phase, SheetLayer};
use crate::{
    action::{Action, Context},
    board::sheet::{Asks, Opens, Sheet},
    ui::{theme::Role, view::View, widgets::Pen},
};

impl SheetLayer {
    /// The line that is answered.
    pub(super) fn prompt(&self, buffer: &mut Buffer, line: Rect, phase: &Phase<'_>, view: &View<'_>) {
        let theme = view.theme;
        let [text, dim, key, asks] = [Role::Text, Role::TextDim, Role::HintKey, Role::InputPrompt].map(|role| theme.style(role));
        let mut pen = Pen::new(buffer, line, 0);
        match (self.mode, phase) {
            (Mode::Starting, _) => {
                pen.text("looking once more, then it begins; it needs nobody from there on", theme.style(Role::StateProgress));
            }
            (Mode::Word, Phase::Shown { sheet: Sheet { asks: Asks::Word { word, because }, .. }, .. }) => {
                pen.text(&format!("{because}: type "), asks).text(word, theme.style(Role::TextStrong)).text(" and enter: ", asks);
            }
            (Mode::Reason, _) => {
                pen.text("why, for the audit: ", asks);
            }
            (Mode::Override, _) => {
                pen.text("why it is passed over, which stays in history: ", asks);
            }
            (_, Phase::Asked { sheet: Some(_), .. }) => {
                pen.text("planning anew …", theme.style(Role::StateProgress));
            }
            (_, Phase::Asked { .. } | Phase::Begun(_) | Phase::Refused(_)) => {}
            (_, Phase::Choose { .. }) => {
                pen.text("where?", asks);
            }
            (_, Phase::Shown { sheet, .. }) if sheet.is_nothing => {
                pen.text("there is nothing to do", dim);
            }
            (_, Phase::Shown { sheet, .. }) => match (&sheet.gate, &sheet.asks) {
                (Some(gate), _) => match gate.opens {
                    Opens::Reason => drop(pen.text("o", key).text(" goes through the freeze, with a reason", text)),
                    Opens::Override => drop(pen.text("o", key).text(" passes it over, with a reason that stays in history", text)),
                    Opens::Nothing => drop(pen.text("it cannot begin", dim)),
                },
                (None, Asks::Key) => drop(pen.text("y", key).text(begins(sheet), text)),
                (None, Asks::Word { word, .. }) => {
                    pen.text("y", key).text(begins(sheet), text).text(", once ", dim);
                    pen.text(word, theme.style(Role::TextStrong)).text(" is typed", dim);
                }
            },
        }
        if self.is_typing() {
            let at = pen.at();
            self.input.render(Rect { x: at, width: line.right().saturating_sub(at), ..line }, buffer, theme);
        }
    }

    /// What the keys do.
    pub(super) fn foot(&self, phase: &Phase<'_>, view: &View<'_>) -> String {
        let contexts = Context::focus(Context::Global, Some(Context::Sheet));
        let key = |action: Action| view.keymap.reverse(action, &contexts);
        let mut hints: Vec<String> = Vec::new();
        if self.length > self.page
            && let (Some(up), Some(down)) = (key(Action::ListMoveUp), key(Action::ListMoveDown))
        {
            hints.push(format!("{up} {down} scroll"));
        }
        match (self.mode, phase) {
            (Mode::Reading, Phase::Shown { .. } | Phase::Refused(_)) => hints.push("g plan again".to_owned()),
            (Mode::Reading, Phase::Choose { .. }) => hints.extend(key(Action::SelectionOpen).map(|enter| format!("{enter} there"))),
            (Mode::Reading | Mode::Starting | Mode::Word | Mode::Reason | Mode::Override, _) => {}
        }
        let close = match self.mode {
            Mode::Word | Mode::Reason | Mode::Override => "back",
            Mode::Starting => "leave it to itself",
            Mode::Reading => "nothing happens",
        };
        hints.extend(key(Action::LayerClose).map(|key| format!("{key}: {close}")));
        hints.join("  ")
    }
}

fn begins(sheet: &Sheet) -> &'static str {
    if sheet.approvals > 0 { " asks for it" } else { " starts it" }
}
