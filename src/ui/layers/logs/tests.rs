use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::{
    action::Action,
    logs::{ExportForm, LogWish, Span, Stamp},
    ui::{fixture::Scene, layers::LayerOutcome, panels::log_sample, screen::Request},
};

fn scene() -> Scene {
    Scene { logs: Some(log_sample::full()), ..Scene::drawn() }
}

fn type_in(layer: &mut dyn Layer, text: &str, scene: &Scene) -> LayerOutcome {
    let mut last = LayerOutcome::Stay;
    for c in text.chars() {
        last = layer.type_key(crossterm::event::KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view());
    }
    last
}

fn asked(wish: LogWish) -> LayerOutcome {
    LayerOutcome::Ask(Request::Logs(wish))
}

fn finished(wish: LogWish) -> LayerOutcome {
    LayerOutcome::Finish(Request::Logs(wish))
}

#[test]
fn a_search_is_tried_while_it_is_typed_and_esc_brings_the_old_one_back() {
    let mut scene = scene();
    scene.logs.as_mut().unwrap().shelf_mut().seek("old").unwrap();
    let mut line = PatternLine::search(scene.logs.as_ref().unwrap());
    assert_eq!(type_in(&mut line, "x", &scene), asked(LogWish::Search("oldx".to_owned())));
    assert_eq!(type_in(&mut line, "(", &scene), LayerOutcome::Stay, "no expression");
    assert_eq!(line.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
    assert_eq!(line.act(Action::LayerClose, &scene.view()), finished(LogWish::Search("old".to_owned())));
    assert_eq!(type_in(&mut line, "a)", &scene), asked(LogWish::Search("oldx(a)".to_owned())));
    assert_eq!(line.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Run(Action::LogsFindPrevious));
}

#[test]
fn filters_go_on_and_off() {
    let scene = scene();
    let tape = scene.logs.as_ref().unwrap();
    let mut line = PatternLine::filter(tape);
    let backspace = crossterm::event::KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE);
    assert_eq!(line.type_key(backspace, &scene.view()), asked(LogWish::PopFilter));
    type_in(&mut line, "order", &scene);
    line.type_key(backspace, &scene.view());
    assert_eq!(line.act(Action::SelectionOpen, &scene.view()), finished(LogWish::Include("orde".to_owned())));
    line.act(Action::PaneNext, &scene.view());
    assert_eq!(line.act(Action::SelectionOpen, &scene.view()), finished(LogWish::Exclude("orde".to_owned())));
    let mut hunt = PatternLine::hunt(tape);
    assert_eq!(hunt.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Close);
    type_in(&mut hunt, "timeout", &scene);
    assert_eq!(hunt.act(Action::SelectionOpen, &scene.view()), finished(LogWish::Hunt("timeout".to_owned())));
}

#[test]
fn a_time_is_jumped_to_where_it_is_held_and_read_where_it_is_not() {
    let scene = scene();
    let tape = scene.logs.as_ref().unwrap();
    let after = |keys: &[(&str, usize)]| {
        let mut form = SpanForm::open(tape);
        for (text, downs) in keys {
            for _ in 0..*downs {
                form.act(Action::ListMoveDown, &scene.view());
            }
            type_in(&mut form, text, &scene);
        }
        form.act(Action::SelectionOpen, &scene.view())
    };
    let ago = |seconds| Stamp::of(scene.now - chrono::TimeDelta::seconds(seconds));
    assert_eq!(after(&[]), LayerOutcome::Close);
    assert_eq!(after(&[("59s", 0)]), LayerOutcome::Jump(10));
    assert_eq!(after(&[("0s", 0)]), LayerOutcome::Stay, "nothing is there yet");
    assert_eq!(after(&[("10m", 0)]), finished(LogWish::Span(Span { since: Some(ago(600)), ..Span::default() })));
    assert_eq!(
        after(&[("1h", 1), ("10m", 1)]),
        finished(LogWish::Span(Span { since: Some(ago(3600)), until: Some(ago(600)), tail: None }))
    );
    assert_eq!(after(&[("10m", 1), ("1h", 1)]), LayerOutcome::Stay, "until is before since");
    assert_eq!(after(&[("5,000", 3)]), finished(LogWish::Span(Span { tail: Some(5000), ..Span::default() })));
    assert_eq!((after(&[("yesterday", 0)]), after(&[("0", 3)])), (LayerOutcome::Stay, LayerOutcome::Stay));
}

#[test]
fn an_export_has_three_ways() {
    let scene = scene();
    let tape = scene.logs.as_ref().unwrap();
    let after = |downs: usize| {
        let mut menu = ExportMenu::open(tape, "one\ntwo".to_owned());
        (0..downs).for_each(|_| assert_eq!(menu.act(Action::ListMoveDown, &scene.view()), LayerOutcome::Stay));
        menu.act(Action::SelectionOpen, &scene.view())
    };
    assert_eq!(after(0), finished(LogWish::Export(ExportForm::Text)));
    assert_eq!(after(1), finished(LogWish::Export(ExportForm::JsonLines)));
    assert_eq!(after(2), LayerOutcome::Finish(Request::Copy("one\ntwo".to_owned())));
    assert_eq!(after(3), after(0));
}

#[test]
fn a_line_is_shown_with_all_that_is_known_of_it() {
    let scene = scene();
    let tape = scene.logs.as_ref().unwrap();
    let line = |text: &str| {
        let found = tape.shelf().ring().range(0..u64::MAX).find_map(|(_, entry)| match entry {
            Entry::Line(line) if line.text.plain().contains(text) => Some(line),
            Entry::Line(_) | Entry::Marker(_) => None,
        });
        let line = found.unwrap();
        document(line, tape.source(line.source).unwrap())
    };
    let json = line("order 8125");
    assert_eq!(
        (json["fields"]["ms"].as_u64(), json["level"].as_str(), json["service"].as_str()),
        (Some(3000), Some("warn"), Some("shop/api"))
    );
    let plain = line("order 8124");
    assert_eq!((plain["fields"].is_null(), plain["stream"].as_str()), (true, Some("stderr")));
    assert!(!plain["text"].as_str().unwrap().contains('\u{1b}'));
    assert!(LogLayer::Line(u64::MAX).open(&scene.view()).is_none());
    assert!(LogLayer::Search.open(&Scene::drawn().view()).is_none());
}
