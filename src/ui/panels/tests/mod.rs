//! The panels as they are seen, and as they behave under keys and changes.

mod behaviour;
mod screens;

use chrono::TimeDelta;

use crate::{
    fleet::{Delta, Fleet, HostId, LinkCause, LinkState, fixture},
    text::clean_line,
    ui::fixture::Scene,
};

/// app-05 lost for 72 s, app-07 silent for 4 s, app-03 refused.
fn troubles() -> Vec<Delta> {
    let now = fixture::now();
    let ago = |seconds| now - TimeDelta::seconds(seconds);
    let lost = LinkState::Retrying {
        since: ago(72),
        cause: LinkCause::Unreachable,
        error: "connection timed out".into(),
        next: now + TimeDelta::milliseconds(6_400),
    };
    let refused = LinkState::Refused {
        since: ago(300),
        cause: LinkCause::Permission,
        error: "permission denied on /var/run/docker.sock: add user ops to the group docker there, then log in again".into(),
        next: now + TimeDelta::seconds(250),
    };
    let link = |host: &str, link| Delta::Link { host: HostId::new(host), link, at: now };
    vec![link("app-05", lost), link("app-07", LinkState::Stale { since: ago(4) }), link("app-03", refused)]
}

fn with_troubles() -> Scene {
    let mut scene = Scene::drawn();
    scene.apply(troubles());
    scene
}

/// Every text a stranger may choose, as hostile as it gets, cleaned as at the border.
fn hostile() -> Scene {
    let evil = clean_line("\u{1b}[31mred\u{1b}[2J\u{202e}gnp.exe 日本語日本語 e\u{301}👩‍👩‍👧");
    let long = "x".repeat(300);
    let mut fleet = Fleet::new(vec![fixture::spec("app-01", None), fixture::spec(&"long-host-name-".repeat(5), Some(&evil))], Vec::new());
    let live = LinkState::Live { since: fixture::now() };
    for host in fleet.hosts().map(|host| host.spec.id.clone()).collect::<Vec<_>>() {
        fleet.apply(Delta::Link { host: host.clone(), link: live.clone(), at: fixture::now() });
        let mut named = fixture::container(host.as_str(), &evil, "registry.internal:5000/a/b:latest");
        named.labels = fixture::labels(&[("com.docker.compose.project", &evil), ("com.docker.compose.service", &long), (&long, &evil)]);
        named.command = long.as_str().into();
        let lengthy = fixture::container(host.as_str(), &long, &format!("{long}:{long}"));
        let containers = vec![named, lengthy];
        fleet.apply(Delta::List { host, containers, asked: fixture::now(), at: fixture::now() });
    }
    Scene::of(fleet)
}

fn connecting() -> Scene {
    Scene::of(Fleet::new(fixture::specs(), Vec::new()))
}
