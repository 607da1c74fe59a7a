//! What really runs beside what is good: the odd hosts, by name. Pure.

use std::sync::Arc;

use crate::{
    board::lanes::{Expected, Stop},
    delivery::release::label,
    fleet::{AppName, Container, EnvironmentId, Fleet, HostId, ServiceKey, ServiceName},
};

/// A host that does not run what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub host: HostId,
    pub service: ServiceName,
    /// The version that it runs; `None`: nothing of the service runs there.
    pub runs: Option<Arc<str>>,
}

impl Odd {
    /// `app-07 runs web 1.0.1-19-04bd1c9`.
    pub fn words(&self) -> String {
        match &self.runs {
            Some(version) => format!("{} runs {} {version}", self.host, self.service),
            None => format!("{} runs no {}", self.host, self.service),
        }
    }
}

/// The hosts that stand out, by service and host. While a deployment is under way they all may: then none does.
pub(super) fn odd(app: &AppName, stop: &Stop, fleet: &Fleet) -> Vec<Odd> {
    if stop.tries.iter().any(|one| one.started.is_some() && one.finished.is_none()) {
        return Vec::new();
    }
    let mut odd = Vec::new();
    for expected in &stop.expected {
        let running: Vec<&Container> = running(app, &stop.environment, &expected.service, fleet).collect();
        let differs = running.iter().filter(|container| !is_expected(container, expected));
        odd.extend(differs.map(|container| Odd {
            host: container.key.host.clone(),
            service: expected.service.clone(),
            runs: Some(Arc::clone(&container.version.text)),
        }));
        // Only a host that is heard can tell that it has none.
        let heard = |host: &&HostId| fleet.host(host).is_some_and(|host| host.listed && host.link.is_live());
        let without = expected.hosts.iter().filter(heard).filter(|host| running.iter().all(|container| container.key.host != **host));
        odd.extend(without.map(|host| Odd { host: host.clone(), service: expected.service.clone(), runs: None }));
    }
    odd.sort_by(|a, b| (&a.host, &a.service).cmp(&(&b.host, &b.service)));
    odd.dedup();
    odd
}

/// What of a service runs in an environment: no job, nothing that is kept for the way back.
pub(super) fn running<'f>(
    app: &AppName,
    environment: &'f EnvironmentId,
    service: &ServiceName,
    fleet: &'f Fleet,
) -> impl Iterator<Item = &'f Container> {
    let key = ServiceKey { app: Some(app.clone()), service: service.clone() };
    let in_use = move |container: &&Container| {
        container.identity.environment.as_ref() == Some(environment)
            && container.is_running()
            && !container.is_kept()
            && !container.is_oneoff()
            && container.label(label::KIND).is_none()
    };
    fleet.containers_of(&key).filter(in_use).collect::<Vec<_>>().into_iter()
}

/// The bits decide; where nobody knows them, the version does. A service that a release left as it was keeps the version it was made with.
fn is_expected(container: &Container, expected: &Expected) -> bool {
    let told = container.digest.as_ref().or(container.image.digest.as_ref());
    match (&expected.digest, told, &expected.version) {
        (Some(expected), Some(digest), _) => expected == digest,
        (_, _, Some(version)) => container.version.text == *version,
        (_, _, None) => true,
    }
}
