//! The audit: every act of everybody, written down before it is done (the intent) and after it (the outcome).
//!
//! Rows are only ever appended, and each holds the hash of the one before it ([`chain`]), so that a changed, removed, inserted or
//! reordered row is found. An intent without an outcome is an act that is under way, or whose process was killed in the middle.

pub mod chain;
mod entry;
mod table;
mod who;

use chrono::{DateTime, Utc};

pub use chain::{ChainFault, Check, Head, NotedHead};
pub use entry::{Entry, EntryId, Intent, Outcome, Target, Verdict};
pub use who::Who;

use super::{Ledger, LedgerError};

/// The table of acts, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Audit {
    ledger: Ledger,
}

impl Audit {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Writes down what is about to be done. It is on the disk when this returns; without it, nothing may be done.
    ///
    /// # Errors
    /// Every [`LedgerError`]: then there is no record, and no act.
    pub async fn begin(&self, intent: Intent) -> Result<EntryId, LedgerError> {
        let now = Utc::now();
        self.ledger.run(move |store| Box::pin(async move { table::begin(store, &intent, now).await })).await
    }

    /// Writes down what came of it, once.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `NotOpen` when it has an outcome already.
    pub async fn finish(&self, entry: EntryId, outcome: Outcome) -> Result<(), LedgerError> {
        let now = Utc::now();
        self.ledger.run(move |store| Box::pin(async move { table::finish(store, entry, &outcome, now).await })).await
    }

    /// The acts since a moment (`None`: all), oldest first, each with its outcome where it has one.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn rows(&self, since: Option<DateTime<Utc>>) -> Result<Vec<Entry>, LedgerError> {
        self.ledger.run(move |store| Box::pin(async move { table::rows(store, since).await })).await
    }

    /// The last row, as it is noted on what we start; `None`: there is none yet.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn head(&self) -> Result<Option<NotedHead>, LedgerError> {
        self.ledger.run(move |store| Box::pin(async move { table::noted(store).await })).await
    }

    /// Reads every row and checks the chain, against heads that were noted elsewhere too.
    ///
    /// # Errors
    /// Every [`LedgerError`]; what is wrong with the rows is in the [`Check`].
    pub async fn verify(&self, noted: Vec<Head>) -> Result<Check, LedgerError> {
        self.ledger.run(move |store| Box::pin(async move { table::verify(store, noted).await })).await
    }
}
