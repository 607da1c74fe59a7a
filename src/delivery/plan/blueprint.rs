//! Everything that a container is made from: plain data, the same in a plan, in a journal and before an engine.
//!
//! Secrets stand here by name only; their values are looked up when the container is made.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    delivery::{
        observed::{Aspect, BoundPort, Made, ports_text, restart_word},
        release::label,
        spec::{ImageSource, LogLimits, PortSpec, Protocol, Restart, SecretUse, ServiceSpec, VolumeSource, VolumeSpec, millis},
        steps::Subject,
    },
    fleet::ServiceName,
};

/// A container to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Blueprint {
    /// Unique on its host; it holds the deployment.
    pub name: Arc<str>,
    /// The service, or the job's name.
    pub service: ServiceName,
    /// Which of its host, from 1.
    pub n: u16,
    /// By digest where it is ours.
    pub image: Arc<str>,
    /// `None`: the image's own.
    pub command: Option<Vec<Arc<str>>>,
    /// Without secrets; addresses of what it needs included.
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// By name.
    pub secrets: Vec<SecretUse>,
    /// What it publishes.
    pub ports: Vec<Publish>,
    /// What it mounts.
    pub mounts: Vec<Mount>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Cores.
    pub cpus: Option<f64>,
    /// The engine's policy.
    pub restart: Restart,
    /// From asking it to end to ending it.
    #[serde(with = "millis")]
    pub stop: Duration,
    /// What the engine keeps of its log.
    pub logs: Option<LogLimits>,
    /// The network it is in.
    pub network: Arc<str>,
    /// Its name there; `None` for a job.
    pub alias: Option<Arc<str>>,
    /// What it says of itself.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// A port that is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Publish {
    /// Inside.
    pub container: u16,
    /// What it carries.
    pub protocol: Protocol,
    /// Outside.
    pub host: u16,
    /// Where; `None`: all interfaces.
    pub address: Option<IpAddr>,
    /// Whether we chose it: then the next one does as well when somebody took it meanwhile.
    pub ours: bool,
}

/// Something that is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mount {
    /// A volume's name, or a directory of the host.
    pub source: Arc<str>,
    /// Whose it is.
    pub kind: MountKind,
    /// Inside.
    pub target: Arc<str>,
    /// Whether it is only read.
    pub read_only: bool,
}

/// Whose a mount's source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A volume of ours.
    Own,
    /// A volume that must be there.
    External,
    /// A directory of the host that must be there.
    Host,
}

impl Blueprint {
    /// How steps speak of it.
    pub fn subject(&self) -> Subject {
        Subject { name: Arc::clone(&self.name), id: None }
    }

    /// Where each of its ports is outside.
    pub fn bound(&self) -> Vec<BoundPort> {
        let one = |port: &Publish| BoundPort { container: port.container, protocol: port.protocol, host: port.host };
        self.ports.iter().map(one).collect()
    }

    /// The same with another port of our choice outside; the label goes with it.
    pub fn moved(mut self, from: u16, protocol: Protocol, to: u16) -> Self {
        for port in self.ports.iter_mut().filter(|port| port.ours && port.host == from && port.protocol == protocol) {
            port.host = to;
        }
        self.tell_ports();
        self
    }

    /// Writes the label of the ports anew.
    pub fn tell_ports(&mut self) {
        if !self.ports.is_empty() {
            self.labels.insert(label::PORTS.into(), ports_text(&self.bound()).into());
        }
    }

    /// Digests of what it is made from. `source`, `ports` and `volumes` as the template has them: what we chose and what a tag
    /// meant on that day are no differences.
    pub fn made(&self, source: &ImageSource, spec: &ServiceSpec) -> Made {
        let image: &str = match source {
            ImageSource::Built(_) => &self.image,
            ImageSource::Outside(reference) => reference,
        };
        let digest = |aspect| match aspect {
            Aspect::Image => short(&image),
            Aspect::Command => short(&self.command),
            Aspect::Variables => short(&self.vars),
            Aspect::Secrets => short(&self.secrets),
            Aspect::Ports => short::<Vec<PortSpec>>(&spec.ports),
            Aspect::Volumes => short::<Vec<VolumeSpec>>(&spec.volumes),
            Aspect::Limits => short(&(self.memory, self.cpus)),
            Aspect::Restart => short(&restart_word(self.restart)),
            Aspect::Stop => short(&self.stop.as_millis().to_string()),
            Aspect::Logs => short(&self.logs),
        };
        Made(Aspect::ALL.into_iter().map(|aspect| (aspect, digest(aspect))).collect())
    }
}

impl Mount {
    /// A mount of the template; `own` gives the full name of one of our volumes.
    pub fn of(volume: &VolumeSpec, own: impl Fn(&str) -> Arc<str>) -> Self {
        let (source, kind) = match &volume.source {
            VolumeSource::Own(name) => (own(name), MountKind::Own),
            VolumeSource::External(name) => (Arc::clone(name), MountKind::External),
            VolumeSource::Host(path) => (Arc::clone(path), MountKind::Host),
        };
        Self { source, kind, target: Arc::clone(&volume.target), read_only: volume.read_only }
    }
}

/// Eight hexadecimal digits: enough to tell two states of one aspect of one container apart.
fn short<T: Serialize>(value: &T) -> Arc<str> {
    // Plain data with text as keys always has a JSON form; if it had none, the empty text would differ from every other.
    let text = serde_json::to_string(value).unwrap_or_default();
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest.iter().take(4).fold(String::with_capacity(8), |mut hex, byte| {
        // Writing into a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hex.into()
}
