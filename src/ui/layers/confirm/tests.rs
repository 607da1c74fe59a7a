use crossterm::event::KeyModifiers;

use super::*;
use crate::{
    fleet::{Delta, LinkCause, LinkState, Selector, fixture},
    ui::fixture::{Scene, text},
};

fn keys(scene: &Scene, terms: &str) -> Vec<ContainerKey> {
    let filter = Selector::parse(terms).unwrap();
    let chosen = scene.fleet.containers().filter(|one| filter.matches(one, scene.fleet.host(&one.key.host).unwrap()));
    chosen.map(|container| container.key.clone()).collect()
}

fn open(scene: &Scene, act: Act, terms: &str) -> Confirm {
    Confirm::open(act, keys(scene, terms), &scene.view())
}

fn stop() -> Act {
    Act::Stop { grace: None }
}

fn type_text(confirm: &mut Confirm, scene: &Scene, text: &str) -> LayerOutcome {
    let mut last = LayerOutcome::Stay;
    for c in text.chars() {
        last = confirm.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view());
    }
    last
}

fn lose(scene: &mut Scene, host: &str) {
    let at = fixture::now();
    let link = LinkState::Retrying { since: at, cause: LinkCause::Unreachable, error: "connection timed out".into(), next: at };
    scene.apply([Delta::Link { host: host.into(), link, at }]);
}

fn shown(confirm: &mut Confirm, scene: &Scene, size: (u16, u16)) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    confirm.render(&mut buffer, area, &scene.view());
    text(&buffer)
}

#[test]
fn a_yes_is_y_and_nothing_else() {
    let scene = Scene::drawn();
    let mut confirm = open(&scene, stop(), "service:web env:staging");
    assert_eq!(confirm.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay, "enter may be the key that opened it");
    assert_eq!(type_text(&mut confirm, &scene, "x"), LayerOutcome::Stay);
    let LayerOutcome::Finish(Request::Act(plan)) = type_text(&mut confirm, &scene, "y") else { panic!("y is a yes") };
    assert_eq!(plan.affected(), 2);
    assert_eq!(open(&scene, stop(), "service:web env:staging").act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
    assert_eq!(type_text(&mut open(&scene, stop(), "service:web env:staging"), &scene, "n"), LayerOutcome::Close);
}

#[test]
fn in_production_the_name_is_typed_and_not_pasted() {
    let scene = Scene::drawn();
    let mut confirm = open(&scene, stop(), "service:web env:production");
    assert_eq!(type_text(&mut confirm, &scene, "y"), LayerOutcome::Stay);
    assert_eq!(confirm.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay, "y is not the name");
    confirm.type_key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE), &scene.view());
    assert_eq!(confirm.paste("web", &scene.view()), LayerOutcome::Stay);
    assert_eq!(confirm.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay, "nothing was typed");
    type_text(&mut confirm, &scene, "web");
    assert!(matches!(confirm.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Finish(Request::Act(_))));
}

#[test]
fn what_changed_since_it_was_shown_is_shown_again_first() {
    let mut scene = Scene::drawn();
    let mut confirm = open(&scene, stop(), "service:web env:staging");
    lose(&mut scene, "stage-02");
    assert_eq!(type_text(&mut confirm, &scene, "y"), LayerOutcome::Stay);
    assert!(shown(&mut confirm, &scene, (100, 20)).contains("it has changed meanwhile: nothing was done, look again"));
    let LayerOutcome::Finish(Request::Act(plan)) = type_text(&mut confirm, &scene, "y") else { panic!("it was shown again") };
    assert_eq!(plan.affected(), 1);
}

#[test]
fn a_long_plan_scrolls_to_its_end() {
    let scene = Scene::drawn();
    let mut confirm = open(&scene, stop(), "env:production");
    let first = shown(&mut confirm, &scene, (80, 24));
    assert!(first.contains("lines more below"), "{first}");
    confirm.act(Action::ListMoveLast, &scene.view());
    let last = shown(&mut confirm, &scene, (80, 24));
    assert!(last.contains("undo: start takes it back") && !last.contains("lines more below"), "{last}");
    confirm.act(Action::ListMoveFirst, &scene.view());
    assert_eq!(shown(&mut confirm, &scene, (80, 24)), first);
}

#[test]
fn rights_refuse_with_their_reason() {
    let scene = Scene { rights: crate::rights::Rights::view("read-only is set by a test"), ..Scene::drawn() };
    assert_eq!(open(&scene, stop(), "service:web").refusal(), Some("read-only is set by a test"));
}

#[test]
fn screens() {
    let mut drawn = Scene::drawn();
    lose(&mut drawn, "app-05");
    let plain = Scene::drawn().in_theme("mono");
    let remove = Act::Remove { force: true, volumes: true };
    for (name, act, terms) in [("stop", stop(), "service:web env:production"), ("remove", remove, "host:test-01 service:web")] {
        for (theme, scene) in [("harbor", &drawn), ("mono", &plain)] {
            for size in [(80, 24), (160, 50)] {
                let mut confirm = open(scene, act.clone(), terms);
                insta::assert_snapshot!(format!("confirm-{name}-{theme}-{}x{}", size.0, size.1), shown(&mut confirm, scene, size));
            }
        }
    }
}

#[test]
fn no_size_is_too_small() {
    let scene = Scene::drawn();
    let mut confirm = open(&scene, stop(), "env:production");
    for width in 1..40 {
        for height in 1..12 {
            shown(&mut confirm, &scene, (width, height));
        }
    }
}
