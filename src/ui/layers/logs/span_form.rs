//! Which part of the logs is read, and a moment to jump to: a form of four lines, each checked while it is typed.

use chrono::Local;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::{Action, Context},
    logs::{LogWish, Span, Stamp, Tape},
    text::TimeSpec,
    ui::{
        layers::{InputLine, Layer, LayerOutcome, frame},
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// The lines of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Jump,
    Since,
    Until,
    Lines,
}

impl Field {
    const ALL: [Self; 4] = [Self::Jump, Self::Since, Self::Until, Self::Lines];

    fn label(self) -> &'static str {
        match self {
            Self::Jump => "jump to",
            Self::Since => "since",
            Self::Until => "until",
            Self::Lines => "newest lines of each log",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Jump => "14:02, 10m ago as 10m, 2026-11-21T14:02:00Z",
            Self::Since => "as far back as the newest lines reach",
            Self::Until => "on and on",
            Self::Lines => "as many as suit; all, if since is given",
        }
    }
}

/// Cells of the labels.
const LABELS: u16 = 26;

/// The open form.
pub struct SpanForm {
    inputs: [InputLine; 4],
    at: usize,
    before: Span,
    error: Option<String>,
}

impl SpanForm {
    /// Opens it on the span in force.
    pub fn open(tape: &Tape) -> Self {
        let before = tape.span();
        let moment =
            |stamp: Option<Stamp>| stamp.map_or(String::new(), |stamp| stamp.moment().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        let texts = [String::new(), moment(before.since), moment(before.until), before.tail.map_or(String::new(), |tail| tail.to_string())];
        Self { inputs: texts.map(|text| InputLine::new(&text)), at: 0, before, error: None }
    }

    fn text(&self, field: Field) -> &str {
        self.inputs[field as usize].text().trim()
    }

    fn moment(&self, field: Field, view: &View<'_>) -> Result<Option<Stamp>, String> {
        match self.text(field) {
            "" => Ok(None),
            text => {
                let spec: TimeSpec = text.parse().map_err(|error: crate::text::TimeSpecError| format!("{}: {error}", field.label()))?;
                Ok(Some(Stamp::of(spec.resolve(&view.now.with_timezone(&Local)))))
            }
        }
    }

    fn span(&self, view: &View<'_>) -> Result<Span, String> {
        let tail = match self.text(Field::Lines) {
            "" => None,
            text => match text.replace([',', '_'], "").parse::<u64>() {
                Ok(tail) if tail > 0 => Some(tail),
                Ok(_) | Err(_) => return Err(format!("{}: {text:?} is no number of lines", Field::Lines.label())),
            },
        };
        let span = Span { since: self.moment(Field::Since, view)?, until: self.moment(Field::Until, view)?, tail };
        match span.since.zip(span.until) {
            Some((since, until)) if until < since => Err("until is before since".to_owned()),
            Some(_) | None => Ok(span),
        }
    }

    fn check(&mut self, view: &View<'_>) {
        self.error = self.moment(Field::Jump, view).err().or(self.span(view).err());
    }

    fn finish(&mut self, view: &View<'_>) -> LayerOutcome {
        let Some(tape) = view.logs else { return LayerOutcome::Close };
        let (jump, span) = match (self.moment(Field::Jump, view), self.span(view)) {
            (Ok(jump), Ok(span)) => (jump, span),
            (Err(error), _) | (_, Err(error)) => {
                self.error = Some(error);
                return LayerOutcome::Stay;
            }
        };
        // A moment that was typed as "10m" means another one now; only what was changed counts.
        if span != self.before {
            return LayerOutcome::Finish(Request::Logs(LogWish::Span(span)));
        }
        let Some(jump) = jump else { return LayerOutcome::Close };
        let oldest = tape.shelf().ring().range(0..u64::MAX).next().map(|(_, entry)| entry.at());
        match (oldest.is_some_and(|oldest| oldest <= jump), tape.shelf().at_moment(jump)) {
            (true, Some(number)) => LayerOutcome::Jump(number),
            (true, None) => {
                self.error = Some("nothing is shown from there on".to_owned());
                LayerOutcome::Stay
            }
            // What is held does not reach back so far: it is read from there.
            (false, _) => LayerOutcome::Finish(Request::Logs(LogWish::Span(Span { since: Some(jump), tail: None, ..span }))),
        }
    }

    fn step(&mut self, forward: bool) {
        self.at = (self.at + if forward { 1 } else { Field::ALL.len() - 1 }) % Field::ALL.len();
    }
}

impl Layer for SpanForm {
    fn context(&self) -> Context {
        Context::Filter
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        match action {
            Action::LayerClose => return LayerOutcome::Close,
            Action::SelectionOpen => return self.finish(view),
            Action::PaneNext | Action::ListMoveDown => self.step(true),
            Action::PanePrevious | Action::ListMoveUp => self.step(false),
            _ => {}
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        match event.code {
            KeyCode::Tab => self.step(true),
            KeyCode::BackTab => self.step(false),
            _ if self.inputs[self.at].handle(event) => self.check(view),
            _ => {}
        }
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, view: &View<'_>) -> LayerOutcome {
        self.inputs[self.at].paste(text);
        self.check(view);
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let place = frame::centred(area, 78, 8);
        let inside = frame::paint(place, buffer, theme, "Which part of the logs", "enter reads · tab next line · esc changes nothing");
        for (field, row) in Field::ALL.into_iter().zip(0..inside.height) {
            let is_current = field as usize == self.at;
            let mut pen = Pen::new(buffer, inside, row);
            let sign = if is_current { theme.symbol(Symbol::Cursor) } else { " " };
            pen.text(sign, theme.style(Role::Accent)).skip(1).text(field.label(), theme.style(Role::Text));
            let x = inside.x + LABELS.min(inside.width);
            let room = Rect { x, y: inside.y + row, width: inside.right().saturating_sub(x), height: 1 };
            let input = &self.inputs[field as usize];
            if input.text().is_empty() {
                Pen::new(buffer, room, 0).skip(1).text(field.example(), theme.style(Role::InputPrompt));
            }
            if is_current {
                input.render(room, buffer, theme);
            } else {
                Pen::new(buffer, room, 0).text(input.text(), theme.style(Role::InputText));
            }
        }
        if let Some(error) = &self.error {
            Pen::new(buffer, inside, inside.height.saturating_sub(1)).text(error, theme.style(Role::StateAttention));
        }
    }
}
