//! A change of variables before it is written: what was typed, judged by the rules of `app check`.

use std::{fmt, sync::Arc};

use super::Reading;
use crate::{
    delivery::template::{Edit, Level, Place, Template, Variable, rewrite},
    fleet::{EnvironmentId, ServiceName},
};

/// A change that is whole, with the text that it makes.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it was made from.
    pub reading: Arc<Reading>,
    /// The environment whose variables are changed.
    pub environment: EnvironmentId,
    /// The service whose variables are changed.
    pub service: ServiceName,
    /// What changes.
    pub edits: Vec<Edit>,
    /// The new text.
    pub text: Arc<str>,
}

/// Texts of templates belong into no log.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("environment", &self.environment).field("names", &self.names()).finish_non_exhaustive()
    }
}

impl Draft {
    /// The variables that change, in words: `GREETING, -LOG`.
    pub fn names(&self) -> String {
        let name = |edit: &Edit| format!("{}{}", if edit.value.is_some() { "" } else { "-" }, edit.name);
        self.edits.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

/// What was done to one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// One that there is gets this value.
    Value(Variable, Arc<str>),
    /// One that there is goes.
    Gone(Variable),
    /// There is one more.
    New(Arc<str>, Arc<str>),
}

/// Why something that was typed cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

/// What was found about something that was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It cannot be so.
    pub fault: Option<String>,
    /// It can, and probably is not meant.
    pub warning: Option<String>,
}

impl Entry {
    /// The change of the template. What the service itself says for every environment stays there, and the environment says otherwise.
    ///
    /// # Errors
    /// What cannot be said in one environment.
    pub fn edit(&self, environment: &EnvironmentId, service: &ServiceName) -> Result<Edit, Unfit> {
        let place = |own: bool| Place { environment: environment.clone(), service: own.then(|| service.clone()) };
        match self {
            Self::New(name, _) if name.is_empty() => Err(Unfit("a name first".to_owned())),
            Self::New(name, value) => Ok(Edit { place: place(true), name: name.clone(), value: Some(value.clone()) }),
            Self::Value(variable, value) => {
                let own = variable.holds().is_none_or(|said| said.level != Level::Environment);
                Ok(Edit { place: place(own), name: variable.name.clone(), value: Some(value.clone()) })
            }
            Self::Gone(variable) => match variable.holds().map(|said| said.level) {
                Some(Level::Here) => Ok(Edit { place: place(true), name: variable.name.clone(), value: None }),
                Some(Level::Environment) => Ok(Edit { place: place(false), name: variable.name.clone(), value: None }),
                Some(Level::Service) | None => {
                    Err(Unfit(format!("{service} says it in every environment: here it can only get another value")))
                }
            },
        }
    }
}

/// The text with these changes and the rules' word on it. A warning that the template had before is nobody's news.
pub fn judge(reading: &Reading, edits: &[Edit]) -> (Verdict, Option<Arc<str>>) {
    let fault = |words: String| (Verdict { fault: Some(words), warning: None }, None);
    let text = match rewrite(&reading.text, edits) {
        Ok(text) => text,
        Err(error) => return fault(error.to_string()),
    };
    let checked = Template::check(&reading.file, &text, Some(&reading.around));
    let short = |message: &str| {
        let places = edits.iter().map(|edit| edit.place.to_string());
        let cut = places.filter_map(|place| Some(message.strip_prefix(place.as_str())?.trim_start_matches([':', '.', ' ']).to_owned()));
        cut.min_by_key(String::len).unwrap_or_else(|| message.to_owned())
    };
    if let Some(first) = checked.faults.first() {
        return fault(short(&first.message));
    }
    let before = Template::check(&reading.file, &reading.text, Some(&reading.around)).warnings;
    let is_new = |message: &String| !before.iter().any(|old| old.message == *message);
    let warning = checked.warnings.iter().map(|warning| &warning.message).find(|message| is_new(message));
    (Verdict { fault: None, warning: warning.map(|message| short(message)) }, Some(text.into()))
}
