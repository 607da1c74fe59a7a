//! The terminal's modes: what is switched on to draw full-screen, and the one way back.
//!
//! The terminal belongs to the process, not to a value, and the way back must work from a panic hook and from the
//! signal thread: so this is the one place with a static.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, Once, TryLockError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::writer::{Delivery, Writer};

/// How long leaving waits for a terminal that does not read: after that its modes are as lost as the terminal.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the terminal is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Report the mouse. Off leaves selecting text to the terminal.
    pub mouse: bool,
    /// Report ambiguous keys (Esc, Ctrl-I, …) distinctly by the kitty protocol. Opt-in: it is never asked for,
    /// only switched on, because terminals without it may stay silent.
    pub kitty_keys: bool,
}

impl Modes {
    fn enter(self) -> String {
        let mut on = String::from("\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1004h");
        if self.kitty_keys {
            on.push_str("\x1b[>1u");
        }
        if self.mouse {
            on.push_str(MOUSE_ON);
        }
        on
    }

    /// Everything off, in the reverse order, whatever was on: each is harmless when it was not. The keyboard stack
    /// is popped only when we pushed: another program's entry is not ours. An open synchronized update is ended.
    fn leave(self) -> String {
        let mut off = String::from("\x1b[?2026l");
        off.push_str(MOUSE_OFF);
        if self.kitty_keys {
            off.push_str("\x1b[<u");
        }
        off.push_str("\x1b[?1004l\x1b[?2004l\x1b[r\x1b[m\x1b[?25h\x1b[?1049l");
        off
    }
}

/// Buttons and drags, in SGR coordinates (xterm's modes 1000, 1002, 1006).
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

struct Entered {
    modes: Modes,
    cooked: Termios,
    writer: Writer,
    /// False while the terminal is given away (suspended, child program).
    inside: bool,
    opener: ThreadId,
}

static ENTERED: Mutex<Option<Entered>> = Mutex::new(None);

/// Runs `act` on the entered terminal, if there is one. Never waits for ever: a thread that died inside must not
/// keep the panic hook from restoring.
fn with<R>(act: impl FnOnce(&mut Option<Entered>) -> R) -> Option<R> {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        match ENTERED.try_lock() {
            Ok(mut entered) => return Some(act(&mut entered)),
            Err(TryLockError::Poisoned(entered)) => return Some(act(&mut entered.into_inner())),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Switches the modes on. From here to [`restore`] the terminal is ours.
pub(super) fn enter(modes: Modes, writer: &Writer) -> io::Result<()> {
    hook_panics();
    let cooked = tcgetattr(io::stdin().as_fd())?;
    let mut entered = Entered { modes, cooked, writer: writer.clone(), inside: false, opener: thread::current().id() };
    entered.go_in()?;
    with(|slot| *slot = Some(entered));
    Ok(())
}

/// Gives the terminal away: everything off, input in the mode the shell had. Idempotent.
pub(super) fn leave() {
    with(|slot| slot.as_mut().map(Entered::go_out));
}

/// Takes the terminal back after [`leave`], or after someone else changed its modes. The screen must be repainted.
pub(super) fn enter_again() -> io::Result<()> {
    with(|slot| slot.as_mut().map_or(Ok(()), Entered::go_in)).unwrap_or(Ok(()))
}

/// Switches the reporting of the mouse.
pub(super) fn set_mouse(on: bool) {
    with(|slot| {
        if let Some(entered) = slot {
            entered.modes.mouse = on;
            if entered.inside && entered.writer.aside(if on { MOUSE_ON } else { MOUSE_OFF }.as_bytes()).is_err() {
                tracing::debug!("mouse reporting not switched: the terminal does not read");
            }
        }
    });
}

/// Puts the terminal back as it was found, for good: the one way out, from the guard's drop, the panic hook, a
/// signal or the end of the loop. Idempotent; waits at most a moment for a terminal that does not read. Errors have
/// no one left to tell, and the terminal may be gone. Returns whether someone still reads what is printed.
pub fn restore() -> bool {
    let go = |entered: &mut Entered| {
        if !entered.inside {
            // A guest that has the terminal may have left it raw. Fails only on a dead terminal.
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &entered.cooked);
        }
        entered.go_out() == Delivery::Taken
    };
    with(|slot| slot.take().is_none_or(|mut entered| go(&mut entered))).unwrap_or(false)
}

impl Entered {
    fn go_in(&mut self) -> io::Result<()> {
        let mut raw = self.cooked.clone();
        raw.make_raw();
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw)?;
        self.inside = true;
        // A terminal that does not read now gets these bytes first when it does: the writer keeps them.
        self.writer.switch(false, self.modes.enter().as_bytes(), PATIENCE);
        Ok(())
    }

    fn go_out(&mut self) -> Delivery {
        if !self.inside {
            return Delivery::Taken;
        }
        self.inside = false;
        let delivery = self.writer.switch(true, self.modes.leave().as_bytes(), PATIENCE);
        if self.modes.mouse {
            // Reports already on their way would be typed into the shell. Fails only on a dead terminal.
            let _ = tcflush(io::stdin().as_fd(), QueueSelector::IFlush);
        }
        // Not "drain": that waits for a stalled terminal. Fails only on a dead terminal.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.cooked);
        delivery
    }
}

/// A panic is readable only on a restored terminal. On another thread than the loop's it also ends the process: the
/// loop would go on without its terminal.
fn hook_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let opener = with(|slot| slot.as_ref().map(|entered| entered.opener)).flatten();
            // Printing to a terminal that does not read would hang the exit.
            if restore() {
                before(panic);
            }
            if opener.is_some_and(|opener| opener != thread::current().id()) {
                std::process::exit(101);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::Modes;

    #[test]
    fn what_is_switched_on_is_switched_off() {
        for modes in [Modes::default(), Modes { mouse: true, kitty_keys: true }] {
            let (on, off) = (modes.enter(), modes.leave());
            for sequence in on.split('\x1b').filter(|s| !s.is_empty()) {
                let reverse = match sequence {
                    "[?25l" => "[?25h".to_owned(),
                    "[>1u" => "[<u".to_owned(),
                    other => other.replace('h', "l"),
                };
                assert!(off.contains(&reverse), "{sequence} has no {reverse} in {off:?}");
            }
        }
        assert!(!Modes::default().leave().contains("[<u"), "another program's keyboard entry is popped");
    }
}
