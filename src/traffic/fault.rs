//! Why a balancer did not do what it was asked.

use thiserror::Error;

use crate::{engine::transport::ConnectError, rights::Denied};

/// What can be wrong. One clean line each, without the balancer's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// It did not answer, or nobody knows whether it did what it was asked: look, then try again.
    #[error("{0}")]
    Away(String),
    /// Asking again would not help.
    #[error("{0}")]
    Refused(String),
    /// This process may not do that.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It said something that makes no sense to us.
    #[error("the answer to {asked:?} is not understood: {why}")]
    Nonsense {
        /// Our words.
        asked: String,
        /// What is wrong with its.
        why: String,
    },
}

impl Trouble {
    /// It said something else than it should; `text` is cleaned and cut here.
    pub(super) fn said(asked: &str, text: &str) -> Self {
        let text = crate::text::clean_line(text.trim());
        Self::Refused(format!("{asked:?} was answered {:?}", crate::text::fit(&text, 200)))
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        if error.cause.is_refusal() { Self::Refused(error.message) } else { Self::Away(error.message) }
    }
}
