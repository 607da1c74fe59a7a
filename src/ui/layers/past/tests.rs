//! The layers in every state, as they are seen and as they are left.

use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    action::Action,
    board::{
        News, Watch,
        past::{Product, Text, Wish, fixture as past_of},
    },
    fleet::{AppName, Delta, EnvironmentId, HostId, LinkCause, LinkState, fixture},
    ui::{
        fixture::{Scene, text},
        layers::LayerOutcome,
    },
};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

fn learn(scene: &mut Scene, news: past::News) {
    scene.board.learn(News::Past(news));
}

fn shown(layer: &mut dyn Layer, scene: &Scene, size: (u16, u16)) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    layer.render(&mut buffer, Rect { y: 2, height: size.1 - 2, ..area }, &scene.view());
    text(&buffer)
}

/// In both sizes, after these actions; the first frame tells the layer how much it has room for.
fn snapshot(name: &str, scene: &Scene, layer: &PastLayer, actions: &[Action]) {
    for size in SIZES {
        let (mut layer, _) = layer.clone().open(&scene.view());
        shown(layer.as_mut(), scene, size);
        for action in actions {
            layer.act(*action, &scene.view());
        }
        insta::assert_snapshot!(format!("past-{name}-{}x{}", size.0, size.1), shown(layer.as_mut(), scene, size));
    }
}

fn near() -> Near {
    Near {
        title: "shop/web in production".to_owned(),
        product: Some(Product::App(AppName::new("shop"))),
        environment: Some(EnvironmentId::new("production")),
        host: None,
    }
}

/// A day near the shop: a change of each kind.
fn eventful() -> Scene {
    let mut scene = Scene::drawn();
    let word = |host: &str, name: &str, action: &str, seconds| past_of::event(host, name, action, seconds);
    let mut events = Vec::new();
    for (action, seconds) in [("kill", -540), ("die", -539), ("stop", -539), ("start", -538), ("restart", -538)] {
        events.push(word("app-05", "api-1", action, seconds));
    }
    for minute in [12, 11, 10] {
        let mut died = word("app-06", "api-1", "die", -minute * 60);
        died.exit_code = Some(1);
        events.extend([died, word("app-06", "api-1", "start", 3 - minute * 60)]);
    }
    events.push(word("app-04", "web-1", "oom", -180));
    events.push(word("app-04", "api-1", "health_status: unhealthy", -90));
    events.sort_by_key(|event| event.at);
    let now = fixture::now();
    scene.apply(events.into_iter().map(|event| Delta::Event { event, live: false, at: now }));
    let (lost, back) = (past_of::ago(100), past_of::ago(98));
    let error = "connection timed out".into();
    let link = |link, at| Delta::Link { host: HostId::new("app-06"), link, at };
    scene.apply([
        link(LinkState::Retrying { since: lost, cause: LinkCause::Unreachable, error, next: now }, lost),
        link(LinkState::Live { since: back }, back),
    ]);
    learn(&mut scene, past::News::Changes(Box::new(past_of::recorded(near()))));
    scene
}

#[test]
fn changes_of_each_kind() {
    let scene = eventful();
    snapshot("changes", &scene, &PastLayer::Changes(near()), &[Action::ListMoveDown; 4]);
    snapshot("changes-mono", &eventful().in_theme("mono"), &PastLayer::Changes(near()), &[]);
    snapshot("changes-farther", &scene, &PastLayer::Changes(near()), &[Action::ListMoveRight]);
}

#[test]
fn changes_where_nothing_is_known() {
    let mut scene = Scene::drawn();
    snapshot("changes-unread", &scene, &PastLayer::Changes(near()), &[]);
    learn(&mut scene, past::News::Unreadable("/var/lib/quarterdeck/ledger.db is locked by another process: try again".to_owned()));
    snapshot("changes-fault", &scene, &PastLayer::Changes(near()), &[]);
    learn(
        &mut scene,
        past::News::Changes(Box::new(past::Recorded {
            near: near(),
            since: past_of::ago(24 * 60),
            deployments: Vec::new(),
            acts: Vec::new(),
        })),
    );
    snapshot("changes-none", &scene, &PastLayer::Changes(near()), &[]);
}

#[test]
fn a_deployments_change_opens_it_and_more_is_asked_for() {
    let scene = eventful();
    let (mut layer, asked) = PastLayer::Changes(near()).open(&scene.view());
    assert_eq!(asked, None);
    let since = |layer: &dyn Layer| match layer.watches() {
        Some(Watch::Past(Wish::Changes { since, .. })) => since,
        other => panic!("{other:?}"),
    };
    assert_eq!(since(layer.as_ref()), past_of::ago(24 * 60));
    layer.act(Action::ListMoveRight, &scene.view());
    assert_eq!(since(layer.as_ref()), past_of::ago(72 * 60));
    layer.act(Action::ListMoveLeft, &scene.view());
    shown(layer.as_mut(), &scene, (80, 24));
    layer.act(Action::ListMoveLast, &scene.view());
    let id = "45-r6s7".parse().unwrap();
    assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Past(PastLayer::Account(id)));
    layer.act(Action::ListMoveFirst, &scene.view());
    assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
    assert_eq!(layer.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
}

#[test]
fn a_deployment_in_full() {
    let mut scene = Scene::drawn();
    let account = PastLayer::Account("46-k3f9".parse().unwrap());
    snapshot("account-unread", &scene, &account, &[]);
    learn(&mut scene, past::News::Account(Box::new(past_of::account())));
    snapshot("account", &scene, &account, &[]);
    snapshot("account-evidence", &scene, &account, &[Action::PaneNext, Action::ListMoveDown, Action::ListMoveDown]);
}

#[test]
fn a_text_of_the_evidence() {
    let mut scene = Scene::drawn();
    let (place, name): (std::sync::Arc<str>, _) = ("/var/lib/quarterdeck/bundles/46-k3f9/1".into(), "05-app-06-shop-web.log".to_owned());
    let mut lines: Vec<String> = (0..60).map(|number| format!("14:03:{:02} waiting for db … retry {number}", number % 60)).collect();
    lines[3] = format!("a long line without an end: {}", "abcdefghij".repeat(30));
    learn(&mut scene, past::News::Text(Box::new(Text { place: place.clone(), name: name.clone(), lines: Ok(lines) })));
    let text = PastLayer::Text { place, name };
    snapshot("text", &scene, &text, &[]);

    let (mut layer, asked) = text.open(&scene.view());
    assert!(asked.is_some());
    shown(layer.as_mut(), &scene, (80, 24));
    layer.act(Action::FilterEdit, &scene.view());
    for c in "retry 4".chars() {
        layer.type_key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(c)), &scene.view());
    }
    layer.act(Action::SelectionOpen, &scene.view());
    layer.act(Action::DetailFindNext, &scene.view());
    insta::assert_snapshot!("past-text-found", shown(layer.as_mut(), &scene, (80, 24)));
    assert_eq!(
        layer.act(Action::SelectionCopyName, &scene.view()),
        LayerOutcome::Ask(Request::Copy("14:03:40 waiting for db … retry 40".to_owned()))
    );
}

#[test]
fn moments_are_read_while_they_are_typed() {
    let scene = Scene::drawn();
    let line = |typed: &str| {
        let (mut layer, _) = PastLayer::Moment.open(&scene.view());
        layer.paste(typed, &scene.view());
        (shown(layer.as_mut(), &scene, (80, 24)), layer.act(Action::SelectionOpen, &scene.view()))
    };
    assert!(matches!(line("2h").1, LayerOutcome::PastChosen(PastChoice::Moment(at)) if at == past_of::ago(120)));
    let (text, outcome) = line("soon");
    assert!(text.contains("is no time: expected 10m") && outcome == LayerOutcome::Stay, "{text}");
    assert_eq!(line("").1, LayerOutcome::Close);
    let (text, outcome) = line("yesterday 03:12");
    assert!(text.contains("2026") && matches!(outcome, LayerOutcome::PastChosen(PastChoice::Moment(_))), "{text}");
}
