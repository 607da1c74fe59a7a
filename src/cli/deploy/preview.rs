//! What `config apply` would do by a template that is not written yet: the same look at the hosts, the same release, the same plan. Nothing is
//! asked for, and no number is taken.

use super::{Kind, Wish, aim::Aim, history::History};
use crate::{
    cli::{
        args::{Format, Output, Scope},
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
    // Only to look: what the secrets are is not needed for it, and their commands need not run for that.
    let wish = Wish::to_look(sources, history, (&asked, &Kind::Apply), aim)?;
    let observed = wish.look().await?;
    let release = wish.release(&observed).await?;
    wish.plan(&release, &observed, &DeploymentId::new(0, 0)).await
}
