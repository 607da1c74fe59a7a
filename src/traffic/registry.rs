//! The balancers of the configuration, by name.

use std::{path::Path, sync::Arc};

use indexmap::IndexMap;

use super::{Balancer, Ground, Haproxy, Trouble, Way, files::Files, none::NoBalancer};
use crate::{
    config::{BalancerConfig, BalancerKind, Endpoint},
    rights::Rights,
    text::nearest,
};

/// Every `[lb.NAME]`.
#[derive(Clone)]
pub struct Balancers {
    all: IndexMap<Arc<str>, Arc<dyn Balancer>>,
}

impl Balancers {
    /// Those of a configuration, over these links.
    pub fn of(config: &IndexMap<String, BalancerConfig>, ground: &Arc<dyn Ground>, rights: &Rights) -> Self {
        let one = |(name, config): (&String, &BalancerConfig)| -> (Arc<str>, Arc<dyn Balancer>) {
            let way = Way::new(config.host.clone(), Arc::clone(ground), rights.clone());
            (name.as_str().into(), balancer(config, way))
        };
        Self { all: config.iter().map(one).collect() }
    }

    /// In the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<dyn Balancer>)> {
        self.all.iter()
    }

    /// One of them.
    ///
    /// # Errors
    /// With the nearest name.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Balancer>, Trouble> {
        self.all.get(name).ok_or_else(|| {
            let hint =
                nearest(name, self.all.keys().map(|known| &**known)).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
            Trouble::Refused(format!("there is no [lb.{}] in the configuration{hint}", crate::text::clean_line(name)))
        })
    }
}

/// By name.
impl FromIterator<(Arc<str>, Arc<dyn Balancer>)> for Balancers {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<dyn Balancer>)>>(all: I) -> Self {
        Self { all: all.into_iter().collect() }
    }
}

fn balancer(config: &BalancerConfig, way: Way) -> Arc<dyn Balancer> {
    match &config.kind {
        BalancerKind::None => Arc::new(NoBalancer),
        BalancerKind::Files(files) => Arc::new(Files::new(way, files.clone())),
        BalancerKind::Haproxy => match &config.admin {
            Some(Endpoint::Unix { path }) => Arc::new(Haproxy::at_socket(way, path, config.persist.clone())),
            Some(Endpoint::Tcp { host, port }) => Arc::new(Haproxy::at_address(way, host, *port, config.persist.clone())),
            // The configuration refuses these when it is read.
            Some(Endpoint::Ssh { .. } | Endpoint::Tls { .. }) | None => Arc::new(Haproxy::at_socket(way, Path::new(""), None)),
        },
    }
}
