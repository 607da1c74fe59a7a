//! The thread that turns signals into events.
//!
//! The first signal to end asks the loop; a later one ends the process from here, with the terminal restored, so that
//! a loop that hangs can still be ended without `kill -9`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};
use tokio::sync::{mpsc, watch};

use ratatui::layout::Size;

use super::{Event, STACK, modes, window_size};

/// Signals to end this close together are one wish: a closing window sends several.
const ONE_WISH: Duration = Duration::from_millis(200);

/// A dragged window changes its size many times a second; one repaint in this time is enough.
const RESIZE_REST: Duration = Duration::from_millis(25);

/// What the signal thread must know about who has the terminal.
#[derive(Debug, Default)]
pub(super) struct Away {
    /// A child program has the terminal: keys that make signals are meant for it.
    pub(super) child: AtomicBool,
    /// We stopped ourselves, and repaint by ourselves when continued.
    pub(super) stopping: AtomicBool,
}

/// Owner of the thread: dropping it ends the thread.
pub(super) struct SignalWatch {
    handle: Handle,
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

pub(super) fn watch(away: Arc<Away>, events: mpsc::Sender<Event>, size: watch::Sender<Size>) -> io::Result<SignalWatch> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH])?;
    let handle = signals.handle();
    thread::Builder::new().name("signals".into()).stack_size(STACK).spawn(move || {
        let mut asked: Option<Instant> = None;
        for signal in signals.forever() {
            let child = away.child.load(Ordering::Acquire);
            match signal {
                SIGWINCH => {
                    thread::sleep(RESIZE_REST);
                    if let Ok(now) = window_size() {
                        size.send_if_modified(|last| std::mem::replace(last, now) != now);
                    }
                }
                // The terminal sends these to its whole foreground group; the child decides what they mean.
                SIGINT | SIGQUIT if child => {}
                SIGTSTP if child => stop_self(),
                SIGTSTP => send(&events, Event::Suspend),
                SIGCONT if child || away.stopping.swap(false, Ordering::AcqRel) => {}
                SIGCONT => send(&events, Event::Continued),
                _ => match asked {
                    Some(at) if at.elapsed() < ONE_WISH => {}
                    Some(_) => force(signal),
                    None => {
                        asked = Some(Instant::now());
                        if events.try_send(Event::Stop(signal)).is_err() {
                            force(signal);
                        }
                    }
                },
            }
        }
    })?;
    Ok(SignalWatch { handle })
}

fn send(events: &mpsc::Sender<Event>, event: Event) {
    // Overflow: dropped. It means that the loop has not run for a while with as many of these waiting.
    if events.try_send(event).is_err() {
        tracing::debug!("a job control signal was dropped: the loop does not take events");
    }
}

fn force(signal: i32) -> ! {
    modes::restore();
    std::process::exit(128 + signal)
}

/// Stops the process until SIGCONT. Returns when it was continued.
pub(super) fn stop_self() {
    // Raised in this thread, so that it has taken effect when the call returns.
    if let Err(error) = signal_hook::low_level::raise(SIGSTOP) {
        tracing::warn!(%error, "could not stop the process");
    }
}
