//! Many events at once, from a real engine and from a simulated one: none may be lost on the way into the model.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use quarterdeck::{
    config::Endpoint,
    engine::{Engine, Report as FromEngine, Target},
    fleet::{ContainerState, Fleet, HostId, HostSpec},
    rights::Rights,
    sim::{Act, RunState, Scenario, SimOptions, Simulation},
};

use super::super::stage::{
    Length,
    deck::{self, Opening, line_of},
    engine::{Events, act, ask},
    lab::Lab,
    report::Report,
};

/// In a second.
const EVENTS: usize = 5000;

/// The console's engine side and model, without a screen.
struct Model {
    fleet: Fleet,
    reports: tokio::sync::mpsc::Receiver<FromEngine>,
    // Ends the links when it is dropped.
    _engine: Engine,
}

impl Model {
    fn over(host: &str, socket: PathBuf) -> Self {
        let spec = HostSpec { id: HostId::new(host), url: "unix".into(), environment: None, tags: Vec::new(), unprotected: false };
        let target = Target { spec: spec.clone(), endpoint: Endpoint::Unix { path: socket } };
        let (engine, reports) = Engine::start(vec![target], Rights::view("a test looks")).expect("a thread");
        Self { fleet: Fleet::new(vec![spec], Vec::new()), reports, _engine: engine }
    }

    /// Takes what comes until `done` or the limit; whether it was done.
    async fn until(&mut self, limit: Duration, done: impl Fn(&Fleet) -> bool) -> bool {
        let end = tokio::time::Instant::now() + limit;
        while !done(&self.fleet) {
            match tokio::time::timeout_at(end, self.reports.recv()).await {
                Ok(Some(FromEngine::Delta(delta))) => drop(self.fleet.apply(delta)),
                Ok(Some(
                    FromEngine::Answer(_)
                    | FromEngine::History { .. }
                    | FromEngine::Stock { .. }
                    | FromEngine::Measured(_)
                    | FromEngine::Acted { .. },
                )) => {}
                Ok(None) | Err(_) => return done(&self.fleet),
            }
        }
        true
    }
}

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    simulated(report, lab);
    real(report, lab, length);
}

fn simulated(report: &mut Report, lab: &Lab) {
    report.does("a simulated engine reports 5,000 events within a second");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir_in(lab.home()).expect("a directory");
    runtime.block_on(async {
        let fleet =
            Simulation::start_with(Scenario::open("calm").expect("a scenario"), dir.path(), SimOptions::default()).expect("a fleet");
        let host = fleet.hosts()[0].clone();
        let mut model = Model::over(&host.name, host.socket.clone());
        let id = HostId::new(&host.name);
        let listed =
            model.until(Duration::from_secs(10), |fleet| fleet.host(&id).is_some_and(|host| host.listed && host.link.is_live())).await;
        report.holds("the simulated host is live", listed, &host.name);
        // Not the fault "event-flood": health checks are not asked for at all, so that they cost nothing.
        let names: Vec<String> =
            fleet.truth().into_iter().filter(|c| c.host == host.name && c.state == RunState::Running).map(|c| c.name).collect();
        let counted = |fleet: &Fleet| fleet.events().iter().filter(|event| matches!(event.verb(), "pause" | "unpause")).count();
        let began = Instant::now();
        let mut emitted_in = Duration::ZERO;
        let emit = async {
            for (turn, name) in names.iter().cycle().take(EVENTS / 2).enumerate() {
                for act in [Act::Pause, Act::Unpause] {
                    fleet.act(&host.name, name, &act).expect("a running container");
                }
                // A tenth of a second's share at a time: a second in all.
                if turn % (EVENTS / 20) == 0 {
                    tokio::time::sleep(Duration::from_millis(90)).await;
                }
            }
            emitted_in = began.elapsed();
        };
        let ((), all) = tokio::join!(emit, model.until(Duration::from_secs(20), |model| counted(model) >= EVENTS));
        report.in_time("they came within two seconds", Some(emitted_in.as_secs_f64() * 1000.0), 2000.0);
        let came = counted(&model.fleet);
        report.holds(
            "none is lost",
            all && came == EVENTS,
            format!("{came} of {EVENTS}, the last after {:.2} s", began.elapsed().as_secs_f64()),
        );
        let paused = model.fleet.containers().filter(|container| container.state == ContainerState::Paused).count();
        report.holds("every row is right", paused == 0, format!("{paused} still paused on the screen"));
    });
}

/// As many renames as the engine takes, from eight hands.
fn real(report: &mut Report, lab: &Lab, length: Length) {
    const HANDS: usize = 8;
    let each = length.pick(25, 625);
    report.does(&format!("a real engine: {HANDS} containers renamed {each} times each, as fast as it goes"));
    let socket = lab.socket("app-03");
    let mut deck = Opening::on(lab).host("app-03", "ssh://app-03").open();
    deck.expect_that("1 live host", |screen| deck::live(screen, 1, 1));
    deck::go(&mut deck, "2", "Containers");
    deck::filter(&mut deck, "name:burst*");
    for hand in 0..HANDS {
        act(&socket, "POST", &format!("/containers/create?name=burst{hand}x0"), r#"{"Image":"base:latest","Cmd":["true"]}"#);
    }
    let events = Events::listen(&socket);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut model = Model::over("app-03", socket.clone());
    let id = HostId::new("app-03");
    runtime.block_on(model.until(Duration::from_secs(10), |fleet| fleet.host(&id).is_some_and(|host| host.listed && host.link.is_live())));
    let renamed = |fleet: &Fleet| fleet.events().iter().filter(|event| event.verb() == "rename").count();
    let before = renamed(&model.fleet);
    let began = Instant::now();
    let count = HANDS * each;
    let (took, all) = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| {
                let socket = &socket;
                scope.spawn(move || {
                    for turn in 0..each {
                        act(socket, "POST", &format!("/containers/burst{hand}x{turn}/rename?name=burst{hand}x{}", turn + 1), "");
                    }
                    began.elapsed()
                })
            })
            .collect();
        // Read meanwhile, as the console does: an engine drops what a reader leaves lying.
        let all = runtime.block_on(model.until(Duration::from_secs(60), |fleet| renamed(fleet) - before >= count));
        let took = hands.into_iter().map(|hand| hand.join().expect("a hand")).max().unwrap_or_default();
        (took, all)
    });
    let heard =
        events.drain(Duration::from_millis(1500)).into_iter().filter(|event| event.kind == "container" && event.action == "rename").count();
    report.figure("rate", format!("{:.0} renames a second", count as f64 / took.as_secs_f64()));
    let logged = renamed(&model.fleet) - before;
    report.holds(
        "none is lost in the model",
        all && heard == count && logged == count,
        format!("{logged} logged, {heard} in the engine's own stream, {count} done"),
    );
    let done = Instant::now();
    let right = deck.until(
        |screen| (0..HANDS).all(|hand| line_of(screen, "app-03", &format!("burst{hand}x{each}")).is_some()),
        done,
        Duration::from_secs(10),
    );
    report.holds("the screen has every last name", right.is_some(), format!("{} rows", HANDS));
    for hand in 0..HANDS {
        let (status, answer) = ask(&socket, "DELETE", &format!("/containers/burst{hand}x{each}?force=1"), "");
        assert_eq!(status, 204, "{answer}");
    }
}
