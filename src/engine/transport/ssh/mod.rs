//! SSH by libssh2 (under way).
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{ConnectError, Link, Transport};
use crate::{config::Endpoint, fleet::LinkCause};
/// Serves `ssh://`.
pub struct SshTransport;
impl SshTransport {
    /// From the environment.
    pub fn from_environment() -> Self {
        Self
    }
}
impl Transport for SshTransport {
    fn scheme(&self) -> &'static str {
        "ssh"
    }
    fn connect<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async { Err(ConnectError::new(LinkCause::Configuration, "ssh")) })
    }
}
