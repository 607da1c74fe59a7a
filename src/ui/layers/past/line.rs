//! The line in which the past's filter or a moment is typed. It counts from enter on, for what is half typed lists nothing.

use chrono::{DateTime, Local, Utc};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::PastChoice;
use crate::{
    action::{Action, Context},
    board::past::Filter,
    text::{TimeSpec, TimeSpecError},
    ui::{
        layers::{InputLine, Layer, LayerOutcome},
        theme::Role,
        view::View,
        widgets::Pen,
    },
};

/// How many completions are shown above the line.
const OFFERED: usize = 8;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Filter,
    Moment,
}

/// The open line.
pub struct PastLine {
    purpose: Purpose,
    input: InputLine,
}

impl PastLine {
    /// For a filter; it begins with the one in force.
    pub fn filter(text: &str) -> Self {
        Self { purpose: Purpose::Filter, input: InputLine::new(text) }
    }

    /// For a moment.
    pub fn moment() -> Self {
        Self { purpose: Purpose::Moment, input: InputLine::default() }
    }

    /// What it means, or why nothing.
    fn read(&self, view: &View<'_>) -> Result<PastChoice, String> {
        let text = self.input.text().trim();
        match self.purpose {
            Purpose::Filter => Filter::parse(text).map(PastChoice::Filter).map_err(|error| error.to_string()),
            Purpose::Moment => moment(text, view.now).map(PastChoice::Moment).map_err(|error| error.to_string()),
        }
    }

    fn offered(&self, view: &View<'_>) -> Vec<String> {
        match (self.purpose, &view.board.past.deployments) {
            (Purpose::Filter, Some(listed)) => Filter::completions(self.input.text(), &listed.rows),
            (Purpose::Filter, None) => Filter::completions(self.input.text(), &[]),
            (Purpose::Moment, _) => Vec::new(),
        }
    }

    fn complete(&mut self, view: &View<'_>) -> LayerOutcome {
        if let Some(term) = self.offered(view).first() {
            let text = self.input.text();
            let kept = text.rfind(' ').map_or("", |at| &text[..=at]);
            self.input = InputLine::new(&format!("{kept}{term}"));
        }
        LayerOutcome::Stay
    }
}

fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, TimeSpecError> {
    Ok(text.parse::<TimeSpec>()?.resolve(&now.with_timezone(&Local)))
}

impl Layer for PastLine {
    fn context(&self) -> Context {
        Context::Filter
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        match action {
            Action::LayerClose => LayerOutcome::Close,
            Action::SelectionOpen if self.purpose == Purpose::Moment && self.input.text().trim().is_empty() => LayerOutcome::Close,
            // What is wrong with it stands above the line.
            Action::SelectionOpen => self.read(view).map_or(LayerOutcome::Stay, LayerOutcome::PastChosen),
            Action::PaneNext => self.complete(view),
            _ => LayerOutcome::Stay,
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        if event.code == KeyCode::Tab {
            return self.complete(view);
        }
        self.input.handle(event);
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.input.paste(text);
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        Pen::new(buffer, line, 0).fill(" ", theme.style(Role::LayerGround));
        let (prompt, example) = match self.purpose {
            Purpose::Filter => ("filter ", " app:shop environment:production by:ana since:2d outcome:failed · enter lists · esc cancels"),
            Purpose::Moment => ("what ran at ", " 03:12 · yesterday 03:12 · 2h · 2026-11-20 03:12 · enter shows · esc cancels"),
        };
        let mut pen = Pen::new(buffer, line, 0);
        pen.skip(1).text(prompt, theme.style(Role::InputPrompt));
        let input = Rect { x: pen.at(), width: line.right().saturating_sub(pen.at()), ..line };
        if self.input.text().is_empty() {
            Pen::new(buffer, input, 0).text(example, theme.style(Role::InputPrompt));
        }
        self.input.render(input, buffer, theme);
        let above = Rect { y: line.y.saturating_sub(1), ..line };
        let offered = self.offered(view);
        let is_half = offered.iter().any(|term| term.starts_with(self.input.text().rsplit(' ').next().unwrap_or_default()));
        let told = match (self.read(view), self.input.text().trim()) {
            (_, "") => return,
            // A word that may still become one is no mistake yet.
            (Err(_), _) if is_half => None,
            (Err(error), _) => Some((error, Role::StateAttention)),
            (Ok(PastChoice::Moment(at)), _) => Some((at.with_timezone(&Local).format("%a %d %b %Y %H:%M:%S").to_string(), Role::Text)),
            (Ok(PastChoice::Filter(_)), _) => None,
        };
        if told.is_none() && offered.is_empty() {
            return;
        }
        Pen::new(buffer, above, 0).fill(" ", theme.style(Role::LayerGround));
        let mut pen = Pen::new(buffer, above, 0);
        pen.skip(1);
        match told {
            Some((words, role)) => drop(pen.text(&words, theme.style(role))),
            None => {
                pen.text("tab", theme.style(Role::HintKey)).skip(2);
                for (index, term) in offered.iter().take(OFFERED).enumerate() {
                    pen.text_if_fits(term, theme.style(if index == 0 { Role::Text } else { Role::TextDim })).skip(2);
                }
            }
        }
    }
}
