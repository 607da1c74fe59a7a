//! The whole fleet: hosts, clock and timeline. The only place that lets time pass.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    clock::Clock,
    container::{ContainerTruth, HealthState, RunState},
    fault,
    gate::Gate,
    host::Host,
    lifecycle::{Act, Outcome, Plan, Refusal, revive},
    schedule::{Due, Schedule},
    seed,
};
use crate::sim::scenario::{Churn, ChurnKind, Fault, Scenario, cast, glob};

/// A host behind its lock, and the switch of its socket.
pub struct Slot {
    // A lock, because connections and the timeline both change a host; held for one request or one step, never across an await.
    host: Mutex<Host>,
    /// What its socket does.
    pub gate: Gate,
}

impl Slot {
    /// The host. Never hold it across an await, and never two at once.
    pub fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the timeline works on; behind one lock because each step needs all of it.
struct Timeline {
    schedule: Schedule,
    faults: Vec<Arc<Fault>>,
    /// Where the rolling churn stands.
    cursor: u64,
}

/// The fleet.
pub struct World {
    /// Its clock.
    pub clock: Clock,
    /// Its hosts, in the scenario's order.
    pub hosts: Vec<Slot>,
    timeline: Mutex<Timeline>,
    sooner: Notify,
    churn: Option<Churn>,
    seed: u64,
}

impl World {
    /// The fleet of this scenario at the start of its timeline.
    pub fn new(scenario: &Scenario, clock: Clock) -> Self {
        let mut plan = Plan::new();
        let mut hosts = cast::cast(scenario, clock.base());
        for (me, host) in hosts.iter_mut().enumerate() {
            host.containers.iter_mut().for_each(|container| revive(container, me, &mut plan));
        }
        let mut schedule = Schedule::default();
        plan.into_iter().for_each(|(after, due)| schedule.push(after, due));
        let faults: Vec<Arc<Fault>> = scenario.faults.iter().cloned().map(Arc::new).collect();
        for (number, fault) in faults.iter().enumerate() {
            schedule.push(fault.at.0, Due::FaultBegins(number));
        }
        let churn = scenario.churn.clone().filter(|churn| churn.events_per_second > 0.0);
        if churn.is_some() {
            schedule.push(Duration::from_secs(1), Due::Churn);
        }
        Self {
            clock,
            hosts: hosts.into_iter().map(|host| Slot { host: Mutex::new(host), gate: Gate::default() }).collect(),
            timeline: Mutex::new(Timeline { schedule, faults, cursor: 0 }),
            sooner: Notify::new(),
            churn,
            seed: scenario.seed,
        }
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does everything that is due up to this moment of the timeline.
    pub fn advance(&self, to: Duration) {
        loop {
            let Some((at, due)) = self.timeline().schedule.pop(to) else { return };
            self.perform(at, due);
        }
    }

    /// Lets time pass until dropped.
    pub async fn run(&self) {
        loop {
            let next = self.timeline().schedule.peek();
            let due = async {
                match next {
                    Some(at) => self.clock.reached(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.advance(self.clock.now().timeline),
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Begins a fault now.
    pub fn inject(&self, fault: Fault) {
        let now = self.clock.now().timeline;
        let mut timeline = self.timeline();
        let number = timeline.faults.len();
        timeline.faults.push(Arc::new(fault));
        drop(timeline);
        self.perform(now, Due::FaultBegins(number));
    }

    /// Does `act` to the container that `name` means on the host at place `me`.
    pub fn act(&self, me: usize, name: &str, act: &Act) -> Result<Outcome, Refusal> {
        let mut plan = Plan::new();
        let now = self.clock.now();
        let slot = self.hosts.get(me).ok_or_else(|| Refusal::new(404, "no such host"))?;
        let mut host = slot.host();
        let index = host.find(name).map_err(|_| Refusal::new(404, format!("No such container: {name}")))?;
        let outcome = host.act(me, index, act, now, &mut plan);
        drop(host);
        self.plan(now.timeline, plan);
        outcome
    }

    /// The exact state of every container, by host and then by name.
    pub fn truth(&self) -> Vec<ContainerTruth> {
        let mut all = Vec::new();
        for slot in &self.hosts {
            let host = slot.host();
            all.extend(host.containers.iter().map(|container| container.truth(&host.machine.name)));
        }
        all.sort_by(|a, b| (&a.host, &a.name).cmp(&(&b.host, &b.name)));
        all
    }

    fn plan(&self, now: Duration, plan: Plan) {
        if plan.is_empty() {
            return;
        }
        let mut timeline = self.timeline();
        plan.into_iter().for_each(|(after, due)| timeline.schedule.push(now + after, due));
        drop(timeline);
        self.sooner.notify_one();
    }

    fn perform(&self, at: Duration, due: Due) {
        let now = self.clock.moment(at);
        let mut plan = Plan::new();
        match due {
            Due::FaultBegins(number) => {
                let Some(fault) = self.timeline().faults.get(number).cloned() else { return };
                for (me, slot) in self.hosts.iter().enumerate() {
                    let named = glob(fault.host.get_ref(), &slot.host().machine.name);
                    if named {
                        fault::begin(slot, me, number, &fault, now, &mut plan);
                    }
                }
            }
            Due::FaultEnds(number, me) => {
                let Some(fault) = self.timeline().faults.get(number).cloned() else { return };
                if let Some(slot) = self.hosts.get(me) {
                    fault::end(slot, me, &fault, now, &mut plan);
                }
            }
            Due::Crash(me, id, life) => self.with(me, &id, Some(life), |host, index| {
                let exit_code = host.containers[index].crash_code;
                host.die(me, index, exit_code, false, now, &mut plan);
            }),
            Due::Restart(me, id, life) => self.with(me, &id, Some(life), |host, index| {
                if host.containers[index].state == RunState::Restarting {
                    host.start(me, index, now, &mut plan);
                }
            }),
            Due::Verdict(me, id, life) => self.with(me, &id, Some(life), |host, index| {
                let verdict = host.containers[index].health_wanted;
                host.judge(index, verdict, now);
            }),
            Due::Flap(me, id, until, exit_code) => self.with(me, &id, None, |host, index| {
                host.die(me, index, exit_code, false, now, &mut plan);
                if at < until {
                    plan.push((Duration::from_secs(1), Due::Flap(me, id.clone(), until, exit_code)));
                }
            }),
            Due::Flood(me, step, left, every) => {
                if let Some(slot) = self.hosts.get(me) {
                    flood(&mut slot.host(), step, now);
                }
                if left > 1 {
                    plan.push((every, Due::Flood(me, step, left - 1, every)));
                }
            }
            Due::Churn => self.churn(now, &mut plan),
        }
        self.plan(at, plan);
    }

    /// Runs `then` on the container with this id, if it is still there and, where asked, still in this life.
    fn with(&self, me: usize, id: &str, life: Option<u32>, then: impl FnOnce(&mut Host, usize)) {
        let Some(slot) = self.hosts.get(me) else { return };
        let mut host = slot.host();
        if let Some(index) = host.by_id(id)
            && life.is_none_or(|life| life == host.containers[index].life)
        {
            then(&mut host, index);
        }
    }

    fn churn(&self, now: super::clock::Moment, plan: &mut Plan) {
        let Some(churn) = &self.churn else { return };
        let mut timeline = self.timeline();
        let cursor = timeline.cursor;
        timeline.cursor += 1;
        drop(timeline);
        let count = self.hosts.len() as u64;
        let me = (cursor % count.max(1)) as usize;
        let Some(slot) = self.hosts.get(me) else { return };
        let mut host = slot.host();
        let before = host.emitted;
        let places = host.containers.len();
        let mut later = 0;
        if places > 0 {
            match churn.kind {
                ChurnKind::Restart => {
                    // A rolling restart: over the hosts, then to each host's next container.
                    let index = (cursor / count) as usize % places;
                    later = u64::from(host.containers[index].health_wanted != HealthState::None);
                    // What cannot be restarted now is passed over.
                    let _ = host.act(me, index, &Act::Restart, now, plan);
                }
                ChurnKind::Exec => {
                    let index = seed::mix(self.seed ^ cursor) as usize % places;
                    host.exec(index, "curl -fsS http://127.0.0.1/healthz", now);
                }
            }
        }
        let events = (host.emitted - before + later).max(1);
        plan.push((Duration::from_secs_f64(events as f64 / churn.events_per_second), Due::Churn));
    }
}

fn flood(host: &mut Host, events: u32, now: super::clock::Moment) {
    let places = host.containers.len();
    for _ in 0..events.div_ceil(3) {
        if places > 0 {
            let index = host.emitted as usize / 3 % places;
            host.exec(index, "/bin/sh -c 'check --deep'", now);
        }
    }
}
