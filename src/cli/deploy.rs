//! `plan`, `deploy`, `rollback`: the plan is shown, answered, and carried out step by step, with a line for each.

mod history;
pub(super) mod quiet;
pub(super) mod rebuild;
mod release;
mod space;
mod stage;
pub(super) mod standing;
mod telling;

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use chrono::{SecondsFormat, Utc};

use super::{
    app,
    args::{Deploying, Global},
    build::Fresh,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    build::version::is_dirty,
    delivery::{
        plan::{Options, Plan, Request, plan},
        release::{DeploymentId, Release},
        spec::Policy,
        steps::Step,
        strategies::script,
        template::{Template, render},
    },
    fleet::{AppName, EnvironmentId, HostId, ServiceName},
    run::{Outcome, Run, RunError, journal::State},
    text::nearest,
};
use history::History;
use stage::Stage;
use telling::Telling;

/// Between two looks at whether somebody has said yes.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only to look.
    Plan,
    /// To a release.
    Deploy,
    /// Back to one.
    Rollback,
}

/// Does what is asked.
///
/// # Errors
/// Everything that forbids it.
pub fn run(global: &Global, asked: &Deploying, kind: Kind) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    if kind != Kind::Plan {
        // Who may not act is told so before any host is asked.
        sources.may_act(if kind == Kind::Deploy { "deploy" } else { "rollback" })?;
    }
    // A template's server that is down stops nobody from looking or from going back.
    let fresh = if kind == Kind::Deploy { Fresh::Now } else { Fresh::LastKnown };
    let (template, around) = app::registered_template(global, &asked.app, fresh)?;
    let environment = environment(&template, &asked.environment)?;
    let said = template.environments.get(&environment).ok_or_else(|| Failure::usage("the environment is gone"))?;
    let policy = around.tightened(&environment, &said.policy);
    let app = template.spec.app.clone();
    let history = History::of(&sources)?;
    wait(async {
        let stage = Stage::new(&sources, &app, &environment, kind != Kind::Plan)?;
        let mut observed = stage.observe(&policy).await;
        history.note_owed(&mut observed, &app, &environment).await?;
        let release = match kind {
            Kind::Rollback => history.way_back(&app, &environment, asked.release.as_deref()).await?,
            Kind::Plan | Kind::Deploy => {
                let about = (&policy, &observed);
                release::find(&sources, (&stage, &history), &template, &said.revision, about, asked.release.as_deref()).await?
            }
        };
        let options = options(asked, kind);
        let needed = gates(&history, &policy, &release, (&app, &environment), &options).await?;
        let rendered = render(&release.spec, &environment, &release.revision, &policy);
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let (by, audit) = (stage.holder.who.clone(), history.head().await?);
        // A number is only taken for what is going to happen.
        let deployment = if kind == Kind::Plan { DeploymentId::new(0, 0) } else { history.reserve().await? };
        let request = Request {
            release: &release,
            rendered: &rendered,
            policy: &policy,
            observed: &observed,
            deployment: &deployment,
            options: &options,
            ports: sources.config.delivery.ports.clone(),
            by: &by,
            at: &at,
            audit: &audit,
        };
        let mut shown = plan(&request).map_err(refusal)?;
        out::print(&shown.to_string())?;
        if kind == Kind::Plan || shown.is_nothing() {
            return Ok(Exit::DONE);
        }
        space::suffices(&stage, &history, &shown).await?;
        confirm(asked, &shown)?;
        history.ask(&shown, &release, needed).await?;
        if needed > 0 {
            shown = wait_for_approval(&history, &deployment, needed, shown, async || {
                let observed = stage.observe(&policy).await;
                plan(&Request { observed: &observed, ..request.clone() }).map_err(refusal)
            })
            .await?;
        }
        let action = if kind == Kind::Rollback { "app.rollback" } else { "app.deploy" };
        history.audited(action, &shown, carry_out(&stage, &history, &shown)).await
    })
}

/// What was approved is what is done: the world may have gone on meanwhile, so the plan is made anew, and if it differs the approval is void.
async fn wait_for_approval(
    history: &History,
    id: &DeploymentId,
    needed: u32,
    mut shown: Plan,
    anew: impl AsyncFn() -> Result<Plan, Failure>,
) -> Result<Plan, Failure> {
    loop {
        approved(history, id, needed).await?;
        let now = anew().await?;
        if is_same(&now, &shown) {
            return Ok(now);
        }
        out::print(&format!("it has changed since: the approval is void\n{now}"))?;
        history.replan(&now).await?;
        shown = now;
    }
}

/// Waits until others have said yes, or one said no. Leaving ends the wait, not the deployment's place in the ledger.
async fn approved(history: &History, id: &DeploymentId, needed: u32) -> Result<(), Failure> {
    out::complain(&format!("deployment {id} waits for {needed} to approve it: quarterdeck approve {id} --reason …"));
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

/// Whether two plans are one to a person who approves: release, hosts, steps, what is lost; not ports, times or figures.
fn is_same(a: &Plan, b: &Plan) -> bool {
    let (steps_a, steps_b) = (script(a).steps, script(b).steps);
    let does = |step: &Step| (step.host.clone(), step.service.clone(), std::mem::discriminant(&step.act));
    (&a.release, &a.hosts, &a.out, &a.lost) == (&b.release, &b.hosts, &b.out, &b.lost)
        && steps_a.iter().map(does).eq(steps_b.iter().map(does))
}

async fn carry_out(stage: &Stage, history: &History, plan: &Plan) -> Result<Exit, Failure> {
    let script = script(plan);
    let records = Telling::new(history.records(), &script);
    let run = Run { port: &stage.port, records: &records, holder: &stage.holder };
    let begun = run.begin(plan, &script).await;
    let good = begun.as_ref().is_ok_and(|outcome| outcome.state == State::Good);
    let exit = told(&plan.deployment, begun)?;
    if good && !script.cool.is_empty() {
        out::complain(&format!(
            "the old ones stay warm for {:?}; quarterdeck deployment resume {} puts them away",
            plan.strategy.keep_warm, plan.deployment
        ));
        run.cool(plan, &script).await.map_err(Failure::failed)?;
    }
    Ok(exit)
}

/// Why a run did not begin.
fn failure_of(error: RunError) -> Failure {
    match error {
        RunError::Lock(_) | RunError::Alive { .. } => Failure::locked(error),
        RunError::Records(_) | RunError::NoPlan(_) => Failure::failed(error),
    }
}

/// How a run ended, in words and as an exit code.
fn told(deployment: &DeploymentId, result: Result<Outcome, RunError>) -> Result<Exit, Failure> {
    let outcome = result.map_err(failure_of)?;
    let reason = outcome.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (word, exit) = match outcome.state {
        State::Good if outcome.owed.is_empty() => ("good", Exit::DONE),
        State::Good => ("good", Exit::INCOMPLETE),
        State::Unwound => ("taken back", Exit::FAILED),
        State::Parked => ("parked", Exit::FAILED),
        State::Failed | State::Waiting | State::Running => ("failed", Exit::FAILED),
    };
    out::print(&format!("deployment {deployment} {word}{reason}\n"))?;
    if outcome.state == State::Parked {
        out::complain(&format!("quarterdeck deployment resume {deployment}, or: quarterdeck deployment unwind {deployment}"));
    }
    for host in &outcome.owed {
        out::complain(&format!("host {host} is owed it: quarterdeck deploy --only-owed when it is back"));
    }
    Ok(exit)
}

fn environment(template: &Template, asked: &str) -> Result<EnvironmentId, Failure> {
    if let Some((found, _)) = template.environments.get_key_value(asked) {
        return Ok(found.clone());
    }
    let known: Vec<&str> = template.environments.keys().map(EnvironmentId::as_str).collect();
    let hint = nearest(asked, known.iter().copied())
        .map_or_else(|| format!("expected {}", known.join(", ")), |near| format!("did you mean {near:?}?"));
    Err(Failure::usage(format!("{} has no environment {asked:?}: {hint}", template.spec.app)))
}

fn options(asked: &Deploying, kind: Kind) -> Options {
    Options {
        rollback: kind == Kind::Rollback,
        service: asked.service.as_ref().map(ServiceName::new),
        host: asked.on.as_ref().map(HostId::new),
        without: asked.without.iter().map(HostId::new).collect(),
        only_failed: asked.only_failed,
        only_owed: asked.only_owed,
        strategy: None,
        override_reason: asked.override_reason.as_deref().map(Arc::from),
    }
}

/// What a policy asks before anything happens; how many others must say yes. The way back to what was good there needs none of it.
async fn gates(
    history: &History,
    policy: &Policy,
    release: &Release,
    (app, environment): (&AppName, &EnvironmentId),
    options: &Options,
) -> Result<u32, Failure> {
    let was_good = options.rollback && history.was_good(app, environment, &release.id()).await?;
    if was_good || options.override_reason.is_some() {
        return Ok(0);
    }
    if let Some(freeze) = history.freeze(app, environment).await? {
        return Err(Failure::refused(format!(
            "{environment} of {app} is frozen by {} since {}: {}; quarterdeck thaw, or --override REASON",
            freeze.who,
            freeze.since.to_rfc3339_opts(SecondsFormat::Secs, true),
            freeze.why
        )));
    }
    if is_dirty(&release.version) && !policy.auto {
        let remedy = "commit, build, and deploy that; or --override REASON";
        return Err(Failure::refused(format!("{} was built with changes that nobody committed: {remedy}", release.version)));
    }
    if let Some(after) = &policy.after
        && !history.is_build_good(app, after, &release.version).await?
    {
        return Err(Failure::refused(format!("{environment} takes only builds that are good in {after}, and {} is not", release.version)));
    }
    Ok(policy.approve)
}

/// Waits for the right answer on the terminal.
fn confirm(asked: &Deploying, plan: &Plan) -> Result<(), Failure> {
    if asked.yes {
        return Ok(());
    }
    terminal()?;
    let one_way = plan.jobs.iter().any(|job| job.one_way);
    let word = if one_way || plan.options.override_reason.is_some() { plan.app.as_str() } else { "yes" };
    ask(word)
}

/// That there is somebody to ask.
fn terminal() -> Result<(), Failure> {
    match io::stdin().is_terminal() {
        true => Ok(()),
        false => Err(Failure::usage("nothing was done: --yes is needed where no terminal can be asked")),
    }
}

/// Asks for a word.
fn ask(word: &str) -> Result<(), Failure> {
    // Without standard error nobody sees the question; the answer then is none.
    let _ = io::stderr().write_all(format!("go on? type {word}: ").as_bytes());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure::failed(format!("nothing was done: {error}")))?;
    if line.trim() == word { Ok(()) } else { Err(Failure::failed("nothing was done")) }
}

fn refusal(error: crate::delivery::plan::PlanError) -> Failure {
    use crate::delivery::plan::PlanError;
    match error {
        PlanError::Frozen { .. } => Failure::refused(error),
        PlanError::Unreachable(_) => Failure::incomplete(error),
        PlanError::NoService { .. } | PlanError::NoHost { .. } => Failure::usage(error),
        PlanError::NoImage(_)
        | PlanError::NoHosts(_)
        | PlanError::Foreign { .. }
        | PlanError::PortTaken { .. }
        | PlanError::NoPort { .. }
        | PlanError::NotReached { .. }
        | PlanError::NoStartFirst { .. }
        | PlanError::WouldMove { .. } => Failure::failed(error),
    }
}
