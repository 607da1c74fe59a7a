use chrono::TimeDelta;
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    alerts::{Check, Finding, Tail, TailLine, Usage},
    fleet::{Delta, HostId, LinkCause, LinkState, fixture},
    logs::{LogStream, Stamp},
    ui::{
        fixture::{Scene, text},
        screen::Screen,
    },
};

/// So many seconds ago by the engine's clock, each a moment after the one before by ours.
fn event(scene: &Scene, seconds: i64, host: &str, name: &str, action: &str, exit_code: Option<i64>) -> Delta {
    let (engine, ours) = (fixture::now() - TimeDelta::seconds(seconds), fixture::now() + TimeDelta::seconds(600 - seconds));
    scene.event((host, name), action, exit_code, (engine, ours))
}

/// A loop over three hosts, an unhealthy worker, a lost host, one near its limit, and the drift of the drawn fleet.
fn bad() -> Scene {
    let mut scene = Scene::drawn();
    for turn in 0..3 {
        for host in ["app-04", "app-05", "app-06"] {
            let seconds = 300 - turn * 60;
            let deltas = [event(&scene, seconds, host, "api-1", "die", Some(1)), event(&scene, seconds - 1, host, "api-1", "start", None)];
            scene.apply(deltas);
        }
    }
    let (since, next) = (scene.now - TimeDelta::seconds(72), scene.now + TimeDelta::seconds(7));
    let lost = LinkState::Retrying { since, cause: LinkCause::Unreachable, error: "connection timed out".into(), next };
    scene.apply([Delta::Link { host: "app-09".into(), link: lost, at: scene.now }]);
    let worker = scene.fleet.containers_on(&"app-01".into()).find(|container| &*container.name == "worker-2").unwrap().key.clone();
    scene.usage.insert(worker, Usage { memory: 61 << 20, memory_limit: Some(64 << 20) });
    scene
}

fn panel(scene: &Scene) -> Triage {
    let mut panel = Triage::default();
    panel.refresh(Refresh::All, &scene.view());
    panel
}

/// The whole screen with the panel in front, the cursor so many rows down.
fn painted(scene: &Scene, down: usize, size: (u16, u16)) -> String {
    let mut screen = Screen::default();
    let view = scene.view();
    screen.refresh(Refresh::All, &view);
    screen.act(Action::PanelTriage, &view);
    (0..down).for_each(|_| drop(screen.act(Action::ListMoveDown, &view)));
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    screen.render(&mut buffer, area, &view);
    text(&buffer)
}

fn each(name: &str, scene: &Scene, down: usize) {
    for (width, height) in [(80, 24), (160, 50)] {
        insta::assert_snapshot!(format!("triage-{name}-{width}x{height}"), painted(scene, down, (width, height)));
    }
}

fn line(seconds: i64, stream: LogStream, text: &str) -> TailLine {
    TailLine { at: Stamp::of(fixture::now() - TimeDelta::seconds(seconds)), stream, text: text.to_owned() }
}

#[test]
fn screens() {
    let mut scene = bad();
    each("lost", &scene, 0);
    each("asked", &scene, 1);
    let probes = |scene: &Scene, down: usize| {
        let mut panel = panel(scene);
        (0..down).for_each(|_| drop(panel.act(Action::ListMoveDown, &scene.view())));
        panel.probes(&scene.view())
    };
    for probe in probes(&scene, 1).into_iter().chain(probes(&scene, 2)) {
        let finding = match &probe {
            Probe::Health(_) => Finding::Health(Some(Check {
                at: Some(scene.now),
                exit_code: 1,
                output: "GET /healthz: 503 Service Unavailable".to_owned(),
                streak: 12,
            })),
            Probe::Tail { .. } => Finding::Tail(Tail {
                lines: vec![
                    line(181, LogStream::Out, "INFO  order 8123 accepted"),
                    line(180, LogStream::Err, "ERROR no route to db: giving up"),
                ],
                out_of_reach: false,
            }),
        };
        let now = scene.now;
        scene.evidence.learn(probe, finding, now);
    }
    each("looping", &scene, 1);
    each("unhealthy", &scene, 2);
    each("drift", &scene, 5);
}

#[test]
fn nothing_wrong_is_calm() {
    let well = ["app-02", "app-03", "app-07"];
    let specs = fixture::specs().into_iter().filter(|spec| !well.contains(&spec.id.as_str())).collect();
    let mut scene = Scene::of(crate::fleet::Fleet::new(specs, Vec::new()));
    insta::assert_snapshot!("triage-connecting", painted(&scene, 0, (80, 24)));
    scene.apply(fixture::deltas());
    insta::assert_snapshot!("triage-calm", painted(&scene, 0, (80, 24)));
}

#[test]
fn what_it_asks_about_and_where_it_leads() {
    let scene = bad();
    let view = scene.view();
    let mut panel = panel(&scene);
    assert_eq!(panel.selection(&view), Selection::Host(HostId::new("app-09")));
    assert_eq!(panel.probes(&view), [], "a lost host is not asked");
    let go = |panel: PanelId, filter: &str| Outcome::Go { panel, filter: Some(filter.to_owned()) };
    assert_eq!(panel.act(Action::SelectionOpen, &view), go(PanelId::Hosts, "host:app-09"));
    panel.act(Action::ListMoveDown, &view);
    assert!(matches!(panel.selection(&view), Selection::Service { column: Some(_), .. }), "three containers");
    assert_eq!(panel.act(Action::SelectionOpen, &view), go(PanelId::Containers, "app:shop service:api env:production"));
    let death = fixture::now() - TimeDelta::seconds(180);
    assert!(matches!(panel.probes(&view).as_slice(), [Probe::Tail { until: Some(until), .. }] if *until == death));
    panel.act(Action::ListMoveDown, &view);
    assert!(matches!(panel.selection(&view), Selection::Container(key) if key.host.as_str() == "app-03"), "one container");
    assert!(matches!(panel.probes(&view).as_slice(), [Probe::Health(_), Probe::Tail { until: None, .. }]));
}

#[test]
fn the_cursor_holds_its_cause_and_a_row_is_clicked() {
    let mut scene = bad();
    let mut panel = panel(&scene);
    panel.act(Action::ListMoveDown, &scene.view());
    panel.act(Action::ListMoveDown, &scene.view());
    let held = panel.alert().map(Alert::id);
    let live = Delta::Link { host: "app-09".into(), link: LinkState::Live { since: scene.now }, at: scene.now };
    let change = scene.apply([live]);
    panel.refresh(Refresh::Changed(&change), &scene.view());
    assert_eq!(panel.alert().map(Alert::id), held);
    let area = Rect::new(0, 0, 100, 30);
    panel.render(&mut Buffer::empty(area), area, &scene.view());
    assert_eq!(panel.click(5, 0, &scene.view()), Outcome::Done);
    assert_eq!(panel.alert().map(|alert| alert.rule), Some(Rule::CrashLooping));
    assert_eq!(panel.click(5, 25, &scene.view()), Outcome::Ignored, "the pane below is no row");
}

#[test]
fn no_size_is_too_small() {
    let scene = bad();
    let mut panel = panel(&scene);
    for width in 1..30 {
        for height in 1..16 {
            let area = Rect::new(0, 0, width, height);
            panel.render(&mut Buffer::empty(area), area, &scene.view());
        }
    }
}
