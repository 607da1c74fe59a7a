//! What something is near to: the same app in the same environment, the same host.

use crate::{
    fleet::{AppName, EnvironmentId, HostId, Identity, ServiceKey, ServiceName},
    ledger::Deployment,
};

/// What a row is about, as far as changes near it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// As a person names it.
    pub title: String,
    /// What it is a part of; `None`: a host.
    pub product: Option<Product>,
    /// Where; `None`: everywhere.
    pub environment: Option<EnvironmentId>,
    /// The host it is on, where it is on one.
    pub host: Option<HostId>,
}

/// What changes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Product {
    /// An app with all its services.
    App(AppName),
    /// A service that is a part of no app.
    Service(ServiceName),
}

impl Product {
    /// What a service changes together with.
    pub fn of(service: &ServiceKey) -> Self {
        match &service.app {
            Some(app) => Self::App(app.clone()),
            None => Self::Service(service.service.clone()),
        }
    }
}

/// How near a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// Somewhere else.
    Away,
    /// On the same host, of another app.
    Beside,
    /// Of the thing itself.
    Here,
}

impl Near {
    /// How near an environment of a product is, that lives on these hosts.
    fn place<'a>(&self, product: &Product, environment: Option<&EnvironmentId>, mut hosts: impl Iterator<Item = &'a HostId>) -> Nearness {
        let is_here = match &self.product {
            Some(wanted) => wanted == product && self.environment.as_ref().is_none_or(|wanted| Some(wanted) == environment),
            None => false,
        };
        match &self.host {
            _ if is_here => Nearness::Here,
            Some(wanted) if hosts.any(|host| host == wanted) => match self.product {
                Some(_) => Nearness::Beside,
                None => Nearness::Here,
            },
            Some(_) | None => Nearness::Away,
        }
    }

    /// How near a container is.
    pub fn container(&self, identity: &Identity, host: &HostId) -> Nearness {
        self.place(&Product::of(&identity.service), identity.environment.as_ref(), std::iter::once(host))
    }

    /// How near a deployment is.
    pub fn deployment(&self, deployment: &Deployment) -> Nearness {
        self.place(&Product::App(deployment.app.clone()), Some(&deployment.environment), deployment.hosts.iter())
    }

    /// Whether it is about an environment of an app: what is frozen, say.
    pub fn is_of(&self, app: &AppName, environment: &EnvironmentId) -> bool {
        self.place(&Product::App(app.clone()), Some(environment), std::iter::empty()) == Nearness::Here
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{fixture, identity::IdentityOrigin};

    fn near(app: Option<&str>, environment: Option<&str>, host: Option<&str>) -> Near {
        Near {
            title: String::new(),
            product: app.map(|app| Product::App(AppName::new(app))),
            environment: environment.map(EnvironmentId::new),
            host: host.map(HostId::new),
        }
    }

    #[test]
    fn here_beside_away() {
        let identity = Identity {
            service: ServiceKey { app: Some(AppName::new("shop")), service: ServiceName::new("web") },
            environment: Some(EnvironmentId::new("production")),
            origin: IdentityOrigin::Label,
        };
        let host = HostId::new("app-01");
        for (near, expected) in [
            (near(Some("shop"), None, None), Nearness::Here),
            (near(Some("shop"), Some("production"), Some("app-09")), Nearness::Here),
            (near(Some("shop"), Some("staging"), None), Nearness::Away),
            (near(Some("blog"), None, Some("app-01")), Nearness::Beside),
            (near(Some("blog"), None, Some("app-02")), Nearness::Away),
            (near(None, None, Some("app-01")), Nearness::Here),
            (near(None, None, Some("app-02")), Nearness::Away),
        ] {
            assert_eq!(near.container(&identity, &host), expected, "{near:?}");
        }
        let fleet = fixture::fleet();
        assert!(fleet.containers().any(|one| near(None, None, Some("app-04")).container(&one.identity, &one.key.host) == Nearness::Here));
    }
}
