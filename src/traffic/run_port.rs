//! The balancers as a run sees them: slots, and changes of slots. Notices that a balancer was restarted under the run, and counts what its
//! clients got meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{join, join_all};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Backend, Balancer, Balancers, Slot, Standing, Trouble,
    probe::{Probe, ProbeReport, RATE},
    proof::{Count, Proof, Span},
    slot::SlotState,
};
use crate::{
    delivery::steps::Route,
    run::{PortError, SlotChange, engine_port},
};

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

/// What is watched while a run lasts.
#[derive(Default)]
struct Watch {
    /// The figures when it began.
    begun: Vec<Count>,
    /// The figures of each backend at the first word to it.
    first: Vec<Count>,
    /// Which front ends are asked by us.
    fronts: Vec<Arc<str>>,
    /// Our own requests now.
    asks: Vec<Probe>,
    /// Those that began before the first word to a balancer: what was under way then is waited for beside the run.
    asked: Vec<AbortOnDropHandle<ProbeReport>>,
    /// What had come of those by then.
    before: Vec<ProbeReport>,
}

impl Watch {
    /// From here on it is the switch that is measured.
    fn note(&mut self, count: Count) {
        if self.first.iter().any(|known| known.is_of(&count)) {
            return;
        }
        if self.first.is_empty() {
            let before = std::mem::replace(&mut self.asks, asking(&self.fronts));
            self.before = before.iter().map(Probe::report).collect();
            self.asked = before.into_iter().map(|probe| AbortOnDropHandle::new(tokio::spawn(probe.finish()))).collect();
        }
        self.first.push(count);
    }
}

/// Begins to ask front ends.
fn asking(fronts: &[Arc<str>]) -> Vec<Probe> {
    let ask = |url: &Arc<str>| match Probe::start(url, RATE) {
        Ok(probe) => Some(probe),
        Err(error) => {
            tracing::warn!(%error, "a front end is not asked by us");
            None
        }
    };
    fronts.iter().filter_map(ask).collect()
}

/// The balancers of one run.
pub struct RunTraffic {
    balancers: Balancers,
    /// By balancer. A lock, as the steps of one run share it; never held while anybody is waited for.
    memory: Mutex<BTreeMap<Arc<str>, Memory>>,
    /// Where front ends are asked by us, by balancer.
    fronts: BTreeMap<Arc<str>, Arc<str>>,
    /// A lock for the same reason.
    watch: Mutex<Watch>,
}

impl RunTraffic {
    /// Over these balancers.
    pub fn new(balancers: Balancers) -> Self {
        Self { balancers, memory: Mutex::default(), fronts: BTreeMap::new(), watch: Mutex::default() }
    }

    /// With the places, by balancer, that are asked by us while a run lasts.
    pub fn with_fronts(mut self, fronts: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        self.fronts = fronts;
        self
    }

    /// A backend now, without remembering it.
    ///
    /// # Errors
    /// What the balancer says, or does not.
    pub async fn show(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        self.backend(self.balancers.get(lb).map_err(told(lb))?, lb, backend).await
    }

    /// The figures of a backend now, for a [`Proof`].
    ///
    /// # Errors
    /// What the balancer says, or does not.
    pub async fn count(&self, lb: &str, backend: &str) -> Result<Count, PortError> {
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        let (standing, found) = join(balancer.verify(), self.backend(balancer, lb, backend)).await;
        let (standing, found) = (standing.map_err(told(lb))?, found?);
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
    async fn look(&self, lb: &str, backend: &str) -> Result<(Standing, Backend), PortError> {
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        // Both at once: over a link every question has its price.
        let (standing, found) = join(balancer.verify(), self.backend(balancer, lb, backend)).await;
        let (standing, found) = (standing.map_err(told(lb))?, found?);
        let life = Arc::clone(&standing.life);
        let now: Seen = found.slots.iter().map(|slot| (Arc::clone(&slot.name), (slot.address, slot.state))).collect();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.entry(lb.into()).or_default();
        if known.life.as_ref().is_some_and(|before| *before != life) {
            let lost = known.backends.get(backend).is_some_and(|before| before.iter().any(|(slot, was)| now.get(slot) != Some(was)));
            if lost {
                return Err(PortError::Undone(format!(
                    "balancer {lb} was restarted meanwhile and forgot what this run did: see `traffic show`, mend it with `traffic sync`, \
                     then resume; with `persist` it would remember"
                )));
            }
            tracing::info!(lb, %life, "the balancer was restarted and remembers its slots");
        }
        known.life = Some(life);
        known.backends.insert(backend.into(), now);
        Ok((standing, found))
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

    async fn change(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        let (standing, found) = self.look(lb, backend).await?;
        self.watched().note(Count::of(&lb.into(), &found, &standing));
        let slot = |name: &Arc<str>| found.slots.iter().find(|slot| slot.name == *name);
        let named = changes.iter().map(|(name, change)| {
            let known = slot(name).ok_or_else(|| PortError::Refused(format!("backend {backend} of {lb} has no slot {name}")));
            known.map(|slot| (slot, *change))
        });
        let named: Vec<(&Slot, SlotChange)> = named.collect::<Result<_, _>>()?;
        let balancer = self.balancers.get(lb).map_err(told(lb))?;
        let mut done = Vec::new();
        let changed = carry_out(balancer, (lb, backend), &named, &mut done).await;
        let unwritten = match balancer.persist().await.map_err(|error| (error.to_string(), told(lb)(error))) {
            Ok(_) => None,
            // Whoever went away between the change and its record may come back without it: that is for the next try to see.
            Err((_, away @ PortError::Away(_))) => return changed.and(Err(away)),
            Err((why, _)) => {
                tracing::warn!(lb, why, "a restart of the balancer would undo this change");
                Some(why)
            }
        };
        done.into_iter().for_each(|(slot, change)| self.remember(lb, backend, slot, change));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.entry(lb.into()).or_default().unwritten = unwritten;
        changed
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures of backends, as far as their balancers tell.
    async fn counts(&self, backends: BTreeSet<(Arc<str>, Arc<str>)>) -> Vec<Count> {
        let counts = backends.iter().map(|(lb, backend)| async move {
            let counted = self.count(lb, backend).await;
            counted.inspect_err(|error| tracing::warn!(%lb, %backend, %error, "what it serves is not counted")).ok()
        });
        join_all(counts).await.into_iter().flatten().collect()
    }
}

/// Tells the balancer, change by change; `made` is what it took.
async fn carry_out<'a>(
    balancer: &Arc<dyn Balancer>,
    (lb, backend): (&str, &str),
    changes: &[(&'a Slot, SlotChange)],
    made: &mut Vec<(&'a Slot, SlotChange)>,
) -> Result<(), PortError> {
    let mut left = changes;
    while let Some(((slot, change), rest)) = left.split_first() {
        // Several that were in use or waited are told in one word: nobody sees half of a switch.
        let state = |(slot, change): &(&Slot, SlotChange)| match change {
            SlotChange::State(state) if slot.state != SlotState::Maint => Some((Arc::clone(&slot.name), *state)),
            SlotChange::State(_) | SlotChange::Address(..) | SlotChange::Weight(_) => None,
        };
        let together: Vec<_> = left.iter().map_while(state).collect();
        if together.len() > 1 {
            let (done, rest) = left.split_at(together.len());
            balancer.set_states(backend, &together).await.map_err(told(lb))?;
            made.extend_from_slice(done);
            left = rest;
            continue;
        }
        let name = &*slot.name;
        let changed = match *change {
            // It drains from then on: what checks it could not be trusted otherwise.
            SlotChange::Address(ip, port) => balancer.add(backend, name, SocketAddr::new(ip, port)).await,
            SlotChange::State(SlotState::Ready) => balancer.ready(backend, name).await,
            SlotChange::State(SlotState::Drain) => balancer.drain(backend, name).await,
            SlotChange::State(SlotState::Maint) => balancer.remove(backend, name).await,
            SlotChange::Weight(share) => balancer.set_weight(backend, name, share).await,
        };
        changed.map_err(told(lb))?;
        made.push((*slot, *change));
        left = rest;
    }
    Ok(())
}

impl engine_port::Balancer for RunTraffic {
    async fn slots(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        self.look(lb, backend).await.map(|(_, found)| found)
    }

    async fn set_slots(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        self.change(lb, backend, changes).await
    }

    async fn proof_begins(&self, routes: &[Route]) -> Vec<Count> {
        let lbs: BTreeSet<&Arc<str>> = routes.iter().map(|route| &route.lb).collect();
        let fronts: Vec<_> = lbs.into_iter().filter_map(|lb| self.fronts.get(lb).cloned()).collect();
        let asks = asking(&fronts);
        let begun = self.counts(routes.iter().map(|route| (Arc::clone(&route.lb), Arc::clone(&route.backend))).collect()).await;
        *self.watched() = Watch { begun: begun.clone(), fronts, asks, ..Watch::default() };
        begun
    }

    async fn proof_so_far(&self, begun: &[Count]) -> Option<Proof> {
        let now = self.counts(begun.iter().map(|count| (Arc::clone(&count.lb), Arc::clone(&count.backend))).collect()).await;
        let watch = self.watched();
        let asked: Vec<_> = watch.asks.iter().map(Probe::report).collect();
        // Until the first word to a balancer it is the time before that is measured.
        let (before, during) = match &*watch.first {
            [] => (ProbeReport::of_all(&asked), None),
            _ => (ProbeReport::of_all(&watch.before), ProbeReport::of_all(&asked)),
        };
        let proof = Proof { before: Span { probe: before, ..Span::default() }, during: Span::between(begun, &now, during) };
        (proof != Proof::default()).then_some(proof)
    }

    async fn proof_ends(&self, begun: &[Count]) -> Option<Proof> {
        let watch = std::mem::take(&mut *self.watched());
        let after = self.counts(begun.iter().map(|count| (Arc::clone(&count.lb), Arc::clone(&count.backend))).collect()).await;
        let mut before = Vec::new();
        for asked in watch.asked {
            // One that was ended with its process is missed by nobody.
            before.extend(asked.await.ok());
        }
        let during = join_all(watch.asks.into_iter().map(Probe::finish)).await;
        let (before, during) = (ProbeReport::of_all(&before), ProbeReport::of_all(&during));
        // A run that carries another's on counts from where that one began.
        let proof = match watch.begun == begun {
            true => {
                let first: Vec<_> =
                    begun.iter().map(|count| watch.first.iter().find(|first| first.is_of(count)).unwrap_or(count).clone()).collect();
                Proof { before: Span::between(begun, &first, before), during: Span::between(&first, &after, during) }
            }
            false => Proof { before: Span::default(), during: Span::between(begun, &after, during) },
        };
        (proof != Proof::default()).then_some(proof)
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

#[cfg(test)]
mod tests;
