//! A deployment as its journal alone tells it: for one that another's ledger has, and ours has not.

use crate::{
    delivery::plan::Plan,
    ledger::Deployment,
    run::journal::{Entry, State, Word},
};

/// How it stands by these rows, with its plan; `None` when they do not tell what was begun.
pub(in crate::cli) fn of_journal(entries: &[Entry]) -> Option<(Deployment, Plan)> {
    let (begun, by, plan) = entries.iter().find_map(|entry| match &entry.word {
        Word::Begun { by, plan, .. } => Some((entry.at, by.to_string(), (**plan).clone())),
        _ => None,
    })?;
    let mut found = Deployment {
        id: plan.deployment.clone(),
        app: plan.app.clone(),
        environment: plan.environment.clone(),
        release: plan.release.clone(),
        from_release: plan.from.first().cloned(),
        rollback: plan.options.rollback,
        override_reason: plan.options.override_reason.as_deref().map(crate::text::clean_line),
        state: State::Running,
        by,
        needed: 0,
        approved_by: Vec::new(),
        asked: begun,
        started: Some(begun),
        finished: None,
        hosts: plan.hosts.clone(),
        owed: Vec::new(),
        requests: None,
        failed: None,
        p99_ms: None,
        reason: None,
    };
    for entry in entries {
        match &entry.word {
            Word::Resumed { .. } if found.state != State::Good => {
                (found.state, found.finished, found.reason) = (State::Running, None, None);
            }
            Word::Good => (found.state, found.finished) = (State::Good, Some(entry.at)),
            Word::Ended { state, reason, owed } => {
                found.state = *state;
                found.reason = reason.as_deref().map(crate::text::clean_line);
                found.owed = owed.iter().cloned().collect();
                found.finished = match state {
                    State::Good | State::Failed | State::Unwound => found.finished.or(Some(entry.at)),
                    State::Waiting | State::Running | State::Parked => None,
                };
            }
            Word::Measured { proof } => {
                (found.requests, found.failed) = proof.during.counted().unzip();
                found.p99_ms = proof.during.p99_ms();
            }
            Word::Begun { .. }
            | Word::Counted { .. }
            | Word::Resumed { .. }
            | Word::Intent { .. }
            | Word::Outcome { .. }
            | Word::GivenUp { .. }
            | Word::Turned { .. }
            | Word::UndoIntent { .. }
            | Word::UndoOutcome { .. }
            | Word::Bundle { .. } => {}
        }
    }
    Some((found, plan))
}
