//! The owner of a simulated fleet: its sockets, its tasks, its clock.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::{net::UnixListener, task::JoinSet};

use super::{
    engine::{
        clock::{Clock, Pace},
        container::ContainerTruth,
        lifecycle::{Act, Outcome, Refusal},
        world::World,
    },
    scenario::{Fault, Overrides, Scenario, ScenarioError},
    socket,
};

/// Why a simulated fleet could not start.
#[derive(Debug, Error)]
pub enum SimError {
    /// There is no such scenario, or it is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A socket could not be made.
    #[error("simulated host {host:?}: cannot listen on {path}: {cause}")]
    Socket {
        /// The host.
        host: String,
        /// Its socket.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The directory, the runtime, the signals or the thread could not be had.
    #[error("simulated fleet in {path}: {cause}")]
    Place {
        /// The directory of the sockets.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
}

/// How a simulated fleet runs.
#[derive(Clone, Copy, Debug)]
pub struct SimOptions {
    /// How its timeline moves.
    pub pace: Pace,
    /// What its wall clock says at the start; now, if not given.
    pub start: Option<DateTime<Utc>>,
    /// Changes to the scenario's size.
    pub overrides: Overrides,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self { pace: Pace::Running(1.0), start: None, overrides: Overrides::default() }
    }
}

/// One host of a simulated fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimHost {
    /// Its name.
    pub name: String,
    /// Its engine's socket.
    pub socket: PathBuf,
    /// What its services belong to.
    pub environment: String,
    /// Where its published ports would be reached.
    pub address: String,
}

/// A simulated fleet. Dropping it ends every connection and removes the sockets.
pub struct Simulation {
    world: Arc<World>,
    hosts: Vec<SimHost>,
    // One task per host and one for the timeline; dropping the set ends them.
    tasks: JoinSet<()>,
}

impl Simulation {
    /// Starts the fleet on the current tokio runtime, with one socket `DIR/<host>.sock` each; `dir` is made if need be.
    pub fn start(scenario: Scenario, dir: &Path) -> Result<Self, SimError> {
        Self::start_with(scenario, dir, SimOptions::default())
    }

    /// [`start`](Self::start) with another pace, start or size.
    pub fn start_with(scenario: Scenario, dir: &Path, options: SimOptions) -> Result<Self, SimError> {
        std::fs::create_dir_all(dir).map_err(|cause| SimError::Place { path: dir.to_owned(), cause })?;
        let scenario = scenario.with(options.overrides);
        let clock = Clock::new(options.start.unwrap_or_else(Utc::now), options.pace);
        let world = Arc::new(World::new(&scenario, clock));
        let mut tasks = JoinSet::new();
        let mut fleet = Self { world: world.clone(), hosts: Vec::new(), tasks: JoinSet::new() };
        for (me, slot) in world.hosts.iter().enumerate() {
            let machine = slot.host().machine.clone();
            let path = dir.join(format!("{}.sock", machine.name));
            let listener =
                UnixListener::bind(&path).map_err(|cause| SimError::Socket { host: machine.name.clone(), path: path.clone(), cause })?;
            fleet.hosts.push(SimHost {
                name: machine.name.clone(),
                socket: path.clone(),
                environment: machine.environment.clone(),
                address: machine.address.clone(),
            });
            tasks.spawn(socket::serve(world.clone(), me, path, listener));
        }
        if !world.clock.is_manual() {
            tasks.spawn(async move { world.run().await });
        }
        fleet.tasks = tasks;
        Ok(fleet)
    }

    /// Its hosts, in the scenario's order.
    pub fn hosts(&self) -> &[SimHost] {
        &self.hosts
    }

    /// Begins a fault now.
    pub fn inject(&self, fault: Fault) {
        self.world.inject(fault);
    }

    /// Goes to this moment of the timeline: a manual timeline is moved there, any other is waited for.
    pub async fn at(&self, moment: Duration) {
        if self.world.clock.is_manual() {
            self.world.advance(moment);
            self.world.clock.set(moment);
        } else {
            self.world.clock.reached(moment).await;
        }
    }

    /// Does something to a container, as a client would over HTTP.
    pub fn act(&self, host: &str, container: &str, act: &Act) -> Result<Outcome, Refusal> {
        self.world.act(self.place(host).unwrap_or(usize::MAX), container, act)
    }

    /// The exact state of every container, by host and then by name.
    pub fn truth(&self) -> Vec<ContainerTruth> {
        self.world.truth()
    }

    /// How many events a host has emitted since the start; 0 for an unknown host.
    pub fn emitted(&self, host: &str) -> u64 {
        self.place(host).and_then(|me| self.world.hosts.get(me)).map_or(0, |slot| slot.host().emitted)
    }

    fn place(&self, host: &str) -> Option<usize> {
        self.hosts.iter().position(|known| known.name == host)
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.tasks.abort_all();
        for host in &self.hosts {
            socket::remove(&host.socket);
        }
    }
}
