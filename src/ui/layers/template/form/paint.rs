//! How the form looks: two rows for each field, what is typed and what there is to say of it.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    super::around,
    Form,
    field::{Field, Shows, Subject},
};
use crate::{
    action::{Action, Context},
    board::edit::Entry,
    delivery::template::{Level, SaidVariable},
    fleet::mask::{MASK, is_secret, mask_text},
    text::{clean_line, counted, width},
    ui::{
        layers::InputLine,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the column of names.
const NAMES: u16 = 24;
/// Rows of a field.
const ROWS: usize = 2;

impl Form {
    pub(in crate::ui::layers::template) fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let hints = [
            (Action::SelectionOpen, "what it does"),
            (Action::PaneNext, "next"),
            (Action::FormAdd, "add"),
            (Action::FormRemove, "take away"),
            (Action::LayerClose, "back, nothing written"),
        ];
        let changes = self.edits().len();
        let right = if changes == 0 { String::new() } else { counted(changes, "change") };
        let title =
            format!("Variables of {} in {} {} {}", self.service, self.environment, view.theme.symbol(Symbol::Dot), self.reading.app);
        let body = around(buffer, area, view, (&title, &right), Context::Form, &hints);
        let list = Rect { y: body.y + 1, height: body.height - 1, ..body };
        let page = (usize::from(list.height) / ROWS).max(1);
        self.offset = self.offset.clamp((self.at + 1).saturating_sub(page), self.at).min(self.fields.len().saturating_sub(page));
        for (place, (at, field)) in self.fields.iter().enumerate().skip(self.offset).take(page).enumerate() {
            let row = u16::try_from(place * ROWS).unwrap_or(u16::MAX);
            let here = (at == self.at).then_some(self.on_name);
            self.render_field(
                buffer,
                Rect { y: list.y + row, height: list.height.saturating_sub(row).min(2), ..list },
                (field, here),
                view,
            );
        }
        let below = self.fields.len().saturating_sub(self.offset + page);
        if below > 0 {
            Pen::new(buffer, body, 0).right(&format!("{below} more below "), view.theme.style(Role::TextDim));
        }
    }

    /// `here`: the cursor is in it, on its name or its value.
    fn render_field(&self, buffer: &mut Buffer, area: Rect, (field, here): (&Field, Option<bool>), view: &View<'_>) {
        let theme = view.theme;
        let mut pen = Pen::new(buffer, area, 0);
        pen.skip(1).text(if here.is_some() { theme.symbol(Symbol::Cursor) } else { " " }, theme.style(Role::Accent)).skip(1);
        let names = NAMES.min(area.width / 3);
        let (name_at, value_at) = (area.x + 3, area.x + 3 + names + 2);
        let room = |at: u16, end: u16| Rect { x: at, width: end.saturating_sub(at), height: area.height.min(1), ..area };
        let value_room = room(value_at, area.right().saturating_sub(1));
        match &field.subject {
            Subject::Known { variable, .. } => {
                let role = if here.is_some() { Role::TextStrong } else { Role::Text };
                pen.text(&theme.fit(&clean_line(&variable.name), usize::from(names)), theme.style(role));
            }
            Subject::New { name } => input(buffer, room(name_at, name_at + names), (name, here == Some(true)), "NAME", view),
        }
        match &field.subject {
            Subject::Known { gone: true, .. } => {
                Pen::new(buffer, value_room, 0).text("taken away", theme.style(Role::StateAttention));
            }
            Subject::Known { shows: Shows::NotHere, .. } => {
                Pen::new(buffer, value_room, 0).text("several lines, or signs that a line cannot show", theme.style(Role::TextDim));
            }
            Subject::Known { shows: Shows::Nothing, .. } => {
                input(buffer, value_room, (&field.value, here == Some(false)), MASK, view);
            }
            Subject::Known { .. } | Subject::New { .. } => {
                input(buffer, value_room, (&field.value, here == Some(false)), "empty", view);
            }
        }
        let (words, role) = self.note(field);
        let mut pen = Pen::new(buffer, area, 1);
        pen.skip(5);
        if role != Role::TextDim {
            pen.text(theme.symbol(if role == Role::StateBad { Symbol::Bad } else { Symbol::Odd }), theme.style(role)).skip(1);
        }
        pen.text(&words, theme.style(role));
    }

    /// What there is to say of a field: what is wrong with it, else what changes, else where it comes from.
    fn note(&self, field: &Field) -> (String, Role) {
        if let Some(fault) = &field.verdict.fault {
            return (fault.clone(), Role::StateBad);
        }
        if let Some(warning) = &field.verdict.warning {
            return (warning.clone(), Role::StateAttention);
        }
        let entry = field.entry();
        let words = match (&field.subject, &entry) {
            (Subject::New { .. }, _) => format!("new, for {} in {} alone", self.service, self.environment),
            (Subject::Known { variable, shows, .. }, Some(Entry::Value(..))) => {
                let was = match (shows, variable.holds()) {
                    (Shows::All, Some(said)) => format!("was {:?}", clean_line(&said.value)),
                    (Shows::Nothing | Shows::NotHere, _) | (_, None) => "changed".to_owned(),
                };
                match variable.holds().map(|said| said.level) {
                    Some(Level::Environment) => format!("{was}, for every service in {}", self.environment),
                    Some(Level::Here | Level::Service) | None => format!("{was}, for {} in {} alone", self.service, self.environment),
                }
            }
            (Subject::Known { variable, .. }, Some(Entry::Gone(_))) => match variable.said.get(1) {
                Some(next) => format!("then {:?}, {}", self.harmless(&variable.name, &next.value), self.said_by(next)),
                None => "then nobody says it".to_owned(),
            },
            (Subject::Known { variable, .. }, Some(Entry::New(..)) | None) => {
                variable.holds().map_or_else(String::new, |said| self.said_by(said))
            }
        };
        (words, Role::TextDim)
    }

    fn harmless(&self, name: &str, value: &str) -> String {
        if is_secret(name) { MASK.to_owned() } else { clean_line(&mask_text(value)) }
    }

    /// `line 61: production, for all of its services`
    fn said_by(&self, said: &SaidVariable) -> String {
        let line = said.origin.as_ref().map(|origin| clean_line(&origin.short()));
        let line = line.and_then(|line| line.rsplit(':').next().map(|number| format!("line {number}: "))).unwrap_or_default();
        match said.level {
            Level::Here => format!("{line}{} says it for {} alone", self.environment, self.service),
            Level::Environment => format!("{line}{} says it for all of its services", self.environment),
            Level::Service => format!("{line}{} says it for every environment", self.service),
        }
    }
}

fn input(buffer: &mut Buffer, area: Rect, (line, is_here): (&InputLine, bool), example: &str, view: &View<'_>) {
    if line.text().is_empty() {
        let shift = u16::from(is_here);
        Pen::new(buffer, area, 0).skip(shift).text(example, view.theme.style(Role::InputPrompt));
    }
    match is_here {
        true => line.render(area, buffer, view.theme),
        false if width(line.text()) > 0 => {
            Pen::new(buffer, area, 0).text(line.text(), view.theme.style(Role::InputText));
        }
        false => {}
    }
}
