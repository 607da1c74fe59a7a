//! The simulated fleet. What it knows of engines was measured on real ones: names are unique on a host, a taken port shows at the start, `always`
//! comes back when the engine restarts even after a stop by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    task::Waker,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::clock::{Sleep, Turn};
use crate::{
    delivery::{
        observed::{BoundPort, HostView, Observed, Sight, word},
        plan::{Blueprint, fixture::address},
        release::{DeploymentId, Names, label},
        spec::Restart,
        steps::Route,
        strategies::Capacity,
    },
    fleet::{self, AppName, ContainerId, ContainerState, ContainerSummary, EnvironmentId, Health, HostId, ImageId, ImageRef, ServiceName},
    run::{
        Life, MarkOrder, Order, Place, Port, PortError, Pulse, Question, Records, RecordsError, SlotChange, SlotState,
        journal::{self, Entry, Word},
    },
    traffic::{
        Backend, Check, Counters, Slot,
        proof::{Count, Proof},
        slot,
    },
};

/// Until a started container serves.
const WARM_UP: TimeDelta = TimeDelta::seconds(2);

/// Engines' clocks are wrong, as clocks are.
const ENGINE_AHEAD: TimeDelta = TimeDelta::seconds(300);

/// What a version does once it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Sick,
    Crashes,
    /// Serves, and ends so many seconds after its start.
    EndsAfter(i64),
    JobFails,
}

#[derive(Clone, Debug)]
pub(super) struct Sim {
    pub(super) id: ContainerId,
    pub(super) name: Arc<str>,
    pub(super) image: Arc<str>,
    pub(super) labels: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) ports: Vec<BoundPort>,
    pub(super) restart: Restart,
    pub(super) state: ContainerState,
    pub(super) started: DateTime<Utc>,
    created: DateTime<Utc>,
    pub(super) exit_code: Option<i64>,
    pub(super) starts: u64,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    by_hand: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SimHost {
    pub(super) containers: Vec<Sim>,
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    images: BTreeSet<String>,
    /// Ports of somebody else, who cannot be seen.
    pub(super) squatters: BTreeSet<u16>,
    pub(super) away: bool,
}

/// What goes wrong at a point.
type Break = fn(&mut State);

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) now: DateTime<Utc>,
    pub(super) timers: Vec<(DateTime<Utc>, Waker)>,
    pub(super) hosts: BTreeMap<HostId, SimHost>,
    pub(super) slots: Vec<Slot>,
    pub(super) natures: BTreeMap<Arc<str>, Nature>,
    pub(super) rows: Vec<String>,
    pub(super) bundles: Vec<Vec<(String, Vec<u8>)>>,
    /// What those who look on were told.
    pub(super) pulses: Vec<Pulse>,
    pub(super) order: Order,
    pub(super) answer: Option<Result<(), Arc<str>>>,
    pub(super) jobs_run: Vec<Arc<str>>,
    pub(super) points: u64,
    pub(super) kill_at: Option<u64>,
    pub(super) killed: bool,
    /// Called at a point, to break something there.
    pub(super) breaks: Vec<(u64, Break)>,
    pub(super) promise: BTreeMap<ServiceName, Capacity>,
    pub(super) broken: Vec<String>,
    pub(super) lines: Vec<String>,
    /// The balancer's clients stick to their servers.
    pub(super) sticky: bool,
    /// The balancer was restarted under the run.
    pub(super) forgetful: bool,
    ids: u64,
}

impl Clone for World {
    fn clone(&self) -> Self {
        self.fork()
    }
}

/// Everything outside of the run.
pub(super) struct World(Mutex<State>);

pub(super) fn names() -> (AppName, EnvironmentId) {
    (AppName::new("shop"), EnvironmentId::new("production"))
}

impl World {
    pub(super) fn new(hosts: &[HostId]) -> Self {
        let slot = |n: usize| Slot { latency_ms: 10, ..slot::sample(&format!("s{n}"), Some("127.0.0.1:1"), SlotState::Maint) };
        Self(Mutex::new(State {
            now: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            timers: Vec::new(),
            hosts: hosts.iter().map(|host| (host.clone(), SimHost::default())).collect(),
            slots: (1..=2 * hosts.len() + 1).map(slot).collect(),
            natures: BTreeMap::new(),
            rows: Vec::new(),
            bundles: Vec::new(),
            pulses: Vec::new(),
            order: Order::GoOn,
            answer: Some(Ok(())),
            jobs_run: Vec::new(),
            points: 0,
            kill_at: None,
            killed: false,
            breaks: Vec::new(),
            promise: BTreeMap::new(),
            broken: Vec::new(),
            lines: Vec::new(),
            sticky: false,
            forgetful: false,
            ids: 0,
        }))
    }

    /// Another world that is like this one now.
    pub(super) fn fork(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn story(&self) -> String {
        self.lock().lines.join("\n")
    }

    /// What a look over all hosts gives a plan.
    pub(super) fn observe(&self) -> Observed {
        let (app, environment) = names();
        let state = self.lock();
        let hosts = state.hosts.iter().map(|(host, sim)| {
            let all: Vec<_> = sim.containers.iter().map(|sim| sim.summary()).collect();
            (host.clone(), Sight::Seen(HostView::read(Names { app: &app, environment: &environment }, Some(address(host)), &all, &[])))
        });
        Observed { hosts: hosts.collect(), ..Observed::default() }
    }

    /// A point at which the process may die: then this never comes back.
    async fn point(&self, what: impl FnOnce() -> String) {
        let dead = {
            let mut state = self.lock();
            state.points += 1;
            let at = state.points;
            let line = format!("{at:>4} {} {}", state.now.format("%M:%S%.3f"), what());
            state.lines.push(line);
            let due: Vec<_> = state.breaks.iter().filter(|(point, _)| *point == at).map(|(_, act)| *act).collect();
            due.into_iter().for_each(|act| act(&mut state));
            state.check();
            state.killed |= state.kill_at == Some(at);
            state.killed
        };
        if dead {
            pending::<()>().await;
        }
        Turn::default().await;
    }

    /// An effect between two points.
    async fn act<T>(&self, what: String, act: impl FnOnce(&mut State) -> T) -> T {
        self.point(|| format!("… {what}")).await;
        let done = {
            let mut state = self.lock();
            let done = act(&mut state);
            state.check();
            done
        };
        self.point(|| format!("✓ {what}")).await;
        done
    }
}

impl Sim {
    fn nature(&self, state: &State) -> Option<Nature> {
        state.natures.get(&self.image).copied()
    }

    pub(super) fn serves(&self, state: &State) -> bool {
        let up = self.state == ContainerState::Running && state.now - self.started >= WARM_UP;
        up && self.nature(state) != Some(Nature::Sick)
    }

    fn summary(&self) -> ContainerSummary {
        let port = |port: &BoundPort| fleet::Port {
            address: Some("0.0.0.0".into()),
            public: Some(port.host),
            private: port.container,
            protocol: word(port.protocol).into(),
        };
        ContainerSummary {
            id: self.id.clone(),
            name: Arc::clone(&self.name),
            image: ImageRef::parse(&self.image),
            image_id: ImageId::new("sha256:aa"),
            labels: Arc::new(self.labels.clone()),
            state: self.state,
            health: Health::None,
            exit_code: self.exit_code,
            created: self.created,
            ports: if self.state == ContainerState::Running { self.ports.iter().map(port).collect() } else { Vec::new() },
            command: "".into(),
        }
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.labels.get(key).is_some_and(|label| **label == *value)
    }
}

impl State {
    /// The clock goes on to the next moment somebody waits for.
    pub(super) fn next_moment(&mut self) -> bool {
        let Some(next) = self.timers.iter().map(|(until, _)| *until).min() else { return false };
        self.now = self.now.max(next);
        self.live();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.timers).into_iter().partition(|(until, _)| *until <= self.now);
        self.timers = later;
        due.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }

    /// What goes on by itself: containers end, checks are made, requests served.
    fn live(&mut self) {
        let now = self.now;
        let natures = self.natures.clone();
        for sim in self.hosts.values_mut().flat_map(|host| &mut host.containers).filter(|sim| sim.state == ContainerState::Running) {
            let age = (now - sim.started).num_seconds();
            let nature = natures.get(&sim.image).copied();
            let job = sim.is(label::KIND, "job");
            let code = match nature {
                Some(Nature::Crashes) if !job => Some(1),
                Some(Nature::EndsAfter(seconds)) if age >= seconds && !job => Some(2),
                Some(Nature::JobFails) if job && age >= 1 => Some(3),
                _ if job && age >= 1 => Some(0),
                _ => None,
            };
            if code.is_some() {
                sim.state = ContainerState::Exited;
                sim.exit_code = code;
            }
        }
        let serving = self.serving_addresses();
        for slot in self.slots.iter_mut().filter(|slot| slot.state != SlotState::Maint) {
            let up = slot.address.is_some_and(|address| serving.contains(&address));
            slot.check = if up { Check::Passed } else { Check::Failed("connection refused".into()) };
            slot.counters.requests += 100;
        }
    }

    fn serving_addresses(&self) -> BTreeSet<SocketAddr> {
        let all = self.hosts.iter().flat_map(|(host, sim)| sim.containers.iter().map(move |sim| (host, sim)));
        let serving = all.filter(|(_, sim)| sim.serves(self));
        serving.flat_map(|(host, sim)| sim.ports.iter().map(|port| SocketAddr::new(address(host), port.host))).collect()
    }

    /// How many of a service serve, and how many of them are asked.
    pub(super) fn serving(&self, service: &str) -> usize {
        let all = self.hosts.values().flat_map(|host| &host.containers);
        all.filter(|sim| sim.is(label::SERVICE, service) && !sim.labels.contains_key(label::KIND) && sim.serves(self)).count()
    }

    /// What must hold at every moment.
    fn check(&mut self) {
        let mut broken = Vec::new();
        for (service, capacity) in &self.promise {
            let serving = self.serving(service.as_str());
            if serving < capacity.least {
                broken.push(format!("{serving} of {service} serve, {} were promised", capacity.least));
            }
        }
        let serving = self.serving_addresses();
        let ready: Vec<_> = self.slots.iter().filter(|slot| slot.state == SlotState::Ready).collect();
        for slot in &ready {
            if !slot.address.is_some_and(|address| serving.contains(&address)) {
                broken.push(format!("{} sends requests to {:?}, where nobody answers", slot.name, slot.address));
            }
        }
        let least = self.promise.get("web").map(|capacity| capacity.least);
        if let Some(least) = least.filter(|least| (!ready.is_empty() || self.balanced()) && ready.len() < *least) {
            broken.push(format!("{} get requests, {least} were promised", ready.len()));
        }
        let mut addresses: Vec<_> = self.slots.iter().filter(|slot| slot.state != SlotState::Maint).map(|slot| slot.address).collect();
        addresses.sort();
        if addresses.windows(2).any(|two| two[0] == two[1]) {
            broken.push("two slots send to one address".to_owned());
        }
        let at = self.lines.len();
        self.broken.extend(broken.into_iter().map(|line| format!("after line {at}: {line}")));
    }

    fn balanced(&self) -> bool {
        self.slots.iter().any(|slot| slot.counters.requests > 0)
    }

    /// Every engine starts anew: what runs ends, and policies are obeyed.
    pub(super) fn restart_engines(&mut self) {
        for sim in self.hosts.values_mut().flat_map(|host| &mut host.containers) {
            let was = sim.state == ContainerState::Running;
            let back = match sim.restart {
                Restart::Always => was || sim.state == ContainerState::Exited,
                Restart::UnlessStopped => was || (sim.state == ContainerState::Exited && !sim.by_hand),
                Restart::OnFailure => was,
                Restart::No => false,
            };
            if was {
                sim.exit_code = (!back).then_some(137);
            }
            sim.state = match (sim.state, back) {
                (ContainerState::Created, _) => ContainerState::Created,
                (_, true) => ContainerState::Running,
                (_, false) => ContainerState::Exited,
            };
        }
        self.lines.push("     every engine starts anew".to_owned());
    }

    fn host(&mut self, host: &HostId) -> Result<&mut SimHost, PortError> {
        let sim = self.hosts.get_mut(host).ok_or_else(|| PortError::Refused("no such host".to_owned()))?;
        if sim.away { Err(PortError::Away("no answer".to_owned())) } else { Ok(sim) }
    }

    fn sim(&mut self, host: &HostId, id: &ContainerId) -> Result<&mut Sim, PortError> {
        let gone = || PortError::Gone(format!("no such container {id}"));
        self.host(host)?.containers.iter_mut().find(|sim| sim.id == *id).ok_or_else(gone)
    }

    fn add(&mut self, host: &HostId, name: &Arc<str>, make: impl FnOnce(ContainerId) -> Sim) -> Result<ContainerId, PortError> {
        self.ids += 1;
        let id = ContainerId::new(format!("{:064x}", self.ids));
        let created = self.now + ENGINE_AHEAD;
        let there = self.host(host)?;
        if there.containers.iter().any(|sim| sim.name == *name) {
            return Err(PortError::NameTaken(format!("the name {name} is in use")));
        }
        there.containers.push(Sim { created, ..make(id.clone()) });
        Ok(id)
    }
}

fn sim(id: ContainerId, name: &Arc<str>, labels: &BTreeMap<Arc<str>, Arc<str>>) -> Sim {
    Sim {
        id,
        name: Arc::clone(name),
        image: "".into(),
        labels: labels.clone(),
        ports: Vec::new(),
        restart: Restart::No,
        state: ContainerState::Created,
        started: DateTime::UNIX_EPOCH,
        created: DateTime::UNIX_EPOCH,
        exit_code: None,
        starts: 0,
        files: BTreeMap::new(),
        by_hand: false,
    }
}

impl Port for World {
    async fn containers(&self, host: &HostId) -> Result<Vec<ContainerSummary>, PortError> {
        Turn::default().await;
        Ok(self.lock().host(host)?.containers.iter().map(Sim::summary).collect())
    }

    async fn life(&self, host: &HostId, id: &ContainerId) -> Result<Option<Life>, PortError> {
        Turn::default().await;
        let mut state = self.lock();
        match state.sim(host, id) {
            Ok(sim) => Ok(Some(Life {
                state: sim.state,
                health: Health::None,
                exit_code: sim.exit_code,
                restarts: 0,
                started: sim.started.to_rfc3339().into(),
                address: (sim.state == ContainerState::Running).then_some(IpAddr::from([172, 17, 0, 2])),
            })),
            Err(PortError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn document(&self, host: &HostId, id: &ContainerId) -> Result<Option<Value>, PortError> {
        Turn::default().await;
        let name = Arc::clone(&self.lock().sim(host, id)?.name);
        Ok(Some(json!({ "Name": *name, "State": { "Health": { "Log": [] } } })))
    }

    async fn pull(&self, host: &HostId, image: &str, _: &(dyn Fn(u64, u64) + Sync)) -> Result<(), PortError> {
        self.act(format!("{host} pull {image}"), |state| state.host(host).map(|sim| sim.images.extend([image.to_owned()]))).await
    }

    async fn ensure_network(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        self.act(format!("{host} network {name}"), |state| state.host(host).map(|sim| sim.networks.extend([name.to_owned()]))).await
    }

    async fn ensure_volume(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        self.act(format!("{host} volume {name}"), |state| state.host(host).map(|sim| sim.volumes.extend([name.to_owned()]))).await
    }

    async fn create(&self, host: &HostId, blueprint: &Blueprint) -> Result<ContainerId, PortError> {
        self.act(format!("{host} create {}", blueprint.name), |state| {
            let there = state.host(host)?;
            if !there.images.contains(&*blueprint.image) || !there.networks.contains(&*blueprint.network) {
                return Err(PortError::Refused("no such image or network".to_owned()));
            }
            state.add(host, &blueprint.name, |id| Sim {
                image: Arc::clone(&blueprint.image),
                ports: blueprint.bound(),
                restart: blueprint.restart,
                ..sim(id, &blueprint.name, &blueprint.labels)
            })
        })
        .await
    }

    async fn start(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        self.act(format!("{host} start {}", id.short()), |state| {
            let now = state.now;
            let there = state.host(host)?;
            let ports = there.containers.iter().find(|sim| sim.id == *id).map(|sim| sim.ports.clone()).unwrap_or_default();
            let others = there.containers.iter().filter(|sim| sim.id != *id && sim.state == ContainerState::Running);
            let taken: BTreeSet<_> =
                others.flat_map(|sim| &sim.ports).map(|port| port.host).chain(there.squatters.iter().copied()).collect();
            if let Some(port) = ports.iter().find(|port| taken.contains(&port.host)) {
                return Err(PortError::PortTaken(format!("port {} is already allocated", port.host)));
            }
            let sim = state.sim(host, id)?;
            if sim.state != ContainerState::Running {
                (sim.state, sim.started, sim.exit_code, sim.by_hand) = (ContainerState::Running, now, None, false);
                sim.starts += 1;
                if sim.is(label::KIND, "job") {
                    let name = Arc::clone(&sim.name);
                    state.jobs_run.push(name);
                }
            }
            Ok(())
        })
        .await
    }

    async fn stop(&self, host: &HostId, id: &ContainerId, grace: Duration) -> Result<(), PortError> {
        // It ignores SIGTERM.
        let stubborn = grace / 2;
        Sleep::new(self, stubborn).await;
        self.act(format!("{host} stop {}", id.short()), |state| {
            let sim = state.sim(host, id)?;
            if sim.state == ContainerState::Running {
                (sim.state, sim.exit_code, sim.by_hand) = (ContainerState::Exited, Some(137), true);
            }
            Ok(())
        })
        .await
    }

    async fn rename(&self, host: &HostId, id: &ContainerId, to: &str) -> Result<(), PortError> {
        self.act(format!("{host} rename {} {to}", id.short()), |state| {
            if state.host(host)?.containers.iter().any(|sim| *sim.name == *to && sim.id != *id) {
                return Err(PortError::NameTaken(format!("the name {to} is in use")));
            }
            state.sim(host, id)?.name = to.into();
            Ok(())
        })
        .await
    }

    async fn set_restart(&self, host: &HostId, id: &ContainerId, to: Restart) -> Result<(), PortError> {
        self.act(format!("{host} restart={to:?} {}", id.short()), |state| {
            state.sim(host, id)?.restart = to;
            Ok(())
        })
        .await
    }

    async fn remove(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        self.act(format!("{host} remove {}", id.short()), |state| {
            state.sim(host, id)?;
            state.host(host)?.containers.retain(|sim| sim.id != *id);
            Ok(())
        })
        .await
    }

    async fn tail(&self, host: &HostId, id: &ContainerId, _: u32) -> Result<String, PortError> {
        Turn::default().await;
        Ok(format!("the log of {}\n", self.lock().sim(host, id)?.name))
    }

    async fn mark(&self, host: &HostId, order: &MarkOrder) -> Result<ContainerId, PortError> {
        self.act(format!("{host} mark {}", order.name), |state| state.add(host, &order.name, |id| sim(id, &order.name, &order.labels)))
            .await
    }

    async fn put(&self, host: &HostId, id: &ContainerId, files: &[(&str, &[u8])]) -> Result<(), PortError> {
        let beat = files.iter().any(|(name, _)| *name == "heartbeat");
        let put = |state: &mut State| {
            let sim = state.sim(host, id)?;
            sim.files.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
            Ok(())
        };
        match beat {
            // No death of its own: it changes nothing that anybody carries on.
            true => {
                Turn::default().await;
                put(&mut self.lock())
            }
            false => self.act(format!("{host} put {}", files[0].0), put).await,
        }
    }

    async fn get(&self, host: &HostId, id: &ContainerId, file: &str) -> Result<Option<Vec<u8>>, PortError> {
        Turn::default().await;
        Ok(self.lock().sim(host, id)?.files.get(file).cloned())
    }

    async fn engine_time(&self, host: &HostId) -> Result<DateTime<Utc>, PortError> {
        Turn::default().await;
        let mut state = self.lock();
        state.host(host)?;
        Ok(state.now + ENGINE_AHEAD)
    }

    async fn probe(&self, host: &HostId, id: &ContainerId, question: &Question) -> Result<Result<(), String>, PortError> {
        Turn::default().await;
        let mut state = self.lock();
        let sim = state.sim(host, id)?.clone();
        if let Some(Place::Published { port, .. }) = question.place() {
            assert!(sim.ports.iter().any(|bound| bound.host == *port), "the probe of {} asks another's port {port}", sim.name);
        }
        Ok(if sim.serves(&state) { Ok(()) } else { Err("connection refused".to_owned()) })
    }

    fn address(&self, host: &HostId) -> Option<IpAddr> {
        Some(address(host))
    }

    async fn slots(&self, _: &str, backend: &str) -> Result<Backend, PortError> {
        Turn::default().await;
        let state = self.lock();
        if state.forgetful {
            return Err(PortError::Undone("it was restarted meanwhile and forgot what this run did".to_owned()));
        }
        Ok(Backend { name: backend.into(), sticky: state.sticky, slots: state.slots.clone(), counters: Counters::default() })
    }

    async fn set_slots(&self, _: &str, _: &str, changes: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        let words: Vec<_> = changes.iter().map(|(slot, change)| format!("{slot} {change:?}")).collect();
        self.act(format!("slots {}", words.join(", ")), |state| {
            for (slot, change) in changes {
                let slot = state.slots.iter_mut().find(|known| known.name == *slot).unwrap();
                match *change {
                    SlotChange::Address(ip, port) => {
                        assert_eq!(slot.state, SlotState::Maint, "a slot in use is never pointed elsewhere");
                        slot.address = Some(SocketAddr::new(ip, port));
                        (slot.state, slot.check) = (SlotState::Drain, Check::Awaited);
                    }
                    SlotChange::State(to) => {
                        match (slot.state, to) {
                            (_, SlotState::Maint) => slot.check = Check::Asleep,
                            (SlotState::Maint, SlotState::Ready | SlotState::Drain) => slot.check = Check::Awaited,
                            (SlotState::Ready | SlotState::Drain, SlotState::Ready | SlotState::Drain) => {}
                        }
                        slot.state = to;
                    }
                    SlotChange::Weight(weight) => slot.share = weight,
                }
            }
            Ok(())
        })
        .await
    }

    async fn proof_begins(&self, _: &[Route]) -> Vec<Count> {
        Vec::new()
    }

    async fn proof_so_far(&self, _: &[Count]) -> Option<Proof> {
        None
    }

    async fn proof_ends(&self, _: &[Count]) -> Option<Proof> {
        None
    }

    fn now(&self) -> DateTime<Utc> {
        self.lock().now
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        Sleep::new(self, time)
    }
}

fn told(word: &Word) -> String {
    match word {
        Word::Begun { .. } => "begun".to_owned(),
        Word::Turned { because, .. } => format!("turned: {because}"),
        word => format!("{word:?}"),
    }
}

impl Records for World {
    async fn append(&self, _: &DeploymentId, entries: &[Entry]) -> Result<(), RecordsError> {
        let words: Vec<_> = entries.iter().map(|entry| told(&entry.word)).collect();
        let lines = String::from_utf8(journal::write(entries)).unwrap();
        self.act(format!("journal {}", words.join(", ")), |state| state.rows.extend(lines.lines().map(str::to_owned))).await;
        Ok(())
    }

    async fn pulse(&self, _: &DeploymentId, pulse: &Pulse) -> Result<(), RecordsError> {
        Turn::default().await;
        self.lock().pulses.push(pulse.clone());
        Ok(())
    }

    async fn load(&self, _: &DeploymentId) -> Result<Vec<Entry>, RecordsError> {
        Turn::default().await;
        Ok(journal::read(self.lock().rows.join("\n").as_bytes()))
    }

    async fn order(&self, _: &DeploymentId) -> Result<Order, RecordsError> {
        Turn::default().await;
        Ok(self.lock().order.clone())
    }

    async fn answer(&self, _: &DeploymentId, _: &str) -> Result<Option<Result<(), Arc<str>>>, RecordsError> {
        Turn::default().await;
        Ok(self.lock().answer.clone())
    }

    async fn bundle(&self, _: &DeploymentId, files: Vec<(String, Vec<u8>)>) -> Result<Arc<str>, RecordsError> {
        self.act("bundle".to_owned(), |state| state.bundles.push(files)).await;
        Ok("bundles/1".into())
    }
}
