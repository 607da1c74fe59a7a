//! `deployment resume`, `unwind`, `finish`, `park`: what a person says about a deployment that there is already.

use super::{
    aim::{Aim, Given, is_same},
    errand::{Errand, Started, Work},
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
        let proposed = carry_on(&sources, &history, (&asked.id, asked.alive), way, &out::complain).await?;
        send(global, &sources, &history, proposed, asked).await
    })
}

/// What would be sent, for somebody to say yes to.
pub(in crate::cli) enum Proposed {
    /// This.
    Errand(Box<Proposal>),
    /// Nothing is to be done, and why.
    Nothing(String),
    /// What was approved is not what would be done now, which is this.
    Void(Box<Plan>, Failure),
}

/// A run that is carried on, taken back, tidied up or begun.
pub(in crate::cli) struct Proposal {
    plan: Plan,
    action: &'static str,
    work: Work,
    /// What a person reads before.
    words: String,
}

impl Proposal {
    /// Starts the run. `say` hears what is worth knowing and stops nothing.
    ///
    /// # Errors
    /// When nothing was started.
    pub(in crate::cli) async fn start(self, global: &Global, sources: &Sources, say: &dyn Fn(&str)) -> Result<Started, Failure> {
        let stage = Stage::new(sources, &self.plan.app, &self.plan.environment, true)?;
        stage.changed_secrets(&self.plan).iter().for_each(|line| say(line));
        let deployment = self.plan.deployment.clone();
        Errand { deployment, action: self.action.into(), work: self.work, values: stage.values }.start(global, sources).await
    }
}

/// What carrying it on, or taking it back, comes to.
///
/// # Errors
/// Everything that forbids it.
pub(in crate::cli) async fn carry_on(
    sources: &Sources,
    history: &History,
    (id, alive): (&str, bool),
    way: Way,
    say: &dyn Fn(&str),
) -> Result<Proposed, Failure> {
    let found = known(sources, history, id, alive, say).await?;
    let entries = history.journal(&found.id).await?;
    let begun = beginning(&entries).filter(|_| !is_idle(&entries));
    let Some((plan, _)) = begun else {
        return match way {
            Way::Forward => begin(sources, history, &found).await,
            Way::Back => Err(Failure::refused(format!("deployment {} was not begun: there is nothing to take back; reject it", found.id))),
        };
    };
    if way == Way::Back && Progress::of(&entries).ended == Some(State::Good) {
        let remedy = format!("quarterdeck rollback {} {}", found.app, found.environment);
        return Err(Failure::refused(format!("deployment {} is good; back from it: {remedy}", found.id)));
    }
    let (word, action) = match way {
        Way::Forward => ("carry on", "deployment.resume"),
        Way::Back => ("take back", "deployment.unwind"),
    };
    let words = format!("{word}: {}\n", plan.headline());
    Ok(Proposed::Errand(Box::new(Proposal { plan: plan.clone(), action, work: Work::Resume { way, alive }, words })))
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
        let proposed = put_away(&sources, &history, (&asked.id, asked.alive), &out::complain).await?;
        send(global, &sources, &history, proposed, asked).await
    })
}

/// What ending a warm window comes to.
///
/// # Errors
/// When it is not good.
pub(in crate::cli) async fn put_away(
    sources: &Sources,
    history: &History,
    (id, alive): (&str, bool),
    say: &dyn Fn(&str),
) -> Result<Proposed, Failure> {
    let found = known(sources, history, id, alive, say).await?;
    let id = &found.id;
    let entries = history.journal(id).await?;
    let progress = Progress::of(&entries);
    let Some((plan, script)) = beginning(&entries).filter(|_| progress.good) else {
        return Err(Failure::refused(format!("deployment {id} is not good: there is nothing that is only kept warm")));
    };
    if progress.ended.is_some() && script.cool.iter().all(|step| progress.done.contains(&step.id)) {
        return Ok(Proposed::Nothing(format!("deployment {id}: nothing of it is warm")));
    }
    if progress.ended.is_some() && history.is_superseded(plan).await? {
        return Ok(Proposed::Nothing(format!("deployment {id}: a later one has taken over what it kept")));
    }
    let words = format!("put away what is kept warm: {}; the way back is slower then\n", plan.headline());
    let proposal = Proposal { plan: plan.clone(), action: "deployment.finish", work: Work::Finish, words };
    Ok(Proposed::Errand(Box::new(proposal)))
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

/// Shows it, asks, starts it and follows it.
async fn send(global: &Global, sources: &Sources, history: &History, proposed: Proposed, asked: &Standing) -> Result<Exit, Failure> {
    let proposal = match proposed {
        Proposed::Errand(proposal) => proposal,
        Proposed::Nothing(words) => {
            out::print(&format!("{words}\n"))?;
            return Ok(Exit::DONE);
        }
        Proposed::Void(plan, failure) => {
            out::print(&plan.to_string())?;
            return Err(failure);
        }
    };
    out::print(&proposal.words)?;
    match &proposal.work {
        Work::Begin { plan } => question::confirm(asked.yes, plan)?,
        Work::Resume { .. } | Work::Finish => question::must_say(asked.yes, "yes")?,
    }
    let run = proposal.start(global, sources, &out::complain).await?;
    attend(history, run, Attention { detach: asked.detach, quiet: false }).await
}

/// Begins one that was asked for and never began: its asker has left, or the lock was another's. What was approved is what is done, so the plan is
/// made anew and must be the same.
async fn begin(sources: &Sources, history: &History, found: &Deployment) -> Result<Proposed, Failure> {
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
    let words = plan.to_string();
    if plan.is_nothing() {
        return Ok(Proposed::Nothing(words.trim_end().to_owned()));
    }
    if needed > 0 && !is_same(&plan, &old) {
        let failure = void(history, id, found.state, &plan).await?;
        return Ok(Proposed::Void(Box::new(plan), failure));
    }
    let action = if plan.options.rollback { "app.rollback" } else { "app.deploy" };
    let work = Work::Begin { plan: Box::new(plan.clone()) };
    Ok(Proposed::Errand(Box::new(Proposal { plan, action, work, words })))
}

/// What was approved is not what would be done now.
async fn void(history: &History, id: &DeploymentId, state: State, plan: &Plan) -> Result<Failure, Failure> {
    if state == State::Waiting {
        history.replan(plan).await?;
        return Ok(Failure::refused(format!("it has changed since it was approved, and the approval is void: deployment {id} waits anew")));
    }
    Ok(Failure::refused(format!("it has changed since deployment {id} was approved: ask for it anew")))
}
