//! The panel as it is seen, and as it behaves under keys and changes.

use chrono::TimeDelta;
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    fleet::{Delta, HostId, LinkCause, LinkState, fixture},
    stats::fixture as measured,
    ui::{
        fixture::{Scene, text},
        screen::Screen,
    },
};

const AREA: Rect = Rect { x: 0, y: 0, width: 160, height: 46 };

fn scene() -> Scene {
    let mut scene = Scene::drawn();
    scene.stats = measured::book(&scene.fleet);
    scene
}

fn panel(scene: &Scene) -> Resources {
    let mut panel = Resources::default();
    panel.refresh(Refresh::All, &scene.view());
    panel.enter(&scene.view());
    panel
}

fn paint(panel: &mut Resources, scene: &Scene) -> String {
    let mut buffer = Buffer::empty(AREA);
    panel.render(&mut buffer, AREA, &scene.view());
    text(&buffer)
}

fn screen(scene: &Scene, actions: &[Action], (width, height): (u16, u16)) -> String {
    let mut screen = Screen::default();
    screen.refresh(Refresh::All, &scene.view());
    for action in [Action::PanelResources].iter().chain(actions) {
        screen.act(*action, &scene.view());
    }
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    screen.render(&mut buffer, area, &scene.view());
    text(&buffer)
}

fn both(scene: &Scene, actions: &[Action]) -> String {
    [(80, 24), (160, 50)].map(|size| format!("{}x{}\n{}", size.0, size.1, screen(scene, actions, size))).join("\n\n")
}

#[test]
fn as_drawn() {
    use Action::{ListMoveDown, ListMoveLast, ResourcesSort, ResourcesTurn, SelectionOpen};
    let scene = scene();
    insta::assert_snapshot!("resources-drawn", both(&scene, &[]));
    insta::assert_snapshot!("resources-container", both(&scene, &[ListMoveDown, ListMoveDown, SelectionOpen, ListMoveDown]));
    insta::assert_snapshot!("resources-by-host", both(&scene, &[ResourcesTurn, ResourcesSort, ListMoveDown]));
    insta::assert_snapshot!(
        "resources-mono",
        both(&Scene { stats: measured::book(&scene.fleet), ..Scene::drawn().in_theme("mono") }, &[ListMoveLast])
    );
    insta::assert_snapshot!("resources-nothing-measured", both(&Scene::drawn(), &[]));
}

#[test]
fn what_is_used_stands_in_other_panels_where_asked_for() {
    let scene = scene();
    let shown = |panel, size: (u16, u16)| {
        let mut screen = Screen::default();
        screen.refresh(Refresh::All, &scene.view());
        for action in [panel, Action::UsageToggle] {
            screen.act(action, &scene.view());
        }
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        screen.render(&mut buffer, area, &scene.view());
        text(&buffer)
    };
    let all = [Action::PanelVersions, Action::PanelContainers, Action::PanelHosts].map(|panel| shown(panel, (160, 30)));
    insta::assert_snapshot!("usage-elsewhere", all.join("\n\n"));
}

#[test]
fn what_is_on_screen_is_wanted_and_nothing_else() {
    let scene = scene();
    let mut panel = panel(&scene);
    assert!(panel.wanted(&scene.view()).near.is_empty(), "nothing was painted yet");
    paint(&mut panel, &scene);
    let wanted = panel.wanted(&scene.view());
    assert_eq!(wanted.near.len(), 0, "services are folded");
    let mut rest = wanted.rest.clone();
    rest.sort();
    rest.dedup();
    assert_eq!(rest.len(), 31, "the sums on screen are made of all of them");
    assert_eq!(wanted.machines.len(), 12);

    let only = scene.filtered("host:app-09");
    let mut panel = super::tests::panel(&only);
    paint(&mut panel, &only);
    let wanted = panel.wanted(&only.view());
    assert_eq!(wanted.by_host()[&HostId::new("app-09")].rest.len(), 1);

    let mut screen = Screen::default();
    screen.refresh(Refresh::All, &only.view());
    let mut buffer = Buffer::empty(AREA);
    screen.render(&mut buffer, AREA, &only.view());
    assert!(screen.wanted(&only.view()).is_empty(), "home asks for nothing");
    screen.act(Action::UsageToggle, &only.view());
    screen.render(&mut buffer, AREA, &only.view());
    assert_eq!(screen.wanted(&only.view()).every, Duration::from_secs(5));
    assert_eq!(screen.wanted(&only.view()).by_host().len(), 1);
    screen.act(Action::PanelResources, &only.view());
    screen.render(&mut buffer, AREA, &only.view());
    assert!(!screen.wanted(&only.view()).is_empty());
    screen.act(Action::PanelEvents, &only.view());
    screen.render(&mut buffer, AREA, &only.view());
    assert!(screen.wanted(&only.view()).is_empty(), "nobody looks");
}

#[test]
fn rows_keep_their_place_until_they_are_sorted_again() {
    let mut scene = scene();
    let mut panel = panel(&scene);
    while panel.tree.sort != Sort::Cpu {
        panel.act(Action::ResourcesSort, &scene.view());
    }
    let order = |panel: &Resources| panel.tree.nodes().to_vec();
    let before = order(&panel);
    assert!(matches!(&before[0], Node::Environment(Some(name)) if name.as_str() == "production"), "{before:?}");
    // Production is lost: nothing of what it uses is known now.
    let mut deltas = Vec::new();
    for host in scene.fleet.hosts().filter(|host| host.spec.id.as_str().starts_with("app-")) {
        let link = LinkState::Retrying { since: scene.now, cause: LinkCause::Closed, error: "closed".into(), next: scene.now };
        deltas.push(Delta::Link { host: host.spec.id.clone(), link, at: scene.now });
    }
    let change = scene.apply(deltas);
    scene.now += TimeDelta::seconds(2);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    let shown = paint(&mut panel, &scene);
    assert_eq!(order(&panel), before);
    assert!(shown.lines().any(|line| line.starts_with('~') && line.contains("production")));
    panel.act(Action::ResourcesReverseSort, &scene.view());
    panel.act(Action::ResourcesReverseSort, &scene.view());
    assert_ne!(order(&panel), before);
}

#[test]
fn folds_and_arrows_walk_the_tree() {
    let scene = scene();
    let mut panel = panel(&scene);
    paint(&mut panel, &scene);
    let count = panel.tree.nodes().len();
    assert_eq!(panel.selection(&scene.view()), Selection::Group);
    panel.act(Action::ListMoveLeft, &scene.view());
    assert!(panel.tree.nodes().len() < count, "folded");
    panel.act(Action::ListMoveRight, &scene.view());
    assert_eq!(panel.tree.nodes().len(), count);
    for _ in 0..2 {
        panel.act(Action::ListMoveRight, &scene.view());
    }
    assert!(matches!(panel.selection(&scene.view()), Selection::Service { .. }));
    panel.act(Action::SelectionOpen, &scene.view());
    panel.act(Action::ListMoveDown, &scene.view());
    let Selection::Container(key) = panel.selection(&scene.view()) else { panic!("no container below the service") };
    assert_eq!(panel.act(Action::SelectionOpen, &scene.view()), Outcome::Inspect(key));
    panel.act(Action::ListMoveLeft, &scene.view());
    assert!(matches!(panel.selection(&scene.view()), Selection::Service { .. }), "up to what holds it");
}

#[test]
fn what_was_measured_grows_old() {
    let mut scene = scene();
    let mut panel = panel(&scene);
    assert!(paint(&mut panel, &scene).contains("app-03 disk 93%"));
    scene.now += TimeDelta::minutes(10);
    panel.measured(&scene.view());
    let shown = paint(&mut panel, &scene);
    assert!(shown.contains("nothing is near its limit") && !shown.contains("disk 93%"), "{shown}");
}

#[test]
fn no_size_is_too_small() {
    let scene = scene();
    for size in [(1, 1), (20, 6), (21, 7), (30, 9), (40, 12), (79, 16), (120, 6), (121, 7), (400, 100)] {
        for actions in [&[][..], &[Action::ResourcesTurn], &[Action::ListMoveLast, Action::SelectionOpen, Action::ResourcesSpan]] {
            screen(&scene, actions, size);
        }
    }
    assert_eq!(fixture::now(), scene.now);
}
