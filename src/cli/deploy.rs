//! `plan`, `deploy`, `rollback`, `promote`, `config apply`: the plan is shown and answered here; what carries it out is a process of its own, which
//! is followed.

mod aim;
pub(super) mod carry;
mod endings;
mod errand;
pub(super) mod follow;
mod gates;
pub(super) mod history;
mod hosts;
mod lines;
mod planned;
pub(super) mod preview;
mod question;
mod queue;
pub(super) mod quiet;
pub(super) mod rebuild;
mod release;
mod space;
pub(super) mod stage;
pub(super) mod standing;
mod strategy;
pub(super) mod unlock;

pub(super) use hosts::{Sought, seek};

use std::sync::Arc;

use super::{
    args::{Applying, Deploying, Format, Global, Promoting, Running},
    build::Fresh,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    delivery::{
        observed::Observed,
        plan::{Options, Plan},
        release::{DeploymentId, Release},
    },
    fleet::{EnvironmentId, HostId, ServiceName},
};
use aim::{Aim, Given, is_same};
use errand::{Errand, Work};
use follow::{Attention, attend};
use history::History;
use queue::Queue;
use stage::Stage;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only to look.
    Plan,
    /// To a release.
    Deploy,
    /// Back to one.
    Rollback,
    /// To what is good in another environment.
    Promote {
        /// Which.
        from: EnvironmentId,
    },
    /// To today's configuration of what runs.
    Apply,
}

impl Kind {
    /// As people call it.
    fn word(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Promote { .. } => "promote",
            Self::Apply => "config apply",
        }
    }

    /// As the audit calls it.
    fn action(&self) -> &'static str {
        match self {
            Self::Plan | Self::Deploy => "app.deploy",
            Self::Rollback => "app.rollback",
            Self::Promote { .. } => "app.promote",
            Self::Apply => "app.apply-config",
        }
    }
}

/// To the release that is good in one environment, in another.
///
/// # Errors
/// As [`run`].
pub fn promote(global: &Global, asked: &Promoting) -> Result<Exit, Failure> {
    if asked.from == asked.to {
        return Err(Failure::usage(format!("{} is where it comes from: --to names another environment", asked.from)));
    }
    run(global, &asked.what.of(&asked.app, &asked.to), &asked.how, &Kind::Promote { from: EnvironmentId::new(&asked.from) })
}

/// Today's configuration of the version that runs.
///
/// # Errors
/// As [`run`].
pub fn apply(global: &Global, asked: &Applying) -> Result<Exit, Failure> {
    run(global, &asked.what.of(&asked.app, &asked.environment), &asked.how, &Kind::Apply)
}

/// Does what is asked.
///
/// # Errors
/// Everything that forbids it.
pub fn run(global: &Global, asked: &Deploying, how: &Running, kind: &Kind) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    if *kind != Kind::Plan {
        // Who may not act is told so before any host is asked.
        sources.may_act(kind.word())?;
        if sources.sim.is_some() {
            return Err(Failure::usage(format!("{}: a simulated fleet takes no deployments, and is gone with this process", kind.word())));
        }
    }
    // A template's server that is down stops nobody from looking or from going back.
    let fresh = match kind {
        Kind::Plan | Kind::Rollback => Fresh::LastKnown,
        Kind::Deploy | Kind::Promote { .. } | Kind::Apply => Fresh::Now,
    };
    let aim = wait(Aim::of(&sources.config, &asked.app, &asked.environment, fresh))?;
    let options = options(asked, kind, &aim)?;
    let history = History::of(&sources)?;
    wait(async {
        // A secret that has no value shows before anything is asked.
        let mut stage = Stage::new(&sources, &aim.app, &aim.environment, *kind != Kind::Plan)?;
        if *kind == Kind::Plan {
            stage.learn_secrets(&sources, (&aim.app, &aim.environment));
        }
        let wish = Wish { global, sources: &sources, asked, how, kind, aim: &aim, options: &options, stage: &stage, history: &history };
        wish.fulfil().await
    })
}

/// Everything that one wish is made of.
struct Wish<'a> {
    global: &'a Global,
    sources: &'a Sources,
    asked: &'a Deploying,
    how: &'a Running,
    kind: &'a Kind,
    aim: &'a Aim,
    options: &'a Options,
    stage: &'a Stage,
    history: &'a History,
}

impl Wish<'_> {
    async fn fulfil(&self) -> Result<Exit, Failure> {
        let queue = Queue::new(self.how.wait);
        let mut agreed: Option<Plan> = None;
        loop {
            let observed = match self.kind {
                Kind::Plan => self.look().await?,
                _ => queue.turn(self.stage, self.options, async || self.look().await).await?,
            };
            let release = self.release(&observed).await?;
            let needed = gates::needed(self.history, self.aim, &release, &observed, self.options).await?;
            // A number is only taken for what is going to happen.
            let deployment = match (self.kind, &agreed) {
                (Kind::Plan, _) => DeploymentId::new(0, 0),
                (_, Some(plan)) => plan.deployment.clone(),
                (_, None) => self.history.reserve().await?,
            };
            let mut plan = self.plan(&release, &observed, &deployment).await?;
            let is_agreed = agreed.as_ref().is_some_and(|agreed| is_same(agreed, &plan));
            if !is_agreed {
                self.show(&plan, &deployment)?;
            }
            if *self.kind == Kind::Plan || plan.is_nothing() {
                return self.nothing(&plan);
            }
            if !is_agreed {
                space::suffices(self.stage, self.history, &plan).await?;
                question::confirm(self.asked.yes, &plan)?;
            }
            if agreed.is_none() {
                self.history.ask(&plan, &release, needed).await?;
            }
            if needed > 0 {
                if self.how.detach {
                    out::complain(&format!("{}; then: quarterdeck deployment resume {deployment}", gates::waits(&deployment, needed)));
                    return self.left(&deployment).await;
                }
                plan = gates::wait_for_approval(self.history, needed, plan, async || {
                    // Without patience the run itself finds out that there is a lock; the approval stays.
                    let observed = match queue.waits() {
                        true => queue.turn(self.stage, self.options, async || self.look().await).await?,
                        false => self.look().await?,
                    };
                    self.plan(&release, &observed, &deployment).await
                })
                .await?;
            }
            agreed = Some(plan.clone());
            let errand = Errand {
                deployment: deployment.clone(),
                action: self.kind.action().into(),
                work: Work::Begin { plan: Box::new(plan) },
                values: self.stage.values.clone(),
            };
            let run = errand.start(self.global, self.sources).await?;
            let attention = Attention { detach: self.how.detach, quiet: self.asked.output.format == Format::Json };
            let exit = attend(self.history, run, attention).await?;
            // Another was quicker; who waits waits on.
            if exit == Exit::LOCKED && queue.waits() && needed == 0 {
                continue;
            }
            self.told(&deployment).await?;
            return Ok(exit);
        }
    }

    /// What is there, and what is owed.
    async fn look(&self) -> Result<Observed, Failure> {
        let mut observed = self.stage.observe(&self.aim.policy).await;
        self.history.note_owed(&mut observed, &self.aim.app, &self.aim.environment).await?;
        Ok(observed)
    }

    async fn release(&self, observed: &Observed) -> Result<Release, Failure> {
        let (aim, history) = (self.aim, self.history);
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
        release::find(self.sources, (self.stage, history), aim, observed, asked).await
    }

    async fn plan(&self, release: &Release, observed: &Observed, deployment: &DeploymentId) -> Result<Plan, Failure> {
        let (ports, audit) = (self.sources.config.delivery.ports.clone(), self.history.head().await?);
        let given = Given { ports, stage: self.stage, audit: &audit };
        let mut plan = self.aim.plan(release, observed, deployment, self.options, given)?;
        self.stage.note_balancers(&mut plan).await;
        plan.warnings.extend(endings::of_process(self.sources, &plan.hosts));
        Ok(plan)
    }

    /// The plan, where it is read: a program that reads the object at the end does not read this.
    fn show(&self, plan: &Plan, deployment: &DeploymentId) -> Result<(), Failure> {
        match (self.asked.output.format, self.kind) {
            (Format::Table, _) => out::print(&plan.to_string()),
            (Format::Json, Kind::Plan) => Ok(()),
            (Format::Json, _) if self.asked.yes => Ok(()),
            (Format::Json, _) => {
                out::complain(&format!("deployment {deployment}: {plan}"));
                Ok(())
            }
        }
    }

    /// Nothing was asked for, or nothing is to be done.
    fn nothing(&self, plan: &Plan) -> Result<Exit, Failure> {
        if self.asked.output.format == Format::Json {
            out::print(&planned::preview(plan)?)?;
        }
        Ok(Exit::DONE)
    }

    /// It goes on without us.
    async fn left(&self, deployment: &DeploymentId) -> Result<Exit, Failure> {
        if self.asked.output.format == Format::Table {
            out::print(&format!("{deployment}\n"))?;
        }
        self.told(deployment).await?;
        Ok(Exit::DONE)
    }

    /// How it stands now, as the object that was asked for.
    async fn told(&self, deployment: &DeploymentId) -> Result<(), Failure> {
        match self.asked.output.format {
            Format::Table => Ok(()),
            Format::Json => out::print(&self.history.page(deployment).await?),
        }
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
