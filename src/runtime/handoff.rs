//! A bundle in the making: gathered, packed and written on a thread of its own, so that no frame ever waits for it.

use std::{path::PathBuf, thread};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    bundle::{self, Material},
    engine::{DocumentPort, logs::LogPort},
};

/// The work. Dropping it ends it, and what was written of the file is gone.
pub struct Handoff {
    thread: Option<thread::JoinHandle<()>>,
    outcome: oneshot::Receiver<String>,
    stop: CancellationToken,
}

impl Handoff {
    /// Begins it.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(material: Material, path: PathBuf, documents: DocumentPort, logs: LogPort) -> std::io::Result<Self> {
        let (done, outcome) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("handoff".to_owned()).spawn(move || {
            let gathered = runtime.block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => None,
                    contents = bundle::gather(material, &documents, &logs) => Some(contents),
                }
            });
            let Some(contents) = gathered else { return };
            let written = contents.and_then(|contents| contents.write(&path).map(|size| bundle::told(&path, &contents, size)));
            // Nobody listens when the console has ended meanwhile.
            let _ = done.send(written.unwrap_or_else(|error| format!("no bundle: {error}")));
        })?;
        Ok(Self { thread: Some(thread), outcome, stop })
    }

    /// One line about how it ended. Cancel-safe.
    pub async fn outcome(&mut self) -> String {
        match (&mut self.outcome).await {
            Ok(note) => note,
            Err(_) => "no bundle: its thread ended before it".to_owned(),
        }
    }
}

impl Drop for Handoff {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a hand-off panicked");
        }
    }
}
