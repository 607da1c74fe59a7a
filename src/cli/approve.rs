//! `approve` and `reject`: the answer that a deployment waits for.

use super::{
    args::Global,
    deed::{Deed, failure},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    ledger::{Answer, Deployment, audit::Who},
    run::journal::State,
    text::counted,
};

/// Gives the answer and says what it changes.
pub fn run(global: &Global, id: &str, answer: Answer, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    let told = wait(give(&sources, id, answer, reason))?;
    out::print(&format!("{told}\n"))?;
    Ok(Exit::DONE)
}

/// Gives the answer; what it changes, in one line.
///
/// # Errors
/// That nothing waits for it, that it is not this person's to give, and what the ledger says.
pub(super) async fn give(sources: &Sources, id: &str, answer: Answer, reason: &str) -> Result<String, Failure> {
    let (verb, action) = match answer {
        Answer::Yes => ("approve", "deployment.approve"),
        Answer::No => ("reject", "deployment.reject"),
    };
    sources.may_act(verb)?;
    let ledger = sources.ledger()?;
    let found = ledger.deployments().find(id).await.map_err(failure)?;
    let who = Who::of_process();
    let approvals = ledger.approvals();
    let name = who.short();
    let work = approvals.answer(&found.id, answer, &name, reason);
    let now = Deed { action, target: found.id.to_string(), reason }.perform(&ledger, &who, work).await?;
    Ok(told(&now, answer))
}

fn told(now: &Deployment, answer: Answer) -> String {
    let what = format!("{} of {} in {}", now.release, now.app, now.environment);
    let (given, needed) = (now.approved_by.len(), usize::try_from(now.needed).unwrap_or(usize::MAX));
    match (answer, now.state) {
        (Answer::Yes, State::Waiting) if given < needed => {
            format!("{}: {what}: approved by {}; {} to go", now.id, now.approved_by.join(", "), counted(needed - given, "approval"))
        }
        (Answer::Yes, State::Waiting) => {
            let names = now.approved_by.join(", ");
            format!(
                "{id}: {what}: approved by {names}; it starts where its asker waits, or: quarterdeck deployment resume {id}",
                id = now.id
            )
        }
        (Answer::Yes, _) => format!("{}: {what}: goes on", now.id),
        (Answer::No, State::Unwound) => format!("{}: {what}: rejected; nothing was changed", now.id),
        (Answer::No, _) => format!("{}: {what}: rejected; its run ends as its strategy says", now.id),
    }
}
