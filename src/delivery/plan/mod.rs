//! What a deployment will change, lose and be able to take back: a pure function of release × environment × what runs × options.
//!
//! A plan is shown before anything is done and is all that is needed to do it: it stands in the journal and in the lock.

mod blueprint;
mod fault;
#[cfg(test)]
pub(crate) mod fixture;
mod hosts;
mod links;
mod make;
mod ports;
mod show;
#[cfg(test)]
mod tests;
mod units;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use blueprint::{Blueprint, Mount, MountKind, Publish};
pub use fault::PlanError;
pub use make::{Request, plan};

use super::{
    observed::{Aspect, Instance},
    release::{DeploymentId, ReleaseId},
    seal::Seals,
    spec::{JobTime, Order, Restart, StrategySpec, Traffic, millis},
    steps::{Gate, Subject},
};
use crate::fleet::{AppName, ContainerId, EnvironmentId, HostId, ServiceName};

/// What a person asks for beside release and environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Options {
    /// Back to something older: no pause, no bake, and a host that does not answer stops nobody.
    pub rollback: bool,
    /// Only this service.
    pub service: Option<ServiceName>,
    /// Only this host.
    pub host: Option<HostId>,
    /// Without these hosts; they are owed then.
    pub without: BTreeSet<HostId>,
    /// Only hosts on which the last deployment failed.
    pub only_failed: bool,
    /// Only hosts that a deployment went on without.
    pub only_owed: bool,
    /// In place of the policy's.
    pub strategy: Option<StrategySpec>,
    /// Why a freeze or a gate is passed over.
    pub override_reason: Option<Arc<str>>,
    /// Why at all; what a rollback needs to go through a freeze.
    pub reason: Option<Arc<str>>,
}

/// A deployment before it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Its id.
    pub deployment: DeploymentId,
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// What will run.
    pub release: ReleaseId,
    /// What runs now, on most containers first.
    pub from: Vec<ReleaseId>,
    /// What was asked for.
    pub options: Options,
    /// How the change goes over the hosts.
    pub strategy: StrategySpec,
    /// Hosts that take part, by name: each gets a lock.
    pub hosts: Vec<HostId>,
    /// Hosts that are left out, and why.
    pub out: BTreeMap<HostId, Out>,
    /// Services in the order of their start.
    pub services: Vec<ServicePlan>,
    /// Jobs, as written.
    pub jobs: Vec<JobPlan>,
    /// The last word.
    pub verify: Option<VerifyPlan>,
    /// What is gone or away meanwhile.
    pub lost: Vec<Arc<str>>,
    /// What to know before saying yes.
    pub warnings: Vec<Arc<str>>,
    /// How fast each host would be back where it is now.
    pub back: BTreeMap<HostId, Speed>,
    /// Old kept containers that go once this is good.
    pub stale: Vec<Stale>,
    /// Keyed hashes of the environment's secrets as they were when it was asked for, by name: whoever carries it on says which differ.
    #[serde(default, skip_serializing_if = "Seals::is_empty")]
    pub secrets: Seals,
}

/// A kept container that is not the way back any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stale {
    /// Where.
    pub host: HostId,
    /// Of which service.
    pub service: ServiceName,
    /// Which.
    pub container: Subject,
}

/// Why a host takes no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Out {
    /// A person left it out: it is owed the release.
    Without,
    /// It was not asked for: it stays as it is.
    NotAsked,
    /// It does not answer, and the way back waits for nobody: it is owed the release.
    Silent(Arc<str>),
}

impl Out {
    /// Whether it should get what the others got.
    pub fn is_owed(&self) -> bool {
        match self {
            Self::Without | Self::Silent(_) => true,
            Self::NotAsked => false,
        }
    }
}

/// How fast a host gets to a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// It still runs: only the balancer is told.
    Flip,
    /// It still runs, and the balancer checks it anew before it sends it requests: its clients stick to their servers.
    Recheck,
    /// Its container is there, stopped.
    Start,
    /// Its image comes by digest.
    Pull,
    /// Not at all, and why.
    Impossible(Arc<str>),
}

/// What becomes of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServicePlan {
    /// Which.
    pub service: ServiceName,
    /// Services with the same number are changed together; lower first.
    pub wave: u32,
    /// Which of old and new comes first on a host.
    pub order: Order,
    /// Whether it writes to a volume: one container at a time, and never with others.
    pub stateful: bool,
    /// Where its requests come from.
    pub traffic: Option<Traffic>,
    /// Healthy before it.
    pub needs: Vec<ServiceName>,
    /// How a new one shows that it serves.
    pub gate: Gate,
    /// The template's time to end.
    #[serde(with = "millis")]
    pub stop: Duration,
    /// Container by container, by host and number.
    pub changes: Vec<Change>,
}

/// What becomes of one container of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Where.
    pub host: HostId,
    /// Which of its host, from 1; several old ones may stand under one number after an accident.
    pub n: u16,
    /// Why; empty for what stays and for what is new.
    pub reasons: Vec<Aspect>,
    /// What goes.
    pub outgoing: Option<Old>,
    /// What comes.
    pub incoming: Option<Incoming>,
    /// What stays.
    pub keeps: Option<Old>,
}

/// A container that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Old {
    /// On its host.
    pub id: ContainerId,
    /// As it is now.
    pub name: Arc<str>,
    /// The name that it has while it is in use.
    pub home: Arc<str>,
    /// What it runs.
    pub release: Option<ReleaseId>,
    /// The policy to give back to it.
    pub restart: Restart,
    /// Whether it runs.
    pub running: bool,
    /// How it shows that it serves.
    pub gate: Gate,
}

impl Old {
    /// What a plan keeps of an instance.
    pub fn of(instance: &Instance) -> Self {
        let first = instance.ports.first().map(|port| port.container);
        Self {
            id: instance.id.clone(),
            name: Arc::clone(&instance.name),
            home: super::observed::home_name(instance),
            release: instance.release.clone(),
            restart: instance.restart,
            running: matches!(instance.state, crate::fleet::ContainerState::Running),
            gate: Gate::new(instance.health.as_ref(), first),
        }
    }

    /// How steps speak of it.
    pub fn subject(&self) -> Subject {
        Subject { name: Arc::clone(&self.home), id: Some(self.id.clone()) }
    }
}

/// Where a new container comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incoming {
    /// It is made.
    New {
        /// From this.
        blueprint: Box<Blueprint>,
        /// Whether its image has to come first.
        pull: bool,
    },
    /// It was kept, or it only stands still.
    Back(Old),
}

impl Incoming {
    /// How steps speak of it.
    pub fn subject(&self) -> Subject {
        match self {
            Self::New { blueprint, .. } => blueprint.subject(),
            Self::Back(old) => old.subject(),
        }
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Where.
    pub host: HostId,
    /// From this.
    pub blueprint: Box<Blueprint>,
    /// Healthy before it.
    pub needs: Vec<ServiceName>,
    /// At which point.
    pub when: JobTime,
    /// Whether it cannot be undone.
    pub one_way: bool,
    /// Its whole time.
    #[serde(with = "millis")]
    pub timeout: Duration,
}

/// The last word on a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyPlan {
    /// A page of each new container of a service.
    Http {
        /// Of which service.
        service: ServiceName,
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
    /// A command in a container of its own.
    Command {
        /// Where.
        host: HostId,
        /// From this.
        blueprint: Box<Blueprint>,
        /// Its whole time.
        #[serde(with = "millis")]
        timeout: Duration,
    },
}

impl Change {
    /// Whether anything happens.
    pub fn is_change(&self) -> bool {
        self.outgoing.is_some() || self.incoming.is_some()
    }
}

impl Plan {
    /// Whether all is as it should be already.
    pub fn is_nothing(&self) -> bool {
        !self.services.iter().flat_map(|service| &service.changes).any(Change::is_change)
    }

    /// A service's plan.
    pub fn service(&self, name: &ServiceName) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.service == *name)
    }
}
