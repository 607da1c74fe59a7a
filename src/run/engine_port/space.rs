//! How much room a host has for what is to be pulled.

use super::{Balancer, EnginePort};
use crate::{engine::free_disk, fleet::HostId};

impl<B: Balancer> EnginePort<B> {
    /// Bytes that may still be written to the disk that a host's images are on; `None` where nobody can see it.
    pub async fn free_disk(&self, host: &HostId) -> Option<u64> {
        let client = self.client(host).await.ok()?;
        free_disk(client, &self.host(host).ok()?.run.endpoint, &self.rights).await
    }
}
