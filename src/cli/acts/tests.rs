use super::*;
use crate::{
    act::{Progress, RunId},
    fleet::{Fleet, fixture},
    rights::Rights,
};

fn planned(fleet: &Fleet, terms: &str, act: Act) -> Plan {
    let filter = Selector::parse(terms).unwrap();
    let keys: Vec<ContainerKey> = fleet
        .containers()
        .filter(|container| filter.matches(container, fleet.host(&container.key.host).unwrap()))
        .map(|container| container.key.clone())
        .collect();
    plan(act, &keys, fleet, &Rights::Act, &Policy::default())
}

/// A run of three whose targets ended like this.
fn ended(outcomes: [Outcome; 3]) -> Run {
    let fleet = fixture::fleet();
    let plan = planned(&fleet, "host:app-04,app-05,app-06 service:web", Act::Stop { grace: Some(3) });
    let mut runs = Runs::default();
    runs.begin(Run::new(RunId(1), Arc::new(plan)));
    for (step, result) in outcomes.into_iter().enumerate() {
        runs.apply(Progress { run: RunId(1), step, stage: Stage::Over { result, unrecorded: None } });
    }
    runs.get(RunId(1)).unwrap().clone()
}

#[test]
fn golden() {
    let fleet = fixture::fleet();
    insta::assert_snapshot!("acts_stop", text(&planned(&fleet, "service:web env:production", Act::Stop { grace: None })));
    insta::assert_snapshot!("acts_rm", text(&planned(&fleet, "host:test-01", Act::Remove { force: true, volumes: true })));
    let run = ended([Outcome::Done, Outcome::Unreachable { why: "it is lost".into() }, Outcome::Gone]);
    insta::assert_snapshot!("acts_json", json::array(&rows(&run)).unwrap());
}

#[test]
fn exit_codes() {
    let unreachable = || Outcome::Unreachable { why: "lost".into() };
    let refused = || Outcome::Refused { status: 409, message: "no".into() };
    let denied = || Outcome::Denied { why: "read-only".into() };
    for (outcomes, reached, code) in [
        ([Outcome::Done, Outcome::Already, Outcome::DoneUnheard { seen: "it is exited".into() }], Exit::DONE, 0),
        ([Outcome::Done, Outcome::Done, Outcome::Done], Exit::INCOMPLETE, 3),
        ([Outcome::Done, unreachable(), Outcome::Done], Exit::DONE, 3),
        ([Outcome::Done, unreachable(), refused()], Exit::INCOMPLETE, 1),
        ([Outcome::Done, Outcome::Gone, Outcome::Done], Exit::DONE, 1),
        ([Outcome::Done, Outcome::Cancelled, Outcome::Done], Exit::DONE, 1),
        ([denied(), denied(), denied()], Exit::DONE, 5),
        ([Outcome::Unknown { why: "nobody knows".into() }, Outcome::Done, Outcome::Done], Exit::DONE, 1),
    ] {
        let told = format!("{outcomes:?}");
        assert_eq!(exit(&ended(outcomes), reached), Exit(code), "{told}");
    }
}
