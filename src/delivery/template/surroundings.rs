//! What the configuration knows that a template is judged by.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use indexmap::IndexMap;

use crate::{
    config::{Config, PolicyConfig},
    delivery::spec::Policy,
    fleet::{AppName, EnvironmentId, HostId},
};

/// Hosts, balancers, the names of secrets, policies: by name only, no value of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Every host, with the environment that it is said to belong to.
    pub hosts: IndexMap<HostId, Option<EnvironmentId>>,
    /// `[lb.*]`.
    pub balancers: Vec<String>,
    /// The names of which there is a source.
    pub secrets: BTreeMap<(AppName, EnvironmentId), BTreeSet<String>>,
    /// Where free ports are taken from; `None`: nobody said.
    pub ports: Option<RangeInclusive<u16>>,
    /// `[policy.*]`.
    pub policies: IndexMap<EnvironmentId, PolicyConfig>,
    /// The app that the configuration takes the template for; `None` for a file that nobody registered.
    pub app: Option<AppName>,
}

impl From<&Config> for Surroundings {
    fn from(config: &Config) -> Self {
        let delivery = &config.delivery;
        let secrets = delivery.secrets.iter().map(|(place, sources)| (place.clone(), sources.keys().cloned().collect()));
        Self {
            hosts: config.hosts.iter().map(|host| (host.id.clone(), host.environment.clone())).collect(),
            balancers: delivery.balancers.keys().cloned().collect(),
            secrets: secrets.collect(),
            ports: Some(delivery.ports.clone()),
            policies: delivery.policies.clone(),
            app: None,
        }
    }
}

impl Surroundings {
    /// The same for a template that is registered for an app.
    pub fn of_app(config: &Config, app: &AppName) -> Self {
        Self { app: Some(app.clone()), ..Self::from(config) }
    }

    /// A policy with what the configuration adds to it: it may only tighten.
    pub fn tightened(&self, environment: &EnvironmentId, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if let Some(ours) = self.policies.get(environment) {
            policy.approve = policy.approve.max(ours.approve);
            policy.after = ours.after.clone().or(policy.after);
        }
        policy
    }
}
