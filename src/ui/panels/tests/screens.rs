//! Snapshots of whole screens at three sizes, and which roles colour what.

use ratatui::{buffer::Buffer, layout::Rect, style::Color};

use super::{connecting, hostile, with_troubles};
use crate::{
    action::Action,
    fleet::{Delta, fixture},
    rights::Rights,
    ui::{
        fixture::{Scene, text},
        panel::{PanelId, Refresh},
        screen::{Request, Screen},
        theme::Role,
    },
};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];
const PANELS: [PanelId; 3] = [PanelId::Versions, PanelId::Containers, PanelId::Hosts];

/// The screen with `panel` in front after these actions.
fn paint(scene: &mut Scene, panel: PanelId, actions: &[Action], size: (u16, u16)) -> Buffer {
    let mut screen = Screen::default();
    screen.refresh(Refresh::All, &scene.view());
    scene.marks.clear();
    for action in [panel.action()].iter().chain(actions) {
        for request in screen.act(*action, &scene.view()) {
            if let Request::Mark(keys) = request {
                scene.marks.extend(keys);
            }
        }
    }
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    screen.render(&mut buffer, area, &scene.view());
    buffer
}

fn sizes(scene: &mut Scene, panel: PanelId, actions: &[Action]) -> String {
    let each = SIZES.map(|size| format!("{}x{}\n{}", size.0, size.1, text(&paint(scene, panel, actions, size))));
    each.join("\n\n")
}

fn snapshots(name: &str, mut scene: Scene) {
    for panel in PANELS {
        insta::assert_snapshot!(format!("{}-{name}", panel.title().to_lowercase()), sizes(&mut scene, panel, &[]));
    }
}

#[test]
fn the_drawn_fleet() {
    snapshots("drawn", Scene::drawn());
}

#[test]
fn filtered() {
    snapshots("filtered", Scene::drawn().filtered("env:production"));
}

#[test]
fn nothing_matches() {
    snapshots("nothing", Scene::drawn().filtered("host:nowhere"));
}

#[test]
fn hosts_lost_stale_and_refused() {
    snapshots("lost", with_troubles());
}

#[test]
fn nothing_known_yet() {
    snapshots("connecting", connecting());
}

#[test]
fn hostile_texts() {
    snapshots("hostile", hostile());
}

#[test]
fn plain_terminals() {
    snapshots("mono", with_troubles().in_theme("mono"));
}

#[test]
fn groups_and_marks() {
    use Action::{ContainersGroup, GroupFold, ListMoveDown, RowMark};
    let actions = [ContainersGroup, ContainersGroup, GroupFold, ListMoveDown, ListMoveDown, RowMark, RowMark];
    insta::assert_snapshot!("containers-groups", sizes(&mut with_troubles(), PanelId::Containers, &actions));
}

#[test]
fn the_header_says_what_this_console_is() {
    let mut scene = with_troubles();
    (scene.rights, scene.simulated) = (Rights::view("--read-only"), true);
    let head = SIZES.map(|size| text(&paint(&mut scene, PanelId::Versions, &[], size)).lines().next().unwrap_or_default().to_owned());
    insta::assert_snapshot!("header-read-only-simulated", head.join("\n"));
}

/// The colours of a text's first place on the screen.
fn colour_of(buffer: &Buffer, wanted: &str, below: u16) -> Option<Color> {
    let area = buffer.area;
    for y in below..area.bottom() {
        let cells: Vec<&str> = (area.left()..area.right()).map(|x| buffer[(x, y)].symbol()).collect();
        for x in 0..cells.len() {
            if cells[x..].concat().starts_with(wanted) {
                return Some(buffer[(u16::try_from(x).unwrap(), y)].fg);
            }
        }
    }
    None
}

#[test]
fn colour_means_look_here() {
    let mut scene = Scene::drawn();
    let theme = scene.theme.clone();
    let fg = |role| theme.style(role).fg;
    let screen = paint(&mut scene, PanelId::Containers, &[Action::ListMoveDown], (120, 40));
    assert_eq!(colour_of(&screen, "unhealthy", 4), fg(Role::StateBad));
    assert_eq!(colour_of(&screen, "●", 4), fg(Role::StateBad));
    assert_eq!(colour_of(&screen, "1.0.1-19-04bd1c9", 4), fg(Role::StateAttention));
    assert_eq!(colour_of(&screen, "1.0.1-22-7e56158", 4), fg(Role::Text));

    let mut scene = with_troubles();
    let screen = paint(&mut scene, PanelId::Hosts, &[], (120, 40));
    assert_eq!(colour_of(&screen, "refused: permission", 4), fg(Role::StateBad));
    assert_eq!(colour_of(&screen, "lost", 4), fg(Role::StateBad));
    assert_eq!(colour_of(&screen, "no answer since", 4), fg(Role::StateAttention));
    assert_eq!(colour_of(&screen, "live · 3 ms", 4), fg(Role::Text));
    let screen = paint(&mut scene, PanelId::Containers, &[Action::ContainersSortByHost], (200, 50));
    assert_eq!(colour_of(&screen, "app-05", 4), fg(Role::StateStale));
    assert_eq!(colour_of(&screen, "as of", 4), fg(Role::StateStale));
}

#[test]
fn a_healthy_fleet_is_almost_monochrome() {
    let well = fixture::deltas().into_iter().filter(|delta| match delta {
        Delta::Event { .. } => false,
        Delta::Inspected { host, .. } | Delta::List { host, .. } | Delta::Link { host, .. } | Delta::Images { host, .. } => {
            !matches!(host.as_str(), "app-02" | "app-03" | "app-07")
        }
        Delta::Engine { .. } | Delta::Gone { .. } | Delta::Heard { .. } | Delta::Cost { .. } => true,
    });
    let specs = fixture::specs().into_iter().filter(|spec| !matches!(spec.id.as_str(), "app-02" | "app-03" | "app-07")).collect();
    let mut scene = Scene::of(crate::fleet::Fleet::new(specs, Vec::new()));
    scene.apply(well);
    let loud = [Role::StateBad, Role::StateAttention, Role::StateProgress].map(|role| scene.theme.style(role).fg);
    for panel in PANELS {
        let screen = paint(&mut scene, panel, &[], (120, 40));
        for y in 4..39 {
            for x in 0..120 {
                let cell = &screen[(x, y)];
                // The accent is where the cursor is; in this theme progress has the same colour.
                let accent = scene.theme.style(Role::Accent).fg == Some(cell.fg);
                assert!(
                    cell.symbol() == " " || accent || !loud.contains(&Some(cell.fg)),
                    "{} at {x},{y}: {}",
                    panel.title(),
                    cell.symbol()
                );
            }
        }
    }
}

#[test]
fn no_size_is_too_small() {
    let mut scenes = [with_troubles(), hostile(), connecting()];
    for scene in &mut scenes {
        for panel in PANELS {
            for (width, height) in [(1, 1), (20, 6), (21, 7), (30, 9), (40, 12), (79, 16), (120, 6), (121, 7)] {
                paint(scene, panel, &[Action::ContainersGroup], (width, height));
            }
        }
    }
}
