//! What is told of a past: the merge of ledger, engines and containers.

use chrono::TimeDelta;

use super::{
    fixture::{act, ago, deployments, event, good, recorded},
    *,
};
use crate::fleet::{Delta, Fleet, HostId, LinkCause, LinkState, Severity, fixture};

fn near(environment: &str, host: Option<&str>) -> Near {
    Near {
        title: format!("shop in {environment}"),
        product: Some(Product::App(AppName::new("shop"))),
        environment: Some(EnvironmentId::new(environment)),
        host: host.map(HostId::new),
    }
}

fn tell(fleet: &mut Fleet, events: impl IntoIterator<Item = crate::fleet::EngineEvent>) {
    for event in events {
        fleet.apply(Delta::Event { event, live: false, at: fixture::now() });
    }
}

fn lines(story: &Story) -> Vec<String> {
    let line = |change: &Change| {
        let times = if change.times > 1 { format!(" ×{}", change.times) } else { String::new() };
        format!("{:?} {}{times} [{}] {}", change.kind, change.what, change.who, change.place)
    };
    story.changes.iter().map(line).collect()
}

/// What happened at minutes before now, merged with this share of the ledger.
fn told(near: &Near, recorded: Option<&Recorded>, events: Vec<crate::fleet::EngineEvent>) -> Vec<String> {
    let mut fleet = fixture::fleet();
    tell(&mut fleet, events);
    lines(&story(near, ago(120), recorded, &fleet, fixture::now()))
}

fn restart(host: &str, name: &str, minutes: i64) -> Vec<crate::fleet::EngineEvent> {
    let words = [("kill", 0), ("die", 1), ("stop", 1), ("start", 2), ("restart", 2)];
    words.into_iter().map(|(action, seconds)| event(host, name, action, seconds - minutes * 60)).collect()
}

fn share(near: &Near, deployments: Vec<Deployment>, acts: Vec<RecordedAct>) -> Recorded {
    let deployments = deployments.into_iter().map(|deployment| RecordedDeployment { deployment, settings: Vec::new() }).collect();
    Recorded { near: near.clone(), since: ago(120), deployments, acts }
}

#[test]
fn what_nobody_of_ours_did_was_done_by_hand() {
    let near = near("production", None);
    let empty = share(&near, Vec::new(), Vec::new());
    assert_eq!(
        told(&near, Some(&empty), restart("app-04", "web-1", 30)),
        ["ByHand restarted [by hand, not through quarterdeck] app-04 web-1"]
    );
    assert_eq!(told(&near, None, restart("app-04", "web-1", 30)), ["ByHand restarted [unknown: the ledger is not read] app-04 web-1"]);
    assert_eq!(told(&near, Some(&empty), restart("stage-01", "web-1", 30)), [""; 0]);
}

#[test]
fn an_act_of_the_audit_explains_what_its_engine_told() {
    let near = near("production", None);
    let acted = share(&near, Vec::new(), vec![act("container.restart", "app-04", "web-1", 30)]);
    assert_eq!(told(&near, Some(&acted), restart("app-04", "web-1", 30)), ["Act restarted [ana] app-04 web-1"]);
    // Another container's, or long after.
    assert_eq!(told(&near, Some(&acted), restart("app-05", "web-1", 30)).len(), 2);
    assert_eq!(told(&near, Some(&acted), restart("app-04", "web-1", 20)).len(), 2);
}

#[test]
fn a_deployment_explains_what_happens_where_it_goes_but_not_what_fails() {
    let near = near("production", None);
    let deployed = share(&near, vec![good("44-t8v9", 30, fixture_release(), None)], Vec::new());
    let word = |host, action, seconds: i64| event(host, "web-1", action, seconds - 30 * 60);
    let mut events = vec![word("app-04", "kill", 0), word("app-04", "die", 1), word("app-04", "stop", 1), word("app-04", "start", 9)];
    events.push(word("app-05", "health_status: unhealthy", 20));
    // It never restarts what is there, and does nothing where it does not go.
    events.extend(restart("app-06", "web-1", 30));
    events.extend([word("app-07", "kill", 0), word("app-07", "die", 1), word("app-07", "stop", 1)]);
    assert_eq!(
        told(&near, Some(&deployed), events),
        [
            "Health unhealthy [during deployment 44-t8v9] app-05 web-1",
            "Deployment deployed 1.0.1-22-7e56158+c1f09ab2 in 68 s [ana] shop in production",
            "ByHand restarted [by hand, not through quarterdeck] app-06 web-1",
            "ByHand stopped [by hand, not through quarterdeck] app-07 web-1",
        ]
    );
}

#[test]
fn a_deployment_that_is_good_is_done_with_what_it_made() {
    let near = near("production", None);
    let deployed = share(&near, vec![good("44-t8v9", 30, fixture_release(), None)], Vec::new());
    let stopped = |deployment: &str| {
        let labels = [("quarterdeck.app", "shop"), ("quarterdeck.environment", "production"), ("quarterdeck.deployment", deployment)];
        let word = |action, seconds: i64| {
            let mut event = event("app-04", "shop-web", action, seconds - 30 * 60 + 68);
            event.labels = fixture::labels(&labels);
            event
        };
        vec![word("kill", 20), word("die", 21), word("stop", 21)]
    };
    let lines = |deployment| told(&near, Some(&deployed), stopped(deployment)).len();
    assert_eq!((lines("44-t8v9"), lines("43-w0x1")), (2, 1), "an older one is tidied up");
}

fn fixture_release() -> &'static str {
    super::fixture::NEW
}

#[test]
fn what_repeats_is_one_line_until_something_else_happens() {
    let near = near("production", None);
    let mut events = Vec::new();
    for minute in [50, 49, 48, 20, 19] {
        let mut died = event("app-04", "web-1", "die", -minute * 60);
        died.exit_code = Some(1);
        events.extend([died, event("app-04", "web-1", "start", 3 - minute * 60)]);
    }
    let frozen = share(&near, Vec::new(), vec![act("environment.freeze", "", "shop in production", 40)]);
    let mut fleet = fixture::fleet();
    tell(&mut fleet, events);
    let story = story(&near, ago(120), Some(&frozen), &fleet, fixture::now());
    assert_eq!(
        lines(&story),
        [
            "Restart died (1), started again by its engine ×2 [] app-04 web-1",
            "Act frozen [ana] shop in production",
            "Restart died (1), started again by its engine ×3 [] app-04 web-1",
        ]
    );
    // Its engine's clock is 2 ms ahead of ours.
    let skew = TimeDelta::milliseconds(2);
    assert_eq!((story.changes[2].first + skew, story.changes[2].at + skew), (ago(50), ago(48)));
    assert_eq!(story.suspect, Some(1));
}

#[test]
fn a_row_with_a_host_sees_its_neighbours_acts_and_a_host_sees_all() {
    let mut events = restart("app-01", "worker-1", 30);
    events.push(event("app-01", "proxy", "health_status: unhealthy", -600));
    let mut shop = near("production", Some("app-01"));
    let empty = share(&shop, Vec::new(), Vec::new());
    assert_eq!(told(&shop, Some(&empty), events.clone()), ["ByHand restarted [by hand, not through quarterdeck] app-01 worker-1"]);
    (shop.product, shop.environment) = (None, None);
    let all = told(&shop, Some(&empty), events);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], "Health unhealthy [] app-01 proxy");
}

#[test]
fn lost_hosts_drift_and_the_first_word_of_a_link() {
    let mut fleet = fixture::fleet();
    let (lost, back) = (ago(50), ago(48));
    let retrying =
        LinkState::Retrying { since: lost, cause: LinkCause::Unreachable, error: "connection timed out".into(), next: fixture::now() };
    let host = HostId::new("app-04");
    fleet.apply(Delta::Link { host: host.clone(), link: retrying, at: lost });
    fleet.apply(Delta::Link { host, link: LinkState::Live { since: back }, at: back });
    let near = near("production", None);
    let told = story(&near, ago(120), None, &fleet, fixture::now());
    assert_eq!(lines(&told), ["Link link is up again [] app-04", "Link link lost: connection timed out [] app-04"]);
    let edge = Near { product: Some(Product::App(AppName::new("edge"))), ..near };
    let told = story(&edge, ago(60 * 24 * 60), None, &fleet, fixture::now());
    let drift: Vec<_> = told.changes.iter().filter(|change| change.kind == Kind::Drift).collect();
    assert_eq!(drift.len(), 1);
    assert!(drift[0].what.contains("app-02") && drift[0].place == "app-02", "{drift:?}");
}

#[test]
fn containers_of_another_ledger_name_it() {
    let mut fleet = fixture::fleet();
    let mut created = event("app-04", "new", "create", -600);
    let labels = [
        ("quarterdeck.app", "shop"),
        ("quarterdeck.service", "web"),
        ("quarterdeck.environment", "production"),
        ("quarterdeck.deployment", "7-zzzz"),
        ("quarterdeck.by", "li"),
    ];
    created.labels = fixture::labels(&labels);
    tell(&mut fleet, [created]);
    let near = near("production", None);
    let empty = share(&near, Vec::new(), Vec::new());
    let told = lines(&story(&near, ago(120), Some(&empty), &fleet, fixture::now()));
    assert_eq!(told, ["ByHand created [li, deployment 7-zzzz of another ledger] app-04 new"]);
    // What our own made says nothing more.
    let known = share(&near, vec![good("7-zzzz", 60, fixture_release(), None)], Vec::new());
    assert_eq!(lines(&story(&near, ago(120), Some(&known), &fleet, fixture::now())).len(), 1);
}

#[test]
fn the_whole_of_it_in_time() {
    let near = near("production", None);
    let mut fleet = fixture::fleet();
    tell(&mut fleet, restart("app-04", "web-1", 30));
    tell(&mut fleet, [event("app-06", "web-1", "oom", -235 * 60)]);
    let told = story(&near, ago(24 * 60), Some(&recorded(near.clone())), &fleet, fixture::now());
    insta::assert_snapshot!("story", lines(&told).join("\n"));
    assert!(told.changes.is_sorted_by_key(|change| std::cmp::Reverse(change.at)));
    assert_eq!(told.listening, Some(fixture::now() - TimeDelta::days(2)));
    let suspect = &told.changes[told.suspect.unwrap()];
    assert_eq!((suspect.kind, suspect.severity), (Kind::Deployment, Severity::Bad));
    assert_eq!(suspect.deployment, Some(deployments()[3].id.clone()));
}

#[test]
fn a_page_holds_what_was_told_last() {
    let mut page = Page::default();
    page.learn(News::Deployments { filter: Filter::default(), rows: deployments(), more: true });
    page.learn(News::Unreadable("the ledger is locked".to_owned()));
    assert_eq!((page.fault.as_deref(), page.deployments.is_some(), page.turn), (Some("the ledger is locked"), true, 2));
    page.learn(News::Account(Box::new(super::fixture::account())));
    assert_eq!(page.fault, None);
    assert_eq!(page.deployment(&"46-k3f9".parse().unwrap()).map(|one| one.state), Some(State::Failed));
    assert_eq!(page.deployment(&"999-0000".parse().unwrap()), None);
}
