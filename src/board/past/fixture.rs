//! A past for tests: a shop and a blog, deployments of every outcome, one that failed with evidence, and what engines said.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    fleet::{ContainerId, EngineEvent, EventKind, HostId, fixture},
    ledger::audit::Verdict,
};

pub(crate) const NEW: &str = "1.0.1-22-7e56158+c1f09ab2";
pub(crate) const OLD: &str = "1.0.1-19-04bd1c9+c1f09ab2";

/// So many minutes before the fixture's now.
pub(crate) fn ago(minutes: i64) -> DateTime<Utc> {
    fixture::now() - TimeDelta::minutes(minutes)
}

fn names(hosts: &[&str]) -> Vec<HostId> {
    hosts.iter().map(HostId::new).collect()
}

/// shop in production: begun so many minutes ago, good 68 s later.
pub(crate) fn good(id: &str, minutes: i64, release: &str, from: Option<&str>) -> Deployment {
    Deployment {
        id: id.parse().unwrap(),
        app: AppName::new("shop"),
        environment: EnvironmentId::new("production"),
        release: release.parse().unwrap(),
        from_release: from.map(|from| from.parse().unwrap()),
        rollback: false,
        override_reason: None,
        state: State::Good,
        by: "ana".to_owned(),
        needed: 1,
        approved_by: vec!["bo".to_owned()],
        asked: ago(minutes + 2),
        started: Some(ago(minutes)),
        finished: Some(ago(minutes) + TimeDelta::seconds(68)),
        hosts: names(&["app-04", "app-05", "app-06"]),
        owed: Vec::new(),
        requests: Some(12_000),
        failed: Some(0),
        p99_ms: Some(41.5),
        reason: None,
    }
}

/// One of every outcome, newest first.
pub(crate) fn deployments() -> Vec<Deployment> {
    let bare = |one: Deployment| Deployment { requests: None, failed: None, p99_ms: None, approved_by: Vec::new(), needed: 0, ..one };
    let waiting = Deployment {
        state: State::Waiting,
        needed: 2,
        started: None,
        finished: None,
        ..bare(good("49-0a1b", 3, "1.0.1-24-a91c2f3+c1f09ab2", Some(NEW)))
    };
    let running = Deployment {
        environment: EnvironmentId::new("staging"),
        state: State::Running,
        finished: None,
        hosts: names(&["stage-01", "stage-02"]),
        ..bare(good("48-m2n3", 5, "1.0.1-24-a91c2f3+c1f09ab2", Some(NEW)))
    };
    let parked = Deployment {
        app: AppName::new("blog"),
        state: State::Parked,
        finished: None,
        by: "li".to_owned(),
        reason: Some("parked by li: the disk of app-02 is looked at first".to_owned()),
        ..bare(good("47-p4q5", 60, "0.9.0-3-beefbee+00000000", None))
    };
    let failed = Deployment {
        state: State::Failed,
        by: "uid 1001".to_owned(),
        owed: names(&["app-06"]),
        failed: Some(17),
        reason: Some("web on app-06 is not healthy after 20 s: GET :20031/healthz → 503; and taking it back: app-06: no answer".to_owned()),
        ..good("46-k3f9", 240, "1.0.1-23-0badbad+c1f09ab2", Some(NEW))
    };
    let unwound = Deployment {
        state: State::Unwound,
        failed: Some(2),
        reason: Some("web on app-04 is not healthy after 20 s: exit code 1".to_owned()),
        ..good("45-r6s7", 300, "1.0.1-23-0badbad+c1f09ab2", Some(NEW))
    };
    let now = Deployment { owed: names(&["app-07"]), ..good("44-t8v9", 4_560, NEW, Some(OLD)) };
    let back = Deployment {
        rollback: true,
        override_reason: Some("shop is down, the freeze is for others".to_owned()),
        approved_by: Vec::new(),
        ..good("43-w0x1", 10_000, OLD, Some("1.0.1-20-aaaaaaa+c1f09ab2"))
    };
    vec![waiting, running, parked, failed, unwound, now, back, good("39-y2z3", 24_480, OLD, None)]
}

/// The failed one in full.
pub(crate) fn account() -> Account {
    let deployment = deployments().remove(3);
    let evidence = |name: &str, bytes| Evidence { name: name.to_owned(), bytes };
    let journal = [
        "   0  2026-11-21 10:03:00  begun by ana, 14 steps",
        "   1  2026-11-21 10:03:00  app-04  1 pull registry.internal:5000/shop/web@sha256:e4f5a6",
        "   2  2026-11-21 10:03:02  app-04  done: 1 pull registry.internal:5000/shop/web@sha256:e4f5a6",
        "   3  2026-11-21 10:03:02  app-06  2 start web",
        "   4  2026-11-21 10:03:22  app-06  FAILED: 3 wait for web: GET :20031/healthz → 503",
        "   5  2026-11-21 10:03:22  evidence in /var/lib/quarterdeck/bundles/46-k3f9/1",
        "   6  2026-11-21 10:03:22  taken back from here: web on app-06 is not healthy after 20 s",
        "   7  2026-11-21 10:04:08  12000 requests, 17 failed, p99 42 ms",
        "   8  2026-11-21 10:04:08  ended failed: web on app-06 is not healthy after 20 s",
    ];
    let reason = deployment.reason.clone().unwrap();
    Account {
        facts: vec![
            ("deployment", "46-k3f9  failed".to_owned()),
            ("release", "1.0.1-23-0badbad+c1f09ab2 of shop in production".to_owned()),
            ("from", NEW.to_owned()),
            ("asked", "2026-11-21 10:01:00 by uid 1001".to_owned()),
            ("approved", "bo".to_owned()),
            ("started", "2026-11-21 10:03:00".to_owned()),
            ("finished", "2026-11-21 10:04:08".to_owned()),
            ("hosts", "app-04, app-05, app-06".to_owned()),
            ("owed", "app-06".to_owned()),
            ("requests", "12000, 17 failed, p99 42 ms".to_owned()),
            ("before it", "11800, 0 failed, p99 38 ms".to_owned()),
            ("reason", reason),
            ("then", "mend the cause; then quarterdeck deployment unwind 46-k3f9".to_owned()),
        ],
        bundles: vec![Bundle {
            place: "/var/lib/quarterdeck/bundles/46-k3f9/1".into(),
            texts: Ok(vec![
                evidence("01-failure.txt", 214),
                evidence("02-app-06-shop-web.txt", 96),
                evidence("03-app-06-shop-web.health.json", 1_830),
                evidence("04-app-06-shop-web.inspect.json", 9_412),
                evidence("05-app-06-shop-web.log", 48_211),
                evidence("06-edge-shop_web.txt", 512),
            ]),
        }],
        chapters: vec![
            ("PLAN", vec!["put shop 1.0.1-23-0badbad into production".to_owned(), "app-04  web  new image".to_owned()]),
            ("ANSWERS", vec!["2026-11-21 10:02:11  yes to start by bo: go".to_owned()]),
            ("ORDERS", Vec::new()),
            ("JOURNAL", journal.map(str::to_owned).to_vec()),
        ],
        deployment,
    }
}

/// Two releases of the shop.
pub(crate) fn releases() -> Vec<ReleaseRow> {
    let stand = |environment: &str, id: &str, release: &str, minutes| Good {
        deployment: id.parse().unwrap(),
        environment: EnvironmentId::new(environment),
        release: release.parse().unwrap(),
        at: ago(minutes),
    };
    let row = |release: &str, by: &str, minutes, good| ReleaseRow {
        app: AppName::new("shop"),
        release: release.parse().unwrap(),
        created: ago(minutes),
        by: by.to_owned(),
        images: [("web", "registry.internal:5000/shop/web@sha256:e4f5a6"), ("api", "registry.internal:5000/shop/api@sha256:d4e5f6")]
            .map(|(image, reference)| (image.into(), reference.into()))
            .into(),
        good,
    };
    vec![
        row("1.0.1-24-a91c2f3+c1f09ab2", "li", 90, vec![stand("testing", "50-a1b2", "1.0.1-24-a91c2f3+c1f09ab2", 82)]),
        row(NEW, "ana", 4_700, vec![stand("production", "44-t8v9", NEW, 4_558), stand("staging", "41-c3d4", NEW, 4_690)]),
        row(OLD, "ana", 24_600, vec![stand("production", "43-w0x1", OLD, 9_998)]),
        row("1.0.1-18-0000000+c1f09ab2", "ana", 30_000, Vec::new()),
    ]
}

/// What ran three days before the last deployment of production.
pub(crate) fn moment() -> Moment {
    let stand = |app: &str, environment: &str, then: Option<(&str, &str, i64)>, now: Option<(&str, &str, i64)>| {
        let good = |(id, release, minutes): (&str, &str, i64)| Good {
            deployment: id.parse().unwrap(),
            environment: EnvironmentId::new(environment),
            release: release.parse().unwrap(),
            at: ago(minutes),
        };
        Stand {
            app: AppName::new(app),
            environment: EnvironmentId::new(environment),
            by: then.map(|_| "ana".to_owned()),
            then: then.map(good),
            unsettled: Vec::new(),
            now: now.map(good),
        }
    };
    let mut shop = stand("shop", "production", Some(("43-w0x1", OLD, 9_998)), Some(("44-t8v9", NEW, 4_558)));
    shop.unsettled = vec!["42-e5f6".parse().unwrap()];
    let blog = Some(("40-g7h8", "0.9.0-2-beefbee+00000000", 20_000));
    Moment {
        at: ago(7_000),
        stands: vec![
            stand("blog", "production", blog, blog),
            shop,
            stand("shop", "staging", Some(("41-c3d4", NEW, 9_000)), Some(("41-c3d4", NEW, 9_000))),
            stand("shop", "testing", None, Some(("50-a1b2", "1.0.1-24-a91c2f3+c1f09ab2", 82))),
        ],
    }
}

/// An engine's word about a container of the drawn fleet, so many seconds after the fixture's now.
pub(crate) fn event(host: &str, name: &str, action: &str, seconds: i64) -> EngineEvent {
    let known = fixture::fleet().containers_on(&HostId::new(host)).find(|one| &*one.name == name).cloned();
    EngineEvent {
        at: fixture::now() + TimeDelta::seconds(seconds),
        host: HostId::new(host),
        kind: EventKind::Container,
        action: action.into(),
        id: known.as_ref().map_or_else(|| ContainerId::new(fixture::hex(name)), |one| one.key.id.clone()),
        name: name.into(),
        image: None,
        exit_code: None,
        signal: None,
        old_name: None,
        labels: known.map(|one| Arc::clone(&one.labels)).unwrap_or_default(),
    }
}

/// An act of the audit on a container of the drawn fleet.
pub(crate) fn act(action: &str, host: &str, target: &str, minutes: i64) -> RecordedAct {
    RecordedAct {
        at: ago(minutes),
        ended: Some(ago(minutes) + TimeDelta::seconds(2)),
        who: "ana".to_owned(),
        action: action.into(),
        host: host.into(),
        target: target.into(),
        target_id: "".into(),
        argument: "".into(),
        verdict: Some(Verdict::Done),
    }
}

/// What the ledger knows near the shop in production: a failure, a freeze, a restart, a changed setting.
pub(crate) fn recorded(near: Near) -> Recorded {
    let mut found = deployments();
    found.retain(|one| near.deployment(one) != Nearness::Away);
    let with = |deployment: Deployment| RecordedDeployment {
        settings: match deployment.state {
            State::Failed => vec!["web: GREETING".to_owned(), "web: secret TOKEN".to_owned()],
            _ => Vec::new(),
        },
        deployment,
    };
    let freeze = RecordedAct { argument: "the auditors are here".into(), ..act("environment.freeze", "", "shop in production", 200) };
    let approve = RecordedAct { argument: "go".into(), who: "bo".to_owned(), ..act("deployment.approve", "", "46-k3f9", 241) };
    Recorded {
        near,
        since: ago(24 * 60),
        deployments: found.into_iter().map(with).collect(),
        acts: vec![approve, freeze, act("container.restart", "app-04", "web-1", 30)],
    }
}
