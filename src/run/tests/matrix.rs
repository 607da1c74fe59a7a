//! Death before and after everything that a run does, then on or back; and death again on that way.

use super::scenario::{Scenario, edit, shapes};
use crate::{
    delivery::strategies::script,
    run::{
        RunError,
        journal::{State, Way},
    },
};

fn points(begin: &Scenario) -> u64 {
    let scenario = begin.clone();
    let outcome = scenario.deploy().unwrap().unwrap();
    assert_eq!((outcome.state, outcome.reason), (State::Good, None), "{}", scenario.world.story());
    scenario.is_good();
    let state = scenario.world.lock();
    let intents: Vec<_> = state.rows.iter().filter_map(|row| row.split("\"intent\":").nth(1)).collect();
    let mut once = intents.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), intents.len(), "a step was done twice\n{}", state.lines.join("\n"));
    let script = script(&scenario.plan);
    assert_eq!(once.len(), script.steps.len() + script.cool.len());
    state.points
}

fn killed(begin: &Scenario, at: u64) -> Scenario {
    let scenario = begin.clone();
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

/// The same numbers on every machine.
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    fn way(&mut self) -> Way {
        [Way::Forward, Way::Back][self.below(2) as usize]
    }
}

/// Killed at a point, perhaps with the engines, then carried on or taken back.
fn once(name: &str, begin: &Scenario, at: u64, way: Way, restart: bool) {
    let scenario = killed(begin, at);
    if restart {
        scenario.world.lock().restart_engines();
    }
    let result = scenario.resume(way, "later").unwrap();
    let good = scenario.world.lock().rows.iter().any(|row| row.contains("\"good\""));
    let expected = match (&result, way) {
        (Err(_), _) => true,
        // A job that ended with its engine has failed.
        (Ok(outcome), Way::Forward) if restart && outcome.reason.as_ref().is_some_and(|reason| reason.contains("exit code 137")) => {
            outcome.state == State::Unwound
        }
        (Ok(outcome), Way::Forward) => outcome.state == State::Good,
        (Ok(outcome), Way::Back) => outcome.state == if good { State::Good } else { State::Unwound },
    };
    let told = format!("{name}, killed at {at}, {way:?}, engines restarted: {restart}");
    assert!(expected, "{told}: {result:?}\n{}", scenario.world.story());
    settled(&scenario, result, &told);
}

/// Killed, and killed again on the way on or back.
fn twice(name: &str, begin: &Scenario, (at, further): (u64, u64), ways: [Way; 2]) {
    let scenario = killed(begin, at);
    {
        let mut state = scenario.world.lock();
        (state.points, state.killed, state.kill_at) = (0, false, Some(further));
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

/// Every point, both ways, with and without a restart of the engines.
fn whole(name: &str) {
    let begin = &Scenario::new(shapes()[name].clone(), &edit);
    let points = points(begin);
    for at in 1..=points {
        for way in [Way::Forward, Way::Back] {
            once(name, begin, at, way, false);
            once(name, begin, at, way, true);
        }
    }
    let mut lot = Lot(7);
    for _ in 0..2 * points {
        let at = (1 + lot.below(points), 1 + lot.below(points));
        twice(name, begin, at, [lot.way(), lot.way()]);
    }
}

/// A sample of it that is the same every time.
fn sample(name: &str) {
    let begin = &Scenario::new(shapes()[name].clone(), &edit);
    let points = points(begin);
    let mut lot = Lot(points);
    for _ in 0..24 {
        once(name, begin, 1 + lot.below(points), lot.way(), lot.below(2) == 0);
        let at = (1 + lot.below(points), 1 + lot.below(points));
        twice(name, begin, at, [lot.way(), lot.way()]);
    }
}

macro_rules! shape {
    ($($test:ident $name:literal;)*) => {
        $(mod $test {
            #[test]
            fn at_some_points() {
                super::sample($name);
            }

            #[test]
            #[ignore = "minutes: a part of `make prove`"]
            fn at_every_point() {
                super::whole($name);
            }
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
    rolling_kept_warm "rolling, kept warm";
    canary "canary";
    canary_without_balancer "canary without balancer";
}
