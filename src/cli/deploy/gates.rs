//! What a policy asks before anything happens, and the wait for those who have to say yes.

use std::time::Duration;

use chrono::SecondsFormat;

use super::{
    aim::{Aim, is_same},
    history::History,
};
use crate::{
    cli::{exit::Failure, out},
    delivery::{
        plan::{Options, Plan},
        release::{DeploymentId, Release},
    },
    run::journal::State,
};

/// Between two looks at whether somebody has said yes.
const LOOK: Duration = Duration::from_secs(1);

/// How many others must say yes. The way back to what was good there needs none of it.
///
/// # Errors
/// A freeze; a build that is not good where it has to be first; an override where none is allowed.
pub(super) async fn needed(history: &History, aim: &Aim, release: &Release, options: &Options) -> Result<u32, Failure> {
    let Aim { app, environment, policy, .. } = aim;
    if options.rollback && history.was_good(app, environment, &release.id()).await? {
        return Ok(0);
    }
    if options.override_reason.is_some() {
        return match aim.no_override {
            true => Err(Failure::refused(format!("--override is refused in {environment}: [policy.{environment}] says override = false"))),
            false => Ok(0),
        };
    }
    if let Some(freeze) = history.freeze(app, environment).await? {
        return Err(Failure::refused(format!(
            "{environment} of {app} is frozen by {} since {}: {}; quarterdeck thaw, or --override REASON",
            freeze.who,
            freeze.since.to_rfc3339_opts(SecondsFormat::Secs, true),
            freeze.why
        )));
    }
    // It speaks of the build: one that is good here already only gets another configuration.
    if let Some(after) = &policy.after
        && !history.is_build_good(app, after, &release.version).await?
        && !history.is_build_good(app, environment, &release.version).await?
    {
        return Err(Failure::refused(format!("{environment} takes only builds that are good in {after}, and {} is not", release.version)));
    }
    Ok(policy.approve)
}

/// What is told of a deployment that waits for others.
pub(super) fn waits(id: &DeploymentId, needed: u32) -> String {
    format!("deployment {id} waits for {needed} to approve it: quarterdeck approve {id} --reason …")
}

/// What was approved is what is done: the world may have gone on meanwhile, so the plan is made anew, and if it differs the approval is void.
///
/// # Errors
/// When somebody says no.
pub(super) async fn wait_for_approval(
    history: &History,
    needed: u32,
    mut shown: Plan,
    mut anew: impl AsyncFnMut() -> Result<Plan, Failure>,
) -> Result<Plan, Failure> {
    loop {
        approved(history, &shown.deployment, needed).await?;
        let now = anew().await?;
        if is_same(&now, &shown) {
            return Ok(now);
        }
        changed(history, &now).await?;
        shown = now;
    }
}

/// What was approved is not what would be done now: the new plan takes its place and wants its own yes.
pub(super) async fn changed(history: &History, now: &Plan) -> Result<(), Failure> {
    out::print(&format!("it has changed since: the approval is void\n{now}"))?;
    history.replan(now).await
}

/// Waits until others have said yes, or one said no. Leaving ends the wait, not the deployment's place in the ledger.
async fn approved(history: &History, id: &DeploymentId, needed: u32) -> Result<(), Failure> {
    out::complain(&waits(id, needed));
    loop {
        let found = history.deployment(id).await?;
        if found.state != State::Waiting {
            let reason = found.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            return Err(Failure::refused(format!("deployment {id} was turned down{reason}")));
        }
        if found.approved_by.len() >= needed as usize {
            out::complain(&format!("approved by {}", found.approved_by.join(", ")));
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
