//! One app in one environment, with today's policy: everything that a plan is made from but the release and what is there.

use std::ops::RangeInclusive;

use chrono::{SecondsFormat, Utc};

use super::stage::Stage;
use crate::{
    cli::{app, build::Fresh, exit::Failure},
    config::Config,
    delivery::{
        observed::Observed,
        plan::{Options, Plan, PlanError, Request, plan},
        release::{DeploymentId, Release},
        spec::{Policy, Revision},
        steps::Step,
        strategies::script,
        template::{Surroundings, Template, render},
    },
    fleet::{AppName, EnvironmentId},
    text::nearest,
};

/// What a plan is made with besides.
#[derive(Clone)]
pub(super) struct Given<'a> {
    /// Where a port is chosen from.
    pub(super) ports: RangeInclusive<u16>,
    /// Who acts, and with which secrets.
    pub(super) stage: &'a Stage,
    /// The audit's head now.
    pub(super) audit: &'a str,
}

/// What a deployment is for.
pub(in crate::cli) struct Aim {
    pub(in crate::cli) app: AppName,
    pub(in crate::cli) environment: EnvironmentId,
    pub(in crate::cli) template: Template,
    /// What the environment adds to a build, today.
    pub(in crate::cli) revision: Revision,
    /// Today's, as tight as the configuration has it.
    pub(in crate::cli) policy: Policy,
    /// Whether the configuration lets nobody pass over a gate.
    pub(in crate::cli) no_override: bool,
}

impl Aim {
    /// Reads it from the registered template.
    ///
    /// # Errors
    /// Every mistake of the template; an environment that it does not have.
    pub(super) async fn of(config: &Config, app: &str, environment: &str, fresh: Fresh) -> Result<Self, Failure> {
        let (template, around) = app::registered(config, app, fresh).await?;
        Self::in_template(template, &around, environment)
    }

    /// The same out of a template that is there already.
    ///
    /// # Errors
    /// An environment that it does not have.
    pub(super) fn in_template(template: Template, around: &Surroundings, environment: &str) -> Result<Self, Failure> {
        let environment = find(&template, environment)?;
        let said = template.environments.get(&environment).ok_or_else(|| Failure::usage("the environment is gone"))?;
        Ok(Self {
            app: template.spec.app.clone(),
            revision: said.revision.clone(),
            policy: around.tightened(&environment, &said.policy),
            no_override: around.policies.get(&environment).is_some_and(|policy| policy.no_override),
            environment,
            template,
        })
    }

    /// The plan for a release.
    ///
    /// # Errors
    /// Every [`PlanError`], with the exit code that it ends in.
    pub(super) fn plan(
        &self,
        release: &Release,
        observed: &Observed,
        deployment: &DeploymentId,
        options: &Options,
        Given { ports, stage, audit }: Given<'_>,
    ) -> Result<Plan, Failure> {
        let rendered = render(&release.spec, &self.environment, &release.revision, &self.policy);
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let (sealed, by) = (&stage.sealed, &stage.holder.who);
        let request = Request {
            release,
            rendered: &rendered,
            policy: &self.policy,
            observed,
            deployment,
            options,
            sealed,
            ports,
            by,
            at: &at,
            audit,
        };
        plan(&request).map_err(refusal)
    }
}

/// Whether two plans are one to a person who approves: release, hosts, steps, what is lost; not ports, times or figures.
pub(in crate::cli) fn is_same(a: &Plan, b: &Plan) -> bool {
    let (steps_a, steps_b) = (script(a).steps, script(b).steps);
    let does = |step: &Step| (step.host.clone(), step.service.clone(), std::mem::discriminant(&step.act));
    (&a.release, &a.hosts, &a.out, &a.lost) == (&b.release, &b.hosts, &b.out, &b.lost)
        && steps_a.iter().map(does).eq(steps_b.iter().map(does))
}

fn find(template: &Template, asked: &str) -> Result<EnvironmentId, Failure> {
    if let Some((found, _)) = template.environments.get_key_value(asked) {
        return Ok(found.clone());
    }
    let known: Vec<&str> = template.environments.keys().map(EnvironmentId::as_str).collect();
    let hint = nearest(asked, known.iter().copied())
        .map_or_else(|| format!("expected {}", known.join(", ")), |near| format!("did you mean {near:?}?"));
    Err(Failure::usage(format!("{} has no environment {asked:?}: {hint}", template.spec.app)))
}

fn refusal(error: PlanError) -> Failure {
    match error {
        PlanError::Frozen { .. } => Failure::refused(error),
        PlanError::Unreachable(_) => Failure::incomplete(error),
        PlanError::NoService { .. } | PlanError::NoHost { .. } => Failure::usage(error),
        PlanError::NoImage(_)
        | PlanError::NoHosts(_)
        | PlanError::Foreign { .. }
        | PlanError::PortTaken { .. }
        | PlanError::NoPort { .. }
        | PlanError::NotReached { .. }
        | PlanError::NoStartFirst { .. }
        | PlanError::WouldMove { .. } => Failure::failed(error),
    }
}
