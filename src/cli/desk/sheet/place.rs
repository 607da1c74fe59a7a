//! From what the cursor stood on to what a verb would be asked for.

use crate::{
    board::sheet::{About, Kind, Wish},
    cli::{
        app::registered,
        args::{Deploying, Format, Output},
        build::Fresh,
        deploy,
        desk::Desk,
        exit::Failure,
    },
    delivery::{
        release::ReleaseId,
        template::{FILE, Template},
    },
    fleet::{AppName, EnvironmentId},
    ledger::Deployment,
    run::journal::State,
};

/// What a verb would be asked for.
pub(super) struct Place {
    pub(super) asked: Deploying,
    pub(super) kind: deploy::Kind,
}

/// Where it goes.
pub(super) enum Whither {
    There(Box<Place>),
    /// A person has to say.
    Choose(Vec<EnvironmentId>),
}

impl Place {
    /// Finds it in ledger and template.
    ///
    /// # Errors
    /// An app that is not registered; an environment that nothing follows.
    pub(super) async fn of(desk: &Desk, wish: &Wish) -> Result<Whither, Failure> {
        let (app, at, release) = match &wish.about {
            About::Place { app, environment } => (app.clone(), environment.clone(), None),
            About::Deployment(id) => {
                let found = desk.history.find(&id.to_string()).await?;
                let found = found.ok_or_else(|| Failure::failed(format!("deployment {id} is not in this ledger")))?;
                let release = match wish.kind {
                    Kind::RollBack => back_from(desk, &found).await?,
                    Kind::Deploy => Some(found.release.clone()),
                    Kind::Promote | Kind::Apply => None,
                };
                (found.app, Some(found.environment), release.map(|release| release.to_string()))
            }
        };
        if !desk.sources.config.delivery.apps.contains_key(&app) {
            return Err(unregistered(&app));
        }
        let (to, kind) = match wish.kind {
            Kind::Promote => {
                let (template, _) = registered(&desk.sources.config, app.as_str(), Fresh::LastKnown).await?;
                let mut to = match &wish.environment {
                    Some(chosen) => vec![chosen.clone()],
                    None => following(&template, at.as_ref())?,
                };
                let to = match to.len() {
                    1 => to.remove(0),
                    _ => return Ok(Whither::Choose(to)),
                };
                let from = at.or_else(|| before(&template, &to));
                (to, from.map_or(deploy::Kind::Deploy, |from| deploy::Kind::Promote { from }))
            }
            kind => {
                let to = match wish.environment.clone().or(at) {
                    Some(to) => to,
                    None => {
                        let (template, _) = registered(&desk.sources.config, app.as_str(), Fresh::LastKnown).await?;
                        let mut all: Vec<_> = template.environments.keys().cloned().collect();
                        match all.len() {
                            1 => all.remove(0),
                            _ => return Ok(Whither::Choose(all)),
                        }
                    }
                };
                let kind = match kind {
                    Kind::RollBack => deploy::Kind::Rollback,
                    Kind::Apply => deploy::Kind::Apply,
                    Kind::Deploy | Kind::Promote => deploy::Kind::Deploy,
                };
                (to, kind)
            }
        };
        Ok(Whither::There(Box::new(Self { asked: asked(&app, &to, release, wish), kind })))
    }

    /// What would happen, in one line.
    pub(super) fn title(&self, kind: Kind, version: Option<&str>) -> String {
        let (app, environment) = (&self.asked.app, &self.asked.environment);
        let version = version.map(|version| format!(" {version}")).unwrap_or_default();
        match kind {
            Kind::Deploy | Kind::Promote => format!("{} {app}{version} to {environment}", kind.word()),
            Kind::RollBack if version.is_empty() => format!("Roll back {app} in {environment}"),
            Kind::RollBack => format!("Roll back {app} in {environment} to{version}"),
            Kind::Apply => format!("Apply today's configuration of {app}{version} in {environment}"),
        }
    }
}

/// The release of a deployment that was; from the newest one, the way back is to what was there before it.
async fn back_from(desk: &Desk, deployment: &Deployment) -> Result<Option<ReleaseId>, Failure> {
    let newest = desk.history.last_begun(&deployment.app, &deployment.environment).await?;
    Ok(match deployment.state {
        _ if newest.is_none_or(|newest| newest.id != deployment.id) => Some(deployment.release.clone()),
        State::Good => None,
        State::Waiting | State::Running | State::Parked | State::Failed | State::Unwound => deployment.from_release.clone(),
    })
}

/// What the verb's flags would say.
fn asked(app: &AppName, to: &EnvironmentId, release: Option<String>, wish: &Wish) -> Deploying {
    Deploying {
        app: app.to_string(),
        environment: to.to_string(),
        release,
        service: None,
        on: None,
        without: wish.without.iter().map(ToString::to_string).collect(),
        only_failed: false,
        only_owed: false,
        override_reason: wish.override_reason.as_deref().map(str::to_owned),
        reason: wish.reason.as_deref().map(str::to_owned),
        strategy: None,
        yes: true,
        output: Output { format: Format::Table },
    }
}

/// Environments that take what is good in this one: those that say so, else the next in the file; without one, all.
fn following(template: &Template, from: Option<&EnvironmentId>) -> Result<Vec<EnvironmentId>, Failure> {
    let all = || template.environments.keys().cloned();
    let Some(from) = from else { return Ok(all().collect()) };
    let named: Vec<_> =
        template.environments.iter().filter(|(_, one)| one.policy.after.as_ref() == Some(from)).map(|(name, _)| name.clone()).collect();
    let found = if named.is_empty() { all().skip_while(|one| one != from).skip(1).take(1).collect() } else { named };
    match found.is_empty() {
        true => Err(Failure::usage(format!("{from} is the last environment of {}: nothing comes after it", template.spec.app))),
        false => Ok(found),
    }
}

/// The environment that one takes its builds from; `None`: it is the first.
fn before(template: &Template, to: &EnvironmentId) -> Option<EnvironmentId> {
    let after = template.environments.get(to).and_then(|one| one.policy.after.clone());
    after.or_else(|| {
        let at = template.environments.get_index_of(to)?;
        template.environments.get_index(at.checked_sub(1)?).map(|(name, _)| name.clone())
    })
}

fn unregistered(app: &AppName) -> Failure {
    Failure::usage(format!(
        "{app} is not registered: deployments need its template\nput this into the configuration: [apps.{app}] template = {{ git = \"ssh://…\" }}, or \"/path/{FILE}\"\na first template comes from: quarterdeck app import compose.yaml"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn template(afters: [&str; 4]) -> Template {
        let environment = |(name, after): (&str, &str)| {
            let after = if after.is_empty() { String::new() } else { format!("after = {after:?}\n") };
            format!("[environments.{name}]\nhosts = [\"app-01\"]\n{after}")
        };
        let all: String = ["testing", "staging", "eu", "us"].into_iter().zip(afters).map(environment).collect();
        let text = format!(
            "[app]\nname = \"shop\"\nregistry = \"r:5000\"\nversion = \"1\"\n[services.web]\nimage = \"busybox:1\"\ncommand = [\"httpd\"]\n{all}"
        );
        Template::parse(Path::new("quarterdeck.toml"), &text).unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn what_follows_is_what_says_so_or_the_next_in_the_file() {
        let names = |template: &Template, from: Option<&str>| {
            let found = following(template, from.map(EnvironmentId::new).as_ref());
            found.map(|found| found.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>()).unwrap_or_default()
        };
        let plain = template(["", "", "", ""]);
        let split = template(["", "testing", "staging", "staging"]);
        for (template, from, to) in [
            (&plain, Some("testing"), &["staging"][..]),
            (&plain, Some("eu"), &["us"]),
            (&plain, Some("us"), &[]),
            (&plain, None, &["testing", "staging", "eu", "us"]),
            (&split, Some("staging"), &["eu", "us"]),
            (&split, Some("testing"), &["staging"]),
        ] {
            assert_eq!(names(template, from), to, "{from:?}");
        }
        let before = |template: &Template, to: &str| before(template, &EnvironmentId::new(to)).map(|from| from.to_string());
        assert_eq!((before(&plain, "testing"), before(&plain, "us")), (None, Some("eu".into())));
        assert_eq!(before(&split, "us"), Some("staging".into()));
    }
}
