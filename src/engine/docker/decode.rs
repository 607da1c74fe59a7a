//! The engine's JSON → the model's rows.
//!
//! Lenient on purpose: a missing or null field, an unknown state, a foreign engine's extra word must not hide a host. What
//! cannot be read at all is an error that names the request. All text is cleaned here, once.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{EngineError, client::ApiVersion, requests::Handshake};
use crate::{
    fleet::{
        ContainerDetail, ContainerId, ContainerState, ContainerSummary, EngineEvent, EngineInfo, EventKind, Health, HostId, ImageFact,
        ImageId, ImageRef, Port,
    },
    text::clean,
};

type Labels = Arc<BTreeMap<Arc<str>, Arc<str>>>;

/// Go writes an empty list or map as `null`.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, EngineError> {
    // Go replaces invalid UTF-8 itself; another server may not, and one bad label must not hide a host.
    let text = String::from_utf8_lossy(bytes);
    serde_json::from_str(&text)
        .map_err(|error| EngineError::Protocol { what: what.to_owned(), reason: clean(&error.to_string()).into_owned() })
}

pub(super) fn text(raw: &str) -> Arc<str> {
    Arc::from(&*clean(raw))
}

fn labels(raw: BTreeMap<String, Option<String>>) -> Labels {
    Arc::new(raw.into_iter().map(|(key, value)| (text(&key), text(value.as_deref().unwrap_or_default()))).collect())
}

/// The engine writes "never" as year 1.
pub(super) fn moment(raw: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    raw.filter(|at| at.timestamp() > 0)
}

pub(super) struct Version {
    pub engine: String,
    pub api: ApiVersion,
    pub clock: Option<DateTime<Utc>>,
}

pub(super) fn version(bytes: &[u8]) -> Result<Version, EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        #[serde(default)]
        version: String,
        api_version: String,
        #[serde(default, deserialize_with = "nullable")]
        components: Vec<Component>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Component {
        #[serde(default)]
        name: String,
        #[serde(default)]
        version: String,
    }
    let what = "GET /version";
    let raw: Raw = parse(bytes, what)?;
    let protocol = |reason: String| EngineError::Protocol { what: what.to_owned(), reason };
    let api = ApiVersion::parse(&raw.api_version).ok_or_else(|| protocol(format!("API version {:?}", clean(&raw.api_version))))?;
    if api < (ApiVersion { major: 1, minor: 24 }) {
        return Err(protocol(format!("API {api} is too old: Docker 20.10 (API 1.41) or newer is needed")));
    }
    let podman = raw.components.iter().find(|component| component.name.contains("Podman"));
    let engine = match podman {
        Some(component) => format!("Podman {}", clean(&component.version)),
        None => format!("Docker {}", clean(&raw.version)),
    };
    Ok(Version { engine, api, clock: None })
}

pub(super) fn info(bytes: &[u8], handshake: &Handshake, at: DateTime<Utc>) -> Result<EngineInfo, EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        #[serde(default)]
        operating_system: String,
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        name: String,
        #[serde(default, rename = "NCPU")]
        cpus: u32,
        #[serde(default)]
        mem_total: u64,
        #[serde(default)]
        docker_root_dir: String,
        #[serde(default, deserialize_with = "nullable")]
        driver_status: Vec<Vec<String>>,
        #[serde(default)]
        system_time: Option<String>,
    }
    let raw: Raw = parse(bytes, "GET /info")?;
    let clock = raw.system_time.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    Ok(EngineInfo {
        engine: Arc::from(handshake.engine.as_str()),
        api: Arc::from(handshake.api.to_string()),
        os: text(&raw.operating_system),
        arch: text(&raw.architecture),
        hostname: text(&raw.name),
        cpus: raw.cpus,
        memory: raw.mem_total,
        data_root: text(&raw.docker_root_dir),
        containerd_store: raw.driver_status.iter().any(|pair| pair.iter().any(|word| word.contains("io.containerd.snapshotter"))),
        clock_skew_ms: clock.map_or(0, |clock| (clock.with_timezone(&Utc) - at).num_milliseconds()),
    })
}

pub(super) fn list(bytes: &[u8]) -> Result<Vec<ContainerSummary>, EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        id: String,
        #[serde(default, deserialize_with = "nullable")]
        names: Vec<String>,
        #[serde(default)]
        image: String,
        #[serde(default, rename = "ImageID")]
        image_id: String,
        #[serde(default)]
        command: String,
        #[serde(default)]
        created: i64,
        #[serde(default, deserialize_with = "nullable")]
        ports: Vec<RawPort>,
        #[serde(default, deserialize_with = "nullable")]
        labels: BTreeMap<String, Option<String>>,
        #[serde(default)]
        state: String,
        #[serde(default)]
        status: String,
    }
    #[derive(Deserialize)]
    struct RawPort {
        #[serde(default, rename = "IP")]
        ip: Option<String>,
        #[serde(default, rename = "PrivatePort")]
        private: u16,
        #[serde(default, rename = "PublicPort")]
        public: Option<u16>,
        #[serde(default, rename = "Type")]
        protocol: String,
    }
    let raw: Vec<Raw> = parse(bytes, "GET /containers/json")?;
    Ok(raw
        .into_iter()
        .map(|raw| ContainerSummary {
            id: ContainerId::new(clean(&raw.id)),
            name: name(&raw.names),
            image: ImageRef::parse(&clean(&raw.image)),
            image_id: ImageId::new(clean(&raw.image_id)),
            labels: labels(raw.labels),
            state: ContainerState::parse(&raw.state),
            health: health_of_status(&raw.status),
            exit_code: exit_of_status(&raw.status),
            created: DateTime::from_timestamp(raw.created, 0).unwrap_or_default(),
            ports: ports(raw.ports.into_iter().map(|port| Port {
                address: port.public.filter(|public| *public != 0).map(|_| text(port.ip.as_deref().unwrap_or("0.0.0.0"))),
                public: port.public.filter(|public| *public != 0),
                private: port.private,
                protocol: text(&port.protocol),
            })),
            command: text(&raw.command),
        })
        .collect())
}

/// The container's own name: `/web-1`, not an alias that a legacy link gave it, `/other/web`.
fn name(names: &[String]) -> Arc<str> {
    let own = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
    let shortest = own.clone().find(|name| !name.contains('/')).or_else(|| own.clone().next());
    text(shortest.unwrap_or("–"))
}

fn ports(raw: impl Iterator<Item = Port>) -> Vec<Port> {
    let mut ports: Vec<Port> = raw.collect();
    ports.sort_by(|a, b| {
        (a.public.is_none(), a.private, &a.protocol, &a.address).cmp(&(b.public.is_none(), b.private, &b.protocol, &b.address))
    });
    ports.dedup();
    ports
}

/// `Up 2 hours (unhealthy)`, `Up 5 seconds (health: starting)`.
fn health_of_status(status: &str) -> Health {
    match status.rsplit_once('(').map(|(_, tail)| tail.trim_end_matches(')')) {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("health: starting" | "starting") => Health::Starting,
        Some(_) | None => Health::None,
    }
}

/// `Exited (137) 3 minutes ago`, `Restarting (1) 2 seconds ago`.
fn exit_of_status(status: &str) -> Option<i64> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

pub(super) fn inspect(bytes: &[u8]) -> Result<ContainerDetail, EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        id: String,
        #[serde(default)]
        created: Option<DateTime<Utc>>,
        #[serde(default)]
        path: String,
        #[serde(default, deserialize_with = "nullable")]
        args: Vec<String>,
        #[serde(default)]
        state: RawState,
        #[serde(default)]
        image: String,
        #[serde(default)]
        name: String,
        #[serde(default, deserialize_with = "nullable")]
        restart_count: u64,
        #[serde(default)]
        config: RawConfig,
        #[serde(default)]
        host_config: RawLimits,
        #[serde(default)]
        network_settings: RawNetwork,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawState {
        #[serde(default)]
        status: String,
        #[serde(default)]
        exit_code: i64,
        #[serde(default, rename = "OOMKilled")]
        oom_killed: bool,
        #[serde(default)]
        started_at: Option<DateTime<Utc>>,
        #[serde(default)]
        finished_at: Option<DateTime<Utc>>,
        #[serde(default, alias = "Healthcheck")]
        health: Option<RawHealth>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawHealth {
        #[serde(default)]
        status: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawConfig {
        #[serde(default)]
        image: String,
        #[serde(default, deserialize_with = "nullable")]
        labels: BTreeMap<String, Option<String>>,
        #[serde(default, deserialize_with = "nullable")]
        exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawLimits {
        #[serde(default, deserialize_with = "nullable")]
        nano_cpus: i64,
        #[serde(default, deserialize_with = "nullable")]
        cpu_quota: i64,
        #[serde(default, deserialize_with = "nullable")]
        cpu_period: i64,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawNetwork {
        #[serde(default, deserialize_with = "nullable")]
        ports: BTreeMap<String, Option<Vec<RawBinding>>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RawBinding {
        #[serde(default)]
        host_ip: String,
        #[serde(default)]
        host_port: String,
    }

    let raw: Raw = parse(bytes, "GET /containers/{id}/json")?;
    let state = ContainerState::parse(&raw.state.status);
    let over = matches!(state, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting);
    let bound = raw.network_settings.ports.iter().flat_map(|(spec, bindings)| {
        let (private, protocol) = port_spec(spec);
        let published = bindings.iter().flatten().filter_map(move |binding| {
            let public = binding.host_port.parse().ok()?;
            Some((text(if binding.host_ip.is_empty() { "0.0.0.0" } else { &binding.host_ip }), public))
        });
        let mut found: Vec<Port> = published
            .map(|(address, public)| Port { address: Some(address), public: Some(public), private, protocol: Arc::clone(&protocol) })
            .collect();
        if found.is_empty() {
            found.push(Port { address: None, public: None, private, protocol });
        }
        found
    });
    // The list tells exposed ports only of running containers; keep inspect's answer of the same shape, or rows would flicker.
    let running = matches!(state, ContainerState::Running | ContainerState::Paused);
    let exposed = raw.config.exposed_ports.keys().filter(|spec| !raw.network_settings.ports.contains_key(*spec)).map(|spec| {
        let (private, protocol) = port_spec(spec);
        Port { address: None, public: None, private, protocol }
    });
    let ports = if running { ports(bound.chain(exposed)) } else { Vec::new() };
    let command = if raw.args.is_empty() { Cow::Borrowed(&raw.path) } else { Cow::Owned(format!("{} {}", raw.path, raw.args.join(" "))) };
    Ok(ContainerDetail {
        summary: ContainerSummary {
            id: ContainerId::new(clean(&raw.id)),
            name: name(std::slice::from_ref(&raw.name)),
            image: ImageRef::parse(&clean(&raw.config.image)),
            image_id: ImageId::new(clean(&raw.image)),
            labels: labels(raw.config.labels),
            state,
            health: raw.state.health.map_or(Health::None, |health| if running { Health::parse(&health.status) } else { Health::None }),
            exit_code: over.then_some(raw.state.exit_code),
            created: raw.created.unwrap_or_default(),
            ports,
            command: text(&command),
        },
        started: moment(raw.state.started_at),
        finished: moment(raw.state.finished_at).filter(|_| !running),
        restarts: raw.restart_count,
        oom_killed: raw.state.oom_killed,
        cpu_limit: match &raw.host_config {
            RawLimits { nano_cpus, .. } if *nano_cpus > 0 => Some(*nano_cpus as f64 / 1e9),
            // Without a period of its own the kernel's holds: 100 ms.
            RawLimits { cpu_quota, cpu_period, .. } if *cpu_quota > 0 => {
                Some(*cpu_quota as f64 / if *cpu_period > 0 { *cpu_period as f64 } else { 100_000.0 })
            }
            RawLimits { .. } => None,
        },
    })
}

/// `80/tcp` → (80, tcp).
fn port_spec(spec: &str) -> (u16, Arc<str>) {
    let (port, protocol) = spec.split_once('/').unwrap_or((spec, "tcp"));
    (port.parse().unwrap_or(0), text(protocol))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawImage {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    repo_digests: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    repo_tags: Vec<String>,
    #[serde(default, rename = "RootFS")]
    root_fs: RawLayers,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawLayers {
    #[serde(default, deserialize_with = "nullable")]
    layers: Vec<String>,
}

impl From<RawImage> for ImageFact {
    fn from(raw: RawImage) -> Self {
        let known = |list: Vec<String>| list.iter().filter(|text| !text.starts_with("<none>")).map(|entry| text(entry)).collect();
        Self {
            id: ImageId::new(clean(&raw.id)),
            repo_digests: known(raw.repo_digests),
            repo_tags: known(raw.repo_tags),
            layers: raw.root_fs.layers.iter().map(|layer| text(layer)).collect(),
        }
    }
}

pub(super) fn images(bytes: &[u8]) -> Result<Vec<ImageFact>, EngineError> {
    let raw: Vec<RawImage> = parse(bytes, "GET /images/json")?;
    Ok(raw.into_iter().map(ImageFact::from).collect())
}

pub(super) fn image(bytes: &[u8]) -> Result<ImageFact, EngineError> {
    parse::<RawImage>(bytes, "GET /images/{name}/json").map(ImageFact::from)
}

pub(super) fn value(bytes: &[u8], what: &str) -> Result<serde_json::Value, EngineError> {
    parse(bytes, what)
}

pub(super) fn event(host: &HostId, line: &[u8]) -> Result<EngineEvent, EngineError> {
    #[derive(Deserialize)]
    struct Raw {
        #[serde(default, rename = "Type")]
        kind: String,
        #[serde(default, rename = "Action")]
        action: String,
        #[serde(default, rename = "Actor")]
        actor: RawActor,
        #[serde(default)]
        time: i64,
        #[serde(default, rename = "timeNano")]
        time_nano: i64,
    }
    #[derive(Default, Deserialize)]
    struct RawActor {
        #[serde(default, rename = "ID")]
        id: String,
        #[serde(default, rename = "Attributes", deserialize_with = "nullable")]
        attributes: BTreeMap<String, Option<String>>,
    }
    let raw: Raw = parse(line, "GET /events")?;
    let mut attributes = raw.actor.attributes;
    let mut take = |key: &str| attributes.remove(key).flatten();
    let kind = match raw.kind.as_str() {
        "container" => EventKind::Container,
        "image" => EventKind::Image,
        "network" => EventKind::Network,
        "volume" => EventKind::Volume,
        "daemon" => EventKind::Daemon,
        _ => EventKind::Other,
    };
    let action = podman_word(&raw.action);
    let (image, exit_code, signal, old_name) = match kind {
        EventKind::Container => (
            take("image").map(|image| text(&image)),
            // Podman writes containerExitCode, and into every event.
            take("exitCode").or(take("containerExitCode").filter(|_| action == "die")).and_then(|code| code.parse().ok()),
            take("signal").map(|signal| text(&signal)),
            take("oldName").map(|old| text(old.strip_prefix('/').unwrap_or(&old))),
        ),
        EventKind::Image | EventKind::Network | EventKind::Volume | EventKind::Daemon | EventKind::Other | EventKind::Link => {
            (None, None, None, None)
        }
    };
    let name = take("name").map_or_else(|| text(&raw.actor.id), |name| text(name.strip_prefix('/').unwrap_or(&name)));
    Ok(EngineEvent {
        at: if raw.time_nano > 0 {
            DateTime::from_timestamp_nanos(raw.time_nano)
        } else {
            DateTime::from_timestamp(raw.time, 0).unwrap_or_default()
        },
        host: host.clone(),
        kind,
        action: text(action),
        id: ContainerId::new(clean(&raw.actor.id)),
        name,
        image,
        exit_code,
        signal,
        old_name,
        labels: labels(attributes),
    })
}

/// Podman's own words for what Docker calls otherwise.
fn podman_word(action: &str) -> &str {
    match action {
        "died" => "die",
        "remove" => "destroy",
        other => other,
    }
}
