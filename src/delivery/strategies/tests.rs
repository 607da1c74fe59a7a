//! Every strategy's steps, as a person reads them.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::delivery::{
    plan::fixture::{Shop, rolling, strategy},
    spec::*,
};

fn shown(plan: &Plan) -> String {
    let script = script(plan);
    let lines = script.steps.iter().map(ToString::to_string).chain(script.failed.iter().map(|step| format!("failed: {step}")));
    lines.collect::<Vec<_>>().join("\n").replace("-production-", "-p-")
}

fn canary() -> StrategySpec {
    strategy(StrategyKind::Canary {
        steps: [(5, 120), (50, 60)].map(|(weight, bake)| CanaryStep { weight, bake: Duration::from_secs(bake) }).to_vec(),
        compare: Compare { errors: 1.5, latency: 1.5, min_requests: 200 },
        then: CanaryThen::Approve,
    })
}

fn all() -> Vec<(&'static str, StrategySpec)> {
    vec![
        ("recreate", strategy(StrategyKind::Recreate)),
        ("rolling", rolling(Batch::Count(1), Duration::from_secs(2))),
        ("blue-green", strategy(StrategyKind::BlueGreen { by: BlueGreenBy::Colour })),
        ("canary", canary()),
    ]
}

#[test]
fn steps_of_web_and_its_database() {
    for (name, strategy) in all() {
        let mut shop = Shop::of_web(2).with_db().with_job("migrate", JobTime::Before, true).running(1);
        shop.service("db").spec.memory = Some(1 << 30);
        shop.strategy = StrategySpec { bake: Duration::from_secs(10), ..strategy };
        insta::assert_snapshot!(format!("db-{name}"), shown(&shop.plan(2).unwrap()));
    }
}

#[test]
fn steps_behind_a_balancer() {
    for (name, strategy) in all() {
        let mut shop = Shop::of_web(2).with_traffic().running(1);
        shop.strategy = strategy;
        insta::assert_snapshot!(format!("traffic-{name}"), shown(&shop.plan(2).unwrap()));
    }
}

#[test]
fn batches_come_one_after_the_other_and_what_is_down_first() {
    let mut shop = Shop::of_web(5).running(1);
    shop.strategy = rolling(Batch::Percent(40), Duration::from_secs(2));
    shop.view("app-04").instances[0].state = crate::fleet::ContainerState::Exited;
    insta::assert_snapshot!(shown(&shop.plan(2).unwrap()));
}

#[test]
fn every_script_can_be_carried_out_and_taken_back() {
    for (name, strategy) in all() {
        for shop in [Shop::of_web(3), Shop::of_web(3).with_db(), Shop::of_web(3).with_traffic().with_job("warm", JobTime::After, false)] {
            let mut shop = shop.running(1);
            shop.strategy = strategy.clone();
            let plan = shop.plan(2).unwrap();
            let steps = script(&plan).steps;
            let mut seen = BTreeSet::new();
            for step in &steps {
                assert!(step.after.iter().all(|id| seen.contains(id)), "{name}: {step} waits for what comes later");
                seen.insert(step.id);
                // Taking the inverse back is what the step did: nothing is lost on the way.
                for act in step.act.inverse() {
                    assert_ne!(act, step.act, "{name}: {step}");
                }
            }
        }
    }
}

#[test]
fn what_is_warm_comes_back_in_one_word_whatever_the_strategy() {
    for (name, strategy) in all() {
        let mut shop = Shop::of_web(2).with_traffic().running(1);
        shop.strategy = StrategySpec { keep_warm: Duration::from_secs(600), ..strategy };
        // Version 2 runs, and version 1 behind it.
        let plan = shop.plan(2).unwrap();
        for host in shop.hosts.clone() {
            let mut kept = shop.view(host.as_str()).instances.clone();
            for old in &mut kept {
                (old.kept, old.name) = (true, format!("{}-kept", old.name).into());
            }
            let new = plan.services[0].changes.iter().find(|change| change.host == host).unwrap().incoming.clone().unwrap();
            let crate::delivery::plan::Incoming::New { blueprint, .. } = new else { panic!("{new:?}") };
            shop.see(&host, &[crate::delivery::plan::fixture::summary(&blueprint, crate::fleet::ContainerState::Running)]);
            shop.view(host.as_str()).instances.extend(kept);
        }
        shop.options.rollback = true;
        let back = shop.plan(1).unwrap();
        let steps = script(&back).steps;
        let switches: Vec<_> = steps.iter().filter(|step| matches!(step.act, Act::Switch { .. })).collect();
        assert_eq!(switches.len(), 1, "{name}: {}", shown(&back));
        // Nothing that changes anything comes before it.
        assert!(steps.iter().filter(|step| step.id < switches[0].id).all(|step| step.act.only_looks()), "{name}: {}", shown(&back));
        if name == "rolling" {
            insta::assert_snapshot!("flip", shown(&back));
        }
    }
}
