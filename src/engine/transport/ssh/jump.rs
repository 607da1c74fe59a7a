//! The way to a host's sshd: straight, or through bastions. Hosts behind one bastion share its session.
//!
//! A bastion's session lives as long as a session behind it, and is made anew once for all who need it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    driver::{OpenError, Target},
    flight::Flight,
    plan::{Hop, Plan},
    session::Session,
    settings::SshSettings,
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// Handshakes at a time in this process: each costs tens of milliseconds of CPU on both sides.
const HANDSHAKES: usize = 8;

/// The ways to all hosts.
pub(super) struct Routes {
    settings: Arc<SshSettings>,
    handshakes: Arc<Semaphore>,
    /// By way and target (`ops@gate:22`). A lock, as tasks of many hosts meet here; held for the look-up only.
    bastions: Mutex<HashMap<String, Arc<Flight<Weak<Session>>>>>,
}

impl Routes {
    pub(super) fn new(settings: Arc<SshSettings>) -> Self {
        Self { settings, handshakes: Arc::new(Semaphore::new(HANDSHAKES)), bastions: Mutex::new(HashMap::new()) }
    }

    /// A session of its own for the host.
    pub(super) async fn connect(&self, plan: &Arc<Plan>) -> Result<Arc<Session>, ConnectError> {
        self.connect_along(plan, Vec::new()).await
    }

    /// `trail`: the bastions that are being connected for this one, to notice a loop.
    fn connect_along<'a>(&'a self, plan: &'a Arc<Plan>, trail: Vec<String>) -> BoxFuture<'a, Result<Arc<Session>, ConnectError>> {
        Box::pin(async move {
            let (socket, via) = match plan.jumps.split_last() {
                None => (dial(plan).await?, None),
                Some((last, before)) => {
                    let bastion = self.bastion(last, before, trail).await?;
                    (through(&bastion, plan).await?, Some(bastion))
                }
            };
            // The place is taken only now: hosts that do not answer do not hold up those that do.
            let permit = Arc::clone(&self.handshakes).acquire_owned().await;
            let permit = permit.map_err(|_| ConnectError::new(LinkCause::Closed, "the SSH transport is shutting down"))?;
            Session::start(socket, plan, via, self.settings.deadlines, permit).await
        })
    }

    /// The shared session of a bastion; `before`: the stops in front of it.
    async fn bastion(&self, hop: &Hop, before: &[Hop], mut trail: Vec<String>) -> Result<Arc<Session>, ConnectError> {
        let chain = (!before.is_empty()).then(|| before.to_vec());
        let plan = Arc::new(Plan::resolve(hop.clone(), &self.settings, chain).await?);
        let way: Vec<String> = plan.jumps.iter().map(Hop::command).chain([plan.target()]).collect();
        let key = way.join(" > ");
        if trail.contains(&key) {
            let message = format!("ProxyJump is a loop: {} leads to itself", hop.host);
            return Err(ConnectError::new(LinkCause::Configuration, message));
        }
        trail.push(key.clone());
        let flight = {
            let mut bastions = self.bastions.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(bastions.entry(key).or_insert_with(|| Arc::new(Flight::new())))
        };
        // Weak in the registry, strong for whoever is behind it: the last of these ends it.
        let mut made = None;
        let alive = |session: &Weak<Session>| session.upgrade().is_some_and(|session| !session.is_over());
        let weak = flight
            .get(alive, async || {
                let session = self
                    .connect_along(&plan, trail)
                    .await
                    .map_err(|error| ConnectError::new(error.cause, format!("jump host {}: {error}", hop.host)))?;
                let weak = Arc::downgrade(&session);
                made = Some(session);
                Ok(weak)
            })
            .await?;
        let lost = || ConnectError::new(LinkCause::Closed, format!("the session of the jump host {} was closed again", hop.host));
        made.or_else(|| weak.upgrade()).ok_or_else(lost)
    }
}

async fn through(bastion: &Session, plan: &Plan) -> Result<OwnedFd, ConnectError> {
    match bastion.open(Target::Tcp(plan.hostname.clone(), plan.port)).await {
        Ok(opened) => Ok(OwnedFd::from(opened.socket)),
        Err(OpenError::Over(error)) => Err(error),
        Err(OpenError::Late) => {
            Err(ConnectError::new(LinkCause::Unreachable, format!("{}: no answer through the jump host", plan.target())))
        }
        Err(OpenError::Prohibited(_)) => Err(ConnectError::new(
            LinkCause::Forwarding,
            format!("{}: the jump host forbids TCP forwarding: set AllowTcpForwarding yes in sshd_config there", plan.target()),
        )),
        Err(OpenError::Failed(text)) => {
            Err(ConnectError::new(LinkCause::Unreachable, format!("{}: not reached from the jump host: {text}", plan.target())))
        }
    }
}

/// Connects and waits for the server's first byte, so that a host that accepts and then hangs takes no handshake's place.
async fn dial(plan: &Plan) -> Result<OwnedFd, ConnectError> {
    let until = Instant::now() + plan.connect;
    let unreachable = |reason: String| ConnectError::new(LinkCause::Unreachable, format!("{}: {reason}", plan.target()));
    let late = || unreachable(format!("no connection within {} s", plan.connect.as_secs()));
    let found = timeout_at(until, lookup_host((plan.hostname.as_str(), plan.port))).await.map_err(|_| late())?;
    let addresses: Vec<SocketAddr> = found.map_err(|error| unreachable(error.to_string()))?.collect();
    let mut failure = unreachable("the name has no address".to_owned());
    for (index, address) in addresses.iter().enumerate() {
        // A dead address leaves the later ones their share of the time.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let greeted = timeout_at(until, stream.readable()).await;
                greeted
                    .map_err(|_| {
                        let seconds = plan.connect.as_secs();
                        ConnectError::new(
                            LinkCause::NoAnswer,
                            format!("{}: connected, but sshd said nothing within {seconds} s", plan.target()),
                        )
                    })?
                    .map_err(|error| unreachable(error.to_string()))?;
                return tuned(stream).map_err(|error| unreachable(error.to_string()));
            }
            Ok(Err(error)) => failure = unreachable(error.to_string()),
            Err(_) => failure = late(),
        }
    }
    Err(failure)
}

/// Sends small packets at once, and notices a peer that no longer acknowledges anything.
fn tuned(stream: TcpStream) -> std::io::Result<OwnedFd> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&stream, u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX))?;
    Ok(OwnedFd::from(stream.into_std()?))
}

/// How long sent bytes may stay unacknowledged before the connection is lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
