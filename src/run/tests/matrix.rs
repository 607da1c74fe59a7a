//! Death before and after everything that a run does, then on or back; and death again on that way.

use super::scenario::{Scenario, edit, shapes};
use crate::{
    delivery::plan::fixture::Shop,
    run::{
        RunError,
        journal::{State, Way},
    },
};

fn points(shop: &Shop) -> u64 {
    let scenario = Scenario::new(shop.clone(), &edit);
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None), "{}", scenario.world.story());
    scenario.is_good();
    scenario.world.lock().points
}

fn killed(shop: &Shop, at: u64) -> Scenario {
    let scenario = Scenario::new(shop.clone(), &edit);
    scenario.world.lock().kill_at = Some(at);
    assert!(scenario.deploy().is_none(), "it was not killed at {at}");
    scenario
}

fn settled(scenario: &Scenario, result: Result<crate::run::Outcome, RunError>, at: &str) {
    match result {
        Ok(outcome) => match outcome.state {
            State::Good => scenario.is_good(),
            State::Unwound => scenario.is_unwound(),
            State::Waiting | State::Running | State::Parked | State::Failed => {
                panic!("{at}: {outcome:?}\n{}", scenario.world.story())
            }
        },
        // It died before it had written anything: nothing can have happened.
        Err(RunError::NoPlan(_)) => scenario.is_unwound(),
        Err(error) => panic!("{at}: {error}\n{}", scenario.world.story()),
    }
}

fn matrix(name: &str) {
    let shop = &shapes()[name];
    let points = points(shop);
    for at in 1..=points {
        for way in [Way::Forward, Way::Back] {
            for restart in [false, true] {
                let scenario = killed(shop, at);
                if restart {
                    scenario.world.lock().restart_engines();
                }
                let result = scenario.resume(way, "later").unwrap();
                let state = result.as_ref().ok().map(|outcome| outcome.state);
                let good = scenario.world.lock().rows.iter().any(|row| row.contains("\"good\""));
                if way == Way::Forward {
                    assert!(matches!(state, Some(State::Good) | None), "{name}, killed at {at}: {result:?}\n{}", scenario.world.story());
                } else if !good {
                    assert!(matches!(state, Some(State::Unwound) | None), "{name}, killed at {at}: {result:?}\n{}", scenario.world.story());
                }
                settled(&scenario, result, &format!("{name}, killed at {at}, {way:?}, restart {restart}"));
            }
        }
    }
    // And once more on the way on or back.
    let mut seed = 7_u64;
    for _ in 0..60 {
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below.max(1)
        };
        let (at, further) = (1 + next(points), 1 + next(points));
        let ways = [[Way::Forward, Way::Back][next(2) as usize], [Way::Forward, Way::Back][next(2) as usize]];
        let scenario = killed(shop, at);
        {
            let mut state = scenario.world.lock();
            state.points = 0;
            state.killed = false;
            state.kill_at = Some(further);
            state.now += chrono::TimeDelta::seconds(90);
        }
        let told = format!("{name}, killed at {at}, {ways:?}, killed again {further} later");
        match scenario.resume_now(ways[0], "later") {
            Some(result) => settled(&scenario, result, &told),
            None => {
                let result = scenario.resume(ways[1], "last").unwrap();
                settled(&scenario, result, &told);
            }
        }
    }
}

macro_rules! shape {
    ($($test:ident $name:literal;)*) => {
        $(#[test]
        fn $test() {
            matrix($name);
        })*

        #[test]
        fn no_shape_is_left_out() {
            assert_eq!(shapes().len(), [$($name),*].len());
        }
    };
}

shape! {
    recreate "recreate";
    recreate_with_db_and_traffic "recreate with db and traffic";
    rolling "rolling";
    rolling_stop_first "rolling stop-first";
    rolling_stop_first_with_traffic "rolling stop-first with traffic";
    rolling_in_twos_with_db "rolling in twos with db, verified";
    rolling_with_jobs "rolling with jobs";
    rolling_with_traffic "rolling with traffic";
    blue_green "blue-green";
    blue_green_without_balancer "blue-green without balancer";
    canary "canary";
    canary_without_balancer "canary without balancer";
}
