//! Why a request to an engine failed.

use thiserror::Error;

use crate::{
    engine::{LinkLost, transport::ConnectError},
    fleet::LinkCause,
    rights::Denied,
};

/// Why a request failed. The sentence is one clean line without the host's name; who shows it adds that.
#[derive(Clone, Debug, Error)]
pub enum EngineError {
    /// No stream to the engine could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// This process may not send it; nothing left.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The engine did not answer in time.
    #[error("no answer to {what} within {seconds} s")]
    Timeout {
        /// Method and path.
        what: String,
        /// The deadline.
        seconds: u64,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection closed in the middle of {what}: {reason}")]
    Broken {
        /// Method and path.
        what: String,
        /// The transport's words.
        reason: String,
    },
    /// The engine refused: its own status and message.
    #[error("{message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The engine's `message`, or the beginning of the body.
        message: String,
    },
    /// The answer is not what the protocol says.
    #[error("{what}: the answer is not a Docker engine's: {reason}")]
    Protocol {
        /// Method and path.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<LinkLost> for EngineError {
    fn from(lost: LinkLost) -> Self {
        ConnectError::new(lost.cause.cause, lost.to_string()).into()
    }
}

impl EngineError {
    /// What this failure means for the link when it hits the handshake or the event stream.
    pub fn into_connect(self) -> ConnectError {
        let cause = match &self {
            Self::Connect(error) => return error.clone(),
            Self::Denied(_) => LinkCause::Configuration,
            Self::Timeout { .. } => LinkCause::NoAnswer,
            Self::Broken { .. } => LinkCause::Closed,
            Self::Status { status: 401 | 403, .. } => LinkCause::Permission,
            Self::Status { .. } | Self::Protocol { .. } => LinkCause::Protocol,
        };
        ConnectError::new(cause, self.to_string())
    }

    /// Whether the engine says that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }
}

/// A connection that broke while a request was under way.
pub(super) fn broken(what: &str, reason: &str) -> EngineError {
    EngineError::Broken { what: what.to_owned(), reason: crate::text::clean_line(reason) }
}
