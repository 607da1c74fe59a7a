//! What libssh2 demands of its caller, in one place: the codes of its errors and the bookkeeping of one round of calls.
//!
//! The rules (transport.c): after "would block" the *same* call must be repeated with the same bytes, else nobody else's packet is
//! ever sent; every reading call takes packets of all channels off the socket, so the socket alone never tells that a channel has
//! data; some small packets are built on the stack and must therefore go out whole.
//!
//! At most one packet is half sent, and libssh2 does not say whose: a call that waits behind it answers "would block" just as the one
//! whose packet it is. So every call that may owe is repeated when the socket takes bytes, none is believed about the socket, and each
//! packet that has gone ([`Round::sent`]) is a turn for all that waited behind it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode};

use crate::{engine::transport::ConnectError, fleet::LinkCause};

pub(super) const EAGAIN: i32 = -37;
pub(super) const CHANNEL_FAILURE: i32 = -21;
pub(super) const TIMEOUT: i32 = -9;
pub(super) const KEX_FAILURE: i32 = -5;
pub(super) const KEY_EXCHANGE_FAILURE: i32 = -8;
pub(super) const METHOD_NONE: i32 = -17;
pub(super) const AUTHENTICATION_FAILED: i32 = -18;
pub(super) const PUBLICKEY_UNVERIFIED: i32 = -19;
pub(super) const SOCKET_SEND: i32 = -7;
pub(super) const SOCKET_DISCONNECT: i32 = -13;
pub(super) const SOCKET_RECV: i32 = -43;

/// The number of a libssh2 error.
pub(super) fn code(error: &ssh2::Error) -> i32 {
    match error.code() {
        ErrorCode::Session(code) | ErrorCode::SFTP(code) => code,
    }
}

/// Whether the error ends one channel only: CHANNEL_FAILURE (-21) to CHANNEL_EOF_SENT (-27).
fn is_of_channel(code: i32) -> bool {
    (-27..=-21).contains(&code)
}

/// What came of one call.
pub(super) enum Called<T> {
    Done(T),
    /// Nothing yet; repeat it.
    Blocked,
    /// The channel is unusable, the session is not.
    ChannelOver,
    /// The session is over.
    SessionOver(ConnectError),
}

/// One round over all channels: what is known of the session's socket since it was last polled.
pub(super) struct Round<'a> {
    session: &'a ssh2::Session,
    socket: &'a OwnedFd,
    target: &'a str,
    /// The socket, or libssh2's buffer behind it, may have bytes that no call has looked at yet.
    pub(super) drain: bool,
    /// Whether calls that owe may be repeated: the poll found room, or none was known to owe.
    writable: bool,
    /// A call stopped at the packet it waited for: what came behind it in the same read stands in libssh2's own buffer, where no poll
    /// sees it. Every channel may read again.
    pub(super) behind: bool,
    /// A call was made that may have brought packets for channels that were already looked at.
    pub(super) touched: bool,
    /// A call waits for something that the poll set cannot show: look again soon.
    pub(super) waiting: bool,
    /// A packet may be half sent.
    pub(super) pending: bool,
    /// How many packets of calls that owed have gone.
    sent: u32,
    /// A small packet found no room: until it has gone, no new packet of data is begun, else a channel that always has more would
    /// keep the room for itself.
    pub(super) hold: bool,
    /// A small packet waits for room.
    pub(super) small_waits: bool,
    /// Bytes moved, in either direction.
    pub(super) progress: bool,
}

/// A call that stopped in the middle of sending, or behind another one: repeat it with the same bytes before all else.
#[derive(Debug, Default)]
pub(super) struct Owed {
    owes: bool,
    /// How many packets had gone when it was last repeated in this round.
    tried: Option<u32>,
}

impl Owed {
    /// Whether the call must be repeated.
    pub(super) fn is(&self) -> bool {
        self.owes
    }

    /// A new poll has happened.
    pub(super) fn begin_round(&mut self) {
        self.tried = None;
    }

    /// Whether repeating it now can bring anything.
    pub(super) fn due(&self, round: &Round<'_>) -> bool {
        self.owes && round.writable && self.tried != Some(round.sent)
    }
}

impl<'a> Round<'a> {
    /// `owed`: some call must be repeated; `unread`: the last round ended before anyone had read what may stand in libssh2's buffer;
    /// `hold`: a small packet waits since then.
    pub(super) fn new(
        session: &'a ssh2::Session,
        (socket, target): (&'a OwnedFd, &'a str),
        ready: PollFlags,
        owed: bool,
        unread: bool,
        hold: bool,
    ) -> Self {
        Self {
            session,
            socket,
            target,
            drain: unread || ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
            writable: !owed || ready.intersects(PollFlags::OUT),
            behind: false,
            touched: false,
            waiting: false,
            pending: owed,
            sent: 0,
            hold,
            small_waits: false,
            progress: false,
        }
    }

    pub(super) fn session(&self) -> &'a ssh2::Session {
        self.session
    }

    /// Sorts the result of a libssh2 call. `owed`: whether this call must be repeated before anything else can be sent.
    pub(super) fn called<T>(&mut self, result: Result<T, ssh2::Error>, owed: &mut Owed) -> Called<T> {
        let unread = std::mem::take(&mut self.drain);
        self.touched = true;
        let before = std::mem::take(&mut owed.owes);
        let called = match result {
            Ok(value) => Called::Done(value),
            Err(error) if code(&error) == EAGAIN => {
                owed.owes = matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both);
                Called::Blocked
            }
            Err(error) if is_of_channel(code(&error)) => Called::ChannelOver,
            Err(error) => Called::SessionOver(session_lost(&error, self.target)),
        };
        if owed.owes {
            self.pending = true;
            owed.tried = Some(self.sent);
            // It may have stopped before it read anything.
            self.drain = unread;
        } else if before {
            // Its packet has gone, so nothing is half sent now.
            self.pending = false;
            self.sent = self.sent.wrapping_add(1);
        }
        called
    }

    /// [`called`](Self::called) for a call that ends with one certain packet, and takes none after it.
    pub(super) fn called_for_one<T>(&mut self, result: Result<T, ssh2::Error>, owed: &mut Owed) -> Called<T> {
        let called = self.called(result, owed);
        self.behind |= !matches!(called, Called::Blocked);
        called
    }

    /// [`called`](Self::called) for a call that only sends.
    pub(super) fn called_to_send<T>(&mut self, result: Result<T, ssh2::Error>, owed: &mut Owed) -> Called<T> {
        let unread = self.drain;
        let called = self.called(result, owed);
        self.drain = unread;
        called
    }

    /// Whether a packet that libssh2 keeps on its stack may be sent now: nothing is half sent, and the socket has room for it whole.
    /// If not, it is waited for.
    pub(super) fn may_send_small(&mut self) -> bool {
        let may = !self.pending && {
            let mut fds = [PollFd::new(self.socket, PollFlags::OUT)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            // A poll that fails is as good as "no room": it is asked again.
            poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0) && fds[0].revents().contains(PollFlags::OUT)
        };
        self.small_waits |= !may;
        may
    }
}

/// ssh2's read and write speak `io::Error`, which keeps the words of a libssh2 error but not its number: the session still knows it.
pub(super) fn numbered<T>(result: io::Result<T>, session: &ssh2::Session) -> Result<T, ssh2::Error> {
    result.map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            return ssh2::Error::from_errno(ErrorCode::Session(EAGAIN));
        }
        let last = ssh2::Error::last_session_error(session).filter(|last| code(last) != EAGAIN);
        last.unwrap_or_else(|| ssh2::Error::from_errno(ErrorCode::Session(SOCKET_RECV)))
    })
}

/// The error of a session that ended.
pub(super) fn session_lost(error: &ssh2::Error, target: &str) -> ConnectError {
    let cause = match code(error) {
        SOCKET_SEND | SOCKET_DISCONNECT | SOCKET_RECV => LinkCause::Closed,
        TIMEOUT => LinkCause::NoAnswer,
        _ => LinkCause::Protocol,
    };
    ConnectError::new(cause, format!("the SSH session of {target} was lost: {}", error.message()))
}

/// Shuts the socket down in both directions: whoever waits on it wakes up, and no further call on it can block.
pub(super) fn hang_up(socket: impl AsFd) {
    // It fails only if the other side was faster.
    let _already_gone = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}
