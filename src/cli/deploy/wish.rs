//! One wish for a deployment, with everything that its plan is made of and what begins it: the same for the verbs, which print and ask, and for the
//! console, which shows and is answered by keys.

use std::sync::Arc;

use super::{
    Kind,
    aim::{Aim, Given},
    endings,
    errand::{Errand, Started, Work},
    gates::{self, Gate},
    history::History,
    queue::Queue,
    release, space,
    stage::Stage,
    strategy,
};
use crate::{
    cli::{
        args::{Deploying, Global},
        build::Fresh,
        exit::Failure,
        fleet::Sources,
    },
    delivery::{
        observed::Observed,
        plan::{Options, Plan},
        release::{DeploymentId, Release},
    },
    fleet::{HostId, ServiceName},
};

/// Everything that one wish is made of.
pub(in crate::cli) struct Wish<'a> {
    pub(in crate::cli) sources: &'a Sources,
    pub(in crate::cli) history: &'a History,
    pub(in crate::cli) asked: &'a Deploying,
    pub(in crate::cli) kind: &'a Kind,
    pub(in crate::cli) aim: Aim,
    pub(in crate::cli) options: Options,
    pub(in crate::cli) stage: Stage,
}

impl<'a> Wish<'a> {
    /// Reads the template; a secret that has no value shows before anything is asked.
    ///
    /// # Errors
    /// Every mistake of the template; an environment that it does not have; a secret without a value.
    pub(in crate::cli) async fn of(
        sources: &'a Sources,
        history: &'a History,
        asked: &'a Deploying,
        kind: &'a Kind,
    ) -> Result<Self, Failure> {
        // A template's server that is down stops nobody from looking or from going back.
        let fresh = match kind {
            Kind::Plan | Kind::Rollback => Fresh::LastKnown,
            Kind::Deploy | Kind::Promote { .. } | Kind::Apply => Fresh::Now,
        };
        let aim = Aim::of(&sources.config, &asked.app, &asked.environment, fresh).await?;
        let options = options(asked, kind, &aim)?;
        let mut stage = Stage::new(sources, &aim.app, &aim.environment, *kind != Kind::Plan)?;
        if *kind == Kind::Plan {
            stage.learn_secrets(sources, (&aim.app, &aim.environment));
        }
        Ok(Self { sources, history, asked, kind, aim, options, stage })
    }

    /// One that is only looked at, by a template that is there already.
    ///
    /// # Errors
    /// What is asked for in words that mean nothing.
    pub(in crate::cli) fn to_look(
        sources: &'a Sources,
        history: &'a History,
        (asked, kind): (&'a Deploying, &'a Kind),
        aim: Aim,
    ) -> Result<Self, Failure> {
        let options = options(asked, kind, &aim)?;
        let mut stage = Stage::new(sources, &aim.app, &aim.environment, false)?;
        stage.learn_secrets(sources, (&aim.app, &aim.environment));
        Ok(Self { sources, history, asked, kind, aim, options, stage })
    }

    /// What is there, and what is owed.
    pub(in crate::cli) async fn look(&self) -> Result<Observed, Failure> {
        let mut observed = self.stage.observe(&self.aim.policy).await;
        self.history.note_owed(&mut observed, &self.aim.app, &self.aim.environment).await?;
        Ok(observed)
    }

    /// What is to run.
    pub(in crate::cli) async fn release(&self, observed: &Observed) -> Result<Release, Failure> {
        let (aim, history) = (&self.aim, self.history);
        let rest = match self.options.only_owed || self.options.only_failed {
            // What was begun is finished with what it was begun with.
            true => history.last_begun(&aim.app, &aim.environment).await?.map(|last| last.release.to_string()),
            false => None,
        };
        let asked = self.asked.release.as_deref().or(rest.as_deref());
        let version: Arc<str>;
        let asked = match self.kind {
            Kind::Rollback => return history.way_back(&aim.app, &aim.environment, asked).await,
            Kind::Plan | Kind::Deploy => asked,
            Kind::Promote { from } => {
                version = history.good_version(&aim.app, from).await?;
                Some(&*version)
            }
            Kind::Apply => {
                version = release::running(observed)
                    .ok_or_else(|| Failure::usage(format!("nothing of {} runs in {}: deploy a release first", aim.app, aim.environment)))?;
                Some(&*version)
            }
        };
        release::find(self.sources, (&self.stage, history), aim, observed, asked).await
    }

    /// Whether it may begin, and who has to say yes before.
    pub(in crate::cli) async fn gate(&self, release: &Release, observed: &Observed) -> Result<Gate, Failure> {
        gates::gate(self.history, &self.aim, release, observed, &self.options).await
    }

    /// What would happen.
    pub(in crate::cli) async fn plan(&self, release: &Release, observed: &Observed, deployment: &DeploymentId) -> Result<Plan, Failure> {
        self.plan_with(&self.options, release, observed, deployment).await
    }

    /// The same with other options than those that were asked for: to look at what stands behind a gate that is shut.
    pub(in crate::cli) async fn plan_with(
        &self,
        options: &Options,
        release: &Release,
        observed: &Observed,
        deployment: &DeploymentId,
    ) -> Result<Plan, Failure> {
        let (ports, audit) = (self.sources.config.delivery.ports.clone(), self.history.head().await?);
        let given = Given { ports, stage: &self.stage, audit: &audit };
        let mut plan = self.aim.plan(release, observed, deployment, options, given)?;
        self.stage.note_balancers(&mut plan).await;
        plan.warnings.extend(endings::of_process(self.sources, &plan.hosts));
        Ok(plan)
    }

    /// That nobody else is at it.
    ///
    /// # Errors
    /// Whose lock it is.
    pub(in crate::cli) async fn is_free(&self, observed: &Observed) -> Result<(), Failure> {
        Queue::Never.turn(&self.stage, &self.options, async || Ok(observed.clone())).await.map(drop)
    }

    /// That there is room for what it pulls.
    ///
    /// # Errors
    /// The hosts without.
    pub(in crate::cli) async fn has_room(&self, plan: &Plan) -> Result<(), Failure> {
        space::suffices(&self.stage, self.history, plan).await
    }

    /// Starts the process that carries a plan out. It needs nobody from here on.
    ///
    /// # Errors
    /// When there is no process; nothing was done then.
    pub(in crate::cli) async fn begin(&self, global: &Global, plan: Plan) -> Result<Started, Failure> {
        let errand = Errand {
            deployment: plan.deployment.clone(),
            action: self.kind.action().into(),
            work: Work::Begin { plan: Box::new(plan) },
            values: self.stage.values.clone(),
        };
        errand.start(global, self.sources).await
    }
}

fn options(asked: &Deploying, kind: &Kind, aim: &Aim) -> Result<Options, Failure> {
    let strategy = asked.strategy.as_deref().map(|text| strategy::read(text, &aim.policy.strategy)).transpose()?;
    Ok(Options {
        rollback: *kind == Kind::Rollback,
        service: asked.service.as_ref().map(ServiceName::new),
        host: asked.on.as_ref().map(HostId::new),
        without: asked.without.iter().map(HostId::new).collect(),
        only_failed: asked.only_failed,
        only_owed: asked.only_owed,
        strategy,
        override_reason: asked.override_reason.as_deref().map(Arc::from),
        reason: asked.reason.as_deref().map(Arc::from),
    })
}
