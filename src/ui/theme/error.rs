//! What can be wrong with a theme file, and where.

use thiserror::Error;

use crate::{text::nearest, ui::datafile::Place};

/// A theme that could not be used, with the place in its file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {fault}")]
pub struct ThemeError {
    /// Where.
    pub at: Place,
    /// What.
    pub fault: ThemeFault,
}

/// What is wrong with a theme file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ThemeFault {
    /// No file and no built-in theme of that name.
    #[error("there is no theme {name:?}{hint}")]
    Missing {
        /// As written.
        name: String,
        /// ` (did you mean "…"?)`, or what is known.
        hint: String,
    },
    /// The file is there but cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// The system's reason.
        reason: String,
    },
    /// Not TOML.
    #[error("{reason}")]
    Syntax {
        /// The parser's reason.
        reason: String,
    },
    /// A section, role, symbol, colour, field or modifier nobody knows.
    #[error("unknown {what} {name:?}{hint}")]
    Unknown {
        /// What it should have been.
        what: &'static str,
        /// As written.
        name: String,
        /// ` (did you mean "…"?)`, or what is known.
        hint: String,
    },
    /// A role's name without quotes, which TOML reads as a table within a table.
    #[error("write the name of the role in quotes: {role:?}")]
    Unquoted {
        /// The role.
        role: String,
    },
    /// A colour that is not `#rrggbb`.
    #[error(
        "{text:?} is no colour: write \"#rrggbb\", a name of [palette], \"default\", or one of the 16 such as \"red\" or \"bright-red\""
    )]
    Colour {
        /// As written.
        text: String,
    },
    /// A value of the wrong type.
    #[error("{what} is {found}: expected {expected}")]
    Shape {
        /// The key.
        what: String,
        /// What stands there.
        found: &'static str,
        /// What could stand there.
        expected: &'static str,
    },
    /// A sign that is not one cell wide.
    #[error("the sign {sign:?} for {name} is {cells} cells wide: it must be 1")]
    Wide {
        /// The symbol.
        name: &'static str,
        /// As written.
        sign: String,
        /// Its width.
        cells: usize,
    },
    /// `inherits` in a circle.
    #[error("inherits {name:?}, which inherits this theme: a circle")]
    Circle {
        /// The inherited name.
        name: String,
    },
}

/// What an error adds to an unknown name: the nearest known one, or, when none is near, all of them.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!(" (did you mean {nearest:?}?)"),
        None => format!(": known are {}", known.join(", ")),
    }
}
