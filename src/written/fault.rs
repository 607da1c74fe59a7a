//! What is wrong with what a person wrote: all of it at once, each fault with its place.

use std::fmt;

use thiserror::Error;

use super::origin::Origin;
use crate::text::{clean_line, nearest};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub origin: Origin,
    /// One clean sentence: the key, what is wrong, the remedy. Never a secret.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(origin: &Origin, message: impl AsRef<str>) -> Self {
        Self { origin: origin.clone(), message: clean_line(message.as_ref()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", clean_line(&self.origin.to_string()), self.message)
    }
}

/// Everything that is wrong, one line each, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", lines(.faults))]
pub struct Faults {
    /// At least one.
    pub faults: Vec<Fault>,
}

impl Faults {
    pub(crate) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_cached_key(|fault| match &fault.origin {
            Origin::File { path, line, column } => (Some(path.clone()), *line, *column),
            Origin::Default
            | Origin::Whole(_)
            | Origin::Variable(_)
            | Origin::Flag(_)
            | Origin::Context { .. }
            | Origin::LocalSocket { .. } => (None, 0, 0),
        });
        Self { faults }
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// `: did you mean "theme"?`, or the known names when none is near.
pub(crate) fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!(": did you mean {near:?}?"),
        None => format!(": expected {}", one_of(known)),
    }
}

/// `a, b or c`.
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}
