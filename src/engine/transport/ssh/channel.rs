//! One channel: bytes between its local socket and libssh2, in both directions, with back-pressure.
//!
//! A consumer that does not read is not read for: the window of its channel fills (2 MiB) and stops the sender of this one alone.
//! Buffers never move and are never extended while a call on them is pending (see [`wire`](super::wire)).

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};
use tokio::sync::oneshot;

use super::{
    stream::{ExecEnd, StreamState},
    wire::{Called, Owed, Round, numbered},
};
use crate::engine::transport::ConnectError;

/// One buffer a direction.
const BUFFER: usize = 64 * 1024;
/// What is kept of a command's standard error: its end.
const STDERR_KEPT: usize = 4096;
/// Turns of one channel before the next one gets its own.
const FAIR_TURNS: usize = 8;
/// How long the other side may take to confirm that a channel is closed before it is forgotten.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn fill(&mut self, count: usize) {
        self.start = 0;
        self.end = count;
    }
}

/// One channel and its local socket.
pub(super) struct Pump {
    channel: ssh2::Channel,
    local: UnixStream,
    state: Arc<StreamState>,
    report: Option<oneshot::Sender<ExecEnd>>,
    stderr: Vec<u8>,
    /// Local socket → channel.
    up: Buffer,
    /// Channel → local socket.
    down: Buffer,
    local_readable: bool,
    local_writable: bool,
    /// The local side has shut its writing half.
    up_ended: bool,
    eof_sent: bool,
    /// The other side has ended the stream.
    down_ended: bool,
    down_shut: bool,
    /// The local side is closed altogether.
    local_gone: bool,
    write_owed: Owed,
    read_owed: Owed,
    /// A write that others waited behind has ended in this pass: theirs is the next packet.
    yields: bool,
    /// Calls that gave nothing since the last poll; without new evidence they are not repeated.
    read_tried: bool,
    /// The window that such a write had before it: a wider one, which any read may bring, is new evidence.
    write_tried: Option<u32>,
    close_tried: bool,
    end_tried: bool,
    closing: Option<Instant>,
    /// Nothing is left to do: drop it.
    pub(super) finished: bool,
}

impl Pump {
    pub(super) fn new(
        channel: ssh2::Channel,
        local: UnixStream,
        state: Arc<StreamState>,
        report: Option<oneshot::Sender<ExecEnd>>,
    ) -> Self {
        Self {
            channel,
            local,
            state,
            report,
            stderr: Vec::new(),
            up: Buffer::new(),
            down: Buffer::new(),
            local_readable: true,
            local_writable: true,
            up_ended: false,
            eof_sent: false,
            down_ended: false,
            down_shut: false,
            local_gone: false,
            write_owed: Owed::default(),
            read_owed: Owed::default(),
            yields: false,
            read_tried: false,
            write_tried: None,
            close_tried: false,
            end_tried: false,
            closing: None,
            finished: false,
        }
    }

    /// What to wait for on the local socket; `None` once it is closed, as the poll would report that for ever.
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        if self.local_gone {
            return None;
        }
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.up.is_empty() && !self.up_ended);
        wanted.set(PollFlags::OUT, !self.down.is_empty());
        Some(PollFd::from_borrowed_fd(self.local.as_fd(), wanted))
    }

    /// Takes what the poll said. Called once a poll for every channel that gave a [`poll_fd`](Self::poll_fd).
    pub(super) fn polled(&mut self, ready: PollFlags) {
        self.local_readable |= ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        self.local_writable |= ready.intersects(PollFlags::OUT);
        self.local_gone |= ready.intersects(PollFlags::HUP | PollFlags::ERR);
    }

    /// A new poll has happened: every call may be tried again.
    pub(super) fn begin_round(&mut self) {
        self.read_tried = false;
        self.write_tried = None;
        self.write_owed.begin_round();
        self.read_owed.begin_round();
        self.close_tried = false;
        self.end_tried = false;
    }

    /// There may be bytes that a read of this round has not seen.
    pub(super) fn read_again(&mut self) {
        self.read_tried = false;
    }

    pub(super) fn owes(&self) -> bool {
        self.write_owed.is() || self.read_owed.is()
    }

    /// Whether it would take packets off the network now. `pending`: a packet may be half sent.
    pub(super) fn wants_input(&self, pending: bool) -> bool {
        let waits_for_word = self.closing.is_some() || !self.up.is_empty();
        let waits_for_end = self.report.is_some() && self.down_shut;
        let has_room = self.down.is_empty() && !self.down_ended && !self.local_gone && !self.read_owed.is();
        (waits_for_word && !pending) || waits_for_end || has_room
    }

    /// Moves what can be moved.
    pub(super) fn step(&mut self, round: &mut Round<'_>) -> Result<(), ConnectError> {
        if self.closing.is_some() {
            return self.close(round);
        }
        self.yields = false;
        let mut moved = true;
        for _ in 0..FAIR_TURNS {
            moved = self.pull_up() | self.push_up(round)? | self.pull_down(round)? | self.push_down();
            round.progress |= moved;
            if !moved {
                break;
            }
        }
        self.end_sides(round)?;
        let both_ended = self.down_shut && self.eof_sent && self.report.is_none();
        // Two sides that are both shut look like one that is closed; whoever still waits for a command's end is there.
        let end_awaited = self.down_shut && self.report.as_ref().is_some_and(|report| !report.is_closed());
        if (both_ended || (self.local_gone && !moved && !end_awaited)) && !self.owes() {
            self.start_closing();
            self.close(round)?;
        }
        Ok(())
    }

    /// Local socket → buffer.
    fn pull_up(&mut self) -> bool {
        if !self.up.is_empty() || self.up_ended || !self.local_readable {
            return false;
        }
        match self.local.read(&mut self.up.bytes) {
            Ok(0) => self.up_ended = true,
            Ok(count) => {
                // A short read emptied the socket: the poll will say when there is more.
                self.local_readable = count == BUFFER || self.local_gone;
                self.up.fill(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.local_readable = false;
                self.local_gone |= error.kind() != io::ErrorKind::WouldBlock;
                return false;
            }
        }
        true
    }

    /// Buffer → channel.
    fn push_up(&mut self, round: &mut Round<'_>) -> Result<bool, ConnectError> {
        let room = self.channel.write_window().remaining;
        let owed = self.write_owed.is();
        let due = if owed {
            self.write_owed.due(round)
        } else if self.up.is_empty() || self.yields || round.hold {
            false
        } else {
            // Without a window the call only reads, and makes libssh2 forget that a packet is half sent.
            self.write_tried.map_or(room > 0 || (round.drain && !round.pending), |tried| room > tried)
        };
        if !due {
            return Ok(false);
        }
        let result = numbered(self.channel.write(self.up.filled()), round.session());
        match round.called(result, &mut self.write_owed) {
            Called::Done(0) => self.write_tried = Some(room),
            Called::Done(count) => {
                self.up.start += count;
                self.write_tried = None;
                self.yields = owed;
                return Ok(true);
            }
            Called::Blocked => {
                self.write_tried = Some(room);
                round.waiting |= !self.write_owed.is() && self.channel.write_window().remaining > 0;
            }
            Called::ChannelOver => {
                self.up.fill(0);
                self.up_ended = true;
                self.eof_sent = true;
            }
            Called::SessionOver(error) => return Err(error),
        }
        Ok(false)
    }

    /// Channel → buffer. A call that is stuck in a window adjustment is repeated even when the consumer is gone.
    fn pull_down(&mut self, round: &mut Round<'_>) -> Result<bool, ConnectError> {
        if !self.down.is_empty() || self.down_ended {
            return Ok(false);
        }
        let window = self.channel.read_window();
        // libssh2 widens the window below this mark, and only inside a read.
        let narrow = u64::from(window.remaining) < u64::from(window.window_size_initial) / 4 * 3 + BUFFER as u64;
        let evident = !self.local_gone && (window.available > 0 || self.channel.eof());
        let due = if self.read_owed.is() {
            self.read_owed.due(round)
        } else {
            evident || (!self.local_gone && !self.read_tried && (round.drain || narrow))
        };
        if !due {
            return Ok(false);
        }
        self.read_tried = true;
        let result = numbered(self.channel.read(&mut self.down.bytes), round.session());
        match round.called(result, &mut self.read_owed) {
            Called::Done(0) if self.channel.eof() => {
                self.down_ended = true;
                return Ok(true);
            }
            Called::Done(0) => {}
            Called::Done(count) => {
                self.down.fill(count);
                return Ok(true);
            }
            Called::Blocked => round.waiting |= narrow,
            Called::ChannelOver => {
                self.down_ended = true;
                return Ok(true);
            }
            Called::SessionOver(error) => return Err(error),
        }
        // What is there, but is not of the main stream, is of the error stream: it must be read, or the window never opens.
        if evident && !self.read_owed.is() { self.pull_stderr(round) } else { Ok(false) }
    }

    fn pull_stderr(&mut self, round: &mut Round<'_>) -> Result<bool, ConnectError> {
        // The same length as any other read: libssh2 counts a half-sent window adjustment by the length of the call that repeats it,
        // and with another one both sides disagree about the window and bytes are dropped.
        let result = numbered(self.channel.stderr().read(&mut self.down.bytes), round.session());
        match round.called(result, &mut self.read_owed) {
            Called::Done(count) if count > 0 => {
                self.stderr.extend_from_slice(&self.down.bytes[..count]);
                let excess = self.stderr.len().saturating_sub(STDERR_KEPT);
                self.stderr.drain(..excess);
                Ok(true)
            }
            Called::Done(_) | Called::Blocked | Called::ChannelOver => Ok(false),
            Called::SessionOver(error) => Err(error),
        }
    }

    /// Buffer → local socket.
    fn push_down(&mut self) -> bool {
        if self.down.is_empty() || !self.local_writable && !self.local_gone {
            return false;
        }
        match self.local.write(self.down.filled()) {
            Ok(count) => self.down.start += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.local_writable = false;
                if !self.local_gone {
                    return false;
                }
                self.down.fill(0);
            }
            Err(_) => {
                self.local_gone = true;
                self.down.fill(0);
            }
        }
        true
    }

    /// Passes the ends of both directions on, once all before them is through.
    fn end_sides(&mut self, round: &mut Round<'_>) -> Result<(), ConnectError> {
        if self.down_ended && self.down.is_empty() && !self.down_shut {
            self.down_shut = true;
            self.state.ended.store(true, Ordering::Release);
            // The consumer may have closed first: then nobody needs to know.
            let _consumer_gone = self.local.shutdown(Shutdown::Write);
        }
        if self.down_shut && self.report.is_some() {
            self.tell_end(round)?;
        }
        if self.up_ended && self.up.is_empty() && !self.eof_sent && !self.local_gone {
            if !round.may_send_small() {
                return Ok(());
            }
            let result = self.channel.send_eof();
            match round.called_to_send(result, &mut self.write_owed) {
                Called::Done(()) | Called::ChannelOver => self.eof_sent = true,
                Called::Blocked => {
                    self.write_owed = Owed::default();
                    round.waiting = true;
                }
                Called::SessionOver(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reports how a command ended. Its status comes after the end of its output and before the close of the channel: that is
    /// waited for, and ours is not sent before, as sshd then would forget the status.
    fn tell_end(&mut self, round: &mut Round<'_>) -> Result<(), ConnectError> {
        if self.end_tried {
            round.waiting = true;
            return Ok(());
        }
        self.end_tried = true;
        let result = self.channel.wait_close();
        match round.called_for_one(result, &mut Owed::default()) {
            Called::Done(()) | Called::ChannelOver => {
                let end = ExecEnd { status: self.channel.exit_status().unwrap_or(-1), stderr: std::mem::take(&mut self.stderr) };
                if let Some(report) = self.report.take() {
                    // Nobody may be interested any more.
                    let _unread = report.send(end);
                }
            }
            Called::Blocked => round.waiting = true,
            Called::SessionOver(error) => return Err(error),
        }
        Ok(())
    }

    /// Begins to close; what was not yet delivered is dropped.
    pub(super) fn start_closing(&mut self) {
        self.closing.get_or_insert_with(Instant::now);
        self.local_gone = true;
        self.report = None;
    }

    /// Repeats the closing call until the other side has confirmed: a channel dropped earlier would stay in libssh2 for ever.
    fn close(&mut self, round: &mut Round<'_>) -> Result<(), ConnectError> {
        if self.close_tried {
            round.waiting = true;
            return Ok(());
        }
        if !round.may_send_small() {
            return Ok(());
        }
        self.close_tried = true;
        let result = self.channel.close();
        match round.called_for_one(result, &mut self.write_owed) {
            Called::Done(()) | Called::ChannelOver => self.finished = true,
            Called::Blocked => {
                self.write_owed = Owed::default();
                round.waiting = true;
                self.finished = self.closing.is_some_and(|since| since.elapsed() > CLOSE_PATIENCE);
            }
            Called::SessionOver(error) => return Err(error),
        }
        round.progress |= self.finished;
        Ok(())
    }
}
