//! Lanes in every state, for tests of screens. They fit the drawn fleet: shop in its three environments.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    board::lanes::{Behind, Build, Commit, Estimate, Expected, Frozen, Good, Size, Source, Stop, Try, Way, WayBack},
    delivery::{
        plan::Speed,
        release::{DeploymentId, ReleaseId},
    },
    fleet::{
        AppName, EnvironmentId, HostId, ServiceName,
        fixture::{hex, now},
    },
    run::journal::State,
};

fn ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn release(version: &str) -> ReleaseId {
    format!("{version}+c1f09ab2").parse().unwrap()
}

/// A commit of so many hours ago.
pub(in crate::ui) fn commit(sha: &str, subject: &str, author: &str, hours: i64) -> Commit {
    Commit { sha: sha.into(), subject: subject.into(), author: author.into(), at: ago(hours * 60) }
}

/// A deployment that waits for the second of two people.
pub(in crate::ui) fn waiting(number: u64) -> Try {
    Try {
        deployment: DeploymentId::new(number, 7),
        release: release("1.0.1-24-a91c2f3"),
        state: State::Waiting,
        by: "ana".into(),
        asked: ago(8),
        started: None,
        finished: None,
        needed: 2,
        approved_by: vec!["bo".into()],
        asks: None,
        reason: None,
    }
}

/// One that stands so since a few minutes.
pub(in crate::ui) fn attempt(number: u64, state: State, reason: Option<&str>) -> Try {
    let finished = matches!(state, State::Failed | State::Unwound).then(|| ago(5));
    Try { state, started: Some(ago(7)), finished, needed: 0, approved_by: Vec::new(), reason: reason.map(str::to_owned), ..waiting(number) }
}

/// Since yesterday.
pub(in crate::ui) fn frozen() -> Frozen {
    Frozen { who: "ana".into(), why: "black friday, until Monday".into(), since: Some(ago(26 * 60)), host: None }
}

fn good(number: u64, version: &str, minutes: i64) -> Good {
    Good {
        deployment: DeploymentId::new(number, 7),
        release: release(version),
        at: ago(minutes),
        took: Some(Duration::from_secs(62)),
        by: "ana".into(),
        approved_by: Vec::new(),
        rollback: false,
        override_reason: None,
        owed: Vec::new(),
        proof: None,
    }
}

/// What of shop should run: the bits of the drawn fleet.
fn expected(version: &str, digests: [(&str, &str); 3], hosts: [&[&str]; 3]) -> Vec<Expected> {
    let digest = |digits: &str| Some(Arc::from(format!("sha256:{digits}{}", &hex(digits)[6..])));
    let one = |((service, digits), hosts): ((&str, &str), &[&str])| Expected {
        service: ServiceName::new(service),
        digest: digest(digits),
        version: (service != "db").then(|| version.into()),
        hosts: hosts.iter().map(|host| HostId::new(*host)).collect(),
    };
    digests.into_iter().zip(hosts).map(one).collect()
}

fn ready(to: &str, speed: Speed, estimate: Estimate, hosts: &[(&str, Speed)]) -> WayBack {
    let hosts: BTreeMap<HostId, Speed> = hosts.iter().map(|(host, speed)| (HostId::new(*host), speed.clone())).collect();
    WayBack::Ready { to: release(to), speed, hosts, estimate, at: ago(2) }
}

/// An environment in which nothing was ever deployed.
pub(in crate::ui) fn stop(name: &str, before: Option<&str>) -> Stop {
    Stop {
        environment: EnvironmentId::new(name),
        before: before.map(EnvironmentId::new),
        good: None,
        tries: Vec::new(),
        frozen: None,
        behind: Behind::Unknown,
        way_back: WayBack::Unknown,
        expected: Vec::new(),
    }
}

/// A healthy app with something to promote: shop as it is drawn.
pub(in crate::ui) fn shop() -> Way {
    let new = vec![commit("c04aa17", "faster cart", "li", 1), commit("51be0aa", "fix tax", "ana", 4)];
    let behind = vec![commit("a91c2f3", "new checkout", "li", 81), commit("90ccf11", "colours of the year", "bo", 90)];
    let (old, now) = ("1.0.1-22-7e56158", "1.0.1-24-a91c2f3");
    let testing = Stop {
        good: Some(Good { proof: Some((900, 0, None)), ..good(43, now, 4800) }),
        behind: Behind::Same,
        way_back: ready(old, Speed::Flip, Estimate::Moment, &[("test-01", Speed::Flip)]),
        expected: expected(now, [("api", "a1b2c3"), ("web", "b1c2d3"), ("db", "5d6e7f")], [&["test-01"], &["test-01"], &["test-01"]]),
        ..stop("testing", None)
    };
    let staging = Stop {
        good: Some(Good { proof: Some((12_400, 0, Some(44.2))), ..good(41, old, 4700) }),
        behind: Behind::Commits(behind, false),
        way_back: ready(
            "1.0.1-19-04bd1c9",
            Speed::Start,
            Estimate::AsBefore(Duration::from_secs(6)),
            &[("stage-01", Speed::Start), ("stage-02", Speed::Flip)],
        ),
        expected: expected(
            old,
            [("api", "d4e5f6"), ("web", "e4f5a6"), ("db", "5d6e7f")],
            [&["stage-01", "stage-02"], &["stage-01", "stage-02"], &["stage-01"]],
        ),
        ..stop("staging", Some("testing"))
    };
    let production = Stop {
        good: Some(Good { approved_by: vec!["bo".into()], proof: Some((51_020, 0, Some(41.0))), ..good(42, old, 4560) }),
        behind: Behind::Same,
        way_back: ready(
            "1.0.1-19-04bd1c9",
            Speed::Pull,
            Estimate::AtMost(Duration::from_secs(70)),
            &[("app-04", Speed::Pull), ("app-05", Speed::Pull), ("app-07", Speed::Start)],
        ),
        expected: expected(
            old,
            [("api", "d4e5f6"), ("web", "e4f5a6"), ("db", "5d6e7f")],
            [&["app-04", "app-05", "app-06", "app-07"], &["app-04", "app-05", "app-06", "app-07"], &["app-09"]],
        ),
        ..stop("production", Some("staging"))
    };
    Way {
        source: Source { unbuilt: new, more: false, at: Some(ago(1)), fault: None },
        build: Some(Build {
            version: now.into(),
            at: ago(4801),
            by: "ana".into(),
            took: Some(Duration::from_secs(38)),
            sizes: vec![
                Size { image: "api".into(), bytes: 41 << 20, growth: Some(0) },
                Size { image: "web".into(), bytes: 12 << 20, growth: Some(210 << 10) },
            ],
        }),
        stops: vec![testing, staging, production],
        ..Way::new(AppName::new("shop"))
    }
}

/// The same app with something in every lane that wants to be looked at.
pub(in crate::ui) fn troubled() -> Way {
    let mut way = shop();
    way.source = Source { fault: Some("ssh: connect to host git.internal port 22: timed out".into()), at: Some(ago(41)), ..way.source };
    way.failed_build = Some((ago(9), "web: the stage test failed: exit code 1".into()));
    way.stops[0].tries = vec![attempt(46, State::Failed, Some("web on test-01: GET /healthz: 503, gave up after 30 s"))];
    way.stops[0].behind = Behind::Ahead(3);
    way.stops[1].tries = vec![attempt(45, State::Running, None)];
    way.stops[1].way_back = WayBack::Fault { why: "host stage-02: connection refused".into(), at: ago(2) };
    way.stops[2].tries = vec![waiting(44)];
    way.stops[2].frozen = Some(frozen());
    if let Some(good) = &mut way.stops[2].good {
        good.at = ago(600);
        good.override_reason = Some("the shop was down".into());
        good.proof = Some((51_020, 17, Some(380.0)));
        good.owed = vec![HostId::new("app-06")];
    }
    way.stops[2].way_back = ready(
        "1.0.1-19-04bd1c9",
        Speed::Impossible("no host answers".into()),
        Estimate::Unknown,
        &[("app-04", Speed::Impossible("no route to host".into()))],
    );
    way
}

/// One whose template was never read.
pub(in crate::ui) fn unread() -> Way {
    let why = "crm: quarterdeck.toml:4:9: services.web.imgae: unknown key (did you mean \"image\"?)";
    let source = Source { fault: Some("https://git.internal/crm.git: cannot be fetched".into()), ..Source::default() };
    Way { fault: Some(why.into()), source, ..Way::new(AppName::new("crm")) }
}

/// One in which nothing was done yet.
pub(in crate::ui) fn fresh() -> Way {
    let source = Source { unbuilt: vec![commit("00c0ffe", "first light", "bo", 2)], more: false, at: Some(ago(1)), fault: None };
    let stops = vec![stop("testing", None), stop("production", Some("testing"))];
    Way { source, stops, ..Way::new(AppName::new("billing")) }
}
