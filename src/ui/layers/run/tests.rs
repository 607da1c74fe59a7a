use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    alerts::{Finding, Tail, TailLine},
    board::run::{Account, Brief, News},
    delivery::{
        plan::{Plan, fixture::Shop},
        steps::{Act, Phase, Step, StepId},
        strategies::{Script, script},
    },
    fleet::{ContainerState, Delta, fixture},
    ledger::Deployment,
    logs::{LogStream, Stamp},
    run::{
        Pulse, Wait,
        journal::{Entry, State, Word},
    },
    traffic::{
        probe::ProbeReport,
        proof::{Proof, Served, Span},
    },
    ui::fixture::{Scene, text},
};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

/// A deployment of version 2 to three hosts, whose journal is written by hand.
struct Tale {
    plan: Plan,
    script: Script,
    entries: Vec<Entry>,
    pulse: Pulse,
    row: Deployment,
    now: DateTime<Utc>,
    silent: Option<(DateTime<Utc>, Option<std::sync::Arc<str>>)>,
}

impl Tale {
    fn new(edit: &dyn Fn(&mut Shop)) -> Self {
        let mut shop = Shop::of_web(3).with_traffic();
        edit(&mut shop);
        let mut shop = shop.running(1);
        shop.number = 44;
        let plan = shop.plan(2).unwrap();
        let began = fixture::now() - TimeDelta::seconds(23);
        let row = Deployment {
            id: plan.deployment.clone(),
            app: plan.app.clone(),
            environment: plan.environment.clone(),
            release: plan.release.clone(),
            from_release: plan.from.first().cloned(),
            rollback: false,
            override_reason: None,
            state: State::Running,
            by: "ana".to_owned(),
            needed: 0,
            approved_by: Vec::new(),
            asked: began - TimeDelta::seconds(5),
            started: Some(began),
            finished: None,
            hosts: plan.hosts.clone(),
            owed: Vec::new(),
            requests: None,
            failed: None,
            p99_ms: None,
            reason: None,
        };
        let script = script(&plan);
        Self { script, entries: Vec::new(), pulse: Pulse::default(), row, now: began, silent: None, plan }
    }

    fn say(&mut self, word: Word) {
        self.entries.push(Entry { seq: self.entries.len() as u64, at: self.now, word });
    }

    fn begin(mut self) -> Self {
        let (plan, script) = (Box::new(self.plan.clone()), Box::new(self.script.clone()));
        self.say(Word::Begun { by: "ana@jump-01 (pid 4711)".into(), plan, script });
        self
    }

    fn pass(&mut self, millis: i64) {
        self.now += TimeDelta::milliseconds(millis);
    }

    fn step(&self, wanted: &dyn Fn(&Step) -> bool) -> StepId {
        self.script.steps.iter().find(|step| wanted(step)).unwrap_or_else(|| panic!("no such step")).id
    }

    /// All steps up to this one are done, half a second each.
    fn up_to(mut self, wanted: &dyn Fn(&Step) -> bool) -> Self {
        let last = self.step(wanted);
        let done: Vec<StepId> = self.script.steps.iter().map(|step| step.id).filter(|id| *id < last).collect();
        let known = self.entries.iter().filter_map(|entry| if let Word::Intent { step } = entry.word { Some(step) } else { None });
        let known: Vec<StepId> = known.collect();
        for step in done.into_iter().filter(|id| !known.contains(id)) {
            self.say(Word::Intent { step });
            self.pass(500);
            self.say(Word::Outcome { step, error: None });
        }
        self.say(Word::Intent { step: last });
        self
    }

    fn waits(mut self, wanted: &dyn Fn(&Step) -> bool, asked: u32, said: &str) -> Self {
        let step = self.step(wanted);
        let said = (!said.is_empty()).then(|| said.into());
        self.pulse.waits.insert(step, Wait { since: self.now, asked, said, ..Wait::default() });
        self
    }

    fn counted(mut self, failed: u64) -> Self {
        self.pulse.traffic = Some(proof(failed));
        self
    }

    fn story(&self) -> Story {
        Story::of(&Account {
            deployment: &self.row,
            entries: &self.entries,
            pulse: Some(&self.pulse),
            plan: Some(&self.plan),
            about: Some(Duration::from_secs(70)),
            silent: self.silent.clone(),
            remedies: Vec::new(),
            keeps_warm: true,
        })
    }

    /// Its containers stand in the fleet, and one of them has a log.
    fn scene(&self) -> Scene {
        let mut scene = Scene::drawn();
        scene.now = fixture::now();
        for host in &self.plan.hosts {
            let mut all: Vec<_> = Vec::new();
            for step in self.script.steps.iter().filter(|step| step.host.as_ref() == Some(host)) {
                if let Act::Create { blueprint } = &step.act {
                    let mut made = fixture::container(host.as_str(), &blueprint.name, "registry:5000/shop/web");
                    made.state = ContainerState::Running;
                    made.labels = std::sync::Arc::new(blueprint.labels.clone());
                    all.push(made);
                }
            }
            scene.apply([Delta::List { host: host.clone(), containers: all, asked: scene.now, at: scene.now }]);
        }
        let story = self.story();
        if let Some(container) = story.rows.get(story.focus()).and_then(|row| RunLayer::logged(row, &scene.view())) {
            let line = |seconds: i64, text: &str| TailLine {
                at: Stamp::of(fixture::now() - TimeDelta::seconds(seconds)),
                stream: LogStream::Out,
                text: text.to_owned(),
            };
            let lines = vec![line(9, "starting"), line(6, "waiting for db … retry 3"), line(3, "waiting for db … retry 4")];
            let probe = Probe::Tail { container: container.key.clone(), until: None };
            scene.evidence.learn(probe, Finding::Tail(Tail { lines, out_of_reach: false }), scene.now);
        }
        scene.board.run.learn(News::Abroad { briefs: vec![Brief::of(&self.row)], ended: Vec::new(), watched: None });
        scene.board.run.learn(News::Story(Box::new(story)));
        scene
    }

    fn layer(&self) -> RunLayer {
        RunLayer::open(self.row.id.clone())
    }

    fn shows(&self, name: &str) {
        let scene = self.scene();
        for size in SIZES {
            insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), shown(&mut self.layer(), &scene, size));
        }
    }
}

fn proof(failed: u64) -> Proof {
    let report = |p99| Some(ProbeReport { requests: 120, p99_ms: Some(p99), ..ProbeReport::default() });
    let served = Served {
        lb: "edge".into(),
        backend: "shop_web".into(),
        requests: 5102,
        failed,
        connect_errors: 0,
        response_errors: 0,
        restarted: false,
    };
    Proof { before: Span { served: Vec::new(), probe: report(41) }, during: Span { served: vec![served], probe: report(44) } }
}

fn shown(layer: &mut RunLayer, scene: &Scene, size: (u16, u16)) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    layer.render(&mut buffer, area, &scene.view());
    text(&buffer)
}

fn gate_of(host: &'static str) -> impl Fn(&Step) -> bool {
    move |step| matches!(step.act, Act::Gate { .. }) && step.host.as_ref().is_some_and(|on| on.as_str() == host)
}

fn of(host: &'static str, is: fn(&Act) -> bool) -> impl Fn(&Step) -> bool {
    move |step| is(&step.act) && step.host.as_ref().is_some_and(|on| on.as_str() == host)
}

fn waiting_at_the_gate() -> Tale {
    let tale = Tale::new(&|_| {}).begin().up_to(&gate_of("app-02"));
    tale.waits(&gate_of("app-02"), 4, "GET /healthz: 503 Service Unavailable").counted(0)
}

#[test]
fn every_state_of_a_run() {
    Tale::new(&|_| {}).begin().shows("run-beginning");
    let pull = of("app-01", |act| matches!(act, Act::Pull { .. }));
    let mut tale = Tale::new(&|_| {}).begin().up_to(&pull);
    let step = tale.step(&pull);
    tale.pulse.waits.insert(step, Wait { since: tale.now, bytes: Some((18 << 20, 40 << 20)), ..Wait::default() });
    tale.shows("run-pulling");
    waiting_at_the_gate().shows("run-waiting-http");
    waiting_at_the_gate().counted(12).shows("run-requests-fail");

    let mut tale = waiting_at_the_gate();
    let gate = tale.step(&gate_of("app-02"));
    tale.pulse.waits.clear();
    tale.say(Word::Outcome { step: gate, error: Some("not healthy within 30s: GET /healthz: 503 Service Unavailable".into()) });
    let place = "/var/lib/quarterdeck/bundles/44-0000".into();
    tale.say(Word::Bundle { place });
    let because = "host \"app-02\": gate shop-p-web-1-44-0000: not healthy within 30s: GET /healthz: 503 Service Unavailable";
    let scope = tale.script.steps.iter().map(|step| step.id).filter(|id| *id <= gate).collect();
    tale.say(Word::Turned { because: because.into(), scope, to: State::Unwound });
    let stop = tale.step(&of("app-02", |act| matches!(act, Act::Start { .. })));
    tale.say(Word::UndoOutcome { step: gate, error: None });
    tale.say(Word::UndoIntent { step: stop });
    tale.shows("run-unwinding");
    for step in tale.script.steps.clone().iter().rev().filter(|step| step.id < gate && step.phase > Phase::Prepare) {
        tale.say(Word::UndoOutcome { step: step.id, error: None });
    }
    tale.say(Word::Measured { proof: Box::new(proof(3)) });
    tale.say(Word::Ended { state: State::Unwound, reason: Some(because.into()), owed: Default::default() });
    (tale.row.state, tale.row.reason, tale.row.finished) = (State::Unwound, Some(because.to_owned()), Some(tale.now));
    tale.shows("run-unwound");

    let mut tale = waiting_at_the_gate();
    tale.say(Word::Ended { state: State::Parked, reason: Some("parked by a person".into()), owed: Default::default() });
    (tale.row.state, tale.row.reason) = (State::Parked, Some("parked by a person".to_owned()));
    tale.shows("run-parked");

    let mut tale = waiting_at_the_gate();
    tale.silent = Some((fixture::now() - TimeDelta::seconds(75), Some("ana@jump-01 (pid 4711)".into())));
    tale.shows("run-dead");

    let mut tale = Tale::new(&|_| {});
    (tale.row.state, tale.row.started, tale.row.needed) = (State::Waiting, None, 2);
    tale.row.approved_by = vec!["bo".to_owned()];
    tale.shows("run-waiting-for-approval");
    tale.row.approved_by.push("cy".to_owned());
    tale.shows("run-approved");

    let mut tale = waiting_at_the_gate();
    let gate = tale.step(&gate_of("app-02"));
    tale.say(Word::Outcome { step: gate, error: Some("it ended with exit code 3".into()) });
    (tale.row.state, tale.row.finished) = (State::Failed, Some(tale.now));
    tale.row.reason =
        Some("host \"app-02\": gate: it ended with exit code 3; not all of it is taken back: host \"app-01\": away".to_owned());
    tale.shows("run-failed");
}

fn finished(edit: &dyn Fn(&mut Shop)) -> Tale {
    let last = |tale: &Tale| tale.script.steps.last().unwrap().id;
    let mut tale = Tale::new(edit).begin();
    let end = last(&tale);
    tale = tale.up_to(&|step| step.id == end);
    tale.say(Word::Outcome { step: end, error: None });
    tale.say(Word::Good);
    tale.say(Word::Measured { proof: Box::new(proof(0)) });
    tale.say(Word::Ended { state: State::Good, reason: None, owed: Default::default() });
    (tale.row.state, tale.row.finished) = (State::Good, Some(tale.now));
    tale
}

#[test]
fn the_good_ends() {
    finished(&|_| {}).shows("run-good");
    finished(&|shop| shop.strategy.keep_warm = Duration::from_secs(600)).shows("run-warm");
}

#[test]
fn every_kind_of_waiting() {
    let bake = |step: &Step| matches!(step.act, Act::Bake { .. });
    let baking = Tale::new(&|shop| shop.strategy.bake = Duration::from_secs(10)).begin().up_to(&bake);
    baking.waits(&bake, 0, "").shows("run-baking");
    let drain = of("app-01", |act| matches!(act, Act::Drain { .. }));
    Tale::new(&|_| {}).begin().up_to(&drain).waits(&drain, 0, "3 requests under way").shows("run-draining");
    let job = |step: &Step| matches!(step.act, Act::Job { .. });
    let with_job = |shop: &mut Shop| *shop = shop.clone().with_job("migrate", crate::delivery::spec::JobTime::Before, true);
    Tale::new(&with_job).begin().up_to(&job).shows("run-job");
    let admit = of("app-01", |act| matches!(act, Act::Admit { .. }));
    Tale::new(&|_| {}).begin().up_to(&admit).waits(&admit, 0, "edge: no check has ended").shows("run-admitting");
}

#[test]
fn many_hosts_scroll_and_keep_their_places() {
    let mut tale = Tale::new(&|shop| *shop = Shop::of_web(30).with_traffic());
    tale = tale.begin().up_to(&gate_of("app-17"));
    let tale = tale.waits(&gate_of("app-17"), 2, "GET /healthz: 503 Service Unavailable");
    tale.shows("run-many-hosts");
}

#[test]
fn the_steps_of_a_host() {
    let tale = waiting_at_the_gate();
    let scene = tale.scene();
    let mut layer = tale.layer();
    assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
    insta::assert_snapshot!("run-steps-80x24", shown(&mut layer, &scene, (80, 24)));
    assert_eq!(layer.act(Action::LayerClose, &scene.view()), LayerOutcome::Stay, "first out of the steps");
    assert_eq!(layer.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
}

fn press(layer: &mut RunLayer, scene: &Scene, c: char) -> LayerOutcome {
    layer.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view())
}

#[test]
fn what_is_done_is_asked_before_and_fits_how_it_stands() {
    let tale = waiting_at_the_gate();
    let (scene, id) = (tale.scene(), tale.row.id.clone());
    let mut layer = tale.layer();
    for (action, order) in [(Action::RunPark, Order::Park(id.clone())), (Action::RunUnwind, Order::Unwind(id.clone()))] {
        assert_eq!(layer.act(action, &scene.view()), LayerOutcome::Stay);
        assert_eq!(layer.context(), Context::Confirm);
        assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay, "a bouncing key is no answer");
        assert_eq!(layer.act(Action::LayerClose, &scene.view()), LayerOutcome::Stay, "out of the question, not out of the layer");
        assert_eq!(layer.context(), Context::Run);
        layer.act(action, &scene.view());
        assert_eq!(press(&mut layer, &scene, 'y'), LayerOutcome::Ask(Request::Deliver(Ask::Run(order))));
    }
    assert_eq!(layer.act(Action::RunResume, &scene.view()), LayerOutcome::Say("deployment 44 runs".to_owned()));
    assert_eq!(layer.act(Action::RunFinish, &scene.view()), LayerOutcome::Say("deployment 44 keeps nothing warm".to_owned()));
    let scene = scene.read_only();
    assert!(matches!(layer.act(Action::RunUnwind, &scene.view()), LayerOutcome::Say(why) if why.contains("not allowed")));

    let mut tale = Tale::new(&|_| {});
    (tale.row.state, tale.row.started) = (State::Waiting, None);
    let (scene, mut layer) = (tale.scene(), tale.layer());
    layer.act(Action::RunResume, &scene.view());
    assert_eq!(press(&mut layer, &scene, 'y'), LayerOutcome::Stay, "what begins asks for the name");
    assert!(matches!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Say(_)));
    layer.act(Action::LayerClose, &scene.view());
    layer.act(Action::RunResume, &scene.view());
    "production".chars().for_each(|c| drop(press(&mut layer, &scene, c)));
    let begins = LayerOutcome::Ask(Request::Deliver(Ask::Run(Order::Resume(tale.row.id.clone()))));
    assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), begins);
}

#[test]
fn several_are_chosen_from_and_logs_are_those_of_the_row() {
    let tale = waiting_at_the_gate();
    let mut scene = tale.scene();
    let other = Brief { id: "45-0000".parse().unwrap(), stand: Stand::Parked, ..Brief::of(&tale.row) };
    let briefs = vec![Brief::of(&tale.row), other.clone()];
    scene.board.run.learn(News::Abroad { briefs: briefs.clone(), ended: Vec::new(), watched: None });
    let mut layer = RunLayer::choose(briefs.iter().map(|brief| brief.id.clone()).collect());
    assert_eq!(layer.watches(), Some(Watch::Nothing));
    insta::assert_snapshot!("run-menu-80x24", shown(&mut layer, &scene, (80, 24)));
    layer.act(Action::ListMoveDown, &scene.view());
    layer.act(Action::ListMoveUp, &scene.view());
    layer.act(Action::SelectionOpen, &scene.view());
    assert_eq!(layer.watches(), Some(Watch::Run(tale.row.id.clone())));
    assert_eq!(layer.probes(&scene.view()).len(), 1);
    match layer.act(Action::RunLogs, &scene.view()) {
        LayerOutcome::Finish(Request::Logs(LogWish::Open { rule: CastRule::Containers(keys), title })) => {
            assert_eq!((keys.len(), title.as_str()), (1, "old and new shop on app-02"));
        }
        other => panic!("{other:?}"),
    }
}
