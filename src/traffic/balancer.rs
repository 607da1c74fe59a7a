//! What every balancer can do, in the smallest pieces. What makes a switch of several stands in [`admit`](super::admit).

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Backend, SlotState, Trouble};

/// A balancer. Every answer comes within a deadline of its own; every change is read back before it counts as made.
pub trait Balancer: Send + Sync {
    /// The word for it in the configuration.
    fn kind(&self) -> &'static str;

    /// All backends, or one, as they are now.
    fn targets<'a>(&'a self, backend: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>>;

    /// Points a slot that is in maintenance at an address and begins to check it there. It gets no requests yet: it drains.
    fn add<'a>(&'a self, backend: &'a str, slot: &'a str, address: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Sends it requests. A balancer takes a server for good *before* it has checked it: who calls this has seen a check that is newer than
    /// the slot's address.
    fn ready<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Its share of the requests, against a full one's 100.
    fn set_weight<'a>(&'a self, backend: &'a str, slot: &'a str, share: u16) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Sends it nothing new; its checks go on or begin.
    fn drain<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Requests that it has not answered yet.
    fn in_flight<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<u32, Trouble>>;

    /// Frees it: nothing is sent and nothing is checked.
    fn remove<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Tells several slots, none of which is in maintenance, where possible in one word: then nobody meets half of a switch.
    fn set_states<'a>(&'a self, backend: &'a str, states: &'a [(Arc<str>, SlotState)]) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            for (slot, state) in states {
                match state {
                    SlotState::Ready => self.ready(backend, slot).await?,
                    SlotState::Drain => self.drain(backend, slot).await?,
                    SlotState::Maint => self.remove(backend, slot).await?,
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// Writes down what the balancer would forget when it restarts; where that is, or `None` where nothing says so: a restart then undoes
    /// every switch.
    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>>;

    /// Who answers, and since when.
    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>>;
}

/// Who answers as a balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its version in its own words.
    pub version: Arc<str>,
    /// Tells one of its lives from the next: another one has forgotten what was not written down.
    pub life: Arc<str>,
    /// For so many seconds.
    pub uptime: Option<u64>,
}
