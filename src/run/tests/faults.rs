//! What may go wrong while a run lives: gates that do not open, taken ports, hosts that go away, other people.

use std::{sync::Arc, time::Duration};

use super::{
    clock::live,
    scenario::{Scenario, deployment, holder, rows},
    world::{Nature, names},
};
use crate::{
    delivery::{
        plan::fixture::{Shop, rolling},
        release::Names,
        spec::*,
        steps::Act,
        strategies::script,
    },
    fleet::{ContainerState, HostId},
    run::{
        Barrier, LockError, Order as Told, Run, RunError, Sign, find_locks, freeze,
        journal::{State, Way},
        lift, read_journal,
    },
};

fn version(n: u32) -> Arc<str> {
    format!("registry:5000/shop/web@sha256:{n:064x}").into()
}

fn bad(nature: Nature, shop: Shop) -> Scenario {
    let scenario = Scenario::new(shop, &|_| {});
    scenario.world.lock().natures.insert(version(2), nature);
    scenario
}

#[test]
fn a_version_that_never_gets_well_is_taken_back() {
    for order in [None, Some(Order::StopFirst)] {
        for nature in [Nature::Sick, Nature::Crashes] {
            let mut shop = Shop::of_web(3);
            shop.strategy.order = order;
            let scenario = bad(nature, shop);
            let outcome = scenario.deploy().unwrap().unwrap();
            assert_eq!(outcome.state, State::Unwound, "{outcome:?}");
            assert!(outcome.reason.as_ref().unwrap().contains(r#"host "app-01": gate shop-production-web-1-2-0000"#), "{outcome:?}");
            scenario.is_unwound();
            let told = scenario.world.lock().pulses.iter().flat_map(|pulse| pulse.waits.values().cloned()).collect::<Vec<_>>();
            let is_told = told.iter().any(|wait| wait.asked > 1 && wait.said.is_some());
            assert!(is_told || nature == Nature::Crashes, "who looks on sees what the gate was answered: {told:?}");
            let bundles = &scenario.world.lock().bundles;
            let files: Vec<_> = bundles[0].iter().map(|(name, _)| name.as_str()).collect();
            let wanted = [
                "failure.txt",
                "app-01-shop-production-web-1-1-0000.log",
                "app-01-shop-production-web-1-2-0000.log",
                "app-01-shop-production-web-1-2-0000.inspect.json",
            ];
            assert!(wanted.iter().all(|name| files.contains(name)), "{files:?}");
        }
    }
}

#[test]
fn what_another_has_changed_since_the_plan_is_not_begun_on() {
    let scenario = Scenario::new(Shop::of_web(2), &|_| {});
    // Another deployment comes and goes while somebody thinks about the plan.
    let mut quicker = scenario.shop.clone();
    quicker.number += 1;
    let plan = quicker.plan(3).unwrap();
    let holder = holder("quicker");
    let run = Run { port: &scenario.world, records: &scenario.world, holder: &holder };
    let outcome = live(&scenario.world, run.begin(&plan, &script(&plan))).unwrap().unwrap();
    assert_eq!(outcome.state, State::Good);
    let before = rows(&scenario.world);
    scenario.world.lock().rows.clear();
    let error = scenario.deploy().unwrap().unwrap_err();
    assert!(matches!(&error, RunError::Changed { host, .. } if *host == HostId::new("app-01")), "{error}");
    assert!(error.to_string().contains("shop-production-web-1-3-0000 runs there"), "{error}");
    assert_eq!(rows(&scenario.world), before, "nothing was done, and no lock is left");
    assert!(scenario.world.lock().rows.last().unwrap().contains("\"failed\""));
}

#[test]
fn a_lock_tells_how_alive_its_holder_is() {
    let scenario = Scenario::new(Shop::of_web(2), &|_| {});
    scenario.world.lock().kill_at = Some(40);
    assert!(scenario.deploy().is_none());
    let host = HostId::new("app-01");
    let sign = |late: i64| {
        let mut state = scenario.world.lock();
        (state.killed, state.kill_at) = (false, None);
        state.now += chrono::TimeDelta::seconds(late);
        drop(state);
        live(&scenario.world, async {
            let found = find_locks(&scenario.world, &host).await.unwrap();
            assert_eq!(
                (found.len(), found[0].app.as_str(), found[0].mark.deployment.as_ref()),
                (1, "shop", Some(&scenario.plan.deployment))
            );
            Sign::of(&scenario.world, &host, found[0].mark.clone()).await.unwrap()
        })
        .unwrap()
    };
    let fresh = sign(0);
    assert!(fresh.is_alive() && fresh.clone().taken().to_string().contains("locked by second@jump-01 on host \"app-01\""), "{fresh:?}");
    let stale = sign(90);
    assert!(!stale.is_alive() && stale.clone().taken().to_string().contains("silent for"), "{stale:?}");
}

#[test]
fn what_ends_while_it_bakes_is_taken_back() {
    let mut shop = Shop::of_web(2);
    shop.strategy = StrategySpec { bake: Duration::from_secs(60), ..rolling(Batch::Count(2), Duration::ZERO) };
    let scenario = bad(Nature::EndsAfter(20), shop);
    // What has ended does not serve: that is the version's doing, not the run's.
    scenario.world.lock().promise.clear();
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!(outcome.state, State::Unwound, "{outcome:?}");
    assert!(outcome.reason.unwrap().contains("did not stay up"));
    scenario.is_unwound();
}

#[test]
fn the_scope_of_a_failure_is_the_policys() {
    for (on_failure, state, new) in
        [(OnFailure::Batch, State::Failed, 1), (OnFailure::Host, State::Failed, 1), (OnFailure::Park, State::Parked, 1)]
    {
        let mut shop = Shop::of_web(2);
        shop.strategy.on_failure = on_failure;
        let scenario = Scenario::new(shop, &|_| {});
        // Only the second host cannot start it.
        scenario.world.lock().hosts.get_mut("app-02").unwrap().squatters.extend(20_000..20_100);
        let outcome = scenario.deploy().unwrap().unwrap();
        assert_eq!(outcome.state, state, "{outcome:?}");
        let running = rows(&scenario.world).into_iter().filter(|row| row.4 && row.1.ends_with("-2-0000")).count();
        assert_eq!(running, new, "{on_failure:?}");
        assert_eq!(scenario.world.lock().broken, [""; 0]);
        let locks = rows(&scenario.world).iter().filter(|row| row.1.starts_with("quarterdeck-lock")).count();
        assert_eq!(locks, if on_failure == OnFailure::Park { 2 } else { 0 });
        if on_failure == OnFailure::Park {
            let outcome = scenario.resume(Way::Back, "later").unwrap().unwrap();
            assert_eq!(outcome.state, State::Unwound);
            scenario.is_unwound();
        }
    }
}

#[test]
fn so_many_failing_hosts_are_borne() {
    for order in [None, Some(Order::StopFirst)] {
        let mut shop = Shop::of_web(3);
        shop.strategy.max_failures = 1;
        shop.strategy.order = order;
        let scenario = Scenario::new(shop, &|_| {});
        scenario.world.lock().hosts.get_mut("app-02").unwrap().squatters.extend(20_001..20_100);
        let outcome = scenario.deploy().unwrap().unwrap();
        let story = scenario.world.story();
        // The old one's port is its own again when the new one cannot have it.
        if order.is_none() {
            assert_eq!(
                (outcome.state, outcome.owed.into_iter().collect::<Vec<_>>()),
                (State::Good, vec![HostId::new("app-02")]),
                "{story}"
            );
            let versions: Vec<_> = rows(&scenario.world).into_iter().filter(|row| row.4).map(|row| row.1.to_string()).collect();
            assert_eq!(versions, ["shop-production-web-1-2-0000", "shop-production-web-1-1-0000", "shop-production-web-1-2-0000"]);
        } else {
            assert_eq!(outcome.state, State::Good, "{story}");
        }
        scenario.sound();
    }
}

#[test]
fn one_way_is_never_crossed_by_itself() {
    let shop = Shop::of_web(2).with_job("migrate", JobTime::Before, true);
    let scenario = bad(Nature::Sick, shop);
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!(outcome.state, State::Parked, "{outcome:?}");
    assert!(outcome.reason.unwrap().contains("cannot be undone"));
    // A person may.
    let outcome = scenario.resume(Way::Back, "later").unwrap().unwrap();
    assert_eq!(outcome.state, State::Unwound);
    scenario.is_unwound();
}

#[test]
fn a_failing_job_changes_nothing_else() {
    let shop = Shop::of_web(2).with_job("migrate", JobTime::Before, false).with_job("tell", JobTime::Failed, false);
    let scenario = bad(Nature::JobFails, shop);
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!(outcome.state, State::Unwound, "{outcome:?}");
    let reason = outcome.reason.unwrap();
    assert!(reason.contains("it ended with exit code 3; its last words: the log of shop-production-migrate-job-2-0000"), "{reason}");
    let state = scenario.world.lock();
    assert_eq!(
        state.jobs_run.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["shop-production-migrate-job-2-0000", "shop-production-tell-job-2-0000"]
    );
}

#[test]
fn a_port_that_was_taken_meanwhile_becomes_the_next() {
    let scenario = Scenario::new(Shop::of_web(1), &|_| {});
    // One that nobody can see in a list.
    scenario.world.lock().hosts.get_mut("app-01").unwrap().squatters.extend([20_001, 20_002]);
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None), "{}", scenario.world.story());
    scenario.is_good();
    let state = scenario.world.lock();
    let web = state.hosts["app-01"].containers.iter().find(|sim| sim.state == ContainerState::Running).unwrap();
    assert_eq!(web.ports[0].host, 20_003);
    assert_eq!(web.labels["quarterdeck.ports"].as_ref(), "80/tcp=20003");
}

#[test]
fn an_engine_that_is_away_for_a_moment_holds_nobody_up() {
    let total = {
        let scenario = Scenario::new(Shop::of_web(2), &|_| {});
        scenario.deploy().unwrap().unwrap();
        scenario.world.lock().points
    };
    for at in 1..total - 8 {
        let scenario = Scenario::new(Shop::of_web(2), &|_| {});
        {
            let mut state = scenario.world.lock();
            state.breaks.push((at, |state| state.hosts.get_mut("app-02").unwrap().away = true));
            state.breaks.push((at + 6, |state| state.hosts.get_mut("app-02").unwrap().away = false));
            state.promise.clear();
        }
        match scenario.deploy().unwrap() {
            Ok(outcome) if outcome.state == State::Good => {}
            // It was away when the lock was to be taken, or for good as far as anyone could tell: nothing was done, or all of it taken back.
            other => assert!(
                matches!(&other, Err(RunError::Lock(LockError::NotGiven { .. })))
                    || matches!(&other, Ok(outcome) if matches!(outcome.state, State::Unwound | State::Failed)),
                "away at {at}: {other:?}\n{}",
                scenario.world.story()
            ),
        }
    }
}

#[test]
fn a_host_that_stays_away_is_owed_its_way_back() {
    let scenario = Scenario::new(Shop::of_web(3), &|_| {});
    {
        let mut state = scenario.world.lock();
        // In the middle of the second host's change.
        state.breaks.push((60, |state| state.hosts.get_mut("app-02").unwrap().away = true));
        state.promise.clear();
    }
    let outcome = scenario.deploy().unwrap().unwrap();
    let story = scenario.world.story();
    match outcome.state {
        State::Failed => assert_eq!(outcome.owed.into_iter().collect::<Vec<_>>(), [HostId::new("app-02")], "{story}"),
        State::Unwound | State::Good => {}
        State::Waiting | State::Running | State::Parked => panic!("{outcome:?}\n{story}"),
    }
    let elsewhere = rows(&scenario.world).into_iter().filter(|row| row.0 != HostId::new("app-02") && row.1.starts_with("quarterdeck-lock"));
    assert_eq!(elsewhere.count(), 0, "{story}");
}

#[test]
fn two_who_want_the_same_meet_at_the_lock() {
    let scenario = Scenario::new(Shop::of_web(3), &|_| {});
    scenario.world.lock().kill_at = Some(40);
    assert!(scenario.deploy().is_none());
    {
        let mut state = scenario.world.lock();
        (state.killed, state.kill_at) = (false, None);
    }
    let mut other = scenario.plan.clone();
    other.deployment = deployment(9);
    let me = holder("bob");
    let run = Run { port: &scenario.world, records: &scenario.world, holder: &me };
    let error = live(&scenario.world, run.begin(&other, &script(&other))).unwrap().unwrap_err();
    assert!(error.to_string().starts_with(r#"locked by second@jump-01 on host "app-01" since 2023-11-14"#), "{error}");
    assert!(error.to_string().contains("alive"), "{error}");
    // Nor is it taken over while it gives signs of life.
    let early = live(&scenario.world, run.resume(&scenario.plan.deployment, Way::Forward, false)).unwrap().unwrap_err();
    assert!(matches!(early, RunError::Alive { .. }), "{early}");
}

#[test]
fn the_fleet_notices_what_is_promised_and_not_kept() {
    let mut shop = Shop::of_web(3);
    shop.strategy.order = Some(Order::StopFirst);
    let scenario = Scenario::new(shop, &|_| {});
    scenario.world.lock().promise.get_mut("web").unwrap().least += 1;
    assert_eq!(scenario.deploy().unwrap().unwrap().state, State::Good);
    assert!(scenario.world.lock().broken[0].contains("2 of web serve, 3 were promised"));
    // A slot whose container was taken away under it.
    let scenario = Scenario::new(Shop::of_web(2).with_traffic(), &|_| {});
    scenario.world.lock().breaks.push((20, |state| state.hosts.get_mut("app-02").unwrap().containers.clear()));
    let _ = scenario.deploy();
    assert!(scenario.world.lock().broken.iter().any(|line| line.contains("where nobody answers")));
}

#[test]
fn a_freeze_stays_through_whatever_passes_over_it() {
    let mut scenario = Scenario::new(Shop::of_web(2), &|_| {});
    let (app, environment) = names();
    let names = Names { app: &app, environment: &environment };
    let hosts = scenario.plan.hosts.clone();
    for reason in ["black friday", "said again"] {
        live(&scenario.world, freeze(&scenario.world, names, &hosts, &holder("bob"), reason)).unwrap().unwrap();
    }
    scenario.shop.observed = scenario.world.observe();
    let refused = scenario.shop.plan(2).unwrap_err().to_string();
    assert!(refused.contains("frozen by bob@jump-01") && refused.contains("black friday"), "{refused}");
    scenario.shop.options.override_reason = Some("it burns".into());
    scenario.plan = scenario.shop.plan(2).unwrap();
    assert_eq!(scenario.deploy().unwrap().unwrap().state, State::Good);
    let lifted = live(&scenario.world, lift(&scenario.world, names, &hosts, Barrier::Freeze)).unwrap().unwrap();
    assert_eq!(lifted.len(), 2);
    scenario.is_good();
    assert_eq!(live(&scenario.world, lift(&scenario.world, names, &hosts, Barrier::Lock)).unwrap().unwrap(), []);
}

#[test]
fn an_unrelated_app_is_not_held_up() {
    let (app, environment) = (crate::fleet::AppName::new("blog"), names().1);
    let (_, own) = (Names { app: &app, environment: &environment }, names());
    assert_ne!(Names { app: &app, environment: &environment }.lock(), Names { app: &own.0, environment: &own.1 }.lock());
}

#[test]
fn another_console_reads_a_dead_run_from_the_hosts_alone() {
    for at in [30, 55, 80] {
        let scenario = Scenario::new(Shop::of_web(3), &|_| {});
        scenario.world.lock().kill_at = Some(at);
        assert!(scenario.deploy().is_none());
        {
            let mut state = scenario.world.lock();
            (state.killed, state.kill_at) = (false, None);
            state.rows.clear();
        }
        let (app, environment) = names();
        let read = read_journal(&scenario.world, Names { app: &app, environment: &environment }, &scenario.plan.hosts);
        let entries = live(&scenario.world, read).unwrap().unwrap();
        let text = String::from_utf8(crate::run::journal::write(&entries)).unwrap();
        scenario.world.lock().rows = text.lines().map(str::to_owned).collect();
        let outcome = scenario.resume(if at == 55 { Way::Back } else { Way::Forward }, "elsewhere").unwrap().unwrap();
        match outcome.state {
            State::Good => scenario.is_good(),
            State::Unwound => scenario.is_unwound(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn whoever_loses_its_lock_stops_where_it_is() {
    let scenario = Scenario::new(Shop::of_web(3), &|_| {});
    scenario.world.lock().breaks.push((50, |state| {
        for host in state.hosts.values_mut() {
            host.containers.retain(|sim| !sim.name.starts_with("quarterdeck-lock"));
        }
    }));
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!(outcome.state, State::Parked, "{outcome:?}");
    assert!(outcome.reason.unwrap().contains("was taken away"));
}

#[test]
fn a_person_parks_and_turns_a_run() {
    for (order, state) in [(Told::Park, State::Parked), (Told::Unwind, State::Unwound)] {
        let mut shop = Shop::of_web(3);
        shop.strategy = rolling(Batch::Count(1), Duration::from_secs(30));
        let scenario = Scenario::new(shop, &|_| {});
        scenario.world.lock().order = order.clone();
        let outcome = scenario.deploy().unwrap().unwrap();
        assert_eq!(outcome.state, state, "{outcome:?}");
        scenario.world.lock().order = Told::GoOn;
        if order == Told::Park {
            let outcome = scenario.resume(Way::Forward, "later").unwrap().unwrap();
            assert_eq!((outcome.state, outcome.reason), (State::Good, None));
            scenario.is_good();
        } else {
            scenario.is_unwound();
        }
    }
}

#[test]
fn what_is_still_warm_only_gets_its_requests_back() {
    let mut shop = Shop::of_web(2).with_traffic();
    shop.strategy.keep_warm = Duration::from_secs(600);
    let mut scenario = Scenario::new(shop, &|_| {});
    let me = holder("second");
    let run = Run { port: &scenario.world, records: &scenario.world, holder: &me };
    let outcome = live(&scenario.world, run.begin(&scenario.plan, &script(&scenario.plan))).unwrap().unwrap();
    assert_eq!(outcome.state, State::Good, "{outcome:?}");
    assert_eq!(scenario.world.lock().serving("web"), 4, "both run, and nobody holds a lock");
    let old = scenario.plan.clone();
    scenario.shop.number += 1;
    scenario.shop.observed = scenario.world.observe();
    scenario.shop.options.rollback = true;
    scenario.plan = scenario.shop.plan(1).unwrap();
    let steps = script(&scenario.plan).steps;
    let changes = |step: &&crate::delivery::steps::Step| matches!(step.act, Act::Create { .. } | Act::Start { .. } | Act::Stop { .. });
    assert_eq!(steps.iter().filter(changes).count(), 0, "{steps:#?}");
    let rows = std::mem::take(&mut scenario.world.lock().rows);
    let outcome = live(&scenario.world, run.begin(&scenario.plan, &script(&scenario.plan))).unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None));
    // The first run's window ends: what it kept warm is somebody's again, and stays.
    scenario.world.lock().rows = rows;
    live(&scenario.world, run.cool(&old, &script(&old))).unwrap().unwrap();
    let state = scenario.world.lock();
    assert_eq!(state.broken, [""; 0]);
    let ready = state.slots.iter().filter(|slot| slot.state == crate::run::SlotState::Ready).count();
    assert_eq!(ready, 2);
}

#[test]
fn a_rollback_starts_what_was_kept() {
    let mut scenario = Scenario::new(Shop::of_web(2), &|_| {});
    assert_eq!(scenario.deploy().unwrap().unwrap().state, State::Good);
    scenario.shop.number += 1;
    scenario.shop.observed = scenario.world.observe();
    scenario.shop.options.rollback = true;
    scenario.plan = scenario.shop.plan(1).unwrap();
    scenario.world.lock().rows.clear();
    let creates = |world: &super::world::World| {
        world.lock().hosts.values().flat_map(|host| &host.containers).map(|sim| sim.id.clone()).collect::<Vec<_>>()
    };
    let before = creates(&scenario.world);
    assert_eq!(scenario.deploy().unwrap().unwrap().state, State::Good);
    assert_eq!(creates(&scenario.world), before, "nothing is made anew");
    scenario.is_good();
}

#[test]
fn a_balancer_that_forgot_parks_the_run_and_is_served_again() {
    let mut shop = Shop::of_web(2).with_traffic();
    shop.strategy.keep_warm = Duration::from_secs(20);
    let scenario = Scenario::new(shop, &|_| {});
    // In the middle of the switch it is restarted without its state: every slot is in maintenance.
    let admitted = |state: &super::world::State| state.slots.iter().filter(|slot| slot.state == crate::run::SlotState::Ready).count();
    let probe = scenario.clone();
    probe.deploy().unwrap().unwrap();
    let middle = probe.world.lock().points / 2;
    scenario.world.lock().breaks.push((middle, |state| {
        state.forgetful = true;
        state.promise.clear();
        for slot in &mut state.slots {
            (slot.state, slot.check) = (crate::run::SlotState::Maint, crate::traffic::Check::Asleep);
            slot.address = Some("127.0.0.1:1".parse().unwrap());
        }
    }));
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!(outcome.state, State::Parked, "{outcome:?}\n{}", scenario.world.story());
    assert!(outcome.reason.unwrap().contains("forgot what this run did"));
    assert_eq!(admitted(&scenario.world.lock()), 0, "nothing is changed on top of what is lost");
    scenario.world.lock().forgetful = false;
    let outcome = scenario.resume(Way::Forward, "later").unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None));
    scenario.is_good();
}

#[test]
fn clients_that_stick_to_a_server_lose_it_at_once_and_come_back_after_a_check() {
    let mut shop = Shop::of_web(2).with_traffic();
    shop.strategy.keep_warm = Duration::from_secs(600);
    let mut scenario = Scenario::new(shop, &|_| {});
    scenario.world.lock().sticky = true;
    let me = holder("second");
    let run = Run { port: &scenario.world, records: &scenario.world, holder: &me };
    live(&scenario.world, run.begin(&scenario.plan, &script(&scenario.plan))).unwrap().unwrap();
    let states = |scenario: &Scenario| {
        let state = scenario.world.lock();
        let of = |wanted| state.slots.iter().filter(|slot| !slot.is_blank() && slot.state == wanted).count();
        (of(crate::run::SlotState::Ready), of(crate::run::SlotState::Drain), of(crate::run::SlotState::Maint))
    };
    assert_eq!(states(&scenario), (2, 0, 2), "the warm ones are in maintenance, and nobody takes their slots");
    scenario.shop.number += 1;
    scenario.shop.observed = scenario.world.observe();
    scenario.shop.options.rollback = true;
    scenario.plan = scenario.shop.plan(1).unwrap();
    scenario.world.lock().rows.clear();
    let outcome = live(&scenario.world, run.begin(&scenario.plan, &script(&scenario.plan))).unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None));
    assert_eq!(states(&scenario), (2, 0, 2));
    assert_eq!(scenario.world.lock().broken, [""; 0]);
}
