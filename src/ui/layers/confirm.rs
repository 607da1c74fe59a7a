//! The question before an act: the plan, whole, and what must be answered. `esc` leaves everything as it is.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    InputLine, Layer, LayerOutcome, frame,
    plan_lines::{PlanLine, lines},
};
use crate::{
    act::{Act, Asks, Plan, Policy, discard, plan},
    action::{Action, Context},
    fleet::{ContainerKey, HostId},
    stock::{StockKey, Thing},
    ui::{screen::Request, theme::Role, view::View, widgets::Pen},
};

/// Cells of the box at most.
const WIDTH: u16 = 112;

/// What the question is about.
enum Subject {
    Containers(Act, Vec<ContainerKey>),
    Stock(Vec<StockKey>),
}

impl Subject {
    /// The plan by what is known now.
    fn plan(&self, view: &View<'_>) -> Plan {
        match self {
            Self::Containers(act, targets) => plan(act.clone(), targets, view.fleet, view.rights, &Policy::default()),
            Self::Stock(keys) => {
                let things: Vec<(HostId, Thing)> =
                    keys.iter().filter_map(|key| view.thing(key).map(|thing| (key.host.clone(), thing))).collect();
                discard(&things, view.fleet, view.rights, &Policy::default())
            }
        }
    }
}

/// The open question.
pub struct Confirm {
    subject: Subject,
    /// What is on the screen, and nothing else is carried out.
    plan: Plan,
    input: InputLine,
    /// One line above the prompt, when an answer was none.
    note: Option<String>,
    offset: usize,
    /// Lines that the last frame had room for, and had.
    page: usize,
    length: usize,
}

impl Confirm {
    /// Plans the act for these targets and asks.
    pub fn open(act: Act, targets: Vec<ContainerKey>, view: &View<'_>) -> Self {
        Self::about(Subject::Containers(act, targets), view)
    }

    /// Plans to take these away and asks.
    pub fn discard(things: Vec<StockKey>, view: &View<'_>) -> Self {
        Self::about(Subject::Stock(things), view)
    }

    fn about(subject: Subject, view: &View<'_>) -> Self {
        let plan = subject.plan(view);
        Self { subject, plan, input: InputLine::default(), note: None, offset: 0, page: 1, length: 0 }
    }

    /// Why the plan cannot be carried out at all.
    pub fn refusal(&self) -> Option<&str> {
        self.plan.refusal.as_deref()
    }

    /// The answer was the right one: carries out what was shown, if that is still what would happen.
    fn go(&mut self, view: &View<'_>) -> LayerOutcome {
        let now = self.subject.plan(view);
        if now.does_as(&self.plan) {
            return LayerOutcome::Finish(Request::Act(Box::new(now)));
        }
        self.plan = now;
        self.input = InputLine::default();
        self.note = Some("it has changed meanwhile: nothing was done, look again".to_owned());
        LayerOutcome::Stay
    }

    fn enter(&mut self, view: &View<'_>) -> LayerOutcome {
        match &self.plan.asks {
            Asks::Nothing => LayerOutcome::Close,
            Asks::Yes => {
                // The key that opened this may still be held or bounce: it must not answer.
                self.note = Some("y does it".to_owned());
                LayerOutcome::Stay
            }
            Asks::Word { word, .. } if self.input.text().trim() == &**word => self.go(view),
            Asks::Word { word, .. } => {
                self.note = Some(format!("that is not {word}"));
                LayerOutcome::Stay
            }
        }
    }

    fn scroll(&mut self, by: isize) -> LayerOutcome {
        let most = self.length.saturating_sub(self.page);
        self.offset = self.offset.saturating_add_signed(by).min(most);
        LayerOutcome::Stay
    }
}

impl Layer for Confirm {
    fn context(&self) -> Context {
        Context::Confirm
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            return self.scroll(by);
        }
        match action {
            Action::SelectionOpen => self.enter(view),
            Action::LayerClose => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        match (&self.plan.asks, event.code) {
            (Asks::Yes, KeyCode::Char('y')) => return self.go(view),
            (Asks::Yes | Asks::Nothing, KeyCode::Char('n' | 'q')) => return LayerOutcome::Close,
            (Asks::Yes | Asks::Nothing, _) => {}
            (Asks::Word { .. }, _) => {
                if self.input.handle(event) {
                    self.note = None;
                }
            }
        }
        LayerOutcome::Stay
    }

    /// A name is typed, never pasted: that is the point of it.
    fn paste(&mut self, _: &str, _: &View<'_>) -> LayerOutcome {
        self.note = Some("typed, not pasted".to_owned());
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let width = WIDTH.min(area.width.saturating_sub(2));
        let lines: Vec<PlanLine> = lines(&self.plan, usize::from(width.saturating_sub(4)), view.theme);
        self.length = lines.len();
        // The frame, and an empty line before the prompt.
        let wanted = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
        let place = frame::centred(area, width, wanted);
        // First how much fits: the foot says whether there is more.
        self.page = usize::from(place.height.saturating_sub(4)).max(1);
        let inside = frame::paint(place, buffer, view.theme, &self.plan.title(), &self.foot(view));
        let room = inside.height.saturating_sub(2);
        self.offset = self.offset.min(self.length.saturating_sub(self.page));
        for (row, line) in (0..room).zip(lines.iter().skip(self.offset)) {
            line.paint(buffer, inside, row, view.theme);
        }
        let hidden = self.length.saturating_sub(self.offset + self.page);
        let above = inside.height.saturating_sub(2);
        if inside.height >= 2 {
            let mut pen = Pen::new(buffer, inside, above);
            if let Some(note) = &self.note {
                pen.text(note, view.theme.style(Role::StateAttention));
            }
            if hidden > 0 {
                pen.right(&format!("{hidden} lines more below"), view.theme.style(Role::StateAttention));
            }
        }
        if inside.height >= 1 {
            self.prompt(buffer, Rect { y: inside.bottom() - 1, height: 1, ..inside }, view);
        }
    }
}

impl Confirm {
    fn prompt(&self, buffer: &mut Buffer, line: Rect, view: &View<'_>) {
        let theme = view.theme;
        let mut pen = Pen::new(buffer, line, 0);
        match &self.plan.asks {
            Asks::Nothing => {
                pen.text("there is nothing to do", theme.style(Role::TextDim));
            }
            Asks::Yes => {
                pen.text("y", theme.style(Role::HintKey)).skip(1).text(&format!("{} now", self.plan.act.word()), theme.style(Role::Text));
            }
            Asks::Word { word, because } => {
                pen.text(&format!("{because}: type "), theme.style(Role::InputPrompt));
                pen.text(word, theme.style(Role::TextStrong)).text(" and enter: ", theme.style(Role::InputPrompt));
                let at = pen.at();
                self.input.render(Rect { x: at, width: line.right().saturating_sub(at), ..line }, buffer, theme);
            }
        }
    }

    fn foot(&self, view: &View<'_>) -> String {
        let key = view.keymap.reverse(Action::LayerClose, &Context::focus(Context::Global, Some(Context::Confirm)));
        let close = key.map_or(String::new(), |key| format!("{key}: nothing happens"));
        if self.length > self.page { format!("up down scroll  {close}") } else { close }
    }
}

#[cfg(test)]
mod tests;
