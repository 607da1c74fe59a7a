//! How the lists behave: what the cursor holds, when rows move, what a key leads to.

use chrono::TimeDelta;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{connecting, with_troubles};
use crate::{
    action::Action,
    fleet::{Delta, HostId, fixture},
    ui::{
        fixture::{Scene, text},
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        panels::{containers::Containers, hosts::Hosts},
    },
};

const AREA: Rect = Rect { x: 0, y: 0, width: 100, height: 60 };

fn containers(scene: &Scene) -> Containers {
    let mut panel = Containers::default();
    panel.refresh(Refresh::All, &scene.view());
    panel
}

/// The table's lines: host and name of rows, the title of headings.
fn lines(panel: &mut Containers, scene: &Scene) -> Vec<String> {
    let mut buffer = Buffer::empty(AREA);
    panel.render(&mut buffer, AREA, &scene.view());
    let whole = text(&buffer);
    let table = whole.lines().skip(1).take_while(|line| !line.starts_with('─') && !line.is_empty());
    table
        .map(|line| line.trim_start_matches([' ', '■', '~', '●', '◆', '◐']).split_whitespace().take(3).collect::<Vec<_>>().join(" "))
        .collect()
}

fn name(panel: &Containers, scene: &Scene) -> String {
    match panel.selection(&scene.view()) {
        Selection::Container(key) => scene.fleet.container(&key).map(|c| format!("{} {}", key.host, c.name)).unwrap_or_default(),
        Selection::Group => "group".to_owned(),
        other => format!("{other:?}"),
    }
}

fn event(scene: &Scene, host: &str, name: &str, action: &str, exit_code: Option<i64>) -> Delta {
    let at = fixture::now() + TimeDelta::seconds(1);
    scene.event((host, name), action, exit_code, (at, at))
}

/// A host's list with one container more, or less.
fn relist(scene: &Scene, host: &str, more: Option<&str>, without: Option<&str>) -> Delta {
    let same = fixture::deltas().into_iter().find_map(|delta| match delta {
        Delta::List { host: of, containers, .. } if of.as_str() == host => Some(containers),
        _ => None,
    });
    let mut containers = same.unwrap();
    containers.retain(|container| Some(&*container.name) != without);
    containers.extend(more.map(|name| fixture::container(host, name, "nginx:1.25")));
    let at = scene.now + TimeDelta::seconds(2);
    Delta::List { host: host.into(), containers, asked: at, at }
}

#[test]
fn rows_keep_their_place_until_the_panel_is_entered_again() {
    let mut scene = Scene::drawn();
    let mut panel = containers(&scene);
    let before = lines(&mut panel, &scene);
    assert!(before[0].starts_with("app-03 billing/worker worker-1"), "the worst is on top: {before:?}");
    panel.act(Action::ListMoveLast, &scene.view());
    let held = name(&panel, &scene);
    let change = scene.apply([event(&scene, "test-01", "db", "die", Some(1))]);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    assert_eq!(lines(&mut panel, &scene), before);
    panel.refresh(Refresh::All, &scene.view());
    assert_eq!(lines(&mut panel, &scene), before, "the same filter: nothing moves");
    panel.enter(&scene.view());
    assert!(lines(&mut panel, &scene)[..2].iter().any(|line| line.starts_with("test-01 shop/db")));
    assert_eq!(name(&panel, &scene), held, "the cursor stays with its container");
}

#[test]
fn new_rows_come_in_where_the_order_says_and_the_cursor_keeps_its_container() {
    let mut scene = Scene::drawn();
    let mut panel = containers(&scene);
    panel.act(Action::ContainersSortByName, &scene.view());
    panel.act(Action::ListMoveDown, &scene.view());
    let held = name(&panel, &scene);
    let change = scene.apply([relist(&scene, "app-04", Some("aaa-1"), None)]);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    let shown = lines(&mut panel, &scene);
    assert_eq!(shown.len(), 32);
    assert!(shown[0].starts_with("app-04 aaa-1"), "{shown:?}");
    assert_eq!(name(&panel, &scene), held);
    let change = scene.apply([relist(&scene, "app-04", None, Some("aaa-1"))]);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    assert_eq!(lines(&mut panel, &scene).len(), 31);
    assert_eq!(name(&panel, &scene), held);
}

#[test]
fn what_comes_in_bit_by_bit_is_what_an_arrangement_finds() {
    let mut scene = connecting().filtered("!service:web health:healthy,unhealthy");
    let mut panel = containers(&scene);
    panel.act(Action::ContainersGroup, &scene.view());
    for delta in fixture::deltas() {
        let change = scene.apply([delta]);
        panel.refresh(Refresh::Changed(&change), &scene.view());
    }
    panel.act(Action::ContainersSortByName, &scene.view());
    let whole = lines(&mut panel, &scene);
    assert_eq!(whole.iter().filter(|line| line.starts_with('▾')).count(), 11, "{whole:?}");
    let mut fresh = containers(&scene);
    fresh.act(Action::ContainersGroup, &scene.view());
    fresh.act(Action::ContainersSortByName, &scene.view());
    assert_eq!(whole, lines(&mut fresh, &scene));
    // What stops matching leaves.
    let change = scene.apply([event(&scene, "app-04", "api-1", "health_status: starting", None)]);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    assert_eq!(lines(&mut panel, &scene).len(), whole.len() - 2, "the row and its group's heading");
}

#[test]
fn sorting_goes_through_the_shown_columns_and_turns_around() {
    let scene = Scene::drawn();
    let mut panel = containers(&scene);
    panel.act(Action::ContainersSortByHost, &scene.view());
    assert!(lines(&mut panel, &scene)[0].starts_with("app-01"));
    panel.act(Action::ContainersReverseSort, &scene.view());
    assert!(lines(&mut panel, &scene)[0].starts_with("test-01"));
    panel.act(Action::ContainersSort, &scene.view());
    assert!(lines(&mut panel, &scene)[0].contains("billing/worker"));
    panel.act(Action::ContainersSortByAge, &scene.view());
    assert!(lines(&mut panel, &scene)[0].contains("worker"), "the youngest");
    let key = scene.fleet.containers_on(&"app-09".into()).next().map(|c| c.key.clone()).unwrap();
    assert!(lines(&mut panel, &scene).iter().any(|line| line.starts_with(key.host.as_str())));
}

#[test]
fn groups_fold_and_headings_open() {
    let scene = with_troubles();
    let mut panel = containers(&scene);
    assert!(matches!(panel.act(Action::GroupFold, &scene.view()), Outcome::Say(note) if note.contains("g groups")));
    panel.act(Action::ContainersGroup, &scene.view());
    let shown = lines(&mut panel, &scene);
    assert_eq!(shown.iter().filter(|line| line.starts_with('▾')).count(), 12);
    panel.act(Action::ListMoveFirst, &scene.view());
    assert_eq!(panel.selection(&scene.view()), Selection::Group);
    assert_eq!(panel.act(Action::RowMark, &scene.view()), Outcome::Ignored);
    panel.act(Action::ListMoveDown, &scene.view());
    panel.act(Action::GroupFold, &scene.view());
    assert_eq!(panel.selection(&scene.view()), Selection::Group, "the cursor is on the heading of what it folded");
    assert_eq!(lines(&mut panel, &scene).len(), shown.len() - 5);
    panel.act(Action::SelectionOpen, &scene.view());
    assert_eq!(lines(&mut panel, &scene), shown);
    let mut buffer = Buffer::empty(AREA);
    panel.render(&mut buffer, AREA, &scene.view());
    assert!(text(&buffer).contains("app-05  2 containers   ● 2 host lost"), "{}", text(&buffer));
    for _ in 0..3 {
        panel.act(Action::ContainersGroup, &scene.view());
    }
    assert_eq!(lines(&mut panel, &scene).len(), 31);
}

#[test]
fn marks_open_and_columns() {
    let scene = Scene::drawn();
    let mut panel = containers(&scene);
    let Selection::Container(first) = panel.selection(&scene.view()) else { panic!("no row") };
    assert_eq!(panel.act(Action::SelectionOpen, &scene.view()), Outcome::Inspect(first.clone()));
    assert_eq!(panel.act(Action::RowMark, &scene.view()), Outcome::Mark(vec![first.clone()]));
    assert_ne!(panel.selection(&scene.view()), Selection::Container(first), "marking goes on to the next row");
    let Outcome::ChooseColumns(offered) = panel.act(Action::ContainersChooseColumns, &scene.view()) else { panic!("no chooser") };
    assert_eq!((offered.len(), offered[0], offered[14]), (15, ("HOST", true), ("DIGEST", false)));
    panel.choose_columns(&["ID", "NAME"]);
    let mut buffer = Buffer::empty(AREA);
    panel.render(&mut buffer, AREA, &scene.view());
    assert!(text(&buffer).starts_with("    ID            NAME\n"), "{}", text(&buffer));
}

#[test]
fn a_click_on_a_heading_sorts_and_on_a_row_moves_there() {
    let scene = Scene::drawn();
    let mut panel = containers(&scene);
    lines(&mut panel, &scene);
    assert_eq!(panel.click(5, 0, &scene.view()), Outcome::Done);
    assert!(lines(&mut panel, &scene)[0].starts_with("app-01"));
    assert_eq!(panel.click(5, 0, &scene.view()), Outcome::Done);
    assert!(lines(&mut panel, &scene)[0].starts_with("test-01"));
    let shown = lines(&mut panel, &scene);
    assert_eq!(panel.click(20, 4, &scene.view()), Outcome::Done);
    assert!(shown[3].starts_with(name(&panel, &scene).split(' ').next().unwrap()));
    assert_eq!(panel.click(20, 59, &scene.view()), Outcome::Ignored, "the pane below is no row");
}

fn hosts(scene: &Scene) -> (Hosts, String) {
    let mut panel = Hosts::default();
    panel.refresh(Refresh::All, &scene.view());
    panel.enter(&scene.view());
    let mut buffer = Buffer::empty(AREA);
    panel.render(&mut buffer, AREA, &scene.view());
    (panel, text(&buffer))
}

#[test]
fn a_host_opens_its_containers_and_the_worst_is_on_top() {
    let scene = with_troubles();
    let (panel, shown) = hosts(&scene);
    assert_eq!(panel.selection(&scene.view()), Selection::Host(HostId::new("app-03")), "{shown}");
    let mut panel = panel;
    let go = Outcome::Go { panel: PanelId::Containers, filter: Some("host:app-03".to_owned()) };
    assert_eq!(panel.act(Action::SelectionOpen, &scene.view()), go);
}

#[test]
fn a_countdown_ticks_each_second_and_only_while_there_is_one() {
    let scene = with_troubles();
    let (_, shown) = hosts(&scene);
    let story = "lost hh:mm:ss (1m): connection timed out · next try in 7 s · last known: 2 containers";
    assert!(shown.contains(story), "{shown}");
    assert_eq!(scene.ages.next(), Some(TimeDelta::milliseconds(400)));
    let quiet = Scene::drawn();
    hosts(&quiet);
    assert_eq!(quiet.ages.next(), Some(TimeDelta::seconds(5)), "the rate of requests");
}

#[test]
fn the_rate_of_requests_is_measured_between_frames() {
    let mut scene = Scene::drawn();
    let (mut panel, _) = hosts(&scene);
    let host = HostId::new("app-01");
    let cost = crate::fleet::host::HostCost { requests: 30, ..Default::default() };
    scene.apply([Delta::Cost { host, cost }]);
    scene.now += TimeDelta::seconds(10);
    let wide = Rect { width: 160, ..AREA };
    let mut buffer = Buffer::empty(wide);
    panel.render(&mut buffer, wide, &scene.view());
    assert!(text(&buffer).lines().any(|line| line.contains("app-01") && line.contains(" 3.0 ")), "{}", text(&buffer));
}

#[test]
fn clocks_that_differ_and_open_wires_are_said() {
    let mut spec = fixture::spec("app-01", None);
    (spec.url, spec.unprotected) = ("tcp://10.0.0.9:2375".into(), true);
    let mut scene = Scene::of(crate::fleet::Fleet::new(vec![spec], Vec::new()));
    let engine = fixture::deltas().into_iter().find_map(|delta| match delta {
        Delta::Engine { info, .. } => Some(info),
        _ => None,
    });
    let info = crate::fleet::EngineInfo { clock_skew_ms: -3_240, ..engine.unwrap() };
    let live = crate::fleet::LinkState::Live { since: fixture::now() };
    scene.apply([Delta::Link { host: "app-01".into(), link: live, at: fixture::now() }, Delta::Engine { host: "app-01".into(), info }]);
    let (_, shown) = hosts(&scene);
    assert!(shown.contains("-3.2 s") && shown.contains("tcp://10.0.0.9:2375 unprotected"), "{shown}");
}
