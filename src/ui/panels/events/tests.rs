use std::collections::BTreeSet;

use ratatui::{Terminal, backend::TestBackend};

use super::{sample::event, *};
use crate::{
    fleet::{Delta, Fleet, HostId, Matrix, MatrixBy, Summary, fixture},
    rights::Rights,
    ui::{
        filter::Filter,
        keymap::{self, Keymap},
        theme::{self, Capabilities, Depth, SymbolSet, Theme},
        view::Ages,
    },
};

struct Bench {
    fleet: Fleet,
    stats: crate::stats::Book,
    matrix: Matrix,
    summary: Summary,
    filter: Filter,
    marks: BTreeSet<ContainerKey>,
    rights: Rights,
    theme: Theme,
    keymap: Keymap,
    ages: Ages,
}

impl Bench {
    fn new(fleet: Fleet) -> Self {
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

/// Applies events, and lets the panel look after each.
fn happen(bench: &mut Bench, panel: &mut Events, events: Vec<EngineEvent>) {
    for event in events {
        let at = event.at;
        let change = bench.fleet.apply(Delta::Event { event, live: false, at });
        panel.refresh(Refresh::Changed(&change), &bench.view());
    }
}

fn died(seconds: i64, host: &str, name: &str, code: i64) -> EngineEvent {
    EngineEvent { exit_code: Some(code), ..event(seconds, host, EventKind::Container, "die", name) }
}

/// An ordinary hour, and one container in a crash loop.
fn busy() -> (Bench, Events) {
    let mut bench = Bench::new(fixture::fleet());
    let mut panel = Events::default();
    panel.refresh(Refresh::All, &bench.view());
    let mut old = event(90_000, "app-09", EventKind::Volume, "create", "shop_data");
    old.id = crate::fleet::ContainerId::new("shop_data");
    let mut events = vec![
        old,
        event(3000, "test-01", EventKind::Image, "pull", "shop/api:1.0.1-24-a91c2f3"),
        EngineEvent { signal: Some("15".into()), ..event(2400, "app-04", EventKind::Container, "kill", "api-1") },
        died(2399, "app-04", "api-1", 0),
        event(2398, "app-04", EventKind::Container, "start", "api-1"),
        EngineEvent { old_name: Some("web-1".into()), ..event(900, "app-06", EventKind::Container, "rename", "web-1-kept") },
        event(600, "app-02", EventKind::Link, "retrying: no route to host", ""),
        event(560, "app-02", EventKind::Link, "live", ""),
    ];
    for round in 0..6 {
        events.push(died(240 - round * 40, "app-07", "api-1", 1));
        events.push(event(239 - round * 40, "app-07", EventKind::Container, "start", "api-1"));
    }
    events.push(event(20, "app-01", EventKind::Container, "oom", "worker-2"));
    happen(&mut bench, &mut panel, events);
    (bench, panel)
}

fn screen(panel: &mut Events, view: &View<'_>, (width, height): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| panel.render(frame.buffer_mut(), Rect::new(0, 0, width, height), view)).unwrap();
    terminal
}

fn each(name: &str, panel: &mut Events, view: &View<'_>) {
    for (width, height) in [(80, 20), (160, 46)] {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), screen(panel, view, (width, height)).backend());
    }
}

#[test]
fn screens() {
    let (mut bench, mut panel) = busy();
    each("folded", &mut panel, &bench.view());
    panel.act(Action::ListMoveDown, &bench.view());
    assert_eq!(panel.act(Action::SelectionOpen, &bench.view()), Outcome::Done);
    each("unfolded", &mut panel, &bench.view());
    bench.filter.set("host:app-0[26]");
    panel.refresh(Refresh::All, &bench.view());
    each("filtered", &mut panel, &bench.view());
    bench.filter.set("app:nowhere");
    panel.refresh(Refresh::All, &bench.view());
    each("none-match", &mut panel, &bench.view());
    assert_eq!(panel.selection(&bench.view()), Selection::Nothing);
}

#[test]
fn nothing_yet() {
    let bench = Bench::new(Fleet::new(fixture::specs(), Vec::new()));
    let mut panel = Events::default();
    panel.refresh(Refresh::All, &bench.view());
    each("empty", &mut panel, &bench.view());
}

#[test]
fn the_cursor_follows_at_the_top_and_holds_its_event_elsewhere() {
    let (mut bench, mut panel) = busy();
    let newest = |panel: &Events| panel.held.as_ref().unwrap().event.clone();
    happen(&mut bench, &mut panel, vec![event(10, "app-05", EventKind::Container, "start", "api-1")]);
    assert_eq!(newest(&panel).host, HostId::new("app-05"));
    // Into the crash loop: it holds that row when it moves to the top, and when others come above it.
    panel.act(Action::ListMoveDown, &bench.view());
    panel.act(Action::ListMoveDown, &bench.view());
    assert_eq!(newest(&panel).host, HostId::new("app-07"));
    happen(&mut bench, &mut panel, vec![died(5, "app-07", "api-1", 1), event(4, "app-05", EventKind::Container, "pause", "api-1")]);
    assert_eq!(newest(&panel).host, HostId::new("app-07"));
    assert_eq!(panel.selection(&bench.view()), Selection::Event(key_of(&newest(&panel))));
    panel.act(Action::ListMoveFirst, &bench.view());
    happen(&mut bench, &mut panel, vec![event(1, "app-05", EventKind::Container, "unpause", "api-1")]);
    assert_eq!(&*newest(&panel).action, "unpause");
}

#[test]
fn every_row_is_reached_down_and_up_again_folded_or_not() {
    let (bench, mut panel) = busy();
    let view = bench.view();
    let walk = |panel: &mut Events, action: Action| {
        let mut lines = Vec::new();
        for _ in 0..60 {
            lines.push(panel.line().unwrap());
            panel.act(action, &view);
            screen(panel, &view, (80, 12));
            assert!(panel.painted.contains(&panel.line().unwrap()), "the cursor is not on the screen");
        }
        lines.dedup();
        lines
    };
    let down = walk(&mut panel, Action::ListMoveDown);
    let mut up = walk(&mut panel, Action::ListMoveUp);
    up.reverse();
    assert_eq!(down, up);
    panel.act(Action::ListMoveDown, &view);
    panel.act(Action::GroupFold, &view);
    panel.act(Action::ListMoveFirst, &view);
    let unfolded = walk(&mut panel, Action::ListMoveDown);
    assert_eq!(unfolded.len(), down.len() + 12);
}

#[test]
fn what_does_not_repeat_is_not_folded_and_slow_repetition_is_not_flapping() {
    let mut bench = Bench::new(Fleet::new(fixture::specs(), Vec::new()));
    let mut panel = Events::default();
    panel.refresh(Refresh::All, &bench.view());
    let start = |seconds| event(seconds, "app-01", EventKind::Container, "start", "a");
    happen(&mut bench, &mut panel, vec![start(9000), start(8000), died(7990, "app-01", "a", 1)]);
    assert_eq!(panel.feed.len(), 3);
    happen(&mut bench, &mut panel, vec![start(7980), event(7970, "app-01", EventKind::Container, "start", "b")]);
    assert_eq!(panel.feed.len(), 3, "start, die, start is one row without the first start, which is too old");
}

#[test]
fn what_the_log_forgets_goes_from_the_rows() {
    let mut bench = Bench::new(Fleet::new(fixture::specs(), Vec::new()));
    let mut panel = Events::default();
    panel.refresh(Refresh::All, &bench.view());
    let extra = 500;
    for n in 0..(crate::fleet::recent::RECENT_EVENTS as i64 + extra) {
        // Half of them one crash loop, half of them different objects.
        let name = if n % 2 == 0 { "loop".to_owned() } else { format!("c{n}") };
        let event = event(100_000 - n, "app-01", EventKind::Container, "start", &name);
        bench.fleet.apply(Delta::Event { at: event.at, event, live: false });
    }
    panel.act(Action::ListMoveLast, &bench.view());
    panel.refresh(Refresh::Changed(&Default::default()), &bench.view());
    assert_eq!(panel.feed.len(), crate::fleet::recent::RECENT_EVENTS / 2 + 1);
    assert!(panel.subtitle(&bench.view()).ends_with("500 older ones dropped"), "{}", panel.subtitle(&bench.view()));
    panel.act(Action::ListMoveLast, &bench.view());
    let event = event(0, "app-02", EventKind::Container, "start", "new");
    bench.fleet.apply(Delta::Event { at: event.at, event, live: false });
    panel.refresh(Refresh::Changed(&Default::default()), &bench.view());
    screen(&mut panel, &bench.view(), (80, 24));
    assert!(panel.painted.contains(&panel.line().unwrap()));
}

#[test]
fn enter_inspects_what_exists() {
    let (mut bench, mut panel) = busy();
    assert!(matches!(panel.act(Action::SelectionOpen, &bench.view()), Outcome::Inspect(key) if key.host == HostId::new("app-01")));
    happen(&mut bench, &mut panel, vec![event(0, "app-01", EventKind::Container, "destroy", "nobody")]);
    let said = panel.act(Action::SelectionOpen, &bench.view());
    assert_eq!(said, Outcome::Say("nobody is gone from app-01: nothing to inspect".to_owned()));
}

#[test]
fn only_what_is_bad_is_red() {
    let (bench, mut panel) = busy();
    let terminal = screen(&mut panel, &bench.view(), (160, 46));
    let red = bench.theme.style(Role::StateBad).fg.unwrap();
    let buffer = terminal.backend().buffer();
    let rows: Vec<u16> = (1..38).filter(|y| (0..160).any(|x| buffer[(x, *y)].fg == red)).collect();
    // The oom, the crash loop, the lost link, and the fixture's unhealthy worker.
    assert_eq!(rows.len(), 4, "{rows:?}");
}
