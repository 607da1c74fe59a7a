//! Measuring by need, from the demand to the sum: the engine side against simulated engines.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

use chrono::Utc;
use quarterdeck::{
    config::Endpoint,
    engine::{Engine, HostCommand, Report, Target},
    fleet::{Container, Fleet, Host, HostId, HostSpec},
    rights::Rights,
    sim::{Overrides, Pace, Scenario, SimOptions, Simulation},
    stats::{Batch, Book, Demand, Sum, Wanted},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

const SOON: Duration = Duration::from_secs(60);

struct Watch {
    engine: Engine,
    reports: mpsc::Receiver<Report>,
    fleet: Fleet,
    book: Book,
    batches: Vec<Batch>,
}

impl Watch {
    fn start(sim: &Simulation) -> Self {
        let targets: Vec<Target> = sim
            .hosts()
            .iter()
            .map(|host| Target {
                spec: HostSpec {
                    id: HostId::new(&host.name),
                    url: "sim://".into(),
                    environment: Some(host.environment.as_str().into()),
                    tags: Vec::new(),
                    unprotected: false,
                },
                endpoint: Endpoint::Unix { path: host.socket.clone() },
            })
            .collect();
        let fleet = Fleet::new(targets.iter().map(|target| target.spec.clone()).collect(), Vec::new());
        // Looking is enough.
        let (engine, reports) = Engine::start(targets, Rights::view("a test")).unwrap();
        Self { engine, reports, fleet, book: Book::default(), batches: Vec::new() }
    }

    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !enough(self) {
            let report = timeout_at(deadline, self.reports.recv()).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
            self.take(report.unwrap());
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Delta(delta) => {
                let change = self.fleet.apply(delta);
                self.book.settle(&change, &self.fleet);
            }
            Report::Measured(batch) => {
                self.book.take(&batch, &self.fleet);
                self.batches.push(batch);
            }
            Report::Answer(_) | Report::History { .. } | Report::Stock { .. } | Report::Acted { .. } => {}
        }
    }

    fn listed(&self) -> bool {
        self.fleet.hosts().all(|host| host.listed && host.engine.is_some())
    }

    fn running(&self) -> Vec<(&Container, &Host)> {
        let running = self.fleet.containers().filter(|container| container.is_running());
        running.filter_map(|container| Some((container, self.fleet.host(&container.key.host)?))).collect()
    }

    fn measure(&self, wanted: &Wanted) {
        for (host, demand) in wanted.by_host() {
            assert!(self.engine.command(&host, HostCommand::Measure(demand)));
        }
    }
}

fn start(dir: &Path, hosts: u32, containers: u32) -> Simulation {
    let overrides = Overrides { hosts: Some(hosts), containers: Some(containers), events_per_second: Some(0.0), ..Overrides::default() };
    let options = SimOptions { pace: Pace::Running(1.0), start: None, overrides };
    Simulation::start_with(Scenario::open("scale").unwrap(), dir, options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_is_measured_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let sim = start(dir.path(), 2, 6);
    let mut watch = Watch::start(&sim);
    watch.until("both lists", Watch::listed).await;
    assert!(watch.batches.is_empty(), "nobody asked");

    let keys: Vec<_> = watch.running().iter().map(|(container, _)| container.key.clone()).collect();
    assert_eq!(keys.len(), 12);
    let one = keys[0].host.clone();
    let wanted = Wanted {
        near: keys.iter().filter(|key| key.host == one).take(3).cloned().collect(),
        machines: vec![one.clone()],
        every: Duration::from_secs(1),
        ..Wanted::default()
    };
    watch.measure(&wanted);
    let now = |watch: &Watch| {
        let sum =
            Sum::of(watch.running().into_iter().filter(|(container, _)| wanted.near.contains(&container.key)), &watch.book, Utc::now());
        (sum.known, sum.cpu.is_some_and(|cpu| cpu > 0.01))
    };
    watch.until("rates of three", |watch| now(watch) == (3, true)).await;
    let measured: HashSet<_> = watch.batches.iter().flat_map(|batch| batch.samples.iter().map(move |(id, _)| (&batch.host, id))).collect();
    assert!(measured.iter().all(|(host, id)| wanted.near.iter().any(|key| key.host == **host && key.id == **id)), "{measured:?}");
    watch.until("the host's figures", |watch| watch.book.machine(&one).is_some()).await;
    let why = watch.book.machine(&one).unwrap().why_not().unwrap().to_owned();
    assert!(why.contains("another machine"), "a simulated host is not this machine: {why}");
    let cost = |watch: &Watch| watch.fleet.host(&one).unwrap().cost;
    assert!(cost(&watch).samples >= 6 && cost(&watch).requests > cost(&watch).samples);

    // A demand that ends, ends at once: what a later probe tells of the cost shows that nothing was asked any more.
    assert!(watch.engine.command(&one, HostCommand::Measure(Demand::default())));
    let (before, told) = (cost(&watch), watch.batches.len());
    watch.until("two more probes", |watch| cost(watch).requests >= before.requests + 2).await;
    assert!(cost(&watch).samples <= before.samples + 3, "what was on its way, and no more");
    assert!(watch.batches.len() <= told + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_containers_stay_within_the_budget_of_their_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let sim = start(dir.path(), 5, 100);
    let mut watch = Watch::start(&sim);
    watch.until("all lists", Watch::listed).await;
    let rest = watch.running().iter().map(|(container, _)| container.key.clone()).collect();
    let (begun, since) = (Utc::now(), Instant::now());
    watch.measure(&Wanted { rest, every: Duration::from_secs(2), ..Wanted::default() });
    watch.until("one sample of each", |watch| Sum::of(watch.running().into_iter(), &watch.book, Utc::now()).known == 500).await;
    let seconds = since.elapsed().as_secs_f64();
    let mut each: BTreeMap<&HostId, usize> = BTreeMap::new();
    for batch in watch.batches.iter().filter(|batch| batch.at >= begun) {
        *each.entry(&batch.host).or_default() += batch.samples.len();
    }
    for (host, count) in each {
        // 8 a second and what was saved up before.
        assert!(count as f64 <= seconds * 8.0 + 33.0, "{host}: {count} samples in {seconds:.1} s");
    }
    let whole = Sum::of(watch.running().into_iter(), &watch.book, Utc::now());
    let by_host: u64 = watch
        .fleet
        .hosts()
        .map(|host| {
            let on = watch.fleet.containers_on(&host.spec.id).map(|container| (container, host));
            Sum::of(on, &watch.book, Utc::now()).memory.unwrap()
        })
        .sum();
    assert_eq!(whole.memory, Some(by_host));
    // The delta that tells the cost crosses the bus with the samples.
    assert!(watch.fleet.hosts().all(|host| host.cost.samples >= 100));
}
