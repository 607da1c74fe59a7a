use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::json;

use super::*;
use crate::{
    fleet::{Matrix, MatrixBy, Summary, fixture},
    rights::Rights,
    ui::{
        filter::Filter,
        keymap::{self, Keymap},
        theme::{self, Capabilities, Depth, SymbolSet, Theme},
        view::Ages,
    },
};

struct Bench {
    fleet: crate::fleet::Fleet,
    stats: crate::stats::Book,
    matrix: Matrix,
    summary: Summary,
    filter: Filter,
    marks: std::collections::BTreeSet<ContainerKey>,
    rights: Rights,
    theme: Theme,
    keymap: Keymap,
    ages: Ages,
}

impl Bench {
    fn new() -> Self {
        let fleet = fixture::fleet();
        let matrix = Matrix::build(&fleet, MatrixBy::default(), None, fixture::now());
        let summary = Summary::of(&fleet, &matrix, fixture::now());
        let (theme, _) = theme::load("harbor", None, Capabilities { depth: Depth::True, symbols: SymbolSet::Unicode });
        Self {
            fleet,
            stats: Default::default(),
            matrix,
            summary,
            filter: Filter::default(),
            marks: Default::default(),
            rights: Rights::view("a test"),
            theme,
            keymap: keymap::load("default", None).0,
            ages: Ages::default(),
        }
    }

    fn view(&self) -> View<'_> {
        View {
            fleet: &self.fleet,
            stats: &self.stats,
            matrix: &self.matrix,
            summary: &self.summary,
            filter: &self.filter,
            marks: &self.marks,
            rights: &self.rights,
            theme: &self.theme,
            keymap: &self.keymap,
            now: fixture::now(),
            simulated: false,
            clock: false,
            ages: &self.ages,
        }
    }
}

fn key() -> ContainerKey {
    ContainerKey { host: "app-03".into(), id: crate::fleet::ContainerId::new(fixture::hex("app-03/worker-1")) }
}

fn answered(result: Result<serde_json::Value, String>) -> Inspect {
    let mut open = Inspect::open(RequestId(1), key());
    open.answer(&Answer { request: RequestId(9), key: key(), result: Err("somebody else's".to_owned()) });
    assert!(matches!(open.found, Found::Asked));
    open.answer(&Answer { request: RequestId(1), key: key(), result });
    open
}

fn document() -> Inspect {
    answered(Ok(json!({
        "Id": key().id.to_string(),
        "Created": "2026-11-21T02:03:00Z",
        "Path": "/bin/serve",
        "Args": ["--listen", ":80", "--api-token", "hunter2"],
        "Config": {
            "Env": ["PATH=/usr/bin", "DB_PASSWORD=hunter2"],
            "Labels": {"com.docker.compose.project": "billing", "deploy.key": "hunter2", "note": "x".repeat(10_000)},
            "Tty": false,
        },
        "State": {"Status": "running", "Pid": 4711, "Health": {"Status": "unhealthy", "FailingStreak": 12}},
        "HostConfig": {"Binds": null, "Memory": 67108864, "RestartPolicy": {"Name": "always"}},
        "Mounts": [],
    })))
}

fn typed(open: &mut Inspect, text: &str, view: &View<'_>) {
    for c in text.chars() {
        open.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), view);
    }
}

fn screen(open: &mut Inspect, view: &View<'_>, size: (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| open.render(frame.buffer_mut(), Rect::new(0, 0, size.0, size.1), view)).unwrap();
    terminal
}

fn each(name: &str, open: &mut Inspect, view: &View<'_>) {
    for (width, height) in [(80, 22), (160, 48)] {
        let terminal = screen(open, view, (width, height));
        assert!(!terminal.backend().to_string().contains("hunter2"), "a secret is on the screen");
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), terminal.backend());
    }
}

#[test]
fn screens() {
    let bench = Bench::new();
    let view = bench.view();
    each("loading", &mut Inspect::open(RequestId(1), key()), &view);
    each("gone", &mut answered(Err("No such container: 1234".to_owned())), &view);
    let mut open = document();
    each("document", &mut open, &view);
    open.act(Action::GroupFold, &view);
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "always", &view);
    each("search", &mut open, &view);
    assert_eq!(open.context(), Context::Filter);
    open.act(Action::LayerClose, &view);
    assert_eq!(open.context(), Context::Inspect);
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "note", &view);
    open.act(Action::SelectionOpen, &view);
    each("long", &mut open, &view);
    open.act(Action::SelectionOpen, &view);
    open.act(Action::ListMoveLast, &view);
    each("reading", &mut open, &view);
}

#[test]
fn a_search_goes_round_and_esc_steps_out_one_by_one() {
    let bench = Bench::new();
    let view = bench.view();
    let mut open = document();
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "status", &view);
    assert_eq!(open.matches.len(), 2);
    open.act(Action::SelectionOpen, &view);
    let first = open.index();
    open.act(Action::InspectFindNext, &view);
    assert_ne!(open.index(), first);
    open.act(Action::InspectFindNext, &view);
    assert_eq!(open.index(), first);
    open.act(Action::InspectFindPrevious, &view);
    assert_ne!(open.index(), first);
    assert_eq!(open.act(Action::LayerClose, &view), LayerOutcome::Stay);
    assert_eq!(open.act(Action::LayerClose, &view), LayerOutcome::Close);
    assert_eq!(open.act(Action::LinkRetry, &view), LayerOutcome::Pass);
}

#[test]
fn what_is_copied_is_masked_too() {
    let bench = Bench::new();
    let view = bench.view();
    let mut open = document();
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "DB_PASS", &view);
    open.act(Action::SelectionOpen, &view);
    assert_eq!(open.act(Action::SelectionCopyName, &view), LayerOutcome::Ask(Request::Copy("DB_PASSWORD=••••••".to_owned())));
    open.act(Action::ListMoveLeft, &view);
    assert_eq!(
        open.act(Action::SelectionCopyName, &view),
        LayerOutcome::Ask(Request::Copy("\"PATH=••••••\"\n\"DB_PASSWORD=••••••\"".to_owned()))
    );
}

#[test]
fn colours_come_from_roles_and_a_gone_container_is_said() {
    let mut bench = Bench::new();
    let mut open = document();
    let terminal = screen(&mut open, &bench.view(), (160, 48));
    let colours: Vec<_> = terminal.backend().buffer().content().iter().map(|cell| cell.fg).collect();
    for role in [Role::InspectKey, Role::InspectString, Role::InspectNumber, Role::TextDim, Role::HintKey] {
        assert!(bench.theme.style(role).fg.is_some_and(|fg| colours.contains(&fg)), "{}", role.id());
    }
    bench.fleet.apply(crate::fleet::Delta::Gone { host: key().host, id: key().id, at: fixture::now() });
    let text = screen(&mut open, &bench.view(), (80, 22)).backend().to_string();
    assert!(text.contains("worker-1 · app-03 · gone"), "{text}");
}

#[test]
fn no_size_is_too_small() {
    let bench = Bench::new();
    let mut open = document();
    for width in 1..30 {
        for height in 1..16 {
            screen(&mut open, &bench.view(), (width, height));
        }
    }
}
