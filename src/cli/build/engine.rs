//! The engine that builds, and the connection to it.

use std::{sync::Arc, time::Duration};

use crate::{
    cli::{exit::Failure, fleet::Sources},
    config::{DEFAULT_SOCKET, Endpoint},
    engine::{
        docker::{Client, Meter},
        transport::Transports,
    },
    text::nearest,
};

/// How long a connection to it may take.
const CONNECT: Duration = Duration::from_secs(30);

/// A connection to the engine that builds.
pub struct Link {
    /// Its API, with the version negotiated.
    pub client: Client,
    /// The host's name.
    pub host: String,
    /// `Docker 28.5.2`.
    pub engine: String,
    /// `linux/amd64`.
    pub platform: String,
}

/// The host whose engine builds: the configuration's, else a socket of this machine.
fn engine_of(sources: &Sources) -> Result<(String, Endpoint), Failure> {
    let hosts = &sources.config.hosts;
    if let Some(name) = &sources.config.delivery.build_host {
        let found = hosts.iter().find(|host| host.id == *name);
        let near = nearest(name.as_str(), hosts.iter().map(|host| host.id.as_str()));
        let near = near.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
        let host = found.ok_or_else(|| Failure::usage(format!("build.host: there is no host {:?}{near}", name.as_str())))?;
        return Ok((host.id.to_string(), host.endpoint.clone()));
    }
    let local = hosts.iter().find(|host| matches!(host.endpoint, Endpoint::Unix { .. }));
    let default = || ("local".to_owned(), Endpoint::Unix { path: DEFAULT_SOCKET.into() });
    Ok(local.map_or_else(default, |host| (host.id.to_string(), host.endpoint.clone())))
}

impl Link {
    /// Connects to it.
    ///
    /// # Errors
    /// That the configuration names none, or why it is not reached.
    pub async fn open(sources: &Sources) -> Result<Self, Failure> {
        let (host, endpoint) = engine_of(sources)?;
        let failed =
            |error: &dyn std::fmt::Display| Failure::incomplete(format!("host {host:?}: {error}: [build] host names another engine"));
        let transports = Transports::from_environment(&sources.rights);
        let made = tokio::time::timeout(CONNECT, transports.for_endpoint(&endpoint).connect(&endpoint)).await;
        let late = |_| failed(&format!("no connection within {} s", CONNECT.as_secs()));
        let link = made.map_err(late)?.map_err(|error| failed(&error))?;
        let client = Client::new(link, Arc::new(Meter::new()), sources.rights.clone());
        let engine = client.handshake().await.map_err(|error| failed(&error))?.engine;
        let platform = client.platform().await.map_err(|error| failed(&error))?;
        Ok(Self { client, host, engine, platform })
    }
}
