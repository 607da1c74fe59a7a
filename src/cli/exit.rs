//! How a run of the program ends: its exit code, and the sentence for standard error.

use std::fmt::Display;

/// An exit code with a meaning (design: Command line).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub i32);

impl Exit {
    /// Done.
    pub const DONE: Self = Self(0);
    /// Failed.
    pub const FAILED: Self = Self(1);
    /// Wrong usage or configuration.
    pub const USAGE: Self = Self(2);
    /// Done, but some hosts could not be reached.
    pub const INCOMPLETE: Self = Self(3);
    /// Somebody else is at it.
    pub const LOCKED: Self = Self(4);
    /// `exec` itself failed: all codes below may be the command's.
    pub const OURS: Self = Self(125);
    /// Refused: rights, policy, gate.
    pub const REFUSED: Self = Self(5);
}

/// Why a verb could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Exit,
    /// `None`: there is nobody to tell.
    message: Option<String>,
}

impl Failure {
    /// Wrong usage or configuration.
    pub fn usage(message: impl Display) -> Self {
        Self { code: Exit::USAGE, message: Some(message.to_string()) }
    }

    /// Everything else.
    pub fn failed(message: impl Display) -> Self {
        Self { code: Exit::FAILED, message: Some(message.to_string()) }
    }

    /// Some hosts could not be reached, and without them there is no answer.
    pub fn incomplete(message: impl Display) -> Self {
        Self { code: Exit::INCOMPLETE, message: Some(message.to_string()) }
    }

    /// This process may not do it.
    pub fn refused(message: impl Display) -> Self {
        Self { code: Exit::REFUSED, message: Some(message.to_string()) }
    }

    /// Somebody else is at it.
    pub fn locked(message: impl Display) -> Self {
        Self { code: Exit::LOCKED, message: Some(message.to_string()) }
    }

    /// The same words as a failure of `exec` itself, unless it is a matter of usage or rights.
    pub fn ours(self) -> Self {
        match self.code {
            Exit::DONE | Exit::USAGE | Exit::REFUSED => self,
            _ => Self { code: Exit::OURS, ..self },
        }
    }

    /// Who read our output has left, as `head` does: the end, and no failure.
    pub fn reader_left() -> Self {
        Self { code: Exit::DONE, message: None }
    }

    /// The code that it ends with.
    pub fn exit(&self) -> Exit {
        self.code
    }

    /// What it says; nothing where there is nobody to tell.
    pub fn words(self) -> String {
        self.message.unwrap_or_default()
    }

    /// Says it on standard error.
    pub fn report(self) -> Exit {
        if let Some(message) = self.message {
            super::out::complain(&message);
        }
        self.code
    }
}
