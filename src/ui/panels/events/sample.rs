//! Events for tests.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::fleet::{ContainerId, EngineEvent, EventKind, fixture};

/// An event `seconds` before the fixture's now, about the object that the fixture calls `name` on `host`.
pub fn event(seconds: i64, host: &str, kind: EventKind, action: &str, name: &str) -> EngineEvent {
    let id = match kind {
        EventKind::Container => fixture::hex(&format!("{host}/{name}")),
        EventKind::Link => String::new(),
        EventKind::Image | EventKind::Network | EventKind::Volume | EventKind::Daemon | EventKind::Other => name.to_owned(),
    };
    EngineEvent {
        at: fixture::now() - TimeDelta::seconds(seconds),
        host: host.into(),
        kind,
        action: action.into(),
        id: ContainerId::new(id),
        name: if kind == EventKind::Link { "".into() } else { name.into() },
        image: (kind == EventKind::Container).then(|| "registry.internal:5000/shop/api:1.0.1-22-7e56158".into()),
        exit_code: None,
        signal: None,
        old_name: None,
        labels: Arc::default(),
    }
}
