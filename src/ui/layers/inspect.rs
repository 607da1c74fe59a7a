//! Everything the engine knows about one container, as a document that folds and is searched. Secrets are masked before the first line
//! is made, unless a person who may act lets them show: for as long as this document is open.

mod tree;

#[cfg(test)]
mod tests;

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_segmentation::UnicodeSegmentation;

pub use self::tree::LINE_FIELDS;
use self::tree::{Held, Node, Tree, find_folded};
use super::{InputLine, Layer, LayerOutcome};
use crate::{
    action::{Action, Answer, Context, RequestId},
    fleet::{ContainerKey, mask},
    rights::Rights,
    text::{clean_line, width},
    ui::{
        frame,
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of one level of the document.
const INDENT: u16 = 2;

/// What came of the question.
enum Found {
    Asked,
    Document(Tree),
    Failed(String),
}

/// The open document.
pub struct Inspect {
    request: RequestId,
    key: ContainerKey,
    found: Found,
    /// The line under the cursor and the first on screen, among the visible ones.
    at: usize,
    top: usize,
    rows: usize,
    search: InputLine,
    searching: bool,
    matches: Vec<usize>,
    /// Where the cursor was when the search began.
    before: usize,
    /// The line whose whole text is read, and the first row of it on screen.
    reading: Option<usize>,
    /// The last name it was known by.
    name: Option<String>,
    /// As the engine told it, secrets and all.
    raw: Option<serde_json::Value>,
    secrets: Secrets,
    /// What stands in the title in place of the container's name and state.
    heading: Option<String>,
}

/// What is shown of secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Secrets {
    #[default]
    Masked,
    Shown,
}

impl Inspect {
    /// Opens it empty; the answer to `request` fills it.
    pub fn open(request: RequestId, key: ContainerKey) -> Self {
        Self {
            request,
            key,
            found: Found::Asked,
            at: 0,
            top: 0,
            rows: 1,
            search: InputLine::default(),
            searching: false,
            matches: Vec::new(),
            before: 0,
            reading: None,
            name: None,
            raw: None,
            secrets: Secrets::Masked,
            heading: None,
        }
    }

    /// Opens a document of our own about a container, such as a line of its log, under a heading of its own; nothing is asked, nothing masked.
    pub fn document(key: ContainerKey, heading: String, document: &serde_json::Value) -> Self {
        let found = Found::Document(Tree::build(document));
        Self { found, heading: Some(heading), ..Self::open(RequestId::default(), key) }
    }

    fn tree(&self) -> Option<&Tree> {
        match &self.found {
            Found::Document(tree) => Some(tree),
            Found::Asked | Found::Failed(_) => None,
        }
    }

    /// The line under the cursor, by its index in the document.
    fn index(&self) -> Option<usize> {
        self.tree()?.visible().get(self.at).copied()
    }

    fn node(&self) -> Option<&Node> {
        self.tree()?.node(self.index()?)
    }

    fn step(&mut self, by: isize) {
        if let Some(scroll) = &mut self.reading {
            *scroll = scroll.saturating_add_signed(by);
            return;
        }
        let last = self.tree().map_or(0, |tree| tree.visible().len().saturating_sub(1));
        self.at = self.at.saturating_add_signed(by).min(last);
    }

    fn toggle(&mut self) {
        let Some(index) = self.index() else { return };
        let Found::Document(tree) = &mut self.found else { return };
        if !tree.toggle(index) {
            self.reading = match self.reading {
                Some(_) => None,
                None => Some(0),
            };
        }
    }

    /// `left`: folds, or goes up to what the line hangs below.
    fn leave(&mut self) {
        let Some(index) = self.index() else { return };
        if self.node().is_some_and(|node| node.is_branch() && !node.is_folded()) {
            self.toggle();
        } else if let Some(parent) = self.tree().and_then(|tree| tree.parent(index)) {
            self.show(parent);
        }
    }

    /// `right`: unfolds, or goes to the first line below.
    fn enter(&mut self) {
        match self.node() {
            Some(node) if node.is_branch() && node.is_folded() => self.toggle(),
            Some(node) if node.is_branch() => self.step(1),
            Some(_) | None => {}
        }
    }

    /// Puts the cursor on a line, unfolding what hides it.
    fn show(&mut self, index: usize) {
        let Found::Document(tree) = &mut self.found else { return };
        if tree.visible().binary_search(&index).is_err() {
            tree.reveal(index);
        }
        self.at = tree.visible().binary_search(&index).unwrap_or(self.at);
    }

    /// Searches anew and goes to the first match from where the search began.
    fn find(&mut self) {
        let Some(tree) = self.tree() else { return };
        self.matches = tree.find(self.search.text());
        let next = self.matches.iter().find(|index| **index >= self.before).or(self.matches.first()).copied();
        self.show(next.unwrap_or(self.before));
    }

    fn find_beside(&mut self, forward: bool) {
        let Some(index) = self.index() else { return };
        let next = match forward {
            true => self.matches.iter().find(|other| **other > index).or(self.matches.first()),
            false => self.matches.iter().rev().find(|other| **other < index).or(self.matches.last()),
        };
        if let Some(next) = next.copied() {
            self.show(next);
        }
    }

    fn forget_search(&mut self) {
        self.searching = false;
        self.search = InputLine::default();
        self.matches.clear();
    }

    /// `esc`: out of the reading, the search, and then the layer.
    fn close(&mut self) -> LayerOutcome {
        if self.searching {
            self.forget_search();
            let before = self.before;
            self.show(before);
        } else if self.reading.is_some() {
            self.reading = None;
        } else if !self.search.text().is_empty() {
            self.forget_search();
        } else {
            return LayerOutcome::Close;
        }
        LayerOutcome::Stay
    }

    fn fold_all(&mut self, folded: bool) {
        let Some(index) = self.index() else { return };
        self.reading = None;
        let Found::Document(tree) = &mut self.found else { return };
        tree.fold_all(folded);
        let shown = tree.shown(index);
        self.show(shown);
    }

    /// Makes the lines anew, as folded as they were.
    fn rebuild(&mut self) {
        let Some(raw) = &self.raw else { return };
        let mut tree = match self.secrets {
            Secrets::Shown => Tree::build(raw),
            Secrets::Masked => {
                let mut document = raw.clone();
                mask::mask(&mut document);
                Tree::build(&document)
            }
        };
        if let Found::Document(before) = &self.found {
            tree.fold_like(before);
        }
        self.matches = tree.find(self.search.text());
        self.found = Found::Document(tree);
    }

    /// Shows the secrets, or hides them again.
    fn reveal(&mut self, view: &View<'_>) -> LayerOutcome {
        if self.raw.is_none() {
            return LayerOutcome::Stay;
        }
        if let (Secrets::Masked, Rights::View { because }) = (self.secrets, view.rights) {
            return LayerOutcome::Say(format!("secrets stay hidden: {because}"));
        }
        self.secrets = match self.secrets {
            Secrets::Masked => Secrets::Shown,
            Secrets::Shown => Secrets::Masked,
        };
        self.rebuild();
        match self.secrets {
            Secrets::Shown => LayerOutcome::Ask(Request::Revealed(self.key.clone())),
            Secrets::Masked => LayerOutcome::Stay,
        }
    }

    fn copied(&self) -> Option<String> {
        self.tree()?.copied(self.index()?)
    }
}

impl Layer for Inspect {
    fn context(&self) -> Context {
        if self.searching { Context::Filter } else { Context::Inspect }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.rows) {
            self.step(by);
            return LayerOutcome::Stay;
        }
        match action {
            Action::LayerClose => return self.close(),
            Action::SelectionOpen if self.searching => self.searching = false,
            // The line takes every other key of its own context.
            _ if self.searching => return LayerOutcome::Stay,
            Action::FilterEdit if self.tree().is_some() => {
                self.reading = None;
                self.before = self.index().unwrap_or(0);
                self.searching = true;
            }
            Action::SelectionOpen | Action::RowMark | Action::GroupFold => self.toggle(),
            Action::ListMoveLeft => self.leave(),
            Action::ListMoveRight => self.enter(),
            Action::InspectFoldAll => self.fold_all(true),
            Action::InspectUnfoldAll => self.fold_all(false),
            Action::InspectReveal => return self.reveal(view),
            Action::InspectFindNext => self.find_beside(true),
            Action::InspectFindPrevious => self.find_beside(false),
            Action::SelectionCopyName => return self.copied().map_or(LayerOutcome::Stay, |text| LayerOutcome::Ask(Request::Copy(text))),
            Action::SelectionCopyId => return LayerOutcome::Ask(Request::Copy(self.key.id.to_string())),
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        if self.searching && self.search.handle(event) {
            self.find();
        }
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        if self.searching {
            self.search.paste(text);
            self.find();
        }
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn is_private(&self) -> bool {
        self.secrets == Secrets::Shown
    }

    fn answer(&mut self, answer: &Answer) {
        if answer.request != self.request {
            return;
        }
        match &answer.result {
            Ok(document) => {
                self.raw = Some(document.clone());
                self.rebuild();
            }
            Err(error) => self.found = Found::Failed(clean_line(error)),
        }
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        if area.height < 3 {
            return;
        }
        self.render_title(buffer, area, view);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        self.render_foot(buffer, Rect { y: area.bottom() - 1, height: 1, ..area }, view);
        let text = view.theme.style(Role::Text);
        match &self.found {
            Found::Asked => {
                Pen::new(buffer, body, 1).skip(1).text(&format!("asking {} …", self.key.host), view.theme.style(Role::TextDim));
            }
            Found::Failed(error) => {
                let said = match error.to_ascii_lowercase().contains("no such container") {
                    true => format!("{} no longer knows this container", self.key.host),
                    false => format!("{}: {error}", self.key.host),
                };
                let mut pen = Pen::new(buffer, body, 1);
                pen.skip(1).text(view.theme.symbol(Symbol::Bad), view.theme.style(Role::StateBad)).skip(1).text(&said, text);
            }
            Found::Document(_) if self.reading.is_some() => self.render_whole(buffer, body, view),
            Found::Document(_) => {
                let whole = if body.height >= 12 { body.height / 4 } else { 0 };
                self.render_lines(buffer, Rect { height: body.height - whole, ..body }, view);
                self.render_value(buffer, Rect { y: body.bottom() - whole, height: whole, ..body }, view);
            }
        }
    }
}

impl Inspect {
    fn render_title(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let state = match view.fleet.container(&self.key) {
            Some(container) => {
                self.name = Some(container.name.to_string());
                match view.is_stale(&self.key.host) {
                    true => format!("{} (last known)", container.state),
                    false => container.state.to_string(),
                }
            }
            None => "gone: this is how it was".to_owned(),
        };
        let name = self.name.as_deref().unwrap_or(self.key.id.short());
        let found = match (self.search.text(), self.matches.len()) {
            ("", _) => String::new(),
            (wanted, 0) => format!(" nothing contains {wanted:?} "),
            (_, count) => {
                let place = self.index().and_then(|index| self.matches.iter().position(|other| *other == index));
                place.map_or_else(|| format!(" {count} matches "), |place| format!(" match {} of {count} ", place + 1))
            }
        };
        let shown = match self.secrets {
            Secrets::Masked => "",
            Secrets::Shown => "secrets are shown · ",
        };
        let title = match &self.heading {
            Some(heading) => format!(" {heading} "),
            None => format!(" {shown}{name} · {} · {state} ", self.key.host),
        };
        frame::rule(buffer, area, 0, &title, &found, view);
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
        let hints = [
            (Action::SelectionOpen, "fold, read"),
            (Action::FilterEdit, "search"),
            (Action::InspectFindNext, "next"),
            (Action::InspectFindPrevious, "previous"),
            (Action::SelectionCopyName, "copy value"),
            (Action::InspectReveal, if self.is_private() { "hide secrets" } else { "show secrets" }),
            (Action::InspectFoldAll, "fold all"),
            (Action::InspectUnfoldAll, "unfold all"),
            (Action::LayerClose, "close"),
        ];
        for (action, word) in hints {
            if let Some(key) = view.keymap.reverse(action, &[Context::Inspect, Context::Global])
                && width(key) + 1 + width(word) <= pen.left()
            {
                pen.text(key, theme.style(Role::HintKey)).skip(1).text(word, theme.style(Role::HintText)).skip(2);
            }
        }
    }

    fn render_lines(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let Found::Document(tree) = &self.found else { return };
        self.rows = usize::from(area.height).max(1);
        self.at = self.at.min(tree.visible().len().saturating_sub(1));
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(self.rows)).min(tree.visible().len().saturating_sub(self.rows));
        let shown = tree.visible().iter().enumerate().skip(self.top).take(self.rows);
        for ((place, index), row) in shown.zip(0..area.height) {
            let Some(node) = tree.node(*index) else { continue };
            let is_current = place == self.at;
            let ground = if is_current { view.theme.style(Role::TableCursor) } else { Style::default() };
            if is_current {
                Pen::new(buffer, area, row).fill(" ", ground);
            }
            let mut pen = Pen::new(buffer, area, row);
            let fold = match (node.is_branch(), node.is_folded(), view.theme.is_ascii()) {
                (false, ..) => " ",
                (true, true, false) => "▸",
                (true, false, false) => "▾",
                (true, true, true) => "+",
                (true, false, true) => "-",
            };
            pen.skip(1 + INDENT.saturating_mul(node.depth)).text(fold, ground.patch(view.theme.style(Role::TextDim))).skip(1);
            if let Some(key) = &node.key {
                self.marked(&mut pen, key, ground.patch(view.theme.style(Role::InspectKey)), ground, view);
                pen.skip(2);
            }
            let role = match &node.held {
                Held::Text(_) => Role::InspectString,
                Held::Number(_) => Role::InspectNumber,
                Held::Literal(_) => Role::InspectLiteral,
                Held::Object(_) | Held::Array(_) | Held::Note(_) => Role::TextDim,
            };
            let style = ground.patch(view.theme.style(role));
            match &node.held {
                Held::Text(text) => self.marked(&mut pen, text, style, ground, view),
                // The lines that follow say it all.
                Held::Object(_) | Held::Array(_) if node.is_branch() && !node.is_folded() => {}
                Held::Object(_) | Held::Array(_) | Held::Number(_) | Held::Literal(_) | Held::Note(_) => {
                    self.marked(&mut pen, &node.value(), style, ground, view);
                }
            }
        }
    }

    /// Text with what the search found in it marked.
    fn marked(&self, pen: &mut Pen<'_>, text: &str, style: Style, ground: Style, view: &View<'_>) {
        let shown = view.theme.fit(text, pen.left());
        let shown = if view.theme.is_ascii() { shown.replace('•', "*") } else { shown.into_owned() };
        let hit = ground.patch(view.theme.style(Role::MatchText));
        let mut at = 0;
        for found in find_folded(&shown, self.search.text()) {
            pen.text(&shown[at..found.start], style).text(&shown[found.clone()], hit);
            at = found.end;
        }
        pen.text(&shown[at..], style);
    }

    /// The whole value of the line under the cursor, as far as there is room.
    fn render_value(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let (Some(tree), Some(index), Some(node)) = (self.tree(), self.index(), self.node()) else { return };
        if area.height < 2 {
            return;
        }
        let rows = wrap(&whole(node), usize::from(area.width.saturating_sub(2)));
        let room = usize::from(area.height - 1);
        let open = view.keymap.reverse(Action::SelectionOpen, &[Context::Inspect, Context::Global]).unwrap_or_default();
        let more = if rows.len() > room { format!(" {} more lines · {open} reads ", rows.len() - room) } else { String::new() };
        frame::rule(buffer, area, 0, &format!(" {} ", tree.path(index)), &more, view);
        paint_rows(buffer, area, rows.iter().take(room), view);
    }

    /// The same over the whole body, scrolling.
    fn render_whole(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let (Some(tree), Some(index), Some(node)) = (self.tree(), self.index(), self.node()) else { return };
        let rows = wrap(&whole(node), usize::from(area.width.saturating_sub(2)));
        let room = usize::from(area.height.saturating_sub(1)).max(1);
        let first = self.reading.unwrap_or(0).min(rows.len().saturating_sub(room));
        let last = (first + room).min(rows.len());
        frame::rule(buffer, area, 0, &format!(" {} ", tree.path(index)), &format!(" lines {}–{last} of {} ", first + 1, rows.len()), view);
        paint_rows(buffer, area, rows.iter().skip(first).take(room), view);
        self.reading = Some(first);
        self.rows = room;
    }
}

/// A line's value in full, without quotes.
fn whole(node: &Node) -> String {
    match &node.held {
        Held::Text(text) => text.clone(),
        Held::Object(_) | Held::Array(_) | Held::Number(_) | Held::Literal(_) | Held::Note(_) => node.value(),
    }
}

fn paint_rows<'r>(buffer: &mut Buffer, area: Rect, rows: impl Iterator<Item = &'r String>, view: &View<'_>) {
    for (line, row) in rows.zip(1..area.height) {
        let line = if view.theme.is_ascii() { line.replace('•', "*") } else { line.clone() };
        Pen::new(buffer, area, row).skip(1).text(&line, view.theme.style(Role::InspectString));
    }
}

/// Clean text in rows of at most this many cells; at least one row.
fn wrap(text: &str, cells: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = width(grapheme);
        if used + next > cells && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
        used += next;
    }
    rows
}
