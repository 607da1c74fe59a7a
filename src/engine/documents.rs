//! Reads one container's whole inspect document for whoever needs it beside the model: evidence of a trouble, a hand-off.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::docker::Client;
use crate::{
    fleet::{ContainerKey, HostId},
    text::clean_line,
};

/// How long a host may take; a lost one is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the documents of every host.
#[derive(Clone)]
pub struct DocumentPort {
    links: Arc<HashMap<HostId, watch::Receiver<Option<Client>>>>,
    runtime: Handle,
}

impl DocumentPort {
    pub(super) fn new(links: Arc<HashMap<HostId, watch::Receiver<Option<Client>>>>, runtime: Handle) -> Self {
        Self { links, runtime }
    }

    /// A container's document as its engine tells it, secrets and all: whoever shows or keeps it must mask it.
    ///
    /// # Errors
    /// Why there is none, in one clean line.
    pub async fn inspect(&self, container: &ContainerKey) -> Result<serde_json::Value, String> {
        let client = self.links.get(&container.host).and_then(|link| link.borrow().clone());
        let client = client.ok_or_else(|| "its host cannot be reached at the moment".to_owned())?;
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
