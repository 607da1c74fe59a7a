//! The thread that reads the terminal.
//!
//! It notices a terminal that is gone by itself: an application that writes nothing while nothing changes would
//! never learn it from a failed write.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::decode::Decoder;
use super::{Event, STACK};

/// How often a full channel is tried again. Reading pauses meanwhile, so the terminal's own buffer holds the rest.
const RETRY: Duration = Duration::from_millis(10);

/// How long [`Input::pause`] waits for the thread to take its hands off the terminal.
const PAUSE_LIMIT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Read,
    Pause,
    End,
}

struct State {
    wish: Wish,
    reading: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owner of the reading thread: dropping it ends the thread.
pub(super) struct Input {
    shared: Arc<Shared>,
    wake: OwnedFd,
    thread: Option<thread::JoinHandle<()>>,
}

impl Input {
    /// Starts reading `terminal`. Events go to `events` (overflow: reading waits); that the terminal is gone goes to
    /// `urgent`.
    pub(super) fn start(terminal: OwnedFd, events: mpsc::Sender<Event>, urgent: mpsc::Sender<Event>) -> io::Result<Self> {
        let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { state: Mutex::new(State { wish: Wish::Read, reading: true }), changed: Condvar::new() });
        let reader = Reader { terminal, woken, shared: Arc::clone(&shared), events, decoder: Decoder::default(), waiting: VecDeque::new() };
        let thread = thread::Builder::new().name("terminal-in".into()).stack_size(STACK).spawn(move || {
            let shared = Arc::clone(&reader.shared);
            if reader.run() == End::TerminalGone {
                tracing::warn!("the terminal is gone: it hung up");
                // Full means that the loop has not run for a while; it finds the closed channel when it does.
                let _ = urgent.try_send(Event::Dead);
            }
            shared.lock().reading = false;
            shared.changed.notify_all();
        })?;
        Ok(Self { shared, wake, thread: Some(thread) })
    }

    /// Stops reading: when this returns, every key goes to whoever else reads the terminal.
    pub(super) fn pause(&self) {
        self.wish(Wish::Pause);
        let deadline = Instant::now() + PAUSE_LIMIT;
        let mut state = self.shared.lock();
        while state.reading && Instant::now() < deadline {
            state = self.shared.changed.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Reads again.
    pub(super) fn resume(&self) {
        self.wish(Wish::Read);
    }

    fn wish(&self, wish: Wish) {
        self.shared.lock().wish = wish;
        // A full pipe wakes as well, and a closed one means that the thread has ended.
        let _ = rustix::io::write(&self.wake, b"!");
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.wish(Wish::End);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Asked,
    TerminalGone,
}

struct Reader {
    terminal: OwnedFd,
    woken: OwnedFd,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    decoder: Decoder,
    /// Decoded, and not taken by the channel yet. Bounded: nothing is read while something waits here.
    waiting: VecDeque<crossterm::event::Event>,
}

impl Reader {
    fn run(mut self) -> End {
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        loop {
            let reading = match self.obey() {
                Wish::End => return End::Asked,
                Wish::Pause => false,
                Wish::Read => match self.hand_over() {
                    Ok(empty) => empty,
                    // The loop is gone.
                    Err(()) => return End::Asked,
                },
            };
            let limit = match () {
                () if !self.waiting.is_empty() => Some(RETRY),
                () if reading => self.decoder.rest(),
                () => None,
            };
            let interest = if reading { PollFlags::IN } else { PollFlags::empty() };
            let mut fds =
                [PollFd::from_borrowed_fd(self.terminal.as_fd(), interest), PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN)];
            let found = match poll(&mut fds, limit.map(timespec).as_ref()) {
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(_) => return End::TerminalGone,
            };
            let (terminal, woken) = (fds[0].revents(), fds[1].revents());
            if terminal.intersects(gone) {
                return End::TerminalGone;
            }
            if woken.contains(PollFlags::IN) {
                // Non-blocking; the content means nothing.
                let _ = rustix::io::read(&self.woken, &mut [0; 64]);
                continue;
            }
            if terminal.contains(PollFlags::IN) {
                let mut bytes = [0; 1024];
                match rustix::io::read(&self.terminal, &mut bytes) {
                    Ok(0) => return End::TerminalGone,
                    Ok(count) => self.decoder.feed(&bytes[..count], &mut self.waiting),
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(_) => return End::TerminalGone,
                }
            } else if found == 0 && reading {
                self.decoder.settle(&mut self.waiting);
            }
        }
    }

    /// What the owner wishes; tells it whether the terminal is being read.
    fn obey(&self) -> Wish {
        let mut state = self.shared.lock();
        let reading = state.wish == Wish::Read;
        if state.reading != reading {
            state.reading = reading;
            self.shared.changed.notify_all();
        }
        state.wish
    }

    /// Hands decoded events over; whether all were taken. An error means that nobody listens any more.
    fn hand_over(&mut self) -> Result<bool, ()> {
        while let Some(event) = self.waiting.pop_front() {
            let Some(ours) = Event::of(&event) else { continue };
            match self.events.try_send(ours) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    self.waiting.push_front(event);
                    return Ok(false);
                }
                Err(TrySendError::Closed(_)) => return Err(()),
            }
        }
        Ok(true)
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn rig(capacity: usize) -> (Input, OwnedFd, mpsc::Receiver<Event>, mpsc::Receiver<Event>) {
        let (terminal, keyboard) = rustix::pipe::pipe().expect("a pipe");
        let (events, received) = mpsc::channel(capacity);
        let (urgent, told) = mpsc::channel(4);
        let input = Input::start(terminal, events, urgent).expect("a thread");
        (input, keyboard, received, told)
    }

    fn typed(keyboard: &OwnedFd, text: &[u8]) {
        assert_eq!(rustix::io::write(keyboard, text).expect("open"), text.len());
    }

    async fn next(events: &mut mpsc::Receiver<Event>) -> KeyCode {
        match tokio::time::timeout(LIMIT, events.recv()).await.expect("in time") {
            Some(Event::Key(key)) => key.code,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn more_than_the_channel_holds_waits_and_nothing_is_lost() {
        let (_input, keyboard, mut events, _) = rig(16);
        let text: Vec<u8> = (0..600).map(|n| b'a' + (n % 26) as u8).collect();
        typed(&keyboard, &text);
        for expected in text {
            assert_eq!(next(&mut events).await, KeyCode::Char(char::from(expected)));
        }
    }

    #[tokio::test]
    async fn a_lone_escape_is_a_key_after_a_moment() {
        let (_input, keyboard, mut events, _) = rig(2);
        typed(&keyboard, b"\x1b");
        assert_eq!(next(&mut events).await, KeyCode::Esc);
    }

    #[tokio::test]
    async fn a_paused_input_leaves_the_bytes_to_others() {
        let (input, keyboard, mut events, _) = rig(2);
        input.pause();
        typed(&keyboard, b"x");
        assert!(events.try_recv().is_err());
        input.resume();
        assert_eq!(next(&mut events).await, KeyCode::Char('x'));
    }

    #[tokio::test]
    async fn a_terminal_that_hangs_up_is_reported_even_while_paused() {
        for paused in [false, true] {
            let (input, keyboard, mut events, mut urgent) = rig(2);
            if paused {
                input.pause();
            }
            drop(keyboard);
            assert!(matches!(tokio::time::timeout(LIMIT, urgent.recv()).await.expect("in time"), Some(Event::Dead)));
            assert!(events.recv().await.is_none(), "the thread ended");
        }
    }

    #[test]
    fn dropping_ends_the_thread_even_when_nobody_takes_events() {
        let (input, keyboard, _events, _) = rig(1);
        typed(&keyboard, b"abcdef");
        drop(input);
        assert!(rustix::io::write(&keyboard, b"x").is_err(), "the thread let go of the terminal");
    }
}
