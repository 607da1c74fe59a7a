//! A balancer's slots for our containers. A slot is known by the address that it sends to and by nothing else, so every look is a fresh one.
//!
//! A filled slot goes to drain first: a balancer counts a server as up before it has checked it, and would send it requests that nobody answers.

use std::{net::IpAddr, time::Duration};

use tokio::sync::Mutex;

use super::{
    failure::{Failure, FailureKind},
    gate::{place, published, wait},
    halt::Halt,
    port::{Place, Port, Question, Slot, SlotChange, SlotState},
};
use crate::{
    delivery::{
        spec::Compare,
        steps::{Route, Watched},
    },
    fleet::{ContainerSummary, HostId},
};

/// Between two looks at a slot.
const LOOK: Duration = Duration::from_millis(100);
/// A check that has not come by then will not come.
const CHECKED: Duration = Duration::from_secs(30);
/// Below this share of failures an old version counts as one that has so many: no version fails less than never.
const LEAST_ERRORS: f64 = 0.001;

fn address<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route) -> Result<(IpAddr, u16), Failure> {
    let refused = |text: String| Failure::new(FailureKind::Refused, text);
    let ip = port.address(host).ok_or_else(|| refused(format!("the balancer {} needs an `address` of host {host:?}", route.lb)))?;
    let outside = published(found, route.port);
    let outside = outside.ok_or_else(|| refused(format!("{} does not publish port {} for {}", found.name, route.port, route.backend)))?;
    Ok((ip, outside))
}

async fn slot<P: Port>(port: &P, route: &Route, address: (IpAddr, u16)) -> Result<Option<Slot>, Failure> {
    let slots = port.slots(&route.lb, &route.backend).await?;
    Ok(slots.into_iter().find(|slot| slot.address == Some(address)))
}

async fn set<P: Port>(port: &P, route: &Route, slot: &Slot, change: SlotChange) -> Result<(), Failure> {
    Ok(port.set_slot(&route.lb, &route.backend, &slot.name, change).await?)
}

/// Gives a container requests.
pub(super) async fn admit<P: Port>(
    (port, halt, filling): (&P, &Halt, &Mutex<()>),
    host: &HostId,
    found: &ContainerSummary,
    route: &Route,
    weight: u16,
) -> Result<(), Failure> {
    let at = address(port, host, found, route)?;
    let filled = {
        // Two steps of this run must not find the same slot free.
        let _one_at_a_time = filling.lock().await;
        fill(port, route, at).await?
    };
    if filled.state != SlotState::Ready {
        checked(port, halt, route, at, filled.checks).await?;
        let place = place(port, host, found, route.port).await?;
        answers(port, host, found, place).await?;
        set(port, route, &filled, SlotChange::Weight(weight)).await?;
        set(port, route, &filled, SlotChange::State(SlotState::Ready)).await?;
    } else if filled.weight != weight {
        set(port, route, &filled, SlotChange::Weight(weight)).await?;
    }
    Ok(())
}

/// A slot with this address that is no more in maintenance.
async fn fill<P: Port>(port: &P, route: &Route, at: (IpAddr, u16)) -> Result<Slot, Failure> {
    loop {
        let slots = port.slots(&route.lb, &route.backend).await?;
        if let Some(own) = slots.iter().find(|slot| slot.address == Some(at)) {
            if own.state == SlotState::Maint {
                set(port, route, own, SlotChange::State(SlotState::Drain)).await?;
            }
            return Ok(own.clone());
        }
        let Some(free) = slots.iter().find(|slot| slot.state == SlotState::Maint) else {
            let text = format!("backend {} of {} has no free slot: add server lines to it", route.backend, route.lb);
            return Err(Failure::new(FailureKind::Refused, text));
        };
        set(port, route, free, SlotChange::Address(at.0, at.1)).await?;
    }
}

/// A check that began after the slot got its address has passed.
async fn checked<P: Port>(port: &P, halt: &Halt, route: &Route, at: (IpAddr, u16), before: u64) -> Result<(), Failure> {
    let begun = port.now();
    loop {
        match slot(port, route, at).await? {
            Some(slot) if slot.up && slot.checks > before => return Ok(()),
            Some(_) if (port.now() - begun).to_std().unwrap_or_default() >= CHECKED => {
                return Err(Failure::gate(format!("the balancer {} does not see it up within {CHECKED:?}", route.lb)));
            }
            Some(_) => wait(port, halt, LOOK).await?,
            None => return Err(Failure::gate(format!("its slot of {} was given to another", route.backend))),
        }
    }
}

async fn answers<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, place: Place) -> Result<(), Failure> {
    let answer = port.probe(host, &found.id, &Question::Tcp { at: place }).await?;
    answer.map_err(|answer| Failure::gate(format!("it takes no connections: {answer}")))
}

/// Sends a container nothing new and waits for what it has; at the deadline what is left is cut when it stops.
pub(super) async fn drain<P: Port>(
    port: &P,
    host: &HostId,
    found: &ContainerSummary,
    route: &Route,
    within: Duration,
) -> Result<(), Failure> {
    let at = address(port, host, found, route)?;
    match slot(port, route, at).await? {
        Some(slot) if slot.state == SlotState::Ready => set(port, route, &slot, SlotChange::State(SlotState::Drain)).await?,
        Some(Slot { state: SlotState::Drain, .. }) => {}
        Some(_) | None => return Ok(()),
    }
    let begun = port.now();
    loop {
        match slot(port, route, at).await? {
            Some(slot) if slot.sessions > 0 && (port.now() - begun).to_std().unwrap_or_default() < within => port.sleep(LOOK).await,
            Some(_) | None => return Ok(()),
        }
    }
}

/// Frees a container's slot.
pub(super) async fn withdraw<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route) -> Result<(), Failure> {
    match slot(port, route, address(port, host, found, route)?).await? {
        Some(slot) if slot.state != SlotState::Maint => set(port, route, &slot, SlotChange::State(SlotState::Maint)).await,
        Some(_) | None => Ok(()),
    }
}

/// Gives a container this share.
pub(super) async fn weigh<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route, to: u16) -> Result<(), Failure> {
    match slot(port, route, address(port, host, found, route)?).await? {
        Some(slot) if slot.weight != to => set(port, route, &slot, SlotChange::Weight(to)).await,
        Some(_) => Ok(()),
        None => Err(Failure::new(FailureKind::Refused, format!("{} has no slot in {}", found.name, route.backend))),
    }
}

/// Figures of one side.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    served: u64,
    failed: u64,
    latency: u64,
    slots: u64,
}

impl Figures {
    fn add(&mut self, slot: &Slot) {
        self.served += slot.served.0;
        self.failed += slot.served.1;
        self.latency += slot.latency;
        self.slots += 1;
    }

    fn since(self, begin: Self) -> Self {
        Self { served: self.served.saturating_sub(begin.served), failed: self.failed.saturating_sub(begin.failed), ..self }
    }

    #[allow(clippy::cast_precision_loss, reason = "a share of requests")]
    fn errors(self) -> f64 {
        self.failed as f64 / self.served.max(1) as f64
    }

    #[allow(clippy::cast_precision_loss, reason = "milliseconds")]
    fn average(self) -> f64 {
        self.latency as f64 / self.slots.max(1) as f64
    }
}

/// Holds the new ones' figures against the old ones' until there was enough time and there were enough requests. Too few: it waits, it never passes.
pub(super) async fn compare<P: Port>(
    port: &P,
    halt: &Halt,
    route: &Route,
    new: &[Watched],
    (time, limits): (Duration, &Compare),
) -> Result<(), Failure> {
    let begun = port.now();
    let first = figures(port, route, new).await?;
    loop {
        wait(port, halt, Duration::from_secs(1).min(time.max(LOOK))).await?;
        let now = figures(port, route, new).await?;
        let (fresh, old) = (now.0.since(first.0), now.1.since(first.1));
        if fresh.served >= limits.min_requests {
            if fresh.errors() > limits.errors * old.errors().max(LEAST_ERRORS) {
                let (failed, served) = (fresh.failed, fresh.served);
                return Err(Failure::gate(format!(
                    "{failed} of {served} requests failed, {} of {} on the old ones",
                    old.failed, old.served
                )));
            }
            if old.slots > 0 && fresh.average() > limits.latency * old.average().max(1.0) {
                return Err(Failure::gate(format!("answers take {:.0} ms, {:.0} ms on the old ones", fresh.average(), old.average())));
            }
            if (port.now() - begun).to_std().unwrap_or_default() >= time {
                return Ok(());
            }
        }
    }
}

async fn figures<P: Port>(port: &P, route: &Route, new: &[Watched]) -> Result<(Figures, Figures), Failure> {
    let mut addresses = Vec::new();
    for watched in new {
        let all = port.containers(&watched.host).await?;
        let found = all.iter().find(|found| found.name == watched.container.name || Some(&found.id) == watched.container.id.as_ref());
        if let Some(found) = found {
            addresses.push(address(port, &watched.host, found, route)?);
        }
    }
    let (mut fresh, mut old) = (Figures::default(), Figures::default());
    for slot in port.slots(&route.lb, &route.backend).await?.iter().filter(|slot| slot.state == SlotState::Ready) {
        match slot.address.is_some_and(|address| addresses.contains(&address)) {
            true => fresh.add(slot),
            false => old.add(slot),
        }
    }
    Ok((fresh, old))
}
