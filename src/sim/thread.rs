//! A simulated fleet beside a program that has its own runtime, or none.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{
    scenario::Scenario,
    simulation::{SimError, SimHost, Simulation},
};

/// A thread that runs a simulated fleet; dropping it stops the fleet and removes the sockets.
pub struct SimThread {
    hosts: Vec<SimHost>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SimThread {
    /// Its hosts, in the scenario's order.
    pub fn hosts(&self) -> &[SimHost] {
        &self.hosts
    }
}

impl Drop for SimThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already; here it must not become a second one.
            let _ = thread.join();
        }
    }
}

/// Starts a fleet in a thread of its own, with its sockets in `dir`; returns once all of them listen.
pub fn spawn_in_thread(scenario: Scenario, dir: &Path) -> Result<SimThread, SimError> {
    let place = |cause| SimError::Place { path: dir.to_owned(), cause };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(place)?;
    let (stop, stopped) = oneshot::channel::<()>();
    // One message: the hosts, or why there are none.
    let (started_tx, started_rx) = mpsc::sync_channel(1);
    let path: PathBuf = dir.to_owned();
    let thread = std::thread::Builder::new()
        .name("sim".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                match Simulation::start(scenario, &path) {
                    Ok(fleet) => {
                        if started_tx.send(Ok(fleet.hosts().to_vec())).is_ok() {
                            // Both a message and a dropped sender mean stop.
                            let _ = stopped.await;
                        }
                        drop(fleet);
                    }
                    Err(error) => drop(started_tx.send(Err(error))),
                }
            });
        })
        .map_err(place)?;
    let hosts = started_rx.recv().map_err(|_| place(std::io::Error::other("its thread ended")))??;
    Ok(SimThread { hosts, stop: Some(stop), thread: Some(thread) })
}
