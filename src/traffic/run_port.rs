//! The balancers as a run sees them: slots, and changes of one slot. Notices that a balancer was restarted under the run.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Backend, Balancer, Balancers, Check, Slot, Trouble, proof::Count, slot::SlotState};
use crate::run::{self, PortError, SlotChange, engine_port};

/// Where each slot of a backend sends to and what it was told, by its name.
type Seen = BTreeMap<Arc<str>, (Option<SocketAddr>, SlotState)>;

/// What this run knows of a balancer from its last look.
#[derive(Default)]
struct Memory {
    /// Which life of it that was.
    life: Option<Arc<str>>,
    backends: BTreeMap<Arc<str>, Seen>,
    /// Why the last change could not be written down.
    unwritten: Option<String>,
}

/// The balancers of one run.
pub struct RunTraffic {
    balancers: Balancers,
    /// By balancer. A lock, as the steps of one run share it; never held while anybody is waited for.
    memory: Mutex<BTreeMap<Arc<str>, Memory>>,
}

impl RunTraffic {
    /// Over these balancers.
    pub fn new(balancers: Balancers) -> Self {
        Self { balancers, memory: Mutex::default() }
    }

    /// The figures of a backend now, for a [`Proof`](super::proof::Proof).
    ///
    /// # Errors
    /// What the balancer says, or does not.
    pub async fn count(&self, lb: &str, backend: &str) -> Result<Count, PortError> {
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        let (standing, found) = (balancer.verify().await.map_err(told(lb))?, self.backend(balancer, lb, backend).await?);
        Ok(Count::of(&lb.into(), &found, &standing))
    }

    /// What a restart of a balancer would undo: for each that could not write its state down, why.
    pub fn unwritten(&self) -> Vec<(Arc<str>, String)> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.iter().filter_map(|(lb, memory)| Some((Arc::clone(lb), memory.unwritten.clone()?))).collect()
    }

    async fn backend(&self, balancer: &Arc<dyn Balancer>, lb: &str, backend: &str) -> Result<Backend, PortError> {
        let found = balancer.targets(Some(backend)).await.map_err(told(lb))?;
        let found = found.into_iter().find(|known| *known.name == *backend);
        found.ok_or_else(|| PortError::Refused(format!("balancer {lb} has no backend {backend}")))
    }

    /// A look that is remembered. A balancer that was restarted since the last one and came back with other slots has undone what this run
    /// did: going on would take the old servers away from a balancer that knows nothing of the new ones.
    async fn look(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        let life = balancer.verify().await.map_err(told(lb))?.life;
        let found = self.backend(balancer, lb, backend).await?;
        let now: Seen = found.slots.iter().map(|slot| (Arc::clone(&slot.name), (slot.address, slot.state))).collect();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.entry(lb.into()).or_default();
        if known.life.as_ref().is_some_and(|before| *before != life) {
            let lost = known.backends.get(backend).is_some_and(|before| before.iter().any(|(slot, was)| now.get(slot) != Some(was)));
            if lost {
                return Err(PortError::Refused(format!(
                    "balancer {lb} was restarted meanwhile and forgot what this run did: see `traffic show`, mend it with `traffic sync`, \
                     then resume; with `persist` it would remember"
                )));
            }
            tracing::info!(lb, %life, "the balancer was restarted and remembers its slots");
        }
        known.life = Some(life);
        known.backends.insert(backend.into(), now);
        Ok(found)
    }

    fn remember(&self, lb: &str, backend: &str, slot: &Slot, change: SlotChange) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = memory.get_mut(lb).and_then(|known| known.backends.get_mut(backend)) else { return };
        let entry = seen.entry(Arc::clone(&slot.name)).or_insert((slot.address, slot.state));
        match change {
            SlotChange::Address(ip, port) => *entry = (Some(SocketAddr::new(ip, port)), SlotState::Drain),
            SlotChange::State(state) => entry.1 = state,
            SlotChange::Weight(_) => {}
        }
    }

    async fn change(&self, lb: &str, backend: &str, name: &str, change: SlotChange) -> Result<(), PortError> {
        let found = self.look(lb, backend).await?;
        let slot = found.slots.iter().find(|slot| *slot.name == *name);
        let slot = slot.ok_or_else(|| PortError::Refused(format!("backend {backend} of {lb} has no slot {name}")))?;
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        let changed = match change {
            // It drains from then on: what checks it could not be trusted otherwise.
            SlotChange::Address(ip, port) => balancer.add(backend, name, SocketAddr::new(ip, port)).await,
            SlotChange::State(SlotState::Ready) => balancer.ready(backend, name).await,
            SlotChange::State(SlotState::Drain) => balancer.drain(backend, name).await,
            SlotChange::State(SlotState::Maint) => balancer.remove(backend, name).await,
            SlotChange::Weight(share) => balancer.set_weight(backend, name, share).await,
        };
        changed.map_err(told(lb))?;
        self.remember(lb, backend, slot, change);
        let unwritten = balancer.persist().await.err().map(|error| error.to_string());
        if let Some(why) = &unwritten {
            tracing::warn!(lb, why, "a restart of the balancer would undo this change");
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.entry(lb.into()).or_default().unwritten = unwritten;
        Ok(())
    }
}

impl engine_port::Balancer for RunTraffic {
    async fn slots(&self, lb: &str, backend: &str) -> Result<Vec<run::Slot>, PortError> {
        let mut found = self.look(lb, backend).await?.slots;
        // Whoever looks for a free one takes the first: never-filled ones come before those with an address.
        found.sort_by_key(|slot| slot.state == SlotState::Maint && !slot.is_blank());
        Ok(found.iter().map(seen_by_run).collect())
    }

    async fn set_slot(&self, lb: &str, backend: &str, slot: &str, change: SlotChange) -> Result<(), PortError> {
        self.change(lb, backend, slot, change).await
    }
}

/// A run counts checks to know a newer one. A balancer counts none; but a slot that left maintenance counts as up only after a check has
/// passed, and from then on every second that it stays up is one in which its checks went on.
fn seen_by_run(slot: &Slot) -> run::Slot {
    let passed = match slot.check {
        Check::Passed | Check::Never => slot.state != SlotState::Maint,
        Check::Asleep | Check::Awaited | Check::Failed(_) => false,
    };
    run::Slot {
        name: Arc::clone(&slot.name),
        address: slot.address.filter(|_| !slot.is_blank()).map(|address| (address.ip(), address.port())),
        state: slot.state,
        up: passed,
        checks: if passed { slot.since.saturating_add(1) } else { 0 },
        sessions: slot.sessions,
        weight: slot.share,
        served: (slot.counters.requests, slot.counters.failed()),
        latency: slot.latency_ms,
    }
}

fn told(lb: &str) -> impl Fn(Trouble) -> PortError + '_ {
    move |trouble| {
        let text = format!("balancer {lb}: {trouble}");
        match trouble {
            Trouble::Away(_) => PortError::Away(text),
            Trouble::Refused(_) | Trouble::Denied(_) | Trouble::Nonsense { .. } => PortError::Refused(text),
        }
    }
}
