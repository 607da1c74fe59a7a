//! The links of a run: one to each host, shared by all that the run wants there, its balancers' sockets included.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{sync::Mutex, time::timeout};

use super::away;
use crate::{
    config::Endpoint,
    engine::{
        docker::{Client, Meter},
        free_disk,
        transport::{ConnectError, Link, Transports},
    },
    fleet::{HostId, LinkCause},
    rights::Rights,
    run::port::PortError,
    traffic::Ground,
};

/// Making a link may take so long.
const CONNECT: Duration = Duration::from_secs(12);

/// One host of a run.
#[derive(Clone, Debug)]
pub struct RunHost {
    /// Its name.
    pub id: HostId,
    /// Where its engine is.
    pub endpoint: Endpoint,
    /// Where its published ports are.
    pub address: Option<IpAddr>,
}

/// The links to a run's hosts, made when they are first wanted and anew after they broke.
pub struct RunLinks {
    hosts: BTreeMap<HostId, Host>,
    transports: Transports,
    rights: Rights,
}

struct Host {
    run: RunHost,
    meter: Arc<Meter>,
    /// A lock, as the steps of one run share it, and as several must wait for one login.
    held: Mutex<Held>,
}

/// What leads to a host now.
#[derive(Default)]
struct Held {
    link: Option<Arc<dyn Link>>,
    /// Over that link, once its engine has said which API it speaks: a balancer's host may have one that does not answer.
    client: Option<Client>,
}

impl Held {
    async fn link(&mut self, transports: &Transports, endpoint: &Endpoint) -> Result<Arc<dyn Link>, ConnectError> {
        if let Some(link) = self.link.as_ref().filter(|link| link.closed().now_or_never().is_none()) {
            return Ok(Arc::clone(link));
        }
        *self = Self::default();
        let link = match timeout(CONNECT, transports.for_endpoint(endpoint).connect(endpoint)).await {
            Ok(link) => link?,
            Err(_) => {
                return Err(ConnectError::new(LinkCause::Unreachable, format!("no connection within {} s", CONNECT.as_secs())));
            }
        };
        self.link = Some(Arc::clone(&link));
        Ok(link)
    }
}

impl RunLinks {
    /// To these hosts.
    pub fn new(hosts: Vec<RunHost>, rights: Rights) -> Self {
        let host = |run: RunHost| (run.id.clone(), Host { run, meter: Arc::default(), held: Mutex::default() });
        Self { hosts: hosts.into_iter().map(host).collect(), transports: Transports::from_environment(&rights), rights }
    }

    fn host(&self, host: &HostId) -> Result<&Host, PortError> {
        self.hosts.get(host).ok_or_else(|| PortError::Refused(format!("host {host:?} is not in the configuration")))
    }

    /// Where a host's published ports are reached.
    pub(super) fn address(&self, host: &HostId) -> Option<IpAddr> {
        self.hosts.get(host).and_then(|host| host.run.address)
    }

    /// A host's engine.
    pub(super) async fn client(&self, host: &HostId) -> Result<Client, PortError> {
        let host = self.host(host)?;
        let mut held = host.held.lock().await;
        let link = held.link(&self.transports, &host.run.endpoint).await.map_err(|error| PortError::Away(error.message))?;
        if let Some(client) = &held.client {
            return Ok(client.clone());
        }
        let client = Client::new(link, Arc::clone(&host.meter), self.rights.clone());
        client.handshake().await.map_err(away)?;
        held.client = Some(client.clone());
        Ok(client)
    }

    /// Bytes that may still be written to the disk that a host's images are on; `None` where nobody can see it.
    pub(super) async fn free_disk(&self, host: &HostId) -> Option<u64> {
        let client = self.client(host).await.ok()?;
        free_disk(client, &self.host(host).ok()?.run.endpoint, &self.rights).await
    }

    /// The link broke: whoever asks next makes it anew.
    pub(super) async fn forget(&self, host: &HostId) {
        if let Ok(host) = self.host(host) {
            *host.held.lock().await = Held::default();
        }
    }
}

impl Ground for RunLinks {
    fn link<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        async move {
            let unknown = |error: PortError| ConnectError::new(LinkCause::Configuration, error.to_string());
            let host = self.host(host).map_err(unknown)?;
            host.held.lock().await.link(&self.transports, &host.run.endpoint).await
        }
        .boxed()
    }
}
