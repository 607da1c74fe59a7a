//! The line in which a regular expression is typed: for the search in what is held, for a filter, or for a search of the whole logs.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::{Action, Context},
    logs::{Filter, LogWish, Search, Tape, search::Term},
    text::{count, counted},
    ui::{
        layers::{InputLine, Layer, LayerOutcome},
        screen::Request,
        theme::Role,
        view::View,
        widgets::Pen,
    },
};

/// So many filters are listed; older ones are counted.
const LISTED: usize = 6;

/// What the expression is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// What is typed is looked for at once; `esc` brings back what was looked for before.
    Search { before: String },
    /// Lines that match are the only ones shown.
    Include,
    /// Lines that match are hidden.
    Exclude,
    /// The whole logs are searched when it is complete.
    Hunt,
}

/// The open line.
pub struct PatternLine {
    purpose: Purpose,
    input: InputLine,
    error: Option<String>,
}

impl PatternLine {
    /// For a search among the held lines.
    pub fn search(tape: &Tape) -> Self {
        let before = tape.shelf().search().map_or("", Search::text).to_owned();
        Self::new(Purpose::Search { before: before.clone() }, &before)
    }

    /// For one more filter.
    pub fn filter(_: &Tape) -> Self {
        Self::new(Purpose::Include, "")
    }

    /// For a search of the whole logs; it begins with what is looked for here.
    pub fn hunt(tape: &Tape) -> Self {
        Self::new(Purpose::Hunt, tape.shelf().search().map_or("", Search::text))
    }

    fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, input: InputLine::new(text), error: None }
    }

    fn typed(&mut self) -> LayerOutcome {
        self.error = Filter::new().include(self.input.text()).err().map(|error| error.to_string());
        match (&self.purpose, &self.error) {
            (Purpose::Search { .. }, None) => ask(LogWish::Search(self.input.text().to_owned())),
            (Purpose::Search { .. } | Purpose::Include | Purpose::Exclude | Purpose::Hunt, _) => LayerOutcome::Stay,
        }
    }

    fn turn(&mut self) {
        self.purpose = match &self.purpose {
            Purpose::Include => Purpose::Exclude,
            Purpose::Exclude => Purpose::Include,
            Purpose::Search { .. } | Purpose::Hunt => return,
        };
    }

    fn finish(&mut self) -> LayerOutcome {
        let text = self.input.text().to_owned();
        if self.error.is_some() {
            return LayerOutcome::Stay;
        }
        match &self.purpose {
            _ if text.is_empty() => LayerOutcome::Close,
            // To the newest that matches.
            Purpose::Search { .. } => LayerOutcome::Run(Action::LogsFindPrevious),
            Purpose::Include => LayerOutcome::Finish(Request::Logs(LogWish::Include(text))),
            Purpose::Exclude => LayerOutcome::Finish(Request::Logs(LogWish::Exclude(text))),
            Purpose::Hunt => LayerOutcome::Finish(Request::Logs(LogWish::Hunt(text))),
        }
    }

    fn takes_filters(&self) -> bool {
        matches!(self.purpose, Purpose::Include | Purpose::Exclude)
    }

    fn prompt(&self) -> (&'static str, &'static str) {
        match self.purpose {
            Purpose::Search { .. } => ("search ", "a regular expression · enter goes to the newest match · esc cancels"),
            Purpose::Include => ("only lines with ", "a regular expression · tab: without · backspace takes the newest filter off"),
            Purpose::Exclude => ("without lines with ", "a regular expression · tab: only · backspace takes the newest filter off"),
            Purpose::Hunt => ("search all logs ", "a regular expression · enter asks every host, for everything there is"),
        }
    }
}

fn ask(wish: LogWish) -> LayerOutcome {
    LayerOutcome::Ask(Request::Logs(wish))
}

impl Layer for PatternLine {
    fn context(&self) -> Context {
        Context::Filter
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match (action, &self.purpose) {
            (Action::LayerClose, Purpose::Search { before }) => LayerOutcome::Finish(Request::Logs(LogWish::Search(before.clone()))),
            (Action::LayerClose, _) => LayerOutcome::Close,
            (Action::SelectionOpen, _) => self.finish(),
            (Action::PaneNext | Action::PanePrevious, _) => {
                self.turn();
                LayerOutcome::Stay
            }
            _ => LayerOutcome::Stay,
        }
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        match event.code {
            KeyCode::Tab | KeyCode::BackTab => {
                self.turn();
                LayerOutcome::Stay
            }
            KeyCode::Backspace if self.takes_filters() && self.input.text().is_empty() => ask(LogWish::PopFilter),
            _ if self.input.handle(event) => self.typed(),
            _ => LayerOutcome::Stay,
        }
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.input.paste(text);
        self.typed()
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let Some(tape) = view.logs else { return };
        let theme = view.theme;
        let ground = theme.style(Role::LayerGround);
        let mut row = Rect { y: area.bottom() - 1, height: 1, ..area };
        Pen::new(buffer, row, 0).fill(" ", ground);
        let (prompt, example) = self.prompt();
        let mut pen = Pen::new(buffer, row, 0);
        pen.skip(1).text(prompt, theme.style(Role::InputPrompt));
        let input = Rect { x: pen.at(), width: row.right().saturating_sub(pen.at()), ..row };
        if self.input.text().is_empty() {
            Pen::new(buffer, input, 0).skip(1).text(example, theme.style(Role::InputPrompt));
        }
        self.input.render(input, buffer, theme);
        let shelf = tape.shelf();
        let told = match (&self.error, &self.purpose) {
            (Some(error), _) => vec![(Role::StateAttention, error.clone())],
            (None, Purpose::Search { .. }) => match shelf.search() {
                Some(search) => {
                    let more = if shelf.is_settled() { "" } else { "+" };
                    vec![(Role::Text, format!("{}{more} of {} lines", count(search.found().len() as u64), count(shelf.shown() as u64)))]
                }
                None => Vec::new(),
            },
            (None, Purpose::Include | Purpose::Exclude) => listed(shelf.filter().terms()),
            (None, Purpose::Hunt) => vec![(Role::Text, format!("{} of {}", counted(tape.cast().sources().len(), "log"), tape.title()))],
        };
        for (role, words) in told.into_iter().rev() {
            if row.y <= area.y {
                break;
            }
            row.y -= 1;
            Pen::new(buffer, row, 0).fill(" ", ground);
            Pen::new(buffer, row, 0).skip(1).text(&words, theme.style(role));
        }
    }
}

/// The filters that are on, the newest last.
fn listed(terms: &[Term]) -> Vec<(Role, String)> {
    let words = |term: &Term| match term {
        Term::Include(regex) => format!("only     {}", crate::text::clean_line(regex.as_str())),
        Term::Exclude(regex) => format!("without  {}", crate::text::clean_line(regex.as_str())),
    };
    let hidden = terms.len().saturating_sub(LISTED);
    let more = (hidden > 0).then(|| (Role::TextDim, format!("{hidden} older ones")));
    more.into_iter().chain(terms[hidden..].iter().map(|term| (Role::Text, words(term)))).collect()
}
