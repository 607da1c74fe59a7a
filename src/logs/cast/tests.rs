//! What a cast makes of deltas.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use super::*;
use crate::fleet::{ContainerDetail, ContainerSummary, Delta, LinkCause, LinkState, fixture};

fn at(seconds: i64) -> DateTime<Utc> {
    fixture::now() + TimeDelta::seconds(seconds)
}

fn web(host: &str, name: &str, tag: &str, made: i64) -> ContainerDetail {
    let summary = ContainerSummary {
        labels: fixture::labels(&[("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")]),
        created: at(made),
        ..fixture::container(host, name, &format!("shop/web:{tag}"))
    };
    ContainerDetail { summary, started: Some(at(made)), finished: None, restarts: 0, oom_killed: false, cpu_limit: None }
}

fn inspected(host: &str, container: &ContainerDetail, seconds: i64) -> Delta {
    Delta::Inspected { host: host.into(), container: Box::new(container.clone()), at: at(seconds) }
}

fn event(host: &str, container: &ContainerDetail, words: &str, seconds: i64) -> Delta {
    let (verb, argument) = words.split_once(' ').unwrap_or((words, ""));
    let event = EngineEvent {
        at: at(seconds),
        host: host.into(),
        kind: EventKind::Container,
        action: if verb.starts_with("health") { words } else { verb }.into(),
        id: container.summary.id.clone(),
        name: container.summary.name.clone(),
        image: None,
        exit_code: argument.parse().ok(),
        signal: None,
        old_name: None,
        labels: container.summary.labels.clone(),
    };
    Delta::Event { event, live: true, at: at(seconds) }
}

fn told(steps: &[CastStep]) -> Vec<String> {
    let word = |step: &CastStep| match step {
        CastStep::Join { source, fresh } => format!("join {} {} {} fresh={fresh}", source.id.0, source.key.host, source.name),
        CastStep::Wake(id) => format!("wake {}", id.0),
        CastStep::Leave(id) => format!("leave {}", id.0),
        CastStep::Mark(marker) => marker.text().split_once(' ').map(|(_, text)| text.to_owned()).unwrap(),
    };
    steps.iter().map(word).collect()
}

struct Stage {
    fleet: Fleet,
    cast: Cast,
}

impl Stage {
    fn new(rule: &str, containers: &[(&str, &ContainerDetail)]) -> (Self, Vec<String>) {
        let mut fleet = Fleet::new(vec![fixture::spec("app-01", Some("production")), fixture::spec("app-02", Some("production"))], vec![]);
        for host in ["app-01", "app-02"] {
            fleet.apply(Delta::Link { host: host.into(), link: LinkState::Live { since: at(0) }, at: at(0) });
        }
        for (host, container) in containers {
            fleet.apply(inspected(host, container, 0));
        }
        let (cast, steps) = Cast::start(CastRule::Matching(Selector::parse(rule).unwrap()), &fleet);
        (Self { fleet, cast }, told(&steps))
    }

    fn apply(&mut self, delta: Delta) -> Vec<String> {
        let change = self.fleet.apply(delta);
        told(&self.cast.observe(&self.fleet, &change))
    }
}

#[test]
fn a_service_is_followed_through_its_replacement() {
    let old = web("app-01", "web-1", "1.0", -3600);
    let (mut stage, steps) = Stage::new("name:web-1", &[("app-01", &old)]);
    assert_eq!(steps, ["join 0 app-01 web-1 fresh=false"]);
    assert_eq!(stage.apply(event("app-01", &old, "die 143", 1)), ["app-01 web-1 stopped: exit 143"]);
    // The new one has a name that the rule does not select.
    let new = web("app-01", "shop_web_2", "1.1", 2);
    assert_eq!(stage.apply(inspected("app-01", &new, 3)), ["app-01 shop_web_2 replaced: 1.0 → 1.1", "join 1 app-01 shop_web_2 fresh=true"]);
    assert_eq!(stage.apply(event("app-01", &new, "start", 2)), [""; 0], "its first start is no restart");
    assert_eq!(stage.apply(event("app-01", &old, "destroy", 4)), ["leave 0", "app-01 web-1 removed"]);
    assert_eq!(stage.cast.sources().len(), 2, "who is gone keeps its name");
}

#[test]
fn a_flip_is_told_when_the_old_one_ends() {
    let (old, new) = (web("app-01", "blue", "1.0", -3600), web("app-01", "green", "1.1", 2));
    let (mut stage, _) = Stage::new("service:web", &[("app-01", &old)]);
    assert_eq!(stage.apply(inspected("app-01", &new, 3)), ["app-01 green began: 1.1", "join 1 app-01 green fresh=true"]);
    assert_eq!(stage.apply(event("app-01", &old, "die 0", 9)), ["app-01 green replaced: 1.0 → 1.1", "app-01 blue stopped: exit 0"]);
}

#[test]
fn a_replacement_may_come_on_another_host_and_a_neighbour_is_none() {
    let (old, neighbour) = (web("app-01", "web-1", "1.0", -90), web("app-01", "web-2", "1.0", -60));
    for rule in ["service:web", "name:web-1"] {
        let (mut stage, _) = Stage::new(rule, &[("app-01", &old), ("app-01", &neighbour)]);
        assert_eq!(stage.apply(event("app-01", &old, "die 0", 1)), ["app-01 web-1 stopped: exit 0"], "{rule}");
    }
    let (mut stage, steps) = Stage::new("name:web-1", &[("app-01", &old), ("app-01", &neighbour)]);
    assert_eq!(steps.len(), 1);
    assert_eq!(stage.apply(event("app-01", &old, "die 0", 1)), ["app-01 web-1 stopped: exit 0"], "who was there before is no successor");
    let new = web("app-02", "web-1b", "1.1", 2);
    assert_eq!(
        stage.apply(inspected("app-02", &new, 3)),
        ["app-02 web-1b replaced: 1.0 on app-01 → 1.1", "join 1 app-02 web-1b fresh=true"]
    );
}

#[test]
fn what_happens_to_a_member_is_told_once() {
    let one = web("app-01", "web-1", "1.0", -3600);
    let (mut stage, _) = Stage::new("service:web", &[("app-01", &one)]);
    let cases = [
        ("health_status: healthy", vec![]),
        ("health_status: unhealthy", vec!["app-01 web-1 unhealthy"]),
        ("health_status: healthy", vec!["app-01 web-1 healthy"]),
        ("oom", vec!["app-01 web-1 out of memory"]),
        ("die 137", vec!["app-01 web-1 stopped: exit 137"]),
        ("start", vec!["wake 0", "app-01 web-1 restarted"]),
        ("pause", vec!["app-01 web-1 paused"]),
        ("unpause", vec!["app-01 web-1 goes on"]),
    ];
    for ((words, expected), second) in cases.into_iter().zip(1..) {
        assert_eq!(stage.apply(event("app-01", &one, words, second)), expected, "{words}");
    }
    let other = ContainerDetail { summary: fixture::container("app-01", "db", "postgres:15"), ..web("app-01", "x", "1", 0) };
    assert_eq!(stage.apply(inspected("app-01", &other, 20)), [""; 0]);
    assert_eq!(stage.apply(event("app-01", &other, "die 1", 21)), [""; 0]);
}

#[test]
fn a_lost_host_is_told_where_it_matters() {
    let one = web("app-01", "web-1", "1.0", -3600);
    let (mut stage, _) = Stage::new("service:web", &[("app-01", &one)]);
    let lost = |host: &str| Delta::Link {
        host: host.into(),
        link: LinkState::Retrying { since: at(5), cause: LinkCause::NoAnswer, error: "timed out".into(), next: at(9) },
        at: at(5),
    };
    assert_eq!(stage.apply(lost("app-02")), [""; 0]);
    assert_eq!(stage.apply(lost("app-01")), ["app-01 lost: timed out · its lines are missing from here"]);
    assert_eq!(stage.apply(Delta::Link { host: "app-01".into(), link: LinkState::Live { since: at(7) }, at: at(7) }), ["app-01 is back"]);
}
