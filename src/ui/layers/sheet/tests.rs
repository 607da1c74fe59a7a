use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::*;
use crate::{
    board::sheet::{About, Capacity, Commit, Commits, Good, News, Past, Row, Shut},
    delivery::plan::Speed,
    fleet::{AppName, fixture},
    ui::fixture::{Scene, text},
};

fn wish(kind: Kind) -> Wish {
    Wish::new(kind, About::Place { app: AppName::new("shop"), environment: Some(EnvironmentId::new("staging")) })
}

fn row(host: &str, services: &[&str], what: &[&str], in_flight: Option<u32>) -> Row {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Row { host: HostId::new(host), services: owned(services), what: owned(what), odd: None, in_flight }
}

fn past(secs: u64, word: &'static str) -> Past {
    Past { word, is_good: word == "good", took: Duration::from_secs(secs) }
}

fn capacity(service: &str, before: usize, least: usize, after: usize) -> Capacity {
    Capacity { service: service.into(), before, least, after }
}

fn word(word: &str, because: &str) -> Asks {
    Asks::Word { word: word.into(), because: because.into() }
}

/// A promotion to production, one host at a time.
fn rolling() -> Sheet {
    let what = ["new image", "GREETING changed"];
    let mut odd = row("app-07", &["web", "api"], &what, Some(5));
    odd.odd = Some("1.0.1-19-04bd1c9".into());
    let speed = |host: &str| (HostId::new(host), Speed::Flip);
    Sheet {
        title: "Promote shop 1.0.1-24-a91c2f3 to production".into(),
        is_nothing: false,
        replaces: vec!["1.0.1-22-7e56158".into()],
        commits: Some(Commits {
            list: vec![
                Commit { author: "li".into(), subject: "faster cart".into() },
                Commit { author: "ana".into(), subject: "fix tax".into() },
            ],
            more: false,
            backwards: false,
        }),
        good: vec![Good { environment: EnvironmentId::new("staging"), since: fixture::now() - TimeDelta::minutes(131) }],
        way: "rolling, one host at a time, bake 10 s".into(),
        past: vec![past(68, "good"), past(75, "good"), past(62, "good")],
        rows: vec![row("app-04", &["web", "api"], &what, Some(24)), row("app-05", &["web", "api"], &what, Some(22)), odd],
        jobs: Vec::new(),
        capacity: vec![capacity("web", 3, 3, 3), capacity("api", 3, 2, 3)],
        acting: Vec::new(),
        stays: vec!["db".into(), "volume shop-production-data".into()],
        lost: vec!["api on app-04: away while it is replaced".into()],
        out: Vec::new(),
        silent: Vec::new(),
        back: ["app-04", "app-05", "app-07"].map(speed).to_vec(),
        keep_warm: Duration::from_secs(600),
        gate: None,
        passes: None,
        approvals: 0,
        asker: "ana".into(),
        notes: vec!["balancer edge: a restart of it undoes the switch: set `persist` in its configuration".into()],
        asks: word("production", "this is production"),
    }
}

fn plain() -> Sheet {
    Sheet { asks: Asks::Key, title: "Deploy shop 1.0.1-24-a91c2f3 to testing".into(), ..rolling() }
}

fn silent(left_out: bool) -> Vec<Silent> {
    let why: Arc<str> = "connection timed out after 5 s".into();
    vec![Silent { host: HostId::new("app-05"), why, left_out }]
}

struct Desk {
    scene: Scene,
    layer: SheetLayer,
}

impl Desk {
    fn open(kind: Kind) -> Self {
        let (layer, order) = SheetLayer::open(7, wish(kind));
        assert_eq!(order, Order::Plan { ticket: Ticket { sheet: 7, turn: 1 }, wish: wish(kind) });
        Self { scene: Scene::drawn(), layer }
    }

    /// One that has its plan.
    fn with(sheet: Sheet) -> Self {
        let mut desk = Self::open(Kind::Promote);
        desk.tell(Stand::Shown { sheet: Box::new(sheet), note: None });
        desk
    }

    fn tell(&mut self, stand: Stand) -> LayerOutcome {
        let ticket = Ticket { sheet: 7, turn: self.layer.turn };
        self.scene.board.sheet.learn(News { ticket, stand });
        self.layer.hear(&self.scene.view())
    }

    fn key(&mut self, code: KeyCode) -> LayerOutcome {
        self.layer.type_key(KeyEvent::new(code, KeyModifiers::NONE), &self.scene.view())
    }

    fn types(&mut self, text: &str) -> LayerOutcome {
        text.chars().fold(LayerOutcome::Stay, |_, c| self.key(KeyCode::Char(c)))
    }

    fn act(&mut self, action: Action) -> LayerOutcome {
        self.layer.act(action, &self.scene.view())
    }

    fn shown(&mut self, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        self.layer.render(&mut buffer, area, &self.scene.view());
        text(&buffer)
    }

    fn snapshots(&mut self, name: &str) {
        for size in [(80, 24), (160, 50)] {
            let shown = self.shown(size);
            insta::assert_snapshot!(format!("sheet-{name}-{}x{}", size.0, size.1), shown);
        }
    }
}

fn order(outcome: LayerOutcome) -> Order {
    match outcome {
        LayerOutcome::Ask(Request::Deliver(board::Order::Sheet(order))) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_key_starts_it_where_a_key_is_enough() {
    let mut desk = Desk::open(Kind::Deploy);
    assert_eq!(desk.types("y"), LayerOutcome::Stay, "nothing was shown yet");
    desk.tell(Stand::Shown { sheet: Box::new(plain()), note: None });
    for other in "dprCx".chars() {
        assert_eq!(desk.key(KeyCode::Char(other)), LayerOutcome::Stay, "{other}");
    }
    assert_eq!(desk.act(Action::SelectionOpen), LayerOutcome::Stay, "enter may bounce");
    assert_eq!(order(desk.types("y")), Order::Start { ticket: Ticket { sheet: 7, turn: 2 }, wish: wish(Kind::Deploy) });
    assert_eq!(desk.types("y"), LayerOutcome::Stay, "once");
    assert_eq!(desk.tell(Stand::Asking { title: String::new(), hosts: Vec::new() }), LayerOutcome::Stay);
    let deployment = DeploymentId::new(44, 0);
    let begun = Stand::Begun { deployment: deployment.clone(), line: "it has begun".into() };
    assert_eq!(desk.tell(begun), LayerOutcome::OpenRun(deployment));
}

#[test]
fn in_production_the_name_is_typed_and_not_pasted() {
    let mut desk = Desk::with(rolling());
    assert_eq!(desk.types("y"), LayerOutcome::Stay);
    desk.layer.paste("production", &desk.scene.view());
    assert_eq!(desk.act(Action::SelectionOpen), LayerOutcome::Stay, "nothing was typed");
    desk.types("productoin");
    assert_eq!(desk.act(Action::SelectionOpen), LayerOutcome::Stay);
    assert!(desk.shown((100, 30)).contains("that is not production: nothing was done"));
    desk.key(KeyCode::Backspace);
    desk.key(KeyCode::Backspace);
    desk.key(KeyCode::Backspace);
    desk.types("ion");
    assert!(matches!(order(desk.act(Action::SelectionOpen)), Order::Start { .. }));
}

#[test]
fn esc_goes_back_step_by_step_and_without_effect() {
    let mut desk = Desk::with(rolling());
    desk.types("yprod");
    assert_eq!(desk.act(Action::LayerClose), LayerOutcome::Stay, "out of the line");
    assert_eq!(desk.act(Action::LayerClose), LayerOutcome::Close);
    assert_eq!(Desk::with(plain()).types("n"), LayerOutcome::Close);
}

#[test]
fn what_changed_meanwhile_is_shown_again_and_not_begun() {
    let mut desk = Desk::with(plain());
    desk.types("y");
    let note = "it has changed meanwhile: nothing was done, look again";
    assert_eq!(desk.tell(Stand::Shown { sheet: Box::new(plain()), note: Some(note.into()) }), LayerOutcome::Stay);
    assert!(desk.shown((80, 24)).contains(note));
    assert!(matches!(order(desk.types("y")), Order::Start { ticket: Ticket { turn: 3, .. }, .. }));
}

#[test]
fn a_silent_host_is_left_out_by_its_digit_and_taken_in_again() {
    let mut desk = Desk::open(Kind::Deploy);
    let refusal = Refusal { title: "Deploy shop to testing".into(), why: vec!["no answer".into()], silent: silent(false) };
    desk.tell(Stand::Refused(Box::new(refusal)));
    assert_eq!(desk.types("2"), LayerOutcome::Stay, "there is one");
    let Order::Plan { wish, .. } = order(desk.types("1")) else { panic!("planned anew") };
    assert_eq!(wish.without, [HostId::new("app-05")].into());
    desk.tell(Stand::Shown { sheet: Box::new(Sheet { silent: silent(true), ..plain() }), note: None });
    let Order::Plan { wish, .. } = order(desk.types("1")) else { panic!("planned anew") };
    assert_eq!(wish.without, [].into());
}

#[test]
fn a_gate_that_is_shut_opens_with_what_it_asks_for() {
    let shut = |opens| Sheet { gate: Some(Shut { why: "production of shop is frozen by li".into(), opens }), ..rolling() };
    let mut desk = Desk::with(shut(Opens::Nothing));
    assert_eq!((desk.types("y"), desk.types("o")), (LayerOutcome::Stay, LayerOutcome::Stay));
    assert!(!desk.layer.is_typing());
    for (opens, reason) in [(Opens::Reason, true), (Opens::Override, false)] {
        let mut desk = Desk::with(shut(opens));
        desk.types("o");
        assert_eq!(desk.act(Action::SelectionOpen), LayerOutcome::Stay, "a reason is needed");
        desk.types("we lose money");
        let Order::Plan { wish, .. } = order(desk.act(Action::SelectionOpen)) else { panic!("planned anew") };
        let why = Some(Arc::from("we lose money"));
        assert_eq!((wish.reason == why, wish.override_reason == why), (reason, !reason));
    }
}

#[test]
fn a_place_is_chosen_by_digit_or_cursor() {
    let places = ["testing", "staging", "production"].map(EnvironmentId::new).to_vec();
    let choose = || Stand::Choose { title: "Deploy shop".into(), environments: places.clone() };
    let mut desk = Desk::open(Kind::Deploy);
    desk.tell(choose());
    desk.act(Action::ListMoveDown);
    let Order::Plan { wish, .. } = order(desk.act(Action::SelectionOpen)) else { panic!() };
    assert_eq!(wish.environment, Some("staging".into()));
    let mut desk = Desk::open(Kind::Deploy);
    desk.tell(choose());
    assert_eq!(desk.types("4"), LayerOutcome::Stay);
    let Order::Plan { wish, .. } = order(desk.types("3")) else { panic!() };
    assert_eq!(wish.environment, Some("production".into()));
    let mut desk = Desk::open(Kind::Deploy);
    desk.tell(choose());
    desk.snapshots("choose");
}

#[test]
fn screens_of_plans() {
    Desk::open(Kind::Promote).snapshots("begin");
    let mut desk = Desk::open(Kind::Promote);
    let hosts = ["app-04", "app-05", "app-07"].map(HostId::new).to_vec();
    desk.tell(Stand::Asking { title: "Promote shop to production".into(), hosts });
    desk.snapshots("planning");
    let mut desk = Desk::with(rolling());
    desk.snapshots("rolling");
    desk.types("yproductoin");
    desk.act(Action::SelectionOpen);
    desk.snapshots("typed-wrong");
    let blue_green = Sheet {
        way: "blue-green, all new ones beside all old ones, then one switch, bake 30 s".into(),
        past: vec![past(68, "good"), past(21, "taken back"), past(62, "good")],
        capacity: vec![capacity("web", 3, 3, 3)],
        lost: Vec::new(),
        passes: None,
        approvals: 1,
        ..rolling()
    };
    Desk::with(blue_green).snapshots("blue-green");
    let canary = Sheet {
        way: "canary, 5 % for 2 m, 25 % for 5 m, then a person's word".into(),
        past: Vec::new(),
        jobs: vec!["job migrate on app-04: it cannot be undone".into()],
        asks: word("shop", "a job in it cannot be undone"),
        commits: None,
        acting: vec!["deployment 43-k3f9 by li is under way for 2m".into()],
        ..rolling()
    };
    Desk::with(canary).snapshots("canary");
    let recreate = Sheet {
        title: "Deploy shop 1.0.1-24-a91c2f3 to testing".into(),
        way: "recreate, all at once, old ones down first".into(),
        replaces: Vec::new(),
        commits: None,
        good: Vec::new(),
        past: vec![past(9, "good")],
        rows: vec![row("test-01", &["web"], &["is new here"], None)],
        capacity: vec![capacity("web", 0, 0, 1)],
        lost: Vec::new(),
        stays: Vec::new(),
        notes: Vec::new(),
        back: vec![(HostId::new("test-01"), Speed::Impossible("web did not run there before".into()))],
        asks: Asks::Key,
        ..rolling()
    };
    let mut desk = Desk::with(recreate);
    desk.snapshots("recreate");
    desk.types("y");
    desk.snapshots("starting");
    let back = Sheet {
        title: "Roll back shop in production to 1.0.1-22-7e56158".into(),
        replaces: vec!["1.0.1-24-a91c2f3".into()],
        commits: Some(Commits { backwards: true, ..rolling().commits.unwrap() }),
        good: vec![Good { environment: EnvironmentId::new("production"), since: fixture::now() - TimeDelta::days(3) }],
        way: "rolling, one host at a time".into(),
        past: vec![past(6, "good"), past(8, "good")],
        rows: vec![
            row("app-04", &["web"], &["the kept one comes back"], Some(3)),
            row("app-07", &["web"], &["the kept one comes back"], Some(0)),
        ],
        out: vec![(HostId::new("app-05"), "no answer: connection timed out; it is owed this".into())],
        passes: Some("goes on: checkout is broken".into()),
        back: vec![(HostId::new("app-04"), Speed::Flip), (HostId::new("app-07"), Speed::Start)],
        ..rolling()
    };
    Desk::with(back).snapshots("roll-back");
    let nothing = Sheet {
        is_nothing: true,
        replaces: Vec::new(),
        rows: Vec::new(),
        commits: None,
        capacity: Vec::new(),
        back: Vec::new(),
        lost: Vec::new(),
        ..rolling()
    };
    Desk::with(nothing).snapshots("nothing");
}

#[test]
fn screens_of_refusals() {
    let frozen = "production of shop is frozen by li since 2026-11-20T17:00:00Z: black friday";
    let gate = |opens| Some(Shut { why: frozen.into(), opens });
    Desk::with(Sheet { gate: gate(Opens::Override), ..rolling() }).snapshots("frozen");
    let mut desk =
        Desk::with(Sheet { gate: gate(Opens::Reason), title: "Roll back shop in production to 1.0.1-22-7e56158".into(), ..rolling() });
    desk.types("ocheckout is bro");
    desk.snapshots("frozen-reason");
    let mut desk = Desk::with(plain());
    desk.types("y");
    let note = "it has changed meanwhile: nothing was done, look again";
    desk.tell(Stand::Shown { sheet: Box::new(plain()), note: Some(note.into()) });
    desk.snapshots("changed");
    let locked = "host \"app-01\" is locked by li@jump-02 (pid 812) for deployment 43-k3f9 since 2026-11-21T14:02:00Z, last heard 2 s ago";
    Desk::with(Sheet { acting: vec![locked.into(), "deployment 43-k3f9 by li is under way for 2m".into()], ..rolling() })
        .snapshots("locked");
    let mut desk = Desk::open(Kind::Deploy);
    let refused = |why: &[&str], silent| {
        let why = why.iter().map(|line| (*line).to_owned()).collect();
        Stand::Refused(Box::new(Refusal { title: "Deploy shop to testing".into(), why, silent }))
    };
    let lost = "no answer from host \"app-05\" (connection timed out after 5 s): wait for it, or go on with --without app-05";
    desk.tell(refused(&[lost], silent(false)));
    desk.snapshots("unreachable");
    desk.tell(Stand::Shown { sheet: Box::new(Sheet { silent: silent(true), ..plain() }), note: None });
    desk.snapshots("left-out");
    let unregistered = [
        "shop is not registered: deployments need its template",
        "put this into the configuration: [apps.shop] template = { git = \"ssh://…\" }, or \"/path/quarterdeck.toml\"",
    ];
    desk.tell(refused(&unregistered, Vec::new()));
    desk.snapshots("unregistered");
}

#[test]
fn no_size_is_too_small() {
    let mut desk = Desk::with(rolling());
    for width in 1..40 {
        for height in 1..12 {
            desk.shown((width, height));
        }
    }
}

#[test]
fn a_long_plan_scrolls_to_its_end() {
    let rows = (0..60).map(|n| row(&format!("app-{n:02}"), &["web"], &["new image"], None)).collect();
    let mut desk = Desk::with(Sheet { rows, ..rolling() });
    assert!(desk.shown((80, 24)).contains("more below"));
    desk.act(Action::ListMoveLast);
    let last = desk.shown((80, 24));
    assert!(last.contains("undo") && !last.contains("more below"), "{last}");
}
