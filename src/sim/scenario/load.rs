//! From a name or a file to a checked [`Scenario`]; errors name file, line and the nearest known name.

use std::{ops::Range, path::Path};

use thiserror::Error;

use super::{Scenario, check};
use crate::text::{clean_line, nearest};

/// The scenarios that come with the program: name and text.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("harbor", include_str!("../scenarios/harbor.toml")),
    ("calm", include_str!("../scenarios/calm.toml")),
    ("storm", include_str!("../scenarios/storm.toml")),
    ("hostile", include_str!("../scenarios/hostile.toml")),
    ("scale", include_str!("../scenarios/scale.toml")),
];

/// Why there is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScenarioError {
    /// The name is neither an embedded scenario nor a file.
    #[error("no scenario {name:?}{}: the embedded ones are {}; anything else must be a file that ends in .toml", hint(.near.as_deref()), embedded())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The embedded name nearest to it.
        near: Option<String>,
    },
    /// The file cannot be read.
    #[error("scenario {path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        cause: String,
    },
    /// The text is no good.
    #[error("{file}:{line}: {problem}")]
    Wrong {
        /// The file, as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and how to mend it.
        problem: String,
    },
}

/// `: did you mean "x"?`, or nothing.
pub(super) fn hint(near: Option<&str>) -> String {
    near.map(|near| format!(": did you mean {near:?}?")).unwrap_or_default()
}

fn embedded() -> String {
    EMBEDDED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Scenario {
    /// The embedded scenario of this name, or the file at this path.
    pub fn open(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(text, &format!("{name}.toml"));
        }
        let path = Path::new(name_or_path);
        if !name_or_path.ends_with(".toml") {
            let near = nearest(name_or_path, EMBEDDED.iter().map(|(name, _)| *name)).map(str::to_owned);
            return Err(ScenarioError::Unknown { name: name_or_path.to_owned(), near });
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, name_or_path),
            Err(cause) => Err(ScenarioError::Unreadable { path: name_or_path.to_owned(), cause: cause.to_string() }),
        }
    }

    /// Reads and checks the text of a scenario; `file` is only for the errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScenarioError> {
        let wrong = |span: Option<Range<usize>>, problem: String| ScenarioError::Wrong {
            file: file.to_owned(),
            line: text.get(..span.map_or(0, |span| span.start)).unwrap_or_default().matches('\n').count() + 1,
            problem,
        };
        let scenario: Self = toml::from_str(text).map_err(|error| wrong(error.span(), explain(error.message())))?;
        check::check(&scenario).map_err(|(span, problem)| wrong(Some(span), problem))?;
        Ok(scenario)
    }
}

/// serde's sentence in our words, with the nearest known name: "unknown field `x`, expected one of `a`, `b`".
fn explain(message: &str) -> String {
    for (start, noun) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        if let Some((name, known)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            let near = nearest(name, known.iter().copied());
            let known = if near.is_some() { String::new() } else { format!(" (known: {})", known.join(", ")) };
            return format!("unknown {noun} {name:?}{}{known}", hint(near));
        }
    }
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) => format!("the key {name:?} is missing here"),
        None => clean_line(message),
    }
}
