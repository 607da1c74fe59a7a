use std::sync::Arc;

use super::*;
use crate::{
    stock::{Image, Network, Reading, User, Volume},
    ui::{
        fixture::{Scene, text},
        screen::Screen,
    },
};

fn image(id: &str, names: &[&str], size: u64, users: &[&str]) -> Image {
    let users = users.iter().map(|name| User { id: "c1".into(), name: (*name).into(), running: true }).collect();
    let names = names.iter().map(|name| Arc::from(*name)).collect();
    Image { id: id.into(), names, size, shared: Some(1 << 20), created: None, users }
}

/// Two hosts told, one of which could not count.
fn scene() -> Scene {
    let mut scene = Scene::drawn();
    let at = scene.now;
    let stock = Shelf {
        images: vec![
            image("sha256:aa11", &["shop/web:1.0.1-22-7e56158", "shop/web:latest"], 90 << 20, &["web-1"]),
            image("sha256:bb22", &[], 40 << 20, &[]),
        ],
        volumes: vec![Volume {
            name: "shop-data".into(),
            driver: "local".into(),
            size: Some(5 << 20),
            created: None,
            anonymous: false,
            users: vec![],
        }],
        networks: vec![Network {
            id: "n1".into(),
            name: "old".into(),
            driver: "bridge".into(),
            scope: "local".into(),
            subnets: vec!["172.18.0.0/16".into()],
            created: None,
            own: false,
            users: vec![],
        }],
        layers: 130 << 20,
        build_cache: 0,
    };
    scene.stocks.insert("app-04".into(), Reading { at, result: Ok(Box::new(stock)) });
    scene.stocks.insert("app-05".into(), Reading { at, result: Err("its disks are slow".to_owned()) });
    scene
}

fn panel(scene: &Scene) -> Stock {
    let mut panel = Stock::default();
    panel.enter(&scene.view());
    panel
}

fn painted(scene: &Scene, turns: usize) -> String {
    let view = scene.view();
    let mut screen = Screen::default();
    screen.refresh(Refresh::All, &view);
    screen.act(Action::PanelStock, &view);
    for _ in 0..turns {
        screen.act(Action::StockTurn, &view);
    }
    let area = Rect::new(0, 0, 100, 16);
    let mut buffer = Buffer::empty(area);
    screen.render(&mut buffer, area, &view);
    text(&buffer)
}

#[test]
fn screens() {
    let scene = scene();
    for (turns, name) in ["images", "volumes", "networks"].into_iter().enumerate() {
        insta::assert_snapshot!(format!("stock-{name}"), painted(&scene, turns));
    }
}

#[test]
fn what_is_asked_for_is_what_the_cursor_is_on_or_all_that_is_spare() {
    let scene = scene();
    let mut panel = panel(&scene);
    let key = |kind, id: &str| StockKey { host: "app-04".into(), kind, id: id.into() };
    assert_eq!(panel.act(Action::StockRemove, &scene.view()), Outcome::Discard(vec![key(Kind::Image, "sha256:aa11")]));
    let spare = vec![key(Kind::Image, "sha256:bb22"), key(Kind::Network, "n1")];
    assert_eq!(panel.act(Action::StockPrune, &scene.view()), Outcome::Discard(spare));
    panel.act(Action::StockTurn, &scene.view());
    assert_eq!(panel.act(Action::StockRemove, &scene.view()), Outcome::Discard(vec![key(Kind::Volume, "shop-data")]));
}

#[test]
fn a_filter_that_leaves_a_host_out_leaves_its_spares_out() {
    let mut scene = scene();
    scene.filter.set("host:app-05");
    let mut panel = panel(&scene);
    assert_eq!(panel.act(Action::StockPrune, &scene.view()), Outcome::Say("nothing lies about unused".to_owned()));
    assert_eq!(panel.act(Action::StockRemove, &scene.view()), Outcome::Ignored, "nothing is under the cursor");
}
