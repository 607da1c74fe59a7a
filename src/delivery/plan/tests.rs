use std::time::Duration;

use super::{fixture::*, *};
use crate::{
    delivery::{
        observed::TakenPort,
        release::kept_name,
        seal,
        spec::*,
        steps::{Act, Step},
        strategies::{capacity, script},
    },
    fleet::ContainerState,
};

fn change<'a>(plan: &'a Plan, service: &str, host: &str) -> &'a Change {
    let service = plan.service(&ServiceName::new(service)).unwrap();
    service.changes.iter().find(|change| change.host.as_str() == host).unwrap()
}

fn made(change: &Change) -> &Blueprint {
    match change.incoming.as_ref().unwrap() {
        Incoming::New { blueprint, .. } => blueprint,
        Incoming::Back(old) => panic!("{} comes back", old.name),
    }
}

#[test]
fn the_first_deployment_creates_everything() {
    let plan = Shop::of_web(2).with_db().plan(1).unwrap();
    insta::assert_snapshot!(plan);
    // By address from elsewhere, by name on the same host.
    assert_eq!(&*made(change(&plan, "web", "app-01")).vars["QD_DB_ADDR"], "db:5432");
    assert_eq!(&*made(change(&plan, "web", "app-02")).vars["QD_DB_ADDR"], "10.0.0.1:20000");
}

#[test]
fn what_runs_already_is_left_alone() {
    let plan = Shop::of_web(2).with_db().running(1).plan(1).unwrap();
    assert!(plan.is_nothing());
    assert_eq!(script(&plan).steps, []);
    insta::assert_snapshot!(plan);
}

#[test]
fn a_new_version_replaces_what_it_changes() {
    let plan = Shop::of_web(3).with_db().running(1).plan(2).unwrap();
    insta::assert_snapshot!(plan);
}

#[test]
fn every_aspect_is_a_reason_of_its_own() {
    type Edit = fn(&mut ServiceSpec);
    let cases: [(Aspect, Edit); 9] = [
        (Aspect::Command, |spec| spec.command = Some(vec!["httpd".into()])),
        (Aspect::Variables, |spec| drop(spec.vars.insert("LOG".into(), "debug".into()))),
        (Aspect::Secrets, |spec| spec.secrets = vec![SecretUse { name: "KEY".into(), deliver: Deliver::File }]),
        (Aspect::Ports, |spec| spec.ports.push(PortSpec { container: 81, protocol: Protocol::Udp, host: None, address: None })),
        (Aspect::Volumes, |spec| {
            spec.volumes = vec![VolumeSpec { source: VolumeSource::Own("cache".into()), target: "/cache".into(), read_only: true }];
        }),
        (Aspect::Limits, |spec| spec.memory = Some(64 << 20)),
        (Aspect::Restart, |spec| spec.restart = Restart::UnlessStopped),
        (Aspect::Stop, |spec| spec.stop = Duration::from_secs(3)),
        (Aspect::Logs, |spec| spec.logs = Some(LogLimits { max_size: Some("10m".into()), max_file: None })),
    ];
    for (aspect, edit) in cases {
        let mut shop = Shop::of_web(1).running(1);
        edit(&mut shop.service("web").spec);
        let plan = shop.plan(1).unwrap();
        assert_eq!(change(&plan, "web", "app-01").reasons, [aspect]);
    }
    // How it is probed and what it waits for make no other container.
    let mut shop = Shop::of_web(1).running(1);
    shop.service("web").spec.health = None;
    shop.service("web").spec.start = 7;
    assert!(shop.plan(1).unwrap().is_nothing());
}

#[test]
fn an_outside_image_changes_when_it_is_named_or_written_anew() {
    let mut shop = Shop::of_web(1).with_db().running(1);
    assert!(change(&shop.plan(2).unwrap(), "db", "app-01").keeps.is_some());
    let mut release = shop.clone();
    release.service("db").spec.image = ImageSource::Outside("postgres:16".into());
    assert_eq!(change(&release.plan(2).unwrap(), "db", "app-01").reasons, [Aspect::Image]);
    // Named, what the tag means today counts as well.
    shop.view("app-01").instances[0].image = "postgres@sha256:00".into();
    assert!(change(&shop.plan(2).unwrap(), "db", "app-01").keeps.is_some());
    shop.options.service = Some(ServiceName::new("db"));
    let plan = shop.plan(2).unwrap();
    assert_eq!(change(&plan, "db", "app-01").reasons, [Aspect::Image]);
    assert_eq!(plan.services.len(), 1);
}

#[test]
fn order_follows_what_a_service_has() {
    let order = |edit: &dyn Fn(&mut Shop)| {
        let mut shop = Shop::of_web(2).with_db().running(1);
        edit(&mut shop);
        shop.plan(2).map(|plan| plan.service(&ServiceName::new("web")).unwrap().order)
    };
    assert_eq!(order(&|_| {}), Ok(Order::StartFirst));
    assert_eq!(order(&|shop| shop.service("web").spec.ports[0].host = Some(8080)), Ok(Order::StopFirst));
    assert_eq!(order(&|shop| shop.strategy.order = Some(Order::StopFirst)), Ok(Order::StopFirst));
    let volume = VolumeSpec { source: VolumeSource::Own("up".into()), target: "/up".into(), read_only: false };
    let writes = |shop: &mut Shop| shop.service("web").spec.volumes = vec![volume.clone()];
    assert_eq!(order(&writes), Ok(Order::StopFirst));
    let error = order(&|shop| {
        writes(shop);
        shop.strategy.order = Some(Order::StartFirst);
    });
    assert!(error.unwrap_err().to_string().contains("cannot be replaced start-first: it has a volume"));
}

#[test]
fn a_service_that_others_hold_keeps_its_port() {
    let mut shop = Shop::of_web(2).with_db().running(1);
    shop.service("db").spec.memory = Some(1 << 30);
    let plan = shop.plan(1).unwrap();
    assert_eq!(made(change(&plan, "db", "app-01")).ports[0].host, 20_000);
    assert!(!made(change(&plan, "db", "app-01")).ports[0].ours, "if it is taken, nobody changes it in silence");
    assert!(change(&plan, "web", "app-02").keeps.is_some());
    // A port inside that moves takes those along that hold the address.
    shop.service("db").spec.ports[0].container = 5433;
    let plan = shop.plan(1).unwrap();
    assert_eq!(change(&plan, "web", "app-01").reasons, [Aspect::Variables]);
    assert_eq!(change(&plan, "web", "app-02").reasons, [Aspect::Variables]);
}

#[test]
fn ports_are_free_ones() {
    let mut shop = Shop::of_web(1).running(1);
    let by = ContainerId::new("other");
    shop.view("app-01").ports.push(TakenPort { protocol: Protocol::Tcp, port: 20_001, by: by.clone() });
    shop.view("app-01").ports.push(TakenPort { protocol: Protocol::Udp, port: 20_002, by });
    assert_eq!(made(change(&shop.plan(2).unwrap(), "web", "app-01")).ports[0].host, 20_002);
    shop.service("web").spec.ports[0].host = Some(20_001);
    assert!(matches!(shop.plan(2), Err(PlanError::PortTaken { port: 20_001, .. })));
    let taken = (20_000..=20_099).map(|port| TakenPort { protocol: Protocol::Tcp, port, by: ContainerId::new("x") });
    shop.view("app-01").ports = taken.collect();
    shop.service("web").spec.ports[0].host = None;
    assert!(shop.plan(2).unwrap_err().to_string().contains("no port is free in 20000-20099"));
}

#[test]
fn silent_hosts_are_named_and_left_out_on_demand() {
    let mut shop = Shop::of_web(3).running(1);
    shop.lose("app-02");
    insta::assert_snapshot!(shop.plan(2).unwrap_err(), @r#"no answer from host "app-02" (no route to host): wait for it, or go on with --without app-02"#);
    shop.options.without.insert(HostId::new("app-02"));
    let plan = shop.plan(2).unwrap();
    assert_eq!(plan.hosts, [HostId::new("app-01"), HostId::new("app-03")]);
    assert_eq!(plan.out.len(), 1);
    shop.options = Options { rollback: true, ..Options::default() };
    assert_eq!(shop.plan(2).unwrap().hosts.len(), 2, "the way back goes on without it");
    shop.options.without.insert(HostId::new("app-20"));
    assert!(shop.plan(2).unwrap_err().to_string().contains(r#"did you mean "app-02"?"#));
}

#[test]
fn only_owed_and_only_failed_are_about_those_hosts() {
    let mut shop = Shop::of_web(3).running(1);
    shop.observed.owed.insert(HostId::new("app-03"));
    shop.options.only_owed = true;
    assert_eq!(shop.plan(2).unwrap().hosts, [HostId::new("app-03")]);
    let with_job = shop.clone().with_job("migrate", JobTime::Before, false).plan(2).unwrap();
    assert!(with_job.jobs.is_empty(), "it ran when that host was away");
    shop.options = Options { only_failed: true, ..Options::default() };
    assert!(shop.plan(2).unwrap_err().to_string().contains("the last deployment failed on none"));
}

#[test]
fn a_freeze_holds_until_there_is_a_reason() {
    let mut shop = Shop::of_web(1).running(1);
    shop.view("app-01").freeze = Some(crate::delivery::observed::Mark {
        id: ContainerId::new("f"),
        holder: "bob".into(),
        since: "2026-11-20T18:00:00Z".into(),
        reason: Some("black friday".into()),
        deployment: None,
    });
    assert!(shop.plan(2).unwrap_err().to_string().contains("frozen by bob since 2026-11-20T18:00:00Z: black friday"));
    // A reason alone lets only the way back through.
    shop.options.reason = Some("it burns".into());
    assert!(shop.plan(2).is_err());
    shop.options.rollback = true;
    assert!(shop.plan(2).is_ok());
    shop.options = Options { override_reason: Some("it burns".into()), ..Options::default() };
    assert!(shop.plan(2).is_ok());
}

#[test]
fn a_changed_secret_is_a_reason_and_nobody_gets_an_old_one_back() {
    let sealed = |value: &str| seal::parse(&format!("KEY=00000000:{value}"));
    let mut shop = Shop::of_web(1);
    shop.service("web").spec.secrets = vec![SecretUse { name: "KEY".into(), deliver: Deliver::File }];
    shop.sealed = sealed("one");
    let mut shop = shop.running(1);
    assert!(shop.plan(1).unwrap().is_nothing());
    // By another key, or by none, nobody can tell.
    for unknown in [seal::Seals::new(), seal::parse("KEY=11111111:two")] {
        shop.sealed = unknown;
        assert!(shop.plan(1).unwrap().is_nothing());
    }
    shop.sealed = sealed("two");
    let plan = shop.plan(1).unwrap();
    assert_eq!(change(&plan, "web", "app-01").reasons, [Aspect::Secrets]);
    assert_eq!(plan.secrets, shop.sealed);
    shop.options.rollback = true;
    let plan = shop.plan(2).unwrap();
    assert!(plan.warnings.iter().any(|line| &**line == "web: KEY with the values of today"), "{:?}", plan.warnings);
}

#[test]
fn what_the_release_has_no_more_goes_but_never_its_data() {
    let mut shop = Shop::of_web(1).with_db().running(1);
    shop.service("web").spec.needs = Vec::new();
    shop.services.shift_remove("db");
    let plan = shop.plan(1).unwrap();
    assert!(plan.service(&ServiceName::new("db")).is_none());
    assert!(plan.warnings.iter().any(|line| line.contains("it writes to shop-production-data and stays")));
    shop.view("app-01").instances[0].volumes = Vec::new();
    let plan = shop.plan(1).unwrap();
    assert!(change(&plan, "db", "app-01").outgoing.is_some() && change(&plan, "db", "app-01").incoming.is_none());
    assert!(plan.lost.iter().any(|line| line.contains("nothing comes in its place")));
}

#[test]
fn data_is_not_moved() {
    let mut shop = Shop::of_web(2).with_db().running(1);
    shop.service("db").hosts = hosts(2)[1..].to_vec();
    assert!(matches!(shop.plan(1), Err(PlanError::WouldMove { .. })));
}

#[test]
fn a_kept_container_comes_back_if_it_is_the_same() {
    let mut shop = Shop::of_web(1).running(1);
    let web1 = shop.view("app-01").instances[0].clone();
    let second = shop.plan(2).unwrap();
    let web2 = made(change(&second, "web", "app-01")).clone();
    shop.number = 3;
    let mut old = summary(&web2, ContainerState::Exited);
    old.name = kept_name(&web2.name);
    old.id = web1.id.clone();
    old.labels = std::sync::Arc::new(made(change(&Shop::of_web(1).plan(1).unwrap(), "web", "app-01")).labels.clone());
    old.name = kept_name(&web1.name);
    shop.see(&HostId::new("app-01"), &[old, summary(&web2, ContainerState::Running)]);
    shop.options.rollback = true;
    let plan = shop.plan(1).unwrap();
    assert!(matches!(&change(&plan, "web", "app-01").incoming, Some(Incoming::Back(back)) if back.home == web1.name));
    insta::assert_snapshot!(plan);
    // Somebody else has its port now: it is made anew.
    let other = TakenPort { protocol: Protocol::Tcp, port: 20_000, by: ContainerId::new("other") };
    shop.view("app-01").ports.push(other);
    assert!(matches!(change(&shop.plan(1).unwrap(), "web", "app-01").incoming, Some(Incoming::New { .. })));
}

#[test]
fn doubles_of_an_accident_go() {
    let mut shop = Shop::of_web(1).running(1);
    let mut double = shop.view("app-01").instances[0].clone();
    double.id = ContainerId::new("double");
    double.state = ContainerState::Exited;
    shop.view("app-01").instances.push(double);
    let plan = shop.plan(1).unwrap();
    let changes = &plan.services[0].changes;
    assert_eq!(changes.len(), 2);
    assert!(changes[0].keeps.is_some());
    assert_eq!(changes[1].outgoing.as_ref().unwrap().id, ContainerId::new("double"));
}

#[test]
fn a_container_that_stands_still_is_started() {
    let mut shop = Shop::of_web(1).running(1);
    shop.view("app-01").instances[0].state = ContainerState::Exited;
    let plan = shop.plan(1).unwrap();
    assert!(matches!(change(&plan, "web", "app-01").incoming, Some(Incoming::Back(_))));
    assert!(!plan.is_nothing());
}

#[test]
fn what_ends_again_and_again_is_stopped_all_the_same() {
    let mut shop = Shop::of_web(1).running(1);
    shop.view("app-01").instances[0].state = ContainerState::Restarting;
    let plan = shop.plan(2).unwrap();
    let old = change(&plan, "web", "app-01").outgoing.as_ref().unwrap().subject();
    let stops = |step: &Step| matches!(&step.act, Act::Stop { container, .. } if *container == old);
    assert!(script(&plan).steps.iter().any(stops));
}

#[test]
fn promises_are_what_the_batches_leave() {
    let least = |strategy: StrategySpec, order: Option<Order>| {
        let mut shop = Shop::of_web(4).running(1);
        shop.strategy = StrategySpec { order, ..strategy };
        let plan = shop.plan(2).unwrap();
        capacity(&plan, &script(&plan).steps)[&ServiceName::new("web")].least
    };
    assert_eq!(least(rolling(Batch::Count(1), Duration::ZERO), None), 4);
    assert_eq!(least(rolling(Batch::Count(1), Duration::ZERO), Some(Order::StopFirst)), 3);
    assert_eq!(least(rolling(Batch::Percent(50), Duration::ZERO), Some(Order::StopFirst)), 2);
    assert_eq!(least(strategy(StrategyKind::Recreate), None), 0);
    assert_eq!(least(strategy(StrategyKind::BlueGreen { by: BlueGreenBy::Colour }), None), 4);
}

#[test]
fn a_plan_survives_being_written_down() {
    let plan = Shop::of_web(2).with_db().with_traffic().with_job("migrate", JobTime::Before, true).running(1).plan(2).unwrap();
    let text = serde_json::to_string(&(&plan, script(&plan))).unwrap();
    assert_eq!(serde_json::from_str::<(Plan, crate::delivery::strategies::Script)>(&text).unwrap(), (plan.clone(), script(&plan)));
}
