//! Reads one container's whole inspect document for whoever needs it beside the model: evidence of a trouble, a hand-off.

use std::time::Duration;

use tokio::{runtime::Handle, time::timeout};

use super::live::Links;
use crate::{fleet::ContainerKey, text::clean_line};

/// How long a host may take; a lost one is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the documents of every host.
#[derive(Clone)]
pub struct DocumentPort {
    links: Links,
    runtime: Handle,
}

impl DocumentPort {
    pub(super) fn new(links: Links, runtime: Handle) -> Self {
        Self { links, runtime }
    }

    /// A container's document as its engine tells it, secrets and all: whoever shows or keeps it must mask it.
    ///
    /// # Errors
    /// Why there is none, in one clean line.
    pub async fn inspect(&self, container: &ContainerKey) -> Result<serde_json::Value, String> {
        let (client, _) = self.links.client(&container.host).map_err(|error| error.message)?;
        let id = container.id.clone();
        // On the engine's thread: the connection that this may open belongs there.
        let mut task = AbortOnDrop(self.runtime.spawn(async move { timeout(PATIENCE, client.inspect_raw(&id)).await }));
        match (&mut task.0).await {
            Ok(Ok(Ok(document))) => Ok(document),
            Ok(Ok(Err(error))) => Err(clean_line(&error.to_string())),
            Ok(Err(_)) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            Err(_) => Err("the console ends".to_owned()),
        }
    }
}

/// A task that ends with who asked.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
