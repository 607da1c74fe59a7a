//! The terminal layer on a real pseudo-terminal: what a person's terminal is left with, whatever happens.

use std::time::{Duration, Instant};

use rustix::process::Signal;

#[path = "../tools/pty.rs"]
pub mod pty;

use pty::{Console, process_state, signal_process};

const LIMIT: Duration = Duration::from_secs(60);

/// The example program, which `cargo test` builds beside the tests.
fn paintbox() -> String {
    let tests = std::env::current_exe().expect("a path");
    let path = tests.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps").join("examples/paintbox");
    assert!(path.exists(), "{} is missing: cargo build --example paintbox", path.display());
    path.to_str().expect("UTF-8").to_owned()
}

fn start() -> Console {
    start_with(&[&paintbox()])
}

fn start_with(command: &[&str]) -> Console {
    let mut console = Console::start(command, 100, 30, "xterm-256color");
    console.expect("paintbox ready");
    assert!(console.emulator.screen().alternate_screen() && console.emulator.screen().hide_cursor());
    assert!(console.emulator.screen().bracketed_paste() && !console.echoes());
    console
}

/// The terminal is as the shell needs it, and the program never asked it anything.
fn assert_restored(console: &Console, when: &str) {
    let screen = console.emulator.screen();
    assert!(!screen.alternate_screen(), "{when}: alternate screen");
    assert!(!screen.hide_cursor(), "{when}: cursor hidden");
    assert!(!screen.bracketed_paste(), "{when}: bracketed paste");
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "{when}: mouse");
    assert!(console.echoes(), "{when}: no echo");
    assert_eq!(console.questions, 0, "{when}: the terminal was asked something");
}

/// The only child of a shell.
fn child_of(pid: u32) -> u32 {
    let start = Instant::now();
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().expect("a pid");
        }
        assert!(start.elapsed() < LIMIT, "{pid} has no child");
    }
}

#[test]
fn fifty_unchanged_frames_write_nothing() {
    let mut console = start();
    let before = console.bytes;
    console.send(b"d");
    console.send(b"j");
    console.expect("last Char('j')");
    assert!(console.bytes - before < 100, "one small frame, not {} bytes", console.bytes - before);
    console.send(b"q");
    assert_eq!(console.exit(LIMIT), Some(0), "70 means that a frame was sent");
    assert_restored(&console, "quit");
}

#[test]
fn colours_and_sizes_reach_the_screen() {
    let mut console = start();
    assert_eq!(console.emulator.screen().cell(0, 0).unwrap().fgcolor(), vt100::Color::Rgb(1, 2, 3));
    console.resize(60, 12);
    console.expect("60x12");
    console.resize(120, 40);
    console.expect("120x40");
    assert_eq!(console.questions, 0);
}

#[test]
fn pastes_keys_and_focus_are_told_apart() {
    let mut console = start();
    console.send(b"\x1b[200~q\rp\x1b[201~");
    console.expect("last Paste(\"q\\rp\")");
    console.send(b"\x1b[O");
    console.expect("last Focus(false)");
    console.send(b"\x1b[5~");
    console.expect("last PageUp");
    console.send(b"\x1b");
    console.expect("last Esc");
    console.send(b"c");
    console.expect("copied true");
}

#[test]
fn signals_end_it_and_restore_the_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let mut console = start_with(&[&paintbox(), "--mouse"]);
        assert_ne!(console.emulator.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        console.signal(signal);
        assert_eq!(console.exit(LIMIT), Some(code), "{signal:?}");
        assert_restored(&console, &format!("{signal:?}"));
    }
}

#[test]
fn a_second_signal_ends_a_loop_that_hangs() {
    let mut console = start();
    console.send(b"h");
    let start = Instant::now();
    while console.exit(Duration::from_millis(100)).is_none() {
        assert!(start.elapsed() < LIMIT, "it cannot be ended");
        console.signal(Signal::TERM);
    }
    assert_eq!(console.exit(LIMIT), Some(143));
    assert_restored(&console, "forced");
}

#[test]
fn a_long_paste_arrives_whole_and_keys_after_it_at_once() {
    let mut console = start();
    let text = format!("\x1b[200~{}\x1b[201~", "x".repeat(5000));
    console.send(text.as_bytes());
    console.expect("last Paste(\"xxx");
    console.send(b"j");
    console.expect("last Char('j')");
}

#[test]
fn a_panic_is_readable_on_a_restored_terminal() {
    for (key, text) in [(b"p", "paint spilled"), (b"t", "paint spilled elsewhere")] {
        let mut console = start();
        console.send(b"m");
        console.expect_that("mouse on", |screen| screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None);
        console.send(key);
        assert_eq!(console.exit(LIMIT), Some(101));
        assert_restored(&console, text);
        assert!(console.text().contains(text), "{}", console.text());
    }
}

#[test]
fn suspended_it_gives_the_terminal_to_the_shell_and_comes_back() {
    let shell = format!("'{}'; echo stopped $?; read line; fg; echo ended $?", paintbox());
    for by_key in [true, false] {
        let mut console = start_with(&["sh", "-m", "-c", &shell]);
        let pid = child_of(console.pid());
        if by_key {
            console.send(b"z");
        } else {
            signal_process(pid, Signal::TSTP);
        }
        console.expect("stopped");
        assert_eq!(process_state(pid), Some('T'));
        assert_restored(&console, "stopped");
        console.send(b"\n");
        console.expect_that("painted again", |screen| screen.alternate_screen() && screen.contents().contains("paintbox ready"));
        console.expect("Done");
        assert!(!console.echoes() && console.emulator.screen().hide_cursor());
        console.send(b"q");
        console.expect("ended 0");
        assert_eq!(console.exit(LIMIT), Some(0));
        assert_restored(&console, "ended");
    }
}

#[test]
fn it_does_not_stop_where_nobody_would_continue_it() {
    let mut console = start();
    console.send(b"z");
    console.expect("Refused");
    console.send(b"j");
    console.expect("last Char('j')");
}

#[test]
fn continued_after_a_foreign_stop_it_takes_the_terminal_back() {
    let shell = format!("'{}'; stty sane; echo stopped $?; read line; fg", paintbox());
    let mut console = start_with(&["sh", "-m", "-c", &shell]);
    let pid = child_of(console.pid());
    signal_process(pid, Signal::STOP);
    console.expect("stopped");
    assert!(console.echoes());
    console.send(b"\n");
    console.expect_that("painted again", |screen| screen.contents().starts_with("paintbox ready"));
    let start = Instant::now();
    while console.echoes() {
        assert!(start.elapsed() < LIMIT, "still cooked");
        console.pump(Duration::from_millis(10));
    }
    console.send(b"q");
    assert_eq!(console.exit(LIMIT), Some(0));
}

#[test]
fn a_child_program_has_the_terminal_for_itself() {
    let mut console = start();
    console.send(b"x");
    console.expect("child runs");
    assert_restored(&console, "child");
    console.send(b"qqq\n");
    console.expect("child true");
    assert!(console.emulator.screen().alternate_screen() && !console.echoes());
    console.send(b"q");
    assert_eq!(console.exit(LIMIT), Some(0));
    assert!(console.text().contains("child read qqq"), "{}", console.text());
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    // As a session's first program it gets SIGHUP; below a shell nobody tells it.
    let mut console = start();
    console.hang_up();
    assert_eq!(console.exit(LIMIT), Some(129));

    let directory = tempfile::tempdir().expect("a directory");
    let told = directory.path().join("code");
    let shell = format!("trap '' HUP; '{}'; echo $? > '{}'", paintbox(), told.display());
    let mut console = start_with(&["sh", "-c", &shell]);
    let pid = child_of(console.pid());
    console.hang_up();
    assert!(console.exit(LIMIT).is_some(), "it still runs, having used {} s of CPU", pty::usage(pid).0);
    assert_eq!(std::fs::read_to_string(told).expect("written").trim(), "129");
}

#[test]
fn a_terminal_that_does_not_read_does_not_hold_it() {
    let mut console = start();
    console.stall();
    console.send(b"s");
    console.wait_full();
    console.signal(Signal::TERM);
    assert_eq!(console.exit(LIMIT), Some(143));
    assert!(console.echoes(), "cooked again");
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = std::process::Command::new(paintbox()).stdin(std::process::Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("standard input is not one") && text.contains("ssh -t"), "{text}");
}
