//! A template as it reads in each environment; its variables in a form; what a change of them would do, before and after it is written. Three
//! stages of one layer, and `esc` goes back one of them, always without effect.

mod form;
mod preview;
mod sheet;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome};
use crate::{
    action::{Action, Context},
    board::{
        Order,
        edit::{self, About, Reading},
    },
    delivery::template::Explained,
    fleet::{EnvironmentId, ServiceName},
    rights::Rights,
    text::width,
    ui::{frame, screen::Request, theme::Role, view::View, widgets::Pen},
};
use form::{Done, Form};
use preview::{Preview, Said};
use sheet::Place;

/// The open template.
pub struct TemplateLayer {
    about: About,
    /// The environment in front; `None`: the first.
    environment: Option<EnvironmentId>,
    /// What it was opened for: where the cursor begins.
    service: Option<ServiceName>,
    /// What the cursor is on; `None`: nobody moved it.
    held: Option<Place>,
    offset: usize,
    page: usize,
    stage: Stage,
}

enum Stage {
    Reading,
    Form(Form),
    Preview(Form, Preview),
}

/// What is on the screen of the first stage.
struct Shown<'v> {
    reading: &'v Arc<Reading>,
    sheet: &'v Explained,
}

impl TemplateLayer {
    /// Opens it empty; the desk's answer fills it.
    pub fn open(about: About, environment: Option<EnvironmentId>, service: Option<ServiceName>) -> Self {
        Self { about, environment, service, held: None, offset: 0, page: 1, stage: Stage::Reading }
    }

    fn shown<'v>(&self, view: &View<'v>) -> Option<Shown<'v>> {
        let reading = view.board.edit.reading(&self.about)?.as_ref().ok()?;
        let asked = self.environment.as_ref().or(reading.environment.as_ref());
        let sheet = asked.and_then(|environment| reading.sheet(environment)).or(reading.sheets.first())?;
        Some(Shown { reading, sheet })
    }

    /// The line of the cursor.
    fn at(&self, sheet: &Explained) -> usize {
        let places = sheet::places(sheet);
        let service = self.service.as_ref().map(|service| format!("services.{service}"));
        match (&self.held, service) {
            (Some(held), _) => {
                let heading = Place { key: None, ..held.clone() };
                places.iter().position(|place| place == held).or_else(|| places.iter().position(|place| *place == heading)).unwrap_or(0)
            }
            (None, Some(title)) => places.iter().position(|place| place.title == title).unwrap_or(0),
            (None, None) => 0,
        }
    }

    fn step(&mut self, by: isize, view: &View<'_>) -> LayerOutcome {
        let Some(shown) = self.shown(view) else { return LayerOutcome::Stay };
        let places = sheet::places(shown.sheet);
        let to = self.at(shown.sheet).saturating_add_signed(by).min(places.len().saturating_sub(1));
        self.held = places.get(to).cloned();
        LayerOutcome::Stay
    }

    /// The environment before or behind this one; the cursor stays on what it is on, where that one has it.
    fn turn(&mut self, by: isize, view: &View<'_>) -> LayerOutcome {
        let Some(shown) = self.shown(view) else { return LayerOutcome::Stay };
        let sheets = &shown.reading.sheets;
        let now = sheets.iter().position(|sheet| sheet.environment == shown.sheet.environment).unwrap_or(0);
        let next = (now + sheets.len()).saturating_add_signed(by) % sheets.len().max(1);
        let held = sheet::places(shown.sheet).get(self.at(shown.sheet)).cloned();
        self.environment = sheets.get(next).map(|sheet| sheet.environment.clone());
        self.held = held.map(|held| held.moved(&shown.sheet.environment, self.environment.as_ref()));
        LayerOutcome::Stay
    }

    fn edit(&mut self, view: &View<'_>) -> LayerOutcome {
        if let Rights::View { because } = view.rights {
            return LayerOutcome::Say(format!("template.edit is refused: {because}"));
        }
        let Some(shown) = self.shown(view) else { return LayerOutcome::Say("there is no template to change yet".to_owned()) };
        let places = sheet::places(shown.sheet);
        let title = places.get(self.at(shown.sheet)).map(|place| place.title.as_str()).unwrap_or_default();
        if title.starts_with("jobs.") {
            return LayerOutcome::Say("a job has its own variables and the environment's: choose a service".to_owned());
        }
        let here = title.strip_prefix("services.").map(ServiceName::new);
        let all = || places.iter().filter(|place| place.key.is_none()).filter_map(|place| place.title.strip_prefix("services."));
        let asked = self.service.clone().filter(|service| all().any(|name| name == service.as_str()));
        let Some(service) = here.or(asked).or_else(|| all().next().map(ServiceName::new)) else {
            return LayerOutcome::Say("the template has no service".to_owned());
        };
        match Form::open(Arc::clone(shown.reading), shown.sheet.environment.clone(), service) {
            Some(form) => {
                self.stage = Stage::Form(form);
                LayerOutcome::Stay
            }
            None => LayerOutcome::Say("the template has no such service".to_owned()),
        }
    }

    fn read(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            return self.step(by, view);
        }
        match action {
            Action::LayerClose => LayerOutcome::Close,
            Action::ListMoveLeft | Action::PanePrevious => self.turn(-1, view),
            Action::ListMoveRight | Action::PaneNext => self.turn(1, view),
            Action::TemplateEdit => self.edit(view),
            Action::SelectionCopyName => match self.shown(view).and_then(|shown| sheet::value(shown.sheet, self.at(shown.sheet))) {
                Some(value) => LayerOutcome::Ask(Request::Copy(value)),
                None => LayerOutcome::Stay,
            },
            _ => LayerOutcome::Pass,
        }
    }

    /// What the form or the preview made of an input.
    fn follow(&mut self, done: Done) -> LayerOutcome {
        match done {
            Done::Stay => LayerOutcome::Stay,
            Done::Say(words) => LayerOutcome::Say(words),
            Done::Leave => {
                self.stage = Stage::Reading;
                LayerOutcome::Stay
            }
            Done::Show(draft) => {
                let order = Order::Edit(edit::Order::Preview(Arc::clone(&draft)));
                let preview = Preview::of(draft);
                self.stage = match std::mem::replace(&mut self.stage, Stage::Reading) {
                    Stage::Form(form) | Stage::Preview(form, _) => Stage::Preview(form, preview),
                    Stage::Reading => Stage::Reading,
                };
                LayerOutcome::Ask(Request::Deliver(order))
            }
        }
    }

    fn follow_preview(&mut self, said: Said, view: &View<'_>) -> LayerOutcome {
        match said {
            Said::Stay => LayerOutcome::Stay,
            Said::Say(words) => LayerOutcome::Say(words),
            Said::Back => {
                // Somebody else may have written it meanwhile: the form goes on over what is there now.
                let now = self.shown(view).map(|shown| Arc::clone(shown.reading));
                self.stage = match (std::mem::replace(&mut self.stage, Stage::Reading), now) {
                    (Stage::Preview(form, _), Some(now)) if !form.is_of(&now) => Stage::Form(form.over(now)),
                    (Stage::Preview(form, _), _) => Stage::Form(form),
                    (other, _) => other,
                };
                LayerOutcome::Stay
            }
            Said::Leave => {
                self.stage = Stage::Reading;
                LayerOutcome::Stay
            }
            Said::Write(draft) => {
                // What the desk reads anew afterwards is the app's, also where a deployment's was looked at.
                self.about = About::App(draft.reading.app.clone());
                self.environment = Some(draft.environment.clone());
                LayerOutcome::Ask(Request::Deliver(Order::Edit(edit::Order::Write(draft))))
            }
            Said::Apply(selection) => LayerOutcome::RunAt(Action::DeliveryApplyConfig, selection),
        }
    }
}

impl Layer for TemplateLayer {
    fn context(&self) -> Context {
        match &self.stage {
            Stage::Reading => Context::Template,
            Stage::Form(_) => Context::Form,
            Stage::Preview(..) => Context::Confirm,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        match &mut self.stage {
            Stage::Reading => self.read(action, view),
            Stage::Form(form) => match form.act(action) {
                Some(done) => self.follow(done),
                None => LayerOutcome::Pass,
            },
            Stage::Preview(_, preview) => match preview.act(action, view) {
                Some(said) => self.follow_preview(said, view),
                None => LayerOutcome::Pass,
            },
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        match &mut self.stage {
            Stage::Reading => LayerOutcome::Stay,
            Stage::Form(form) => {
                form.type_key(event);
                LayerOutcome::Stay
            }
            Stage::Preview(_, preview) => {
                let said = preview.type_key(event, view);
                self.follow_preview(said, view)
            }
        }
    }

    fn paste(&mut self, text: &str, _: &View<'_>) -> LayerOutcome {
        match &mut self.stage {
            Stage::Reading | Stage::Preview(..) => LayerOutcome::Stay,
            Stage::Form(form) => {
                form.paste(text);
                LayerOutcome::Stay
            }
        }
    }

    fn is_full(&self) -> bool {
        true
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        if area.height < 4 {
            return;
        }
        match &mut self.stage {
            Stage::Reading => self.render_sheet(buffer, area, view),
            Stage::Form(form) => form.render(buffer, area, view),
            Stage::Preview(_, preview) => preview.render(buffer, area, view),
        }
    }
}

/// Title above, hints below; the room between them.
fn around(
    buffer: &mut Buffer,
    area: Rect,
    view: &View<'_>,
    (title, right): (&str, &str),
    context: Context,
    hints: &[(Action, &str)],
) -> Rect {
    frame::rule(buffer, area, 0, &format!(" {title} "), &if right.is_empty() { String::new() } else { format!(" {right} ") }, view);
    let theme = view.theme;
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    Pen::new(buffer, foot, 0).fill(" ", theme.style(Role::Screen));
    let mut pen = Pen::new(buffer, foot, 0);
    pen.skip(1);
    for (action, word) in hints {
        if let Some(key) = view.keymap.reverse(*action, &[context, Context::Global])
            && width(key) + 1 + width(word) <= pen.left()
        {
            pen.text(key, theme.style(Role::HintKey)).skip(1).text(word, theme.style(Role::HintText)).skip(2);
        }
    }
    Rect { y: area.y + 1, height: area.height - 2, ..area }
}
