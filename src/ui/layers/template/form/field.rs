//! One field of the form: a variable that there is, or one more.

use std::sync::Arc;

use crate::{
    board::edit::{Entry, Verdict},
    delivery::template::Variable,
    fleet::mask::{is_secret, mask_text},
    ui::layers::InputLine,
};

pub(super) struct Field {
    pub subject: Subject,
    pub value: InputLine,
    pub verdict: Verdict,
}

pub(super) enum Subject {
    Known { variable: Variable, gone: bool, shows: Shows },
    New { name: Box<InputLine> },
}

/// What of a value may be on the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    All,
    /// It looks like a secret: it can only be typed anew.
    Nothing,
    /// A line cannot hold it.
    NotHere,
}

impl Field {
    pub fn known(variable: Variable) -> Self {
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
    pub fn entry(&self) -> Option<Entry> {
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

    pub fn name(&self) -> &str {
        match &self.subject {
            Subject::Known { variable, .. } => &variable.name,
            Subject::New { name } => name.text().trim(),
        }
    }
}
