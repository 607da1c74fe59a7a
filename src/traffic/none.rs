//! No balancer: services that take no requests, or whose requests somebody else steers.

use std::{net::SocketAddr, path::PathBuf};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Backend, Balancer, Standing, Trouble};

/// Has no slots and takes none.
pub(super) struct NoBalancer;

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T, Trouble>> {
    let text = "it is of the kind \"none\", which has no slots: set kind = \"haproxy\", or traffic = \"none\" in the template";
    std::future::ready(Err(Trouble::Refused(text.to_owned()))).boxed()
}

impl Balancer for NoBalancer {
    fn kind(&self) -> &'static str {
        "none"
    }

    fn targets<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn add<'a>(&'a self, _: &'a str, _: &'a str, _: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>> {
        refused()
    }

    fn ready<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        refused()
    }

    fn set_weight<'a>(&'a self, _: &'a str, _: &'a str, _: u16) -> BoxFuture<'a, Result<(), Trouble>> {
        refused()
    }

    fn drain<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        refused()
    }

    fn in_flight<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<u32, Trouble>> {
        refused()
    }

    fn remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        refused()
    }

    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>> {
        std::future::ready(Ok(Standing { version: "none".into(), life: "none".into(), uptime: None })).boxed()
    }
}
