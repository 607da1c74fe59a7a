//! The command palette: type a few letters, see the actions, hosts and services that match, with the keys that
//! would have done the same.
//!
//! Owns the typed text, the ranking and the cursor. It runs nothing: it answers with what was chosen.

use crossterm::event::KeyEvent;
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    frame,
    input::InputLine,
    outcome::{Destination, Layer, LayerOutcome},
};
use crate::{
    action::{Action, Availability, Context, Denial, Selected, availability},
    rights::Rights,
    text::width,
    ui::{
        keymap::Keymap,
        theme::{Role, Symbol, Theme},
        view::View,
    },
};

/// A place that the palette offers beside the actions; the texts are clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What is typed to find it: `app-03`, `shop/web`.
    pub name: String,
    /// What tells it from others: `host, live`, `service, 3 environments`.
    pub detail: String,
    /// Where it leads.
    pub to: Destination,
}

/// Where the palette was opened: it greys what cannot run there, and hints the keys that hold there.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The panel in front.
    pub panel: Context,
    /// Whether the console may only look.
    pub read_only: bool,
    /// What the cursor is on.
    pub selected: Selected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Action(Action, Option<Denial>),
    Place(usize),
}

/// The open palette.
#[derive(Debug)]
pub struct Palette {
    input: InputLine,
    panel: Context,
    /// Everything, in the order shown while nothing is typed.
    entries: Vec<Entry>,
    places: Vec<Place>,
    /// What matches, best first: index into `entries`, and the matched characters of the name.
    found: Vec<(usize, Vec<u32>)>,
    cursor: usize,
    matcher: Matcher,
}

impl Palette {
    /// Opens it. What can run stands before what cannot; places come last.
    pub fn open(at: Opened, places: Vec<Place>) -> Self {
        let judged = |action: &Action| match availability(*action, at.read_only, at.panel, at.selected) {
            Availability::Allowed => Entry::Action(*action, None),
            Availability::Denied(denial) => Entry::Action(*action, Some(denial)),
        };
        let offered = Action::ALL.iter().filter(|action| !is_inside(**action));
        let (can, cannot): (Vec<Entry>, Vec<Entry>) = offered.map(judged).partition(|entry| matches!(entry, Entry::Action(_, None)));
        let entries = can.into_iter().chain(cannot).chain((0..places.len()).map(Entry::Place)).collect();
        let matcher = Matcher::new(Config::DEFAULT);
        let mut palette = Self { input: InputLine::default(), panel: at.panel, entries, places, found: Vec::new(), cursor: 0, matcher };
        palette.search();
        palette
    }

    /// Answers an action that the keymap found for a key (context [`Context::Palette`]).
    pub fn act(&mut self, action: Action) -> LayerOutcome {
        let last = self.found.len().saturating_sub(1);
        match action {
            Action::LayerClose => return LayerOutcome::Close,
            Action::SelectionOpen => return self.choose(),
            Action::ListMoveDown => self.cursor = if self.cursor >= last { 0 } else { self.cursor + 1 },
            Action::ListMoveUp => self.cursor = self.cursor.checked_sub(1).unwrap_or(last),
            Action::ListPageDown => self.cursor = (self.cursor + 10).min(last),
            Action::ListPageUp => self.cursor = self.cursor.saturating_sub(10),
            // Whatever else there is or will be is the console's to decide.
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    /// Takes a key that is bound to nothing, or that edits the line.
    pub fn type_key(&mut self, event: KeyEvent) -> LayerOutcome {
        if self.input.handle(event) {
            self.search();
        }
        LayerOutcome::Stay
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.search();
    }

    fn choose(&self) -> LayerOutcome {
        match self.found.get(self.cursor).and_then(|(index, _)| self.entries.get(*index)) {
            Some(Entry::Action(action, None)) => LayerOutcome::Run(*action),
            // Greyed, and its reason is on the screen.
            Some(Entry::Action(_, Some(_))) | None => LayerOutcome::Stay,
            Some(Entry::Place(index)) => self.places.get(*index).map_or(LayerOutcome::Stay, |place| LayerOutcome::Go(place.to.clone())),
        }
    }

    fn search(&mut self) {
        self.cursor = 0;
        // Words in any order, so that "copy name" finds selection.copy-name. A name matches by scattered letters, a
        // sentence only by whole pieces: nearly every sentence holds any four letters somewhere.
        let (ignore, smart) = (CaseMatching::Ignore, Normalization::Smart);
        let by_letters = Pattern::new(self.input.text(), ignore, smart, AtomKind::Fuzzy);
        let by_pieces = Pattern::new(self.input.text(), ignore, smart, AtomKind::Substring);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize, Vec<u32>)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let (name, detail) = match entry {
                Entry::Action(action, _) => (action.id(), action.row().doc),
                Entry::Place(place) => match self.places.get(*place) {
                    Some(place) => (place.name.as_str(), place.detail.as_str()),
                    None => continue,
                },
            };
            let mut marks = Vec::new();
            // A match within the name counts double: who types letters of a name means the name.
            let in_name = by_letters.indices(Utf32Str::new(name, &mut buffer), &mut self.matcher, &mut marks).map(|score| 2 * score);
            let both = format!("{name} {detail}");
            let score = in_name.or_else(|| {
                marks.clear();
                by_pieces.score(Utf32Str::new(&both, &mut buffer), &mut self.matcher)
            });
            if let Some(score) = score {
                marks.sort_unstable();
                scored.push((score, index, marks));
            }
        }
        // Stable: what scores equally keeps the order of the catalogue.
        scored.sort_by_key(|(score, _, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, index, marks)| (index, marks)).collect();
    }

    /// Paints it over `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: &Theme, keymap: &Keymap) {
        let box_area = frame::centred(area, 100, area.height.saturating_sub(4).max(8));
        let total = self.entries.len();
        let inside = frame::paint(box_area, buf, theme, "Find an action, a host or a service", &self.foot(keymap));
        if inside.height < 2 {
            return;
        }
        let count = format!("{} of {total}", self.found.len());
        let line = Rect { height: 1, ..inside };
        buf.set_stringn(line.x, line.y, ": ", 2, theme.style(Role::InputPrompt));
        let reserved = u16::try_from(count.len()).unwrap_or(0) + 3;
        self.input.render(Rect::new(line.x + 2, line.y, line.width.saturating_sub(reserved), 1), buf, theme);
        let x = line.right().saturating_sub(u16::try_from(count.len()).unwrap_or(0));
        buf.set_string(x, line.y, &count, theme.style(Role::TextDim));
        let list = Rect::new(inside.x, inside.y + 1, inside.width, inside.height - 1);
        let rows = usize::from(list.height);
        let first = (self.cursor + 1).saturating_sub(rows);
        for (slot, (index, marks)) in self.found.iter().enumerate().skip(first).take(rows) {
            let y = list.y + u16::try_from(slot - first).unwrap_or(0);
            if let Some(entry) = self.entries.get(*index) {
                self.row(Rect::new(list.x, y, list.width, 1), buf, theme, keymap, (entry, marks, slot == self.cursor));
            }
        }
        if self.found.is_empty() {
            buf.set_stringn(list.x + 2, list.y, "nothing matches", usize::from(list.width), theme.style(Role::TextDim));
        }
    }

    fn row(&self, at: Rect, buf: &mut Buffer, theme: &Theme, keymap: &Keymap, (entry, marks, current): (&Entry, &[u32], bool)) {
        let contexts = Context::focus(self.panel, None);
        let (name, detail, key, denied) = match entry {
            Entry::Action(action, None) => {
                (action.id(), action.row().doc.to_owned(), keymap.reverse(*action, &contexts).unwrap_or(""), false)
            }
            Entry::Action(action, Some(denial)) => (action.id(), denial.to_string(), "", true),
            Entry::Place(index) => match self.places.get(*index) {
                Some(place) => (place.name.as_str(), place.detail.clone(), "", false),
                None => return,
            },
        };
        if current {
            buf.set_style(at, theme.style(Role::LayerCursor));
            buf.set_string(at.x, at.y, theme.symbol(Symbol::Cursor), theme.style(Role::Accent));
        }
        let plain = match (denied, current) {
            (true, _) => theme.style(Role::HintDenied),
            (false, true) => theme.style(Role::LayerCursor),
            (false, false) => theme.style(Role::Text),
        };
        let cells = usize::from(at.width);
        let name_cells = 25.min(cells.saturating_sub(2));
        // The matcher counts graphemes, and so must the marks.
        let mut x = at.x + 2;
        for (index, grapheme) in theme.fit(name, name_cells).graphemes(true).enumerate() {
            let hit = !denied && marks.iter().any(|mark| usize::try_from(*mark) == Ok(index));
            let style = if hit { theme.style(Role::MatchText) } else { plain };
            x = buf.set_stringn(x, at.y, grapheme, width(grapheme), style).0;
        }
        let key_cells = width(key);
        let room = cells.saturating_sub(name_cells + 4 + key_cells);
        let dim = if denied { theme.style(Role::HintDenied) } else { theme.style(Role::TextDim) };
        let x = at.x + u16::try_from(name_cells + 3).unwrap_or(0);
        if room > 0 {
            buf.set_string(x, at.y, theme.fit(&detail, room), dim);
            let x = at.right().saturating_sub(u16::try_from(key_cells).unwrap_or(0));
            buf.set_string(x, at.y, key, theme.style(Role::HintKey));
        }
    }

    fn foot(&self, keymap: &Keymap) -> String {
        let contexts = Context::focus(self.panel, Some(Context::Palette));
        let hints = [(Action::SelectionOpen, "run"), (Action::ListMoveDown, "next"), (Action::LayerClose, "close")];
        let shown = hints.iter().filter_map(|(action, word)| Some(format!("{} {word}", keymap.reverse(*action, &contexts)?)));
        shown.collect::<Vec<_>>().join("  ")
    }
}

/// What only moves within the palette itself, or opens it, is no choice in it.
fn is_inside(action: Action) -> bool {
    action.row().repeatable || matches!(action, Action::GlobalOpenPalette | Action::LayerClose)
}

impl Palette {
    /// Opens it where the cursor is, with every host and service of the fleet to go to.
    pub fn over(panel: Context, selected: Selected, view: &View<'_>) -> Self {
        let hosts = view.fleet.hosts().map(|host| Place {
            name: host.spec.id.to_string(),
            detail: format!("host, {}", host.link),
            to: Destination::Host(host.spec.id.clone()),
        });
        let services = view.matrix.rows().iter().map(|row| Place {
            name: row.service.to_string(),
            detail: "service".to_owned(),
            to: Destination::Service(row.service.clone()),
        });
        let read_only = matches!(view.rights, Rights::View { .. });
        Self::open(Opened { panel, read_only, selected }, hosts.chain(services).collect())
    }
}

impl Layer for Palette {
    fn context(&self) -> Context {
        Context::Palette
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        Palette::act(self, action)
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        Palette::type_key(self, event)
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        Palette::paste(self, text);
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        Palette::render(self, area, buffer, view.theme, view.keymap);
    }
}
