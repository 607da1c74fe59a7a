//! `run ID`: the process that carries a deployment out. It has no terminal, and nobody has to wait for it.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    errand::{Errand, Work},
    history::History,
    lines::Lines,
    stage::Stage,
};
use crate::{
    cli::{
        args::Global,
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
        out,
    },
    delivery::{
        plan::Plan,
        release::DeploymentId,
        strategies::{Script, script},
    },
    ledger::RunRecords,
    run::{
        LockError, Outcome, Run, RunError,
        engine_port::EnginePort,
        journal::{Progress, State, Way, beginning},
    },
    runtime::session::Kin,
    traffic::RunTraffic,
};

/// Between two looks at whether somebody else has taken over what is warm.
const WARM_LOOK: Duration = Duration::from_secs(5);

/// A run on real hosts, with its words in the ledger.
type RealRun<'a> = Run<'a, EnginePort<RunTraffic>, RunRecords>;

/// Does the errand that comes over standard input.
///
/// # Errors
/// Everything that forbids it; the exit code is that of the verb that started it.
pub fn run(global: &Global, id: &str) -> Result<Exit, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage("quarterdeck starts its runs itself: quarterdeck deploy, or quarterdeck deployment resume ID"));
    }
    leave_the_terminal()?;
    let errand = Errand::read(io::stdin().lock())?;
    let asked: DeploymentId = id.parse().map_err(Failure::usage)?;
    if errand.deployment != asked {
        return Err(Failure::usage(format!("the errand is for deployment {}, not {asked}", errand.deployment)));
    }
    let sources = Sources::load(global)?;
    sources.may_act("run")?;
    let history = History::of(&sources)?;
    wait(perform(&sources, &history, errand))
}

/// A session of its own: what the terminal's line sends to its processes, a hang-up above all, does not come here any more.
fn leave_the_terminal() -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::failed(format!("the run cannot leave the terminal: {error}"));
    // Heard, and nothing more: some supervisors send it to whole control groups.
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::new(AtomicBool::new(false))).map_err(|error| fail(&error))?;
    match Kin::own() {
        Some(own) if own.leads_its_session() => Ok(()),
        _ => rustix::process::setsid().map(drop).map_err(|error| fail(&error)),
    }
}

async fn perform(sources: &Sources, history: &History, errand: Errand) -> Result<Exit, Failure> {
    let Errand { deployment, action, work, values } = errand;
    let entries = match work {
        Work::Begin { .. } => Vec::new(),
        Work::Resume { .. } | Work::Finish => history.journal(&deployment).await?,
    };
    let none = || Failure::usage(format!("deployment {deployment} was not begun, as far as the ledger tells"));
    let (plan, script) = match &work {
        Work::Begin { plan } => ((**plan).clone(), script(plan)),
        Work::Resume { .. } | Work::Finish => {
            let (plan, script) = beginning(&entries).ok_or_else(none)?;
            (plan.clone(), script.clone())
        }
    };
    let stage = Stage::with(sources, &plan.app, &plan.environment, values)?;
    let run = Run { port: &stage.port, records: history.records(), holder: &stage.holder };
    let was_good = Progress::of(&entries).ended == Some(State::Good);
    let done = async {
        match work {
            Work::Begin { .. } => told(&deployment, run.begin(&plan, &script).await),
            Work::Resume { way, alive } => told(&deployment, run.resume(&deployment, way, alive).await),
            Work::Finish => finish(&run, &plan, was_good).await,
        }
    };
    let exit = history.audited(&action, &plan, done).await?;
    let is_good = exit == Exit::DONE || exit == Exit::INCOMPLETE;
    match work {
        // What was good before has had its time.
        Work::Begin { .. } | Work::Resume { .. } if is_good && !was_good => cool(&run, history, &plan, &script).await?,
        Work::Begin { .. } | Work::Resume { .. } | Work::Finish => {}
    }
    Ok(exit)
}

/// Ends a warm window: first what a dead run left to be tidied up, then what is warm.
async fn finish(run: &RealRun<'_>, plan: &Plan, was_good: bool) -> Result<Exit, Failure> {
    if !was_good {
        let exit = told(&plan.deployment, run.resume(&plan.deployment, Way::Forward, false).await)?;
        if exit != Exit::DONE && exit != Exit::INCOMPLETE {
            return Ok(exit);
        }
    }
    told(&plan.deployment, run.resume(&plan.deployment, Way::Forward, true).await)
}

/// Keeps the old ones warm for as long as the strategy says. The lock is free meanwhile: whoever comes next takes them over, and this ends.
pub(super) async fn cool(run: &RealRun<'_>, history: &History, plan: &Plan, script: &Script) -> Result<(), Failure> {
    if !Lines::has_warm(script) {
        return Ok(());
    }
    let until = Instant::now() + plan.strategy.keep_warm;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        sleep(left.min(WARM_LOOK)).await;
        match is_taken_over(history, plan, script).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // The window goes on: the next look, or its end, tells.
            Err(failure) => out::complain(&failure.words()),
        }
    }
    run.put_away(plan).await.map_err(Failure::failed)
}

/// Whether a later deployment has what was warm, or somebody has put it away.
async fn is_taken_over(history: &History, plan: &Plan, script: &Script) -> Result<bool, Failure> {
    let done = Progress::of(&history.journal(&plan.deployment).await?).done;
    Ok(script.cool.iter().all(|step| done.contains(&step.id)) || history.is_superseded(plan).await?)
}

/// Why a run did not begin.
pub(super) fn failure_of(error: RunError) -> Failure {
    match error {
        RunError::Lock(LockError::Taken { .. }) | RunError::Alive { .. } => Failure::locked(error),
        RunError::Changed { .. } => Failure::refused(error),
        // Nobody has the lock: the host cannot give it.
        RunError::Lock(LockError::NotGiven { .. }) | RunError::Records(_) | RunError::NoPlan(_) => Failure::failed(error),
    }
}

/// How a run ended, in words and as an exit code.
fn told(deployment: &DeploymentId, result: Result<Outcome, RunError>) -> Result<Exit, Failure> {
    let outcome = result.map_err(failure_of)?;
    Ending { state: outcome.state, reason: outcome.reason.as_deref(), owed: outcome.owed.iter().collect() }.say(deployment)
}

/// How a deployment stands when its run ends.
pub(super) struct Ending<'a> {
    pub(super) state: State,
    pub(super) reason: Option<&'a str>,
    pub(super) owed: Vec<&'a crate::fleet::HostId>,
}

impl Ending<'_> {
    /// The exit code that it means.
    pub(super) fn exit(&self) -> Exit {
        match self.state {
            State::Good if self.owed.is_empty() => Exit::DONE,
            State::Good => Exit::INCOMPLETE,
            State::Unwound | State::Parked | State::Failed | State::Waiting | State::Running => Exit::FAILED,
        }
    }

    /// `deployment 44-k3f9 good`.
    pub(super) fn headline(&self, deployment: &DeploymentId) -> String {
        let word = match self.state {
            State::Good => "good",
            State::Unwound => "taken back",
            State::Parked => "parked",
            State::Failed | State::Waiting | State::Running => "failed",
        };
        let reason = self.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("deployment {deployment} {word}{reason}\n")
    }

    /// What is to be done next.
    pub(super) fn remedies(&self, deployment: &DeploymentId) -> Vec<String> {
        let mut remedies = Vec::new();
        if self.state == State::Parked {
            remedies.push(format!("quarterdeck deployment resume {deployment}, or: quarterdeck deployment unwind {deployment}"));
        }
        remedies.extend(self.owed.iter().map(|host| format!("host {host} is owed it: quarterdeck deploy --only-owed when it is back")));
        remedies
    }

    fn say(&self, deployment: &DeploymentId) -> Result<Exit, Failure> {
        out::print(&self.headline(deployment))?;
        self.remedies(deployment).iter().for_each(|remedy| out::complain(remedy));
        Ok(self.exit())
    }
}
