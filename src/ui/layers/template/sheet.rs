//! The first stage: what an environment runs, setting by setting, each with where it was said; what the environment says in place of something
//! is marked, with what it replaces beside it.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Shown, TemplateLayer, around};
use crate::{
    action::{Action, Context},
    delivery::template::{Explained, Over, Row, Section, Source},
    fleet::EnvironmentId,
    text::{clean_line, fit, width},
    ui::{
        frame,
        layers::plan_lines::wrap,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the column of keys at most.
const KEYS: usize = 26;
/// Rows of the pane that shows a setting whole.
const DETAIL: u16 = 4;

/// What the cursor is on: a heading or a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub title: String,
    pub key: Option<String>,
}

impl Place {
    /// The same in another environment, whose own section has another name.
    pub fn moved(self, from: &EnvironmentId, to: Option<&EnvironmentId>) -> Self {
        match to.filter(|_| self.title == format!("environments.{from}")) {
            Some(to) => Self { title: format!("environments.{to}"), ..self },
            None => self,
        }
    }
}

/// Every line of a sheet.
pub(super) fn places(sheet: &Explained) -> Vec<Place> {
    let of = |section: &Section| {
        let heading = Place { title: section.title.clone(), key: None };
        let rows = section.rows.iter().map(|row| Place { title: section.title.clone(), key: Some(row.key.clone()) });
        std::iter::once(heading).chain(rows).collect::<Vec<_>>()
    };
    sheet.sections.iter().flat_map(of).collect()
}

/// The same lines with what stands in them.
fn lines(sheet: &Explained) -> impl Iterator<Item = (&Section, Option<&Row>)> {
    sheet
        .sections
        .iter()
        .flat_map(|section| std::iter::once((section, None)).chain(section.rows.iter().map(move |row| (section, Some(row)))))
}

/// The value of a line, for the clipboard.
pub(super) fn value(sheet: &Explained, line: usize) -> Option<String> {
    lines(sheet).nth(line)?.1.map(|row| row.value.clone())
}

/// `quarterdeck.toml:34`: the file's name is enough where all of it is of one file.
fn short(source: &Source) -> String {
    let whole = clean_line(&source.to_string());
    match source {
        Source::Template(_) => whole.rsplit('/').next().unwrap_or(&whole).to_owned(),
        Source::Policy => "policy".to_owned(),
        Source::Default => whole,
    }
}

/// `was "64m"`, `only here`.
fn beside(over: &Over) -> String {
    match over {
        Over::Nothing => "only here".to_owned(),
        Over::Value(value) => format!("was {}", shown(value)),
    }
}

/// A secret's row says how it is delivered; of its value there is nothing to say.
fn shown(value: &str) -> String {
    clean_line(value)
}

impl TemplateLayer {
    pub(super) fn render_sheet(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let hints = [
            (Action::TemplateEdit, "change variables"),
            (Action::ListMoveRight, "next environment"),
            (Action::SelectionCopyName, "copy value"),
            (Action::LayerClose, "back"),
        ];
        let Some(Shown { reading, sheet }) = self.shown(view) else {
            let body = around(buffer, area, view, ("Template", ""), Context::Template, &hints[3..]);
            return self.render_nothing(buffer, body, view);
        };
        let title = format!("Template {} {} in {}", view.theme.symbol(Symbol::Dot), reading.app, sheet.environment);
        let right = format!("configuration {}", sheet.config.short());
        let body = around(buffer, area, view, (&title, &right), Context::Template, &hints);
        let theme = view.theme;
        let mut pen = Pen::new(buffer, body, 0);
        pen.skip(1);
        for one in &reading.sheets {
            let is_here = one.environment == sheet.environment;
            let sign = if is_here { theme.symbol(Symbol::Cursor) } else { " " };
            pen.text(sign, theme.style(Role::Accent));
            pen.text(one.environment.as_str(), theme.style(if is_here { Role::TabActive } else { Role::TabText })).skip(2);
        }
        let home = reading.home.to_string();
        pen.right(&crate::text::fit_left(&home, pen.left().saturating_sub(2)), theme.style(Role::TextDim));
        let mut body = Rect { y: body.y + 1, height: body.height - 1, ..body };
        if let Some(stale) = &reading.stale {
            let mut pen = Pen::new(buffer, body, 0);
            pen.skip(1).text(theme.symbol(Symbol::Stale), theme.style(Role::StateStale));
            pen.skip(1).text(&format!("as it was when it was last reached: {stale}"), theme.style(Role::StateAttention));
            body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        }
        let detail = if body.height > 3 * DETAIL { DETAIL } else { 0 };
        let list = Rect { height: body.height - detail, ..body };
        let at = self.at(sheet);
        self.page = usize::from(list.height).max(1);
        let count = lines(sheet).count();
        if self.held.is_none() {
            // What it was opened for is on top, with all that is said of it below.
            self.offset = at;
        }
        self.offset = self.offset.clamp((at + 1).saturating_sub(self.page), at).min(count.saturating_sub(self.page));
        for (row, (index, (section, setting))) in (0..list.height).zip(lines(sheet).enumerate().skip(self.offset)) {
            line(buffer, list, row, (section, setting), index == at, view);
        }
        if detail > 0 {
            render_whole(buffer, Rect { y: list.bottom(), height: detail, ..body }, lines(sheet).nth(at), view);
        }
    }

    fn render_nothing(&self, buffer: &mut Buffer, body: Rect, view: &View<'_>) {
        match view.board.edit.reading(&self.about) {
            Some(Err(why)) => {
                let wrapped = why.lines().flat_map(|line| wrap(line, usize::from(body.width).saturating_sub(4)));
                for (row, text) in (1..body.height).zip(wrapped) {
                    let mut pen = Pen::new(buffer, body, row);
                    pen.skip(1);
                    if row == 1 {
                        pen.text(view.theme.symbol(Symbol::Bad), view.theme.style(Role::StateBad));
                    }
                    pen.to(body.x + 3).text(&text, view.theme.style(Role::Text));
                }
            }
            Some(Ok(_)) => {
                Pen::new(buffer, body, 1).skip(1).text("the template has no environments", view.theme.style(Role::Text));
            }
            None => {
                Pen::new(buffer, body, 1).skip(1).text("reading the template …", view.theme.style(Role::TextDim));
            }
        }
    }
}

fn line(buffer: &mut Buffer, area: Rect, row: u16, (section, setting): (&Section, Option<&Row>), is_here: bool, view: &View<'_>) {
    let theme = view.theme;
    let mut pen = Pen::new(buffer, area, row);
    if is_here {
        Pen::new(buffer, area, row).fill(" ", theme.style(Role::TableCursor));
        pen = Pen::new(buffer, area, row);
    }
    let style = |role: Role| if is_here { theme.style(Role::TableCursor) } else { theme.style(role) };
    pen.skip(1);
    let Some(setting) = setting else {
        pen.text(&format!("[{}]", section.title), style(Role::TableGroup));
        return;
    };
    let longest = section.rows.iter().map(|row| width(&row.key)).max().unwrap_or(0).min(KEYS);
    let sign = if setting.over.is_some() { theme.symbol(Symbol::Mark) } else { " " };
    pen.text(sign, style(Role::Accent)).skip(1).text(&theme.fit(&clean_line(&setting.key), longest), style(Role::Text));
    pen.to(area.x + 3 + u16::try_from(longest + 2).unwrap_or(0));
    let source = short(&setting.source);
    let over = setting.over.as_ref().map(|over| format!("  {}", beside(over))).unwrap_or_default();
    let room = pen.left().saturating_sub(width(&source) + 3);
    let value = shown(&setting.value);
    let value_room = room.saturating_sub(if width(&value) + width(&over) <= room { width(&over) } else { width(&over).min(room / 3) });
    pen.text(&fit(&value, value_room), style(if setting.over.is_some() { Role::TextStrong } else { Role::Text }));
    let left = pen.left().saturating_sub(width(&source) + 3);
    pen.text(&fit(&over, left), style(Role::TextDim));
    pen.right(&format!("{source} "), style(Role::TextDim));
}

/// The setting under the cursor, uncut.
fn render_whole(buffer: &mut Buffer, area: Rect, at: Option<(&Section, Option<&Row>)>, view: &View<'_>) {
    let Some((section, setting)) = at else { return };
    let title = match setting {
        Some(row) => format!(" {}.{} ", section.title, clean_line(&row.key)),
        None => format!(" {} ", section.title),
    };
    frame::rule(buffer, area, 0, &title, "", view);
    let cells = usize::from(area.width).saturating_sub(2);
    let told = match setting {
        Some(row) => {
            let over = row.over.as_ref().map_or_else(String::new, |over| match over {
                Over::Nothing => ", said by this environment only".to_owned(),
                Over::Value(value) => format!(", and without this environment's word {}", shown(value)),
            });
            let source = format!("{}{over}", clean_line(&row.source.to_string()));
            vec![(wrap(&shown(&row.value), cells), Role::Text), (wrap(&source, cells), Role::TextDim)]
        }
        None => {
            let own = section.rows.iter().filter(|row| row.over.is_some()).count();
            let words = match (own, section.title.starts_with("environments.")) {
                (_, true) => "how releases get into this environment: today's word, whatever the release".to_owned(),
                (0, false) => "as in every environment".to_owned(),
                (own, false) => format!("{own} of {} said by this environment", section.rows.len()),
            };
            vec![(wrap(&words, cells), Role::TextDim)]
        }
    };
    let lines = told.into_iter().flat_map(|(lines, role)| lines.into_iter().map(move |line| (line, role)));
    for (row, (text, role)) in (1..area.height).zip(lines) {
        Pen::new(buffer, area, row).skip(1).text(&text, view.theme.style(role));
    }
}
