//! The JSON rows of the command line (design: Command line): exactly these keys, in this order; times RFC 3339, sizes in bytes.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    container::{Container, ContainerState, Health, Port},
    drift,
    event::EngineEvent,
    host::Host,
    ids::{AppName, ContainerId, EnvironmentId, HostId, ServiceKey, ServiceName},
    model::Fleet,
    selector::Selector,
    trouble::Trouble,
};

/// A row of `ps`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface; those that need a word have one")]
pub struct PsRow {
    pub host: HostId,
    pub id: ContainerId,
    pub name: Arc<str>,
    pub app: Option<AppName>,
    pub service: ServiceName,
    pub environment: Option<EnvironmentId>,
    /// As named; the image's id where it was started by id.
    pub image: String,
    pub tag: Option<Arc<str>>,
    pub version: Arc<str>,
    pub digest: Option<Arc<str>>,
    /// The label `org.opencontainers.image.revision`: the commit it was built from.
    pub revision: Option<Arc<str>>,
    pub state: ContainerState,
    pub health: Health,
    pub exit_code: Option<i64>,
    pub oom_killed: Option<bool>,
    pub created: DateTime<Utc>,
    pub started: Option<DateTime<Utc>>,
    pub restarts: Option<u64>,
    pub ports: Vec<Port>,
    pub command: Arc<str>,
    /// How old this knowledge is: since the engine was last heard, or the row itself confirmed.
    pub age_ms: i64,
}

impl PsRow {
    /// The row of a container; `host` is where that lives.
    pub fn new(container: &Container, host: &Host, now: DateTime<Utc>) -> Self {
        let image = container.image.to_string();
        let identity = &container.identity;
        let heard = host.heard.map_or(container.seen, |heard| heard.max(container.seen));
        Self {
            host: container.key.host.clone(),
            id: container.key.id.clone(),
            name: container.name.clone(),
            app: identity.service.app.clone(),
            service: identity.service.service.clone(),
            environment: identity.environment.clone(),
            image: if image.is_empty() { container.image_id.to_string() } else { image },
            tag: container.image.tag.clone(),
            version: container.version.text.clone(),
            digest: container.digest.clone(),
            revision: container.labels.get("org.opencontainers.image.revision").cloned(),
            state: container.state,
            health: container.health,
            exit_code: container.exit_code,
            oom_killed: container.oom_killed,
            created: container.created,
            started: container.started,
            restarts: container.restarts,
            ports: container.ports.clone(),
            command: container.command.clone(),
            age_ms: (now - heard).num_milliseconds().max(0),
        }
    }

    /// The rows of what a selector selects: host by host as configured, by name within a host.
    pub fn all(fleet: &Fleet, filter: &Selector, now: DateTime<Utc>) -> Vec<Self> {
        let mut rows = Vec::new();
        for host in fleet.hosts() {
            let first = rows.len();
            let selected = fleet.containers_on(&host.spec.id).filter(|container| filter.matches(container, host));
            rows.extend(selected.map(|container| Self::new(container, host, now)));
            rows[first..].sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
        }
        rows
    }
}

/// A row of `versions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface; those that need a word have one")]
pub struct VersionsRow {
    pub app: Option<AppName>,
    pub service: ServiceName,
    /// One per environment × host × version.
    pub cells: Vec<VersionsCell>,
    pub drift: bool,
    /// The reasons, naming the odd one out.
    pub why: Vec<Arc<str>>,
}

/// A cell of [`VersionsRow`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface; those that need a word have one")]
pub struct VersionsCell {
    pub environment: Option<EnvironmentId>,
    pub host: HostId,
    pub version: Arc<str>,
    pub digest: Option<Arc<str>>,
    pub running: usize,
    /// How many should run in the environment, where something says it.
    pub wanted: Option<u32>,
    pub healthy: usize,
    /// The worst trouble (`unhealthy`, `crash-looping`, `host-lost`, …), else `running`, or `stopped` when none runs.
    pub state: String,
    /// Since when the version is here.
    pub since: DateTime<Utc>,
}

impl VersionsRow {
    /// The rows of the services that a selector selects something of, by app and service.
    pub fn all(fleet: &Fleet, filter: &Selector, now: DateTime<Utc>) -> Vec<Self> {
        fleet.services().filter_map(|service| Self::new(fleet, service, filter, now)).collect()
    }

    /// A service's row; `None` when nothing of it is selected.
    pub fn new(fleet: &Fleet, service: &ServiceKey, filter: &Selector, now: DateTime<Utc>) -> Option<Self> {
        type Place<'a> = (Option<&'a EnvironmentId>, &'a HostId, &'a str);
        let mut places: BTreeMap<Place<'_>, (VersionsCell, Trouble)> = BTreeMap::new();
        for container in fleet.containers_of(service).filter(|c| !c.is_kept() && !c.is_oneoff()) {
            let Some(host) = fleet.host(&container.key.host) else { continue };
            if !filter.matches(container, host) {
                continue;
            }
            let place = (container.identity.environment.as_ref(), &container.key.host, &*container.version.text);
            let (cell, worst) = places.entry(place).or_insert_with(|| {
                let cell = VersionsCell {
                    environment: container.identity.environment.clone(),
                    host: container.key.host.clone(),
                    version: container.version.text.clone(),
                    digest: container.digest.clone(),
                    running: 0,
                    wanted: None,
                    healthy: 0,
                    state: String::new(),
                    since: container.created,
                };
                (cell, Trouble::None)
            });
            let running = container.is_running();
            cell.running += usize::from(running);
            cell.healthy += usize::from(running && matches!(container.health, Health::Healthy | Health::None));
            cell.wanted = cell.wanted.max(container.wanted());
            cell.since = cell.since.min(container.created);
            *worst = (*worst).max(Trouble::of(container, &host.link, now));
        }
        let cells: Vec<VersionsCell> = places
            .into_values()
            .map(|(mut cell, worst)| {
                cell.state = match worst {
                    Trouble::None if cell.running > 0 => "running".to_owned(),
                    Trouble::None => "stopped".to_owned(),
                    other => other.key().to_owned(),
                };
                cell
            })
            .collect();
        let why: Vec<Arc<str>> = drift::of_service(fleet, service).iter().map(|drift| drift.why.clone()).collect();
        let row = Self { app: service.app.clone(), service: service.service.clone(), cells, drift: !why.is_empty(), why };
        (!row.cells.is_empty()).then_some(row)
    }
}

/// A row of `hosts`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface")]
pub struct HostRow {
    pub name: HostId,
    pub url: Arc<str>,
    pub status: &'static str,
    pub error: Option<String>,
    pub engine: Option<Arc<str>>,
    pub api: Option<Arc<str>>,
    pub os: Option<Arc<str>>,
    pub cpus: Option<u32>,
    pub memory: Option<u64>,
    pub containers: usize,
    pub latency_ms: Option<f64>,
}

impl HostRow {
    /// The row of a host.
    pub fn new(fleet: &Fleet, host: &Host) -> Self {
        let engine = host.engine.as_ref();
        Self {
            name: host.spec.id.clone(),
            url: host.spec.url.clone(),
            status: host.link.word(),
            error: host.link.error().map(str::to_owned),
            engine: engine.map(|engine| engine.engine.clone()),
            api: engine.map(|engine| engine.api.clone()),
            os: engine.map(|engine| engine.os.clone()),
            cpus: engine.map(|engine| engine.cpus),
            memory: engine.map(|engine| engine.memory),
            containers: fleet.container_count(&host.spec.id),
            latency_ms: host.latency_us.map(|us| us as f64 / 1000.0),
        }
    }

    /// The rows of all hosts, as configured.
    pub fn all(fleet: &Fleet) -> Vec<Self> {
        fleet.hosts().map(|host| Self::new(fleet, host)).collect()
    }
}

/// A row of `events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the keys are the documented interface; those that need a word have one")]
pub struct EventRow {
    /// The engine's own time of it.
    pub ts: DateTime<Utc>,
    pub host: HostId,
    pub kind: &'static str,
    pub action: Arc<str>,
    pub id: ContainerId,
    pub name: Arc<str>,
    pub app: Option<AppName>,
    pub service: Option<ServiceName>,
    pub environment: Option<EnvironmentId>,
    pub exit_code: Option<i64>,
    /// Who deployed the container it is about (label `quarterdeck.by`), where one of ours.
    pub by: Option<Arc<str>>,
}

impl EventRow {
    /// The row of an event.
    pub fn new(fleet: &Fleet, event: &EngineEvent) -> Self {
        let identity = fleet.identity_of(event);
        let (app, service, environment) = match identity {
            Some(identity) => (identity.service.app, Some(identity.service.service), identity.environment),
            None => (None, None, None),
        };
        Self {
            ts: event.at,
            host: event.host.clone(),
            kind: event.kind.word(),
            action: event.action.clone(),
            id: event.id.clone(),
            name: event.name.clone(),
            app,
            service,
            environment,
            exit_code: event.exit_code,
            by: event.labels.get("quarterdeck.by").cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::fixture;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn sorted<'a>(text: &'a str) -> Vec<&'a str> {
        let mut keys: Vec<&'a str> = text.split(", ").collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn ps_has_its_keys_and_values() {
        let fleet = fixture::fleet();
        let filter = Selector::parse("host:app-07 service:api").unwrap();
        let rows = serde_json::to_value(PsRow::all(&fleet, &filter, fixture::now())).unwrap();
        let mut found = keys(&rows[0]);
        found.sort_unstable();
        let expected = "host, id, name, app, service, environment, image, tag, version, digest, revision, state, health, exit_code, \
                        oom_killed, created, started, restarts, ports, command, age_ms";
        assert_eq!(found, sorted(expected));
        assert_eq!(rows[0]["app"], json!("shop"));
        assert_eq!(rows[0]["version"], json!("1.0.1-19-04bd1c9"));
        assert_eq!(rows[0]["state"], json!("running"));
        assert_eq!(rows[0]["created"], json!("2026-11-04T14:03:00Z"));
        assert_eq!(rows[0]["age_ms"], json!(0));
    }

    #[test]
    fn versions_tell_each_host_and_why() {
        let fleet = fixture::fleet();
        let filter = Selector::parse("service:api env:production").unwrap();
        let rows = serde_json::to_value(VersionsRow::all(&fleet, &filter, fixture::now())).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 1);
        assert_eq!(rows[0]["cells"].as_array().unwrap().len(), 4);
        assert_eq!(rows[0]["drift"], json!(true));
        assert_eq!(rows[0]["why"], json!(["app-07 runs 1.0.1-19-04bd1c9, the other 3 run 1.0.1-22-7e56158"]));
        let mut found = keys(&rows[0]["cells"][0]);
        found.sort_unstable();
        assert_eq!(found, sorted("environment, host, version, digest, running, wanted, healthy, state, since"));
        let unhealthy = VersionsRow::all(&fleet, &Selector::parse("health:unhealthy").unwrap(), fixture::now());
        assert_eq!(unhealthy[0].cells[0].state, "unhealthy");
    }

    #[test]
    fn hosts_and_events_have_their_keys() {
        let fleet = fixture::fleet();
        let rows = serde_json::to_value(HostRow::all(&fleet)).unwrap();
        let mut found = keys(&rows[0]);
        found.sort_unstable();
        assert_eq!(found, sorted("name, url, status, error, engine, api, os, cpus, memory, containers, latency_ms"));
        assert_eq!(rows[0]["status"], json!("live"));
        let event = fleet.events().iter().rfind(|event| event.kind == crate::fleet::EventKind::Container).unwrap();
        let row = serde_json::to_value(EventRow::new(&fleet, event)).unwrap();
        let mut found = keys(&row);
        found.sort_unstable();
        assert_eq!(found, sorted("ts, host, kind, action, id, name, app, service, environment, exit_code, by"));
        assert_eq!((&row["app"], &row["service"]), (&json!("billing"), &json!("worker")));
    }
}
