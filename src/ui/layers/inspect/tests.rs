use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::json;

use super::*;
use crate::{fleet::fixture, ui::fixture::Scene};

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
    let scene = Scene::drawn();
    let view = scene.view();
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
    let scene = Scene::drawn();
    let view = scene.view();
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
    let scene = Scene::drawn();
    let view = scene.view();
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
    let mut scene = Scene::drawn();
    let mut open = document();
    let terminal = screen(&mut open, &scene.view(), (160, 48));
    let colours: Vec<_> = terminal.backend().buffer().content().iter().map(|cell| cell.fg).collect();
    for role in [Role::InspectKey, Role::InspectString, Role::InspectNumber, Role::TextDim, Role::HintKey] {
        assert!(scene.theme.style(role).fg.is_some_and(|fg| colours.contains(&fg)), "{}", role.id());
    }
    scene.fleet.apply(crate::fleet::Delta::Gone { host: key().host, id: key().id, at: fixture::now() });
    let text = screen(&mut open, &scene.view(), (80, 22)).backend().to_string();
    assert!(text.contains("worker-1 · app-03 · gone"), "{text}");
}

#[test]
fn no_size_is_too_small() {
    let scene = Scene::drawn();
    let mut open = document();
    for width in 1..30 {
        for height in 1..16 {
            screen(&mut open, &scene.view(), (width, height));
        }
    }
}

#[test]
fn secrets_show_only_where_a_person_who_may_act_asks_and_hide_again() {
    let scene = Scene::drawn().read_only();
    let mut open = document();
    assert!(matches!(open.act(Action::InspectReveal, &scene.view()), LayerOutcome::Say(note) if note.contains("stay hidden")));
    assert!(!open.is_private() && !screen(&mut open, &scene.view(), (160, 48)).backend().to_string().contains("hunter2"));

    let scene = Scene::drawn();
    let view = scene.view();
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "DB_PASS", &view);
    open.act(Action::SelectionOpen, &view);
    let place = open.index();
    assert_eq!(open.act(Action::InspectReveal, &view), LayerOutcome::Ask(Request::Revealed(key())));
    assert!(open.is_private());
    assert_eq!(open.index(), place, "the cursor stays on its line");
    let shown = screen(&mut open, &view, (160, 48)).backend().to_string();
    assert!(shown.contains("DB_PASSWORD=hunter2") && shown.contains("secrets are shown"), "{shown}");
    assert_eq!(open.act(Action::InspectReveal, &view), LayerOutcome::Stay);
    assert!(!open.is_private() && !screen(&mut open, &view, (160, 48)).backend().to_string().contains("hunter2"));
    let mut asked = Inspect::open(RequestId(1), key());
    assert_eq!(asked.act(Action::InspectReveal, &view), LayerOutcome::Stay, "there is nothing to show yet");
}

#[test]
fn all_folds_and_unfolds_and_the_cursor_stays_near() {
    let scene = Scene::drawn();
    let view = scene.view();
    let mut open = document();
    open.act(Action::FilterEdit, &view);
    typed(&mut open, "always", &view);
    open.act(Action::SelectionOpen, &view);
    open.act(Action::InspectFoldAll, &view);
    let tree = open.tree().unwrap();
    assert!(tree.visible().iter().all(|index| tree.node(*index).is_some_and(|node| node.depth == 0)));
    assert_eq!(tree.path(open.index().unwrap()), "HostConfig");
    open.act(Action::InspectUnfoldAll, &view);
    let tree = open.tree().unwrap();
    assert!(tree.visible().iter().all(|index| tree.node(*index).is_some_and(|node| !node.is_folded())));
    assert_eq!(tree.path(open.index().unwrap()), "HostConfig");
}
