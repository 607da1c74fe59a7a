//! A simulated fleet as a program of its own, for `docker -H`, other monitors and hand-made experiments.

use std::{
    io::{self, Write},
    path::Path,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    scenario::Scenario,
    simulation::{SimError, SimOptions, Simulation},
};

/// How [`serve`] runs; the same as for a [`Simulation`].
pub type ServeOptions = SimOptions;

/// Serves the embedded scenario of this name, or the file at this path, with sockets in `dir`, until SIGINT or SIGTERM.
/// Prints to stdout the `-H` option for every host.
pub async fn serve(name_or_path: &str, dir: &Path, options: ServeOptions) -> Result<(), SimError> {
    let place = |cause| SimError::Place { path: dir.to_owned(), cause };
    let scenario = Scenario::open(name_or_path)?;
    let about = scenario.about.clone();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(place)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(place)?;
    let fleet = Simulation::start_with(scenario, dir, options)?;
    match announce(&about, &fleet) {
        // Whoever read the list may have stopped reading.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed.map_err(place)?,
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn announce(about: &str, fleet: &Simulation) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# {about}")?;
    for host in fleet.hosts() {
        writeln!(out, "-H {}=unix://{}", host.name, host.socket.display())?;
    }
    out.flush()
}
