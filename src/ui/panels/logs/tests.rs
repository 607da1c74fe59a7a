use ratatui::{buffer::Buffer, layout::Rect, layout::Size, style::Color};

use super::*;
use crate::{
    logs::{CastRule, Hunt, Level, LogWish, Marker, MarkerKind, SourceId, Span, Stamp, Standing},
    ui::{
        backend::{Canvas as Screen, Drawn, Sink},
        fixture::{Scene, text},
        screen,
    },
};

fn scene(tape: Tape) -> Scene {
    Scene { logs: Some(tape), ..Scene::drawn() }
}

fn settle(scene: &mut Scene) {
    while !scene.logs.as_mut().unwrap().shelf_mut().work(1 << 20) {}
}

/// Carries out what the panel asks, as the runtime does.
fn act(panel: &mut Logs, scene: &mut Scene, action: Action) -> Outcome {
    let outcome = panel.act(action, &scene.view());
    if let Outcome::Request(Request::Logs(wish)) = &outcome {
        let shelf = scene.logs.as_mut().unwrap().shelf_mut();
        match wish {
            LogWish::Hold(from) => shelf.hold(*from),
            LogWish::Level(level) => shelf.set_level(*level),
            LogWish::Search(pattern) => shelf.seek(pattern).unwrap(),
            LogWish::PopFilter => assert!(shelf.pop_filter()),
            _ => {}
        }
        settle(scene);
    }
    outcome
}

fn paint(panel: &mut Logs, scene: &Scene, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    panel.render(&mut buffer, area, &scene.view());
    buffer
}

/// The whole screen, as a person has it.
fn whole(scene: &Scene, size: (u16, u16), keys: &[Action]) -> String {
    let mut screen = screen::Screen::default();
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    for action in [Action::PanelLogs].iter().chain(keys) {
        screen.act(*action, &scene.view());
        buffer.reset();
        screen.render(&mut buffer, area, &scene.view());
    }
    text(&buffer)
}

fn snapshots(name: &str, scene: &Scene, keys: &[Action]) {
    let scrub = |text: String| regex::Regex::new(r"hh:mm:ss\.\d{3}").unwrap().replace_all(&text, "hh:mm:ss.mmm").into_owned();
    for size in [(80, 24), (160, 50)] {
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), scrub(whole(scene, size, keys)));
    }
}

#[test]
fn screens() {
    snapshots("full", &scene(sample::full()), &[]);
    snapshots("nothing-open", &Scene::drawn(), &[]);
    snapshots("no-line-yet", &scene(sample::empty()), &[]);
    snapshots("wrapped", &scene(sample::full()), &[Action::LogsToggleWrap, Action::LogsToggleFields]);
    snapshots("mono", &scene(sample::full()).in_theme("mono"), &[Action::ListMoveUp, Action::ListMoveUp]);
    let mut filtered = sample::full();
    filtered.shelf_mut().set_level(Some(Level::Info));
    filtered.shelf_mut().include("order").unwrap();
    filtered.shelf_mut().exclude("order 800").unwrap();
    filtered.shelf_mut().seek("81\\d+").unwrap();
    while !filtered.shelf_mut().work(1 << 20) {}
    snapshots("filtered", &scene(filtered), &[Action::LogsFindPrevious]);
    snapshots("typing-a-filter", &scene(sample::full()), &[Action::LogsFilter]);
    snapshots("typing-a-search", &scene(sample::full()), &[Action::LogsFind]);
    snapshots("choosing-a-time", &scene(sample::full()), &[Action::LogsPickTime]);
    snapshots("exporting", &scene(sample::full()), &[Action::LogsExport]);
    let to_the_structured_one = [[Action::ListMoveUp; 8].as_slice(), &[Action::SelectionOpen]].concat();
    snapshots("line", &scene(sample::full()), &to_the_structured_one);
}

#[test]
fn a_search_shows_how_far_it_is_and_what_it_missed() {
    let scene = |over| {
        let fleet = crate::fleet::fixture::fleet();
        let rule = CastRule::Matching(crate::fleet::Selector::default());
        let at = Stamp::of(crate::fleet::fixture::now());
        let (mut tape, _) = Tape::hunt(2, rule, "all containers".to_owned(), Span::default(), ("timeout".to_owned(), at), &fleet);
        tape.push(sample::line(5_000, 3, Some(Level::Error), "ERROR order 8124 failed: db timeout after 3000 ms"));
        let (hunt, cast) = tape.hunt_and_cast();
        let hunt: &mut Hunt = hunt.unwrap();
        for source in 0..u32::try_from(cast.sources().len()).unwrap() {
            hunt.scanned(cast, SourceId(source), 120_331, u64::from(source == 3));
            if over || source % 2 == 0 {
                hunt.ended(cast, SourceId(source), (source == 4).then_some("the host was not reachable for 20 s"), at);
            }
        }
        tape.tell_missing();
        scene(tape)
    };
    snapshots("search-running", &scene(false), &[]);
    snapshots("search-over", &scene(true), &[]);
}

#[test]
fn colours_say_whose_and_how_bad() {
    let scene = scene(sample::full());
    let mut panel = Logs::default();
    let buffer = paint(&mut panel, &scene, (160, 46));
    let theme = &scene.theme;
    let row = |wanted: &str| (0..46).find(|y| (0..160).map(|x| buffer[(x, *y)].symbol()).collect::<String>().contains(wanted)).unwrap();
    let colour_at = |y: u16, wanted: &str| {
        let line: Vec<&str> = (0..160).map(|x| buffer[(x, y)].symbol()).collect();
        let x = (0..160).find(|x| line[*x..].concat().starts_with(wanted)).unwrap();
        buffer[(u16::try_from(x).unwrap(), y)].fg
    };
    let fg = |role| theme.style(role).fg.unwrap();
    let bad = row("order 8124 failed");
    assert_eq!((colour_at(bad, "ERROR"), colour_at(bad, "order 8124")), (fg(Role::StateBad), fg(Role::Text)));
    assert_eq!((colour_at(bad, "app-07"), colour_at(bad, "┃")), (fg(Role::LogSourceD), fg(Role::StateBad)));
    assert_eq!(colour_at(row("order 8123"), "app-04"), fg(Role::LogSourceA));
    assert_eq!(colour_at(row("order 8125 is slow"), "WARN"), fg(Role::StateAttention));
    assert_eq!(colour_at(row("green"), "green"), Color::Indexed(2));
    assert_eq!(colour_at(row("app-05 lost"), "app-05 lost"), fg(Role::StateAttention));
    assert_eq!(colour_at(row("out of memory"), "app-04"), fg(Role::StateBad));
}

#[test]
fn keys_lead_where_they_say() {
    let mut scene = scene(sample::full());
    let mut panel = Logs::default();
    paint(&mut panel, &scene, (100, 20));
    let newest = scene.logs.as_ref().unwrap().shelf().newest().unwrap();
    assert_eq!(act(&mut panel, &mut scene, Action::SelectionOpen), Outcome::LogLayer(LogLayer::Line(newest)));
    assert_eq!(act(&mut panel, &mut scene, Action::LogsFind), Outcome::LogLayer(LogLayer::Search));
    assert_eq!(act(&mut panel, &mut scene, Action::LogsFindNext), Outcome::LogLayer(LogLayer::Search), "nothing is looked for yet");
    let levels: Vec<Option<Level>> = (0..5)
        .map(|_| {
            act(&mut panel, &mut scene, Action::LogsCycleLevel);
            scene.logs.as_ref().unwrap().shelf().filter().level()
        })
        .collect();
    assert_eq!(levels, [Some(Level::Info), Some(Level::Warn), Some(Level::Error), None, Some(Level::Info)]);
    assert_eq!(act(&mut panel, &mut scene, Action::LogsPopFilter), Outcome::Say("no filter is on".to_owned()));
    assert_eq!(
        act(&mut panel, &mut scene, Action::LogsCopyLine),
        Outcome::Request(Request::Copy("INFO  GET /cart/日本語 200 12 ms".to_owned()))
    );
    assert_eq!(act(&mut panel, &mut scene, Action::LayerClose), Outcome::Back);
}

#[test]
fn a_search_goes_from_match_to_match() {
    let mut scene = scene(sample::full());
    let mut panel = Logs::default();
    paint(&mut panel, &scene, (100, 12));
    scene.logs.as_mut().unwrap().shelf_mut().seek("order 80[12]0").unwrap();
    settle(&mut scene);
    let at = |panel: &Logs, scene: &Scene| panel.window.cursor(scene.logs.as_ref().unwrap().shelf()).unwrap();
    act(&mut panel, &mut scene, Action::LogsFindPrevious);
    assert_eq!(at(&panel, &scene), 20);
    paint(&mut panel, &scene, (100, 12));
    assert!(panel.window.seen().iter().any(|seen| seen.number == 20));
    act(&mut panel, &mut scene, Action::LogsFindPrevious);
    assert_eq!(at(&panel, &scene), 10);
    assert_eq!(act(&mut panel, &mut scene, Action::LogsFindPrevious), Outcome::Say("no match before this one".to_owned()));
    act(&mut panel, &mut scene, Action::LogsFindNext);
    assert_eq!(at(&panel, &scene), 20);
    assert!(
        matches!(act(&mut panel, &mut scene, Action::LayerClose), Outcome::Request(Request::Logs(LogWish::Search(text))) if text.is_empty())
    );
}

#[test]
fn what_waits_and_what_made_room_is_told() {
    let mut scene = scene(sample::full());
    let mut panel = Logs::default();
    paint(&mut panel, &scene, (100, 12));
    act(&mut panel, &mut scene, Action::LogsTogglePause);
    for n in 0..1234 {
        scene.logs.as_mut().unwrap().push(sample::line(900 - n % 10, 0, None, "more"));
    }
    settle(&mut scene);
    assert!(text(&paint(&mut panel, &scene, (100, 12))).contains("paused: 1,234 lines wait"));
    act(&mut panel, &mut scene, Action::LogsTogglePause);
    let shown = text(&paint(&mut panel, &scene, (100, 12)));
    assert!(!shown.contains("wait") && shown.contains("more"), "{shown}");
    act(&mut panel, &mut scene, Action::ListPageUp);
    assert!(text(&paint(&mut panel, &scene, (100, 12))).contains("newer lines below"));
    act(&mut panel, &mut scene, Action::ListMoveLast);
    assert!(!text(&paint(&mut panel, &scene, (100, 12))).contains("newer"));
    let mut small = Shelf::new(2000);
    for _ in 0..100 {
        small.push(sample::line(1, 0, None, "x"));
    }
    assert!(small.ring().dropped() > 50);
}

#[test]
fn every_size_is_painted_in_every_mode() {
    let mut scene = scene(sample::full());
    for wrap in [false, true] {
        let mut panel = Logs::default();
        if wrap {
            act(&mut panel, &mut scene, Action::LogsToggleWrap);
        }
        for times in 0..4 {
            for (width, height) in [(1, 1), (5, 3), (20, 2), (40, 12), (79, 16), (100, 7), (240, 80)] {
                for action in [Action::ListMoveUp, Action::ListPageUp, Action::ListMoveRight, Action::ListMoveFirst, Action::ListMoveLast] {
                    act(&mut panel, &mut scene, action);
                    paint(&mut panel, &scene, (width, height));
                }
            }
            act(&mut panel, &mut scene, Action::LogsCycleTimes);
            assert!(times < 4);
        }
    }
}

#[derive(Default)]
struct Bytes(std::cell::RefCell<Vec<u8>>);

impl Sink for &Bytes {
    fn ready(&self) -> bool {
        true
    }

    fn submit(&self, frame: Vec<u8>) {
        self.0.borrow_mut().extend(frame);
    }
}

/// What one more line costs on the wire to the terminal, at full width, however long it is.
#[test]
fn a_scrolled_line_costs_few_bytes() {
    let mut scene = scene(sample::empty());
    for n in 0..200 {
        scene.logs.as_mut().unwrap().push(sample::line(
            30_000 - n,
            (n % 4) as u32,
            Some(Level::Info),
            &format!("INFO  order {n} accepted"),
        ));
    }
    let sink = Bytes::default();
    let mut canvas = Screen::new(Size::new(160, 50), &sink);
    let mut screen = screen::Screen::default();
    screen.act(Action::PanelLogs, &scene.view());
    let mut draw = |scene: &Scene| {
        sink.0.borrow_mut().clear();
        let drawn = canvas.draw(|frame| {
            let area = frame.area();
            screen.render(frame.buffer_mut(), area, &scene.view());
        });
        (drawn, sink.0.borrow().len())
    };
    assert!(draw(&scene).1 > 2000);
    for (n, text) in (0..).zip(["INFO  short", &"INFO  a long line that is cut at the edge of the screen ".repeat(9)]) {
        scene.logs.as_mut().unwrap().push(sample::line(500 - n, 1, Some(Level::Info), text));
        let (drawn, bytes) = draw(&scene);
        assert_eq!(drawn, Drawn::Sent);
        assert!(bytes <= 300, "{bytes} bytes for {text:.20}");
    }
    assert_eq!(draw(&scene).0, Drawn::Unchanged);
}

#[test]
fn a_stream_that_is_opened_anew_is_followed_from_its_end() {
    let mut scene = scene(sample::full());
    let mut panel = Logs::default();
    paint(&mut panel, &scene, (100, 12));
    act(&mut panel, &mut scene, Action::ListMoveFirst);
    assert!(!panel.window.follows());
    let (tape, _) = Tape::follow(7, CastRule::Containers(Vec::new()), "nothing".to_owned(), Span::default(), &scene.fleet);
    scene.logs = Some(tape);
    paint(&mut panel, &scene, (100, 12));
    assert!(panel.window.follows());
    let tape = scene.logs.as_mut().unwrap();
    assert_eq!(tape.set_standing(SourceId(3), Standing::Over), Standing::Over, "nobody has that number");
    let kind = MarkerKind::Lost { error: "gone".into() };
    tape.push(Entry::Marker(Marker { at: Stamp(1), host: "app-01".into(), source: None, kind }));
    assert!(text(&paint(&mut panel, &scene, (100, 12))).contains("app-01 lost: gone"));
}
