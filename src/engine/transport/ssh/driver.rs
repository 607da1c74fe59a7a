//! The thread of one session: the only one that touches its libssh2 objects.
//!
//! It sleeps in `poll(2)` over the SSH socket, a wake socket and the local end of every channel, and then repeats passes over all
//! channels until none makes progress: one channel's read takes packets for others off the socket, so the socket alone would not
//! wake it. Channels take turns at sending, packet by packet, as soon as the network is slower than they are. What the poll set cannot show (a confirmation that another call has already read) is looked for every [`LOOK_AGAIN`].

use std::{
    collections::VecDeque,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

use super::{
    channel::Pump,
    settings::Deadlines,
    stream::{Opened, StreamState},
    wire::{CHANNEL_FAILURE, Called, EAGAIN, Owed, Round, code, hang_up, session_lost},
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// How soon a call is repeated whose answer may have been read by another call.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// After so many passes the poll set is looked at again, even if bytes still move: a stream that never pauses must not keep the others'
/// news out.
const PASSES: usize = 16;

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A Unix socket on the host.
    Socket(String),
    /// A TCP address as seen from the host: the next stop behind a bastion.
    Tcp(String, u16),
    /// A command on the host. Counts against sshd's `MaxSessions`.
    Command(String),
}

/// Why a channel could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// sshd forbids it (`administratively prohibited`, `unknown channel type`).
    Prohibited(String),
    /// sshd tried, or does not say.
    Failed(String),
    /// No answer in time.
    Late,
    /// The session is over.
    Over(ConnectError),
}

/// A request to open a channel.
pub(super) struct OpenRequest {
    pub(super) target: Target,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Opened, OpenError>>,
}

/// The request whose opening is under way: libssh2 can open one at a time.
struct Opening {
    target: Target,
    deadline: Instant,
    /// `None`: answered already (too late, or nobody waits); the channel is closed as soon as it opens.
    reply: Option<oneshot::Sender<Result<Opened, OpenError>>>,
    /// A command's channel, open but not yet started.
    started: Option<ssh2::Channel>,
    owed: Owed,
    tried: bool,
}

/// One logged-in session and everything on it.
pub(super) struct Driver {
    pub(super) session: ssh2::Session,
    /// The session's socket, once more: libssh2 owns the other handle.
    pub(super) socket: OwnedFd,
    /// `ops@app-01:22`, for messages.
    pub(super) target: String,
    /// Requests; closed when nobody holds the session any more.
    pub(super) inbox: Receiver<OpenRequest>,
    /// Readable when there is something in the inbox.
    pub(super) wake: UnixStream,
    /// How many channels are open.
    pub(super) streams: Arc<AtomicU32>,
    pub(super) deadlines: Deadlines,
}

struct State {
    pumps: Vec<Pump>,
    queue: VecDeque<OpenRequest>,
    opening: Option<Opening>,
    keepalive: Instant,
    /// Since when bytes wait that the network does not take.
    stalled: Option<Instant>,
    inbox_closed: bool,
    /// Something may have come that the poll set cannot show.
    waiting: bool,
    /// Something may stand in libssh2's buffer that no channel had room to read.
    unread: bool,
    /// The last round was broken off while bytes moved.
    busy: bool,
    /// A small packet waits for room on the socket.
    small_waits: bool,
}

impl State {
    /// Whether some call must be repeated before anything else can be sent.
    fn owes(&self) -> bool {
        self.pumps.iter().any(Pump::owes) || self.opening.as_ref().is_some_and(|opening| opening.owed.is())
    }
}

impl Driver {
    /// Serves the session until it is lost or nobody holds it. `publish` gets the reason before any stream ends, so that whoever
    /// notices an end can ask why.
    pub(super) fn run(mut self, publish: impl FnOnce(ConnectError)) {
        let mut state = State {
            pumps: Vec::new(),
            queue: VecDeque::new(),
            opening: None,
            keepalive: Instant::now() + self.deadlines.keepalive,
            stalled: None,
            inbox_closed: false,
            waiting: false,
            unread: false,
            busy: false,
            small_waits: false,
        };
        self.session.set_keepalive(false, 1);
        let error = match self.serve(&mut state) {
            Ok(()) => {
                if state.pumps.iter().all(|pump| !pump.owes()) {
                    // A farewell; the server notices the closed socket anyway.
                    let _farewell = self.session.disconnect(None, "", None);
                }
                ConnectError::new(LinkCause::Closed, format!("the SSH session of {} was closed by us", self.target))
            }
            Err(error) => error,
        };
        publish(error.clone());
        // First the socket: now no call blocks or has anything to wait for, and every channel is freed as it is dropped.
        hang_up(&self.socket);
        for request in state.queue.into_iter().chain(self.inbox.try_iter()) {
            let _nobody_waits = request.reply.send(Err(OpenError::Over(error.clone())));
        }
        if let Some(reply) = state.opening.and_then(|opening| opening.reply) {
            let _nobody_waits = reply.send(Err(OpenError::Over(error.clone())));
        }
        self.streams.store(0, Ordering::Relaxed);
    }

    fn serve(&mut self, state: &mut State) -> Result<(), ConnectError> {
        loop {
            let ready = self.wait(state)?;
            if ready.contains(PollFlags::IN) {
                acknowledge(&self.socket);
            }
            self.take_requests(state);
            if state.inbox_closed {
                return Ok(());
            }
            self.round(state, ready)?;
        }
    }

    /// Sleeps until something can be done; returns what the SSH socket is ready for.
    fn wait(&mut self, state: &mut State) -> Result<PollFlags, ConnectError> {
        let timeout = self.timeout(state);
        let owed = state.owes();
        let mut wanted = PollFlags::empty();
        // Without a reader the socket would stay readable and the poll would never sleep: then only its end is waited for.
        wanted.set(PollFlags::IN, state.opening.is_some() || state.pumps.iter().any(|pump| pump.wants_input(owed)));
        wanted.set(PollFlags::OUT, owed || state.small_waits);
        #[cfg(target_os = "linux")]
        wanted.insert(PollFlags::RDHUP);

        let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), wanted), PollFd::new(&self.wake, PollFlags::IN)];
        fds.extend(state.pumps.iter().filter_map(Pump::poll_fd));
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(PollFlags::empty()),
            Err(error) => return Err(ConnectError::new(LinkCause::Protocol, format!("poll failed: {error}"))),
        }
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let mut local = ready.iter().skip(2);
        // The same filter as above: a pump that gave a descriptor takes its answer.
        for pump in &mut state.pumps {
            if pump.poll_fd().is_some() {
                pump.polled(local.next().copied().unwrap_or(PollFlags::empty()));
            }
        }
        let mut socket = ready[0];
        #[cfg(target_os = "linux")]
        if socket.contains(PollFlags::RDHUP) {
            socket.insert(PollFlags::HUP);
        }
        if socket.contains(PollFlags::HUP) && !wanted.contains(PollFlags::IN) {
            return Err(ConnectError::new(LinkCause::Closed, format!("the SSH session of {} was closed by the server", self.target)));
        }
        Ok(socket)
    }

    fn timeout(&self, state: &State) -> Duration {
        if state.busy {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let mut until = state.keepalive;
        if let Some(opening) = &state.opening {
            until = until.min(opening.deadline).min(now + LOOK_AGAIN);
        }
        if state.waiting {
            until = until.min(now + LOOK_AGAIN);
        }
        if let Some(since) = state.stalled {
            until = until.min(since + self.deadlines.stall);
        }
        until.saturating_duration_since(now)
    }

    fn take_requests(&mut self, state: &mut State) {
        let mut bytes = [0; 64];
        // Would-block: all wake-ups are taken. An end: the inbox is closed too, and says so below.
        while self.wake.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        loop {
            match self.inbox.try_recv() {
                Ok(request) => state.queue.push_back(request),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    state.inbox_closed = true;
                    return;
                }
            }
        }
    }

    /// Passes over everything until nothing moves, or for long enough.
    fn round(&mut self, state: &mut State, ready: PollFlags) -> Result<(), ConnectError> {
        let session = self.session.clone();
        let mut round = Round::new(&session, (&self.socket, &self.target), ready, state.owes(), state.unread, state.small_waits);
        state.pumps.iter_mut().for_each(Pump::begin_round);
        if let Some(opening) = &mut state.opening {
            opening.tried = false;
            opening.owed.begin_round();
        }
        let mut moved = false;
        state.busy = true;
        for _ in 0..PASSES {
            let progressed = std::mem::take(&mut round.progress);
            round.touched = false;
            round.small_waits = false;
            open_next(state, &mut round, progressed)?;
            for pump in &mut state.pumps {
                pump.step(&mut round)?;
            }
            state.pumps.retain(|pump| !pump.finished);
            moved |= round.progress;
            let behind = std::mem::take(&mut round.behind);
            if behind {
                round.drain = true;
                state.pumps.iter_mut().for_each(Pump::read_again);
            }
            let released = std::mem::replace(&mut round.hold, round.small_waits) && !round.small_waits;
            if !round.progress && !round.touched && !behind && !released {
                state.busy = false;
                break;
            }
        }
        state.small_waits = round.small_waits;
        // All channels were busy delivering: the first that has room reads.
        state.unread = round.drain || state.busy;
        self.streams.store(u32::try_from(state.pumps.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        if round.drain && !state.busy && ready.contains(PollFlags::HUP) {
            return Err(ConnectError::new(LinkCause::Closed, format!("the SSH session of {} was closed by the server", self.target)));
        }
        state.waiting = round.waiting;
        let now = Instant::now();
        let owed = state.owes();
        state.stalled = match state.stalled {
            Some(since) if owed && !moved => Some(since),
            _ => owed.then_some(now),
        };
        if state.stalled.is_some_and(|since| now - since >= self.deadlines.stall) {
            let seconds = self.deadlines.stall.as_secs();
            let message = format!("the network to {} took no byte for {seconds} s: the SSH session is given up", self.target);
            return Err(ConnectError::new(LinkCause::NoAnswer, message));
        }
        if let Some(opening) = &state.opening
            && now > opening.deadline + self.deadlines.stall
        {
            let message = format!("sshd on {} does not answer requests: the SSH session is given up", self.target);
            return Err(ConnectError::new(LinkCause::NoAnswer, message));
        }
        if now >= state.keepalive {
            if round.may_send_small() {
                session.keepalive_send().map_err(|error| session_lost(&error, &self.target))?;
                state.keepalive = now + self.deadlines.keepalive;
            } else {
                state.keepalive = now + Duration::from_secs(1);
            }
        }
        Ok(())
    }
}

/// Tells the server at once that its bytes are here. sshd sends an answer in several small packets, each of which waits for the word that the one
/// before it has come (RFC 896), and the kernel keeps that word back for up to 40 ms (RFC 1122, 4.2.3.2): every question would take so long.
fn acknowledge(socket: &OwnedFd) {
    // The kernel forgets it again by itself. What is no TCP socket (the end of a bastion's channel) has no such word.
    #[cfg(target_os = "linux")]
    let _none_to_keep_back = rustix::net::sockopt::set_tcp_quickack(socket, true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Moves the head of the queue; libssh2 keeps one state for all openings, so only the head is ever tried. `progressed`: the last pass moved
/// something, which may have been its turn or its answer.
fn open_next(state: &mut State, round: &mut Round<'_>, progressed: bool) -> Result<(), ConnectError> {
    let now = Instant::now();
    state.queue.retain_mut(|request| request.deadline > now && !request.reply.is_closed());
    loop {
        let opening = match &mut state.opening {
            Some(opening) => opening,
            None => {
                let Some(request) = state.queue.pop_front() else { return Ok(()) };
                let OpenRequest { target, deadline, reply } = request;
                state.opening.insert(Opening { target, deadline, reply: Some(reply), started: None, owed: Owed::default(), tried: false })
            }
        };
        if opening.deadline <= now
            && let Some(reply) = opening.reply.take()
        {
            let _nobody_waits = reply.send(Err(OpenError::Late));
        }
        if opening.tried && !progressed && !opening.owed.due(round) {
            return Ok(());
        }
        let (outcome, error) = opening.attempt(round);
        let result = match outcome {
            Called::Blocked => {
                opening.tried = true;
                return Ok(());
            }
            Called::SessionOver(error) => return Err(error),
            Called::Done(channel) => Ok(channel),
            Called::ChannelOver => Err(error),
        };
        round.behind = true;
        let reply = opening.reply.take();
        let is_command = matches!(opening.target, Target::Command(_));
        state.opening = None;
        round.progress = true;
        match result {
            Ok(channel) => state.pumps.extend(connect(channel, reply, is_command)),
            Err(error) => {
                if let Some(reply) = reply {
                    let _nobody_waits = reply.send(Err(error));
                }
            }
        }
    }
}

impl Opening {
    fn attempt(&mut self, round: &mut Round<'_>) -> (Called<ssh2::Channel>, OpenError) {
        let session = round.session();
        let result = match (&self.target, self.started.as_mut()) {
            (Target::Socket(path), _) => session.channel_direct_streamlocal(path, None),
            (Target::Tcp(host, port), _) => session.channel_direct_tcpip(host, *port, None),
            (Target::Command(_), None) => session.channel_session(),
            (Target::Command(command), Some(channel)) => channel.exec(command).map(|()| channel.clone()),
        };
        let refusal = result.as_ref().err().map(refusal);
        let called = match (round.called(result, &mut self.owed), &self.target) {
            (Called::Done(channel), Target::Command(_)) if self.started.is_none() => {
                self.started = Some(channel);
                return self.attempt(round);
            }
            (called, _) => called,
        };
        (called, refusal.unwrap_or(OpenError::Late))
    }
}

fn refusal(error: &ssh2::Error) -> OpenError {
    let text = error.message().to_owned();
    let forbidden = text.contains("prohibited") || text.contains("unknown channel type");
    debug_assert!(code(error) != EAGAIN || !forbidden);
    if code(error) == CHANNEL_FAILURE && forbidden { OpenError::Prohibited(text) } else { OpenError::Failed(text) }
}

/// Joins an opened channel with a local socket and hands the other end to who asked; `None`: nothing to serve.
fn connect(channel: ssh2::Channel, reply: Option<oneshot::Sender<Result<Opened, OpenError>>>, is_command: bool) -> Option<Pump> {
    let state = Arc::new(StreamState::default());
    let pair = UnixStream::pair().and_then(|(ours, theirs)| {
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok((ours, theirs))
    });
    let (ours, theirs) = match pair {
        Ok(pair) => pair,
        Err(error) => {
            if let Some(reply) = reply {
                let _nobody_waits = reply.send(Err(OpenError::Failed(format!("no local socket can be made: {error}"))));
            }
            // Without a socket of its own there is no pump; the channel is freed with the session.
            return None;
        }
    };
    let (report, end) = is_command.then(oneshot::channel).unzip();
    let mut pump = Pump::new(channel, ours, Arc::clone(&state), report);
    let opened = Opened { socket: theirs, state, end };
    if reply.is_none_or(|reply| reply.send(Ok(opened)).is_err()) {
        pump.start_closing();
    }
    Some(pump)
}
