//! The second stage: one field for each variable of a service in an environment. What is typed is judged at once by the rules of `app check`.

mod field;
mod paint;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use crate::{
    action::Action,
    board::edit::{Draft, Entry, Reading, Unfit, Verdict, judge},
    delivery::template::{Edit, Template},
    fleet::{EnvironmentId, ServiceName},
    ui::layers::InputLine,
};
use field::{Field, Shows, Subject};

/// What the form made of an input.
pub(super) enum Done {
    Stay,
    Say(String),
    Leave,
    /// It is whole: show what it does.
    Show(Arc<Draft>),
}

/// The open form.
pub(super) struct Form {
    reading: Arc<Reading>,
    environment: EnvironmentId,
    service: ServiceName,
    fields: Vec<Field>,
    /// Which field, and whether its name is typed.
    at: usize,
    on_name: bool,
    offset: usize,
    /// Whether the next `esc` drops what was typed.
    leaving: bool,
}

impl Form {
    /// The variables as they are; `None`: there is no such service.
    pub(super) fn open(reading: Arc<Reading>, environment: EnvironmentId, service: ServiceName) -> Option<Self> {
        let template = Template::parse(&reading.file, &reading.text).ok()?;
        let fields = template.variables(&environment, &service)?.into_iter().map(Field::known).collect();
        let mut form = Self { reading, environment, service, fields, at: 0, on_name: false, offset: 0, leaving: false };
        if form.fields.is_empty() {
            form.add();
        }
        Some(form)
    }

    /// The same over a template that was read since: what was typed stays, and is judged anew.
    pub(super) fn over(self, reading: Arc<Reading>) -> Self {
        let Some(mut form) = Self::open(reading, self.environment.clone(), self.service.clone()) else { return self };
        form.fields.retain(|field| matches!(field.subject, Subject::Known { .. }));
        for field in self.fields {
            if field.entry().is_none() {
                continue;
            }
            let known = form.fields.iter_mut().find(|one| one.name() == field.name());
            match (known, field.subject) {
                (Some(known), Subject::Known { gone: was_gone, .. }) => {
                    if let Subject::Known { gone, .. } = &mut known.subject {
                        *gone = was_gone;
                    }
                    known.value = field.value;
                }
                // It is nobody's word any more: said anew it is a new one, and taken away it is gone already.
                (None, Subject::Known { variable, gone: false, .. }) => {
                    let subject = Subject::New { name: Box::new(InputLine::new(&variable.name)) };
                    form.fields.push(Field { subject, value: field.value, verdict: Verdict::default() });
                }
                (None, Subject::Known { gone: true, .. }) => {}
                (_, subject @ Subject::New { .. }) => {
                    form.fields.push(Field { subject, value: field.value, verdict: Verdict::default() });
                }
            }
        }
        if form.fields.is_empty() {
            form.add();
        }
        (form.at, form.on_name) = (self.at.min(form.fields.len() - 1), false);
        (0..form.fields.len()).for_each(|at| form.judge(at));
        form
    }

    /// Whether it is about this text.
    pub(super) fn is_of(&self, reading: &Reading) -> bool {
        self.reading.text == reading.text
    }

    fn edits(&self) -> Vec<Result<Edit, Unfit>> {
        self.fields.iter().filter_map(Field::entry).map(|entry| entry.edit(&self.environment, &self.service)).collect()
    }

    /// Judges one field by itself, so that what is said stands under what it is about.
    fn judge(&mut self, at: usize) {
        let Some(field) = self.fields.get(at) else { return };
        let fault = |words: String| Verdict { fault: Some(words), warning: None };
        let twice = self.fields.iter().enumerate().any(|(other, one)| other != at && one.name() == field.name());
        let verdict = match field.entry() {
            None => Verdict::default(),
            Some(Entry::New(name, _)) if !name.is_empty() && twice => fault(format!("{name} is there already, in a line of its own")),
            Some(entry) => match entry.edit(&self.environment, &self.service) {
                Ok(edit) => judge(&self.reading, &[edit]).0,
                Err(Unfit(words)) => fault(words),
            },
        };
        if let Some(field) = self.fields.get_mut(at) {
            field.verdict = verdict;
        }
    }

    fn changed(&mut self) {
        self.leaving = false;
        self.judge(self.at);
    }

    fn finish(&mut self) -> Done {
        if let Some(at) = self.fields.iter().position(|field| field.verdict.fault.is_some()) {
            (self.at, self.on_name) = (at, false);
            let words = self.fields[at].verdict.fault.clone().unwrap_or_default();
            return Done::Say(format!("not yet: {}: {words}", self.fields[at].name()));
        }
        let edits: Result<Vec<Edit>, Unfit> = self.edits().into_iter().collect();
        let edits = match edits {
            Ok(edits) if edits.is_empty() => return Done::Say("nothing was changed".to_owned()),
            Ok(edits) => edits,
            Err(Unfit(words)) => return Done::Say(words),
        };
        match judge(&self.reading, &edits) {
            (_, Some(text)) => Done::Show(Arc::new(Draft {
                reading: Arc::clone(&self.reading),
                environment: self.environment.clone(),
                service: self.service.clone(),
                edits,
                text,
            })),
            (verdict, None) => Done::Say(verdict.fault.unwrap_or_else(|| "the template cannot be changed so".to_owned())),
        }
    }

    fn leave(&mut self) -> Done {
        if self.edits().is_empty() || self.leaving {
            return Done::Leave;
        }
        self.leaving = true;
        Done::Say("again: what was typed is dropped".to_owned())
    }

    fn add(&mut self) {
        let field = Field { subject: Subject::New { name: Box::default() }, value: InputLine::default(), verdict: Verdict::default() };
        self.fields.push(field);
        (self.at, self.on_name) = (self.fields.len() - 1, true);
    }

    fn remove(&mut self) -> Done {
        let Some(field) = self.fields.get_mut(self.at) else { return Done::Stay };
        match &mut field.subject {
            Subject::New { .. } => {
                self.fields.remove(self.at);
                (self.at, self.on_name) = (self.at.min(self.fields.len().saturating_sub(1)), false);
                self.leaving = false;
                return Done::Stay;
            }
            Subject::Known { variable, gone, .. } => {
                if let (false, Err(Unfit(words))) = (*gone, Entry::Gone(variable.clone()).edit(&self.environment, &self.service)) {
                    return Done::Say(words);
                }
                *gone = !*gone;
            }
        }
        self.changed();
        Done::Stay
    }

    /// To the next thing that is typed; a new variable has two.
    fn step(&mut self, forward: bool) {
        let stops: Vec<(usize, bool)> = self
            .fields
            .iter()
            .enumerate()
            .flat_map(|(at, field)| match field.subject {
                Subject::Known { .. } => vec![(at, false)],
                Subject::New { .. } => vec![(at, true), (at, false)],
            })
            .collect();
        let now = stops.iter().position(|stop| *stop == (self.at, self.on_name)).unwrap_or(0);
        let next = (now + if forward { 1 } else { stops.len().saturating_sub(1) }) % stops.len().max(1);
        if let Some(stop) = stops.get(next) {
            (self.at, self.on_name) = *stop;
        }
    }

    pub(super) fn act(&mut self, action: Action) -> Option<Done> {
        let done = match action {
            Action::LayerClose => return Some(self.leave()),
            Action::SelectionOpen => self.finish(),
            Action::PaneNext | Action::ListMoveDown => {
                self.step(true);
                Done::Stay
            }
            Action::PanePrevious | Action::ListMoveUp => {
                self.step(false);
                Done::Stay
            }
            Action::FormAdd => {
                self.add();
                Done::Stay
            }
            Action::FormRemove => self.remove(),
            // The cursor keys belong to the line.
            Action::ListMoveLeft => self.typed(KeyEvent::from(KeyCode::Left)),
            Action::ListMoveRight => self.typed(KeyEvent::from(KeyCode::Right)),
            Action::ListMoveFirst => self.typed(KeyEvent::from(KeyCode::Home)),
            Action::ListMoveLast => self.typed(KeyEvent::from(KeyCode::End)),
            Action::FilterClear => self.typed(KeyEvent::from(KeyCode::Backspace)),
            _ => return None,
        };
        self.leaving = false;
        Some(done)
    }

    fn typed(&mut self, event: KeyEvent) -> Done {
        self.type_key(event);
        Done::Stay
    }

    pub(super) fn type_key(&mut self, event: KeyEvent) {
        match event.code {
            KeyCode::Tab => self.step(true),
            KeyCode::BackTab => self.step(false),
            _ => {
                if self.line().is_some_and(|line| line.handle(event)) {
                    self.changed();
                }
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(line) = self.line() {
            line.paste(text);
            self.changed();
        }
    }

    /// What is typed into; nothing where nothing can be typed.
    fn line(&mut self) -> Option<&mut InputLine> {
        let on_name = self.on_name;
        let field = self.fields.get_mut(self.at)?;
        match &mut field.subject {
            Subject::New { name } if on_name => Some(name),
            Subject::Known { gone: true, .. } | Subject::Known { shows: Shows::NotHere, .. } => None,
            Subject::Known { .. } | Subject::New { .. } => Some(&mut field.value),
        }
    }
}
