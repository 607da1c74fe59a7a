//! A text being typed: why somebody freezes a place, thaws it, or answers what waits there. What is decided about stands above it, as the
//! desk has just read it; nothing is decided that is not on the screen.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget as _};
use tui_textarea::{CursorMove, TextArea, WrapMode};

use super::{Layer, LayerOutcome, frame, plan_lines::wrap};
use crate::{
    action::{Action, Context},
    board::{
        Order,
        lanes::{self, Question, Subject, Try},
    },
    ledger::Answer,
    run::journal::State,
    text::{clean_line, width},
    ui::{
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the box at most.
const WIDTH: u16 = 90;
/// Lines for the text.
const LINES: u16 = 3;

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To freeze the place, or to thaw it where it is frozen.
    Freeze,
    /// To say yes.
    Approve,
    /// To say no.
    Reject,
}

/// The open box.
pub struct Reason {
    wish: Wish,
    subject: Subject,
    /// When it was opened: an older answer of the desk is another box's.
    opened: DateTime<Utc>,
    area: TextArea<'static>,
    /// Which of what waits is answered.
    chosen: usize,
    note: Option<String>,
}

impl Reason {
    /// Opens it; the desk's answer says what is decided about.
    pub fn open(wish: Wish, subject: Subject, opened: DateTime<Utc>) -> Self {
        let mut area = TextArea::default();
        area.set_wrap_mode(WrapMode::Word);
        Self { wish, subject, opened, area, chosen: 0, note: None }
    }

    fn question<'v>(&self, view: &View<'v>) -> Option<&'v Result<Question, String>> {
        let question = view.board.lanes.question.as_ref();
        question.filter(|(subject, at, _)| *subject == self.subject && *at >= self.opened).map(|(.., told)| told)
    }

    fn text(&self) -> String {
        clean_line(&self.area.lines().join(" "))
    }

    /// What is to be done, or why not yet.
    fn order(&self, view: &View<'_>) -> Result<lanes::Order, String> {
        let question = match self.question(view) {
            None => return Err("how it stands there is still being read".to_owned()),
            Some(Err(why)) => return Err(why.clone()),
            Some(Ok(question)) => question,
        };
        let (app, environment, reason) = (question.app.clone(), question.environment.clone(), self.text());
        let waiting = || question.waiting.get(self.chosen).map(|one| one.deployment.clone()).ok_or_else(|| nothing(question));
        let deployment = match self.wish {
            Wish::Freeze => None,
            Wish::Approve | Wish::Reject => Some(waiting()?),
        };
        if reason.is_empty() {
            return Err("say why: it stands in the audit".to_owned());
        }
        Ok(match (self.wish, deployment, &question.frozen) {
            (Wish::Approve, Some(deployment), _) => lanes::Order::Answer { deployment, answer: Answer::Yes, reason },
            (_, Some(deployment), _) => lanes::Order::Answer { deployment, answer: Answer::No, reason },
            (_, None, Some(_)) => lanes::Order::Thaw { app, environment, reason },
            (_, None, None) => lanes::Order::Freeze { app, environment, reason },
        })
    }

    fn title(&self, told: Option<&Question>) -> String {
        let place = match (told, &self.subject) {
            (Some(question), _) => format!("{} in {}", question.app, question.environment),
            (None, Subject::Place { app, environment }) => format!("{app} in {environment}"),
            (None, Subject::Deployment(id)) => format!("deployment {id}"),
        };
        let verb = match (self.wish, told.map(|question| question.frozen.is_some())) {
            (Wish::Approve, _) => "Approve",
            (Wish::Reject, _) => "Reject",
            (Wish::Freeze, Some(true)) => "Thaw",
            (Wish::Freeze, Some(false)) => "Freeze",
            (Wish::Freeze, None) => "Freeze or thaw",
        };
        format!("{verb}: {place}")
    }
}

fn nothing(question: &Question) -> String {
    format!("nothing waits for a yes in {} of {}", question.environment, question.app)
}

impl Layer for Reason {
    fn context(&self) -> Context {
        Context::Reason
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        let waiting = self.question(view).and_then(|told| told.as_ref().ok()).map_or(0, |question| question.waiting.len());
        match action {
            Action::SelectionOpen => {
                return match self.order(view) {
                    Ok(order) => LayerOutcome::Finish(Request::Deliver(Order::Lanes(order))),
                    Err(why) => {
                        self.note = Some(why);
                        LayerOutcome::Stay
                    }
                };
            }
            Action::LayerClose => return LayerOutcome::Close,
            Action::ListMoveLeft => self.area.move_cursor(CursorMove::Back),
            Action::ListMoveRight => self.area.move_cursor(CursorMove::Forward),
            Action::ListMoveFirst => self.area.move_cursor(CursorMove::Head),
            Action::ListMoveLast => self.area.move_cursor(CursorMove::End),
            Action::ListMoveUp if waiting > 1 => self.chosen = self.chosen.saturating_sub(1),
            Action::ListMoveDown if waiting > 1 => self.chosen = (self.chosen + 1).min(waiting - 1),
            Action::ListMoveUp => self.area.move_cursor(CursorMove::Up),
            Action::ListMoveDown => self.area.move_cursor(CursorMove::Down),
            _ => return LayerOutcome::Pass,
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        let is_break = event.code == KeyCode::Enter
            || event.modifiers.contains(KeyModifiers::CONTROL) && matches!(event.code, KeyCode::Char('j' | 'm'));
        if is_break {
            self.area.insert_newline();
        } else {
            self.area.input(event);
        }
        self.note = None;
        LayerOutcome::Stay
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        self.area.insert_str(clean_line(text));
        self.note = None;
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let told = self.question(view);
        let widest = WIDTH.min(area.width.saturating_sub(2));
        let cells = usize::from(widest.saturating_sub(4)).max(16);
        let lines = self.lines(told, cells, view);
        let contexts = Context::focus(Context::Global, Some(Context::Reason));
        let key = |action| view.keymap.reverse(action, &contexts).unwrap_or("");
        let does = match (self.wish, told) {
            (Wish::Approve, _) => "approves",
            (Wish::Reject, _) => "rejects",
            (Wish::Freeze, Some(Ok(question))) if question.frozen.is_some() => "thaws",
            (Wish::Freeze, Some(Ok(_))) => "freezes",
            (Wish::Freeze, Some(Err(_)) | None) => "goes on",
        };
        let foot = format!("{} {does}  {}: nothing happens", key(Action::SelectionOpen), key(Action::LayerClose));
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(LINES + 4);
        let place = frame::centred(area, widest, height);
        let inside = frame::paint(place, buffer, theme, &self.title(told.and_then(|told| told.as_ref().ok())), &foot);
        // The text being typed is there whatever else has no room.
        let above = inside.height.saturating_sub(LINES + 1);
        for (row, (text, role)) in (0..above).zip(&lines) {
            Pen::new(buffer, inside, row).text(text, theme.style(*role));
        }
        let prompt = "why  ";
        let at = inside.y + above;
        let row = Rect { y: at, height: inside.height.saturating_sub(above), ..inside };
        Pen::new(buffer, row, 0).text(prompt, theme.style(Role::InputPrompt));
        let indent = u16::try_from(prompt.len()).unwrap_or(0).min(row.width);
        let typed = Rect { x: row.x + indent, width: row.width - indent, height: row.height.saturating_sub(1).min(LINES), ..row };
        self.area.set_style(theme.style(Role::InputText));
        self.area.set_cursor_line_style(theme.style(Role::InputText));
        self.area.set_cursor_style(theme.style(Role::InputCursor));
        if typed.width > 0 && typed.height > 0 {
            (&self.area).render(typed, buffer);
        }
        if let Some(note) = &self.note {
            let left = usize::from(row.width);
            Pen::new(buffer, row, row.height.saturating_sub(1)).text(&theme.fit(note, left), theme.style(Role::StateAttention));
        }
    }
}

impl Reason {
    /// What is decided about.
    fn lines(&self, told: Option<&Result<Question, String>>, cells: usize, view: &View<'_>) -> Vec<(String, Role)> {
        let wrapped = |text: &str, role: Role| wrap(text, cells).into_iter().map(move |line| (line, role)).collect::<Vec<_>>();
        let question = match told {
            None => return vec![(format!("being read {}", view.theme.symbol(Symbol::Cut)), Role::TextDim)],
            Some(Err(why)) => return wrapped(why, Role::StateBad),
            Some(Ok(question)) => question,
        };
        match (self.wish, &question.frozen) {
            (Wish::Freeze, Some(frozen)) => {
                let since = frozen.since.map_or_else(String::new, |since| format!(" {} ago", view.calm_age(since)));
                wrapped(&format!("{} froze it{since}: {}", frozen.who, frozen.why), Role::Text)
            }
            (Wish::Freeze, None) => {
                wrapped("nothing is deployed there from then on; only a rollback to what was good there goes through", Role::Text)
            }
            (Wish::Approve | Wish::Reject, _) if question.waiting.is_empty() => wrapped(&nothing(question), Role::StateAttention),
            (Wish::Approve | Wish::Reject, frozen) => {
                let several = question.waiting.len() > 1;
                let mut lines = Vec::new();
                for (index, one) in question.waiting.iter().enumerate() {
                    let sign = match (several, index == self.chosen) {
                        (false, _) => String::new(),
                        (true, true) => format!("{} ", view.theme.symbol(Symbol::Cursor)),
                        (true, false) => "  ".to_owned(),
                    };
                    let role = if index == self.chosen { Role::Text } else { Role::TextDim };
                    for (nth, line) in wrap(&waits(one, view), cells.saturating_sub(2)).into_iter().enumerate() {
                        let sign = if nth == 0 { sign.clone() } else { " ".repeat(width(&sign)) };
                        lines.push((format!("{sign}{line}"), role));
                    }
                }
                if let Some(frozen) = frozen {
                    lines.extend(wrapped(&format!("frozen by {}: {}", frozen.who, frozen.why), Role::StateAttention));
                }
                lines
            }
        }
    }
}

fn waits(one: &Try, view: &View<'_>) -> String {
    let asked = format!("deployment {}: {}, asked for by {} {} ago", one.deployment, one.release, one.by, view.calm_age(one.asked));
    match (one.state, &one.asks) {
        (State::Running, Some(question)) => format!("{asked}: {question}"),
        (_, _) => {
            let given = if one.approved_by.is_empty() { String::new() } else { format!(" ({} did)", one.approved_by.join(", ")) };
            format!("{asked}: {} of {} must still say yes{given}", one.missing(), one.needed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{News, lanes::Frozen},
        fleet::{AppName, EnvironmentId},
        ui::{
            fixture::{Scene, text},
            panels::lane_sample as sample,
        },
    };

    fn subject() -> Subject {
        Subject::Place { app: AppName::new("shop"), environment: EnvironmentId::new("production") }
    }

    fn question(frozen: Option<Frozen>, waiting: Vec<Try>) -> Question {
        Question { app: AppName::new("shop"), environment: EnvironmentId::new("production"), frozen, waiting }
    }

    fn scene(told: Result<Question, String>) -> Scene {
        let mut scene = Scene::drawn();
        let now = scene.now;
        scene.board.learn(News::Lanes(lanes::News::Asked(subject(), now, told)));
        scene
    }

    fn typed(wish: Wish, scene: &Scene, text: &str) -> Reason {
        let mut layer = Reason::open(wish, subject(), scene.now);
        for c in text.chars() {
            layer.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view());
        }
        layer
    }

    fn shown(layer: &mut Reason, scene: &Scene, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        layer.render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    fn finish(order: lanes::Order) -> LayerOutcome {
        LayerOutcome::Finish(Request::Deliver(Order::Lanes(order)))
    }

    #[test]
    fn what_is_done_is_what_is_on_the_screen() {
        let (app, environment) = (AppName::new("shop"), EnvironmentId::new("production"));
        let reason = || "black friday".to_owned();
        let open = scene(Ok(question(None, Vec::new())));
        let frozen = scene(Ok(question(Some(sample::frozen()), Vec::new())));
        let waits = scene(Ok(question(None, vec![sample::waiting(45), sample::waiting(46)])));
        let deployment = |number| sample::waiting(number).deployment;
        for (wish, scene, order) in [
            (Wish::Freeze, &open, lanes::Order::Freeze { app: app.clone(), environment: environment.clone(), reason: reason() }),
            (Wish::Freeze, &frozen, lanes::Order::Thaw { app, environment, reason: reason() }),
            (Wish::Approve, &waits, lanes::Order::Answer { deployment: deployment(45), answer: Answer::Yes, reason: reason() }),
            (Wish::Reject, &waits, lanes::Order::Answer { deployment: deployment(45), answer: Answer::No, reason: reason() }),
        ] {
            let mut layer = typed(wish, scene, "black friday");
            assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), finish(order));
        }
        let mut second = typed(Wish::Approve, &waits, "ok");
        second.act(Action::ListMoveDown, &waits.view());
        let order = lanes::Order::Answer { deployment: deployment(46), answer: Answer::Yes, reason: "ok".into() };
        assert_eq!(second.act(Action::SelectionOpen, &waits.view()), finish(order));
    }

    #[test]
    fn nothing_is_done_without_a_reason_or_without_a_question() {
        let open = scene(Ok(question(None, Vec::new())));
        for (wish, text, expected) in
            [(Wish::Freeze, " ", "say why"), (Wish::Approve, "fine", "nothing waits for a yes in production of shop")]
        {
            let mut layer = typed(wish, &open, text);
            assert_eq!(layer.act(Action::SelectionOpen, &open.view()), LayerOutcome::Stay);
            let text = shown(&mut layer, &open, (80, 24));
            assert!(text.contains(expected), "{text}");
        }
        // What was told before it was opened is another box's.
        let mut later = Scene::drawn();
        let before = later.now - chrono::TimeDelta::seconds(1);
        later.board.learn(News::Lanes(lanes::News::Asked(subject(), before, Ok(question(None, Vec::new())))));
        let mut layer = typed(Wish::Freeze, &later, "x");
        assert_eq!(layer.act(Action::SelectionOpen, &later.view()), LayerOutcome::Stay);
        assert!(shown(&mut layer, &later, (80, 24)).contains("still being read"));
        assert_eq!(layer.act(Action::LayerClose, &later.view()), LayerOutcome::Close);
    }

    #[test]
    fn screens() {
        let open = scene(Ok(question(None, Vec::new())));
        insta::assert_snapshot!("reason-freeze", shown(&mut typed(Wish::Freeze, &open, "black friday"), &open, (80, 24)));
        let frozen = scene(Ok(question(Some(sample::frozen()), Vec::new())));
        insta::assert_snapshot!("reason-thaw", shown(&mut typed(Wish::Freeze, &frozen, "it is over"), &frozen, (80, 24)));
        let waits = scene(Ok(question(Some(sample::frozen()), vec![sample::waiting(45), sample::waiting(46)])));
        insta::assert_snapshot!("reason-approve", shown(&mut typed(Wish::Approve, &waits, "looked at both"), &waits, (160, 50)));
        let failed = scene(Err("the ledger is locked by pid 4711".into()));
        insta::assert_snapshot!("reason-failed", shown(&mut typed(Wish::Reject, &failed, ""), &failed, (80, 24)));
        for width in 1..40 {
            for height in 1..12 {
                shown(&mut typed(Wish::Approve, &waits, "x"), &waits, (width, height));
            }
        }
    }
}
