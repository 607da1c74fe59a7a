//! A deployment as a list of small steps: plain data that a person can read, a journal can hold and another program can carry on with.
//!
//! Each step says after which others it may run; what is not ordered runs side by side. Each is idempotent, because whoever performs it
//! looks first, and each has an inverse, so that a list can be unwound from any point in the opposite order.

mod show;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    plan::Blueprint,
    spec::{Compare, Health, Probe, Restart, ServiceSpec, millis},
};
use crate::fleet::{ContainerId, HostId, ServiceName};

/// A step's place in its list, from 0: later ones only depend on earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Its place.
    pub id: StepId,
    /// Where; `None`: nowhere in particular.
    pub host: Option<HostId>,
    /// For which service.
    pub service: Option<ServiceName>,
    /// What fails together with it, where `on-failure` asks for that.
    pub batch: u32,
    /// How far the deployment is.
    pub phase: Phase,
    /// These come first.
    pub after: Vec<StepId>,
    /// What is done.
    pub act: Act,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing that serves has changed.
    Prepare,
    /// Containers change.
    Change,
    /// All is changed; it must show that it is well.
    Prove,
    /// It is good and nothing of this is undone any more; a failure here leaves something to tidy, no more.
    Clean,
}

/// A container: by its id where a plan could know it, else by its name, which holds the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Subject {
    /// The name that it has while it is in use.
    pub name: Arc<str>,
    /// `None` for one that the deployment itself makes.
    pub id: Option<ContainerId>,
}

impl Subject {
    /// Whether it is this one.
    pub fn is(&self, id: &ContainerId, name: &str) -> bool {
        self.id.as_ref().map_or(*self.name == *name, |own| own == id)
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Act {
    /// The image is on the host.
    Pull {
        /// By digest where it is ours.
        image: Arc<str>,
    },
    /// The network is on the host.
    EnsureNetwork {
        /// Ours.
        name: Arc<str>,
    },
    /// The volume is on the host. Never undone: it may hold data a moment later.
    EnsureVolume {
        /// Ours.
        name: Arc<str>,
    },
    /// The container is there, not started.
    Create {
        /// From this.
        blueprint: Box<Blueprint>,
    },
    /// It runs.
    Start {
        /// Which.
        container: Subject,
        /// The policy that it has from now on.
        restart: Restart,
    },
    /// It serves.
    Gate {
        /// Which.
        container: Subject,
        /// How that is known.
        gate: Gate,
    },
    /// The engine does with it what `to` says when it ends.
    SetRestart {
        /// Which.
        container: Subject,
        /// From now on.
        to: Restart,
        /// Before.
        was: Restart,
        /// For one that ran: how it shows that it serves again when this is undone. Without its policy an engine that restarts ends it
        /// as well as a stop does; so this brings it back from either.
        revive: Option<Gate>,
    },
    /// It does not run.
    Stop {
        /// Which.
        container: Subject,
        /// From asking to ending.
        #[serde(with = "millis")]
        grace: Duration,
    },
    /// It has another name.
    Rename {
        /// Which.
        container: Subject,
        /// From now on.
        to: Arc<str>,
        /// Before.
        was: Arc<str>,
    },
    /// It is gone.
    Remove {
        /// Which.
        container: Subject,
    },
    /// Its command has ended with 0. The container stays until a [`Act::Remove`], so that a run that died in between does not run it again.
    Job {
        /// From this.
        blueprint: Box<Blueprint>,
        /// Its whole time.
        #[serde(with = "millis")]
        timeout: Duration,
        /// Whether what it did cannot be undone.
        one_way: bool,
    },
    /// The balancer sends it requests: a slot has its address, a check passed since, and so did our own probe.
    Admit {
        /// Which group.
        route: Route,
        /// Where it is.
        container: Subject,
        /// Its share against a full one's 100.
        weight: u16,
    },
    /// The balancer sends it nothing new, and what it had is answered or out of time.
    Drain {
        /// Which group.
        route: Route,
        /// Which.
        container: Subject,
        /// So long for what is under way.
        #[serde(with = "millis")]
        within: Duration,
        /// Its share before.
        weight: u16,
    },
    /// Its slot is free for others.
    Withdraw {
        /// Which group.
        route: Route,
        /// Which.
        container: Subject,
    },
    /// Its slot's share is this.
    Weigh {
        /// Which group.
        route: Route,
        /// Which.
        container: Subject,
        /// Against a full one's 100.
        to: u16,
        /// Before.
        was: u16,
    },
    /// All requests of a group go to others, which run and only wait for it.
    Switch {
        /// Which group.
        route: Route,
        /// They get them.
        to: Vec<Member>,
        /// They get nothing new.
        from: Vec<Member>,
    },
    /// A person said yes.
    Approve {
        /// To what.
        question: Arc<str>,
    },
    /// The new ones' figures are no worse than the old ones' over so much time and so many requests.
    Compare {
        /// Which group.
        route: Route,
        /// New ones.
        new: Vec<Watched>,
        /// How much time at least.
        #[serde(with = "millis")]
        time: Duration,
        /// What is too bad.
        limits: Compare,
    },
    /// A page of a new container says what it should.
    Verify {
        /// Which.
        container: Subject,
        /// With its leading slash.
        path: Arc<str>,
        /// Inside.
        port: u16,
        /// What must stand in the answer.
        contains: Option<Arc<str>>,
        /// Its whole time.
        #[serde(with = "millis")]
        timeout: Duration,
    },
    /// So much time has gone by.
    Pause {
        /// How much.
        #[serde(with = "millis")]
        time: Duration,
    },
    /// So much time has gone by and the new ones stayed well.
    Bake {
        /// How much.
        #[serde(with = "millis")]
        time: Duration,
        /// What must stay well.
        watch: Vec<Watched>,
    },
}

/// A group of a balancer's servers, and the port of ours that they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Route {
    /// As in `[lb.NAME]`.
    pub lb: Arc<str>,
    /// The balancer's name for the group.
    pub backend: Arc<str>,
    /// Inside.
    pub port: u16,
}

/// A container behind a balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// Where.
    pub host: HostId,
    /// Which.
    pub container: Subject,
}

/// A container that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Watched {
    /// Where.
    pub host: HostId,
    /// Which.
    pub container: Subject,
    /// How it shows that it is well.
    pub gate: Gate,
}

/// How a container shows that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gate {
    /// What is asked.
    pub probe: GateProbe,
    /// From one question to the next.
    #[serde(with = "millis")]
    pub interval: Duration,
    /// Good answers in a row.
    pub rise: u16,
    /// The whole deadline.
    #[serde(with = "millis")]
    pub timeout: Duration,
}

/// What a gate asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateProbe {
    /// A page that answers 200 to 399.
    Http {
        /// With its leading slash.
        path: Arc<str>,
        /// Inside.
        port: u16,
    },
    /// A port that takes connections.
    Tcp {
        /// Inside.
        port: u16,
    },
    /// A command inside that ends with 0.
    Command(Vec<Arc<str>>),
    /// A line of its log.
    Log(Arc<str>),
    /// The image's HEALTHCHECK; without one this port; without a port that it stays running for [`SETTLED`].
    Image {
        /// Inside.
        port: Option<u16>,
    },
}

/// So long without an end shows that something without a port and without a probe runs.
pub const SETTLED: Duration = Duration::from_secs(5);
/// For images with a HEALTHCHECK of their own, whose interval is 30 s unless they say otherwise.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(90);

impl Gate {
    /// The gate of a service.
    pub fn of(spec: &ServiceSpec) -> Self {
        Self::new(spec.health.as_ref(), spec.ports.first().map(|port| port.container))
    }

    /// The gate of a container with this probe and this first port.
    pub fn new(health: Option<&Health>, first: Option<u16>) -> Self {
        let Some(health) = health else {
            let second = Duration::from_secs(1);
            return Self { probe: GateProbe::Image { port: first }, interval: second, rise: 1, timeout: IMAGE_TIMEOUT };
        };
        let probe = match &health.probe {
            Probe::Http { path, port } => match port.or(first) {
                Some(port) => GateProbe::Http { path: Arc::clone(path), port },
                None => GateProbe::Image { port: None },
            },
            Probe::Tcp { port } => match port.or(first) {
                Some(port) => GateProbe::Tcp { port },
                None => GateProbe::Image { port: None },
            },
            Probe::Command(command) => GateProbe::Command(command.clone()),
            Probe::Log(pattern) => GateProbe::Log(Arc::clone(pattern)),
        };
        Self { probe, interval: health.interval, rise: health.rise.max(1), timeout: health.timeout }
    }
}

impl Act {
    /// What takes it back, in order; empty where nothing is to be taken back or nothing can be.
    pub fn inverse(&self) -> Vec<Act> {
        match self {
            Self::Create { blueprint } => vec![Self::Remove { container: blueprint.subject() }],
            // Without its policy first, an engine that restarts in between would bring it back.
            Self::Start { container, restart } => vec![
                Self::SetRestart { container: container.clone(), to: Restart::No, was: *restart, revive: None },
                Self::Stop { container: container.clone(), grace: UNDO_GRACE },
            ],
            Self::SetRestart { container, to, was, revive } => {
                let mut acts = Vec::new();
                if let Some(gate) = revive {
                    acts.push(Self::Start { container: container.clone(), restart: *was });
                    acts.push(Self::Gate { container: container.clone(), gate: gate.clone() });
                }
                acts.push(Self::SetRestart { container: container.clone(), to: *was, was: *to, revive: None });
                acts
            }
            Self::Rename { container, to, was } => {
                vec![Self::Rename { container: container.clone(), to: Arc::clone(was), was: Arc::clone(to) }]
            }
            Self::Admit { route, container, .. } => vec![
                Self::Drain { route: route.clone(), container: container.clone(), within: UNDO_GRACE, weight: FULL },
                Self::Withdraw { route: route.clone(), container: container.clone() },
            ],
            Self::Drain { route, container, weight, .. } => {
                vec![Self::Admit { route: route.clone(), container: container.clone(), weight: *weight }]
            }
            Self::Weigh { route, container, to, was } => {
                vec![Self::Weigh { route: route.clone(), container: container.clone(), to: *was, was: *to }]
            }
            Self::Switch { route, to, from } => vec![Self::Switch { route: route.clone(), to: from.clone(), from: to.clone() }],
            Self::Job { blueprint, .. } => vec![Self::Remove { container: blueprint.subject() }],
            Self::Pull { .. }
            | Self::EnsureNetwork { .. }
            | Self::EnsureVolume { .. }
            | Self::Gate { .. }
            | Self::Remove { .. }
            // Whoever lost its policy before is brought back by the inverse of that.
            | Self::Stop { .. }
            // A slot that was drained before is filled again by the inverse of that.
            | Self::Withdraw { .. }
            | Self::Approve { .. }
            | Self::Compare { .. }
            | Self::Verify { .. }
            | Self::Pause { .. }
            | Self::Bake { .. } => Vec::new(),
        }
    }

    /// The container that it is about, where there is one.
    pub fn container(&self) -> Option<&Subject> {
        match self {
            Self::Start { container, .. }
            | Self::Gate { container, .. }
            | Self::SetRestart { container, .. }
            | Self::Stop { container, .. }
            | Self::Rename { container, .. }
            | Self::Remove { container }
            | Self::Admit { container, .. }
            | Self::Drain { container, .. }
            | Self::Withdraw { container, .. }
            | Self::Weigh { container, .. }
            | Self::Verify { container, .. } => Some(container),
            Self::Pull { .. }
            | Self::EnsureNetwork { .. }
            | Self::EnsureVolume { .. }
            | Self::Create { .. }
            | Self::Job { .. }
            | Self::Pause { .. }
            | Self::Bake { .. }
            | Self::Switch { .. }
            | Self::Approve { .. }
            | Self::Compare { .. } => None,
        }
    }

    /// Whether it only waits or asks: it may be broken off at any moment without a trace.
    pub fn only_looks(&self) -> bool {
        match self {
            Self::Gate { .. }
            | Self::Verify { .. }
            | Self::Pause { .. }
            | Self::Bake { .. }
            | Self::Approve { .. }
            | Self::Compare { .. } => true,
            Self::Pull { .. }
            | Self::EnsureNetwork { .. }
            | Self::EnsureVolume { .. }
            | Self::Create { .. }
            | Self::Start { .. }
            | Self::SetRestart { .. }
            | Self::Stop { .. }
            | Self::Rename { .. }
            | Self::Remove { .. }
            | Self::Admit { .. }
            | Self::Drain { .. }
            | Self::Withdraw { .. }
            | Self::Weigh { .. }
            | Self::Switch { .. }
            | Self::Job { .. } => false,
        }
    }
}

/// The weight of a server that gets its whole share.
pub const FULL: u16 = 100;

/// A new container that is taken back has nothing to finish that anybody waits for.
const UNDO_GRACE: Duration = Duration::from_secs(10);

/// A list of steps being written.
#[derive(Debug, Default)]
pub struct Draft {
    first: usize,
    steps: Vec<Step>,
    phase: Option<Phase>,
    batch: u32,
}

impl Draft {
    /// A list of its own whose numbers begin here.
    pub fn from(first: usize) -> Self {
        Self { first, ..Self::default() }
    }

    /// The steps that follow belong to this phase.
    pub fn phase(&mut self, phase: Phase) {
        self.phase = Some(phase);
    }

    /// The steps that follow fail together.
    pub fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// Adds a step.
    pub fn push(&mut self, host: Option<&HostId>, service: Option<&ServiceName>, after: &[StepId], act: Act) -> StepId {
        let id = StepId(u32::try_from(self.first + self.steps.len()).unwrap_or(u32::MAX));
        let mut after = after.to_vec();
        after.sort_unstable();
        after.dedup();
        let phase = self.phase.unwrap_or(Phase::Prepare);
        self.steps.push(Step { id, host: host.cloned(), service: service.cloned(), batch: self.batch, phase, after, act });
        id
    }

    /// All steps so far that no other waits for.
    pub fn ends(&self) -> Vec<StepId> {
        let waited: std::collections::BTreeSet<_> = self.steps.iter().flat_map(|step| &step.after).copied().collect();
        self.steps.iter().map(|step| step.id).filter(|id| !waited.contains(id)).collect()
    }

    /// The list.
    pub fn finish(self) -> Vec<Step> {
        self.steps
    }
}
