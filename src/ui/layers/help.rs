//! The live table of keys: what holds here, from the loaded keymap and the catalogue, and what is hidden by what.
//!
//! Owns scroll and search. The rows are made when it opens: a keymap does not change under it.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    frame,
    input::InputLine,
    outcome::{Layer, LayerOutcome},
};
use crate::{
    action::{Action, Context},
    text::width,
    ui::{
        keymap::Keymap,
        theme::{Role, Theme},
        view::View,
    },
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Heading(Context),
    Key { keys: String, action: Action, doc: String, hidden_by: Option<Context> },
}

/// The open help.
#[derive(Debug)]
pub struct Help {
    title: String,
    contexts: [Context; 2],
    lines: Vec<Line>,
    /// Lines that match the search.
    shown: Vec<usize>,
    top: usize,
    search: InputLine,
    searching: bool,
}

impl Help {
    /// Opens it for what has the focus: a panel, or the layer above it.
    pub fn open(keymap: &Keymap, panel: Context, layer: Option<Context>) -> Self {
        let contexts = Context::focus(panel, layer);
        let mut lines: Vec<Line> = Vec::new();
        for context in contexts {
            let mut rows: Vec<Line> = Vec::new();
            for listed in keymap.listed(&contexts).into_iter().filter(|listed| listed.context == context) {
                let binding = listed.binding;
                // Keys with one meaning share a line.
                let twin = rows.iter_mut().find_map(|line| match line {
                    Line::Key { keys, action, doc, hidden_by }
                        if *action == binding.action && doc == binding.doc() && *hidden_by == listed.hidden_by =>
                    {
                        Some(keys)
                    }
                    Line::Key { .. } | Line::Heading(_) => None,
                });
                match twin {
                    Some(keys) => *keys = format!("{keys}  {}", binding.shown),
                    None => rows.push(Line::Key {
                        keys: binding.shown.clone(),
                        action: binding.action,
                        doc: binding.doc().to_owned(),
                        hidden_by: listed.hidden_by,
                    }),
                }
            }
            if !rows.is_empty() {
                lines.push(Line::Heading(context));
                lines.append(&mut rows);
            }
        }
        let title = format!("Keys · {} · keymap {}", contexts[0], keymap.name());
        let mut help = Self { title, contexts, lines, shown: Vec::new(), top: 0, search: InputLine::default(), searching: false };
        help.find();
        help
    }

    /// The context in which its keys are looked up: typing a search takes plain characters.
    pub fn context(&self) -> Context {
        if self.searching { Context::Filter } else { Context::Help }
    }

    /// Answers an action that the keymap found for a key (context [`Help::context`]).
    pub fn act(&mut self, action: Action) -> LayerOutcome {
        let last = self.shown.len().saturating_sub(1);
        match action {
            Action::LayerClose if self.searching || !self.search.text().is_empty() => {
                self.searching = false;
                self.search = InputLine::default();
                self.find();
            }
            Action::LayerClose => return LayerOutcome::Close,
            Action::SelectionOpen if self.searching => self.searching = false,
            Action::FilterEdit => self.searching = true,
            Action::ListMoveDown => self.top = (self.top + 1).min(last),
            Action::ListMoveUp => self.top = self.top.saturating_sub(1),
            Action::ListPageDown => self.top = (self.top + 10).min(last),
            Action::ListPageUp => self.top = self.top.saturating_sub(10),
            Action::ListMoveFirst => self.top = 0,
            Action::ListMoveLast => self.top = last,
            // Whatever else there is or will be is the console's to decide.
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    /// Takes a key that is bound to nothing.
    pub fn type_key(&mut self, event: KeyEvent) -> LayerOutcome {
        if !self.searching {
            return LayerOutcome::Pass;
        }
        if self.search.handle(event) {
            self.find();
        }
        LayerOutcome::Stay
    }

    /// Takes pasted text, while a search is typed.
    pub fn paste(&mut self, text: &str) {
        if self.searching {
            self.search.paste(text);
            self.find();
        }
    }

    fn find(&mut self) {
        self.top = 0;
        let wanted = self.search.text().to_lowercase();
        let hit = |line: &Line| match line {
            Line::Heading(_) => false,
            Line::Key { keys, action, doc, .. } => {
                keys.to_lowercase().contains(&wanted) || action.id().contains(&wanted) || doc.to_lowercase().contains(&wanted)
            }
        };
        self.shown.clear();
        let mut heading = None;
        for (index, line) in self.lines.iter().enumerate() {
            match line {
                Line::Heading(_) => heading = Some(index),
                Line::Key { .. } if hit(line) => {
                    self.shown.extend(heading.take());
                    self.shown.push(index);
                }
                Line::Key { .. } => {}
            }
        }
    }

    /// Paints it over `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: &Theme, keymap: &Keymap) {
        let rows = u16::try_from(self.lines.len() + 4).unwrap_or(u16::MAX);
        let box_area = frame::centred(area, 100, rows.max(8));
        let title = if theme.is_ascii() { self.title.replace('·', "-") } else { self.title.clone() };
        let inside = frame::paint(box_area, buf, theme, &title, &self.foot(keymap));
        if inside.height < 2 {
            return;
        }
        if self.searching || !self.search.text().is_empty() {
            buf.set_stringn(inside.x, inside.y, "/ ", 2, theme.style(Role::InputPrompt));
            self.search.render(Rect::new(inside.x + 2, inside.y, inside.width.saturating_sub(2), 1), buf, theme);
        } else {
            buf.set_stringn(inside.x, inside.y, self.contexts[0].doc(), usize::from(inside.width), theme.style(Role::TextDim));
        }
        let rows = usize::from(inside.height - 1);
        // Scrolled no farther than the last page, whatever was asked for.
        let top = self.top.min(self.shown.len().saturating_sub(rows));
        let visible = self.shown.iter().skip(top).take(rows).filter_map(|index| self.lines.get(*index));
        for (line, y) in visible.zip(inside.y + 1..) {
            row(line, Rect::new(inside.x, y, inside.width, 1), buf, theme);
        }
        if self.shown.is_empty() {
            buf.set_stringn(inside.x, inside.y + 1, "nothing matches", usize::from(inside.width), theme.style(Role::TextDim));
        }
    }

    fn foot(&self, keymap: &Keymap) -> String {
        let contexts = [self.context(), Context::Global];
        let mut hints = vec![(Action::ListPageDown, "page")];
        if !self.searching {
            hints.push((Action::FilterEdit, "search"));
        }
        hints.push((Action::LayerClose, "close"));
        let shown = hints.iter().filter_map(|(action, word)| Some(format!("{} {word}", keymap.reverse(*action, &contexts)?)));
        shown.collect::<Vec<_>>().join("  ")
    }
}

fn row(line: &Line, at: Rect, buf: &mut Buffer, theme: &Theme) {
    let cells = usize::from(at.width);
    match line {
        Line::Heading(context) => {
            buf.set_stringn(at.x, at.y, context.name(), cells, theme.style(Role::TableGroup));
        }
        Line::Key { keys, action, doc, hidden_by } => {
            let (key_style, doc_style) = match hidden_by {
                None => (theme.style(Role::HintKey), theme.style(Role::Text)),
                Some(_) => (theme.style(Role::HintDenied), theme.style(Role::HintDenied)),
            };
            buf.set_string(at.x + 1, at.y, theme.fit(keys, 14.min(cells.saturating_sub(1))), key_style);
            let doc = match hidden_by {
                None => doc.clone(),
                Some(context) if context.takes_text() => format!("edits the text in {context}"),
                Some(context) => format!("hidden here by {context}: {doc}"),
            };
            let room = cells.saturating_sub(17);
            // The id, where there is room for both: it is what a keymap file says.
            let id = action.id();
            let with_id = room > width(&doc) + width(id) + 2;
            buf.set_string(at.x + 17.min(at.width), at.y, theme.fit(&doc, room), doc_style);
            if with_id {
                let x = at.right().saturating_sub(u16::try_from(width(id)).unwrap_or(0));
                buf.set_string(x, at.y, id, theme.style(Role::TextDim));
            }
        }
    }
}

impl Layer for Help {
    fn context(&self) -> Context {
        Help::context(self)
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        Help::act(self, action)
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        Help::type_key(self, event)
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        Help::render(self, area, buffer, view.theme, view.keymap);
    }
}
