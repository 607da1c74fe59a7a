//! When is asked, how often, and when not: by hand-made clocks.

use std::collections::HashMap;

use super::*;
use crate::stats::Flow;

fn ids(range: std::ops::Range<usize>) -> Vec<ContainerId> {
    range.map(|n| ContainerId::new(format!("c{n:03}"))).collect()
}

fn demand(near: usize, rest: usize) -> Demand {
    Demand { near: ids(0..near), rest: ids(near..near + rest), every_ms: 2000, machine: false }
}

fn sample() -> Sample {
    Sample {
        read: None,
        cpu: 1,
        system: None,
        cpus: 1,
        memory: 1,
        memory_limit: None,
        network: None,
        block: Flow::default(),
        pids: None,
        pids_limit: None,
    }
}

/// Runs a sampler for so long, each answer taking `took`; how often each container was asked for, and the moments of all questions.
fn run(sampler: &mut Sampler, from: Instant, seconds: u64, took: Duration) -> (HashMap<ContainerId, u32>, Vec<Duration>) {
    let (mut asked, mut moments) = (HashMap::<ContainerId, u32>::new(), Vec::new());
    let mut flying: Vec<(Instant, ContainerId)> = Vec::new();
    for step in 0..seconds * 20 {
        let now = from + Duration::from_millis(step * 50);
        flying.retain(|(sent, id)| {
            let arrived = *sent + took <= now;
            if arrived {
                sampler.answered(id.clone(), Ok(Some(sample())), took, now);
            }
            !arrived
        });
        while let Some(next) = sampler.next(now) {
            let Next::Container(id) = next else { panic!("no host is asked") };
            *asked.entry(id.clone()).or_default() += 1;
            moments.push(now - from);
            flying.push((now, id));
        }
        sampler.told(now);
        let wake = sampler.wake(now);
        assert!(wake.is_none_or(|wake| wake + Duration::from_millis(50) > now), "it would wake for nothing");
    }
    (asked, moments)
}

#[test]
fn a_screen_is_answered_at_once_and_then_within_the_budget() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.demand(demand(60, 0), start);
    let (asked, moments) = run(&mut sampler, start, 120, Duration::from_millis(20));
    let first: Vec<&Duration> = moments.iter().filter(|at| at.as_secs() < 1).collect();
    assert!((30..=45).contains(&first.len()), "a first look is answered from what was saved: {}", first.len());
    assert_eq!(asked.len(), 60);
    let (least, most) = (asked.values().min().unwrap(), asked.values().max().unwrap());
    assert!(*least >= 14 && most - least <= 2, "every {least} to {most}");
    // 8 a second are 2 % of a core.
    assert!(moments.len() <= 120 * 8 + 33, "{}", moments.len());
    let later = moments.iter().filter(|at| (60..120).contains(&at.as_secs())).count();
    assert!((440..=481).contains(&later), "{later}");
}

#[test]
fn few_are_measured_as_often_as_asked_and_a_pair_comes_first() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.demand(demand(1, 0), start);
    let (_, moments) = run(&mut sampler, start, 10, Duration::from_millis(20));
    assert_eq!(moments.iter().map(|at| at.as_millis()).collect::<Vec<_>>(), [0, 1200, 3200, 5200, 7200, 9200]);
}

#[test]
fn what_is_looked_at_comes_before_what_a_sum_needs() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.demand(demand(10, 190), start);
    let (asked, _) = run(&mut sampler, start, 300, Duration::from_millis(20));
    let of = |range| ids(range).iter().map(|id| asked.get(id).copied().unwrap_or(0)).min().unwrap();
    assert!(of(0..10) >= 100 && of(10..200) >= 4, "{} {}", of(0..10), of(10..200));
}

#[test]
fn nothing_in_demand_is_nothing_asked() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.described();
    assert_eq!((sampler.next(start), sampler.wake(start)), (None, None));
    sampler.demand(Demand { machine: true, ..demand(3, 0) }, start);
    assert_eq!(sampler.next(start), Some(Next::Machine));
    assert!(matches!(sampler.next(start), Some(Next::Container(_))));
    sampler.demand(Demand::default(), start);
    let later = start + Duration::from_secs(60);
    assert_eq!((sampler.next(later), sampler.wake(later)), (None, None));
    // An answer that was on its way is not told any more.
    sampler.answered(ids(0..1).remove(0), Ok(Some(sample())), Duration::ZERO, later);
    assert_eq!(sampler.told(later + GATHER), None);
}

#[test]
fn an_engine_in_trouble_is_asked_less() {
    let start = Instant::now();
    let count = |prepare: &dyn Fn(&mut Sampler), took| {
        let mut sampler = Sampler::new(start);
        prepare(&mut sampler);
        sampler.demand(demand(100, 0), start);
        run(&mut sampler, start, 120, took).1.len()
    };
    let usual = count(&|_| {}, Duration::from_millis(20));
    let slow = count(&|_| {}, Duration::from_secs(4));
    let loaded = count(&|sampler| sampler.load = Some(3.0), Duration::from_millis(20));
    assert!(slow * 2 < usual && loaded * 2 < usual, "{usual}: {slow} while slow, {loaded} while loaded");
    let old = count(&|_| {}, Duration::from_millis(900));
    assert!(old * 10 >= usual * 9, "the tick of an old engine is no trouble: {old} of {usual}");
}

#[test]
fn failures_narrow_the_way_and_what_is_gone_is_left_alone() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.demand(demand(2, 0), start);
    let all: Vec<Next> = std::iter::from_fn(|| sampler.next(start)).collect();
    assert_eq!(all.len(), 2);
    let gone = EngineError::Status { status: 404, message: "No such container".to_owned() };
    sampler.answered(ids(0..1).remove(0), Err(gone), Duration::ZERO, start);
    let broken = EngineError::Timeout { what: "GET /x".to_owned(), seconds: 10 };
    sampler.answered(ids(1..2).remove(0), Err(broken), Duration::from_secs(10), start);
    assert_eq!(sampler.width, WIDTH / 2);
    let later = start + Duration::from_secs(30);
    assert_eq!(std::iter::from_fn(|| sampler.next(later)).collect::<Vec<_>>(), [Next::Container(ids(1..2).remove(0))]);
    sampler.demand(Demand::default(), start);
    sampler.demand(demand(2, 0), start);
    sampler.flying.clear();
    assert_eq!(std::iter::from_fn(|| sampler.next(later)).count(), 2, "wanted anew, tried anew");
}

#[test]
fn a_host_is_asked_when_its_engine_is_known_and_seldom_after_a_refusal() {
    let start = Instant::now();
    let mut sampler = Sampler::new(start);
    sampler.demand(Demand { machine: true, every_ms: 2000, ..Demand::default() }, start);
    assert_eq!(sampler.next(start), None);
    sampler.described();
    assert_eq!(sampler.next(start), Some(Next::Machine));
    assert_eq!(sampler.next(start), None);
    sampler.machine_answered(MachineReading::Engine("no".into()), start);
    assert_eq!(sampler.wake(start), Some(start + GATHER));
    assert_eq!(sampler.told(start + GATHER), Some((vec![], Some(MachineReading::Engine("no".into())))));
    assert_eq!(sampler.wake(start + GATHER), Some(start + MACHINE_REFUSED));
}
