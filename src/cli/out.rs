//! Standard output and standard error of the verbs: how wide a table may be, and what happens when nobody reads.

use std::{
    cell::RefCell,
    io::{self, IsTerminal as _, Write as _},
};

use super::exit::Failure;

/// Hears what would be printed.
type Listener = Box<dyn Fn(&str)>;

thread_local! {
    /// Who hears what is said on this thread, where that is not the terminal.
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// From now on everything that is said on this thread goes here: a screen stands on the terminal.
pub fn divert(listener: impl Fn(&str) + 'static) {
    LISTENER.set(Some(Box::new(listener)));
}

fn is_diverted(text: &str) -> bool {
    LISTENER.with_borrow(|listener| listener.as_ref().map(|hear| hear(text)).is_some())
}

/// How many cells a line of a table may take: the terminal's, or `None` where the output is no terminal and nothing is ever cut.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    told.or_else(|| crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0))
}

/// Writes to standard output at once.
///
/// # Errors
/// [`Failure::reader_left`] when nobody reads it any more; what the operating system says otherwise.
pub fn print(text: &str) -> Result<(), Failure> {
    if is_diverted(text) {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_left()),
        Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
    }
}

/// One line on standard error.
pub fn complain(message: &str) {
    if is_diverted(message) {
        return;
    }
    // Without standard error there is nobody to tell; the exit code says it all the same.
    let _ = writeln!(io::stderr(), "quarterdeck: {message}");
}
