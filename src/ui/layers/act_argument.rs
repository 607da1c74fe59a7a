//! The one line that an act still needs to know before it can be planned: a signal, a new name.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{InputLine, Layer, LayerOutcome, frame};
use crate::{
    act::{Act, check_name, parse_signal},
    action::{Action, Context},
    fleet::ContainerKey,
    ui::{theme::Role, view::View, widgets::Pen},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Which signal.
    Signal,
    /// Which name.
    Name,
}

/// The open line.
pub struct ActArgument {
    argument: Argument,
    /// Whom it was opened for: where the cursor goes meanwhile does not matter.
    targets: Vec<ContainerKey>,
    subject: String,
    input: InputLine,
    error: Option<String>,
}

impl ActArgument {
    /// Opens it for these targets, called `subject`, with what is most likely meant.
    pub fn open(argument: Argument, targets: Vec<ContainerKey>, subject: String, likely: &str) -> Self {
        Self { argument, targets, subject, input: InputLine::new(likely), error: None }
    }

    fn enter(&mut self) -> LayerOutcome {
        let text = self.input.text().trim();
        let act = match self.argument {
            Argument::Signal => parse_signal(text).map(|signal| Act::Kill { signal }),
            Argument::Name => check_name(text).map(|()| Act::Rename { to: text.to_owned() }),
        };
        match act {
            Ok(act) => LayerOutcome::Propose { act, targets: std::mem::take(&mut self.targets) },
            Err(error) => {
                self.error = Some(error.to_string());
                LayerOutcome::Stay
            }
        }
    }
}

impl Layer for ActArgument {
    fn context(&self) -> Context {
        Context::Confirm
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match action {
            Action::SelectionOpen => self.enter(),
            Action::LayerClose => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        if self.input.handle(event) {
            self.error = None;
        }
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.input.paste(text);
        self.error = None;
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let (title, prompt) = match self.argument {
            Argument::Signal => (format!("Kill {}", self.subject), "signal "),
            Argument::Name => (format!("Rename {}", self.subject), "new name "),
        };
        let place = frame::centred(area, 74, 4);
        let inside = frame::paint(place, buffer, view.theme, &title, "enter shows the plan  esc: nothing happens");
        let mut pen = Pen::new(buffer, inside, 0);
        pen.text(prompt, view.theme.style(Role::InputPrompt));
        let at = pen.at();
        self.input.render(
            Rect { x: at, width: inside.right().saturating_sub(at), height: inside.height.min(1), ..inside },
            buffer,
            view.theme,
        );
        if let Some(error) = &self.error {
            Pen::new(buffer, inside, 1).text(error, view.theme.style(Role::StateAttention));
        }
    }
}
