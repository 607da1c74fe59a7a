//! The terminal as the loop sees it: events in, frames out, and a way back that always works.
//!
//! Owns three threads with small stacks: one writes (so that a stalled terminal holds nobody), one reads (and notices
//! a terminal that is gone), one takes signals. None of them ever asks the terminal a question.
//!
//! Leave by [`Terminal::close`] and then `std::process::exit`: a thread may hang in a write to a terminal that does
//! not read, and nothing may wait for it.

mod decode;
pub mod guest;
mod input;
mod modes;
mod orphan;
mod report;
mod residue;
mod signals;
mod writer;

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossterm::event::{KeyEvent, KeyEventKind, MouseEvent};
use ratatui::layout::Size;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use self::input::Input;
pub use self::modes::{Modes, restore};
pub use self::residue::Residue;
use self::signals::{Away, SignalWatch};
pub use self::writer::{AsideError, Writer};

/// Stack of the terminal's threads, in bytes. They hold a few kilobytes; the default would reserve 2 MiB each.
const STACK: usize = 128 * 1024;

/// Events that may wait for the loop. Overflow: reading the terminal waits.
const EVENTS: usize = 64;

/// Signals and the like that may wait. Overflow: job control is dropped, a signal to end ends the process.
const URGENT: usize = 16;

/// What the person, the terminal or the system did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was pressed or repeats.
    Key(KeyEvent),
    /// The mouse, while it is reported.
    Mouse(MouseEvent),
    /// Text was pasted: it is never keys. Foreign text, at most 64 KiB.
    Paste(String),
    /// The terminal's window got (`true`) or lost the focus, where the terminal says so.
    Focus(bool),
    /// The terminal has this size now.
    Resized(Size),
    /// Someone sent SIGTSTP: call [`Terminal::suspend`].
    Suspend,
    /// Continued after a stop that was not ours: call [`Terminal::reenter`] and repaint.
    Continued,
    /// A signal asks the program to end; leave within a moment with [`exit_code`].
    Stop(i32),
    /// The terminal is gone. Save what must be saved and exit with [`DEAD`].
    Dead,
}

/// Exit code when the terminal is gone: as if its hang-up signal (SIGHUP, 1) had arrived.
pub const DEAD: i32 = 129;

/// The exit code of a program that ends because of `signal`, as shells expect it.
pub fn exit_code(signal: i32) -> i32 {
    128 + signal
}

impl Event {
    fn of(event: &crossterm::event::Event) -> Option<Self> {
        use crossterm::event::Event as Foreign;
        Some(match event {
            Foreign::Key(key) if key.kind == KeyEventKind::Release => return None,
            Foreign::Key(key) => Self::Key(*key),
            Foreign::Mouse(mouse) => Self::Mouse(*mouse),
            Foreign::Paste(text) => Self::Paste(text.clone()),
            Foreign::FocusGained => Self::Focus(true),
            Foreign::FocusLost => Self::Focus(false),
            Foreign::Resize(width, height) => Self::Resized(Size::new(*width, *height)),
        })
    }
}

/// Why the console cannot open here.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// Standard input or output is a pipe or a file.
    #[error(
        "the console needs a terminal, but standard {0} is not one: run it in a terminal (with ssh: `ssh -t`), or use a verb such as `ps`"
    )]
    NotATerminal(&'static str),
    /// The system refused something that every terminal has.
    #[error("cannot set up the terminal ({what}): {source}")]
    Setup {
        /// What was attempted.
        what: &'static str,
        /// What the system answered.
        source: io::Error,
    },
}

fn setup(what: &'static str) -> impl FnOnce(io::Error) -> TerminalError {
    move |source| TerminalError::Setup { what, source }
}

/// Whether the process was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspended {
    /// It was stopped and continued: repaint.
    Done,
    /// No shell would ever continue it (it is its terminal's first program): it goes on instead.
    Refused,
}

/// The terminal, entered. Dropping it restores the terminal.
pub struct Terminal {
    writer: Writer,
    input: Option<Input>,
    _signals: SignalWatch,
    away: Arc<Away>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("writer", &self.writer).finish_non_exhaustive()
    }
}

/// Where the loop receives [`Event`]s.
#[derive(Debug)]
pub struct Events {
    input: mpsc::Receiver<Event>,
    urgent: mpsc::Receiver<Event>,
    // Resizes: newest wins.
    size: watch::Receiver<Size>,
}

impl Events {
    /// The next event; signals before sizes before keys. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            Some(event) = self.urgent.recv() => event,
            Ok(()) = self.size.changed() => Event::Resized(*self.size.borrow_and_update()),
            Some(event) = self.input.recv() => event,
            // All senders are gone: the threads ended, and so did the terminal.
            else => Event::Dead,
        }
    }

    /// The next event that has already happened, for draining before a frame.
    pub fn try_next(&mut self) -> Option<Event> {
        if let Ok(event) = self.urgent.try_recv() {
            return Some(event);
        }
        if self.size.has_changed().unwrap_or(false) {
            return Some(Event::Resized(*self.size.borrow_and_update()));
        }
        self.input.try_recv().ok()
    }
}

/// Enters the terminal: raw mode, alternate screen, paste and focus reports, hidden cursor. Installs the panic hook.
///
/// Call it on the loop's thread. Later tasks may panic; the hook then restores the terminal and, on other threads,
/// ends the process with code 101.
pub fn open(modes: Modes) -> Result<(Terminal, Events), TerminalError> {
    if !io::stdin().is_terminal() {
        return Err(TerminalError::NotATerminal("input"));
    }
    if !io::stdout().is_terminal() {
        return Err(TerminalError::NotATerminal("output"));
    }
    let size = window_size().map_err(setup("reading its size"))?;
    let (events, input) = mpsc::channel(EVENTS);
    let (urgent_tx, urgent) = mpsc::channel(URGENT);
    let (size_tx, size) = watch::channel(size);
    let away = Arc::new(Away::default());

    let out = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 0).map_err(|error| setup("opening it for writing")(error.into()))?;
    let dead = urgent_tx.clone();
    let writer = Writer::start(out, move || {
        // Full means that the loop has not run for a while; the reading thread reports the same.
        let _ = dead.try_send(Event::Dead);
    })
    .map_err(setup("starting its writer"))?;
    let signals = signals::watch(Arc::clone(&away), urgent_tx.clone(), size_tx).map_err(setup("watching signals"))?;
    modes::enter(modes, &writer).map_err(setup("switching to raw mode"))?;
    let mut terminal = Terminal { writer, input: None, _signals: signals, away };
    let keyboard = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 0).map_err(|error| setup("opening it for reading")(error.into()))?;
    terminal.input = Some(Input::start(keyboard, events, urgent_tx).map_err(setup("starting its reader"))?);
    Ok((terminal, Events { input, urgent, size }))
}

/// The terminal's size in cells, asked of the kernel. 80×24 where the kernel does not know (a serial line).
pub fn window_size() -> io::Result<Size> {
    let size = rustix::termios::tcgetwinsize(io::stdout().as_fd())?;
    let or = |cells: u16, usual: u16| if cells == 0 { usual } else { cells };
    Ok(Size::new(or(size.ws_col, 80), or(size.ws_row, 24)))
}

impl Terminal {
    /// Where frames go: give a clone to the backend.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Switches the reporting of the mouse on or off.
    pub fn set_mouse(&mut self, on: bool) {
        modes::set_mouse(on);
    }

    /// Stops the process, as ^Z does in a shell, and returns when it is continued. Then resize to [`window_size`]
    /// and repaint.
    pub fn suspend(&mut self) -> Result<Suspended, TerminalError> {
        if orphan::is_orphaned() {
            return Ok(Suspended::Refused);
        }
        self.give_away();
        self.away.stopping.store(true, Ordering::Release);
        signals::stop_self();
        self.take_back()?;
        Ok(Suspended::Done)
    }

    /// Gives the terminal to a child program: input is no longer read and all modes are off. ^C and ^Z then reach the
    /// child only. End it with [`Terminal::reclaim`].
    pub fn release(&mut self) {
        self.away.child.store(true, Ordering::Release);
        self.give_away();
    }

    /// Takes the terminal back after [`Terminal::release`]. Then resize to [`window_size`] and repaint.
    pub fn reclaim(&mut self) -> Result<(), TerminalError> {
        self.away.child.store(false, Ordering::Release);
        self.take_back()
    }

    /// Switches all modes on again after [`Event::Continued`]: the shell took them back while we were stopped. Then
    /// resize to [`window_size`] and repaint.
    pub fn reenter(&mut self) -> Result<(), TerminalError> {
        modes::enter_again().map_err(setup("switching to raw mode"))
    }

    /// Puts the terminal back as it was found. Follow it with `std::process::exit`.
    pub fn close(self) {
        drop(self);
    }

    fn give_away(&mut self) {
        if let Some(input) = &self.input {
            input.pause();
        }
        modes::leave();
    }

    fn take_back(&mut self) -> Result<(), TerminalError> {
        modes::enter_again().map_err(setup("switching to raw mode"))?;
        if let Some(input) = &self.input {
            input.resume();
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // First no more reading: keys typed from here on are the shell's.
        self.input = None;
        restore();
        self.writer.close();
    }
}
