//! What can be wrong with a theme file, and where.

use thiserror::Error;

use crate::ui::datafile::Place;

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
    #[error("there is no theme {name:?}{}", hint(nearest, known))]
    Missing {
        /// As written.
        name: String,
        /// The known name most like it.
        nearest: Option<String>,
        /// All known names.
        known: String,
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
    #[error("unknown {what} {name:?}{}", hint(nearest, known))]
    Unknown {
        /// What it should have been.
        what: &'static str,
        /// As written.
        name: String,
        /// The known name most like it.
        nearest: Option<String>,
        /// All known names.
        known: String,
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

fn hint(nearest: &Option<String>, known: &str) -> String {
    nearest.as_ref().map_or_else(|| format!(": known are {known}"), |name| format!(" (did you mean {name:?}?)"))
}
