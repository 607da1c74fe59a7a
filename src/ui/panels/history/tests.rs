//! The panel in every state, and what its keys ask for.

use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    board::{
        News,
        past::{self, Listed, fixture as past_of},
    },
    delivery::release::label,
    fleet::{Delta, fixture},
    ui::{
        fixture::{Scene, text},
        screen::{Request, Screen},
    },
};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

fn learn(scene: &mut Scene, news: past::News) {
    scene.board.learn(News::Past(news));
}

/// A scene that was told deployments, and the failed one in full.
fn told() -> Scene {
    let mut scene = Scene::drawn();
    learn(&mut scene, past::News::Deployments { filter: Filter::default(), rows: past_of::deployments(), more: false });
    learn(&mut scene, past::News::Account(Box::new(past_of::account())));
    scene
}

/// The shop's web on two hosts carries the labels of this release.
fn labelled(scene: &mut Scene, release: &str) {
    for host in ["app-04", "app-05"] {
        let mut made = fixture::container(host, &format!("shop-web-{host}"), "registry.internal:5000/shop/web:1");
        made.labels = fixture::labels(&[
            (label::APP, "shop"),
            (label::SERVICE, "web"),
            (label::ENVIRONMENT, "production"),
            (label::RELEASE, release),
        ]);
        scene.apply([Delta::List { host: host.into(), containers: vec![made], asked: fixture::now(), at: fixture::now() }]);
    }
}

fn painted(screen: &mut Screen, scene: &Scene, size: (u16, u16)) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    screen.render(&mut buffer, area, &scene.view());
    text(&buffer)
}

fn opened(scene: &Scene, actions: &[Action]) -> Screen {
    let mut screen = Screen::default();
    screen.refresh(Refresh::All, &scene.view());
    for action in [Action::PanelHistory].iter().chain(actions) {
        screen.act(*action, &scene.view());
    }
    screen
}

fn snapshot(name: &str, scene: &Scene, screen: impl Fn() -> Screen) {
    for size in SIZES {
        insta::assert_snapshot!(format!("history-{name}-{}x{}", size.0, size.1), painted(&mut screen(), scene, size));
    }
}

fn type_text(screen: &mut Screen, typed: &str, scene: &Scene) {
    screen.paste(typed, &scene.view());
}

#[test]
fn nothing_was_deployed() {
    let mut scene = Scene::drawn();
    snapshot("unread", &scene, || opened(&scene, &[]));
    learn(&mut scene, past::News::Deployments { filter: Filter::default(), rows: Vec::new(), more: false });
    snapshot("empty", &scene, || opened(&scene, &[]));
    learn(&mut scene, past::News::Unreadable("/var/lib/quarterdeck/ledger.db is locked by another process: try again".to_owned()));
    snapshot("fault", &scene, || opened(&scene, &[]));
    // What was told before stays, and says that it is old.
    let mut scene = told();
    learn(&mut scene, past::News::Unreadable("the disk is full".to_owned()));
    let text = painted(&mut opened(&scene, &[]), &scene, (80, 24));
    assert!(text.contains("44-t8v9") && text.contains("~ as it was: the ledger cannot be read"), "{text}");
}

#[test]
fn deployments_of_every_outcome() {
    let scene = told();
    snapshot("many", &scene, || opened(&scene, &[]));
    snapshot("failed", &scene, || opened(&scene, &[Action::ListMoveDown; 3]));
    let mono = told().in_theme("mono");
    snapshot("mono", &mono, || opened(&mono, &[Action::ListMoveDown; 3]));
}

#[test]
fn releases() {
    let mut scene = told();
    learn(&mut scene, past::News::Releases { filter: Filter::default(), rows: past_of::releases() });
    snapshot("releases", &scene, || opened(&scene, &[Action::HistoryTurn, Action::ListMoveDown]));
}

#[test]
fn a_moment_beside_now() {
    let mut scene = told();
    labelled(&mut scene, past_of::NEW);
    let moment = past_of::moment();
    let at = moment.at;
    learn(&mut scene, past::News::Moment { filter: Filter::default(), moment });
    let screen = || {
        let mut screen = opened(&scene, &[Action::HistoryPickTime]);
        type_text(&mut screen, &at.to_rfc3339(), &scene);
        screen.act(Action::SelectionOpen, &scene.view());
        screen.act(Action::ListMoveDown, &scene.view());
        screen
    };
    snapshot("moment", &scene, screen);
    let mut screen = screen();
    assert_eq!(screen.watches(&scene.view()), Watch::Past(Wish::Moment { filter: Filter::default(), at }));
    // Out of the moment, then round by it again.
    screen.act(Action::LayerClose, &scene.view());
    assert!(matches!(screen.watches(&scene.view()), Watch::Past(Wish::Deployments { .. })));
    screen.act(Action::HistoryTurn, &scene.view());
    screen.act(Action::HistoryTurn, &scene.view());
    assert!(matches!(screen.watches(&scene.view()), Watch::Past(Wish::Moment { .. })));
}

#[test]
fn a_filter_is_the_panels_own_and_says_what_is_wrong() {
    let scene = told();
    let typing = |typed: &str| {
        let mut screen = opened(&scene, &[Action::FilterEdit]);
        type_text(&mut screen, typed, &scene);
        screen
    };
    snapshot("filter", &scene, || typing("app:shop en"));
    snapshot("filter-error", &scene, || typing("app:shop outcome:fialed"));
    // A filter that is wrong is not taken, and the line stays.
    let mut screen = typing("outcome:fialed");
    assert_eq!(screen.act(Action::SelectionOpen, &scene.view()), []);
    assert!(painted(&mut screen, &scene, (80, 24)).contains("did you mean failed"));
    screen.act(Action::LayerClose, &scene.view());
    let everything = Watch::Past(Wish::Deployments { filter: Filter::default(), limit: PAGE, open: Some("49-0a1b".parse().unwrap()) });
    assert_eq!(screen.watches(&scene.view()), everything);

    let mut screen = typing("app:blog outcome:parked");
    assert_eq!(screen.act(Action::SelectionOpen, &scene.view()), [], "the fleet's filter stays as it is");
    let Watch::Past(Wish::Deployments { filter, open: None, .. }) = screen.watches(&scene.view()) else { panic!("not watched") };
    assert_eq!(filter.text(), "app:blog outcome:parked");
    assert!(painted(&mut screen, &scene, (80, 24)).contains("reading the ledger"));
    // Esc takes the filter off.
    screen.act(Action::LayerClose, &scene.view());
    assert_eq!(screen.watches(&scene.view()), everything);
}

#[test]
fn nothing_matches() {
    let mut scene = told();
    let filter = Filter::parse("app:blog outcome:good").unwrap();
    scene.board.past.deployments = Some(Listed { filter, rows: Vec::new(), more: false });
    snapshot("nothing-matches", &scene, || {
        let mut screen = opened(&scene, &[Action::FilterEdit]);
        type_text(&mut screen, "app:blog outcome:good", &scene);
        screen.act(Action::SelectionOpen, &scene.view());
        screen
    });
}

#[test]
fn more_is_asked_for_at_the_end_and_the_cursor_stays_on_its_deployment() {
    let mut scene = Scene::drawn();
    let told = |rows: Vec<_>, more| past::News::Deployments { filter: Filter::default(), rows, more };
    learn(&mut scene, told(past_of::deployments(), true));
    let mut screen = opened(&scene, &[]);
    let limit = |screen: &Screen, scene: &Scene| match screen.watches(&scene.view()) {
        Watch::Past(Wish::Deployments { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(&screen, &scene), PAGE);
    screen.act(Action::ListMoveLast, &scene.view());
    assert_eq!(limit(&screen, &scene), 2 * PAGE);
    let held = screen.panel().selection(&scene.view());
    let mut rows = past_of::deployments();
    rows.insert(0, past_of::good("50-z9z9", 1, past_of::NEW, None));
    learn(&mut scene, told(rows, false));
    screen.refresh(Refresh::All, &scene.view());
    assert_eq!(screen.panel().selection(&scene.view()), held);
    assert_eq!(held, Selection::Deployment("39-y2z3".parse().unwrap()));
}

#[test]
fn enter_reads_the_whole_and_its_evidence() {
    let mut scene = told();
    let mut screen = opened(&scene, &[Action::ListMoveDown; 3]);
    assert_eq!(screen.act(Action::SelectionOpen, &scene.view()), []);
    painted(&mut screen, &scene, (80, 24));
    assert_eq!(screen.watches(&scene.view()), Watch::Past(Wish::Account("46-k3f9".parse().unwrap())));
    // The evidence is the first chapter; its first text comes two lines further.
    for action in [Action::PaneNext, Action::ListMoveDown, Action::ListMoveDown] {
        screen.act(action, &scene.view());
    }
    let asked = screen.act(Action::SelectionOpen, &scene.view());
    let place: std::sync::Arc<str> = "/var/lib/quarterdeck/bundles/46-k3f9/1".into();
    let name = "01-failure.txt".to_owned();
    let order = past::Order::Read { place: place.clone(), name: name.clone() };
    assert_eq!(asked, [Request::Deliver(crate::board::Order::Past(order))]);
    assert_eq!(screen.watches(&scene.view()), Watch::Past(Wish::Account("46-k3f9".parse().unwrap())));
    let lines = Ok(vec!["put shop 1.0.1-23-0badbad into production".to_owned(), "wait for web".to_owned(), "503".to_owned()]);
    learn(&mut scene, past::News::Text(Box::new(past::Text { place, name, lines })));
    assert!(painted(&mut screen, &scene, (80, 24)).contains("wait for web"));
    screen.act(Action::LayerClose, &scene.view());
    screen.act(Action::LayerClose, &scene.view());
    assert!(matches!(screen.watches(&scene.view()), Watch::Past(Wish::Deployments { .. })));
}

#[test]
fn no_size_is_too_small() {
    let scene = told();
    for width in 20..60 {
        for height in 6..14 {
            painted(&mut opened(&scene, &[Action::ListMoveLast]), &scene, (width, height));
            painted(&mut opened(&scene, &[Action::SelectionOpen]), &scene, (width, height));
            painted(&mut opened(&scene, &[Action::ChangesShow]), &scene, (width, height));
            painted(&mut opened(&scene, &[Action::FilterEdit]), &scene, (width, height));
        }
    }
}
