//! What a setting is about, in words and as a key. Pure.

use std::fmt;

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Which image.
    Image,
    /// What it runs.
    Command,
    /// Its variables, one by one.
    Variables,
    /// Its secrets, one by one; never a value.
    Secrets,
    /// What it publishes.
    Ports,
    /// What it mounts.
    Volumes,
    /// Its limit in bytes.
    Memory,
    /// Its limit in cores.
    Cpus,
    /// What the engine does when it ends.
    Restart,
    /// How it is known to serve.
    Health,
    /// How long it may take to end.
    Stop,
    /// What is kept of its log.
    Logs,
    /// Containers on each host.
    PerHost,
    /// What is started before it.
    Needs,
    /// The finer order.
    Start,
    /// Which balancer sends it requests.
    Traffic,
    /// Where it runs.
    Hosts,
    /// Which point of the deployment, for a job.
    When,
    /// Its whole time, for a job.
    Timeout,
    /// Whether it can be undone, for a job.
    OneWay,
}

impl Part {
    /// As a person calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Command => "command",
            Self::Variables => "variables",
            Self::Secrets => "secrets",
            Self::Ports => "ports",
            Self::Volumes => "volumes",
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Restart => "restart policy",
            Self::Health => "health",
            Self::Stop => "stop time",
            Self::Logs => "log limits",
            Self::PerHost => "containers per host",
            Self::Needs => "needs",
            Self::Start => "start order",
            Self::Traffic => "traffic",
            Self::Hosts => "hosts",
            Self::When => "time of the job",
            Self::Timeout => "timeout",
            Self::OneWay => "one-way",
        }
    }

    /// The key in the template; variables and secrets have one more part, their name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Command => "command",
            Self::Variables => "vars",
            Self::Secrets => "secrets",
            Self::Ports => "ports",
            Self::Volumes => "volumes",
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Restart => "restart",
            Self::Health => "health",
            Self::Stop => "stop",
            Self::Logs => "logs",
            Self::PerHost => "per-host",
            Self::Needs => "needs",
            Self::Start => "start",
            Self::Traffic => "traffic",
            Self::Hosts => "hosts",
            Self::When => "when",
            Self::Timeout => "timeout",
            Self::OneWay => "one-way",
        }
    }

    /// Whether a container has it from its birth: a change takes a new one. The rest is ours to do differently from now on.
    pub fn is_inborn(self) -> bool {
        match self {
            Self::Image
            | Self::Command
            | Self::Variables
            | Self::Secrets
            | Self::Ports
            | Self::Volumes
            | Self::Memory
            | Self::Cpus
            | Self::Restart
            | Self::Logs => true,
            Self::Health
            | Self::Stop
            | Self::PerHost
            | Self::Needs
            | Self::Start
            | Self::Traffic
            | Self::Hosts
            | Self::When
            | Self::Timeout
            | Self::OneWay => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
