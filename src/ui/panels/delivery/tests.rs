//! The panel in every state, and how the cursor goes through it.

use super::*;
use crate::{
    board::{News, lanes::Estimate},
    run::journal::State,
    ui::fixture::{Scene, text},
};

fn scene(ways: Vec<lanes::Way>) -> Scene {
    let mut scene = Scene::drawn();
    scene.board.learn(News::Lanes(lanes::News::Ways(ways)));
    scene
}

fn panel(scene: &Scene) -> Delivery {
    let mut panel = Delivery::default();
    panel.enter(&scene.view());
    panel
}

fn shown(panel: &mut Delivery, scene: &Scene, size: (u16, u16)) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    panel.render(&mut buffer, area, &scene.view());
    text(&buffer)
}

/// The panel as its screen has it: everything but header, tabs, title and foot.
const SMALL: (u16, u16) = (80, 20);
const LARGE: (u16, u16) = (160, 46);

fn go(panel: &mut Delivery, scene: &Scene, actions: &[Action]) {
    for action in actions {
        assert_eq!(panel.act(*action, &scene.view()), Outcome::Done, "{action}");
    }
}

#[test]
fn screens() {
    for (name, ways) in [
        ("healthy", vec![sample::shop()]),
        ("troubled", vec![sample::troubled()]),
        ("several", vec![sample::shop(), sample::unread(), sample::fresh()]),
    ] {
        let scene = scene(ways);
        for size in [SMALL, LARGE] {
            let mut panel = panel(&scene);
            let text = shown(&mut panel, &scene, size);
            insta::assert_snapshot!(format!("delivery-{name}-{}x{}", size.0, size.1), text);
        }
    }
}

#[test]
fn every_lane_whole() {
    let scene = scene(vec![sample::troubled()]);
    let mut panel = panel(&scene);
    go(&mut panel, &scene, &[Action::ListMoveLeft, Action::ListMoveLeft]);
    for lane in ["commits", "build", "testing", "staging", "production"] {
        let text = shown(&mut panel, &scene, LARGE);
        let whole: Vec<&str> = text.lines().skip_while(|line| !line.starts_with('─')).map(str::trim_end).collect();
        insta::assert_snapshot!(format!("delivery-lane-{lane}"), whole.join("\n").trim_end());
        panel.act(Action::ListMoveRight, &scene.view());
    }
}

#[test]
fn a_plain_terminal_shows_the_same() {
    let scene = scene(vec![sample::troubled()]).in_theme("mono");
    insta::assert_snapshot!("delivery-mono", shown(&mut panel(&scene), &scene, SMALL));
}

#[test]
fn states_that_pass() {
    let mut way = sample::shop();
    let state = |way: &mut lanes::Way, tries| way.stops[2].tries = tries;
    let mut lane = |change: &dyn Fn(&mut lanes::Way)| {
        change(&mut way);
        let scene = scene(vec![way.clone()]);
        let mut panel = panel(&scene);
        go(&mut panel, &scene, &[Action::ListMoveLast, Action::ListMoveRight, Action::ListMoveRight]);
        let text = shown(&mut panel, &scene, LARGE);
        text.lines().take(8).map(|line| line.chars().skip(124).collect::<String>()).collect::<Vec<_>>().join("|")
    };
    let approved = lanes::Try { approved_by: vec!["bo".into(), "li".into()], ..sample::waiting(44) };
    let asks = lanes::Try { asks: Some("go on with all of it?".into()), ..sample::attempt(44, State::Running, None) };
    let rejected = lanes::Try { started: None, ..sample::attempt(44, State::Unwound, Some("rejected by bo: not today")) };
    for (tries, expected) in [
        (vec![sample::waiting(44)], "44 waits for a yes"),
        (vec![approved], "44 approved, not begun"),
        (vec![asks], "44 asks for a yes"),
        (vec![sample::attempt(44, State::Running, None)], "44 under way 7m"),
        (vec![sample::attempt(44, State::Parked, None)], "44 parked 7m"),
        (vec![sample::attempt(44, State::Failed, None)], "44 failed 5m"),
        (vec![sample::attempt(44, State::Unwound, None)], "44 taken back 5m"),
        (vec![rejected], "44 rejected 5m"),
    ] {
        let text = lane(&|way| state(way, tries.clone()));
        assert!(text.contains(expected), "{text}");
    }
    for (way_back, expected) in [
        (lanes::WayBack::Unknown, "⟲ being read"),
        (lanes::WayBack::Nowhere, "⟲ nothing to go back to"),
        (lanes::WayBack::Fault { why: "x".into(), at: Scene::drawn().now }, "⟲ unknown"),
    ] {
        let text = lane(&|way| {
            state(way, Vec::new());
            way.stops[2].way_back = way_back.clone();
        });
        assert!(text.contains(expected), "{text}");
    }
    for (speed, estimate, expected) in [
        (crate::delivery::plan::Speed::Flip, Estimate::Moment, "⟲ flip < 1 s"),
        (crate::delivery::plan::Speed::Start, Estimate::AsBefore(std::time::Duration::from_secs(6)), "⟲ start 6 s"),
        (crate::delivery::plan::Speed::Pull, Estimate::AtMost(std::time::Duration::from_secs(70)), "⟲ pull ≤ 1m 10s"),
        (crate::delivery::plan::Speed::Impossible("x".into()), Estimate::Unknown, "⟲ impossible"),
    ] {
        let text = lane(&|way| {
            let to = "1.0.1-19-04bd1c9+c1f09ab2".parse().unwrap();
            way.stops[2].way_back =
                lanes::WayBack::Ready { to, speed: speed.clone(), hosts: Default::default(), estimate, at: Scene::drawn().now };
        });
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn what_is_said_when_there_are_no_lanes() {
    let empty = scene(Vec::new());
    insta::assert_snapshot!("delivery-no-app", shown(&mut panel(&empty), &empty, SMALL));
    let mut unread = Scene::drawn();
    assert!(shown(&mut panel(&unread), &unread, SMALL).contains("the ledger is being read"));
    unread.board.learn(News::Lanes(lanes::News::Unread("the ledger is damaged: sqlite3 … \".recover\"".into())));
    assert!(shown(&mut panel(&unread), &unread, SMALL).contains("the ledger is damaged"));
    let simulated = Scene { simulated: true, ..Scene::drawn() };
    assert!(shown(&mut panel(&simulated), &simulated, SMALL).contains(lanes::SIMULATED));
    // It is not asked for what it cannot give.
    assert_eq!(panel(&simulated).watches(&simulated.view()), Watch::Nothing);
    assert_eq!(panel(&empty).watches(&empty.view()), Watch::Lanes);
    assert_eq!(panel(&empty).selection(&empty.view()), Selection::Nothing);
}

#[test]
fn the_cursor_holds_a_lane() {
    let mut scene = scene(vec![sample::shop(), sample::fresh()]);
    let mut panel = panel(&scene);
    let at = |panel: &Delivery, scene: &Scene| match panel.selection(&scene.view()) {
        Selection::Lane { app, environment } => format!("{app} {}", environment.map_or("-".into(), |name| name.to_string())),
        other => format!("{other:?}"),
    };
    assert_eq!(at(&panel, &scene), "shop testing");
    go(&mut panel, &scene, &[Action::ListMoveRight, Action::ListMoveRight]);
    assert_eq!(at(&panel, &scene), "shop production");
    go(&mut panel, &scene, &[Action::ListMoveDown]);
    assert_eq!(at(&panel, &scene), "billing production");
    go(&mut panel, &scene, &[Action::ListMoveRight, Action::ListMoveLeft, Action::ListMoveLeft, Action::ListMoveLeft]);
    assert_eq!(at(&panel, &scene), "billing -");
    go(&mut panel, &scene, &[Action::ListMoveUp, Action::ListMoveRight, Action::ListMoveRight]);
    // Another app came in before it.
    scene.board.learn(News::Lanes(lanes::News::Ways(vec![sample::unread(), sample::shop()])));
    assert_eq!(at(&panel, &scene), "shop testing");
    let filter = Some("app:shop env:testing".to_owned());
    assert_eq!(panel.act(Action::SelectionOpen, &scene.view()), Outcome::Go { panel: PanelId::History, filter });
    // A click goes to a lane.
    shown(&mut panel, &scene, LARGE);
    let (place, ..) = panel.placed.iter().find(|(_, app, lane)| app.as_str() == "shop" && *lane == Lane::Build).unwrap().clone();
    assert_eq!(panel.click(place.x + 1, place.y + 1, &scene.view()), Outcome::Done);
    assert_eq!(panel.lane, Some(Lane::Build));
    assert_eq!(panel.click(0, 45, &scene.view()), Outcome::Ignored);
}

#[test]
fn more_lanes_than_there_is_room_for_leave_a_sign() {
    let mut way = sample::shop();
    way.stops.extend([sample::stop("europe", Some("production")), sample::stop("america", Some("production"))]);
    let scene = scene(vec![way]);
    let mut panel = panel(&scene);
    let text = shown(&mut panel, &scene, SMALL);
    assert!(text.lines().next().unwrap().ends_with('›'), "{text}");
    go(&mut panel, &scene, &[Action::ListMoveRight; 4]);
    let text = shown(&mut panel, &scene, SMALL);
    assert!(text.starts_with('‹') && text.lines().next().unwrap().contains("AMERICA"), "{text}");
}

#[test]
fn the_odd_host_is_named_but_not_while_it_changes() {
    let scene = scene(vec![sample::shop()]);
    let words = |way: &lanes::Way| -> Vec<String> {
        way.stops.iter().flat_map(|stop| drift::odd(&way.app, stop, &scene.fleet)).map(|odd| odd.words()).collect()
    };
    assert_eq!(words(&sample::shop()), ["app-07 runs api 1.0.1-19-04bd1c9"]);
    let mut way = sample::shop();
    way.stops[2].expected[1].hosts.push("app-01".into());
    assert_eq!(words(&way), ["app-01 runs no web", "app-07 runs api 1.0.1-19-04bd1c9"]);
    // A host that nobody hears tells nothing.
    way.stops[2].expected[1].hosts.push("app-99".into());
    assert_eq!(words(&way).len(), 2);
    // Without a digest the version decides.
    way.stops[2].expected[1].digest = None;
    way.stops[2].expected[1].version = Some("1.0.1-24-a91c2f3".into());
    assert_eq!(words(&way).len(), 6);
    way.stops[2].tries = vec![sample::attempt(45, State::Running, None)];
    assert_eq!(words(&way), [] as [&str; 0]);
}

#[test]
fn no_size_is_too_small() {
    let scene = scene(vec![sample::troubled(), sample::unread(), sample::fresh()]);
    let mut panel = panel(&scene);
    for width in 1..60 {
        for height in 0..16 {
            shown(&mut panel, &scene, (width, height));
        }
    }
    for size in [SMALL, LARGE] {
        shown(&mut panel, &scene, size);
    }
}
