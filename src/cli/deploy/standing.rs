//! `deployment resume`, `unwind`, `finish`, `park`: what a person says about a deployment that there is already.

use super::{
    aim::{Aim, Given, is_same},
    errand::{Errand, Work},
    follow::{Attention, attend, is_idle},
    gates,
    history::History,
    hosts::known,
    question,
    queue::Queue,
    stage::Stage,
};
use crate::{
    cli::{
        args::{Global, Standing},
        build::Fresh,
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
        out,
    },
    delivery::{plan::Plan, release::DeploymentId},
    ledger::Deployment,
    run::{
        Order,
        journal::{Progress, State, Way, beginning},
    },
};

/// Carries it on, or takes it back; one that waits for nobody any more is begun.
///
/// # Errors
/// Everything that forbids it.
pub(in crate::cli) fn run(global: &Global, asked: &Standing, way: Way) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("deployment")?;
    let history = History::of(&sources)?;
    wait(async {
        let found = known(&sources, &history, &asked.id, asked.alive).await?;
        let entries = history.journal(&found.id).await?;
        let begun = beginning(&entries).filter(|_| !is_idle(&entries));
        let Some((plan, _)) = begun else {
            return match way {
                Way::Forward => begin(global, &sources, &history, asked, &found).await,
                Way::Back => {
                    Err(Failure::refused(format!("deployment {} was not begun: there is nothing to take back; reject it", found.id)))
                }
            };
        };
        if way == Way::Back && Progress::of(&entries).ended == Some(State::Good) {
            let remedy = format!("quarterdeck rollback {} {}", found.app, found.environment);
            return Err(Failure::refused(format!("deployment {} is good; back from it: {remedy}", found.id)));
        }
        let word = if way == Way::Forward { "carry on" } else { "take back" };
        out::print(&format!("{word}: {}\n", plan.headline()))?;
        question::must_say(asked.yes, "yes")?;
        let action = if way == Way::Forward { "deployment.resume" } else { "deployment.unwind" };
        let work = Work::Resume { way, alive: asked.alive };
        send(global, &sources, &history, plan, (action, work), asked.detach).await
    })
}

/// Ends a warm window; tidies up after a run that died when it was good.
///
/// # Errors
/// When it is not good.
pub(in crate::cli) fn finish(global: &Global, asked: &Standing) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("deployment")?;
    let history = History::of(&sources)?;
    wait(async {
        let found = known(&sources, &history, &asked.id, asked.alive).await?;
        let id = &found.id;
        let entries = history.journal(id).await?;
        let progress = Progress::of(&entries);
        let Some((plan, script)) = beginning(&entries).filter(|_| progress.good) else {
            return Err(Failure::refused(format!("deployment {id} is not good: there is nothing that is only kept warm")));
        };
        if progress.ended.is_some() && script.cool.iter().all(|step| progress.done.contains(&step.id)) {
            out::print(&format!("deployment {id}: nothing of it is warm\n"))?;
            return Ok(Exit::DONE);
        }
        if progress.ended.is_some() && history.is_superseded(plan).await? {
            out::print(&format!("deployment {id}: a later one has taken over what it kept\n"))?;
            return Ok(Exit::DONE);
        }
        out::print(&format!("put away what is kept warm: {}; the way back is slower then\n", plan.headline()))?;
        question::must_say(asked.yes, "yes")?;
        send(global, &sources, &history, plan, ("deployment.finish", Work::Finish), asked.detach).await
    })
}

/// Tells its run to stop where it is.
///
/// # Errors
/// When nothing is under way.
pub(in crate::cli) fn park(global: &Global, id: &str, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("deployment park")?;
    let history = History::of(&sources)?;
    wait(async {
        let found = history.find(id).await?;
        let found =
            found.ok_or_else(|| Failure::usage(format!("there is no deployment {id:?} in this ledger, and only its own tells its run")))?;
        history.order(&found.id, Order::Park, reason).await?;
        out::print(&format!(
            "{}: told; its run finishes what is under way and stands still: quarterdeck deployment follow {}\n",
            found.id, found.id
        ))?;
        Ok(Exit::DONE)
    })
}

async fn send(
    global: &Global,
    sources: &Sources,
    history: &History,
    plan: &Plan,
    (action, work): (&str, Work),
    detach: bool,
) -> Result<Exit, Failure> {
    let stage = Stage::new(sources, &plan.app, &plan.environment, true)?;
    stage.changed_secrets(plan).iter().for_each(|line| out::complain(line));
    let values = stage.values;
    let errand = Errand { deployment: plan.deployment.clone(), action: action.into(), work, values };
    let run = errand.start(global, sources).await?;
    attend(history, run, Attention { detach, quiet: false }).await
}

/// Begins one that was asked for and never began: its asker has left, or the lock was another's. What was approved is what is done, so the plan is
/// made anew and must be the same.
async fn begin(global: &Global, sources: &Sources, history: &History, asked: &Standing, found: &Deployment) -> Result<Exit, Failure> {
    let id = &found.id;
    if !matches!(found.state, State::Waiting | State::Failed) {
        let reason = found.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Err(Failure::refused(format!("deployment {id} was turned down{reason}")));
    }
    let given = u32::try_from(found.approved_by.len()).unwrap_or(u32::MAX);
    if given < found.needed {
        return Err(Failure::refused(gates::waits(id, found.needed - given)));
    }
    let Some(old) = history.plan(id).await? else {
        return Err(Failure::failed(format!("deployment {id} has no plan in the ledger: ask for it anew")));
    };
    let aim = Aim::of(&sources.config, found.app.as_str(), found.environment.as_str(), Fresh::LastKnown).await?;
    let release = history.release(&found.app, &found.release).await?;
    let release = release.ok_or_else(|| Failure::failed(format!("release {} of {} is not in the ledger", found.release, found.app)))?;
    let stage = Stage::new(sources, &aim.app, &aim.environment, true)?;
    // A freeze, or a tighter policy, may have come since.
    let needed = gates::needed(history, &aim, &release, &stage.observe(&aim.policy).await, &old.options).await?;
    if given < needed {
        return Err(Failure::refused(gates::waits(id, needed - given)));
    }
    let look = async || {
        let mut observed = stage.observe(&aim.policy).await;
        history.note_owed(&mut observed, &aim.app, &aim.environment).await?;
        Ok(observed)
    };
    let observed = Queue::Never.turn(&stage, &old.options, look).await?;
    let (ports, audit) = (sources.config.delivery.ports.clone(), history.head().await?);
    let plan = aim.plan(&release, &observed, id, &old.options, Given { ports, stage: &stage, audit: &audit })?;
    out::print(&plan.to_string())?;
    if plan.is_nothing() {
        return Ok(Exit::DONE);
    }
    if needed > 0 && !is_same(&plan, &old) {
        return void(history, id, found.state, &plan).await;
    }
    question::confirm(asked.yes, &plan)?;
    let action = if plan.options.rollback { "app.rollback" } else { "app.deploy" };
    let work = Work::Begin { plan: Box::new(plan.clone()) };
    send(global, sources, history, &plan, (action, work), asked.detach).await
}

/// What was approved is not what would be done now.
async fn void(history: &History, id: &DeploymentId, state: State, plan: &Plan) -> Result<Exit, Failure> {
    if state == State::Waiting {
        history.replan(plan).await?;
        return Err(Failure::refused(format!(
            "it has changed since it was approved, and the approval is void: deployment {id} waits anew"
        )));
    }
    Err(Failure::refused(format!("it has changed since deployment {id} was approved: ask for it anew")))
}
