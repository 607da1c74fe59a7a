//! What runs now, as the hosts tell it: containers of one app in one environment, and what stands in the way of new ones.
//!
//! Read from plain container lists, so that it comes from engines and from tests alike. A container is ours by its labels; a name of
//! ours on a container with other labels is never used, only told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    release::{DeploymentId, KEPT, Names, ReleaseId, label, used_name},
    seal::{self, Seals},
    spec::{Health, Protocol, Restart},
};
use crate::fleet::{self, ContainerId, ContainerState, ContainerSummary, HostId, ImageFact, ServiceName};

/// All hosts that an environment has or had something on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Observed {
    /// By name: locks are taken in this order.
    pub hosts: BTreeMap<HostId, Sight>,
    /// Hosts that a deployment went on without.
    pub owed: BTreeSet<HostId>,
    /// Hosts on which the last deployment failed.
    pub failed: BTreeSet<HostId>,
}

/// What is known of one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "one for each host of an environment; nearly all are seen")]
pub enum Sight {
    /// It answered.
    Seen(HostView),
    /// It did not, and why.
    Lost(Arc<str>),
}

/// What one host has of an app in an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostView {
    /// Where its published ports are reached; `None`: nowhere from outside.
    pub address: Option<IpAddr>,
    /// Our containers, kept ones too.
    pub instances: Vec<Instance>,
    /// Ports that somebody has or will want again, ours included.
    pub ports: Vec<TakenPort>,
    /// References by digest or tag of the images that are there.
    pub images: BTreeSet<Arc<str>>,
    /// Who holds the lock.
    pub lock: Option<Mark>,
    /// Who froze it.
    pub freeze: Option<Mark>,
    /// Names in our form on containers that are not ours.
    pub foreign: BTreeSet<Arc<str>>,
}

/// One of our containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Instance {
    /// On its host.
    pub id: ContainerId,
    /// As it is now: a kept one's ends with `-kept`.
    pub name: Arc<str>,
    /// The part of the app.
    pub service: ServiceName,
    /// Which of its host, from 1.
    pub n: u16,
    /// What made it.
    pub deployment: Option<DeploymentId>,
    /// What it runs.
    pub release: Option<ReleaseId>,
    /// The reference it was made with.
    pub image: Arc<str>,
    /// What it was made from.
    pub made: Made,
    /// Hashes of the secrets that it was given.
    #[serde(default, skip_serializing_if = "Seals::is_empty")]
    pub sealed: Seals,
    /// What it publishes when it runs.
    pub ports: Vec<BoundPort>,
    /// Its restart policy while it is in use.
    pub restart: Restart,
    /// Its own probe.
    pub health: Option<Health>,
    /// The volumes that it writes to.
    pub volumes: Vec<Arc<str>>,
    /// What it does.
    pub state: ContainerState,
    /// Whether its name says that it waits for a way back.
    pub kept: bool,
}

impl Instance {
    /// Whether it serves now, as far as a list can tell.
    pub fn is_up(&self) -> bool {
        !self.kept && matches!(self.state, ContainerState::Running)
    }

    /// The host's port for one of its own.
    pub fn port(&self, container: u16, protocol: Protocol) -> Option<u16> {
        self.ports.iter().find(|port| port.container == container && port.protocol == protocol).map(|port| port.host)
    }
}

/// A port of the host and who has it, now or when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TakenPort {
    /// What it carries.
    pub protocol: Protocol,
    /// Outside.
    pub port: u16,
    /// The container.
    pub by: ContainerId,
}

/// A lock or a freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// The fencing token.
    pub id: ContainerId,
    /// A person at a place.
    pub holder: Arc<str>,
    /// RFC 3339.
    pub since: Arc<str>,
    /// A freeze's reason.
    pub reason: Option<Arc<str>>,
    /// A lock's run.
    pub deployment: Option<DeploymentId>,
}

/// A port inside and where it is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BoundPort {
    /// Inside.
    pub container: u16,
    /// What it carries.
    pub protocol: Protocol,
    /// Outside.
    pub host: u16,
}

/// `80/tcp=20001,53/udp=20002`.
pub fn ports_text(ports: &[BoundPort]) -> String {
    let one = |port: &BoundPort| format!("{}/{}={}", port.container, word(port.protocol), port.host);
    ports.iter().map(one).collect::<Vec<_>>().join(",")
}

/// The other way round; what is no port is left out.
pub fn bound_ports(text: &str) -> Vec<BoundPort> {
    let one = |text: &str| {
        let (inside, host) = text.split_once('=')?;
        let (container, protocol) = inside.split_once('/')?;
        Some(BoundPort { container: container.parse().ok()?, protocol: protocol_of(protocol)?, host: host.parse().ok()? })
    };
    text.split(',').filter_map(one).collect()
}

/// The engine's word for a protocol.
pub fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn protocol_of(word: &str) -> Option<Protocol> {
    match word {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// The engine's word for a restart policy.
pub fn restart_word(restart: Restart) -> &'static str {
    match restart {
        Restart::No => "no",
        Restart::Always => "always",
        Restart::UnlessStopped => "unless-stopped",
        Restart::OnFailure => "on-failure",
    }
}

fn restart_of(word: &str) -> Option<Restart> {
    [Restart::No, Restart::Always, Restart::UnlessStopped, Restart::OnFailure].into_iter().find(|restart| restart_word(*restart) == word)
}

/// What a container is made from, piece by piece: a difference in any makes it another container, and the reason is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The bits.
    Image,
    /// What is run of them.
    Command,
    /// Values without secrets.
    Variables,
    /// Secrets by name and way of delivery; not their values.
    Secrets,
    /// What is published, but not the ports that we choose.
    Ports,
    /// What is mounted.
    Volumes,
    /// Memory and processors.
    Limits,
    /// The engine's restart policy.
    Restart,
    /// The time to end.
    Stop,
    /// What is kept of its log.
    Logs,
}

impl Aspect {
    /// All, in the order in which reasons are told.
    pub const ALL: [Self; 10] = [
        Self::Image,
        Self::Command,
        Self::Variables,
        Self::Secrets,
        Self::Ports,
        Self::Volumes,
        Self::Limits,
        Self::Restart,
        Self::Stop,
        Self::Logs,
    ];

    /// As plans say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Command => "command",
            Self::Variables => "variables",
            Self::Secrets => "secrets",
            Self::Ports => "ports",
            Self::Volumes => "volumes",
            Self::Limits => "limits",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Logs => "logs",
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A digest for each aspect, in the label [`label::MADE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Made(pub BTreeMap<Aspect, Arc<str>>);

impl Made {
    /// What differs; everything, when the other was not made by us or by an older program.
    pub fn differs(&self, other: &Self) -> Vec<Aspect> {
        Aspect::ALL.into_iter().filter(|aspect| self.0.get(aspect) != other.0.get(aspect)).collect()
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (aspect, digest)) in self.0.iter().enumerate() {
            write!(f, "{}{aspect}={digest}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Made {
    type Err = std::convert::Infallible;

    /// Words of a newer program are left out: what they say then differs, which is the safe side.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let one = |text: &str| {
            let (word, digest) = text.split_once('=')?;
            Some((Aspect::ALL.into_iter().find(|aspect| aspect.word() == word)?, Arc::from(digest)))
        };
        Ok(Self(text.split(',').filter_map(one).collect()))
    }
}

impl HostView {
    /// Sorts out what a host tells.
    pub fn read(names: Names<'_>, address: Option<IpAddr>, containers: &[ContainerSummary], images: &[ImageFact]) -> Self {
        let mut view = Self { address, ..Self::default() };
        view.images.extend(images.iter().flat_map(|image| image.repo_digests.iter().chain(&image.repo_tags)).cloned());
        let (lock, freeze, ours) = (names.lock(), names.freeze(), format!("{}-", names.network()));
        for container in containers {
            let label = |key: &str| container.labels.get(key).cloned();
            let bound = label(label::PORTS).map(|text| bound_ports(&text)).unwrap_or_default();
            let taken = container.ports.iter().filter_map(published).chain(bound.iter().map(|port| (port.protocol, port.host)));
            view.ports.extend(taken.map(|(protocol, port)| TakenPort { protocol, port, by: container.id.clone() }));
            let belongs = label(label::APP).as_deref() == Some(names.app.as_str())
                && label(label::ENVIRONMENT).as_deref() == Some(names.environment.as_str());
            let kind = label(label::KIND);
            match kind.as_deref() {
                Some("lock") if belongs && container.name == lock => view.lock = Some(mark(container)),
                Some("freeze") if belongs && container.name == freeze => view.freeze = Some(mark(container)),
                None if belongs => match instance(container, bound) {
                    Some(instance) => view.instances.push(instance),
                    None => drop(view.foreign.insert(Arc::clone(&container.name))),
                },
                // A job's container, or another program's.
                Some(_) if belongs => {}
                Some(_) | None if container.name.starts_with(&ours) || container.name == lock || container.name == freeze => {
                    view.foreign.insert(Arc::clone(&container.name));
                }
                Some(_) | None => {}
            }
        }
        view.instances.sort_by(|a, b| (&a.service, a.n, a.kept, &a.name).cmp(&(&b.service, b.n, b.kept, &b.name)));
        view
    }

    /// A service's containers that are in use.
    pub fn in_use<'a>(&'a self, service: &'a ServiceName) -> impl Iterator<Item = &'a Instance> + 'a {
        self.instances.iter().filter(move |instance| !instance.kept && instance.service == *service)
    }
}

fn published(port: &fleet::Port) -> Option<(Protocol, u16)> {
    Some((protocol_of(&port.protocol)?, port.public?))
}

fn instance(container: &ContainerSummary, ports: Vec<BoundPort>) -> Option<Instance> {
    let label = |key: &str| container.labels.get(key).map(|value| &**value);
    let kept = container.name.ends_with(KEPT);
    Some(Instance {
        id: container.id.clone(),
        name: Arc::clone(&container.name),
        service: ServiceName::new(label(label::SERVICE)?),
        n: label(label::N)?.parse().ok()?,
        deployment: label(label::DEPLOYMENT).and_then(|text| text.parse().ok()),
        release: label(label::RELEASE).and_then(|text| text.parse().ok()),
        image: container.image.to_string().into(),
        // An unreadable label differs from everything: the container is replaced, which mends it.
        made: label(label::MADE).map(|text| text.parse().unwrap_or_else(|never| match never {})).unwrap_or_default(),
        sealed: label(label::SEALED).map(seal::parse).unwrap_or_default(),
        ports,
        restart: label(label::RESTART).and_then(restart_of).unwrap_or_default(),
        volumes: label(label::VOLUMES).map(|text| text.split(',').map(Arc::from).collect()).unwrap_or_default(),
        health: label(label::HEALTH).and_then(|text| serde_json::from_str(text).ok()),
        state: container.state,
        kept,
    })
}

fn mark(container: &ContainerSummary) -> Mark {
    let label = |key: &str| container.labels.get(key).cloned();
    Mark {
        id: container.id.clone(),
        holder: label(label::HOLDER).unwrap_or_else(|| "someone".into()),
        since: label(label::AT).unwrap_or_default(),
        reason: label(label::REASON),
        deployment: label(label::DEPLOYMENT).and_then(|text| text.parse().ok()),
    }
}

/// The name a container of ours has while it is in use.
pub fn home_name(instance: &Instance) -> Arc<str> {
    used_name(&instance.name).into()
}
