//! What is done goes to the audit.

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    act::{Intent, Journal, JournalError, Outcome, Ticket},
    ledger::audit::{self, Audit, EntryId, Verdict, Who},
};

/// Writes to the audit: a row before, a row after.
pub struct AuditJournal {
    audit: Audit,
    who: Who,
}

impl AuditJournal {
    /// Over this audit, in the name of who runs this process.
    pub fn new(audit: Audit) -> Self {
        Self { audit, who: Who::of_process() }
    }
}

impl Journal for AuditJournal {
    fn begin(&self, intent: Intent) -> BoxFuture<'_, Result<Ticket, JournalError>> {
        let row = audit::Intent {
            who: self.who.clone(),
            action: intent.action.to_string(),
            host: intent.host.to_string(),
            target: audit::Target { name: intent.target.to_string(), id: intent.target_id.to_string() },
            argument: intent.argument.as_deref().unwrap_or_default().to_owned(),
            plan: intent.plan.to_string(),
        };
        async move {
            match self.audit.begin(row).await {
                Ok(EntryId(number)) => Ok(Ticket(number)),
                Err(error) => Err(JournalError(error.to_string())),
            }
        }
        .boxed()
    }

    fn end(&self, ticket: Ticket, outcome: Outcome) -> BoxFuture<'_, Result<(), JournalError>> {
        let row = audit::Outcome { verdict: verdict(&outcome), detail: outcome.record() };
        async move { self.audit.finish(EntryId(ticket.0), row).await.map_err(|error| JournalError(error.to_string())) }.boxed()
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Done | Outcome::Already | Outcome::DoneUnheard { .. } => Verdict::Done,
        Outcome::Cancelled => Verdict::Cancelled,
        Outcome::Unknown { .. } => Verdict::Unknown,
        Outcome::Gone
        | Outcome::Refused { .. }
        | Outcome::Impossible { .. }
        | Outcome::Unreachable { .. }
        | Outcome::Denied { .. }
        | Outcome::Unrecorded { .. }
        | Outcome::Undone { .. } => Verdict::Failed,
    }
}
