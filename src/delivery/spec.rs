//! What an app is made of, and what of it an environment runs: plain data, the same in the ledger, in a plan and on the wire.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::fleet::{AppName, EnvironmentId, HostId, ServiceName};

/// An app as its template said at one commit. It never changes afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spec {
    /// The product.
    pub app: AppName,
    /// `registry.internal:5000`: images are `<registry>/<app>/<image>:<version>`.
    pub registry: Arc<str>,
    /// What is built.
    pub images: IndexMap<Arc<str>, ImageSpec>,
    /// What runs for ever.
    pub services: IndexMap<ServiceName, ServiceSpec>,
    /// What runs once in a deployment.
    pub jobs: IndexMap<Arc<str>, JobSpec>,
}

/// One image that we build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageSpec {
    /// The directory sent to the builder, from the template's own directory.
    pub context: Arc<str>,
    /// From the template's directory; `None`: looked for (context, `docker/`, the central repository).
    pub dockerfile: Option<Arc<str>>,
    /// Globs from the repository's root: nothing else makes the image another one. Empty: the context.
    pub paths: Vec<Arc<str>>,
    /// Build arguments.
    pub args: BTreeMap<Arc<str>, Arc<str>>,
    /// A stage built first; its failure stops the build.
    pub test_target: Option<Arc<str>>,
    /// Runs in the finished image before the push.
    pub test: Option<Vec<Arc<str>>>,
    /// Runs outside of the image before the context is sent.
    pub prepare: Option<Prepare>,
}

/// A command in an image of its own whose output becomes a part of the context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prepare {
    /// The image it runs in.
    pub image: Arc<str>,
    /// The command.
    pub run: Vec<Arc<str>>,
    /// The directory that it leaves behind, from the context.
    pub out: Arc<str>,
}

/// Where a service's image comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// One of [`Spec::images`].
    Built(Arc<str>),
    /// `postgres:15.4`: changes only when somebody names it.
    Outside(Arc<str>),
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceSpec {
    /// What it runs.
    pub image: ImageSource,
    /// `None`: the image's own.
    pub command: Option<Vec<Arc<str>>>,
    /// What it publishes.
    pub ports: Vec<PortSpec>,
    /// Its variables, without secrets.
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// Names only; the values' sources are in the configuration.
    pub secrets: Vec<SecretUse>,
    /// What it keeps.
    pub volumes: Vec<VolumeSpec>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Cores.
    pub cpus: Option<f64>,
    /// What the engine does when it ends.
    pub restart: Restart,
    /// Started and healthy before it.
    pub needs: Vec<ServiceName>,
    /// Finer order: lower first, equal together.
    pub start: i32,
    /// Containers on each of its hosts.
    pub per_host: u16,
    /// How it is known to serve; `None`: the image's HEALTHCHECK, else its first port.
    pub health: Option<Health>,
    /// From asking it to end to ending it.
    #[serde(with = "millis")]
    pub stop: Duration,
    /// What the engine keeps of its log.
    pub logs: Option<LogLimits>,
    /// Which balancer sends it requests.
    pub traffic: Option<Traffic>,
}

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PortSpec {
    /// Inside.
    pub container: u16,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// Outside; `None`: one of ours from the configured range.
    pub host: Option<u16>,
    /// `None`: the host's address in the configuration.
    pub address: Option<IpAddr>,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `80` or `80/tcp`.
    #[default]
    Tcp,
    /// `53/udp`.
    Udp,
}

/// A secret by name, and how it reaches the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretUse {
    /// As in `[secrets.APP.ENVIRONMENT]`.
    pub name: Arc<str>,
    /// How.
    #[serde(default)]
    pub deliver: Deliver,
}

/// How a secret reaches a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deliver {
    /// As a variable: `docker inspect` shows it to whoever may ask the engine.
    #[default]
    Variable,
    /// As `/run/secrets/<name>`, put in before the start.
    File,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeSpec {
    /// What.
    pub source: VolumeSource,
    /// Where inside.
    pub target: Arc<str>,
    /// Whether it is only read; if not, only one container at a time may have it.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeSource {
    /// The volume `<app>-<environment>-<name>`, ours.
    Own(Arc<str>),
    /// A volume that exists under this name.
    External(Arc<str>),
    /// A directory of the host.
    Host(Arc<str>),
}

/// The engine's restart policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// After every end.
    #[default]
    Always,
    /// After every end but one that somebody asked for.
    UnlessStopped,
    /// When it ended with an error.
    OnFailure,
}

/// A probe and its clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// From one question to the next.
    #[serde(with = "millis")]
    pub interval: Duration,
    /// Good answers in a row that make it healthy.
    pub rise: u16,
    /// The gate's whole deadline.
    #[serde(with = "millis")]
    pub timeout: Duration,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A path that answers 200 to 399.
    Http {
        /// With its leading slash.
        path: Arc<str>,
        /// Inside the container; `None`: its first port.
        port: Option<u16>,
    },
    /// A port that takes connections.
    Tcp {
        /// Inside the container; `None`: its first port.
        port: Option<u16>,
    },
    /// A command inside that ends with 0.
    Command(Vec<Arc<str>>),
    /// A line of its log that matches this regular expression.
    Log(Arc<str>),
}

/// What the engine keeps of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogLimits {
    /// `10m`, as the engine's driver takes it.
    pub max_size: Option<Arc<str>>,
    /// Files.
    pub max_file: Option<u32>,
}

/// Which balancer sends a service requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Traffic {
    /// As in `[lb.NAME]`.
    pub lb: Arc<str>,
    /// The balancer's own name for the group.
    pub backend: Arc<str>,
    /// Inside the container.
    pub port: u16,
}

/// What runs once in a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobSpec {
    /// What it runs.
    pub image: ImageSource,
    /// `None`: the image's own.
    pub command: Option<Vec<Arc<str>>>,
    /// As for a service.
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// As for a service.
    pub secrets: Vec<SecretUse>,
    /// Healthy before it.
    pub needs: Vec<ServiceName>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Its whole time.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// At which point of the deployment.
    pub when: JobTime,
    /// Whether rolling back past it cannot undo it.
    pub one_way: bool,
}

/// When a job runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobTime {
    /// After its `needs`, before any other service changes.
    #[default]
    Before,
    /// After everything.
    After,
    /// When the deployment failed.
    Failed,
}

/// What one environment adds to a spec: its variables and its overrides, which are a part of the release.
///
/// `ConfigHash` of its canonical JSON names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revision {
    /// For every service.
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// For one service; sorted, so that the same settings are the same text.
    pub services: BTreeMap<ServiceName, ServicePatch>,
}

/// What an environment says anew of one service; `None`: as the spec says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ServicePatch {
    /// Added to the service's, and stronger.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SecretUse>>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<Arc<str>>>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<PortSpec>>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<VolumeSpec>>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_host: Option<u16>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none", with = "maybe_millis")]
    pub stop: Option<Duration>,
    /// In place of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<LogLimits>,
}

/// How releases get into one environment: today's word, whichever release it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Where its services run.
    pub hosts: Vec<HostId>,
    /// Where single services run instead.
    pub service_hosts: IndexMap<ServiceName, Vec<HostId>>,
    /// Where single services get their requests from instead; `None`: from nowhere.
    pub service_traffic: IndexMap<ServiceName, Option<Traffic>>,
    /// Whether `pipeline` deploys here by itself.
    pub auto: bool,
    /// Takes only builds that are good there.
    pub after: Option<EnvironmentId>,
    /// Confirmations by someone other than who asked.
    pub approve: u32,
    /// How the change goes over the hosts.
    pub strategy: StrategySpec,
    /// The last word on a deployment.
    pub verify: Option<Verify>,
}

/// A strategy with its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StrategySpec {
    /// Which.
    pub kind: StrategyKind,
    /// Who comes first on a host; `None`: what the service allows.
    pub order: Option<Order>,
    /// How long the new ones must stay well.
    #[serde(with = "millis")]
    pub bake: Duration,
    /// Failures that are borne before the deployment counts as failed.
    pub max_failures: u32,
    /// How long the old ones stay running behind the switch.
    #[serde(with = "millis")]
    pub keep_warm: Duration,
    /// How much is taken back when it fails.
    pub on_failure: OnFailure,
}

/// The kinds of strategies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum StrategyKind {
    /// All at once, old ones first down.
    Recreate,
    /// Some hosts at a time.
    Rolling {
        /// How many at a time.
        batch: Batch,
        /// Between two batches.
        #[serde(with = "millis")]
        pause: Duration,
    },
    /// All new ones beside all old ones, then one switch.
    BlueGreen {
        /// What stands side by side.
        by: BlueGreenBy,
    },
    /// A growing part of the requests.
    Canary {
        /// Part by part.
        steps: Vec<CanaryStep>,
        /// When the new ones are worse.
        compare: Compare,
        /// What happens after the last step.
        then: CanaryThen,
    },
}

/// A batch of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batch {
    /// So many.
    Count(u16),
    /// So many of a hundred, at least one.
    Percent(u8),
}

/// What stands side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlueGreenBy {
    /// Old and new on the same hosts.
    #[default]
    Colour,
    /// Old and new on different hosts.
    Host,
}

/// One step of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CanaryStep {
    /// Of a hundred requests.
    pub weight: u8,
    /// How long.
    #[serde(with = "millis")]
    pub bake: Duration,
}

/// When a canary is worse than the old ones: the new ones' figure over the old ones'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compare {
    /// Share of failed requests.
    pub errors: f64,
    /// Average time of an answer.
    pub latency: f64,
    /// Fewer than these say nothing: it waits.
    pub min_requests: u64,
}

/// What follows a canary's last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryThen {
    /// The rest.
    #[default]
    Auto,
    /// A person's word.
    Approve,
}

/// Which of old and new comes first on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// New beside old.
    StartFirst,
    /// Old down, then new up.
    StopFirst,
}

/// How much is taken back when a deployment fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Everything.
    #[default]
    Deployment,
    /// What the failing batch changed.
    Batch,
    /// What the failing host changed.
    Host,
    /// Nothing: it waits for a person.
    Park,
}

/// The last word on a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// A page of a service, once per new instance.
    Http {
        /// Of which service.
        service: ServiceName,
        /// With its leading slash.
        path: Arc<str>,
        /// What must stand in the answer.
        contains: Option<Arc<str>>,
        /// Its whole time.
        #[serde(with = "millis")]
        timeout: Duration,
    },
    /// A command in a throw-away container on the app's network of the first host.
    Command {
        /// The command.
        command: Vec<Arc<str>>,
        /// What it runs in; `None`: the first image of the spec.
        image: Option<ImageSource>,
        /// Its whole time.
        #[serde(with = "millis")]
        timeout: Duration,
    },
}

/// What one environment is to run: a spec with a revision put over it, and today's word on where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rendered {
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// Names the revision.
    pub config: ConfigHash,
    /// In the order of their start: `needs`, then `start`, then as written.
    pub services: IndexMap<ServiceName, RenderedService>,
    /// As written.
    pub jobs: IndexMap<Arc<str>, JobSpec>,
}

/// One service as one environment runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RenderedService {
    /// Everything of it, overrides included.
    pub spec: ServiceSpec,
    /// Where.
    pub hosts: Vec<HostId>,
}

/// The SHA-256 of a [`Revision`]'s canonical JSON, in hexadecimal digits. Screens show the first eight.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigHash(Arc<str>);

impl ConfigHash {
    /// Takes all 64 digits, or the eight that a label or a person told.
    pub fn new(digits: impl AsRef<str>) -> Self {
        Self(Arc::from(digits.as_ref()))
    }

    /// Everything known of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.short())
    }
}

impl fmt::Debug for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.short())
    }
}

/// Durations as whole milliseconds: the same text for the same time, whoever writes it.
pub(super) mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// [`millis`] where there may be none.
mod maybe_millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::millis::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(deserializer).map(|millis| millis.map(Duration::from_millis))
    }
}
