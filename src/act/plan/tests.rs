//! What is planned, by table over the drawn fleet.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that cannot go on has failed.

use chrono::TimeDelta;

use super::*;
use crate::fleet::{ContainerSummary, Delta, LinkCause, Selector, fixture};

fn keys(fleet: &Fleet, selector: &str) -> Vec<ContainerKey> {
    let selector = Selector::parse(selector).unwrap();
    let chosen = |container: &&Container| selector.matches(container, fleet.host(&container.key.host).unwrap());
    fleet.containers().filter(chosen).map(|container| container.key.clone()).collect()
}

fn planned(act: Act, fleet: &Fleet, selector: &str) -> Plan {
    plan(act, &keys(fleet, selector), fleet, &Rights::Act, &Policy::default())
}

fn stop() -> Act {
    Act::Stop { grace: None }
}

fn remove(force: bool) -> Act {
    Act::Remove { force, volumes: false }
}

fn lose(fleet: &mut Fleet, host: &str) {
    let at = fixture::now();
    let link = LinkState::Retrying {
        since: at,
        cause: LinkCause::Unreachable,
        error: "connection timed out".into(),
        next: at + TimeDelta::seconds(7),
    };
    fleet.apply(Delta::Link { host: host.into(), link, at });
}

/// A host of its own with one container in this state.
fn with(state: ContainerState) -> Fleet {
    let mut fleet = Fleet::new(vec![fixture::spec("box", None)], Vec::new());
    let at = fixture::now();
    fleet.apply(Delta::Link { host: "box".into(), link: LinkState::Live { since: at }, at });
    let one = ContainerSummary { state, ..fixture::container("box", "one", "nginx:1") };
    let other = fixture::container("box", "other", "nginx:1");
    fleet.apply(Delta::List { host: "box".into(), containers: vec![one, other], asked: at, at });
    fleet
}

fn texts(plan: &Plan) -> Vec<String> {
    plan.consequences.iter().map(|consequence| format!("{:?} {}", consequence.weight, consequence.text)).collect()
}

#[test]
fn what_happens_to_a_target_follows_from_its_state() {
    use ContainerState::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
    let kill = || Act::Kill { signal: "SIGKILL".to_owned() };
    let restart = || Act::Restart { grace: None };
    let rename = |to: &str| Act::Rename { to: to.to_owned() };
    // a: acted on, s: so already, otherwise why not.
    for (act, state, fate) in [
        (Act::Start, Exited, "a"),
        (Act::Start, Created, "a"),
        (Act::Start, Running, "s"),
        (Act::Start, Paused, "it is paused: unpause it"),
        (Act::Start, Dead, "it is half removed: remove it"),
        (stop(), Running, "a"),
        (stop(), Paused, "a"),
        (stop(), Restarting, "a"),
        (stop(), Exited, "s"),
        (stop(), Removing, "it is being removed"),
        (restart(), Exited, "a"),
        (restart(), Running, "a"),
        (kill(), Running, "a"),
        (kill(), Exited, "it does not run"),
        (Act::Pause, Running, "a"),
        (Act::Pause, Paused, "s"),
        (Act::Pause, Created, "it does not run"),
        (Act::Pause, Restarting, "it is about to be restarted: wait until it runs"),
        (Act::Unpause, Paused, "a"),
        (Act::Unpause, Running, "s"),
        (Act::Unpause, Exited, "it is not paused"),
        (remove(false), Exited, "a"),
        (remove(false), Running, "it runs: stop it first, or remove it by force"),
        (remove(true), Running, "a"),
        (remove(false), Removing, "s"),
        (rename("two"), Running, "a"),
        (rename("one"), Running, "s"),
        (rename("other"), Exited, "other is another container there"),
    ] {
        let fleet = with(state);
        let plan = planned(act.clone(), &fleet, "name:one");
        let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
        let told = match &step.fate {
            Fate::Act => "a",
            Fate::Already => "s",
            Fate::Unreachable { why } | Fate::Impossible { why } => why,
        };
        assert_eq!(told, fate, "{act} {state}");
        assert_eq!(plan.asks == Asks::Nothing, fate != "a", "{act} {state}");
    }
}

#[test]
fn what_stays_is_told_by_service_and_environment() {
    let fleet = fixture::fleet();
    for (act, selector, expected) in [
        (stop(), "host:app-04 service:web", vec!["Attention shop/web in production: 3 of 4 healthy stay"]),
        (stop(), "service:web env:production", vec!["Bad shop/web in production: none of 4 healthy stays: it is down then"]),
        (stop(), "host:app-09", vec!["Bad shop/db in production: none of 1 running stays: it is down then"]),
        (
            stop(),
            "host:app-03",
            vec!["Attention billing/worker in production: 4 of 5 healthy stay", "Attention edge/proxy in production: 3 of 4 healthy stay"],
        ),
        (stop(), "host:app-03 name:worker-1", vec!["Note billing/worker in production: all 5 healthy stay"]),
        (Act::Restart { grace: None }, "service:web env:staging", vec!["Bad shop/web in staging: none of 2 healthy serves meanwhile"]),
        (Act::Restart { grace: None }, "host:app-04 service:web", vec!["Attention shop/web in production: 3 of 4 healthy serve meanwhile"]),
        (Act::Kill { signal: "SIGHUP".to_owned() }, "service:web", vec![]),
        (Act::Rename { to: "web-9".to_owned() }, "host:app-04 service:web", vec![]),
    ] {
        let plan = planned(act, &fleet, selector);
        assert_eq!(texts(&plan), expected, "{selector}");
    }
}

#[test]
fn a_lost_host_is_left_out_and_does_not_count_as_staying() {
    let mut fleet = fixture::fleet();
    lose(&mut fleet, "app-05");
    let plan = planned(stop(), &fleet, "service:web env:production !host:app-04");
    assert_eq!((plan.steps.len(), plan.affected()), (3, 2));
    assert!(matches!(&plan.steps[0].fate, Fate::Unreachable { why } if &**why == "its host is lost: connection timed out"), "{plan:?}");
    assert_eq!(
        texts(&plan),
        ["Attention shop/web in production: 1 of 3 healthy stay", "Attention app-05 cannot be reached: 1 container left out"]
    );
    assert_eq!(plan.title(), "Stop 3 containers on 3 hosts");
}

#[test]
fn what_must_be_answered_grows_with_what_is_at_stake() {
    let mut fleet = fixture::fleet();
    let word = |act: Act, fleet: &Fleet, selector: &str| match planned(act, fleet, selector).asks {
        Asks::Nothing => "nothing".to_owned(),
        Asks::Yes => "yes".to_owned(),
        Asks::Word { word, because } => format!("{word} ({because})"),
    };
    let gone = "what is taken away does not come back";
    for (act, selector, expected) in [
        (stop(), "service:web env:staging", "yes".to_owned()),
        (Act::Start, "service:web env:staging", "nothing".to_owned()),
        (stop(), "service:web host:app-04", "web-1 (this is production)".to_owned()),
        (stop(), "service:web env:production", "web (this is production)".to_owned()),
        (stop(), "host:app-04,app-05", "production (this is production)".to_owned()),
        (stop(), "service:web", "web (this is production)".to_owned()),
        (remove(true), "service:web host:test-01", format!("web-1 ({gone})")),
        (remove(true), "host:test-01", format!("remove 5 containers ({gone})")),
        (remove(false), "host:test-01", "nothing".to_owned()),
    ] {
        assert_eq!(word(act, &fleet, selector), expected, "{selector}");
    }
    lose(&mut fleet, "app-04");
    assert_eq!(word(stop(), &fleet, "service:web host:app-04"), "nothing", "nothing would be done");
}

#[test]
fn rights_refuse_with_their_reason_and_nothing_is_refused_too() {
    let fleet = fixture::fleet();
    let view = Rights::view("read-only is set by --read-only");
    let refused = plan(stop(), &keys(&fleet, "service:web"), &fleet, &view, &Policy::default());
    assert_eq!(refused.refusal.as_deref(), Some("read-only is set by --read-only"));
    let empty = plan(stop(), &[], &fleet, &Rights::Act, &Policy::default());
    assert_eq!(empty.refusal.as_deref(), Some("nothing is selected"));
    assert_eq!(planned(stop(), &fleet, "service:web").refusal, None);
}

#[test]
fn targets_count_once_and_one_name_is_for_one_a_host() {
    let fleet = fixture::fleet();
    let mut chosen = keys(&fleet, "service:worker host:app-01,app-02");
    chosen.extend(chosen.clone());
    let plan = plan(Act::Rename { to: "queue".to_owned() }, &chosen, &fleet, &Rights::Act, &Policy::default());
    let told: Vec<(&str, bool)> = plan.steps.iter().map(|step| (step.target.host.as_str(), step.fate == Fate::Act)).collect();
    assert_eq!(told, [("app-01", true), ("app-01", false), ("app-02", true), ("app-02", false)]);
    assert_eq!(plan.title(), "Rename 4 containers on 2 hosts to queue");
}

#[test]
fn what_is_lost_is_said_of_each() {
    let mut fleet = fixture::fleet();
    let labels = fixture::labels(&[("quarterdeck.app", "shop"), ("quarterdeck.service", "web")]);
    let kept = ContainerSummary { labels, state: ContainerState::Exited, ..fixture::container("app-04", "web-0-kept", "shop/web:1") };
    let id = kept.id.clone();
    let at = fixture::now();
    fleet.apply(Delta::List { host: "test-01".into(), containers: vec![kept], asked: at, at });
    let plan = planned(Act::Remove { force: true, volumes: true }, &fleet, "host:app-04 service:web");
    assert_eq!(
        plan.steps[0].notes.iter().map(|note| &**note).collect::<Vec<_>>(),
        ["its log and what it wrote into its own layer are lost", ":20020 given up", "its anonymous volumes go with it, named ones stay"]
    );
    assert_eq!(plan.undo.as_ref(), "cannot be taken back");
    let of_kept = super::plan(remove(false), &[ContainerKey { host: "test-01".into(), id }], &fleet, &Rights::Act, &Policy::default());
    assert_eq!(of_kept.steps[0].now.as_ref(), "exited, kept");
    assert!(of_kept.steps[0].notes.iter().any(|note| note.contains("way back")), "{of_kept:?}");
}

#[test]
fn what_is_gone_is_said_and_a_plan_is_data() {
    let fleet = fixture::fleet();
    let nobody = ContainerKey { host: "app-04".into(), id: fixture::hex("nobody").as_str().into() };
    let gone = plan(stop(), std::slice::from_ref(&nobody), &fleet, &Rights::Act, &Policy::default());
    assert_eq!(gone.steps[0].fate, Fate::Impossible { why: "it is gone".into() });
    let removed = plan(remove(false), &[nobody], &fleet, &Rights::Act, &Policy::default());
    assert_eq!(removed.steps[0].fate, Fate::Already);

    let plan = planned(stop(), &fleet, "service:web env:production");
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert!(read == plan && read.does_as(&plan) && !gone.does_as(&plan));
    assert_eq!(plan.line(), "Stop 4 containers on 4 hosts; shop/web in production: none of 4 healthy stays: it is down then");
}
