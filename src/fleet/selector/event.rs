//! What a selector means for an event: the one place, for the screen and for the command line.

use std::borrow::Cow;

use super::{Selector, matches};
use crate::fleet::{
    Fleet,
    container::{Container, ContainerState, Health, ImageRef},
    event::{EngineEvent, EventKind},
    identity::{Identity, IdentityOrigin},
    ids::{ContainerKey, ImageId, ServiceKey, ServiceName},
    version,
};

impl Selector {
    /// Whether it selects an event: by the container it is about, as that is now; where it is gone (or the event is about something
    /// else) by what the event itself says: host, name, image, labels, and the identity these tell. Bare words are searched in the
    /// event's kind and action too. Nothing is known of the state of what is gone: it counts as `dead`.
    pub fn matches_event(&self, event: &EngineEvent, fleet: &Fleet) -> bool {
        let Some(host) = fleet.host(&event.host) else { return false };
        let key = ContainerKey { host: event.host.clone(), id: event.id.clone() };
        let about = fleet.container(&key).map_or_else(|| Cow::Owned(told_by(event, key, fleet)), Cow::Borrowed);
        self.terms.iter().all(|term| {
            let holds = term.any.iter().any(|choice| {
                let bare =
                    term.field.is_none() && [&*event.action, event.kind.word()].into_iter().any(|text| choice.test.holds(Some(text)));
                bare || matches(term.field, &choice.test, &about, host)
            });
            holds != term.not
        })
    }
}

/// The container as far as its event tells it.
fn told_by(event: &EngineEvent, key: ContainerKey, fleet: &Fleet) -> Container {
    let named = if event.kind == EventKind::Image { Some(&*event.name) } else { event.image.as_deref() };
    let image = ImageRef::parse(named.unwrap_or_default());
    let id = ImageId::new("");
    let identity = fleet.identity_of(event).unwrap_or_else(|| Identity {
        service: ServiceKey { app: None, service: ServiceName::new("") },
        environment: fleet.host(&event.host).and_then(|host| host.spec.environment.clone()),
        origin: IdentityOrigin::Name,
    });
    Container {
        key,
        name: event.name.clone(),
        version: version::derive(&event.labels, &image, None, &id),
        image,
        image_id: id,
        digest: None,
        labels: event.labels.clone(),
        state: ContainerState::Dead,
        health: Health::None,
        exit_code: event.exit_code,
        oom_killed: None,
        created: event.at,
        started: None,
        finished: None,
        restarts: None,
        cpu_limit: None,
        ports: Vec::new(),
        command: "".into(),
        deaths: Vec::new(),
        stop_asked: None,
        seen: event.at,
        identity,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{fixture, ids::ContainerId};

    fn event(host: &str, kind: EventKind, action: &str, id: &str, name: &str) -> EngineEvent {
        EngineEvent {
            at: fixture::now(),
            host: host.into(),
            kind,
            action: action.into(),
            id: ContainerId::new(id),
            name: name.into(),
            image: None,
            exit_code: None,
            signal: None,
            old_name: None,
            labels: Arc::default(),
        }
    }

    #[test]
    fn by_the_container_else_by_its_own_words() {
        let fleet = fixture::fleet();
        let known = event("app-03", EventKind::Container, "die", &fixture::hex("app-03/worker-1"), "worker-1");
        let mut gone = event("app-04", EventKind::Container, "destroy", "0", "job");
        gone.labels = fixture::labels(&[("com.docker.compose.project", "shop"), ("com.docker.compose.service", "job")]);
        gone.image = Some("shop/job:1.2".into());
        let image = event("test-01", EventKind::Image, "pull", "shop/web:1", "shop/web");
        let link = event("app-05", EventKind::Link, "retrying: no route", "", "");
        let cases = [
            ("host:app-03", [true, false, false, false]),
            ("app:billing", [true, false, false, false]),
            ("app:shop", [false, true, false, false]),
            ("health:unhealthy", [true, false, false, false]),
            ("env:production", [true, true, false, true]),
            ("name:job", [false, true, false, false]),
            ("image:shop/*", [false, true, true, false]),
            ("version:1.2", [false, true, false, false]),
            ("retrying", [false, false, false, true]),
            ("!die", [false, true, true, true]),
            ("state:running", [true, false, false, false]),
        ];
        for (text, expected) in cases {
            let selector = Selector::parse(text).unwrap();
            let found = [&known, &gone, &image, &link].map(|event| selector.matches_event(event, &fleet));
            assert_eq!(found, expected, "{text}");
        }
        let stranger = event("nowhere", EventKind::Link, "live", "", "");
        assert!(!Selector::default().matches_event(&stranger, &fleet));
    }
}
