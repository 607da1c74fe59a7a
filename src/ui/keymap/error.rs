//! What can be wrong with a keymap file, and where.

use thiserror::Error;

use super::key::KeyError;
use crate::{
    action::{Context, UnknownAction, UnknownContext},
    ui::datafile::Place,
};

/// A keymap that could not be used, with the place in its file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {fault}")]
pub struct KeymapError {
    /// Where.
    pub at: Place,
    /// What.
    pub fault: KeymapFault,
}

/// What is wrong with a keymap file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeymapFault {
    /// No file and no built-in keymap of that name.
    #[error("there is no keymap {name:?}{}", nearest.as_ref().map_or_else(|| format!(": known are {known}"), |n| format!(" (did you mean {n:?}?)")))]
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
    /// A table that is no context.
    #[error(transparent)]
    Context(#[from] UnknownContext),
    /// An action nobody knows.
    #[error(transparent)]
    Action(#[from] UnknownAction),
    /// A key nobody knows.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A value of the wrong type or with an unknown field.
    #[error("{found}: expected {expected}")]
    Shape {
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// One key, two meanings.
    #[error("{keys:?} is bound twice in {context}: to {first} and to {second}")]
    Twice {
        /// The keys.
        keys: String,
        /// The context.
        context: Context,
        /// The earlier meaning.
        first: String,
        /// The later meaning.
        second: String,
    },
    /// One binding is the beginning of another, which could then never be typed.
    #[error("{short:?} is the beginning of {long:?} in {context}: one of the two could never be typed")]
    Prefix {
        /// The shorter one.
        short: String,
        /// The longer one.
        long: String,
        /// The context.
        context: Context,
    },
    /// A plain character in a context where characters are text.
    #[error("{keys:?} is text in {context}: bind a key with ctrl or alt, or one that writes nothing")]
    Typed {
        /// The keys.
        keys: String,
        /// The context.
        context: Context,
    },
    /// An action of another panel.
    #[error("{action} belongs to {home} and means nothing in {context}")]
    WrongPlace {
        /// The action's id.
        action: &'static str,
        /// Where it belongs.
        home: Context,
        /// Where it was bound.
        context: Context,
    },
    /// `false` for keys that the inherited keymap does not bind.
    #[error("{keys:?} = false unbinds nothing: {context} does not inherit such a binding")]
    NothingToUnbind {
        /// The keys.
        keys: String,
        /// The context.
        context: Context,
    },
    /// `inherits` in a circle.
    #[error("inherits {name:?}, which inherits this keymap: a circle")]
    Circle {
        /// The inherited name.
        name: String,
    },
    /// A keymap that nobody could leave.
    #[error("binds no key to {action} in global: nobody could {why}; bind one, or start with inherits = \"default\"")]
    NoWayOut {
        /// The action's id.
        action: &'static str,
        /// What the action is for.
        why: &'static str,
    },
}
