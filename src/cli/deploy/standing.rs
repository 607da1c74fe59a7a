//! `deployment resume` and `deployment unwind`: a deployment whose run has died or was parked.

use std::io::{self, IsTerminal as _};

use super::{history::History, stage::Stage, telling::Telling};
use crate::{
    cli::{
        args::{Global, Standing},
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
    },
    delivery::release::DeploymentId,
    run::{
        Records as _, Run,
        journal::{Progress, State, Way, beginning},
    },
};

/// Carries it on, or takes it back.
pub(in crate::cli) fn run(global: &Global, asked: &Standing, way: Way) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("deployment")?;
    let id: DeploymentId = asked.id.parse().map_err(Failure::usage)?;
    let history = History::of(&sources)?;
    let entries = wait(async { history.records().load(&id).await.map_err(Failure::failed) })?;
    let (plan, script) =
        beginning(&entries).ok_or_else(|| Failure::usage(format!("deployment {id} was not begun, as far as the ledger tells")))?;
    let word = if way == Way::Forward { "carry on" } else { "take back" };
    super::out::print(&format!("{word}: {}\n", plan.headline()))?;
    if !asked.yes {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("nothing was done: --yes is needed where no terminal can be asked"));
        }
        super::ask("yes")?;
    }
    wait(async {
        let stage = Stage::new(&sources, &plan.app, &plan.environment, true)?;
        stage.changed_secrets(plan).iter().for_each(|line| super::out::complain(line));
        let records = Telling::new(history.records(), script);
        let run = Run { port: &stage.port, records: &records, holder: &stage.holder };
        let action = if way == Way::Forward { "deployment.resume" } else { "deployment.unwind" };
        let work = async {
            let was_good = Progress::of(&entries).ended == Some(State::Good);
            let resumed = run.resume(&id, way, asked.alive).await;
            let good = resumed.as_ref().is_ok_and(|outcome| outcome.state == State::Good);
            let exit = super::told(&id, resumed)?;
            // What was good before has had its time.
            if good && !was_good {
                run.cool(plan, script).await.map_err(Failure::failed)?;
            }
            Ok(exit)
        };
        history.audited(action, plan, work).await
    })
}
