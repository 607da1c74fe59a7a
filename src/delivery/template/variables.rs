//! The variables of a service in an environment, each with who says it: what a person may change there. Pure.

use std::{borrow::Cow, fmt, sync::Arc};

use super::Template;
use crate::{
    fleet::{
        EnvironmentId, ServiceName,
        mask::{is_secret, mask_text},
    },
    written::Origin,
};

/// Where an environment says variables: for all of its services, or for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Which environment.
    pub environment: EnvironmentId,
    /// Which service; `None`: every service and job of the environment.
    pub service: Option<ServiceName>,
}

impl Place {
    /// The keys from the top of the file to its table of variables.
    pub(super) fn path(&self) -> Vec<&str> {
        let service = self.service.iter().flat_map(|service| ["services", service.as_str()]);
        ["environments", self.environment.as_str()].into_iter().chain(service).chain(["vars"]).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.path().join("."))
    }
}

/// Who says a variable, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The service itself, for every environment: a part of the build, never of a configuration.
    Service,
    /// The environment, for all of its services.
    Environment,
    /// The environment, for this service alone.
    Here,
}

/// What one level says of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidVariable {
    /// Who.
    pub level: Level,
    /// What.
    pub value: Arc<str>,
    /// Where it stands in the file.
    pub origin: Option<Origin>,
}

/// A variable as a service has it in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// Everybody who says it, the strongest first; never empty.
    pub said: Vec<SaidVariable>,
}

impl Variable {
    /// What holds.
    pub fn holds(&self) -> Option<&SaidVariable> {
        self.said.first()
    }
}

impl Template {
    /// The variables of a service in an environment, by name; `None` where there is no such service or environment.
    pub fn variables(&self, environment: &EnvironmentId, service: &ServiceName) -> Option<Vec<Variable>> {
        let (spec, revision) = (self.spec.services.get(service)?, &self.environments.get(environment)?.revision);
        let patch = revision.services.get(service).map(|patch| &patch.vars);
        let levels = [
            (Level::Here, patch, format!("environments.{environment}.services.{service}.vars")),
            (Level::Environment, Some(&revision.vars), format!("environments.{environment}.vars")),
            (Level::Service, Some(&spec.vars), format!("services.{service}.vars")),
        ];
        let mut found: Vec<Variable> = Vec::new();
        for (level, vars, path) in &levels {
            for (name, value) in vars.iter().flat_map(|vars| vars.iter()) {
                let said = SaidVariable { level: *level, value: value.clone(), origin: self.origin(&format!("{path}.{name}")).cloned() };
                match found.iter_mut().find(|variable| variable.name == *name) {
                    Some(variable) => variable.said.push(said),
                    None => found.push(Variable { name: name.clone(), said: vec![said] }),
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Some(found)
    }

    /// What looks like a secret and yet stands in the template, by its name or by itself: no screen shows it.
    pub fn plain_secrets(&self) -> Vec<Arc<str>> {
        let spec = self.spec.services.values().map(|service| &service.vars).chain(self.spec.jobs.values().map(|job| &job.vars));
        let environments = self.environments.values().map(|environment| &environment.revision);
        let own = environments.flat_map(|revision| {
            std::iter::once(&revision.vars).chain(revision.services.values().map(|patch| &patch.vars)).collect::<Vec<_>>()
        });
        let looks = |(name, value): &(&Arc<str>, &Arc<str>)| is_secret(name) || matches!(mask_text(value), Cow::Owned(_));
        spec.chain(own).flat_map(|vars| vars.iter()).filter(looks).map(|(_, value)| value.clone()).collect()
    }
}
