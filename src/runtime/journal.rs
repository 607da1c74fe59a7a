//! A journal for a program without a ledger: intents and outcomes go to its log.

use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::{FutureExt, future::BoxFuture};

use crate::act::{Intent, Journal, JournalError, Outcome, Ticket};

/// Writes intents and outcomes to the log. Its tickets tie the two of this process together, nothing more.
#[derive(Debug, Default)]
pub struct LogJournal {
    last: AtomicI64,
}

impl Journal for LogJournal {
    fn begin(&self, intent: Intent) -> BoxFuture<'_, Result<Ticket, JournalError>> {
        let ticket = Ticket(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        tracing::info!(
            ticket = ticket.0,
            who = %intent.who,
            action = %intent.action,
            host = %intent.host,
            target = %intent.target,
            id = %intent.target_id,
            argument = intent.argument.as_deref().unwrap_or_default(),
            plan = %intent.plan,
            "intent"
        );
        std::future::ready(Ok(ticket)).boxed()
    }

    fn end(&self, ticket: Ticket, outcome: Outcome) -> BoxFuture<'_, Result<(), JournalError>> {
        tracing::info!(ticket = ticket.0, outcome = %outcome, "outcome");
        std::future::ready(Ok(())).boxed()
    }
}
