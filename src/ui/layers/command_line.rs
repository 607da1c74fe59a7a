//! The line for a command in a container that has no shell.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{InputLine, Layer, LayerOutcome};
use crate::{
    action::{Action, Context},
    fleet::ContainerKey,
    text::words,
    ui::{screen::Request, theme::Role, view::View, widgets::Pen},
};

/// The open line.
pub struct CommandLine {
    container: ContainerKey,
    /// Why a line and no shell.
    reason: String,
    input: InputLine,
    fault: Option<String>,
}

impl CommandLine {
    /// Opens it for a container.
    pub fn open(container: ContainerKey, name: &str) -> Self {
        let reason =
            format!("{name} on {} has no shell (looked for bash, ash and sh); a program in it can be run all the same", container.host);
        Self { container, reason, input: InputLine::default(), fault: None }
    }

    fn finish(&mut self) -> LayerOutcome {
        match words(self.input.text()) {
            Ok(command) if command.is_empty() => LayerOutcome::Stay,
            Ok(command) => LayerOutcome::Finish(Request::Exec { container: self.container.clone(), command: Some(command) }),
            Err(error) => {
                self.fault = Some(error.to_string());
                LayerOutcome::Stay
            }
        }
    }
}

impl Layer for CommandLine {
    fn context(&self) -> Context {
        Context::Filter
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        match action {
            Action::LayerClose => LayerOutcome::Close,
            Action::SelectionOpen => self.finish(),
            _ => LayerOutcome::Stay,
        }
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        self.input.handle(event);
        self.fault = None;
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.input.paste(text);
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        let above = Rect { y: line.y.saturating_sub(1), ..line };
        for row in [line, above] {
            Pen::new(buffer, row, 0).fill(" ", theme.style(Role::LayerGround));
        }
        let (words, role) = match &self.fault {
            Some(fault) => (fault, Role::StateAttention),
            None => (&self.reason, Role::TextDim),
        };
        Pen::new(buffer, above, 0).skip(1).text(words, theme.style(role));
        let mut pen = Pen::new(buffer, line, 0);
        pen.skip(1).text("run ", theme.style(Role::InputPrompt));
        let at = pen.at();
        let input = Rect { x: at, width: line.right().saturating_sub(at), ..line };
        if self.input.text().is_empty() {
            Pen::new(buffer, input, 0).text(" /bin/program --flag · enter runs it · esc cancels", theme.style(Role::InputPrompt));
        }
        self.input.render(input, buffer, theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture;

    #[test]
    fn a_line_runs_as_words_or_says_what_it_lacks() {
        let key = fixture::fleet().containers().next().unwrap().key.clone();
        let mut line = CommandLine::open(key.clone(), "web-1");
        assert!(line.reason.starts_with("web-1 on ") && line.reason.contains("has no shell"));
        assert_eq!(line.finish(), LayerOutcome::Stay);
        line.input = InputLine::new("/bin/app 'open");
        assert_eq!((line.finish(), line.fault.as_deref()), (LayerOutcome::Stay, Some("the ' is not closed")));
        line.input = InputLine::new("/bin/app 'a b'");
        let command = Some(vec!["/bin/app".to_owned(), "a b".to_owned()]);
        assert_eq!(line.finish(), LayerOutcome::Finish(Request::Exec { container: key, command }));
    }
}
