//! A logged-in SSH session, seen from outside its thread. Dropping the last reference ends the thread and the connection.

use std::{
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot, watch},
    time::timeout,
};

use super::{
    driver::{Driver, OpenError, OpenRequest, Target},
    handshake,
    plan::Plan,
    settings::Deadlines,
    stream::Opened,
    wire::hang_up,
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// The stack of a session's thread. A key exchange of libssh2 with OpenSSL fits into 64 KiB, also unoptimised; the rest is reserve,
/// and untouched pages cost nothing.
const STACK: usize = 256 * 1024;
/// Requests that may wait for the thread.
const INBOX: usize = 1024;

/// One SSH session.
pub(super) struct Session {
    /// Requests to the thread. Overflow: the request is refused at once, nothing waits here.
    /// `None` only while it is dropped: the closed channel is what stops the thread.
    inbox: Option<SyncSender<OpenRequest>>,
    wake: UnixStream,
    ended: watch::Receiver<Option<ConnectError>>,
    streams: Arc<AtomicU32>,
    deadlines: Deadlines,
    target: String,
}

/// Shuts a socket down unless it was disarmed: how a login is given up, whatever the thread waits for.
struct GiveUp(Option<OwnedFd>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            hang_up(socket);
        }
    }
}

impl Session {
    /// Logs in over a connected socket, on a thread of its own. `via`: the bastion's session, kept alive as long as this one;
    /// `permit`: the place among the handshakes, given back when this one is over.
    pub(super) async fn start(
        socket: OwnedFd,
        plan: &Arc<Plan>,
        via: Option<Arc<Session>>,
        deadlines: Deadlines,
        permit: OwnedSemaphorePermit,
    ) -> Result<Arc<Self>, ConnectError> {
        let target = plan.target();
        let local =
            |error: std::io::Error| ConnectError::new(LinkCause::Protocol, format!("{target}: no socket or thread can be made: {error}"));
        let served = socket.try_clone().map_err(local)?;
        let mut give_up = GiveUp(Some(socket.try_clone().map_err(local)?));
        let (wake, woken) = UnixStream::pair().map_err(local)?;
        wake.set_nonblocking(true).map_err(local)?;
        woken.set_nonblocking(true).map_err(local)?;
        let (inbox, requests) = sync_channel(INBOX);
        let (ready, logged_in) = oneshot::channel();
        let (ending, ended) = watch::channel(None);
        let streams = Arc::new(AtomicU32::new(0));
        let (counted, plan) = (Arc::clone(&streams), Arc::clone(plan));
        let name = plan.hostname.chars().take(12).collect::<String>();
        let work = move || {
            let session = match handshake::log_in(socket, &plan, deadlines.handshake) {
                Ok(session) => session,
                Err(error) => {
                    let _given_up = ready.send(Err(because(error, via.as_deref())));
                    return;
                }
            };
            drop(permit);
            if ready.send(Ok(())).is_err() {
                return;
            }
            let target = plan.target();
            let driver = Driver { session, socket: served, target, inbox: requests, wake: woken, streams: counted, deadlines };
            driver.run(|error| {
                let error = because(error, via.as_deref());
                tracing::debug!(host = plan.target(), %error, "ssh session ended");
                ending.send_replace(Some(error));
            });
        };
        thread::Builder::new().name(format!("ssh {name}")).stack_size(STACK).spawn(work).map_err(local)?;
        match timeout(deadlines.handshake, logged_in).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) => return Err(ConnectError::new(LinkCause::Protocol, format!("{target}: the SSH login ended unexpectedly"))),
            Err(_) => {
                let seconds = deadlines.handshake.as_secs();
                return Err(ConnectError::new(
                    LinkCause::NoAnswer,
                    format!("{target}: no login within {seconds} s: sshd or the agent does not answer"),
                ));
            }
        }
        give_up.0 = None;
        Ok(Arc::new(Self { inbox: Some(inbox), wake, ended, streams, deadlines, target }))
    }

    /// Opens a channel.
    pub(super) async fn open(&self, target: Target) -> Result<Opened, OpenError> {
        let (reply, answer) = oneshot::channel();
        let request = OpenRequest { target, deadline: Instant::now() + self.deadlines.open, reply };
        if self.inbox.as_ref().is_none_or(|inbox| inbox.try_send(request).is_err()) {
            return Err(match self.ended.borrow().clone() {
                Some(error) => OpenError::Over(error),
                None => OpenError::Failed(format!("{INBOX} requests wait already")),
            });
        }
        self.wake();
        match answer.await {
            Ok(answer) => answer,
            Err(_) if self.ended.borrow().is_none() && !self.is_over() => Err(OpenError::Late),
            Err(_) => Err(OpenError::Over(self.over())),
        }
    }

    fn wake(&self) {
        // Would-block: a byte is there already, and one is enough. Broken: the thread is gone, which the reply tells.
        let _woken = (&self.wake).write(&[1]);
    }

    /// Whether the session has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended.borrow().is_some() || self.ended.has_changed().is_err()
    }

    fn over(&self) -> ConnectError {
        let error = self.ended.borrow().clone();
        error.unwrap_or_else(|| ConnectError::new(LinkCause::Closed, format!("the SSH session of {} is over", self.target)))
    }

    /// Resolves when the session has ended, with the reason.
    pub(super) async fn closed(&self) -> ConnectError {
        let mut ended = self.ended.clone();
        // An error means that the thread is gone without a word: over as well.
        let _thread_gone = ended.wait_for(Option::is_some).await.is_err();
        self.over()
    }

    /// Channels open now.
    pub(super) fn streams(&self) -> u32 {
        self.streams.load(Ordering::Relaxed)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inbox = None;
        self.wake();
    }
}

/// If the bastion died, that is the reason, not the silence it left behind.
fn because(error: ConnectError, via: Option<&Session>) -> ConnectError {
    match via.filter(|_| error.cause == LinkCause::Closed).and_then(|via| via.ended.borrow().clone()) {
        Some(bastion) => ConnectError::new(bastion.cause, format!("{error} (its jump host: {bastion})")),
        None => error,
    }
}
