//! One container as the model keeps it: a small row, converted once from the engine's large answer.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    event::EngineEvent,
    identity::{Identity, IdentityOrigin},
    ids::{ContainerKey, ImageId, ServiceKey, ServiceName},
    version::{self, Version},
};

/// The engine's container states (`State` of `GET /containers/json`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Its main process runs.
    Running,
    /// Frozen by `pause`.
    Paused,
    /// Exited, and the restart policy will start it again.
    Restarting,
    /// Being removed.
    Removing,
    /// Its main process has ended.
    Exited,
    /// Half removed; the engine could not finish.
    Dead,
    /// A word that this program does not know (another engine's own states).
    Unknown,
}

impl ContainerState {
    /// The state from the engine's word; Podman's extra words are mapped to Docker's nearest.
    pub fn parse(word: &str) -> Self {
        match word {
            "created" | "configured" | "initialized" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" | "stopping" => Self::Removing,
            "exited" | "stopped" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Unknown,
        }
    }

    /// The engine's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The outcome of a container's HEALTHCHECK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It has no HEALTHCHECK.
    #[default]
    None,
    /// Within its start period, no verdict.
    Starting,
    /// The last check passed.
    Healthy,
    /// As many checks in a row as its `retries` failed.
    Unhealthy,
}

impl Health {
    /// The engine's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// The health from the engine's word in inspect (`State.Health.Status`).
    pub fn parse(word: &str) -> Self {
        match word {
            "starting" => Self::Starting,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// An image reference as a container names it: `repository[:tag][@digest]`, or a bare id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageRef {
    /// Everything before tag and digest, as written: `registry.internal:5000/shop/web`, `nginx`. Empty for a bare id.
    pub repository: Arc<str>,
    /// The tag; `None` for a digest or id reference. A reference with neither names `latest`.
    pub tag: Option<Arc<str>>,
    /// The manifest digest of a `@sha256:…` reference.
    pub digest: Option<Arc<str>>,
}

impl ImageRef {
    /// Reads a reference as engines write it: `registry.internal:5000/shop/web:1.0@sha256:…`, `nginx`, or a bare `sha256:…` id.
    ///
    /// Never fails: what it cannot make sense of becomes the repository. A bare id (with or without `sha256:`) leaves all fields empty: the
    /// container's `image_id` says it already.
    pub fn parse(text: &str) -> Self {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Self::default();
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let path = named.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match named[path..].find(':') {
            Some(colon) => (&named[..path + colon], Some(&named[path + colon + 1..])),
            None => (named, None),
        };
        let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(Arc::from);
        Self { repository: repository.into(), tag: some(tag), digest: some(digest) }
    }

    /// The repository in the one form that compares: `docker.io/library/nginx` and `nginx` are the same place.
    pub fn canonical_repository(&self) -> &str {
        canonical_repository(&self.repository)
    }
}

/// A repository without the parts that Docker Hub lets people leave out.
pub fn canonical_repository(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").or_else(|| repository.strip_prefix("index.docker.io/")).unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// One port of a container, published or only exposed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// The address on the host; `None` when it is exposed but not published.
    pub address: Option<Arc<str>>,
    /// The port on the host; `None` when it is exposed but not published.
    pub public: Option<u16>,
    /// The port in the container.
    pub private: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: Arc<str>,
}

/// What only a witness knows, because engines tell no past: the newest moment of each kind, `None` until seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// When the engine was last seen waiting before it starts the container again by policy; by our clock.
    pub restarting: Option<DateTime<Utc>>,
    /// When the kernel last ended a process of it for lack of memory; forgotten when somebody asks it to end.
    pub oom: Option<DateTime<Utc>>,
    /// When its HEALTHCHECK came to the verdict that holds.
    pub health: Option<DateTime<Utc>>,
}

/// A container as the fleet knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Where it lives and its id there.
    pub key: ContainerKey,
    /// Its name without the leading slash.
    pub name: Arc<str>,
    /// The image as the container was told to use it.
    pub image: ImageRef,
    /// The bits that really run.
    pub image_id: ImageId,
    /// The `sha256:…` manifest digest of `image_id` in `image.repository`, once the engine's images are known; `None` for an
    /// image that was never pushed or pulled.
    pub digest: Option<Arc<str>>,
    /// Labels of container and image together, cleaned.
    pub labels: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// What its main process does.
    pub state: ContainerState,
    /// What its HEALTHCHECK says.
    pub health: Health,
    /// The main process's last exit code; `None` while it runs or where not known.
    pub exit_code: Option<i64>,
    /// Whether the kernel's out-of-memory killer ended it; `None` until inspected.
    pub oom_killed: Option<bool>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When its main process was last started; `None` until known.
    pub started: Option<DateTime<Utc>>,
    /// When its main process last ended; `None` while it runs or until known.
    pub finished: Option<DateTime<Utc>>,
    /// How often the engine restarted it by policy; `None` until inspected.
    pub restarts: Option<u64>,
    /// How many processors it may use at most; `None`: all there are, or not yet inspected.
    pub cpu_limit: Option<f64>,
    /// Its ports, published ones first.
    pub ports: Vec<Port>,
    /// Its command line, cleaned.
    pub command: Arc<str>,
    /// Moments of the last unexpected ends (`die` without a person's stop), newest last, at most 8: what crash-looping is told by.
    pub deaths: Vec<DateTime<Utc>>,
    /// When a person (or a program) last asked its main process to end, by the engine's clock; `None` after the next start. An end that
    /// was asked for is no trouble, whatever its exit code.
    pub stop_asked: Option<DateTime<Utc>>,
    /// What was seen happening to it.
    pub witness: Witness,
    /// When the engine last confirmed this row.
    pub seen: DateTime<Utc>,
    /// Which app, service and environment it belongs to; derived by [`Fleet::apply`](super::Fleet::apply).
    pub identity: Identity,
    /// Its version; derived by [`Fleet::apply`](super::Fleet::apply).
    pub version: Version,
}

impl Container {
    /// A container of which nothing but its name is known; its identity and version are for who knows the rules.
    pub(super) fn named(key: ContainerKey, name: &Arc<str>, image: ImageRef, created: DateTime<Utc>) -> Self {
        let service = ServiceKey { app: None, service: ServiceName::new(name) };
        let image_id = ImageId::new("");
        Self {
            key,
            name: Arc::clone(name),
            version: version::derive(&BTreeMap::new(), &image, None, &image_id),
            image,
            image_id,
            digest: None,
            labels: Arc::default(),
            state: ContainerState::Unknown,
            health: Health::None,
            exit_code: None,
            oom_killed: None,
            created,
            started: None,
            finished: None,
            restarts: None,
            cpu_limit: None,
            ports: Vec::new(),
            command: "".into(),
            deaths: Vec::new(),
            stop_asked: None,
            witness: Witness::default(),
            seen: created,
            identity: Identity { service, environment: None, origin: IdentityOrigin::Name },
        }
    }

    /// A container as far as one of its events tells it: name, image, labels and the version that these tell.
    pub(super) fn told_by(event: &EngineEvent, image: ImageRef) -> Self {
        let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
        let named = Self::named(key, &event.name, image, event.at);
        let version = version::derive(&event.labels, &named.image, None, &named.image_id);
        Self { labels: event.labels.clone(), version, ..named }
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(|value| &**value)
    }

    /// Whether it runs a version: its main process lives, is frozen, or is about to be started again by policy.
    pub fn is_running(&self) -> bool {
        match self.state {
            ContainerState::Running | ContainerState::Paused | ContainerState::Restarting => true,
            ContainerState::Created
            | ContainerState::Removing
            | ContainerState::Exited
            | ContainerState::Dead
            | ContainerState::Unknown => false,
        }
    }

    /// Since when its main process lives; `None` while it does not, also between two restarts.
    pub fn up_since(&self) -> Option<DateTime<Utc>> {
        self.started.filter(|_| matches!(self.state, ContainerState::Running | ContainerState::Paused))
    }

    /// Whether a deployment keeps it for a fast way back: one of ours, renamed `…-kept`. No drift and no trouble.
    pub fn is_kept(&self) -> bool {
        self.name.ends_with("-kept") && self.labels.keys().any(|key| key.starts_with("quarterdeck."))
    }

    /// Whether its last end was one that nobody asked for, as far as we saw it happen. An inspect and the event of one end differ by
    /// moments, so near is enough.
    pub fn ended_by_itself(&self) -> bool {
        match (self.deaths.last(), self.finished) {
            (Some(death), Some(finished)) => (*death - finished).abs() <= TimeDelta::seconds(2),
            (Some(_) | None, _) => false,
        }
    }

    /// How many containers of its service should run in its environment, where a label says it; engines do not.
    pub fn wanted(&self) -> Option<u32> {
        self.label("quarterdeck.wanted").and_then(|text| text.parse().ok())
    }

    /// Whether it is a `docker compose run`: a passing act, no part of its service.
    pub fn is_oneoff(&self) -> bool {
        self.label("com.docker.compose.oneoff").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let id = format!("sha256:{}", "ab".repeat(32));
        let cases = [
            ("nginx", "nginx", None, None),
            ("nginx:1.25", "nginx", Some("1.25"), None),
            ("registry.internal:5000/shop/web", "registry.internal:5000/shop/web", None, None),
            ("registry.internal:5000/shop/web:1.0", "registry.internal:5000/shop/web", Some("1.0"), None),
            ("shop/web:1@sha256:aa", "shop/web", Some("1"), Some("sha256:aa")),
            ("shop/web@sha256:aa", "shop/web", None, Some("sha256:aa")),
            (id.as_str(), "", None, None),
            ("", "", None, None),
            ("x:", "x", None, None),
        ];
        for (text, repository, tag, digest) in cases {
            let image = ImageRef::parse(text);
            assert_eq!((&*image.repository, image.tag.as_deref(), image.digest.as_deref()), (repository, tag, digest), "{text}");
        }
        assert_eq!(ImageRef::parse("docker.io/library/nginx:1").canonical_repository(), "nginx");
    }

    proptest::proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(text in "[a-z0-9:/@._-]{0,40}") {
            let image = ImageRef::parse(&text);
            proptest::prop_assert_eq!(ImageRef::parse(&image.to_string()), image);
        }
    }
}
