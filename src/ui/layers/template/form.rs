//! The second stage: one field for each variable of a service in an environment. What is typed is judged at once by the rules of `app check`.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::around;
use crate::{
    action::{Action, Context},
    board::edit::{Draft, Entry, Reading, Unfit, Verdict, judge},
    delivery::template::{Edit, Level, SaidVariable, Template, Variable},
    fleet::{
        EnvironmentId, ServiceName,
        mask::{MASK, is_secret, mask_text},
    },
    text::{clean_line, counted, width},
    ui::{
        layers::InputLine,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the column of names.
const NAMES: u16 = 24;
/// Rows of a field: what is typed, and what there is to say of it.
const ROWS: usize = 2;

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

struct Field {
    subject: Subject,
    value: InputLine,
    verdict: Verdict,
}

enum Subject {
    Known { variable: Variable, gone: bool, shows: Shows },
    New { name: Box<InputLine> },
}

/// What of a value may be on the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    All,
    /// It looks like a secret: it can only be typed anew.
    Nothing,
    /// A line cannot hold it.
    NotHere,
}

impl Field {
    fn known(variable: Variable) -> Self {
        let value = variable.holds().map_or_else(|| Arc::from(""), |said| said.value.clone());
        let shows = match () {
            () if is_secret(&variable.name) || *mask_text(&value) != *value => Shows::Nothing,
            () if InputLine::new(&value).text() != &*value => Shows::NotHere,
            () => Shows::All,
        };
        let typed = if shows == Shows::All { InputLine::new(&value) } else { InputLine::default() };
        Self { subject: Subject::Known { variable, gone: false, shows }, value: typed, verdict: Verdict::default() }
    }

    /// What was done to it; `None`: nothing.
    fn entry(&self) -> Option<Entry> {
        let typed = self.value.text();
        match &self.subject {
            Subject::Known { variable, gone: true, .. } => Some(Entry::Gone(variable.clone())),
            Subject::Known { variable, shows, .. } => {
                let before = variable.holds().map_or("", |said| &said.value);
                let changed = match shows {
                    Shows::All => typed != before,
                    Shows::Nothing => !typed.is_empty(),
                    Shows::NotHere => false,
                };
                changed.then(|| Entry::Value(variable.clone(), typed.into()))
            }
            Subject::New { name } => {
                let name = name.text().trim();
                (!name.is_empty() || !typed.is_empty()).then(|| Entry::New(name.into(), typed.into()))
            }
        }
    }

    fn name(&self) -> &str {
        match &self.subject {
            Subject::Known { variable, .. } => &variable.name,
            Subject::New { name } => name.text().trim(),
        }
    }
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

    pub(super) fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let hints = [
            (Action::SelectionOpen, "what it does"),
            (Action::PaneNext, "next"),
            (Action::FormAdd, "add"),
            (Action::FormRemove, "take away"),
            (Action::LayerClose, "back, nothing written"),
        ];
        let changes = self.edits().len();
        let right = if changes == 0 { String::new() } else { counted(changes, "change") };
        let title =
            format!("Variables of {} in {} {} {}", self.service, self.environment, view.theme.symbol(Symbol::Dot), self.reading.app);
        let body = around(buffer, area, view, (&title, &right), Context::Form, &hints);
        let list = Rect { y: body.y + 1, height: body.height - 1, ..body };
        let page = (usize::from(list.height) / ROWS).max(1);
        self.offset = self.offset.clamp((self.at + 1).saturating_sub(page), self.at).min(self.fields.len().saturating_sub(page));
        for (place, (at, field)) in self.fields.iter().enumerate().skip(self.offset).take(page).enumerate() {
            let row = u16::try_from(place * ROWS).unwrap_or(u16::MAX);
            let here = (at == self.at).then_some(self.on_name);
            self.render_field(
                buffer,
                Rect { y: list.y + row, height: list.height.saturating_sub(row).min(2), ..list },
                (field, here),
                view,
            );
        }
        let below = self.fields.len().saturating_sub(self.offset + page);
        if below > 0 {
            Pen::new(buffer, body, 0).right(&format!("{below} more below "), view.theme.style(Role::TextDim));
        }
    }

    /// `here`: the cursor is in it, on its name or its value.
    fn render_field(&self, buffer: &mut Buffer, area: Rect, (field, here): (&Field, Option<bool>), view: &View<'_>) {
        let theme = view.theme;
        let mut pen = Pen::new(buffer, area, 0);
        pen.skip(1).text(if here.is_some() { theme.symbol(Symbol::Cursor) } else { " " }, theme.style(Role::Accent)).skip(1);
        let names = NAMES.min(area.width / 3);
        let (name_at, value_at) = (area.x + 3, area.x + 3 + names + 2);
        let room = |at: u16, end: u16| Rect { x: at, width: end.saturating_sub(at), height: area.height.min(1), ..area };
        let value_room = room(value_at, area.right().saturating_sub(1));
        match &field.subject {
            Subject::Known { variable, .. } => {
                let role = if here.is_some() { Role::TextStrong } else { Role::Text };
                pen.text(&theme.fit(&clean_line(&variable.name), usize::from(names)), theme.style(role));
            }
            Subject::New { name } => input(buffer, room(name_at, name_at + names), (name, here == Some(true)), "NAME", view),
        }
        match &field.subject {
            Subject::Known { gone: true, .. } => {
                Pen::new(buffer, value_room, 0).text("taken away", theme.style(Role::StateAttention));
            }
            Subject::Known { shows: Shows::NotHere, .. } => {
                Pen::new(buffer, value_room, 0).text("several lines, or signs that a line cannot show", theme.style(Role::TextDim));
            }
            Subject::Known { shows: Shows::Nothing, .. } => {
                input(buffer, value_room, (&field.value, here == Some(false)), MASK, view);
            }
            Subject::Known { .. } | Subject::New { .. } => {
                input(buffer, value_room, (&field.value, here == Some(false)), "empty", view);
            }
        }
        let (words, role) = self.note(field);
        let mut pen = Pen::new(buffer, area, 1);
        pen.skip(5);
        if role != Role::TextDim {
            pen.text(theme.symbol(if role == Role::StateBad { Symbol::Bad } else { Symbol::Odd }), theme.style(role)).skip(1);
        }
        pen.text(&words, theme.style(role));
    }

    /// What there is to say of a field: what is wrong with it, else what changes, else where it comes from.
    fn note(&self, field: &Field) -> (String, Role) {
        if let Some(fault) = &field.verdict.fault {
            return (fault.clone(), Role::StateBad);
        }
        if let Some(warning) = &field.verdict.warning {
            return (warning.clone(), Role::StateAttention);
        }
        let entry = field.entry();
        let words = match (&field.subject, &entry) {
            (Subject::New { .. }, _) => format!("new, for {} in {} alone", self.service, self.environment),
            (Subject::Known { variable, shows, .. }, Some(Entry::Value(..))) => {
                let was = match (shows, variable.holds()) {
                    (Shows::All, Some(said)) => format!("was {:?}", clean_line(&said.value)),
                    (Shows::Nothing | Shows::NotHere, _) | (_, None) => "changed".to_owned(),
                };
                match variable.holds().map(|said| said.level) {
                    Some(Level::Environment) => format!("{was}, for every service in {}", self.environment),
                    Some(Level::Here | Level::Service) | None => format!("{was}, for {} in {} alone", self.service, self.environment),
                }
            }
            (Subject::Known { variable, .. }, Some(Entry::Gone(_))) => match variable.said.get(1) {
                Some(next) => format!("then {:?}, {}", self.harmless(&variable.name, &next.value), self.said_by(next)),
                None => "then nobody says it".to_owned(),
            },
            (Subject::Known { variable, .. }, Some(Entry::New(..)) | None) => {
                variable.holds().map_or_else(String::new, |said| self.said_by(said))
            }
        };
        (words, Role::TextDim)
    }

    fn harmless(&self, name: &str, value: &str) -> String {
        if is_secret(name) { MASK.to_owned() } else { clean_line(&mask_text(value)) }
    }

    /// `line 61: production, for all of its services`
    fn said_by(&self, said: &SaidVariable) -> String {
        let line = said.origin.as_ref().map(|origin| clean_line(&origin.short()));
        let line = line.and_then(|line| line.rsplit(':').next().map(|number| format!("line {number}: "))).unwrap_or_default();
        match said.level {
            Level::Here => format!("{line}{} says it for {} alone", self.environment, self.service),
            Level::Environment => format!("{line}{} says it for all of its services", self.environment),
            Level::Service => format!("{line}{} says it for every environment", self.service),
        }
    }
}

fn input(buffer: &mut Buffer, area: Rect, (line, is_here): (&InputLine, bool), example: &str, view: &View<'_>) {
    if line.text().is_empty() {
        let shift = u16::from(is_here);
        Pen::new(buffer, area, 0).skip(shift).text(example, view.theme.style(Role::InputPrompt));
    }
    match is_here {
        true => line.render(area, buffer, view.theme),
        false if width(line.text()) > 0 => {
            Pen::new(buffer, area, 0).text(line.text(), view.theme.style(Role::InputText));
        }
        false => {}
    }
}
