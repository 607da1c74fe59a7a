//! What a verb does to the ledger itself: told to the audit before and after, as every act is.

use std::{fmt::Display, future::Future};

use super::exit::Failure;
use crate::ledger::{
    Ledger, LedgerError,
    audit::{Intent, Outcome, Target, Who},
};

/// What is about to be done.
pub struct Deed<'a> {
    /// As `area.verb-noun`.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// The reason that was given.
    pub reason: &'a str,
}

impl Deed<'_> {
    /// Does it, in the name of who runs this process.
    ///
    /// # Errors
    /// What the ledger says; when the audit cannot be written, nothing is done.
    pub async fn perform<T, F>(self, ledger: &Ledger, who: &Who, work: F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let entry = ledger.audit().begin(self.intent(who)).await.map_err(failure)?;
        let done = work.await;
        let outcome = match &done {
            Ok(_) => Outcome::done(""),
            Err(error @ LedgerError::Unsure { .. }) => Outcome::unknown(error.to_string()),
            Err(error) => Outcome::failed(error.to_string()),
        };
        ledger.audit().finish(entry, outcome).await.map_err(failure)?;
        done.map_err(failure)
    }

    /// The same for work that the ledger has no part in; what came of it is noted in its own words.
    ///
    /// # Errors
    /// What the work says; when the audit cannot be written, nothing is done.
    pub async fn carry<T, F>(self, ledger: &Ledger, who: &Who, work: F) -> Result<T, Failure>
    where
        T: Display,
        F: Future<Output = Result<T, Failure>>,
    {
        let entry = ledger.audit().begin(self.intent(who)).await.map_err(failure)?;
        let done = work.await;
        let outcome = match &done {
            Ok(what) => Outcome::done(what.to_string()),
            Err(why) => Outcome::failed(why.clone().words()),
        };
        ledger.audit().finish(entry, outcome).await.map_err(failure)?;
        done
    }

    fn intent(self, who: &Who) -> Intent {
        Intent {
            who: who.clone(),
            action: self.action.to_owned(),
            host: String::new(),
            target: Target { name: self.target, id: String::new() },
            argument: self.reason.to_owned(),
            plan: String::new(),
        }
    }
}

/// How a verb ends when the ledger says no.
pub fn failure(error: LedgerError) -> Failure {
    match error {
        LedgerError::NoDeployment(_) | LedgerError::Ambiguous(_) => Failure::usage(error),
        LedgerError::Unfit { .. } | LedgerError::ReadOnly => Failure::refused(error),
        LedgerError::StateDir(_)
        | LedgerError::Absent { .. }
        | LedgerError::Newer { .. }
        | LedgerError::Older { .. }
        | LedgerError::Foreign { .. }
        | LedgerError::Damaged { .. }
        | LedgerError::Full { .. }
        | LedgerError::Locked { .. }
        | LedgerError::Permission { .. }
        | LedgerError::Other { .. }
        | LedgerError::Server { .. }
        | LedgerError::Unsure { .. }
        | LedgerError::NotOpen(_)
        | LedgerError::Taken { .. }
        | LedgerError::Stopped(_) => Failure::failed(error),
    }
}
