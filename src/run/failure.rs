//! Why a step did not do what it should.

use thiserror::Error;

use super::port::PortError;

/// Why a step failed: a clean sentence without the host's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// For a person.
    pub text: String,
}

/// What follows from a failure depends on its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// What was started is not well.
    Gate,
    /// The engine or the balancer does not do it.
    Refused,
    /// The host does not answer.
    Away,
    /// The lock is another's.
    Fenced,
    /// What the run did was undone by somebody else: a person has to look.
    Undone,
    /// It was told to stop waiting.
    Halted,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn gate(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Gate, text)
    }

    pub(super) fn halted() -> Self {
        Self::new(FailureKind::Halted, "broken off")
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let kind = match &error {
            PortError::Away(_) => FailureKind::Away,
            PortError::Undone(_) => FailureKind::Undone,
            PortError::NameTaken(_) | PortError::PortTaken(_) | PortError::Gone(_) | PortError::Refused(_) => FailureKind::Refused,
        };
        Self { kind, text: error.to_string() }
    }
}
