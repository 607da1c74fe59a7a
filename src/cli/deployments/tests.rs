//! What the verbs print, to the letter.

use chrono::{TimeDelta, TimeZone as _};

use super::*;
use crate::{
    delivery::plan::fixture::Shop,
    ledger::Good,
    run::journal::{Entry, Word},
};

fn deployments() -> Vec<Deployment> {
    let asked = Utc.with_ymd_and_hms(2026, 11, 21, 14, 2, 3).unwrap();
    let good = Deployment {
        id: "44-k3f9".parse().unwrap(),
        app: AppName::new("shop"),
        environment: EnvironmentId::new("production"),
        release: "1.0.1-22-7e56158+c1f09ab2".parse().unwrap(),
        from_release: Some("1.0.0-20-aaaaaaa+c1f09ab2".parse().unwrap()),
        rollback: false,
        override_reason: None,
        state: State::Good,
        by: "ana".to_owned(),
        needed: 1,
        approved_by: vec!["ben".to_owned()],
        asked,
        started: Some(asked + TimeDelta::seconds(60)),
        finished: Some(asked + TimeDelta::milliseconds(195_500)),
        hosts: vec![HostId::new("app-02"), HostId::new("app-03")],
        owed: vec![HostId::new("app-03")],
        requests: Some(12_000),
        failed: Some(3),
        p99_ms: Some(41.5),
        reason: None,
    };
    let waiting = Deployment {
        id: "45-0000".parse().unwrap(),
        from_release: None,
        state: State::Waiting,
        needed: 2,
        started: None,
        finished: None,
        owed: Vec::new(),
        requests: None,
        failed: None,
        p99_ms: None,
        override_reason: Some("the fire".to_owned()),
        ..good.clone()
    };
    vec![waiting, good]
}

#[test]
fn golden() {
    let found = deployments();
    insta::assert_snapshot!("deployments_piped", table(&found).render(None));
    insta::assert_snapshot!("deployments_80", table(&found).render(Some(80)));
    insta::assert_snapshot!("deployments_json", json::array(&found.iter().map(Row::of).collect::<Vec<_>>()).unwrap());
    let good = Good {
        deployment: found[1].id.clone(),
        environment: found[1].environment.clone(),
        release: found[1].release.clone(),
        at: found[1].asked,
    };
    let app = AppName::new("shop");
    let of = |environment: &str, good| Standing {
        app: app.clone(),
        environment: EnvironmentId::new(environment),
        good,
        unsettled: vec![found[0].id.clone()],
    };
    let standing = [of("production", Some(good)), of("testing", None)];
    insta::assert_snapshot!("standing_piped", standing_table(&standing).render(None));
    insta::assert_snapshot!("standing_json", json::array(&standing.iter().map(StandingRow::of).collect::<Vec<_>>()).unwrap());
}

#[test]
fn one_in_full() {
    let found = deployments();
    let plan = Shop::of_web(1).plan(2).unwrap();
    let script = crate::delivery::strategies::script(&plan);
    let (first, second) = (script.steps[0].id, script.steps[1].id);
    let words = vec![
        Word::Begun { by: "ana".into(), plan: Box::new(plan.clone()), script: Box::new(script) },
        Word::Intent { step: first },
        Word::Outcome { step: first, error: None },
        Word::Intent { step: second },
        Word::Outcome { step: second, error: Some("no\u{1b}[2J room".into()) },
        Word::Turned { because: "no room".into(), scope: [first].into(), to: State::Unwound },
        Word::UndoIntent { step: first },
        Word::UndoOutcome { step: first, error: None },
        Word::Ended { state: State::Unwound, reason: Some("no room".into()), owed: [].into() },
    ];
    let entries: Vec<Entry> = (0..).zip(words).map(|(seq, word)| Entry { seq, at: found[1].asked, word }).collect();
    let page = show::Page {
        deployment: &found[1],
        plan: plan.to_string().lines().map(str::to_owned).collect(),
        question: Some("start".to_owned()),
        approvals: Vec::new(),
        orders: Vec::new(),
        journal: show::journal(&entries),
        proof: None,
    };
    insta::assert_snapshot!("deployment_show", page.text());
    insta::assert_snapshot!("deployment_show_json", json::pretty(&page.json()).unwrap());
}
