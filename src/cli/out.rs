//! Standard output and standard error of the verbs: how wide a table may be, and what happens when nobody reads.

use std::{
    cell::Cell,
    io::{self, IsTerminal as _, Write as _},
};

use super::exit::Failure;

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
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_left()),
        Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
    }
}

thread_local! {
    static ON_SCREEN: Cell<bool> = const { Cell::new(false) };
}

/// A full screen has the terminal: what this thread complains of goes to the log from now on.
pub fn spare_the_screen() {
    ON_SCREEN.set(true);
}

/// One line on standard error.
pub fn complain(message: &str) {
    if ON_SCREEN.get() {
        tracing::warn!("{message}");
        return;
    }
    // Without standard error there is nobody to tell; the exit code says it all the same.
    let _ = writeln!(io::stderr(), "quarterdeck: {message}");
}
