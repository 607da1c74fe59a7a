//! An entry as JSON (`check`, the hand-off bundle).

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{About, Alert, Rule};
use crate::fleet::{AppName, ContainerKey, EnvironmentId, Fleet, HostId, ServiceName, Severity};

/// An entry's row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface; those that need a word have one")]
pub struct AlertRow {
    /// `bad` or `attention`.
    pub severity: &'static str,
    pub rule: Rule,
    pub app: Option<AppName>,
    pub service: Option<ServiceName>,
    pub environment: Option<EnvironmentId>,
    pub hosts: Vec<HostId>,
    /// The names of the containers, `HOST/NAME`.
    pub containers: Vec<String>,
    /// `null`: since before anybody looked.
    pub since: Option<DateTime<Utc>>,
    /// Whether it is only the last known.
    pub stale: bool,
    pub sentence: String,
}

impl AlertRow {
    /// The row of an entry.
    pub fn new(fleet: &Fleet, alert: &Alert) -> Self {
        let (service, environment) = match &alert.about {
            About::Host(host) => (None, fleet.host(host).and_then(|host| host.spec.environment.clone())),
            About::Service { service, environment } => (Some(service), environment.clone()),
        };
        let name = |key: &ContainerKey| {
            let name = fleet.container(key).map_or_else(|| key.id.short().to_owned(), |container| container.name.to_string());
            format!("{}/{name}", key.host)
        };
        Self {
            severity: word(alert.severity()),
            rule: alert.rule,
            app: service.and_then(|service| service.app.clone()),
            service: service.map(|service| service.service.clone()),
            environment,
            hosts: alert.hosts.clone(),
            containers: alert.members.iter().map(name).collect(),
            since: alert.since,
            stale: alert.stale,
            sentence: alert.sentence.clone(),
        }
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Quiet => "quiet",
        Severity::Attention => "attention",
        Severity::Bad => "bad",
    }
}
