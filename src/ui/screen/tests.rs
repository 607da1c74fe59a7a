use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::{fleet::fixture, ui::fixture::Scene};

fn key(name: &str) -> KeyEvent {
    let (code, modifiers) = match name {
        "esc" => (KeyCode::Esc, KeyModifiers::NONE),
        "enter" => (KeyCode::Enter, KeyModifiers::NONE),
        "tab" => (KeyCode::Tab, KeyModifiers::NONE),
        "down" => (KeyCode::Down, KeyModifiers::NONE),
        "ctrl-c" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
        other => (KeyCode::Char(other.chars().next().unwrap()), KeyModifiers::NONE),
    };
    KeyEvent::new(code, modifiers)
}

/// What is open above which panel, and what the last key asked for.
fn after(scene: &Scene, keys: &str) -> (PanelId, Option<Context>, Vec<Request>) {
    let mut screen = Screen::default();
    let view = scene.view();
    screen.refresh(Refresh::All, &view);
    let area = Rect::new(0, 0, 160, 50);
    let mut last = Vec::new();
    for name in keys.split_whitespace() {
        screen.render(&mut Buffer::empty(area), area, &view);
        last = screen.key(key(name), &view);
    }
    (screen.panel().id(), screen.layers.last().map(|layer| layer.context()), last)
}

#[test]
fn keys_open_and_close() {
    use PanelId::{Containers, Events, Hosts, Versions};
    let scene = Scene::drawn();
    let filter = |text: &str| vec![Request::Filter(text.to_owned())];
    let cases = [
        ("", Versions, None, vec![]),
        ("3", Hosts, None, vec![]),
        ("tab tab", Hosts, None, vec![]),
        (":", Versions, Some(Context::Palette), vec![]),
        (": esc", Versions, None, vec![]),
        ("?", Versions, Some(Context::Help), vec![]),
        ("? q", Versions, None, vec![]),
        ("/", Versions, Some(Context::Filter), vec![]),
        ("/ a", Versions, Some(Context::Filter), filter("a")),
        ("/ a esc", Versions, None, filter("")),
        ("/ h o tab", Versions, Some(Context::Filter), filter("host:")),
        ("q", Versions, None, vec![Request::Quit]),
        ("esc", Versions, None, vec![]),
        ("y", Versions, None, vec![]),
        ("y esc", Versions, None, vec![]),
        ("y y", Versions, None, vec![Request::Copy("billing/worker".to_owned())]),
        ("T", Versions, None, vec![Request::OpenThemes]),
        ("S", Versions, None, vec![Request::SaveScreen]),
        ("v", Versions, None, vec![Request::TurnMatrix]),
        ("8", Events, None, vec![]),
        ("8 j j j j j j i i", Events, None, vec![]),
        ("8 j j j j j j i :", Events, Some(Context::Palette), vec![]),
        ("8 j j j j j j i : esc", Events, Some(Context::Inspect), vec![]),
        ("8 j j j j j j i ?", Events, Some(Context::Help), vec![]),
        ("8 j j j j j j i 2", Containers, None, vec![]),
        ("8 j j j j j j i R", Events, Some(Context::Inspect), vec![]),
        ("8 j j j j j j i : a p p - 0 3 enter", Containers, None, filter("host:app-03")),
        (": a p p - 0 3 enter", Containers, None, filter("host:app-03")),
        ("? 2", Versions, Some(Context::Help), vec![]),
        ("8 j j j j j j y i", Events, None, vec![Request::Copy(fixture::hex("app-03/worker-1"))]),
    ];
    for (keys, panel, layer, requests) in cases {
        assert_eq!(after(&scene, keys), (panel, layer, requests), "{keys:?}");
    }
    let (_, layer, requests) = after(&scene, "8 j j j j j j enter");
    assert_eq!(layer, Some(Context::Inspect));
    assert!(matches!(requests.as_slice(), [Request::Ask(Command::ReadInspect { .. })]));
}

#[test]
fn esc_clears_the_marks_then_the_filter() {
    let mut scene = Scene::drawn();
    scene.filter.set("host:app-03");
    scene.marks.insert(scene.fleet.containers().next().unwrap().key.clone());
    assert_eq!(after(&scene, "esc").2, [Request::ClearMarks]);
    scene.marks.clear();
    assert_eq!(after(&scene, "esc").2, [Request::Filter(String::new())]);
    assert_eq!(after(&scene, ": esc").2, []);
}

#[test]
fn a_completion_replaces_only_the_last_term() {
    let scene = Scene::drawn();
    let mut screen = Screen::default();
    let view = scene.view();
    screen.key(key("/"), &view);
    screen.paste("app:shop host:app-0", &view);
    assert_eq!(screen.key(key("tab"), &view), [Request::Filter("app:shop host:app-01".to_owned())]);
}

#[test]
fn a_paste_into_a_table_runs_nothing() {
    let scene = Scene::drawn();
    let mut screen = Screen::default();
    let view = scene.view();
    assert_eq!(screen.paste("q:8\n", &view), []);
    assert!(screen.layers.is_empty() && screen.panel().id() == PanelId::Versions);
}

#[test]
fn the_second_click_on_a_row_opens_it() {
    let scene = Scene::drawn();
    let mut screen = Screen::default();
    let view = scene.view();
    screen.refresh(Refresh::All, &view);
    let area = Rect::new(0, 0, 160, 50);
    screen.render(&mut Buffer::empty(area), area, &view);
    let click = |screen: &mut Screen, column, row| {
        let event = MouseEvent { kind: MouseEventKind::Down(MouseButton::Left), column, row, modifiers: KeyModifiers::NONE };
        screen.mouse(event, &view)
    };
    assert_eq!(click(&mut screen, 30, 5), []);
    assert_eq!(click(&mut screen, 30, 6), []);
    assert_eq!(click(&mut screen, 30, 45), [], "a click beside the rows");
    assert_eq!(click(&mut screen, 30, 6), []);
    assert!(matches!(click(&mut screen, 30, 6).as_slice(), [Request::Filter(_)]));
    assert_eq!(screen.panel().id(), PanelId::Containers);
    let (_, start, _) = *screen.tabs.iter().find(|(id, ..)| *id == PanelId::Events).unwrap();
    click(&mut screen, start, 1);
    assert_eq!(screen.panel().id(), PanelId::Events);
}

/// With every right: what a key opens, and what the last key asked for.
#[test]
fn acts_go_from_menu_to_plan_to_a_request() {
    let mut bench = Scene::drawn();
    for (keys, layer) in [
        ("s", Some(Context::ActMenu)),
        ("s esc", None),
        ("3 s s", Some(Context::ActMenu)),
        ("2 s s", Some(Context::Confirm)),
        ("2 s s esc", None),
        ("2 s x", Some(Context::Confirm)),
        ("2 s n", Some(Context::Confirm)),
        ("v s r", Some(Context::Confirm)),
        ("A", None),
    ] {
        assert_eq!(after(&bench, keys).1, layer, "{keys:?}");
    }
    // The marked rows, in another environment than the guarded one, want a yes.
    for container in bench.fleet.containers().filter(|one| one.key.host.as_str() == "stage-01") {
        bench.marks.insert(container.key.clone());
    }
    let (_, layer, requests) = after(&bench, "2 s s y");
    let [Request::Act(plan)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((layer, plan.affected()), (None, bench.marks.len()));
    assert_eq!(after(&bench, "2 s s enter").2, [], "enter may be a bounce");
    // Marks count where they are seen.
    let (_, _, requests) = after(&bench, "s s y");
    assert_eq!(requests, []);
}

#[test]
fn who_may_only_look_sees_why_and_asks_for_nothing() {
    let bench = Scene::drawn().read_only();
    for panel in ["1", "2", "3", "8"] {
        for key in ["s", "r", "t", "p", "u", "x", "n"] {
            let (_, layer, requests) = after(&bench, &format!("{panel} s {key} y enter y"));
            assert_eq!((layer, requests), (Some(Context::ActMenu), vec![]), "{panel} s {key}");
        }
    }
    let mut screen = Screen::default();
    let view = bench.view();
    screen.refresh(Refresh::All, &view);
    for action in Action::ALL.iter().copied().filter(|action| action.row().need == crate::action::Need::Act) {
        assert_eq!(screen.act(action, &view), [], "{action}");
        assert!(screen.layers.is_empty(), "{action}");
        assert!(screen.note.as_deref().is_some_and(|note| note.contains("read-only")), "{action}: {:?}", screen.note);
    }
}
