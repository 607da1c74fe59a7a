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
pub(super) mod readiness;
pub(super) mod rebuild;
mod release;
mod space;
pub(super) mod stage;
pub(super) mod standing;
mod strategy;
pub(super) mod unlock;
mod wish;

pub(super) use aim::{Aim, is_same};
pub(super) use follow::begins;
pub(super) use gates::{Gate, Opens};
pub(super) use hosts::{Sought, seek};
pub(super) use question::word;
pub(super) use stage::Stage;
pub(super) use wish::Wish;

use super::{
    args::{Applying, Deploying, Format, Global, Promoting, Running},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    delivery::{plan::Plan, release::DeploymentId},
    fleet::EnvironmentId,
};
use follow::{Attention, attend};
use history::History;
use queue::Queue;

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
    wait(async {
        let history = History::of(&sources)?;
        let wish = Wish::of(&sources, &history, asked, kind).await?;
        Dialogue { global, how, wish: &wish }.lead().await
    })
}

/// What is shown and asked on the way from a wish to its end.
struct Dialogue<'a> {
    global: &'a Global,
    how: &'a Running,
    wish: &'a Wish<'a>,
}

impl Dialogue<'_> {
    async fn lead(&self) -> Result<Exit, Failure> {
        let Wish { history, kind, stage, options, asked, .. } = self.wish;
        let queue = Queue::new(self.how.wait);
        let mut agreed: Option<Plan> = None;
        loop {
            let observed = match kind {
                Kind::Plan => self.wish.look().await?,
                _ => queue.turn(stage, options, async || self.wish.look().await).await?,
            };
            let release = self.wish.release(&observed).await?;
            let needed = self.wish.gate(&release, &observed).await?.needed()?;
            // A number is only taken for what is going to happen.
            let deployment = match (kind, &agreed) {
                (Kind::Plan, _) => DeploymentId::new(0, 0),
                (_, Some(plan)) => plan.deployment.clone(),
                (_, None) => history.reserve().await?,
            };
            let mut plan = self.wish.plan(&release, &observed, &deployment).await?;
            let is_agreed = agreed.as_ref().is_some_and(|agreed| is_same(agreed, &plan));
            if !is_agreed {
                self.show(&plan, &deployment)?;
            }
            if **kind == Kind::Plan || plan.is_nothing() {
                return self.nothing(&plan);
            }
            if !is_agreed {
                self.wish.has_room(&plan).await?;
                question::confirm(asked.yes, &plan)?;
            }
            if agreed.is_none() {
                history.ask(&plan, &release, needed).await?;
            }
            if needed > 0 {
                if self.how.detach {
                    out::complain(&format!("{}; then: quarterdeck deployment resume {deployment}", gates::waits(&deployment, needed)));
                    return self.left(&deployment).await;
                }
                plan = gates::wait_for_approval(history, needed, plan, async || {
                    // Without patience the run itself finds out that there is a lock; the approval stays.
                    let observed = match queue.waits() {
                        true => queue.turn(stage, options, async || self.wish.look().await).await?,
                        false => self.wish.look().await?,
                    };
                    self.wish.plan(&release, &observed, &deployment).await
                })
                .await?;
            }
            agreed = Some(plan.clone());
            let run = self.wish.begin(self.global, plan).await?;
            let attention = Attention { detach: self.how.detach, quiet: asked.output.format == Format::Json };
            let exit = attend(history, run, attention).await?;
            // Another was quicker; who waits waits on.
            if exit == Exit::LOCKED && queue.waits() && needed == 0 {
                continue;
            }
            self.told(&deployment).await?;
            return Ok(exit);
        }
    }

    /// The plan, where it is read: a program that reads the object at the end does not read this.
    fn show(&self, plan: &Plan, deployment: &DeploymentId) -> Result<(), Failure> {
        match (self.wish.asked.output.format, self.wish.kind) {
            (Format::Table, _) => out::print(&plan.to_string()),
            (Format::Json, Kind::Plan) => Ok(()),
            (Format::Json, _) if self.wish.asked.yes => Ok(()),
            (Format::Json, _) => {
                out::complain(&format!("deployment {deployment}: {plan}"));
                Ok(())
            }
        }
    }

    /// Nothing was asked for, or nothing is to be done.
    fn nothing(&self, plan: &Plan) -> Result<Exit, Failure> {
        if self.wish.asked.output.format == Format::Json {
            out::print(&planned::preview(plan)?)?;
        }
        Ok(Exit::DONE)
    }

    /// It goes on without us.
    async fn left(&self, deployment: &DeploymentId) -> Result<Exit, Failure> {
        if self.wish.asked.output.format == Format::Table {
            out::print(&format!("{deployment}\n"))?;
        }
        self.told(deployment).await?;
        Ok(Exit::DONE)
    }

    /// How it stands now, as the object that was asked for.
    async fn told(&self, deployment: &DeploymentId) -> Result<(), Failure> {
        match self.wish.asked.output.format {
            Format::Table => Ok(()),
            Format::Json => out::print(&self.wish.history.page(deployment).await?),
        }
    }
}
