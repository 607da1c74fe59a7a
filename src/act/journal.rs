//! The seam to whoever keeps the audit: the intent is written before an act is sent, the outcome after it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Outcome;
use crate::fleet::HostId;

/// What is about to be done, by whom, to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Who asks for it.
    pub who: Arc<str>,
    /// The catalogue's id: `container.stop`.
    pub action: Arc<str>,
    /// Where.
    pub host: HostId,
    /// The target's name at that time.
    pub target: Arc<str>,
    /// Its id, as the engine knows it.
    pub target_id: Arc<str>,
    /// The act's argument in words.
    pub argument: Option<Arc<str>>,
    /// What was shown before it was confirmed, in one line.
    pub plan: Arc<str>,
    /// The deployment that it is a part of.
    pub deployment: Option<Arc<str>>,
}

/// Ties an outcome to its intent; the journal's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub i64);

/// Why something could not be written; one clean line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct JournalError(pub String);

/// Keeps the audit. Without an intent written nothing is sent.
pub trait Journal: Send + Sync {
    /// Writes an intent; it is durable when this resolves.
    ///
    /// # Errors
    /// The act must then not be sent.
    fn begin(&self, intent: Intent) -> BoxFuture<'_, Result<Ticket, JournalError>>;

    /// Writes what became of it.
    ///
    /// # Errors
    /// The act has happened all the same; who ran it says that its outcome is not on record.
    fn end(&self, ticket: Ticket, outcome: Outcome) -> BoxFuture<'_, Result<(), JournalError>>;
}

#[cfg(test)]
pub(crate) mod memory {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;

    use super::*;

    /// A journal that forgets with the test, and fails when told to.
    #[derive(Default)]
    pub struct MemoryJournal {
        pub entries: Mutex<Vec<(Intent, Option<Outcome>)>>,
        pub refuses_to_begin: bool,
        pub refuses_to_end: bool,
    }

    impl Journal for MemoryJournal {
        fn begin(&self, intent: Intent) -> BoxFuture<'_, Result<Ticket, JournalError>> {
            let result = if self.refuses_to_begin {
                Err(JournalError("the disk is full".to_owned()))
            } else {
                let mut entries = self.entries.lock().unwrap();
                entries.push((intent, None));
                Ok(Ticket(entries.len() as i64 - 1))
            };
            std::future::ready(result).boxed()
        }

        fn end(&self, ticket: Ticket, outcome: Outcome) -> BoxFuture<'_, Result<(), JournalError>> {
            let result = if self.refuses_to_end {
                Err(JournalError("the disk is full".to_owned()))
            } else {
                let mut entries = self.entries.lock().unwrap();
                let entry = &mut entries[ticket.0 as usize];
                assert_eq!(entry.1.replace(outcome), None, "an outcome is written once");
                Ok(())
            };
            std::future::ready(result).boxed()
        }
    }
}
