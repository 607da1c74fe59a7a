//! What a run can do to the world, in the smallest pieces: an engine's requests, a probe, a balancer's slots, the clock.
//!
//! No piece knows what a deployment is: what makes a step of several, looks first and does nothing twice is [`perform`](super::perform). So the
//! simulated fleet of the tests and the real one differ in nothing but these.

use std::{collections::BTreeMap, future::Future, net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use thiserror::Error;

use crate::{
    delivery::{
        observed::BoundPort,
        plan::Blueprint,
        spec::{Protocol, Restart},
        steps::Route,
    },
    fleet::{ContainerId, ContainerState, ContainerSummary, Health, HostId},
    traffic::{
        Backend,
        proof::{Count, Proof},
    },
};

/// Why a piece was not done. One clean sentence without the host's name: who tells it adds that.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PortError {
    /// The host did not answer, or nobody knows whether it did what it was asked: look, then try again.
    #[error("{0}")]
    Away(String),
    /// Another container has the name.
    #[error("{0}")]
    NameTaken(String),
    /// Somebody has the port.
    #[error("{0}")]
    PortTaken(String),
    /// It is not there.
    #[error("{0}")]
    Gone(String),
    /// It was refused; asking again would not help.
    #[error("{0}")]
    Refused(String),
    /// What this run did is not there any more, by somebody else's doing: neither on nor back before a person has looked.
    #[error("{0}")]
    Undone(String),
}

/// A container's life, as only a closer look tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// What it does.
    pub state: ContainerState,
    /// What its HEALTHCHECK says.
    pub health: Health,
    /// How it ended.
    pub exit_code: Option<i64>,
    /// Restarts by policy.
    pub restarts: u64,
    /// When it was last started, as the engine writes it.
    pub started: Arc<str>,
    /// Its address in its network; `None` while it does not run.
    pub address: Option<IpAddr>,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `GET path`; 200 to 399 is good, and the text must stand in it.
    Http {
        /// Where.
        at: Place,
        /// With its leading slash.
        path: Arc<str>,
        /// What must stand in the answer.
        contains: Option<Arc<str>>,
    },
    /// Whether connections are taken.
    Tcp {
        /// Where.
        at: Place,
    },
    /// A command inside that ends with 0.
    Command(Vec<Arc<str>>),
    /// A line of its log since its start.
    Log(Arc<str>),
}

/// Where a probe goes: the published port where there is one, because that is where requests will go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A port of the host, at this address of it.
    Published {
        /// `None`: the host's own.
        address: Option<IpAddr>,
        /// Outside.
        port: u16,
    },
    /// A port of the container's own address.
    Inside {
        /// In its network.
        address: IpAddr,
        /// Inside.
        port: u16,
    },
}

/// What a slot was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// It gets requests.
    Ready,
    /// It gets no new ones; its checks go on.
    Drain,
    /// Nothing.
    Maint,
}

/// A change of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotChange {
    /// Sends to there.
    Address(IpAddr, u16),
    /// Gets requests, or not.
    State(SlotState),
    /// Its share.
    Weight(u16),
}

/// A lock or a freeze to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkOrder {
    /// The fixed name.
    pub name: Arc<str>,
    /// Who, since when, for what.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a run can do. Every answer comes within a deadline of its own.
pub trait Port: Send + Sync {
    /// Every container of a host.
    fn containers(&self, host: &HostId) -> impl Future<Output = Result<Vec<ContainerSummary>, PortError>> + Send;
    /// One of them; `None`: it is gone.
    fn life(&self, host: &HostId, id: &ContainerId) -> impl Future<Output = Result<Option<Life>, PortError>> + Send;
    /// All that its engine tells of it, for evidence: [masked](crate::fleet::mask) already. `None`: it is gone.
    fn document(&self, host: &HostId, id: &ContainerId) -> impl Future<Output = Result<Option<Value>, PortError>> + Send;
    /// The image is on the host afterwards; meanwhile it is told how many bytes of how many are there, as far as the engine says.
    fn pull(&self, host: &HostId, image: &str, told: &(dyn Fn(u64, u64) + Sync)) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The network is there afterwards; one of other people under that name is refused.
    fn ensure_network(&self, host: &HostId, name: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The volume is there afterwards; one of other people under that name is refused.
    fn ensure_volume(&self, host: &HostId, name: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Makes a container, secrets and their files included.
    fn create(&self, host: &HostId, blueprint: &Blueprint) -> impl Future<Output = Result<ContainerId, PortError>> + Send;
    /// Starts it; one that runs is no error.
    fn start(&self, host: &HostId, id: &ContainerId) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Ends it; one that does not run is no error.
    fn stop(&self, host: &HostId, id: &ContainerId, grace: Duration) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Names it anew.
    fn rename(&self, host: &HostId, id: &ContainerId, to: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// What the engine does when it ends.
    fn set_restart(&self, host: &HostId, id: &ContainerId, to: Restart) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Removes it, running or not; its volumes stay.
    fn remove(&self, host: &HostId, id: &ContainerId) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The last lines of its log, for a person.
    fn tail(&self, host: &HostId, id: &ContainerId, lines: u32) -> impl Future<Output = Result<String, PortError>> + Send;

    /// Makes a container that is never started: its name can be had by one only.
    fn mark(&self, host: &HostId, order: &MarkOrder) -> impl Future<Output = Result<ContainerId, PortError>> + Send;
    /// Puts files into it.
    fn put(&self, host: &HostId, id: &ContainerId, files: &[(&str, &[u8])]) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Gets a file out of it; `None`: there is none.
    fn get(&self, host: &HostId, id: &ContainerId, file: &str) -> impl Future<Output = Result<Option<Vec<u8>>, PortError>> + Send;
    /// The engine's clock.
    fn engine_time(&self, host: &HostId) -> impl Future<Output = Result<DateTime<Utc>, PortError>> + Send;

    /// Asks once. The inner error says what was answered instead.
    fn probe(
        &self,
        host: &HostId,
        id: &ContainerId,
        question: &Question,
    ) -> impl Future<Output = Result<Result<(), String>, PortError>> + Send;
    /// Where the host's published ports are reached; `None`: the configuration does not say.
    fn address(&self, host: &HostId) -> Option<IpAddr>;

    /// A backend with its slots.
    fn slots(&self, lb: &str, backend: &str) -> impl Future<Output = Result<Backend, PortError>> + Send;
    /// Changes some of them, in this order.
    fn set_slots(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> impl Future<Output = Result<(), PortError>> + Send;
    /// What these groups have served so far, as far as their balancers tell; from now on they are asked by us, too, where the configuration
    /// says where.
    fn proof_begins(&self, routes: &[Route]) -> impl Future<Output = Vec<Count>> + Send;
    /// What these groups have served since then, up to now. `None`: nobody counted.
    fn proof_so_far(&self, begun: &[Count]) -> impl Future<Output = Option<Proof>> + Send;
    /// What these groups have served since then; our own questions end. `None`: nobody counted.
    fn proof_ends(&self, begun: &[Count]) -> impl Future<Output = Option<Proof>> + Send;

    /// Our own clock.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

impl Question {
    /// Where it goes over the network.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Http { at, .. } | Self::Tcp { at } => Some(at),
            Self::Command(_) | Self::Log(_) => None,
        }
    }
}

/// The outside of a TCP port.
pub fn outside(ports: &[BoundPort], container: u16) -> Option<u16> {
    ports.iter().find(|port| port.container == container && port.protocol == Protocol::Tcp).map(|port| port.host)
}
