//! What a simulated fleet consists of and what happens to it: the TOML format and its checks.
//!
//! Owns the shapes of the file. `load` reads and checks, `cast` turns a scenario into hosts and containers.

pub mod cast;
mod check;
mod load;
mod names;
mod scale;
mod units;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub use load::{EMBEDDED, ScenarioError};
pub use names::{Pattern, glob};
pub use scale::Overrides;
pub use units::{Size, Span};

/// A fleet and its timeline. Made by [`Scenario::open`] or [`Scenario::parse`], which also check it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scenario {
    /// One sentence for people: what this scenario is for.
    pub about: String,
    /// Everything that looks random follows from this number.
    #[serde(default = "one")]
    pub seed: u64,
    /// Groups of hosts.
    pub hosts: Vec<HostGroup>,
    /// What runs on them.
    pub services: Vec<Service>,
    /// Single places that run other bits than the rest.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// Single places that are not well from the beginning.
    #[serde(default)]
    pub trouble: Vec<Trouble>,
    /// What goes wrong while it runs.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Steady change all over the fleet.
    pub churn: Option<Churn>,
    /// Every host runs exactly so many containers, by repeating or leaving out replicas; without it, what `services` says.
    pub containers_per_host: Option<u32>,
}

/// Hosts that differ in their number only.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HostGroup {
    /// `db-01`, or many: `app-[01-12]`.
    pub name: Spanned<Pattern>,
    /// The environment that its services belong to.
    pub environment: String,
    /// Where its published ports would be reached; a pattern counts on: `10.0.0.[11-22]`.
    pub address: Option<Spanned<Pattern>>,
    /// The engine's version.
    #[serde(default = "engine_version")]
    pub engine: String,
    /// The newest API version the engine speaks.
    #[serde(default = "engine_api")]
    pub api: String,
    /// Processors of the machine.
    #[serde(default = "four")]
    pub cpus: u32,
    /// Memory of the machine.
    #[serde(default = "memory")]
    pub memory: Size,
    /// The engine answers lists with bytes that are not UTF-8, which a real one never does: each U+F8FF becomes `0xff`.
    #[serde(default)]
    pub broken_utf8: bool,
}

/// One part of an app, on every host that `on` names.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// The product it belongs to.
    pub app: String,
    /// Its own name; `app/service` names it in the rest of the file.
    pub service: Spanned<String>,
    /// The repository of its image, without a tag.
    pub image: String,
    /// The tag per environment; `"*"` stands for every other one. An environment without a tag does not run the service.
    pub versions: BTreeMap<String, String>,
    /// Globs of host names.
    #[serde(default = "everywhere")]
    pub on: Vec<Spanned<String>>,
    /// Containers per host.
    #[serde(default = "one_u32")]
    pub replicas: u32,
    /// Container names in place of `app-service-1`: the first replicas take these.
    #[serde(default)]
    pub names: Vec<String>,
    /// What started it, which decides its labels.
    #[serde(default)]
    pub kind: Kind,
    /// More labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The command line.
    #[serde(default = "command")]
    pub command: String,
    /// Published ports, as in the container; the host side follows from the container.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Whether it has a health check, and what that says first.
    #[serde(default)]
    pub health: Health,
    /// What the engine does when it ends.
    #[serde(default)]
    pub restart: Restart,
    /// What it does at the beginning.
    #[serde(default)]
    pub state: State,
    /// The exit code when `state` is `exited`, and of crashes.
    #[serde(default)]
    pub exit_code: i64,
    /// It ends by itself after this long, again and again.
    pub crash: Option<Span>,
    /// How long it has been up when the scenario starts.
    #[serde(default = "three_days")]
    pub up: Span,
    /// It has a terminal, so its log comes without frames.
    #[serde(default)]
    pub tty: bool,
    /// What it logs.
    #[serde(default)]
    pub log: Log,
    /// What it uses.
    #[serde(default)]
    pub load: Load,
}

/// What started a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Quarterdeck, with its labels.
    #[default]
    Quarterdeck,
    /// `docker compose`, with its labels.
    Compose,
    /// A person: no labels.
    Plain,
}

/// What a health check says at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// There is none.
    #[default]
    None,
    /// No verdict yet, for as long as nothing else happens.
    Starting,
    /// Passes.
    Healthy,
    /// Fails.
    Unhealthy,
}

/// A restart policy, in the engine's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// Always.
    Always,
    /// Unless a person stopped it.
    #[default]
    UnlessStopped,
    /// When the exit code is not 0.
    OnFailure,
}

/// What a container does at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Runs.
    #[default]
    Running,
    /// Has ended.
    Exited,
    /// Frozen.
    Paused,
    /// Never started.
    Created,
}

/// What a container logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Log {
    /// Lines per second.
    pub rate: f64,
    /// How a line looks.
    pub format: LogFormat,
    /// The part of lines that are errors, 0 to 1; they go to stderr.
    pub errors: f64,
    /// The part of lines that are warnings.
    pub warnings: f64,
    /// Texts that are logged in turn in place of the made-up ones.
    pub lines: Vec<String>,
    /// Every so many lines one of this many bytes comes, to meet the engine's 16 KiB frames; 0: never.
    pub long: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { rate: 0.5, format: LogFormat::Plain, errors: 0.01, warnings: 0.04, lines: Vec::new(), long: 0 }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// `INFO  order 8123 accepted`.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
    /// `level=info msg="…"`.
    Logfmt,
}

/// What a container uses.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Load {
    /// Cores, on average.
    pub cpu: f64,
    /// Resident memory, on average.
    pub memory: Size,
    /// The memory limit; none: the machine's memory.
    pub limit: Option<Size>,
    /// How far both swing around the average, 0 to 1.
    pub wave: f64,
}

impl Default for Load {
    fn default() -> Self {
        Self { cpu: 0.05, memory: Size(64 << 20), limit: None, wave: 0.3 }
    }
}

/// Other bits than the rest at one place: another version, or other bits under the same tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Drift {
    /// A glob of host names.
    pub host: Spanned<String>,
    /// `app/service`.
    pub service: Spanned<String>,
    /// The tag that runs there instead.
    pub version: Option<String>,
    /// Any text: other bits stand behind the same tag.
    pub bits: Option<String>,
    /// How long it has been up.
    pub up: Option<Span>,
}

/// What is not well at one place from the beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trouble {
    /// A glob of host names.
    pub host: Spanned<String>,
    /// `app/service`.
    pub service: Spanned<String>,
    /// Which replica; without it the first.
    #[serde(default = "one_u32")]
    pub replica: u32,
    /// Another health.
    pub health: Option<Health>,
    /// Another state.
    pub state: Option<State>,
    /// Another exit code.
    pub exit_code: Option<i64>,
    /// It ends by itself after this long, again and again.
    pub crash: Option<Span>,
    /// How long it has been up.
    pub up: Option<Span>,
}

/// Something that goes wrong at a moment of the timeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// When, from the start.
    #[serde(default)]
    pub at: Span,
    /// A glob of host names.
    pub host: Spanned<String>,
    /// What.
    pub kind: FaultKind,
    /// How long it lasts.
    #[serde(rename = "for", default = "ten_seconds")]
    pub lasts: Span,
    /// A glob of container names, for `die`, `oom`, `unhealthy` and `flap`.
    pub container: Option<Spanned<String>>,
    /// `slow`: how long each answer waits.
    #[serde(default = "one_second")]
    pub delay: Span,
    /// `event-flood`: how many events in all.
    #[serde(default = "thousand")]
    pub events: u32,
    /// `die`, `flap`: the exit code.
    #[serde(default = "one_i64")]
    pub exit_code: i64,
    /// `http-500`, `act-500`, `act-409`: the message; `garbage`: the bytes.
    pub text: Option<String>,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Connections stay open and silent, new ones are accepted and silent; afterwards the bytes flow on.
    Partition,
    /// Each answer waits.
    Slow,
    /// The engine restarts: connections closed, socket gone meanwhile, containers restarted by policy, event history lost.
    DaemonRestart,
    /// Many events in a short time.
    EventFlood,
    /// The engine is frozen, as by SIGSTOP: connections queue in the backlog and nothing is answered.
    Stop,
    /// Answers are bytes that are not HTTP, then the connection closes.
    Garbage,
    /// Answers break off in the middle.
    HalfChunk,
    /// Every request fails with status 500.
    #[serde(rename = "http-500")]
    Http500,
    /// Requests that change something are refused with status 409; they change nothing.
    #[serde(rename = "act-409")]
    Act409,
    /// Requests that change something fail with status 500; they change nothing.
    #[serde(rename = "act-500")]
    Act500,
    /// Requests that change something are carried out, and the answer never comes: it waits for the end of the fault, and is then an abort.
    ActHang,
    /// Containers end.
    Die,
    /// The kernel ends containers for their memory.
    Oom,
    /// Health checks fail.
    Unhealthy,
    /// Containers end and start every second.
    Flap,
}

impl FaultKind {
    /// Whether it happens to containers, not to the engine.
    pub fn hits_containers(self) -> bool {
        match self {
            Self::Die | Self::Oom | Self::Unhealthy | Self::Flap => true,
            Self::Partition
            | Self::Slow
            | Self::DaemonRestart
            | Self::EventFlood
            | Self::Stop
            | Self::Garbage
            | Self::HalfChunk
            | Self::Http500
            | Self::Act409
            | Self::Act500
            | Self::ActHang => false,
        }
    }
}

impl Fault {
    /// A fault for [`Simulation::inject`](crate::sim::Simulation::inject): now, on the hosts that the glob names, for ten seconds,
    /// with every other value at the file format's default.
    pub fn now(kind: FaultKind, host: &str) -> Self {
        Self {
            at: Span::default(),
            host: Spanned::new(0..0, host.to_owned()),
            kind,
            lasts: ten_seconds(),
            container: None,
            delay: one_second(),
            events: thousand(),
            exit_code: 1,
            text: None,
        }
    }

    /// The same fault, for this long.
    pub fn lasting(mut self, lasts: std::time::Duration) -> Self {
        self.lasts = Span(lasts);
        self
    }

    /// The same fault, on the containers that the glob names.
    pub fn container(mut self, glob: &str) -> Self {
        self.container = Some(Spanned::new(0..0, glob.to_owned()));
        self
    }
}

/// Steady change all over the fleet.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Churn {
    /// Events per second over all hosts.
    pub events_per_second: f64,
    /// What happens.
    #[serde(default)]
    pub kind: ChurnKind,
}

/// What steady change consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChurnKind {
    /// Containers are restarted one after the other, host by host.
    #[default]
    Restart,
    /// Commands run in containers, as health checks do.
    Exec,
}

fn one() -> u64 {
    1
}
fn one_u32() -> u32 {
    1
}
fn one_i64() -> i64 {
    1
}
fn four() -> u32 {
    4
}
fn thousand() -> u32 {
    1000
}
fn memory() -> Size {
    Size(16 << 30)
}
fn engine_version() -> String {
    "28.5.1".to_owned()
}
fn engine_api() -> String {
    "1.51".to_owned()
}
fn command() -> String {
    "/app/serve --port 80".to_owned()
}
fn everywhere() -> Vec<Spanned<String>> {
    vec![Spanned::new(0..0, "*".to_owned())]
}
fn three_days() -> Span {
    Span(std::time::Duration::from_secs(3 * 86_400 + 4 * 3600))
}
fn ten_seconds() -> Span {
    Span(std::time::Duration::from_secs(10))
}
fn one_second() -> Span {
    Span(std::time::Duration::from_secs(1))
}
