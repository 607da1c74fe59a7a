//! A balancer's slots for our containers. A slot is known by the address that it sends to and by nothing else, so every look is a fresh one.
//!
//! A filled slot goes to drain first: a balancer counts a server as up before it has checked it, and would send it requests that nobody answers.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::{try_join, try_join_all};
use tokio::sync::Mutex;

use super::{
    failure::{Failure, FailureKind},
    gate::{place, published, wait},
    pace::Pace,
    perform::may_run,
    port::{Place, Port, Question, SlotChange, SlotState},
    pulse::Vigil,
};
use crate::{
    delivery::{
        observed::{BoundPort, bound_ports},
        release::label,
        spec::{Compare, Protocol},
        steps::{FULL, Member, Route, Watched},
    },
    fleet::{ContainerSummary, HostId},
    text::counted,
    traffic::{Backend, Check, Slot, free},
};

/// A check that has not come by then will not come.
const CHECKED: Duration = Duration::from_secs(30);
/// Between two looks at figures that are compared.
const COMPARED: Duration = Duration::from_secs(1);
/// Below this share of failures an old version counts as one that has so many: no version fails less than never.
const LEAST_ERRORS: f64 = 0.001;

/// Where slots are filled: one at a time, and never one that is another container's.
pub(super) struct Filling<'a> {
    /// Two steps of a run must not find the same slot free.
    pub(super) turn: &'a Mutex<()>,
    /// Where containers of ours may be.
    pub(super) hosts: &'a [HostId],
}

fn address<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route) -> Result<SocketAddr, Failure> {
    let refused = |text: String| Failure::new(FailureKind::Refused, text);
    let ip = port.address(host).ok_or_else(|| refused(format!("the balancer {} needs an `address` of host {host:?}", route.lb)))?;
    let outside = published(found, route.port);
    let outside = outside.ok_or_else(|| refused(format!("{} does not publish port {} for {}", found.name, route.port, route.backend)))?;
    Ok(SocketAddr::new(ip, outside))
}

/// Its slot: of several with one address, as an accident leaves them, the one that is in use.
fn at(backend: &Backend, address: SocketAddr) -> Option<&Slot> {
    let of_it = backend.slots.iter().filter(|slot| slot.address == Some(address));
    of_it.min_by_key(|slot| slot.state == SlotState::Maint)
}

async fn slot<P: Port>(port: &P, route: &Route, address: SocketAddr) -> Result<Option<Slot>, Failure> {
    Ok(at(&port.slots(&route.lb, &route.backend).await?, address).cloned())
}

async fn set<P: Port>(port: &P, route: &Route, slot: &Slot, changes: &[SlotChange]) -> Result<(), Failure> {
    let changes: Vec<_> = changes.iter().map(|change| (Arc::clone(&slot.name), *change)).collect();
    Ok(port.set_slots(&route.lb, &route.backend, &changes).await?)
}

/// Gives a container requests.
pub(super) async fn admit<P: Port>(
    (port, vigil, filling): (&P, &Vigil<'_>, Filling<'_>),
    host: &HostId,
    found: &ContainerSummary,
    route: &Route,
    weight: u16,
) -> Result<(), Failure> {
    let at = address(port, host, found, route)?;
    let filled = fill(port, filling, route, at).await?;
    let share = (filled.share != weight).then_some(SlotChange::Weight(weight));
    if filled.state != SlotState::Ready {
        checked(port, vigil, route, at).await?;
        let place = place(port, host, found, route.port).await?;
        answers(port, host, found, place).await?;
        let changes: Vec<_> = share.into_iter().chain([SlotChange::State(SlotState::Ready)]).collect();
        set(port, route, &filled, &changes).await?;
    } else if let Some(share) = share {
        set(port, route, &filled, &[share]).await?;
    }
    Ok(())
}

/// A slot with this address that is no more in maintenance.
async fn fill<P: Port>(port: &P, filling: Filling<'_>, route: &Route, at: SocketAddr) -> Result<Slot, Failure> {
    let _one_at_a_time = filling.turn.lock().await;
    loop {
        let backend = port.slots(&route.lb, &route.backend).await?;
        if let Some(own) = self::at(&backend, at) {
            if own.state == SlotState::Maint {
                set(port, route, own, &[SlotChange::State(SlotState::Drain)]).await?;
            }
            return Ok(own.clone());
        }
        // One that was never filled is nobody's, whoever else there is.
        let every = backend.slots.iter().filter(|slot| !slot.is_blank()).filter_map(|slot| slot.address).collect();
        let blank = free(&backend.slots, &every).cloned();
        let free = match blank {
            Some(blank) => Some(blank),
            None => free(&backend.slots, &ours(port, filling.hosts).await?).cloned(),
        };
        let Some(free) = free else {
            let text = format!("backend {} of {} has no free slot: add server lines to it", route.backend, route.lb);
            return Err(Failure::new(FailureKind::Refused, text));
        };
        set(port, route, &free, &[SlotChange::Address(at.ip(), at.port())]).await?;
    }
}

/// The addresses of all that runs or may run on the hosts and was deployed by us.
async fn ours<P: Port>(port: &P, hosts: &[HostId]) -> Result<HashSet<SocketAddr>, Failure> {
    let of_host = |host: &HostId| {
        let (host, ip) = (host.clone(), port.address(host));
        async move {
            let all = port.containers(&host).await.map_err(Failure::from)?;
            let run = all.into_iter().filter(|found| may_run(found.state));
            let ports = run.flat_map(|found| found.labels.get(label::PORTS).map(|text| bound_ports(text)).unwrap_or_default());
            let tcp = ports.filter(|port: &BoundPort| port.protocol == Protocol::Tcp);
            Ok::<Vec<_>, Failure>(tcp.filter_map(|bound| Some(SocketAddr::new(ip?, bound.host))).collect())
        }
    };
    Ok(try_join_all(hosts.iter().map(of_host)).await?.into_iter().flatten().collect())
}

/// A check has passed since the slot got its address.
async fn checked<P: Port>(port: &P, vigil: &Vigil<'_>, route: &Route, at: SocketAddr) -> Result<(), Failure> {
    let (begun, mut pace) = (port.now(), Pace::default());
    loop {
        let why = match slot(port, route, at).await?.map(|slot| slot.check) {
            // Without checks nothing but our own probe can tell.
            Some(Check::Passed | Check::Never) => return Ok(()),
            Some(Check::Failed(why)) => format!("its checks say {why}"),
            Some(Check::Awaited | Check::Asleep) => "no check has ended".to_owned(),
            None => return Err(Failure::gate(format!("its slot of {} was given to another", route.backend))),
        };
        if (port.now() - begun).to_std().unwrap_or_default() >= CHECKED {
            return Err(Failure::gate(format!("the balancer {} does not see it up within {CHECKED:?}: {why}", route.lb)));
        }
        vigil.waits_for(&format!("{}: {why}", route.lb));
        wait(port, vigil, pace.next()).await?;
    }
}

async fn answers<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, place: Place) -> Result<(), Failure> {
    let answer = port.probe(host, &found.id, &Question::Tcp { at: place }).await?;
    answer.map_err(|answer| Failure::gate(format!("it takes no connections: {answer}")))
}

/// Sends a container nothing new and waits for what it has; at the deadline what is left is cut when it stops.
pub(super) async fn drain<P: Port>(
    (port, vigil): (&P, &Vigil<'_>),
    host: &HostId,
    found: &ContainerSummary,
    route: &Route,
    within: Duration,
) -> Result<(), Failure> {
    let address = address(port, host, found, route)?;
    let backend = port.slots(&route.lb, &route.backend).await?;
    match at(&backend, address) {
        Some(slot) if slot.state == SlotState::Ready => set(port, route, slot, &[SlotChange::State(resting(&backend))]).await?,
        Some(Slot { state: SlotState::Drain, .. }) => {}
        // What went to maintenance with requests under way still answers them.
        Some(slot) if slot.sessions > 0 => {}
        Some(_) | None => return Ok(()),
    }
    let (begun, mut pace) = (port.now(), Pace::default());
    loop {
        match slot(port, route, address).await? {
            Some(slot) if slot.sessions > 0 && (port.now() - begun).to_std().unwrap_or_default() < within => {
                vigil.waits_for(&format!("{} under way", counted(usize::try_from(slot.sessions).unwrap_or(usize::MAX), "request")));
                port.sleep(pace.next()).await;
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// What sends a server nothing new: where clients stick to theirs they would still come while it drains.
fn resting(backend: &Backend) -> SlotState {
    if backend.sticky { SlotState::Maint } else { SlotState::Drain }
}

/// Whether it gets requests.
pub(super) async fn serves<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route) -> Result<bool, Failure> {
    let slot = slot(port, route, address(port, host, found, route)?).await?;
    Ok(slot.is_some_and(|slot| slot.state == SlotState::Ready))
}

/// Frees a container's slot.
pub(super) async fn withdraw<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route) -> Result<(), Failure> {
    match slot(port, route, address(port, host, found, route)?).await? {
        Some(slot) if slot.state != SlotState::Maint => set(port, route, &slot, &[SlotChange::State(SlotState::Maint)]).await,
        Some(_) | None => Ok(()),
    }
}

/// All requests go from some containers to others, in one word to the balancer where the others only wait for it.
pub(super) async fn switch<P: Port>(
    (port, vigil, turn, hosts): (&P, &Vigil<'_>, &Mutex<()>, &[HostId]),
    route: &Route,
    to: &[Member],
    from: &[Member],
) -> Result<(), Failure> {
    let (to, from) = try_join(members(port, route, to), members(port, route, from)).await?;
    if to.is_empty() {
        return Err(Failure::new(
            FailureKind::Refused,
            format!("none of those that should get the requests of {} is there", route.backend),
        ));
    }
    let waits = |backend: &Backend, address: SocketAddr| {
        let passed = |slot: &Slot| slot.state == SlotState::Ready || matches!(slot.check, Check::Passed | Check::Never);
        at(backend, address).is_some_and(|slot| slot.state != SlotState::Maint && passed(slot))
    };
    let mut backend = port.slots(&route.lb, &route.backend).await?;
    let cold = to.iter().filter(|(_, _, address)| !waits(&backend, *address));
    let cold: Vec<_> = cold.map(|(host, found, _)| admit((port, vigil, Filling { turn, hosts }), host, found, route, FULL)).collect();
    if !cold.is_empty() {
        try_join_all(cold).await?;
        backend = port.slots(&route.lb, &route.backend).await?;
    }
    let mut changes = Vec::new();
    let mut tell = |slot: &Slot, change| changes.push((Arc::clone(&slot.name), change));
    for slot in to.iter().filter_map(|(_, _, address)| at(&backend, *address)) {
        if slot.share != FULL {
            tell(slot, SlotChange::Weight(FULL));
        }
        if slot.state != SlotState::Ready {
            tell(slot, SlotChange::State(SlotState::Ready));
        }
    }
    for slot in from.iter().filter_map(|(_, _, address)| at(&backend, *address)).filter(|slot| slot.state == SlotState::Ready) {
        tell(slot, SlotChange::State(resting(&backend)));
    }
    match changes.is_empty() {
        true => Ok(()),
        false => Ok(port.set_slots(&route.lb, &route.backend, &changes).await?),
    }
}

/// Those of them that are there, and where they are reached.
async fn members<P: Port>(port: &P, route: &Route, members: &[Member]) -> Result<Vec<(HostId, ContainerSummary, SocketAddr)>, Failure> {
    let one = |member: &Member| {
        let member = member.clone();
        async move {
            let all = port.containers(&member.host).await?;
            let Some(found) = all.into_iter().find(|found| member.container.is(&found.id, &found.name)) else { return Ok(None) };
            let address = address(port, &member.host, &found, route)?;
            Ok::<_, Failure>(Some((member.host, found, address)))
        }
    };
    Ok(try_join_all(members.iter().map(one)).await?.into_iter().flatten().collect())
}

/// Gives a container this share.
pub(super) async fn weigh<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, route: &Route, to: u16) -> Result<(), Failure> {
    match slot(port, route, address(port, host, found, route)?).await? {
        Some(slot) if slot.share != to => set(port, route, &slot, &[SlotChange::Weight(to)]).await,
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
        self.served += slot.counters.requests;
        self.failed += slot.counters.failed();
        self.latency += slot.latency_ms;
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
    vigil: &Vigil<'_>,
    route: &Route,
    new: &[Watched],
    (time, limits): (Duration, &Compare),
) -> Result<(), Failure> {
    let begun = port.now();
    let first = figures(port, route, new).await?;
    loop {
        wait(port, vigil, COMPARED.min(time.max(Duration::from_millis(100)))).await?;
        let now = figures(port, route, new).await?;
        let (fresh, old) = (now.0.since(first.0), now.1.since(first.1));
        vigil.waits_for(&format!(
            "{} of {} requests failed on the new ones, {} of {} on the old; {} are needed",
            fresh.failed, fresh.served, old.failed, old.served, limits.min_requests
        ));
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
    for slot in port.slots(&route.lb, &route.backend).await?.slots.iter().filter(|slot| slot.state == SlotState::Ready) {
        match slot.address.is_some_and(|address| addresses.contains(&address)) {
            true => fresh.add(slot),
            false => old.add(slot),
        }
    }
    Ok((fresh, old))
}
