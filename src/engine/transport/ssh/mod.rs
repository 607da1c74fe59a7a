//! SSH by libssh2: one session and one thread per host, a `direct-streamlocal` channel per stream.
//!
//! [`SshTransport`] resolves a host (`plan`), connects (through shared bastions), logs in (`handshake`) and gives a link. What
//! libssh2 cannot do is left to the `ssh` program (`openssh`). Nothing is ever learned or written: an unknown host key is refused
//! with the command that mends it.

mod auth;
mod channel;
mod client_config;
mod dial_stdio;
mod driver;
mod flight;
mod handshake;
mod identity;
mod jump;
mod known_hosts;
mod link;
mod openssh;
mod pattern;
mod plan;
mod quote;
mod session;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

pub use self::settings::{Deadlines, SshSettings};
use self::{
    jump::Routes,
    link::SshLink,
    openssh::OpensshLink,
    plan::{Hop, Plan},
};
use super::{ConnectError, Link, Transport};
use crate::{
    config::{DEFAULT_SOCKET, Endpoint, SshEngine},
    fleet::LinkCause,
};

/// Makes links to [`Endpoint::Ssh`]. One per process: it holds the bastions that hosts share and the limit on handshakes.
pub struct SshTransport {
    settings: Arc<SshSettings>,
    routes: Routes,
}

impl SshTransport {
    /// A transport with these settings; [`SshSettings::from_environment`] for those of the person.
    pub fn new(settings: SshSettings) -> Self {
        let settings = Arc::new(settings);
        Self { routes: Routes::new(Arc::clone(&settings)), settings }
    }

    async fn link(&self, endpoint: &Endpoint) -> Result<Arc<dyn Link>, ConnectError> {
        let Endpoint::Ssh { user, host, port, socket, engine } = endpoint else {
            return Err(ConnectError::new(LinkCause::Configuration, "this endpoint is not reached by ssh"));
        };
        let written = Hop { user: user.clone(), host: host.clone(), port: *port };
        written.check()?;
        let socket = socket.clone().unwrap_or_else(|| DEFAULT_SOCKET.to_owned());
        if !socket.starts_with('/') || socket.contains(|c: char| c.is_control()) {
            return Err(ConnectError::new(LinkCause::Configuration, format!("{socket:?} is no absolute path of a socket")));
        }
        match engine {
            SshEngine::Openssh => Ok(Arc::new(OpensshLink::start(&written, &socket, &self.settings).await?)),
            SshEngine::Ssh2 => {
                let plan = Arc::new(Plan::resolve(written, &self.settings, None).await?);
                // Each step has its deadline; this one holds whatever the number of bastions on the way.
                let deadline = (plan.connect + self.settings.deadlines.handshake) * 3;
                let session = timeout(deadline, self.routes.connect(&plan)).await.map_err(|_| {
                    let message = format!("{}: not logged in within {} s", plan.target(), deadline.as_secs());
                    ConnectError::new(LinkCause::NoAnswer, message)
                })??;
                Ok(Arc::new(SshLink::new(session, plan, socket, Arc::clone(&self.settings))))
            }
        }
    }
}

impl Transport for SshTransport {
    fn scheme(&self) -> &'static str {
        "ssh"
    }

    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(self.link(endpoint))
    }
}
