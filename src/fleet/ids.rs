//! The names of things. Cheap to clone (shared text), ordered, and never interchangeable by accident.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes text that is already [clean](crate::text::clean).
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name!(
    /// A Docker host by its name in the configuration, unique in the fleet.
    HostId
);
name!(
    /// A container's full id, 64 hexadecimal digits, unique on its host.
    ContainerId
);
name!(
    /// An image's content id, `sha256:…`: the config digest on classic engines, the manifest digest on engines with
    /// the containerd image store. Comparable only between engines of one store kind.
    ImageId
);
name!(
    /// A product: a group of services that are released together.
    AppName
);
name!(
    /// One part of an app.
    ServiceName
);
name!(
    /// Where a release runs: `testing`, `staging`, `production`, or whatever the configuration calls it.
    EnvironmentId
);

impl ContainerId {
    /// The first 12 digits, as `docker ps` shows them.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// A container anywhere in the fleet.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerKey {
    /// The host it lives on.
    pub host: HostId,
    /// Its id there.
    pub id: ContainerId,
}

impl fmt::Debug for ContainerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.id.short())
    }
}

/// A service anywhere in the fleet. `app` is `None` for what carries no app (shown as `–`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The app it is a part of, where known.
    pub app: Option<AppName>,
    /// Its name within the app.
    pub service: ServiceName,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.app {
            Some(app) => write!(f, "{app}/{}", self.service),
            None => f.pad(self.service.as_str()),
        }
    }
}
