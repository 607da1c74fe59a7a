//! A page that is read: it scrolls, it is searched, and from a line of it one goes deeper.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    PastLayer,
    pages::{self, Line},
};
use crate::{
    action::{Action, Context},
    board::{
        Watch,
        past::{Account, Wish},
    },
    delivery::release::DeploymentId,
    text::width,
    ui::{
        frame,
        layers::{InputLine, Layer, LayerOutcome},
        screen::Request,
        theme::Role,
        view::View,
        widgets::Pen,
    },
};

/// What is read.
enum Subject {
    Account(DeploymentId),
    Text { place: Arc<str>, name: String },
}

/// A part of a line as wide as the screen.
struct Row {
    line: usize,
    text: String,
    indent: usize,
}

/// The open page.
pub struct Reader {
    subject: Subject,
    lines: Vec<Line>,
    rows: Vec<Row>,
    /// What the rows were made of: the board's turn and the cells across.
    made: Option<(u64, u16)>,
    /// The line under the cursor.
    at: usize,
    top: usize,
    page: usize,
    search: InputLine,
    searching: bool,
}

impl Reader {
    /// A deployment in full.
    pub fn account(id: DeploymentId) -> Self {
        Self::new(Subject::Account(id))
    }

    /// A text of a failure's evidence.
    pub fn text(place: Arc<str>, name: String) -> Self {
        Self::new(Subject::Text { place, name })
    }

    fn new(subject: Subject) -> Self {
        Self {
            subject,
            lines: Vec::new(),
            rows: Vec::new(),
            made: None,
            at: 0,
            top: 0,
            page: 1,
            search: InputLine::default(),
            searching: false,
        }
    }

    fn account_of<'v>(&self, view: &'v View<'_>) -> Option<&'v Account> {
        let Subject::Account(id) = &self.subject else { return None };
        view.board.past.account.as_ref().filter(|account| account.deployment.id == *id)
    }

    /// Takes what was told; a page that grows keeps its place.
    fn take(&mut self, cells: u16, view: &View<'_>) {
        let turn = view.board.past.turn;
        if self.made == Some((turn, cells)) {
            return;
        }
        self.made = Some((turn, cells));
        self.lines = match &self.subject {
            Subject::Account(_) => self.account_of(view).map(pages::of_account).unwrap_or_default(),
            Subject::Text { place, name } => {
                let told = view.board.past.text.as_ref().filter(|text| text.place == *place && text.name == *name);
                told.map(pages::of_text).unwrap_or_default()
            }
        };
        let room = usize::from(cells.saturating_sub(2)).max(8);
        self.rows = self.lines.iter().enumerate().flat_map(|(index, line)| rows(index, line, room)).collect();
        self.at = self.at.min(self.lines.len().saturating_sub(1));
    }

    fn go(&mut self, line: usize) -> LayerOutcome {
        self.at = line.min(self.lines.len().saturating_sub(1));
        LayerOutcome::Stay
    }

    /// To the next line that `fits`, around the ends.
    fn seek(&mut self, is_back: bool, fits: impl Fn(&Line) -> bool) -> bool {
        let count = self.lines.len();
        let place = |step: usize| if is_back { (self.at + count - step) % count } else { (self.at + step) % count };
        let found = (1..=count).map(place).find(|line| fits(&self.lines[*line]));
        if let Some(line) = found {
            self.at = line;
        }
        found.is_some()
    }

    fn find(&mut self, is_back: bool) -> LayerOutcome {
        let wanted = self.search.text().to_lowercase();
        match wanted.is_empty() || self.seek(is_back, |line| line.text.to_lowercase().contains(&wanted)) {
            true => LayerOutcome::Stay,
            false => LayerOutcome::Say(format!("nothing contains {:?}", self.search.text())),
        }
    }

    /// To the nearest line with what is typed so far; the one under the cursor may be it.
    fn typed(&mut self) {
        let wanted = self.search.text().to_lowercase();
        let contains = |line: &Line| line.text.to_lowercase().contains(&wanted);
        if !self.lines.get(self.at).is_some_and(contains) {
            self.seek(false, contains);
        }
    }

    fn open(&self) -> LayerOutcome {
        match self.lines.get(self.at).and_then(|line| line.link.as_ref()) {
            Some(link) => LayerOutcome::Past(PastLayer::Text { place: Arc::clone(&link.place), name: link.name.clone() }),
            None => LayerOutcome::Stay,
        }
    }

    fn heading(&self, view: &View<'_>) -> String {
        match &self.subject {
            Subject::Account(id) => match self.account_of(view).map(|account| &account.deployment) {
                Some(one) => format!(" Deployment {id} · {} in {} · {} ", one.app, one.environment, one.state.word()),
                None => format!(" Deployment {id} "),
            },
            Subject::Text { place, name } => {
                let id = place.rsplit('/').nth(1).unwrap_or_default();
                format!(" {name} · evidence of deployment {id} ")
            }
        }
    }

    fn render_foot(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        Pen::new(buffer, area, 0).fill(" ", theme.style(Role::Screen));
        let mut pen = Pen::new(buffer, area, 0);
        pen.skip(1);
        if self.searching {
            pen.text("search ", theme.style(Role::InputPrompt));
            let at = pen.at();
            self.search.render(Rect { x: at, width: area.right().saturating_sub(at), ..area }, buffer, theme);
            return;
        }
        let has_link = self.lines.get(self.at).is_some_and(|line| line.link.is_some());
        let is_account = matches!(self.subject, Subject::Account(_));
        let hints = [
            (Action::SelectionOpen, "read it", has_link),
            (Action::PaneNext, "next chapter", is_account),
            (Action::FilterEdit, "search", true),
            (Action::DetailFindNext, "next", !self.search.text().is_empty()),
            (Action::DetailFindPrevious, "previous", !self.search.text().is_empty()),
            (Action::SelectionCopyName, "copy line", true),
            (Action::LayerClose, "back", true),
        ];
        for (action, word, _) in hints.into_iter().filter(|(.., is_shown)| *is_shown) {
            if let Some(key) = view.keymap.reverse(action, &[Context::Detail, Context::Global])
                && width(key) + 1 + width(word) <= pen.left()
            {
                pen.text(key, theme.style(Role::HintKey)).skip(1).text(word, theme.style(Role::HintText)).skip(2);
            }
        }
    }
}

impl Layer for Reader {
    fn context(&self) -> Context {
        if self.searching { Context::Filter } else { Context::Detail }
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        if self.searching {
            match action {
                Action::LayerClose => {
                    self.searching = false;
                    self.search = InputLine::default();
                }
                Action::SelectionOpen => self.searching = false,
                _ => {}
            }
            return LayerOutcome::Stay;
        }
        if let Some(by) = action.list_step(self.page) {
            return self.go(self.at.saturating_add_signed(by));
        }
        match action {
            Action::SelectionOpen => self.open(),
            Action::FilterEdit => {
                (self.searching, self.search) = (true, InputLine::default());
                LayerOutcome::Stay
            }
            Action::DetailFindNext => self.find(false),
            Action::DetailFindPrevious => self.find(true),
            Action::PaneNext | Action::PanePrevious => {
                self.seek(action == Action::PanePrevious, |line| line.is_title);
                LayerOutcome::Stay
            }
            Action::SelectionCopyName => match self.lines.get(self.at) {
                Some(line) => LayerOutcome::Ask(Request::Copy(line.text.trim().to_owned())),
                None => LayerOutcome::Stay,
            },
            Action::LayerClose => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        if self.searching && self.search.handle(event) {
            self.typed();
        }
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        if self.searching {
            self.search.paste(text);
            self.typed();
        }
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn watches(&self) -> Option<Watch> {
        match &self.subject {
            Subject::Account(id) => Some(Watch::Past(Wish::Account(id.clone()))),
            // What lies beneath stays as it is.
            Subject::Text { .. } => None,
        }
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        if area.height < 3 {
            return;
        }
        self.take(area.width, view);
        let found = match self.search.text() {
            "" => String::new(),
            wanted => {
                let wanted = wanted.to_lowercase();
                let count = self.lines.iter().filter(|line| line.text.to_lowercase().contains(&wanted)).count();
                if count == 0 { format!(" nothing contains {wanted:?} ") } else { format!(" in {count} of {} lines ", self.lines.len()) }
            }
        };
        frame::rule(buffer, area, 0, &self.heading(view), &found, view);
        self.render_foot(buffer, Rect { y: area.bottom() - 1, height: 1, ..area }, view);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        if self.lines.is_empty() {
            let words = view.board.past.fault.clone().unwrap_or_else(|| "reading …".to_owned());
            Pen::new(buffer, body, 1).skip(1).text(&words, view.theme.style(Role::TextDim));
            return;
        }
        self.page = usize::from(body.height).max(1);
        let first = self.rows.iter().position(|row| row.line == self.at).unwrap_or(0);
        let last = self.rows.iter().rposition(|row| row.line == self.at).unwrap_or(0);
        self.top = self.top.max((last + 1).saturating_sub(self.page)).min(first).min(self.rows.len().saturating_sub(self.page));
        for (line, row) in (0..body.height).zip(self.rows.iter().skip(self.top)) {
            let ground = if row.line == self.at { view.theme.style(Role::TableCursor) } else { Style::default() };
            if row.line == self.at {
                Pen::new(buffer, body, line).fill(" ", ground);
            }
            let Some(whole) = self.lines.get(row.line) else { continue };
            let mut pen = Pen::new(buffer, body, line);
            pen.skip(1 + u16::try_from(row.indent).unwrap_or(0));
            self.marked(&mut pen, &row.text, ground.patch(view.theme.style(whole.role)), ground, view);
        }
    }
}

impl Reader {
    /// Text with what the search finds in it marked.
    fn marked(&self, pen: &mut Pen<'_>, text: &str, style: Style, ground: Style, view: &View<'_>) {
        let wanted = self.search.text().to_lowercase();
        // Only where lower case is as long as the text itself do places in one mean places in the other.
        let lower = text.to_lowercase();
        let hit = ground.patch(view.theme.style(Role::MatchText));
        let mut at = 0;
        if !wanted.is_empty() && lower.len() == text.len() {
            for (place, _) in lower.match_indices(&wanted) {
                if let (Some(before), Some(found)) = (text.get(at..place), text.get(place..place + wanted.len())) {
                    pen.text(before, style).text(found, hit);
                    at = place + wanted.len();
                }
            }
        }
        pen.text(text.get(at..).unwrap_or_default(), style);
    }
}

/// A line in rows of at most so many cells, at blanks where there are some.
fn rows(index: usize, line: &Line, cells: usize) -> Vec<Row> {
    let mut told = Vec::new();
    let mut rest = line.text.as_str();
    let mut indent = 0;
    while width(rest) > cells.saturating_sub(indent).max(1) {
        let room = cells.saturating_sub(indent).max(1);
        let mut used = 0;
        let fitting = rest.grapheme_indices(true).find(|(_, grapheme)| {
            used += width(grapheme);
            used > room
        });
        let Some((end, _)) = fitting.filter(|(end, _)| *end > 0) else { break };
        let cut = rest[..end].rfind(' ').filter(|at| *at > end / 2).map_or(end, |at| at + 1);
        told.push(Row { line: index, text: rest[..cut].to_owned(), indent });
        rest = &rest[cut..];
        indent = line.indent.min(cells / 2);
    }
    told.push(Row { line: index, text: rest.to_owned(), indent });
    told
}
