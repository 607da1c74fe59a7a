//! The thread that writes to the terminal, so that a stalled one (a slow link, ^S, a frozen window) never holds the
//! application.
//!
//! Owns the one slot between the loop and the terminal. Everything that goes to the terminal goes through it: frames,
//! the bell, the clipboard, mode changes. So nothing can end up inside something else.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use thiserror::Error;
use tokio::sync::Notify;

use super::STACK;
use crate::ui::backend::Sink;

/// How many bytes beside frames may wait for the writer: one clipboard sequence of the largest size and some bells.
const ASIDE_LIMIT: usize = 100_000;

/// Why bytes beside a frame were refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AsideError {
    /// Earlier bytes still wait for a terminal that does not read.
    #[error("the terminal does not take what was sent to it before; try again when it answers")]
    Busy,
    /// The terminal is gone or given away.
    #[error("the terminal is not ours to write to now")]
    Gone,
}

/// Whether the terminal took bytes that had to be there at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Taken,
    /// It did not read in time, or is dead.
    Missed,
}

#[derive(Default)]
struct Slot {
    // A frame waits for the thread to wake; `ready` is false meanwhile, so there is never a second.
    frame: Option<Vec<u8>>,
    // Bytes that go behind the frame. Overflow: refused to the caller, who tells the person.
    aside: Vec<u8>,
    writing: bool,
    held: bool,
    closed: bool,
    dead: bool,
}

struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
    freed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Nothing panics while it holds the lock, and a poisoned slot is still a consistent one.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the writer thread. Cheap to clone; the thread ends after [`Writer::close`].
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("ready", &self.ready()).finish()
    }
}

impl Writer {
    /// Starts the thread on `terminal`. `on_death` runs on that thread, once, when a write fails for good.
    pub fn start(terminal: OwnedFd, on_death: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { slot: Mutex::default(), changed: Condvar::new(), freed: Notify::new() });
        let writer = Self { shared: Arc::clone(&shared) };
        // Not joined: a thread that hangs in a write to a stalled terminal must not hold the exit.
        thread::Builder::new().name("terminal-out".into()).stack_size(STACK).spawn(move || {
            if run(&shared, &terminal) == Delivery::Missed {
                on_death();
            }
        })?;
        Ok(writer)
    }

    /// Whether a frame would be taken now: none is waiting or being written, and the terminal is ours.
    pub fn ready(&self) -> bool {
        let slot = self.shared.lock();
        !(slot.writing || slot.frame.is_some() || slot.held || slot.closed || slot.dead)
    }

    /// Hands one frame over. Call it only when [`Writer::ready`]; a frame that comes too early is dropped, because
    /// a second one would be older than what the application could draw by then.
    pub fn submit(&self, frame: Vec<u8>) {
        let mut slot = self.shared.lock();
        if !(slot.held || slot.closed || slot.dead) && slot.frame.is_none() {
            slot.frame = Some(frame);
            self.shared.changed.notify_all();
        }
    }

    /// Sends bytes that belong to no frame (bell, clipboard), behind the frame that waits, if one does.
    pub fn aside(&self, bytes: &[u8]) -> Result<(), AsideError> {
        let mut slot = self.shared.lock();
        if slot.held || slot.closed || slot.dead {
            return Err(AsideError::Gone);
        }
        if slot.aside.len() + bytes.len() > ASIDE_LIMIT {
            return Err(AsideError::Busy);
        }
        slot.aside.extend_from_slice(bytes);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until the slot became free since the last call. Wakes at most one waiter; only the loop waits.
    pub async fn freed(&self) {
        self.shared.freed.notified().await;
    }

    /// Whether the terminal refused a write for good.
    pub fn is_dead(&self) -> bool {
        self.shared.lock().dead
    }

    /// Ends the thread as soon as it is not writing; what waits is dropped.
    pub fn close(&self) {
        let mut slot = self.shared.lock();
        slot.closed = true;
        slot.frame = None;
        slot.aside.clear();
        self.shared.changed.notify_all();
    }

    /// Takes the terminal away from frames (`held`) or gives it back, with the bytes that do so. A frame that waited is
    /// dropped, for the next one repaints; a clipboard text that waited still goes out. Waits until the terminal took
    /// the bytes, at most `limit`.
    pub(super) fn switch(&self, held: bool, bytes: &[u8], limit: Duration) -> Delivery {
        let deadline = Instant::now() + limit;
        let mut slot = self.shared.lock();
        slot.held = held;
        if slot.closed || slot.dead {
            return Delivery::Missed;
        }
        slot.frame = None;
        slot.aside.extend_from_slice(bytes);
        self.shared.changed.notify_all();
        while slot.writing || !slot.aside.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || slot.dead {
                return Delivery::Missed;
            }
            slot = self.shared.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if slot.dead { Delivery::Missed } else { Delivery::Taken }
    }
}

impl Sink for Writer {
    fn ready(&self) -> bool {
        Writer::ready(self)
    }
    fn submit(&self, frame: Vec<u8>) {
        Writer::submit(self, frame);
    }
}

/// Writes what comes until closed (`Taken`) or until the terminal is dead (`Missed`).
fn run(shared: &Shared, terminal: &OwnedFd) -> Delivery {
    loop {
        let bytes = {
            let mut slot = shared.lock();
            while slot.frame.is_none() && slot.aside.is_empty() && !slot.closed {
                slot = shared.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
            if slot.closed {
                return Delivery::Taken;
            }
            slot.writing = true;
            let mut bytes = slot.frame.take().unwrap_or_default();
            bytes.append(&mut slot.aside);
            bytes
        };
        let written = write_all(shared, terminal, &bytes);
        {
            let mut slot = shared.lock();
            slot.writing = false;
            slot.dead |= written.is_err();
            shared.changed.notify_all();
        }
        shared.freed.notify_one();
        if let Err(error) = written {
            tracing::warn!(%error, "the terminal is gone: a write failed");
            return Delivery::Missed;
        }
    }
}

fn write_all(shared: &Shared, terminal: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(terminal, bytes) {
            Ok(count) => bytes = &bytes[count.min(bytes.len())..],
            Err(Errno::INTR) => {}
            // Someone who shares the terminal made it non-blocking.
            Err(Errno::AGAIN) => {
                if shared.lock().closed {
                    return Ok(());
                }
                let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                match poll(&mut [PollFd::new(terminal, PollFlags::OUT)], Some(&wait)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn pipe() -> (std::fs::File, OwnedFd) {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        (reader.into(), writer)
    }

    fn until(what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn bytes_arrive_in_order_and_the_slot_is_freed() {
        let (mut reader, end) = pipe();
        let writer = Writer::start(end, || {}).expect("a thread");
        assert!(writer.ready());
        writer.submit(b"frame".to_vec());
        until("free again", || writer.ready());
        writer.aside(b"bell").expect("room");
        assert_eq!(writer.switch(true, b"leave", LIMIT), Delivery::Taken);
        assert!(!writer.ready(), "given away");
        writer.submit(b"late frame".to_vec());
        assert_eq!(writer.aside(b"late bell"), Err(AsideError::Gone));
        assert_eq!(writer.switch(false, b"enter", LIMIT), Delivery::Taken);
        writer.close();
        let mut seen = String::new();
        reader.read_to_string(&mut seen).expect("the thread ends and closes its end");
        assert_eq!(seen, "framebellleaveenter");
    }

    #[test]
    fn a_stalled_terminal_holds_nobody() {
        let (mut reader, end) = pipe();
        let writer = Writer::start(end, || {}).expect("a thread");
        writer.submit(vec![b'x'; 1 << 20]);
        assert!(!writer.ready());
        reader.read_exact(&mut [0]).expect("the thread is writing now");
        writer.submit(b"second".to_vec());
        assert_eq!(writer.aside(&vec![b'y'; ASIDE_LIMIT]), Ok(()));
        assert_eq!(writer.aside(b"z"), Err(AsideError::Busy));
        assert_eq!(writer.switch(true, b"leave", Duration::from_millis(30)), Delivery::Missed);
        writer.close();
        drop(reader);
    }

    #[tokio::test]
    async fn the_loop_is_told_when_the_slot_is_free() {
        let (_reader, end) = pipe();
        let writer = Writer::start(end, || {}).expect("a thread");
        writer.submit(b"frame".to_vec());
        tokio::time::timeout(LIMIT, writer.freed()).await.expect("told");
        assert!(writer.ready());
        writer.close();
    }

    #[test]
    fn a_dead_terminal_is_reported_once() {
        let (reader, end) = pipe();
        drop(reader);
        let (tell, told) = mpsc::channel();
        let writer = Writer::start(end, move || tell.send(()).expect("the test listens")).expect("a thread");
        writer.submit(b"frame".to_vec());
        told.recv_timeout(LIMIT).expect("reported");
        assert!(writer.is_dead() && !writer.ready());
        assert!(told.recv().is_err(), "the thread ended");
    }
}
