//! What a policy asks before anything happens, and the wait for those who have to say yes.

use std::time::Duration;

use chrono::SecondsFormat;

use super::{
    aim::{Aim, is_same},
    history::History,
};
use crate::{
    build::version::is_dirty,
    cli::{exit::Failure, out},
    delivery::{
        observed::{Observed, Sight},
        plan::{Options, Plan},
        release::{DeploymentId, Release},
    },
    run::journal::State,
};

/// Between two looks at whether somebody has said yes.
const LOOK: Duration = Duration::from_secs(1);

/// What a policy says of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Gate {
    /// It may begin when so many others have said yes.
    Open(u32),
    /// It may not begin as it was asked for.
    Shut {
        /// Why.
        why: String,
        /// What a person could say that opens it.
        opens: Opens,
        /// The same for a command line.
        remedy: &'static str,
    },
}

/// What opens a gate that is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Opens {
    /// Nothing: the build, or the configuration, has to be another.
    Nothing,
    /// A reason.
    Reason,
    /// A reason for passing it over.
    Override,
}

impl Gate {
    fn shut(why: String, opens: Opens, remedy: &'static str) -> Self {
        Self::Shut { why, opens, remedy }
    }

    /// How many others must say yes.
    ///
    /// # Errors
    /// That it is shut, with what opens it.
    pub(super) fn needed(self) -> Result<u32, Failure> {
        match self {
            Self::Open(needed) => Ok(needed),
            Self::Shut { why, remedy: "", .. } => Err(Failure::refused(why)),
            Self::Shut { why, remedy, .. } => Err(Failure::refused(format!("{why}{remedy}"))),
        }
    }
}

/// How many others must say yes, where nothing may be passed over or asked any more.
///
/// # Errors
/// As [`Gate::needed`].
pub(super) async fn needed(
    history: &History,
    aim: &Aim,
    release: &Release,
    observed: &Observed,
    options: &Options,
) -> Result<u32, Failure> {
    gate(history, aim, release, observed, options).await?.needed()
}

/// A freeze; a build that is not good where it has to be first; an override where none is allowed; how many others must say yes. The way back to
/// what was good there needs none of it, and through a freeze only a reason; what finishes a deployment on hosts that it is owed was asked for
/// before.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn gate(history: &History, aim: &Aim, release: &Release, observed: &Observed, options: &Options) -> Result<Gate, Failure> {
    let Aim { app, environment, policy, .. } = aim;
    let was_good = (options.rollback || options.only_owed) && history.was_good(app, environment, &release.id()).await?;
    let frozen = frozen(history, observed, aim).await?;
    if was_good && frozen.is_none() {
        return Ok(Gate::Open(0));
    }
    if options.override_reason.is_some() {
        return Ok(match aim.no_override {
            true => {
                let why = format!("--override is refused in {environment}: [policy.{environment}] says override = false");
                Gate::shut(why, Opens::Nothing, "")
            }
            false => Gate::Open(0),
        });
    }
    let passes = if aim.no_override { Opens::Nothing } else { Opens::Override };
    match frozen {
        Some(frozen) if options.rollback && was_good => {
            return Ok(match &options.reason {
                Some(_) => Gate::Open(0),
                None => Gate::shut(frozen, Opens::Reason, "; a rollback to what was good there goes through with --reason WHY"),
            });
        }
        Some(frozen) => return Ok(Gate::shut(frozen, passes, "; quarterdeck thaw, or --override REASON")),
        None => {}
    }
    if is_dirty(&release.version) && !policy.auto {
        let why = format!("{} was built with changes that nobody committed", release.version);
        return Ok(Gate::shut(why, passes, ": commit, build, and deploy that; or --override REASON"));
    }
    // It speaks of the build: one that is good here already only gets another configuration.
    if let Some(after) = &policy.after
        && !history.is_build_good(app, after, &release.version).await?
        && !history.is_build_good(app, environment, &release.version).await?
    {
        let why = format!("{environment} takes only builds that are good in {after}, and {} is not", release.version);
        return Ok(Gate::shut(why, passes, ""));
    }
    Ok(Gate::Open(policy.approve))
}

/// Whether nothing may be deployed there now: by the ledger, or by what stands on a host, which another ledger's people put there.
async fn frozen(history: &History, observed: &Observed, Aim { app, environment, .. }: &Aim) -> Result<Option<String>, Failure> {
    let words = |who: &str, since: &str, why: &str| format!("{environment} of {app} is frozen by {who} since {since}: {why}");
    if let Some(freeze) = history.freeze(app, environment).await? {
        return Ok(Some(words(&freeze.who, &freeze.since.to_rfc3339_opts(SecondsFormat::Secs, true), &freeze.why)));
    }
    let of_host = |sight: &Sight| match sight {
        Sight::Seen(view) => view.freeze.clone(),
        Sight::Lost(_) => None,
    };
    let mark = observed.hosts.values().find_map(of_host);
    Ok(mark.map(|mark| words(&mark.holder, &mark.since, mark.reason.as_deref().unwrap_or("no reason given"))))
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
