//! The real console on a real terminal, in surroundings of its own: nothing of the person's environment reaches it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{lab::Lab, pty::Console};

/// How the console is opened.
pub struct Opening<'a> {
    home: &'a Path,
    before: Vec<String>,
    variables: Vec<String>,
    arguments: Vec<String>,
    columns: u16,
    rows: u16,
}

impl<'a> Opening<'a> {
    pub fn new(home: &'a Path) -> Self {
        Self { home, before: Vec::new(), variables: Vec::new(), arguments: Vec::new(), columns: 200, rows: 60 }
    }

    pub fn on(lab: &'a Lab) -> Self {
        Self::new(lab.home())
    }

    pub fn host(mut self, name: &str, url: &str) -> Self {
        self.arguments.extend(["-H".to_owned(), format!("{name}={url}")]);
        self
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push(format!("{name}={value}"));
        self
    }

    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        (self.columns, self.rows) = (columns, rows);
        self
    }

    /// A command that runs the console, such as `unshare`.
    pub fn under(mut self, command: &[&str]) -> Self {
        self.before = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub fn open(&self) -> Console {
        let home = self.home.to_str().expect("a plain path");
        let mut words = self.before.clone();
        words.extend(["/usr/bin/env", "-i", "-C", home].map(str::to_owned));
        words.push(format!("HOME={home}"));
        words.extend(
            ["PATH=/usr/local/bin:/usr/bin:/bin", "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "USER=nobody"]
                .map(str::to_owned),
        );
        words.extend(self.variables.iter().cloned());
        words.push(crate::built::program());
        words.extend(self.arguments.iter().cloned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Console::start(&words, self.columns, self.rows, "xterm-256color")
    }
}

/// The screen's lines.
pub fn lines(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).collect()
}

/// The line that begins with this host (after its signs) and names this.
pub fn line_of(screen: &vt100::Screen, host: &str, name: &str) -> Option<String> {
    lines(screen).into_iter().find(|line| is_of(line, host) && line.split_whitespace().any(|word| word == name))
}

/// Whether a line of a table is about this host.
pub fn is_of(line: &str, host: &str) -> bool {
    let bare = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    bare.strip_prefix(host).is_some_and(|rest| rest.starts_with(' '))
}

/// Whether so many of so many hosts are live, by the header.
pub fn live(screen: &vt100::Screen, live: usize, all: usize) -> bool {
    lines(screen)[0].contains(&format!("{live}/{all} live"))
}

/// Whether the panel of this title is in front.
pub fn in_front(screen: &vt100::Screen, title: &str) -> bool {
    lines(screen)[2].starts_with(&format!("─ {title} "))
}

/// Goes to a panel by its digit.
pub fn go(deck: &mut Console, digit: &str, title: &str) {
    deck.send(digit.as_bytes());
    deck.expect_that(title, |screen| in_front(screen, title));
}

/// Filters by this text.
pub fn filter(deck: &mut Console, text: &str) {
    deck.send(b"/");
    deck.send(text.as_bytes());
    deck.send(b"\r");
    deck.expect_that(&format!("the filter {text}"), |screen| lines(screen)[2].contains(&format!("filter {text} ")));
}

/// Presses a key that changes the panel, again and again about ten times a second for `span` or until `look` says so, and tells how
/// long each took to show, in milliseconds. `look` sees the screen before each further key.
pub fn keep_pressing(deck: &mut Console, span: Duration, mut look: impl FnMut(&vt100::Screen) -> bool) -> Vec<f64> {
    let start = Instant::now();
    let mut taken = Vec::new();
    while start.elapsed() < span {
        // The foot is painted last: with it the whole frame is there.
        let (digit, title, foot) = [(b"3", "Hosts", " retry "), (b"2", "Containers", " inspect ")][taken.len() % 2];
        let pressed = Instant::now();
        deck.send(digit);
        let whole = |screen: &vt100::Screen| in_front(screen, title) && lines(screen).last().is_some_and(|line| line.contains(foot));
        let shown = deck.until(whole, pressed, Duration::from_secs(10));
        taken.push(shown.map_or(10_000.0, |seconds| seconds * 1000.0));
        deck.run(Duration::from_millis(100).saturating_sub(pressed.elapsed()).max(Duration::from_millis(20)));
        if look(deck.emulator.screen()) {
            break;
        }
    }
    taken
}
