//! A deployment that nobody watches and nobody is asked about: the same plan, gates, records and run as those of `deploy`, without a
//! terminal.

use chrono::{SecondsFormat, Utc};

use super::{environment, failure_of, gates, history::History, refusal, release, space, stage::Stage, telling::Telling};
use crate::{
    cli::{
        exit::{Exit, Failure},
        fleet::Sources,
    },
    delivery::{
        plan::{Options, Plan, Request, plan},
        release::DeploymentId,
        strategies::script,
        template::{Surroundings, Template, render},
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
    let template = wish.template;
    let environment = environment(template, wish.environment.as_str())?;
    let said = template.environments.get(&environment).ok_or_else(|| Failure::usage("the environment is gone"))?;
    let policy = wish.around.tightened(&environment, &said.policy);
    let app = template.spec.app.clone();
    let history = History::of(sources)?;
    let stage = Stage::new(sources, &app, &environment, !wish.ask)?;
    let mut observed = stage.observe(&policy).await;
    history.note_owed(&mut observed, &app, &environment).await?;
    let about = (&policy, &observed);
    let release = release::find(sources, (&stage, &history), template, &said.revision, about, Some(wish.version)).await?;
    let options = Options { service: wish.service.cloned(), ..Options::default() };
    let needed = gates(&history, &policy, &release, (&app, &environment), &options).await?;
    let rendered = render(&release.spec, &environment, &release.revision, &policy);
    let (at, audit) = (Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true), history.head().await?);
    let mut request = Request {
        release: &release,
        rendered: &rendered,
        policy: &policy,
        observed: &observed,
        // A number is only taken for what is going to happen.
        deployment: &DeploymentId::new(0, 0),
        options: &options,
        ports: sources.config.delivery.ports.clone(),
        by: &stage.holder.who,
        at: &at,
        audit: &audit,
    };
    if plan(&request).map_err(refusal)?.is_nothing() {
        return Ok(Ending::Nothing);
    }
    let deployment = history.reserve().await?;
    request.deployment = &deployment;
    let plan = plan(&request).map_err(refusal)?;
    if !wish.ask {
        space::suffices(&stage, &history, &plan).await?;
    }
    if wish.ask || needed > 0 {
        history.audited("pipeline.ask", &plan, async { history.ask(&plan, &release, needed).await.map(|()| Exit::DONE) }).await?;
        return Ok(Ending::Waits(deployment));
    }
    history.ask(&plan, &release, needed).await?;
    let script = script(&plan);
    let records = Telling::new(history.records(), &script);
    let run = Run { port: &stage.port, records: &records, holder: &stage.holder };
    let mut outcome = None;
    let work = async {
        let done = run.begin(&plan, &script).await.map_err(failure_of)?;
        let exit = if done.state == State::Good { Exit::DONE } else { Exit::FAILED };
        outcome = Some(done);
        Ok(exit)
    };
    history.audited("app.deploy", &plan, work).await?;
    let outcome = outcome.ok_or_else(|| Failure::failed(format!("deployment {deployment} has no outcome")))?;
    let is_warm = outcome.state == State::Good && !script.cool.is_empty();
    Ok(Ending::Ended { deployment, warm: is_warm.then(|| Box::new(plan)), outcome })
}

/// Puts away what a deployment has left warm, when its time is over.
///
/// # Errors
/// When the records or the hosts do not answer.
pub(in crate::cli) async fn cool(sources: &Sources, plan: &Plan) -> Result<(), Failure> {
    let history = History::of(sources)?;
    let stage = Stage::new(sources, &plan.app, &plan.environment, true)?;
    let script = script(plan);
    let records = Telling::new(history.records(), &script);
    let run = Run { port: &stage.port, records: &records, holder: &stage.holder };
    run.cool(plan, &script).await.map_err(Failure::failed)
}
