//! A simulated fleet: engines that speak the real Docker HTTP API on real Unix sockets, driven by scenarios.
//!
//! [`scenario`] is the file format, [`engine`] the machines (a state machine per host, one timeline for all of them), [`http`] the
//! API in front of them, [`Simulation`] the owner of sockets and tasks. Nothing here knows the console: whatever can talk to an
//! engine can talk to this.

pub mod engine;
pub mod http;
pub mod scenario;
mod serve;
mod simulation;
mod socket;
mod thread;

pub use engine::{
    clock::Pace,
    container::{ContainerTruth, HealthState, RunState},
    lifecycle::Act,
};
pub use scenario::{Fault, FaultKind, Overrides, Scenario, ScenarioError};
pub use serve::{ServeOptions, serve};
pub use simulation::{SimError, SimHost, SimOptions, Simulation};
pub use thread::{SimThread, spawn_in_thread};
