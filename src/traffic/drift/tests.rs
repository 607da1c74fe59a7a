//! Slots against containers: every lack once, and what is none.

use super::*;
use crate::traffic::{Counters, slot::sample};

fn instance(host: &str, port: u16, duty: Duty, routed: bool) -> Instance {
    let address: SocketAddr = format!("10.0.0.{}:{port}", host.trim_start_matches("app-0")).parse().unwrap();
    Instance {
        host: HostId::new(host),
        name: format!("web-{port}").into(),
        id: format!("id-{host}-{port}").into(),
        part: Some(("shop".into(), "production".into())),
        address,
        route: routed.then(|| ("edge".into(), "shop_web".into())),
        duty,
    }
}

fn sight(instances: Vec<Instance>) -> Sight {
    let seen = [1, 2].map(|n| (format!("10.0.0.{n}").parse().unwrap(), HostId::new(format!("app-0{n}"))));
    let unseen = [("10.0.0.3".parse().unwrap(), HostId::new("app-03"))];
    Sight { instances, seen: seen.into(), unseen: unseen.into(), ..Sight::default() }
}

fn told(slots: Vec<Slot>) -> Vec<Told> {
    let backend = Backend { name: "shop_web".into(), sticky: false, slots, counters: Counters::default() };
    vec![Told { lb: "edge".into(), backend }]
}

fn slot(name: &str, address: &str, state: SlotState) -> Slot {
    sample(name, Some(address), state)
}

fn lines(told: &[Told], sight: &Sight) -> Vec<String> {
    differences(told, sight).iter().map(|difference| format!("{} → {}", difference.sentence(), difference.remedy())).collect()
}

#[test]
fn every_slot_against_every_duty() {
    use SlotState::{Drain, Maint, Ready};
    for (state, duty, expected) in [
        (Ready, Some(Duty::Serves), None),
        (Drain, Some(Duty::Serves), Some("web-80 on app-01 runs and shop_web/s1 sends it nothing → shop_web/s1: fill, check, ready")),
        (Maint, Some(Duty::Serves), Some("web-80 on app-01 runs and shop_web/s1 sends it nothing → shop_web/s1: fill, check, ready")),
        (Ready, Some(Duty::Warm), Some("shop_web/s1 sends to web-80 on app-01, which is only kept for a way back → shop_web/s1: drain")),
        (Drain, Some(Duty::Warm), None),
        (Maint, Some(Duty::Warm), None),
        (Ready, Some(Duty::Off), Some("shop_web/s1 sends to web-80 on app-01, which does not run → shop_web/s1: maint")),
        (Drain, Some(Duty::Off), Some("shop_web/s1 sends to web-80 on app-01, which does not run → shop_web/s1: maint")),
        (Maint, Some(Duty::Off), None),
        (Ready, None, Some("shop_web/s1 sends to 10.0.0.1:80 on app-01, where no container is → shop_web/s1: maint")),
        (Drain, None, Some("shop_web/s1 sends to 10.0.0.1:80 on app-01, where no container is → shop_web/s1: maint")),
        (Maint, None, None),
    ] {
        let told = told(vec![slot("s1", "10.0.0.1:80", state)]);
        let sight = sight(duty.map(|duty| instance("app-01", 80, duty, true)).into_iter().collect());
        assert_eq!(lines(&told, &sight), expected.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{state:?} {duty:?}");
    }
}

#[test]
fn what_has_no_slot_gets_a_free_one_each() {
    let told = told(vec![
        slot("s1", "10.0.0.1:80", SlotState::Ready),
        slot("warm", "10.0.0.1:70", SlotState::Maint),
        slot("blank", "127.0.0.1:1", SlotState::Maint),
        slot("old", "10.0.0.2:9", SlotState::Maint),
    ]);
    let missing = |port| instance("app-02", port, Duty::Serves, true);
    let sight = sight(vec![
        instance("app-01", 80, Duty::Serves, true),
        instance("app-01", 70, Duty::Warm, true),
        missing(80),
        missing(81),
        missing(82),
        instance("app-02", 99, Duty::Serves, false),
    ]);
    assert_eq!(
        lines(&told, &sight),
        [
            "web-80 on app-02 runs and has no slot in shop_web → shop_web/blank: fill, check, ready",
            "web-81 on app-02 runs and has no slot in shop_web → shop_web/old: fill, check, ready",
            "web-82 on app-02 runs and has no slot in shop_web → backend shop_web has no free slot: add `server` lines to it, each with `check`",
        ]
    );
}

#[test]
fn what_is_missing_comes_before_what_is_taken_away() {
    let told = told(vec![
        slot("dead", "10.0.0.1:80", SlotState::Ready),
        slot("twice", "10.0.0.2:80", SlotState::Ready),
        slot("again", "10.0.0.2:80", SlotState::Ready),
        Slot { share: 5, ..slot("canary", "10.0.0.2:81", SlotState::Ready) },
        slot("blank", "127.0.0.1:1", SlotState::Maint),
    ]);
    let serves = |port| instance("app-02", port, Duty::Serves, true);
    let found = differences(&told, &sight(vec![instance("app-01", 80, Duty::Off, true), serves(80), serves(81), serves(82)]));
    let kinds: Vec<Lack> = found.iter().map(|difference| difference.kind).collect();
    assert_eq!(kinds, [Lack::Missing, Lack::Share(5), Lack::Dead, Lack::Twice]);
    assert_eq!(found[3].slot.as_deref(), Some("again"), "the first stays");
}

#[test]
fn other_peoples_servers_and_hosts_that_are_not_seen_are_left_alone() {
    let told = told(vec![
        slot("legacy", "192.168.7.7:80", SlotState::Ready),
        slot("lost", "10.0.0.3:80", SlotState::Ready),
        sample("nowhere", None, SlotState::Ready),
    ]);
    let lost = instance("app-03", 81, Duty::Serves, true);
    assert_eq!(lines(&told, &sight(vec![lost])), Vec::<String>::new());
}

#[test]
fn what_a_deployment_is_at_is_left_to_it() {
    let told = told(vec![slot("s1", "10.0.0.1:80", SlotState::Ready), slot("blank", "127.0.0.1:1", SlotState::Maint)]);
    let mut sight = sight(vec![instance("app-01", 80, Duty::Warm, true), instance("app-02", 80, Duty::Serves, true)]);
    sight.locked.insert(("shop".into(), "production".into()), Locked { holder: "ana on jump-1".into(), deployment: None });
    let found = differences(&told, &sight);
    assert_eq!(found.len(), 2);
    for difference in found {
        assert!(matches!(&difference.mend, Mend::ByHand { remedy } if remedy.contains("locked by ana on jump-1")), "{difference:?}");
    }
}

#[test]
fn a_backend_that_is_not_there_and_a_balancer_that_did_not_answer() {
    let sight = sight(vec![instance("app-01", 80, Duty::Serves, true)]);
    let mut other = told(Vec::new());
    other[0].backend.name = "shop_api".into();
    assert_eq!(differences(&other, &sight).iter().map(|difference| difference.kind).collect::<Vec<_>>(), [Lack::NoBackend]);
    assert_eq!(differences(&[], &sight), []);
}

#[test]
fn labels_say_where_to() {
    assert_eq!(route("edge/shop_web:80"), Some(("edge".into(), "shop_web".into(), 80)));
    assert_eq!(route("edge/a:b:80"), Some(("edge".into(), "a:b".into(), 80)), "HAProxy's names may hold a colon");
    for text in ["", "edge", "edge/web", "edge/web:", "edge/web:x", "edge/web:70000"] {
        assert_eq!(route(text), None, "{text}");
    }
}

proptest::proptest! {
    /// What mends is done in the model; then nothing differs that can be mended.
    #[test]
    fn a_synced_balancer_differs_in_nothing(slots in proptest::collection::vec((0..6_u16, 0..3_u8), 0..8), duties in proptest::collection::vec(0..4_u8, 6)) {
        use SlotState::{Drain, Maint, Ready};
        let state = |n: u8| [Ready, Drain, Maint][usize::from(n)];
        let make = |(n, (port, told)): (usize, &(u16, u8))| match port {
            0 => slot(&format!("s{n}"), "127.0.0.1:1", Maint),
            port => slot(&format!("s{n}"), &format!("10.0.0.1:{}", 79 + port), state(*told)),
        };
        let mut told = told(slots.iter().enumerate().map(make).collect());
        let duty = |n: u8| [None, Some(Duty::Serves), Some(Duty::Warm), Some(Duty::Off)][usize::from(n)];
        let instances = duties.iter().enumerate().filter_map(|(n, told)| {
            Some(instance("app-01", 80 + u16::try_from(n).unwrap(), duty(*told)?, true))
        });
        let sight = sight(instances.collect());
        for _ in 0..3 {
            for difference in differences(&told, &sight) {
                let slots = &mut told[0].backend.slots;
                let mut set = |name: &Arc<str>, state: SlotState| {
                    let slot = slots.iter_mut().find(|slot| slot.name == *name).unwrap();
                    (slot.address, slot.state) = (Some(difference.address), state);
                };
                match &difference.mend {
                    Mend::Admit { slot } => set(slot, Ready),
                    Mend::Drain { slot } => set(slot, Drain),
                    Mend::Remove { slot } => set(slot, Maint),
                    Mend::Weigh { .. } | Mend::ByHand { .. } => {}
                }
            }
        }
        let left = differences(&told, &sight);
        proptest::prop_assert!(left.iter().all(|difference| matches!(difference.mend, Mend::ByHand { .. })), "{left:?} {told:?}");
    }
}
