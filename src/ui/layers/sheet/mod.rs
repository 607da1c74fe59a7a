//! The plan of a deployment before anything happens: whole, with what it passes and what it costs, and the answer that begins it.
//!
//! What is told stands on the board; this is only what a person does with it. `esc` leaves everything as it is.

mod body;
mod prompt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{InputLine, Layer, LayerOutcome, frame, plan_lines::PlanLine};
use crate::{
    action::{Action, Context},
    board::{
        self,
        sheet::{Asks, Kind, Opens, Order, Refusal, Sheet, Silent, Stand, Ticket, Wish},
    },
    delivery::release::DeploymentId,
    fleet::{EnvironmentId, HostId},
    text::counted,
    ui::{screen::Request, theme::Role, view::View, widgets::Pen},
};

/// Cells of the box at most.
const WIDTH: u16 = 122;
/// So many lines it has at least, so that the box stays where it is while a plan is made.
const LEAST: usize = 12;

/// What the keys mean now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Letters are keys.
    Reading,
    /// The word that starts it is being typed.
    Word,
    /// Why at all.
    Reason,
    /// Why a gate is passed over.
    Override,
    /// It was answered; the desk looks once more and begins.
    Starting,
}

/// What the desk told last.
enum Phase<'v> {
    /// It was asked and has not answered yet.
    Asked { hosts: &'v [HostId], sheet: Option<&'v Sheet> },
    /// Nobody said where.
    Choose { title: &'v str, environments: &'v [EnvironmentId] },
    /// It would happen so.
    Shown { sheet: &'v Sheet, note: Option<&'v str> },
    /// There is no plan.
    Refused(&'v Refusal),
    /// It has begun.
    Begun(&'v DeploymentId),
}

/// The open sheet.
pub struct SheetLayer {
    number: u64,
    /// The order that was sent last.
    turn: u32,
    wish: Wish,
    mode: Mode,
    input: InputLine,
    /// One line above the prompt.
    note: Option<String>,
    /// The place that the cursor is on, where one is to be chosen.
    at: usize,
    offset: usize,
    /// Lines that the last frame had room for, and had.
    page: usize,
    length: usize,
}

impl SheetLayer {
    /// Opens the sheet of that number; the order is for the delivery desk.
    pub fn open(number: u64, wish: Wish) -> (Self, Order) {
        let mut sheet = Self {
            number,
            turn: 0,
            wish,
            mode: Mode::Reading,
            input: InputLine::default(),
            note: None,
            at: 0,
            offset: 0,
            page: 1,
            length: 0,
        };
        let order = sheet.plan();
        (sheet, order)
    }

    fn ticket(&mut self) -> Ticket {
        self.turn += 1;
        self.note = None;
        Ticket { sheet: self.number, turn: self.turn }
    }

    fn plan(&mut self) -> Order {
        self.mode = Mode::Reading;
        Order::Plan { ticket: self.ticket(), wish: self.wish.clone() }
    }

    fn plan_anew(&mut self) -> LayerOutcome {
        LayerOutcome::Ask(Request::Deliver(board::Order::Sheet(self.plan())))
    }

    fn start(&mut self) -> LayerOutcome {
        self.mode = Mode::Starting;
        let order = Order::Start { ticket: self.ticket(), wish: self.wish.clone() };
        LayerOutcome::Ask(Request::Deliver(board::Order::Sheet(order)))
    }

    fn say(&mut self, note: impl Into<String>) -> LayerOutcome {
        self.note = Some(note.into());
        LayerOutcome::Stay
    }

    fn phase<'v>(&self, view: &View<'v>) -> Phase<'v> {
        let page = &view.board.sheet;
        let sheet = page.shown(self.number);
        let Some((turn, stand)) = page.of(self.number) else { return Phase::Asked { hosts: &[], sheet } };
        match stand {
            _ if turn < self.turn => Phase::Asked { hosts: &[], sheet },
            Stand::Asking { hosts, .. } => Phase::Asked { hosts, sheet },
            Stand::Choose { title, environments } => Phase::Choose { title, environments },
            Stand::Shown { sheet, note } => Phase::Shown { sheet, note: note.as_deref() },
            Stand::Refused(refusal) => Phase::Refused(refusal),
            Stand::Begun { deployment, .. } => Phase::Begun(deployment),
        }
    }

    fn title(&self, phase: &Phase<'_>, view: &View<'_>) -> String {
        match phase {
            Phase::Asked { sheet: Some(sheet), .. } | Phase::Shown { sheet, .. } => sheet.title.clone(),
            Phase::Asked { sheet: None, .. } | Phase::Begun(_) => match view.board.sheet.of(self.number) {
                Some((_, Stand::Asking { title, .. })) => title.clone(),
                Some(_) | None => self.wish.title(),
            },
            Phase::Choose { title, .. } => (*title).to_owned(),
            Phase::Refused(refusal) => refusal.title.clone(),
        }
    }

    /// Hosts that can be left out here. The way back waits for nobody anyway.
    fn silent<'v>(&self, phase: &Phase<'v>) -> &'v [Silent] {
        match phase {
            _ if self.wish.kind == Kind::RollBack => &[],
            Phase::Shown { sheet, .. } => &sheet.silent,
            Phase::Refused(refusal) => &refusal.silent,
            Phase::Asked { .. } | Phase::Choose { .. } | Phase::Begun(_) => &[],
        }
    }

    fn letter(&mut self, letter: char, view: &View<'_>) -> LayerOutcome {
        let phase = self.phase(view);
        if let (Some(digit), silent) = (letter.to_digit(10), self.silent(&phase))
            && let Some(one) = (digit as usize).checked_sub(1).and_then(|at| silent.get(at))
        {
            let host = one.host.clone();
            if !self.wish.without.remove(&host) {
                self.wish.without.insert(host);
            }
            return self.plan_anew();
        }
        match (letter, phase) {
            ('n' | 'q', _) => LayerOutcome::Close,
            (digit, Phase::Choose { environments, .. }) => {
                let at = digit.to_digit(10).and_then(|digit| (digit as usize).checked_sub(1));
                self.choose(at.and_then(|at| environments.get(at)))
            }
            ('g', Phase::Shown { .. } | Phase::Refused(_)) => self.plan_anew(),
            ('y', Phase::Shown { sheet, .. }) => self.yes(sheet),
            ('y', Phase::Asked { .. }) => self.say("it is being planned: look first"),
            ('y', Phase::Refused(_)) => self.say("there is nothing to start"),
            ('o', Phase::Shown { sheet, .. }) => match sheet.gate.as_ref().map(|gate| gate.opens) {
                Some(Opens::Reason) => self.ask(Mode::Reason),
                Some(Opens::Override) => self.ask(Mode::Override),
                Some(Opens::Nothing) => self.say("nothing that is said here opens this gate"),
                None => LayerOutcome::Stay,
            },
            _ => LayerOutcome::Stay,
        }
    }

    fn ask(&mut self, mode: Mode) -> LayerOutcome {
        (self.mode, self.input, self.note) = (mode, InputLine::default(), None);
        LayerOutcome::Stay
    }

    fn yes(&mut self, sheet: &Sheet) -> LayerOutcome {
        match (&sheet.asks, &sheet.gate) {
            _ if sheet.is_nothing => self.say("there is nothing to do"),
            (_, Some(_)) => self.say("the gate is shut"),
            (Asks::Key, None) => self.start(),
            (Asks::Word { .. }, None) => self.ask(Mode::Word),
        }
    }

    fn choose(&mut self, environment: Option<&EnvironmentId>) -> LayerOutcome {
        match environment {
            Some(environment) => {
                self.wish.environment = Some(environment.clone());
                self.plan_anew()
            }
            None => LayerOutcome::Stay,
        }
    }

    fn enter(&mut self, view: &View<'_>) -> LayerOutcome {
        let typed = self.input.text().trim().to_owned();
        match (self.mode, self.phase(view)) {
            (Mode::Starting, _) => LayerOutcome::Stay,
            (Mode::Reading, Phase::Choose { environments, .. }) => self.choose(environments.get(self.at)),
            // The key that opened this may still be held or bounce: it must not answer.
            (Mode::Reading, Phase::Shown { sheet, .. }) if sheet.gate.is_none() && !sheet.is_nothing => self.say("y starts it"),
            (Mode::Reading, _) => LayerOutcome::Stay,
            (Mode::Word, Phase::Shown { sheet: Sheet { asks: Asks::Word { word, .. }, .. }, .. }) => match typed == **word {
                true => self.start(),
                false => self.say(format!("that is not {word}: nothing was done")),
            },
            (Mode::Word, _) => self.ask(Mode::Reading),
            (Mode::Reason | Mode::Override, _) if typed.is_empty() => self.say("a reason is needed"),
            (Mode::Reason, _) => {
                self.wish.reason = Some(typed.into());
                self.plan_anew()
            }
            (Mode::Override, _) => {
                self.wish.override_reason = Some(typed.into());
                self.plan_anew()
            }
        }
    }

    fn step(&mut self, by: isize, view: &View<'_>) -> LayerOutcome {
        if let Phase::Choose { environments, .. } = self.phase(view) {
            self.at = self.at.saturating_add_signed(by).min(environments.len().saturating_sub(1));
        } else {
            let most = self.length.saturating_sub(self.page);
            self.offset = self.offset.saturating_add_signed(by).min(most);
        }
        LayerOutcome::Stay
    }

    fn is_typing(&self) -> bool {
        matches!(self.mode, Mode::Word | Mode::Reason | Mode::Override)
    }
}

impl Layer for SheetLayer {
    fn context(&self) -> Context {
        Context::Sheet
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            return self.step(by, view);
        }
        match action {
            Action::SelectionOpen => self.enter(view),
            Action::LayerClose if self.is_typing() => self.ask(Mode::Reading),
            Action::LayerClose => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        match (self.mode, event.code) {
            (Mode::Reading, KeyCode::Char(letter)) if (event.modifiers - KeyModifiers::SHIFT).is_empty() => {
                self.note = None;
                return self.letter(letter, view);
            }
            (Mode::Reading | Mode::Starting, _) => {}
            (Mode::Word | Mode::Reason | Mode::Override, _) => {
                if self.input.handle(event) {
                    self.note = None;
                }
            }
        }
        LayerOutcome::Stay
    }

    /// A name is typed, never pasted: that is the point of it. A reason may come from anywhere.
    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        match self.mode {
            Mode::Reason | Mode::Override => {
                self.input.paste(text);
                LayerOutcome::Stay
            }
            Mode::Word => self.say("typed, not pasted"),
            Mode::Reading | Mode::Starting => LayerOutcome::Stay,
        }
    }

    fn hear(&mut self, view: &View<'_>) -> LayerOutcome {
        match self.phase(view) {
            Phase::Begun(deployment) => return LayerOutcome::OpenRun(deployment.clone()),
            Phase::Shown { note, .. } if self.mode == Mode::Starting => {
                // Whoever was answered that it changed reads it from its beginning.
                (self.mode, self.offset) = (Mode::Reading, 0);
                self.note = note.map(str::to_owned);
            }
            Phase::Refused(_) => (self.mode, self.offset) = (Mode::Reading, 0),
            Phase::Asked { .. } | Phase::Choose { .. } | Phase::Shown { .. } => {}
        }
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let phase = self.phase(view);
        let width = WIDTH.min(area.width.saturating_sub(2));
        let cells = usize::from(width.saturating_sub(4));
        let lines: Vec<PlanLine> = match &phase {
            Phase::Asked { sheet: Some(sheet), .. } | Phase::Shown { sheet, .. } => body::of_sheet(sheet, self.silent(&phase), cells, view),
            Phase::Asked { hosts, sheet: None } => body::of_hosts(hosts, cells),
            Phase::Choose { environments, .. } => body::of_places(environments, self.at, view),
            Phase::Refused(refusal) => body::of_refusal(refusal, self.silent(&phase), cells, view),
            Phase::Begun(_) => Vec::new(),
        };
        self.length = lines.len();
        // The frame, the note and the prompt.
        let wanted = u16::try_from(lines.len().max(LEAST) + 4).unwrap_or(u16::MAX);
        let place = frame::centred(area, width, wanted);
        self.page = usize::from(place.height.saturating_sub(4)).max(1);
        let inside = frame::paint(place, buffer, view.theme, &self.title(&phase, view), &self.foot(&phase, view));
        let room = inside.height.saturating_sub(2);
        self.offset = self.offset.min(self.length.saturating_sub(self.page));
        for (row, line) in (0..room).zip(lines.iter().skip(self.offset)) {
            line.paint(buffer, inside, row, view.theme);
        }
        let hidden = self.length.saturating_sub(self.offset + self.page);
        if inside.height >= 2 {
            let mut pen = Pen::new(buffer, inside, inside.height - 2);
            if let Some(note) = &self.note {
                pen.text(note, view.theme.style(Role::StateAttention));
            }
            if hidden > 0 {
                pen.right(&format!("{} more below", counted(hidden, "line")), view.theme.style(Role::StateAttention));
            }
        }
        if inside.height >= 1 {
            self.prompt(buffer, Rect { y: inside.bottom() - 1, height: 1, ..inside }, &phase, view);
        }
    }
}

#[cfg(test)]
mod tests;
