use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::fleet::{
    Container, Delta, EngineEvent, EventKind, Fleet, LinkCause, LinkState, Matrix, MatrixBy, Selector, Severity, Summary,
    delta::ContainerSummary, fixture,
};

/// The drawn fleet, and what happens to it one second after the other.
struct Stage {
    fleet: Fleet,
    now: DateTime<Utc>,
}

impl Stage {
    fn drawn() -> Self {
        Self { fleet: fixture::fleet(), now: fixture::now() }
    }

    fn find(&self, host: &str, name: &str) -> &Container {
        self.fleet.containers_on(&host.into()).find(|container| &*container.name == name).unwrap()
    }

    /// `die 1`, `kill 9`, `health_status: unhealthy`.
    fn happens(&mut self, host: &str, name: &str, words: &str) -> &mut Self {
        self.now += TimeDelta::seconds(1);
        let container = self.find(host, name);
        let (verb, code) = words.split_once(' ').filter(|(verb, _)| !verb.ends_with(':')).unwrap_or((words, ""));
        let event = EngineEvent {
            at: self.now,
            host: host.into(),
            kind: EventKind::Container,
            action: verb.into(),
            id: container.key.id.clone(),
            name: name.into(),
            image: None,
            exit_code: code.parse().ok().filter(|_| verb == "die"),
            signal: Some(code.into()).filter(|_| verb == "kill"),
            old_name: None,
            labels: container.labels.clone(),
        };
        self.fleet.apply(Delta::Event { event, live: true, at: self.now });
        self
    }

    fn link(&mut self, host: &str, link: LinkState) -> &mut Self {
        self.fleet.apply(Delta::Link { host: host.into(), link, at: self.now });
        self
    }

    fn lost(&mut self, host: &str) -> &mut Self {
        let (since, next) = (self.now, self.now + TimeDelta::seconds(9));
        self.link(host, LinkState::Retrying { since, cause: LinkCause::Unreachable, error: "connection timed out".into(), next })
    }

    /// The engine lists a container in another state.
    fn listed(&mut self, host: &str, name: &str, change: impl Fn(&mut ContainerSummary)) -> &mut Self {
        self.now += TimeDelta::seconds(1);
        let lists = fixture::deltas().into_iter().find_map(|delta| match delta {
            Delta::List { host: of, containers, .. } if of.as_str() == host => Some(containers),
            _ => None,
        });
        let mut containers = lists.unwrap();
        containers.iter_mut().filter(|summary| &*summary.name == name).for_each(change);
        self.fleet.apply(Delta::List { host: host.into(), containers, asked: self.now, at: self.now });
        self
    }

    fn matrix(&self, filter: &str) -> Matrix {
        let filter = Some(filter).filter(|text| !text.is_empty()).map(|text| Selector::parse(text).unwrap());
        Matrix::build(&self.fleet, MatrixBy::Environment, filter, self.now)
    }

    fn triage(&self, filter: &str) -> Triage {
        Triage::of(&self.fleet, &self.matrix(filter), [], self.now)
    }

    fn told(&self, filter: &str) -> Vec<String> {
        self.triage(filter).alerts().iter().map(|alert| alert.sentence.clone()).collect()
    }
}

const WORKER: &str = "billing/worker in production is unhealthy on app-03 (1 of 6)";
const API: &str = "shop/api in production: app-07 runs 1.0.1-19-04bd1c9, the other 3 run 1.0.1-22-7e56158";
const PROXY: &str = "edge/proxy: tag latest is sha256:77c0de… on app-02 but sha256:3f9a12… on app-01, app-03 and 4 more";

#[test]
fn the_drawn_fleet() {
    let stage = Stage::drawn();
    let told = stage.told("");
    assert_eq!(told, [WORKER, API, PROXY]);
    let triage = stage.triage("");
    assert_eq!((triage.count(Severity::Bad), triage.count(Severity::Attention)), (1, 2));
    let worker = &triage.alerts()[0];
    assert_eq!(worker.since, Some(fixture::now() - TimeDelta::minutes(4)), "by the event that said it");
    assert_eq!((worker.members.len(), worker.selector().as_str()), (1, "app:billing service:worker env:production"));
    assert_eq!(triage.alert(&worker.id()), Some(worker));
}

#[test]
fn each_rule_in_a_sentence_and_only_for_its_cause() {
    type Play = fn(&mut Stage) -> &mut Stage;
    let cases: [(&str, Play, Option<&str>); 14] = [
        ("ended by itself", |s| s.happens("app-09", "db", "die 1"), Some("shop/db in production ended by itself on app-09: exit 1")),
        ("a job that ended well", |s| s.happens("app-09", "db", "die 0"), None),
        ("somebody's stop", |s| s.happens("app-09", "db", "kill 15").happens("app-09", "db", "die 137"), None),
        ("a stop told afterwards", |s| s.happens("app-09", "db", "die 143").happens("app-09", "db", "stop"), None),
        (
            "by a signal of nobody",
            |s| s.happens("app-09", "db", "die 137"),
            Some("shop/db in production ended by itself on app-09: exit 137"),
        ),
        ("the kernel's", |s| s.happens("app-09", "db", "oom"), Some("shop/db in production ran out of memory on app-09")),
        (
            "the kernel's, and up again",
            |s| s.happens("app-09", "db", "oom").happens("app-09", "db", "die 137").happens("app-09", "db", "start"),
            Some("shop/db in production ran out of memory on app-09"),
        ),
        (
            "the kernel's, and somebody saw to it",
            |s| {
                s.happens("app-09", "db", "oom")
                    .happens("app-09", "db", "kill 15")
                    .happens("app-09", "db", "die 0")
                    .happens("app-09", "db", "start")
            },
            None,
        ),
        ("one crash", |s| s.happens("app-09", "db", "die 1").happens("app-09", "db", "start"), None),
        (
            "three crashes",
            |s| (0..3).fold(s, |s, _| s.happens("app-09", "db", "die 1").happens("app-09", "db", "start")),
            Some("shop/db in production crash-loops on app-09"),
        ),
        (
            "ends with code 0 that the policy does not take for the last",
            |s| (0..3).fold(s, |s, _| s.happens("app-09", "db", "die 0").happens("app-09", "db", "start")),
            Some("shop/db in production crash-loops on app-09"),
        ),
        (
            "a host is one entry, not its containers",
            |s| s.lost("app-09"),
            Some("app-09 is lost: connection timed out · 1 container last known"),
        ),
        (
            "a host that is silent",
            |s| s.link("app-09", LinkState::Stale { since: fixture::now() }),
            Some("app-09 does not answer at the moment · 1 container last known"),
        ),
        ("a host that is being reached", |s| s.link("app-09", LinkState::Connecting), None),
    ];
    for (name, play, expected) in cases {
        let mut stage = Stage::drawn();
        play(&mut stage);
        let told = stage.told("host:app-09");
        assert_eq!(told.iter().map(String::as_str).collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn one_cause_is_one_entry() {
    let mut stage = Stage::drawn();
    for _ in 0..3 {
        for host in ["app-04", "app-05", "app-06"] {
            stage.happens(host, "api-1", "die 1").happens(host, "api-1", "start");
        }
    }
    let triage = stage.triage("");
    let first = &triage.alerts()[0];
    assert_eq!(first.sentence, "shop/api in production crash-loops on app-04, app-05 and app-06 (3 of 4)");
    assert_eq!((first.members.len(), triage.broken(Rule::CrashLooping)), (3, 3));
    assert_eq!(first.since, stage.find("app-04", "api-1").deaths.first().copied());
}

#[test]
fn what_is_worst_stands_on_top_and_the_order_holds() {
    let mut stage = Stage::drawn();
    stage.happens("test-01", "web-1", "health_status: unhealthy").happens("app-04", "web-1", "health_status: unhealthy").lost("app-09");
    let told = stage.told("");
    let order =
        ["app-09 is lost", "billing/worker in production", "shop/web in production", "shop/web in testing", "shop/api", "edge/proxy"];
    assert_eq!(told.len(), order.len(), "{told:?}");
    for (sentence, begin) in told.iter().zip(order) {
        assert!(sentence.starts_with(begin), "{told:?}");
    }
}

#[test]
fn a_filter_hides_the_others() {
    let mut stage = Stage::drawn();
    stage.lost("app-09");
    assert_eq!(stage.told("app:billing"), [WORKER]);
    assert_eq!(stage.told("service:db env:production"), ["app-09 is lost: connection timed out · 1 container last known"]);
    assert!(stage.told("host:stage-01 service:web").is_empty());
}

#[test]
fn memory_near_its_limit() {
    let stage = Stage::drawn();
    let key = |host: &str, name: &str| stage.find(host, name).key.clone();
    let (a, b, c) = (key("app-01", "worker-1"), key("app-01", "worker-2"), key("app-04", "web-1"));
    let usage = |memory: u64, limit: Option<u64>| Usage { memory: memory << 20, memory_limit: limit.map(|limit| limit << 20) };
    let measured = [(&a, usage(61, Some(64))), (&b, usage(40, Some(64))), (&c, usage(9000, None))];
    let triage = Triage::of(&stage.fleet, &stage.matrix(""), measured, stage.now);
    let near: Vec<&Alert> = triage.alerts().iter().filter(|alert| alert.rule == Rule::NearMemory).collect();
    assert_eq!(near.len(), 1);
    assert_eq!(near[0].sentence, "billing/worker in production uses 61.0 MB of 64.0 MB (95 %) on app-01 (1 of 6)");
    assert_eq!(near[0].severity(), Severity::Attention);
}

/// What the header counts is what the list holds.
fn assert_agrees(stage: &Stage) {
    let (triage, matrix) = (stage.triage(""), stage.matrix(""));
    let summary = Summary::of(&stage.fleet, &matrix, stage.now);
    let counted = [summary.unhealthy, summary.crash_looping, summary.oom, summary.exited, summary.drift, summary.lost, summary.stale];
    let lost = triage.broken(Rule::HostLost) + triage.broken(Rule::HostRefused);
    let rules = [Rule::Unhealthy, Rule::CrashLooping, Rule::OutOfMemory, Rule::Exited, Rule::Drift].map(|rule| triage.broken(rule));
    assert_eq!(counted, [rules[0], rules[1], rules[2], rules[3], rules[4], lost, triage.broken(Rule::HostStale)]);
}

#[test]
fn the_count_holds_while_the_loop_lasts() {
    let mut stage = Stage::drawn();
    let looping = |stage: &Stage| stage.triage("").broken(Rule::CrashLooping);
    // The console opens in the middle of a loop: the first thing it hears is that the engine waits before the next start.
    let inspected = fixture::deltas().into_iter().find_map(|delta| match delta {
        Delta::Inspected { host, mut container, at } if host.as_str() == "app-09" && &*container.summary.name == "db" => {
            container.restarts = 7;
            Some(Delta::Inspected { host, container, at })
        }
        _ => None,
    });
    stage.fleet.apply(inspected.unwrap());
    stage.listed("app-09", "db", |summary| summary.state = crate::fleet::ContainerState::Restarting);
    for turn in 0..8 {
        assert_eq!(looping(&stage), 1, "waiting, turn {turn}");
        stage.now += TimeDelta::seconds(59);
        stage.happens("app-09", "db", "start");
        assert_eq!(looping(&stage), 1, "running, turn {turn}");
        assert_agrees(&stage);
        stage.happens("app-09", "db", if turn % 2 == 0 { "die 1" } else { "die 0" });
        assert_eq!(looping(&stage), 1, "ended, turn {turn}");
        stage.listed("app-09", "db", |summary| summary.state = crate::fleet::ContainerState::Restarting);
    }
    // It holds no longer than there is reason to, and the matrix knows when to look again.
    stage.happens("app-09", "db", "start");
    let matrix = stage.matrix("");
    let settles = matrix.row(&stage.find("app-09", "db").identity.service.clone()).unwrap().settles.unwrap();
    assert!(settles > stage.now);
    stage.now += TimeDelta::minutes(11);
    assert_eq!(looping(&stage), 0);
    assert_agrees(&stage);
}

#[test]
fn a_loop_that_somebody_stopped_is_over() {
    let mut stage = Stage::drawn();
    for _ in 0..4 {
        stage.happens("app-09", "db", "die 1").happens("app-09", "db", "start");
    }
    assert_eq!(stage.triage("").broken(Rule::CrashLooping), 1);
    stage.happens("app-09", "db", "kill 15").happens("app-09", "db", "die 143").happens("app-09", "db", "stop");
    assert!(stage.told("host:app-09").is_empty(), "{:?}", stage.told("host:app-09"));
}

#[test]
fn the_past_tells_a_loop_too() {
    let mut stage = Stage::drawn();
    let id = stage.find("app-09", "db").key.id.clone();
    let labels = stage.find("app-09", "db").labels.clone();
    let mut history = |seconds: i64, action: &str, exit_code: Option<i64>| {
        let event = EngineEvent {
            at: stage.now - TimeDelta::seconds(seconds),
            host: "app-09".into(),
            kind: EventKind::Container,
            action: action.into(),
            id: id.clone(),
            name: "db".into(),
            image: None,
            exit_code,
            signal: Some("15".into()).filter(|_| action == "kill"),
            old_name: None,
            labels: labels.clone(),
        };
        stage.fleet.apply(Delta::Event { event, live: false, at: stage.now });
    };
    for seconds in [300, 200, 100] {
        history(seconds + 1, "kill", None);
        history(seconds, "die", Some(143));
        history(seconds - 1, "start", None);
    }
    for seconds in [50, 30] {
        history(seconds, "die", Some(1));
        history(seconds - 1, "start", None);
    }
    assert!(stage.told("host:app-09").is_empty(), "three were asked for, two are no loop");
    let event = |stage: &mut Stage| stage.happens("app-09", "db", "die 1").happens("app-09", "db", "start").now;
    event(&mut stage);
    assert_eq!(stage.told("host:app-09"), ["shop/db in production crash-loops on app-09"]);
}

mod whatever_happens {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn header_and_list_agree(happenings in prop::collection::vec((0..5usize, 0..10usize, 0..400i64), 0..40)) {
            let mut stage = Stage::drawn();
            let whom = [("app-09", "db"), ("app-04", "api-1"), ("app-05", "api-1"), ("app-03", "worker-1"), ("test-01", "web-1")];
            let what = ["die 1", "die 0", "start", "kill 15", "stop", "oom", "health_status: unhealthy", "health_status: healthy", "lost", "live"];
            for (who, verb, seconds) in happenings {
                let ((host, name), words) = (whom[who], what[verb]);
                match words {
                    "lost" => stage.lost(host),
                    "live" => stage.link(host, LinkState::Live { since: fixture::now() }),
                    words => stage.happens(host, name, words),
                };
                assert_agrees(&stage);
                stage.now += TimeDelta::seconds(seconds);
                assert_agrees(&stage);
                let mut ids: Vec<_> = stage.triage("").alerts().iter().map(Alert::id).collect();
                let all = ids.len();
                ids.sort();
                ids.dedup();
                prop_assert_eq!(ids.len(), all, "an entry stands twice");
            }
        }
    }
}
