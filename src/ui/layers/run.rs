//! A deployment under way, by host and step: which host, which step, why it waits, how long until what. Leaving it ends nothing.
//!
//! It only looks and orders: what it shows is told by the delivery desk, the log beside it by the engines.

mod paint;
mod status;
#[cfg(test)]
mod tests;

pub(in crate::ui) use paint::sign;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{InputLine, Layer, LayerOutcome};
use crate::{
    action::{Action, Context},
    alerts::Probe,
    board::{
        Order as Ask, Watch,
        run::{Order, Row, Stand, Story},
    },
    delivery::release::DeploymentId,
    fleet::{AppName, Container, ContainerKey},
    logs::{CastRule, LogWish},
    rights::Rights,
    ui::{panel::Selection, screen::Request, view::View},
};

/// What a person can say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Park,
    Unwind,
    Resume,
    Finish,
}

/// A question before a deed.
struct Question {
    deed: Deed,
    /// What must be typed; `None`: a `y` is enough.
    word: Option<String>,
    input: InputLine,
}

/// The open layer.
pub struct RunLayer {
    /// Those that can be chosen from; empty where it was opened on one.
    choices: Vec<DeploymentId>,
    /// The one that is looked at; `None`: it is being chosen.
    id: Option<DeploymentId>,
    /// The row of the cursor, where a person has moved it; until then it is on what is most worth looking at.
    row: Option<usize>,
    /// Whether every step of the row is shown.
    detail: bool,
    question: Option<Question>,
    /// First line of a long list.
    top: usize,
    /// Lines that the last frame had room for, and had.
    page: usize,
    length: usize,
}

impl RunLayer {
    /// Opens one.
    pub fn open(id: DeploymentId) -> Self {
        Self { choices: Vec::new(), id: Some(id), row: None, detail: false, question: None, top: 0, page: 1, length: 0 }
    }

    /// Opens a menu of several.
    pub fn choose(choices: Vec<DeploymentId>) -> Self {
        Self { choices, id: None, row: Some(0), detail: false, question: None, top: 0, page: 1, length: 0 }
    }

    fn story<'a>(&self, view: &View<'a>) -> Option<&'a Story> {
        view.board.run.story(self.id.as_ref()?)
    }

    /// The row of the cursor.
    fn at(&self, story: &Story) -> usize {
        self.row.unwrap_or_else(|| story.focus()).min(story.rows.len().saturating_sub(1))
    }

    fn step(&mut self, by: isize, view: &View<'_>) {
        if self.detail || self.length > 0 {
            self.top = self.top.saturating_add_signed(by).min(self.length.saturating_sub(self.page));
            return;
        }
        let (now, count) = match (&self.id, self.story(view)) {
            (None, _) => (self.row.unwrap_or(0), self.choices.len()),
            (Some(_), Some(story)) => (self.at(story), story.rows.len()),
            (Some(_), None) => return,
        };
        self.row = Some(now.saturating_add_signed(by).min(count.saturating_sub(1)));
    }

    fn enter(&mut self) -> LayerOutcome {
        match &self.id {
            None => {
                self.id = self.choices.get(self.row.unwrap_or(0)).cloned();
                self.row = None;
            }
            Some(_) => (self.detail, self.top) = (!self.detail, 0),
        }
        LayerOutcome::Stay
    }

    /// One step back: out of the steps of a row, back to the menu, out.
    fn back(&mut self) -> LayerOutcome {
        if std::mem::take(&mut self.detail) {
            return LayerOutcome::Stay;
        }
        match self.id.take().and_then(|id| self.choices.iter().position(|choice| *choice == id)) {
            Some(at) => {
                self.row = Some(at);
                LayerOutcome::Stay
            }
            None => LayerOutcome::Close,
        }
    }

    /// Whether a deed fits how it stands; else why not.
    fn fits(deed: Deed, story: &Story) -> Result<(), String> {
        let number = story.id.number;
        let refused = |why: &str| Err(format!("deployment {number} {why}"));
        match (deed, &story.stand) {
            (Deed::Park, Stand::Running | Stand::TakingBack) => Ok(()),
            (Deed::Park, _) => refused("does not run: there is nothing to park"),
            (Deed::Unwind, Stand::Running | Stand::Silent { .. } | Stand::Parked | Stand::Failed) => Ok(()),
            (Deed::Unwind, Stand::TakingBack) => refused("is on its way back already"),
            (Deed::Unwind, Stand::Good) => refused("is good: roll back from it"),
            (Deed::Unwind, Stand::Waiting { .. } | Stand::Ready) => refused("was not begun: there is nothing to take back; reject it"),
            (Deed::Unwind, Stand::Unwound) => refused("is taken back already"),
            (Deed::Resume, Stand::Silent { .. } | Stand::Parked | Stand::Ready) => Ok(()),
            (Deed::Resume, Stand::Running | Stand::TakingBack) => refused("runs"),
            (Deed::Resume, Stand::Waiting { .. }) => refused("waits for approval"),
            (Deed::Resume, Stand::Good | Stand::Failed | Stand::Unwound) => refused("has come to its end"),
            (Deed::Finish, Stand::Good) if story.warm.is_some() => Ok(()),
            (Deed::Finish, _) => refused("keeps nothing warm"),
        }
    }

    fn ask(&mut self, deed: Deed, view: &View<'_>) -> LayerOutcome {
        let Some(story) = self.story(view) else { return LayerOutcome::Stay };
        if let Rights::View { because } = view.rights {
            return LayerOutcome::Say(format!("not allowed: {because}"));
        }
        if let Err(why) = Self::fits(deed, story) {
            return LayerOutcome::Say(why);
        }
        // What begins only now is asked for as everything that begins.
        let word = (deed == Deed::Resume && story.stand == Stand::Ready).then(|| story.environment.to_string());
        self.question = Some(Question { deed, word, input: InputLine::default() });
        LayerOutcome::Stay
    }

    /// The answer was yes.
    fn go(&mut self) -> LayerOutcome {
        let (Some(question), Some(id)) = (self.question.take(), self.id.clone()) else { return LayerOutcome::Stay };
        let order = match question.deed {
            Deed::Park => Order::Park(id),
            Deed::Unwind => Order::Unwind(id),
            Deed::Resume => Order::Resume(id),
            Deed::Finish => Order::Finish(id),
        };
        LayerOutcome::Ask(Request::Deliver(Ask::Run(order)))
    }

    /// The container whose log tells more about a row.
    fn logged<'a>(row: &Row, view: &View<'a>) -> Option<&'a Container> {
        let (host, log) = (row.host.as_ref()?, row.log.as_ref()?);
        view.fleet.containers_on(host).find(|container| log.is(&container.key.id, &container.name))
    }

    /// Old and new containers of the row, or of all.
    fn logs(&self, view: &View<'_>) -> LayerOutcome {
        let Some(story) = self.story(view) else { return LayerOutcome::Stay };
        let keys = |row: &Row| {
            let there = row.host.iter().flat_map(|host| view.fleet.containers_on(host));
            let ours = there.filter(|container| row.containers.iter().any(|one| one.is(&container.key.id, &container.name)));
            ours.map(|container| container.key.clone()).collect::<Vec<ContainerKey>>()
        };
        let row = story.rows.get(self.at(story)).filter(|row| row.host.is_some());
        let keys = match row {
            Some(row) => keys(row),
            None => story.rows.iter().flat_map(keys).collect(),
        };
        if keys.is_empty() {
            return LayerOutcome::Say("none of its containers is there".to_owned());
        }
        let app: &AppName = &story.app;
        let place = row.and_then(|row| row.host.as_ref()).map_or_else(|| format!("in {}", story.environment), |host| format!("on {host}"));
        let title = format!("old and new {app} {place}");
        LayerOutcome::Finish(Request::Logs(LogWish::Open { rule: CastRule::Containers(keys), title }))
    }
}

impl Layer for RunLayer {
    fn context(&self) -> Context {
        match (&self.question, &self.id) {
            (Some(_), _) => Context::Confirm,
            (None, Some(_)) => Context::Run,
            (None, None) => Context::Menu,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(question) = &self.question {
            match (action, &question.word) {
                (Action::SelectionOpen, Some(word)) if question.input.text().trim() == word => return self.go(),
                (Action::SelectionOpen, Some(word)) => return LayerOutcome::Say(format!("that is not {word}")),
                (Action::LayerClose, _) => self.question = None,
                _ => {}
            }
            return LayerOutcome::Stay;
        }
        if let Some(by) = action.list_step(self.page) {
            self.step(by, view);
            return LayerOutcome::Stay;
        }
        match action {
            Action::SelectionOpen => self.enter(),
            Action::LayerClose => self.back(),
            Action::RunPark => self.ask(Deed::Park, view),
            Action::RunUnwind => self.ask(Deed::Unwind, view),
            Action::RunResume => self.ask(Deed::Resume, view),
            Action::RunFinish => self.ask(Deed::Finish, view),
            Action::RunLogs | Action::SelectionLogs => self.logs(view),
            Action::RunOpen => {
                let others: Vec<DeploymentId> = view.board.run.briefs().iter().map(|brief| brief.id.clone()).collect();
                if others.len() > 1 {
                    *self = Self::choose(others);
                }
                LayerOutcome::Stay
            }
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, _: &View<'_>) -> LayerOutcome {
        let Some(question) = &mut self.question else { return LayerOutcome::Stay };
        match (&question.word, event.code) {
            (None, KeyCode::Char('y')) => return self.go(),
            (None, KeyCode::Char('n' | 'q')) => self.question = None,
            (None, _) => {}
            (Some(_), _) => drop(question.input.handle(event)),
        }
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn watches(&self) -> Option<Watch> {
        Some(self.id.clone().map_or(Watch::Nothing, Watch::Run))
    }

    fn probes(&self, view: &View<'_>) -> Vec<Probe> {
        let row = self.story(view).filter(|_| !self.detail).and_then(|story| story.rows.get(self.at(story)));
        let container = row.and_then(|row| Self::logged(row, view)).filter(|container| !view.is_stale(&container.key.host));
        container.map(|container| Probe::Tail { container: container.key.clone(), until: None }).into_iter().collect()
    }

    fn selection(&self) -> Selection {
        self.id.clone().map_or(Selection::Nothing, Selection::Deployment)
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.paint(buffer, area, view);
    }
}
