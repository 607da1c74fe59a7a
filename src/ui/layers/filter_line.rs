//! The line of the live filter: what is typed selects at once; `esc` brings back what was there before.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{InputLine, Layer, LayerOutcome};
use crate::{
    action::{Action, Context},
    fleet::selector::Selector,
    ui::{screen::Request, theme::Role, view::View, widgets::Pen},
};

/// How many completions are shown above the line.
const OFFERED: usize = 8;

/// The open line.
pub struct FilterLine {
    input: InputLine,
    before: String,
}

impl FilterLine {
    /// Opens it on the filter in force.
    pub fn open(view: &View<'_>) -> Self {
        Self { input: InputLine::new(view.filter.text()), before: view.filter.text().to_owned() }
    }

    fn typed(&self) -> LayerOutcome {
        LayerOutcome::Ask(Request::Filter(self.input.text().to_owned()))
    }

    /// Takes the first completion of the term at the end of the line.
    fn complete(&mut self, view: &View<'_>) -> LayerOutcome {
        let text = self.input.text();
        match Selector::completions(text, text.len(), view.fleet).first() {
            Some(term) => {
                let completed = format!("{}{term}", &text[..Selector::term_at(text, text.len()).start]);
                self.input = InputLine::new(&completed);
                self.typed()
            }
            None => LayerOutcome::Stay,
        }
    }
}

impl Layer for FilterLine {
    fn context(&self) -> Context {
        Context::Filter
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        match action {
            Action::LayerClose => LayerOutcome::Finish(Request::Filter(self.before.clone())),
            Action::SelectionOpen => LayerOutcome::Close,
            Action::PaneNext => self.complete(view),
            _ => LayerOutcome::Stay,
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        if event.code == KeyCode::Tab {
            return self.complete(view);
        }
        if self.input.handle(event) { self.typed() } else { LayerOutcome::Stay }
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.input.paste(text);
        self.typed()
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        let mut pen = Pen::new(buffer, line, 0);
        pen.fill(" ", theme.style(Role::LayerGround));
        let mut pen = Pen::new(buffer, line, 0);
        pen.skip(1).text("filter ", theme.style(Role::InputPrompt));
        let at = pen.at();
        let input = Rect { x: at, width: line.right().saturating_sub(at), ..line };
        if self.input.text().is_empty() {
            let example = " app:shop env:production !host:test-* health:unhealthy name:/^web/ · tab completes · esc cancels";
            Pen::new(buffer, input, 0).text(example, theme.style(Role::InputPrompt));
        }
        self.input.render(input, buffer, theme);
        let above = Rect { y: line.y.saturating_sub(1), ..line };
        if let Some(error) = view.filter.error() {
            Pen::new(buffer, above, 0).fill(" ", theme.style(Role::LayerGround));
            Pen::new(buffer, above, 0).skip(1).text(error, theme.style(Role::StateAttention));
            return;
        }
        let text = self.input.text();
        let offered = Selector::completions(text, text.len(), view.fleet);
        if text.is_empty() || offered.is_empty() {
            return;
        }
        Pen::new(buffer, above, 0).fill(" ", theme.style(Role::LayerGround));
        let mut pen = Pen::new(buffer, above, 0);
        pen.skip(1).text("tab", theme.style(Role::HintKey)).skip(2);
        for (index, term) in offered.iter().take(OFFERED).enumerate() {
            pen.text_if_fits(term, theme.style(if index == 0 { Role::Text } else { Role::TextDim })).skip(2);
        }
    }
}
