//! `--sim`: a simulated fleet inside this process, and `sim serve`: one as a program of its own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{
    args::SimVerb,
    exit::{Exit, Failure},
};
use crate::sim::{self, Scenario, SimHost, SimThread};

/// The scenario of who names none.
const DEFAULT: &str = "harbor";

/// A simulated fleet that lives as long as this value.
pub struct SimFleet {
    // Dropped first: the sockets go before their directory.
    thread: SimThread,
    dir: TempDir,
}

impl SimFleet {
    /// Starts a scenario by name or file.
    ///
    /// # Errors
    /// A mistake in the scenario, with file and line; or no directory for its sockets.
    pub fn start(name_or_path: &str) -> Result<Self, Failure> {
        let name = if name_or_path.is_empty() { DEFAULT } else { name_or_path };
        let scenario = Scenario::open(name).map_err(Failure::usage)?;
        let dir = tempfile::Builder::new()
            .prefix("quarterdeck-sim-")
            .tempdir()
            .map_err(|error| Failure::failed(format!("no directory for the simulated hosts: {error}")))?;
        let thread = sim::spawn_in_thread(scenario, dir.path()).map_err(Failure::failed)?;
        Ok(Self { thread, dir })
    }

    /// Where records of acts on it are kept, as long as it lives.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Its hosts.
    pub fn hosts(&self) -> &[SimHost] {
        self.thread.hosts()
    }
}

/// Runs `sim serve` until it is interrupted.
///
/// # Errors
/// A mistake in the scenario, or a socket that cannot be made.
pub fn run(verb: &SimVerb) -> Result<Exit, Failure> {
    let SimVerb::Serve { scenario, dir, speed, hosts, containers, events_per_second } = verb;
    let options = sim::ServeOptions {
        pace: sim::Pace::Running(*speed),
        overrides: sim::Overrides {
            hosts: *hosts,
            containers: *containers,
            events_per_second: events_per_second.map(f64::from),
            ..sim::Overrides::default()
        },
        ..sim::ServeOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(sim::serve(scenario, Path::new(dir), options)).map_err(Failure::failed)?;
    Ok(Exit::DONE)
}
