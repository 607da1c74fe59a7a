//! The runner over real sockets: simulated engines that refuse, hang after doing, restart and go away under it.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that cannot go on has failed.

use std::{collections::BTreeSet, time::Instant};

use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

use super::*;
use crate::{
    act::{Act, MemoryJournal, Object, Policy, Run, Runs, plan},
    config::Endpoint,
    engine::{Engine, Report, Target as EngineTarget},
    fleet::{ContainerKey, Fleet, Selector, fixture},
    rights::Rights,
    sim::{Fault, FaultKind, RunState, Scenario, Simulation},
};

const PATIENCE: Duration = Duration::from_secs(60);

const SCENARIO: &str = r#"
about = "Three hosts, ten alike on each."
[[hosts]]
name = "box-[1-3]"
environment = "testing"
[[services]]
app = "shop"
service = "web"
image = "shop/web"
versions = { "*" = "1.0" }
replicas = 10
"#;

struct Bench {
    sim: Simulation,
    _dir: TempDir,
    engine: Engine,
    reports: mpsc::Receiver<Report>,
    fleet: Fleet,
    rights: Rights,
    journal: Arc<MemoryJournal>,
    runner: Runner,
    runs: Runs,
    /// Every word of the run, in order.
    told: Vec<Progress>,
}

impl Bench {
    async fn new(rights: Rights, journal: MemoryJournal) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Simulation::start(Scenario::parse(SCENARIO, "bench.toml").unwrap(), dir.path()).unwrap();
        let targets = sim.hosts().iter().map(|host| EngineTarget {
            spec: fixture::spec(&host.name, Some(&host.environment)),
            endpoint: Endpoint::Unix { path: host.socket.clone() },
        });
        let targets: Vec<EngineTarget> = targets.collect();
        let fleet = Fleet::new(targets.iter().map(|target| target.spec.clone()).collect(), Vec::new());
        let (engine, reports) = Engine::start(targets, rights.clone()).unwrap();
        let journal = Arc::new(journal);
        let runner = Runner::new(journal.clone(), "ana".into());
        let mut bench = Self { sim, _dir: dir, engine, reports, fleet, rights, journal, runner, runs: Runs::default(), told: Vec::new() };
        bench.until("all hosts are listed", |bench| bench.fleet.hosts().all(|host| host.listed && host.link.is_live())).await;
        bench
    }

    async fn act() -> Self {
        Self::new(Rights::Act, MemoryJournal::default()).await
    }

    /// Drives everything until this holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let left = deadline.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("waited in vain until {what}: {:#?}", self.told));
            tokio::select! {
                turn = self.runner.turn() => match turn {
                    Turn::Send { host, request, command } => {
                        if !self.engine.command(&host, command) {
                            self.runner.undelivered(request);
                        }
                    }
                    Turn::Unrecorded(error) => panic!("{error}"),
                    Turn::Progress(progress) => {
                        self.told.push(progress.clone());
                        self.runs.apply(progress);
                    }
                },
                report = self.reports.recv() => match report.unwrap() {
                    Report::Delta(delta) => drop(self.fleet.apply(delta)),
                    Report::Acted { request, word, .. } => self.runner.take(request, word),
                    Report::Answer(_) | Report::History { .. } | Report::Stock { .. } | Report::Measured(_) => {}
                },
                // What holds by the simulation alone is looked at now and then.
                () = tokio::time::sleep(left.min(Duration::from_millis(20))) => {}
            }
        }
    }

    fn keys(&self, terms: &str) -> Vec<ContainerKey> {
        let filter = Selector::parse(terms).unwrap();
        let chosen = self.fleet.containers().filter(|one| filter.matches(one, self.fleet.host(&one.key.host).unwrap()));
        chosen.map(|container| container.key.clone()).collect()
    }

    fn start(&mut self, act: Act, terms: &str) -> RunId {
        let plan = Arc::new(plan(act, &self.keys(terms), &self.fleet, &self.rights, &Policy::default()));
        assert!(!plan.steps.is_empty(), "{terms} selects nothing");
        self.begin(plan)
    }

    fn begin(&mut self, plan: Arc<Plan>) -> RunId {
        let run = self.runner.start(Arc::clone(&plan));
        self.runs.begin(Run::new(run, plan));
        run
    }

    async fn over(&mut self, run: RunId) {
        self.until("the run is over", |bench| bench.runs.get(run).is_some_and(Run::is_over)).await;
        self.until("nothing is open", |bench| !bench.runner.is_busy()).await;
    }

    /// What became of each: `host name outcome`.
    fn outcomes(&self, run: RunId) -> Vec<String> {
        let run = self.runs.get(run).unwrap();
        let told = |(index, step): (usize, &crate::act::Step)| {
            format!("{} {} {}", step.target.host, step.target.name, run.outcome(index).unwrap())
        };
        run.plan.steps.iter().enumerate().map(told).collect()
    }

    fn states(&self, host: &str, state: RunState) -> usize {
        self.sim.truth().iter().filter(|one| one.host == host && one.state == state).count()
    }

    fn stage_of(&self, run: RunId, step: usize) -> &Stage {
        &self.runs.get(run).unwrap().stages[step]
    }
}

fn stop() -> Act {
    Act::Stop { grace: Some(1) }
}

fn inject(bench: &Bench, kind: FaultKind, host: &str, lasting: Duration) {
    bench.sim.inject(Fault::now(kind, host).lasting(lasting));
}

#[tokio::test]
async fn every_act_does_what_it_says_and_is_on_record() {
    let mut bench = Bench::act().await;
    let name = "shop-web-1";
    let terms = format!("host:box-1 name:{name}");
    for (act, outcome, state) in [
        (Act::Pause, "done", RunState::Paused),
        (Act::Unpause, "done", RunState::Running),
        (Act::Restart { grace: None }, "done", RunState::Running),
        (Act::Kill { signal: "SIGKILL".to_owned() }, "done", RunState::Exited),
        (stop(), "already", RunState::Exited),
        (Act::Start, "done", RunState::Running),
        (stop(), "done", RunState::Exited),
    ] {
        let run = bench.start(act.clone(), &terms);
        bench.over(run).await;
        assert_eq!(bench.outcomes(run), [format!("box-1 {name} {outcome}")], "{act}");
        let truth = bench.sim.truth().into_iter().find(|one| one.host == "box-1" && one.name == name).unwrap();
        assert_eq!(truth.state, state, "{act}");
        let settled = move |bench: &Bench| {
            bench.fleet.containers().any(|one| &*one.name == name && one.key.host.as_str() == "box-1" && one.state.word() == state.word())
        };
        bench.until("the row says so", settled).await;
    }
    let run = bench.start(Act::Rename { to: "other".to_owned() }, &terms);
    bench.over(run).await;
    bench.until("the row is renamed", |bench| bench.fleet.containers().any(|one| &*one.name == "other")).await;
    let run = bench.start(Act::Remove { force: false, volumes: false }, "name:other");
    bench.over(run).await;
    assert_eq!(bench.states("box-1", RunState::Running), 9);
    assert_eq!(bench.sim.truth().len(), 29);

    let entries = bench.journal.entries.lock().unwrap();
    let told: Vec<String> = entries
        .iter()
        .map(|(intent, outcome)| {
            format!("{} {} {} {:?} {}", intent.who, intent.action, intent.target, intent.argument, outcome.clone().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "ana container.pause shop-web-1 None done",
            "ana container.unpause shop-web-1 None done",
            "ana container.restart shop-web-1 None done",
            "ana container.kill shop-web-1 Some(\"SIGKILL\") done",
            "ana container.start shop-web-1 None done",
            "ana container.stop shop-web-1 Some(\"grace 1 s\") done",
            "ana container.rename shop-web-1 Some(\"to other\") done",
            "ana container.remove other None done",
        ],
        "what was so already was not sent, and is not on record"
    );
    assert!(entries[5].0.plan.starts_with("Stop shop-web-1 on box-1, grace 1 s; shop/web in testing: "), "{}", entries[5].0.plan);
}

#[tokio::test]
async fn one_host_down_and_one_container_gone_meanwhile_hinder_nobody_else() {
    let mut bench = Bench::act().await;
    let plan = Arc::new(plan(stop(), &bench.keys("name:shop-web-1,shop-web-2"), &bench.fleet, &Rights::Act, &Policy::default()));
    assert_eq!(plan.affected(), 6);
    // Both happen after the plan was shown.
    bench.sim.act("box-2", "shop-web-1", &crate::sim::Act::Remove(true)).unwrap();
    inject(&bench, FaultKind::DaemonRestart, "box-3", Duration::from_secs(600));
    let run = bench.begin(plan);
    bench.over(run).await;
    assert_eq!(
        bench.outcomes(run),
        [
            "box-1 shop-web-1 done",
            "box-1 shop-web-2 done",
            "box-2 shop-web-1 gone",
            "box-2 shop-web-2 done",
            "box-3 shop-web-1 unreachable",
            "box-3 shop-web-2 unreachable",
        ]
    );
    assert_eq!((bench.states("box-1", RunState::Exited), bench.states("box-2", RunState::Exited)), (2, 1));
    assert_eq!(bench.runs.get(run).unwrap().line(), "stopped 3 of 6 · 1 failed · 2 not reached");
    assert!(bench.journal.entries.lock().unwrap().iter().all(|(_, outcome)| outcome.is_some()));
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_nothing_is_done_twice() {
    let mut bench = Bench::act().await;
    let restart = || Act::Restart { grace: None };
    let before = bench.sim.emitted("box-1");
    let run = bench.start(restart(), "host:box-1 name:shop-web-1");
    bench.over(run).await;
    let events_of_one = bench.sim.emitted("box-1") - before;

    // The engine does it, and its answers hang until they break off.
    inject(&bench, FaultKind::ActHang, "box-*", Duration::from_secs(2));
    let run = bench.start(restart(), "name:shop-web-2,shop-web-3");
    bench.over(run).await;
    assert!(bench.outcomes(run).iter().all(|outcome| outcome.ends_with(" done-unheard")), "{:?}", bench.outcomes(run));
    let unsure = bench.told.iter().filter(|progress| progress.run == run && matches!(progress.stage, Stage::Unsure { .. })).count();
    assert_eq!(unsure, 6, "each said that it was unsure, once");
    assert_eq!(bench.sim.emitted("box-1") - before, 3 * events_of_one, "each was restarted once");
}

#[tokio::test]
async fn an_engine_that_restarts_under_an_act_is_asked_when_it_is_back() {
    let mut bench = Bench::act().await;
    inject(&bench, FaultKind::ActHang, "box-1", Duration::from_secs(600));
    let run = bench.start(Act::Rename { to: "moved".to_owned() }, "host:box-1 name:shop-web-1");
    bench.until("it is done over there", |bench| bench.sim.truth().iter().any(|one| one.name == "moved")).await;
    assert_eq!(*bench.stage_of(run, 0), Stage::Sent);
    inject(&bench, FaultKind::DaemonRestart, "box-1", Duration::from_secs(2));
    bench.until("the link is lost", |bench| bench.fleet.hosts().any(|host| !host.link.is_live())).await;
    bench.over(run).await;
    assert_eq!(bench.outcomes(run), ["box-1 shop-web-1 done-unheard"]);
    assert!(bench.told.iter().any(|progress| matches!(progress.stage, Stage::Unsure { .. })), "{:?}", bench.told);
}

#[tokio::test]
async fn what_is_called_off_is_not_sent_and_what_is_sent_goes_on() {
    let mut bench = Bench::act().await;
    bench.sim.inject(Fault { delay: serde_json::from_str("\"300ms\"").unwrap(), ..Fault::now(FaultKind::Slow, "box-1") });
    let run = bench.start(stop(), "host:box-1");
    bench.until("all that may be is sent", |bench| bench.runs.get(run).unwrap().tally().sent == AT_ONCE).await;
    bench.runner.cancel(run);
    bench.over(run).await;
    let outcomes = bench.outcomes(run);
    let ending = |with: &str| outcomes.iter().filter(|outcome| outcome.ends_with(with)).count();
    assert_eq!((ending(" done"), ending(" cancelled")), (AT_ONCE, 10 - AT_ONCE), "{outcomes:?}");
    assert_eq!(bench.states("box-1", RunState::Exited), AT_ONCE);
    assert_eq!(bench.journal.entries.lock().unwrap().len(), AT_ONCE, "what was called off before its turn has no intent");
}

#[tokio::test]
async fn refusals_come_in_the_engines_own_clean_words() {
    let mut bench = Bench::act().await;
    inject(&bench, FaultKind::Act409, "box-1", Duration::from_secs(600));
    inject(&bench, FaultKind::Act500, "box-2", Duration::from_secs(600));
    let run = bench.start(stop(), "name:shop-web-1");
    bench.over(run).await;
    let run = bench.runs.get(run).unwrap();
    for (step, code) in [(0, 409), (1, 500)] {
        let Some(Outcome::Refused { status, message }) = run.outcome(step) else { panic!("{run:?}") };
        assert_eq!(*status, code);
        assert!(message.contains("driver failed") && !message.chars().any(char::is_control), "{message:?}");
    }
    assert_eq!(run.outcome(2), Some(&Outcome::Done));
}

#[tokio::test]
async fn without_an_audit_nothing_is_sent() {
    let mut bench = Bench::new(Rights::Act, MemoryJournal { refuses_to_begin: true, ..MemoryJournal::default() }).await;
    let before = bench.sim.truth();
    let run = bench.start(stop(), "name:shop-web-1");
    bench.over(run).await;
    assert!(bench.outcomes(run).iter().all(|outcome| outcome.ends_with(" unrecorded")), "{:?}", bench.outcomes(run));
    assert_eq!(bench.sim.truth(), before);

    let mut bench = Bench::new(Rights::Act, MemoryJournal { refuses_to_end: true, ..MemoryJournal::default() }).await;
    let run = bench.start(stop(), "host:box-1 name:shop-web-1");
    bench.over(run).await;
    let expected = Stage::Over { result: Outcome::Done, unrecorded: Some("the disk is full".into()) };
    assert_eq!(*bench.stage_of(run, 0), expected, "it is done, and that this is not on record is said");
}

#[tokio::test]
async fn who_may_only_look_is_refused_by_the_plan_and_again_where_bytes_leave() {
    let mut bench = Bench::new(Rights::view("read-only is set by a test"), MemoryJournal::default()).await;
    let before = (bench.sim.truth(), bench.sim.emitted("box-1"));
    let run = bench.start(stop(), "name:shop-web-1");
    bench.over(run).await;
    assert!(bench.outcomes(run).iter().all(|outcome| outcome.ends_with(" denied")), "{:?}", bench.outcomes(run));
    assert!(bench.journal.entries.lock().unwrap().is_empty());

    // Past the plan, straight to the host.
    let target = bench.keys("host:box-1 name:shop-web-1").remove(0);
    let acts = [
        Act::Start,
        stop(),
        Act::Restart { grace: None },
        Act::Kill { signal: "SIGHUP".to_owned() },
        Act::Pause,
        Act::Rename { to: "other".to_owned() },
        Act::Remove { force: true, volumes: true },
    ];
    let mut denied = BTreeSet::new();
    for (number, act) in (100..).zip(acts.clone()) {
        let command = HostCommand::Act {
            request: ActId(number),
            object: Object::Container,
            target: target.id.as_str().into(),
            act,
            asked: Utc::now(),
        };
        assert!(bench.engine.command(&target.host, command));
        let over = async {
            loop {
                if let Report::Acted { request, word: ActWord::Over(outcome), .. } = bench.reports.recv().await.unwrap() {
                    return (request, outcome);
                }
            }
        };
        let (request, outcome) = timeout(PATIENCE, over).await.unwrap();
        assert!(matches!(&outcome, Outcome::Denied { why } if why.contains("read-only is set by a test")), "{outcome:?}");
        denied.insert(request);
    }
    assert_eq!(denied.len(), acts.len());
    assert_eq!((bench.sim.truth(), bench.sim.emitted("box-1")), before);
}

#[tokio::test]
async fn an_order_that_waited_too_long_is_not_carried_out() {
    let mut bench = Bench::act().await;
    let target = bench.keys("host:box-1 name:shop-web-1").remove(0);
    let asked = Utc::now() - chrono::TimeDelta::seconds(6);
    let command = HostCommand::Act { request: ActId(7), object: Object::Container, target: target.id.as_str().into(), act: stop(), asked };
    assert!(bench.engine.command(&target.host, command));
    let over = async {
        loop {
            if let Report::Acted { word: ActWord::Over(outcome), .. } = bench.reports.recv().await.unwrap() {
                return outcome;
            }
        }
    };
    assert!(matches!(timeout(PATIENCE, over).await.unwrap(), Outcome::Unreachable { .. }));
    assert_eq!(bench.states("box-1", RunState::Exited), 0);
}
