//! A program on a pseudo-terminal, as a person has it: its screen, its keys, its bytes.
//!
//! For integration tests (`#[path = "../tools/pty.rs"] mod pty;`) and the `ttyprobe` example. A thread stamps what
//! arrives when it arrives, so that the emulator's own slowness is not measured.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than anything takes, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chunk of output and when it arrived; empty at the end.
type Chunk = (Instant, Vec<u8>);

pub struct Console {
    pub emulator: vt100::Parser,
    /// Bytes and reads that returned any, since the start.
    pub bytes: usize,
    pub reads: usize,
    /// Questions the program asked its terminal (cursor position, device attributes): ours must ask none.
    pub questions: usize,
    pub started: Instant,
    /// When the last chunk that was looked at arrived.
    pub stamp: Instant,
    pub ended: bool,
    /// Every byte the program wrote, where a test asks for them before it looks.
    pub record: Option<Vec<u8>>,
    exit: Option<u32>,
    child: Box<dyn Child + Send + Sync>,
    pair: Option<Box<dyn MasterPty + Send>>,
    writer: Arc<Mutex<Option<std::fs::File>>>,
    observer: Option<OwnedFd>,
    stalled: Arc<AtomicBool>,
    chunks: Receiver<Chunk>,
}

pub fn dimension(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a screen has cells")
}

impl Console {
    /// Starts `command` on a terminal of `columns` × `rows`.
    pub fn start(command: &[&str], columns: u16, rows: u16, term: &str) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        // portable-pty looks for relative paths in $PATH.
        let program = if command[0].contains('/') { std::fs::canonicalize(command[0]).ok() } else { None };
        let mut builder = CommandBuilder::new(program.unwrap_or_else(|| command[0].into()));
        builder.args(&command[1..]);
        builder.cwd(std::env::current_dir().expect("a directory"));
        builder.env("TERM", term);
        builder.env("COLORTERM", "truecolor");
        // A panic message must fit the screen that is read.
        builder.env("RUST_BACKTRACE", "0");
        let started = Instant::now();
        let child = pair.slave.spawn_command(builder).unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        drop(pair.slave);
        // Our own descriptors of the master: portable-pty's types hide theirs, and each can be closed when a test
        // wants the terminal to be gone.
        let master = reopen(pair.master.as_raw_fd().expect("a unix pty"));
        let reader = master.try_clone().expect("a descriptor");
        let observer = OwnedFd::from(master.try_clone().expect("a descriptor"));
        let writer = Arc::new(Mutex::new(Some(master)));
        let stalled = Arc::new(AtomicBool::new(false));
        let (tell, chunks) = channel();
        let (answer, stop) = (Arc::clone(&writer), Arc::clone(&stalled));
        thread::spawn(move || read(reader, &tell, &answer, &stop));
        Self {
            emulator: vt100::Parser::new(dimension(rows), dimension(columns), 0),
            bytes: 0,
            reads: 0,
            questions: 0,
            started,
            stamp: started,
            ended: false,
            record: None,
            exit: None,
            child,
            pair: Some(pair.master),
            writer,
            observer: Some(observer),
            stalled,
            chunks,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("started")
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    pub fn text(&self) -> String {
        self.emulator.screen().contents()
    }

    /// Types bytes.
    pub fn send(&self, bytes: &[u8]) {
        if let Some(writer) = self.writer.lock().unwrap().as_mut() {
            writer.write_all(bytes).expect("the terminal is open");
        }
    }

    /// Looks at one chunk, waiting at most `limit`; false when the program closed the terminal.
    pub fn pump(&mut self, limit: Duration) -> bool {
        if self.ended {
            return false;
        }
        match self.chunks.recv_timeout(limit) {
            Ok((at, bytes)) if bytes.is_empty() => {
                self.stamp = at;
                self.ended = true;
            }
            Ok((at, bytes)) => {
                self.stamp = at;
                self.bytes += bytes.len();
                self.reads += 1;
                self.questions += questions(&bytes).len();
                if let Some(record) = &mut self.record {
                    record.extend_from_slice(&bytes);
                }
                self.emulator.process(&bytes);
            }
            Err(RecvTimeoutError::Timeout) => self.stamp = Instant::now(),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
        !self.ended
    }

    /// Waits until `holds` is true of the screen; seconds since `since`, or `None` when `limit` passed first.
    pub fn until(&mut self, holds: impl Fn(&vt100::Screen) -> bool, since: Instant, limit: Duration) -> Option<f64> {
        loop {
            if holds(self.emulator.screen()) {
                return Some(self.stamp.saturating_duration_since(since).as_secs_f64());
            }
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() || !self.pump(left.min(Duration::from_millis(20))) {
                return holds(self.emulator.screen()).then(|| self.stamp.saturating_duration_since(since).as_secs_f64());
            }
        }
    }

    /// [`Console::until`] for a text, as an assertion.
    pub fn expect(&mut self, text: &str) {
        self.expect_that(&format!("{text:?} on the screen"), |screen| screen.contents().contains(text));
    }

    pub fn expect_that(&mut self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let there = self.until(holds, Instant::now(), PATIENCE).is_some();
        assert!(there, "{what}: not within {PATIENCE:?}; the screen:\n{}", self.text());
    }

    /// Reads on for `span`.
    pub fn run(&mut self, span: Duration) {
        let start = Instant::now();
        while start.elapsed() < span && self.pump(span.saturating_sub(start.elapsed()).min(Duration::from_millis(250))) {}
    }

    /// Waits for the program's end; its exit code (128 + n for a signal it did not catch, as portable-pty tells it: 1).
    pub fn exit(&mut self, limit: Duration) -> Option<u32> {
        let start = Instant::now();
        while self.exit.is_none() {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.exit = Some(status.exit_code());
                break;
            }
            if start.elapsed() > limit {
                return None;
            }
            // With nothing to read (a closed or stalled terminal) this only waits a moment.
            if self.ended || self.stalled.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            } else {
                self.pump(Duration::from_millis(10));
            }
        }
        while !self.stalled.load(Ordering::Relaxed) && self.pump(Duration::from_secs(1)) {}
        self.exit
    }

    /// Nobody reads the terminal any more: its buffer fills.
    pub fn stall(&self) {
        self.stalled.store(true, Ordering::SeqCst);
    }

    /// After [`Console::stall`]: waits until the terminal's buffer is full, that is, no longer grows.
    pub fn wait_full(&self) {
        let observer = self.observer.as_ref().expect("open");
        let waiting = || rustix::io::ioctl_fionread(observer).expect("a pty");
        let start = Instant::now();
        let (mut last, mut same) = (0, 0);
        while same < 20 {
            assert!(start.elapsed() < PATIENCE, "the program wrote nothing");
            thread::sleep(Duration::from_millis(10));
            let now = waiting();
            same = if now == last && now > 1000 { same + 1 } else { 0 };
            last = now;
        }
    }

    /// The terminal is gone, as when a window closes or a link breaks. Ends the reading thread.
    pub fn hang_up(&mut self) {
        self.stall();
        self.pair = None;
        self.observer = None;
        *self.writer.lock().unwrap() = None;
        // The reader closes its own descriptor when it sees that it is stalled with no writer left.
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.pair.as_ref().expect("open").resize(size).expect("a pty");
        self.emulator.set_size(dimension(rows), dimension(columns));
    }

    /// Whether the terminal echoes what is typed: it does under a shell, and not in raw mode.
    pub fn echoes(&self) -> bool {
        let observer = self.observer.as_ref().expect("open");
        rustix::termios::tcgetattr(observer.as_fd()).expect("a pty").local_modes.contains(rustix::termios::LocalModes::ECHO)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        signal_process(self.pid(), signal);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Ended already, or killed now; the hang-up reaches whatever it started.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hang_up();
    }
}

pub fn signal_process(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it runs");
}

/// The master end by its path in `/proc`, duplicated: safe code cannot borrow a raw descriptor.
fn reopen(raw: i32) -> std::fs::File {
    let pid = rustix::process::getpid();
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("pidfd");
    rustix::process::pidfd_getfd(pidfd, raw, rustix::process::PidfdGetfdFlags::empty()).expect("our own descriptor").into()
}

fn read(mut reader: std::fs::File, tell: &Sender<Chunk>, answer: &Mutex<Option<std::fs::File>>, stalled: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    loop {
        if stalled.load(Ordering::SeqCst) {
            if answer.lock().unwrap().is_none() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let mut ready = [rustix::event::PollFd::new(&reader, rustix::event::PollFlags::IN)];
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        if rustix::event::poll(&mut ready, Some(&wait)).unwrap_or(0) == 0 {
            continue;
        }
        // EIO is how Linux says that the other end is closed.
        let count = reader.read(&mut buffer).unwrap_or(0);
        let at = Instant::now();
        for reply in questions(&buffer[..count]) {
            if let Some(writer) = answer.lock().unwrap().as_mut() {
                let _ = writer.write_all(reply);
            }
        }
        if tell.send((at, buffer[..count].to_vec())).is_err() || count == 0 {
            return;
        }
    }
}

/// The answers to the questions in a piece of output.
fn questions(bytes: &[u8]) -> Vec<&'static [u8]> {
    let asked: [(&[u8], &'static [u8]); 4] =
        [(b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62;22c"), (b"\x1b[0c", b"\x1b[?62;22c"), (b"\x1b[?u", b"\x1b[?0u")];
    asked
        .into_iter()
        .flat_map(|(question, reply)| bytes.windows(question.len()).filter(move |window| *window == question).map(move |_| reply))
        .collect()
}

/// CPU seconds (user and system, children that ended included) and resident KiB of a process and its descendants.
pub fn usage(pid: u32) -> (f64, u64) {
    let (mut pending, mut ticks, mut pages) = (vec![pid], 0u64, 0u64);
    while let Some(pid) = pending.pop() {
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pending.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(')') else { continue };
        let field = |index: usize| fields.split_whitespace().nth(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        ticks += field(11) + field(12);
        pages += field(21);
    }
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    (ticks as f64 / per_second, pages * rustix::param::page_size() as u64 / 1024)
}

/// The state letter of a process (`T` is stopped), or `None` when it is gone.
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
