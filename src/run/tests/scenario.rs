//! A fleet on which version 1 was deployed by the run itself, and the deployment of version 2 on it.

use std::{collections::BTreeMap, sync::Arc};

use super::{clock::live, world::World};
use crate::{
    delivery::{
        plan::{Plan, fixture::Shop},
        release::{DeploymentId, label},
        spec::Restart,
        strategies::{capacity, script},
    },
    fleet::{ContainerState, HostId},
    run::{
        Holder, Outcome, Run, RunError, SlotState,
        journal::{State, Way},
    },
};

/// One container as it must be again: host, name, id, policy, whether it runs.
pub(super) type Row = (HostId, Arc<str>, String, Restart, bool);

#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) shop: Shop,
    pub(super) world: World,
    pub(super) plan: Plan,
    pub(super) before: Vec<Row>,
}

impl Scenario {
    /// Version 1 runs; `edit` changes the template before version 2 is planned.
    pub(super) fn new(mut shop: Shop, edit: &dyn Fn(&mut Shop)) -> Self {
        let world = World::new(&shop.hosts);
        shop.observed = world.observe();
        let first = shop.plan(1).unwrap();
        let outcome = live(&world, go(&world, "first", &first)).unwrap().unwrap();
        assert_eq!((outcome.state, outcome.reason), (State::Good, None), "{}", world.story());
        shop.number += 1;
        edit(&mut shop);
        shop.observed = world.observe();
        let plan = shop.plan(2).unwrap();
        let before = rows(&world);
        {
            let mut state = world.lock();
            state.promise = capacity(&plan, &script(&plan).steps);
            state.rows.clear();
            state.jobs_run.clear();
            state.lines.clear();
            state.points = 0;
            assert_eq!(state.broken, [""; 0]);
        }
        Self { shop, world, plan, before }
    }

    /// Carries version 2 out; `None` when it was killed on the way.
    pub(super) fn deploy(&self) -> Option<Result<Outcome, RunError>> {
        live(&self.world, async {
            let outcome = go(&self.world, "second", &self.plan).await;
            self.cool("second", &outcome).await;
            outcome
        })
    }

    async fn cool(&self, nonce: &str, outcome: &Result<Outcome, RunError>) {
        let holder = holder(nonce);
        let run = Run { port: &self.world, records: &self.world, holder: &holder };
        if outcome.as_ref().is_ok_and(|outcome| outcome.state == State::Good) {
            run.cool(&self.plan, &script(&self.plan)).await.unwrap();
        }
    }

    /// Somebody comes later and carries it on.
    pub(super) fn resume(&self, way: Way, nonce: &str) -> Option<Result<Outcome, RunError>> {
        {
            let mut state = self.world.lock();
            (state.killed, state.kill_at) = (false, None);
            state.now += chrono::TimeDelta::seconds(90);
        }
        self.resume_now(way, nonce)
    }

    pub(super) fn resume_now(&self, way: Way, nonce: &str) -> Option<Result<Outcome, RunError>> {
        let holder = holder(nonce);
        let run = Run { port: &self.world, records: &self.world, holder: &holder };
        live(&self.world, async {
            let outcome = run.resume(&self.plan.deployment, way, false).await;
            self.cool(nonce, &outcome).await;
            outcome
        })
    }

    /// All of the plan runs, once, and nothing else.
    pub(super) fn is_good(&self) {
        self.sound();
        self.restarted();
        let state = self.world.lock();
        for service in &self.plan.services {
            for change in &service.changes {
                let Some(expected) =
                    change.incoming.as_ref().map(|incoming| incoming.subject().name).or(change.keeps.as_ref().map(|old| old.home.clone()))
                else {
                    continue;
                };
                let all = &state.hosts[&change.host].containers;
                let n = change.n.to_string();
                let of_it = |sim: &&super::world::Sim| {
                    sim.labels.get(label::SERVICE).map(|text| &**text) == Some(service.service.as_str())
                        && sim.labels.get(label::N).map(|text| &**text) == Some(&n)
                };
                let (kept, used): (Vec<_>, Vec<_>) = all.iter().filter(of_it).partition(|sim| sim.name.ends_with("-kept"));
                assert_eq!(used.iter().map(|sim| &*sim.name).collect::<Vec<_>>(), [&*expected], "{}", self.told(&state));
                assert_eq!((used[0].state, used[0].restart), (ContainerState::Running, Restart::Always), "{}", self.told(&state));
                assert!(kept.len() <= 1, "{}", self.told(&state));
                assert!(kept.iter().all(|sim| sim.state != ContainerState::Running && sim.restart == Restart::No), "{}", self.told(&state));
            }
        }
        if self.plan.services.iter().any(|service| service.traffic.is_some()) {
            let ready = state.slots.iter().filter(|slot| slot.state != SlotState::Maint).collect::<Vec<_>>();
            assert_eq!(ready.len(), self.shop.hosts.len(), "{}", self.told(&state));
            assert!(ready.iter().all(|slot| slot.state == SlotState::Ready && slot.share == 100), "{}", self.told(&state));
        }
    }

    /// All is as it was before.
    pub(super) fn is_unwound(&self) {
        self.sound();
        self.restarted();
        assert_eq!(rows(&self.world), self.before, "{}", self.world.story());
        let state = self.world.lock();
        if self.plan.services.iter().any(|service| service.traffic.is_some()) {
            let ready = state.slots.iter().filter(|slot| slot.state != SlotState::Maint).collect::<Vec<_>>();
            assert_eq!(ready.len(), self.shop.hosts.len(), "{}", self.told(&state));
            assert!(ready.iter().all(|slot| slot.state == SlotState::Ready && slot.share == 100), "{}", self.told(&state));
        }
    }

    /// Nothing was promised and not kept, and nothing of ours is left behind.
    pub(super) fn sound(&self) {
        let state = self.world.lock();
        assert!(state.broken.is_empty(), "{}\n{}", state.broken.join("\n"), self.told(&state));
        let marks = state.hosts.values().flat_map(|host| &host.containers).filter(|sim| sim.labels.contains_key(label::KIND));
        assert_eq!(marks.map(|sim| &*sim.name).collect::<Vec<_>>(), [""; 0], "{}", self.told(&state));
        let mut jobs = state.jobs_run.clone();
        jobs.sort();
        jobs.dedup();
        assert_eq!(jobs.len(), state.jobs_run.len(), "a job ran twice\n{}", self.told(&state));
    }

    fn restarted(&self) {
        let before = rows(&self.world);
        let mut state = self.world.lock();
        state.promise.clear();
        state.restart_engines();
        drop(state);
        assert_eq!(rows(&self.world), before, "a restart of the engines changes what runs\n{}", self.world.story());
    }

    fn told(&self, state: &super::world::State) -> String {
        let rows = state
            .hosts
            .iter()
            .flat_map(|(host, sim)| sim.containers.iter().map(move |sim| format!("{host} {} {} {:?}", sim.name, sim.state, sim.restart)));
        format!(
            "{}\n{}\n{}",
            state.lines.join("\n"),
            rows.collect::<Vec<_>>().join("\n"),
            state.slots.iter().map(|slot| format!("{slot:?}")).collect::<Vec<_>>().join("\n")
        )
    }
}

pub(super) fn holder(nonce: &str) -> Holder {
    Holder { who: format!("{nonce}@jump-01").into(), nonce: nonce.into() }
}

async fn go(world: &World, nonce: &str, plan: &Plan) -> Result<Outcome, RunError> {
    let holder = holder(nonce);
    Run { port: world, records: world, holder: &holder }.begin(plan, &script(plan)).await
}

/// What is on the hosts.
pub(super) fn rows(world: &World) -> Vec<Row> {
    let state = world.lock();
    let mut rows: Vec<Row> = state
        .hosts
        .iter()
        .flat_map(|(host, sim)| {
            sim.containers.iter().map(move |sim| {
                (host.clone(), Arc::clone(&sim.name), sim.id.to_string(), sim.restart, sim.state == ContainerState::Running)
            })
        })
        .collect();
    rows.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    rows
}

/// Another deployment's id.
pub(super) fn deployment(number: u64) -> DeploymentId {
    DeploymentId::new(number, 0)
}

/// The shapes that the matrix goes over.
pub(super) fn shapes() -> BTreeMap<&'static str, Shop> {
    use crate::delivery::{plan::fixture::*, spec::*};
    use std::time::Duration;
    let stop_first = StrategySpec { order: Some(Order::StopFirst), ..rolling(Batch::Count(1), Duration::from_secs(1)) };
    let canary = strategy(StrategyKind::Canary {
        steps: [(10, 5), (50, 5)].map(|(weight, bake)| CanaryStep { weight, bake: Duration::from_secs(bake) }).to_vec(),
        compare: Compare { errors: 1.5, latency: 1.5, min_requests: 10 },
        then: CanaryThen::Approve,
    });
    let mut warm = rolling(Batch::Count(1), Duration::ZERO);
    warm.keep_warm = Duration::from_secs(20);
    let blue_green = strategy(StrategyKind::BlueGreen { by: BlueGreenBy::Colour });
    let mut baked = rolling(Batch::Count(2), Duration::ZERO);
    baked.bake = Duration::from_secs(4);
    let with = |mut shop: Shop, strategy: StrategySpec| {
        shop.strategy = strategy;
        shop
    };
    let verify = |mut shop: Shop| {
        let command = vec!["wget".into(), "-q".into()];
        shop.verify = Some(Verify::Command { command, image: None, timeout: Duration::from_secs(60) });
        shop
    };
    let jobs = Shop::of_web(2).with_db().with_job("migrate", JobTime::Before, false).with_job("warm", JobTime::After, false);
    [
        ("recreate", with(Shop::of_web(2), strategy(StrategyKind::Recreate))),
        ("recreate with db and traffic", with(Shop::of_web(2).with_db().with_traffic(), strategy(StrategyKind::Recreate))),
        ("rolling", with(Shop::of_web(3), rolling(Batch::Count(1), Duration::from_secs(1)))),
        ("rolling stop-first", with(Shop::of_web(3), stop_first.clone())),
        ("rolling stop-first with traffic", with(Shop::of_web(2).with_traffic(), stop_first)),
        ("rolling in twos with db, verified", verify(with(Shop::of_web(3).with_db(), baked))),
        ("rolling with jobs", with(jobs, rolling(Batch::Count(1), Duration::ZERO))),
        ("rolling with traffic", with(Shop::of_web(2).with_traffic(), rolling(Batch::Count(1), Duration::ZERO))),
        ("blue-green", with(Shop::of_web(2).with_db().with_traffic(), blue_green.clone())),
        ("blue-green without balancer", with(Shop::of_web(2), blue_green)),
        ("rolling, kept warm", with(Shop::of_web(2).with_traffic(), warm)),
        ("canary", with(Shop::of_web(2).with_traffic(), canary.clone())),
        ("canary without balancer", with(Shop::of_web(3), canary)),
    ]
    .into_iter()
    .collect()
}

/// The second deployment changes everything that it may.
pub(super) fn edit(shop: &mut Shop) {
    if shop.services.contains_key("db") {
        shop.service("db").spec.memory = Some(1 << 30);
    }
}
