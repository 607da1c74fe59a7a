//! A deployment that nobody watches and nobody is asked about: the same plan, gates, records and run as those of `deploy`, without a
//! terminal.

use super::{
    aim::{Aim, Given},
    carry::{self, failure_of},
    gates,
    history::History,
    lines::Lines,
    release, space,
    stage::Stage,
};
use crate::{
    cli::{
        exit::{Exit, Failure},
        fleet::Sources,
    },
    delivery::{
        plan::{Options, Plan},
        release::DeploymentId,
        strategies::script,
        template::{Surroundings, Template},
    },
    fleet::{EnvironmentId, ServiceName},
    run::{Outcome, Run, journal::State},
};

/// What goes where.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Wish<'a> {
    /// The registered template of now.
    pub template: &'a Template,
    /// What it is judged by.
    pub around: &'a Surroundings,
    /// Where.
    pub environment: &'a EnvironmentId,
    /// A version; its configuration is today's.
    pub version: &'a str,
    /// Only this service.
    pub service: Option<&'a ServiceName>,
    /// Whether it only waits in the records for a person to carry it on.
    pub ask: bool,
}

/// What came of it.
pub(in crate::cli) enum Ending {
    /// There was nothing to do.
    Nothing,
    /// It waits for a person.
    Waits(DeploymentId),
    /// It was carried out, and ended so.
    Ended {
        /// Which.
        deployment: DeploymentId,
        /// How.
        outcome: Outcome,
        /// What is still warm behind it, to be put away by [`cool`].
        warm: Option<Box<Plan>>,
    },
}

/// Deploys, or asks for it.
///
/// # Errors
/// What forbids it, and what kept it from beginning.
pub(in crate::cli) async fn deploy_quietly(sources: &Sources, wish: &Wish<'_>) -> Result<Ending, Failure> {
    let aim = Aim::in_template(wish.template.clone(), wish.around, wish.environment.as_str())?;
    let history = History::of(sources)?;
    let stage = Stage::new(sources, &aim.app, &aim.environment, !wish.ask)?;
    let mut observed = stage.observe(&aim.policy).await;
    history.note_owed(&mut observed, &aim.app, &aim.environment).await?;
    let release = release::find(sources, (&stage, &history), &aim, &observed, Some(wish.version)).await?;
    let options = Options { service: wish.service.cloned(), ..Options::default() };
    let needed = gates::needed(&history, &aim, &release, &observed, &options).await?;
    let audit = history.head().await?;
    let given = Given { ports: sources.config.delivery.ports.clone(), stage: &stage, audit: &audit };
    // A number is only taken for what is going to happen.
    if aim.plan(&release, &observed, &DeploymentId::new(0, 0), &options, given.clone())?.is_nothing() {
        return Ok(Ending::Nothing);
    }
    let deployment = history.reserve().await?;
    let mut plan = aim.plan(&release, &observed, &deployment, &options, given)?;
    stage.note_balancers(&mut plan).await;
    if !wish.ask {
        space::suffices(&stage, &history, &plan).await?;
    }
    if wish.ask || needed > 0 {
        history.audited("pipeline.ask", &plan, async { history.ask(&plan, &release, needed).await.map(|()| Exit::DONE) }).await?;
        return Ok(Ending::Waits(deployment));
    }
    history.ask(&plan, &release, needed).await?;
    let script = script(&plan);
    let run = Run { port: &stage.port, records: history.records(), holder: &stage.holder };
    let mut outcome = None;
    let work = async {
        let done = run.begin(&plan, &script).await.map_err(failure_of)?;
        let exit = if done.state == State::Good { Exit::DONE } else { Exit::FAILED };
        outcome = Some(done);
        Ok(exit)
    };
    history.audited("app.deploy", &plan, work).await?;
    let outcome = outcome.ok_or_else(|| Failure::failed(format!("deployment {deployment} has no outcome")))?;
    let is_warm = outcome.state == State::Good && Lines::has_warm(&script);
    Ok(Ending::Ended { deployment, warm: is_warm.then(|| Box::new(plan)), outcome })
}

/// Puts away what a deployment has left warm, when its time is over.
///
/// # Errors
/// When the records or the hosts do not answer.
pub(in crate::cli) async fn cool(sources: &Sources, plan: &Plan) -> Result<(), Failure> {
    let history = History::of(sources)?;
    let stage = Stage::new(sources, &plan.app, &plan.environment, true)?;
    let run = Run { port: &stage.port, records: history.records(), holder: &stage.holder };
    carry::cool(&run, &history, plan, &script(plan)).await
}
