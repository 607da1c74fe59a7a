//! What `config apply` would do by a template that is not written yet: the same look at the hosts, the same release, the same plan. Nothing is
//! asked for, and no number is taken.

use super::{Kind, Wish, aim::Aim, history::History, options, stage::Stage};
use crate::{
    cli::{
        args::{Format, Global, Output, Running, Scope},
        exit::Failure,
        fleet::Sources,
    },
    delivery::{
        plan::Plan,
        release::DeploymentId,
        template::{Surroundings, Template},
    },
    fleet::EnvironmentId,
};

/// The plan of the configuration-only release.
///
/// # Errors
/// Everything that forbids it.
pub(in crate::cli) async fn of_configuration(
    global: &Global,
    (sources, history): (&Sources, &History),
    (template, around): (Template, &Surroundings),
    environment: &EnvironmentId,
) -> Result<Plan, Failure> {
    let aim = Aim::in_template(template, around, environment.as_str())?;
    let scope = Scope {
        service: None,
        on: None,
        without: Vec::new(),
        override_reason: None,
        reason: None,
        strategy: None,
        yes: false,
        output: Output { format: Format::Table },
    };
    let asked = scope.of(aim.app.as_str(), aim.environment.as_str());
    let options = options(&asked, &Kind::Apply, &aim)?;
    // Only to look: what the secrets are is not needed for it, and their commands need not run for that.
    let mut stage = Stage::new(sources, &aim.app, &aim.environment, false)?;
    stage.learn_secrets(sources, (&aim.app, &aim.environment));
    let (how, kind) = (Running::default(), Kind::Apply);
    let wish = Wish { global, sources, asked: &asked, how: &how, kind: &kind, aim: &aim, options: &options, stage: &stage, history };
    let observed = wish.look().await?;
    let release = wish.release(&observed).await?;
    wish.plan(&release, &observed, &DeploymentId::new(0, 0)).await
}
