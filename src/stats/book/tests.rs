//! Sums under start, stop, restart, removal and a lost host; the memory of a session.

use chrono::TimeDelta;

use super::*;
use crate::{
    fleet::{ContainerState, Delta, LinkCause, LinkState, fixture},
    stats::{Flow, Strain, Sum, fixture as measured, near::Of, nearest},
};

struct Stage {
    fleet: Fleet,
    book: Book,
    now: DateTime<Utc>,
}

impl Stage {
    fn new() -> Self {
        let fleet = fixture::fleet();
        Self { book: measured::book(&fleet), fleet, now: fixture::now() }
    }

    fn apply(&mut self, delta: Delta) {
        let change = self.fleet.apply(delta);
        self.book.settle(&change, &self.fleet);
    }

    fn sum(&self, holds: impl Fn(&Container) -> bool) -> Sum {
        let all = self.fleet.hosts().flat_map(|host| self.fleet.containers_on(&host.spec.id).map(move |container| (container, host)));
        Sum::of(all.filter(|(container, _)| holds(container)), &self.book, self.now)
    }

    fn service(&self, name: &str) -> Sum {
        self.sum(|container| container.identity.service.service.as_str() == name)
    }

    fn key(&self, host: &str, name: &str) -> ContainerKey {
        let found = self.fleet.containers_on(&host.into()).find(|container| &*container.name == name);
        found.unwrap().key.clone()
    }

    /// What inspect would say of a container in this state, started at this second after now.
    fn inspected(&mut self, key: &ContainerKey, state: ContainerState, second: i64) {
        let at = self.now + TimeDelta::seconds(second);
        let old = self.fleet.container(key).unwrap();
        let summary = crate::fleet::ContainerSummary {
            id: key.id.clone(),
            name: old.name.clone(),
            image: old.image.clone(),
            image_id: old.image_id.clone(),
            labels: old.labels.clone(),
            state,
            health: crate::fleet::Health::None,
            exit_code: None,
            created: old.created,
            ports: Vec::new(),
            command: old.command.clone(),
        };
        let detail =
            crate::fleet::ContainerDetail { summary, started: Some(at), finished: None, restarts: 0, oom_killed: false, cpu_limit: None };
        self.apply(Delta::Inspected { host: key.host.clone(), container: Box::new(detail), at });
    }

    fn sample(&mut self, key: &ContainerKey, second: i64, cpu: f64, memory: u64) {
        let at = self.now + TimeDelta::seconds(second);
        let sample = Sample {
            read: Some(at),
            cpu: (cpu * 1e9) as u64,
            system: None,
            cpus: 4,
            memory,
            memory_limit: None,
            network: None,
            block: Flow::default(),
            pids: Some(1),
            pids_limit: None,
        };
        let batch = Batch { host: key.host.clone(), at, samples: vec![(key.id.clone(), sample)], machine: None };
        self.book.take(&batch, &self.fleet);
    }
}

const MB: u64 = 1 << 20;

#[test]
fn what_stops_leaves_the_sum_and_comes_back_with_its_own_figures() {
    let mut stage = Stage::new();
    let before = stage.service("db");
    assert_eq!((before.running, before.known, before.memory), (3, 3, Some(2700 * MB)));
    let key = stage.key("app-09", "db");

    stage.inspected(&key, ContainerState::Exited, 1);
    let stopped = stage.service("db");
    assert_eq!((stopped.running, stopped.known, stopped.memory), (2, 2, Some(1800 * MB)));
    assert!(!stopped.is_partial());

    stage.inspected(&key, ContainerState::Running, 3);
    let started = stage.service("db");
    assert_eq!((started.running, started.known, started.memory), (3, 2, Some(1800 * MB)), "nothing of its former life counts");
    assert!(started.is_partial());

    stage.sample(&key, 4, 0.5, 50 * MB);
    let measured = stage.service("db");
    assert_eq!((measured.known, measured.memory), (3, Some(1850 * MB)));
    let cpu = stage.book.last(&key).unwrap().cpu;
    assert_eq!(cpu, None, "one sample is no rate");
    stage.sample(&key, 6, 1.5, 50 * MB);
    assert_eq!(stage.book.last(&key).unwrap().cpu, Some(0.5));
}

#[test]
fn a_restart_between_two_looks_is_no_rate() {
    let mut stage = Stage::new();
    let key = stage.key("app-09", "db");
    stage.inspected(&key, ContainerState::Running, 1);
    assert_eq!(stage.service("db").known, 2, "it was started anew: what was measured is of its former life");
    // Its counters begin anew and are soon beyond the old ones.
    stage.sample(&key, 2, 9_000.0, 10 * MB);
    assert_eq!(stage.book.last(&key).unwrap().cpu, None);
    assert_eq!(stage.service("db").memory, Some(1810 * MB));
}

#[test]
fn a_lost_host_and_what_was_measured_long_ago_are_missing_and_said_to_be() {
    let mut stage = Stage::new();
    let whole = stage.service("web");
    assert_eq!((whole.running, whole.known), (7, 7));
    let lost = LinkState::Retrying { since: stage.now, cause: LinkCause::Closed, error: "closed".into(), next: stage.now };
    stage.apply(Delta::Link { host: "app-05".into(), link: lost, at: stage.now });
    let part = stage.service("web");
    assert_eq!((part.running, part.known, part.is_partial()), (7, 6, true));
    assert_eq!(part.memory, whole.memory.map(|memory| memory / 7 * 6));
    let back = LinkState::Live { since: stage.now };
    stage.apply(Delta::Link { host: "app-05".into(), link: back, at: stage.now });
    assert_eq!(stage.service("web").known, 7);

    stage.now += TimeDelta::minutes(5);
    let old = stage.service("web");
    assert_eq!((old.running, old.known, old.cpu, old.memory), (7, 0, None, None));
}

#[test]
fn sums_agree_whichever_way_they_are_made() {
    let stage = Stage::new();
    let all = stage.sum(|_| true);
    let hosts: Vec<Sum> = stage.fleet.hosts().map(|host| stage.sum(|container| container.key.host == host.spec.id)).collect();
    let memory: u64 = hosts.iter().filter_map(|sum| sum.memory).sum();
    let cpu: f64 = hosts.iter().filter_map(|sum| sum.cpu).sum();
    assert_eq!((all.running, all.known, all.memory), (31, 31, Some(memory)));
    assert!((all.cpu.unwrap() - cpu).abs() < 1e-9);
    assert_eq!((all.cpu_limit, all.memory_limit), (None, None), "most have no limit of their own");
    assert_eq!(stage.service("worker").memory_limit, Some(7 * 64 * MB), "each has one");
    let key = stage.key("app-09", "db");
    let (container, host) = (stage.fleet.container(&key).unwrap(), stage.fleet.host(&key.host).unwrap());
    let one = Sum::one(container, host, &stage.book, stage.now);
    assert_eq!((one.cpu_limit, one.memory_limit), (Some(4.0), Some(16 << 30)), "the machine's");
}

#[test]
fn histories_of_what_is_gone_still_count_where_it_was() {
    let mut stage = Stage::new();
    let key = stage.key("app-09", "db");
    let chart = |stage: &Stage, scope: Scope<'_>| {
        let mut cells = vec![None; 6];
        for series in stage.book.histories(scope) {
            series.add_to(&mut cells, crate::stats::Measure::Memory as usize, stage.now.timestamp() - 179, stage.now.timestamp() + 1);
        }
        cells
    };
    let whole = chart(&stage, Scope::Host(&key.host));
    assert!(whole.iter().all(|cell| *cell == Some((900 * MB) as f64)), "{whole:?}");
    stage.apply(Delta::Gone { host: key.host.clone(), id: key.id.clone(), at: stage.now });
    assert_eq!(stage.service("db").running, 2);
    assert_eq!(chart(&stage, Scope::Host(&key.host)), whole);
    let service = ServiceKey { app: Some("shop".into()), service: "db".into() };
    let production = EnvironmentId::new("production");
    assert_eq!(chart(&stage, Scope::Service(&service, Some(&production))), whole);
    assert_eq!(chart(&stage, Scope::App(Some(&"shop".into()), None)), vec![None; 6], "nothing runs without an environment");
}

#[test]
fn the_worst_is_nearest_to_trouble() {
    let mut stage = Stage::new();
    let near = nearest(&stage.fleet, &stage.book, stage.now);
    let told: Vec<(Strain, u32)> = near.iter().map(|near| (near.strain, (near.share() * 100.0).round() as u32)).collect();
    assert_eq!(told, [(Strain::Disk, 93), (Strain::Memory, 95)]);
    assert_eq!(near[0].of, Of::Host("app-03".into()));
    assert!(near[0].is_bad() && near[1].is_bad());
    let worker = stage.key("app-03", "worker-1");
    assert_eq!(near[1].of, Of::Container(worker.clone()));
    stage.inspected(&worker, ContainerState::Exited, 1);
    assert_eq!(nearest(&stage.fleet, &stage.book, stage.now).len(), 1);
}

#[test]
fn its_memory_is_bounded_and_the_oldest_go() {
    let specs = vec![fixture::spec("app-01", None)];
    let mut fleet = Fleet::new(specs, Vec::new());
    let containers: Vec<_> = (0..KEPT + 200).map(|n| fixture::container("app-01", &format!("c-{n}"), "x/y:1")).collect();
    let ids: Vec<ContainerId> = containers.iter().map(|container| container.id.clone()).collect();
    let at = fixture::now();
    fleet.apply(Delta::Link { host: "app-01".into(), link: LinkState::Live { since: at }, at });
    fleet.apply(Delta::List { host: "app-01".into(), containers, asked: at, at });
    let mut stage = Stage { fleet, book: Book::default(), now: at };
    for (second, id) in (0..).zip(&ids) {
        stage.sample(&ContainerKey { host: "app-01".into(), id: id.clone() }, second, 1.0, MB);
        assert!(stage.book.tracks.len() <= KEPT);
    }
    let has = |id: &ContainerId| stage.book.last(&ContainerKey { host: "app-01".into(), id: id.clone() }).is_some();
    assert!(!has(&ids[0]) && has(ids.last().unwrap()) && has(&ids[KEPT]));
}

#[test]
fn a_reading_told_twice_changes_nothing() {
    let mut stage = Stage::new();
    let before = *stage.book.last(&stage.key("app-09", "db")).unwrap();
    let last = measured::batches(&stage.fleet).pop().unwrap();
    assert_eq!(last.host.as_str(), "app-09");
    stage.book.take(&Batch { at: last.at + TimeDelta::seconds(1), ..last }, &stage.fleet);
    assert_eq!(*stage.book.last(&stage.key("app-09", "db")).unwrap(), before);
}
