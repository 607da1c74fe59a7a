//! Measures a full-screen terminal program from outside, through a real pseudo-terminal; prints one JSON object:
//!
//! - `ready_s`: seconds from start until the text of `--wait` stood on the screen (null: never)
//! - `cmd_s`: seconds that the command of `--on-ready` ran
//! - `react_s`, `gone_s`: seconds from the start of that command until `--then` stood on, `--gone` left the screen
//! - `tty_bytes`, `tty_writes`, `cpu_s`, `rss_kib`: in the `--seconds` that followed: bytes written, reads that returned
//!   data (an upper bound of repaints), CPU of the program and its children, resident memory at the end
//! - `asked`: questions put to the terminal; `exit`: exit status, if it ended by itself
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Map, Value, json};

#[path = "pty.rs"]
mod pty;

use pty::{Console, usage};

#[derive(Parser)]
struct Options {
    /// Columns × rows.
    #[arg(long, default_value = "160x50")]
    size: String,
    /// Ready when this text stands on the screen.
    #[arg(long)]
    wait: Option<String>,
    /// Seconds to wait at most for anything.
    #[arg(long, default_value_t = 30.0)]
    limit: f64,
    /// Seconds to measure for, at the end.
    #[arg(long, default_value_t = 0.0)]
    seconds: f64,
    /// Keys to type when ready, separated by commas: characters or names.
    #[arg(long, default_value = "")]
    keys: String,
    /// Shell command to run when ready.
    #[arg(long)]
    on_ready: Option<String>,
    /// Text that should then appear.
    #[arg(long)]
    then: Option<String>,
    /// Text that should then disappear.
    #[arg(long)]
    gone: Option<String>,
    /// Writes the final screen here as text.
    #[arg(long)]
    dump: Option<std::path::PathBuf>,
    /// What $TERM says.
    #[arg(long, default_value = "xterm-256color")]
    term: String,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() {
    let options = Options::parse();
    let (columns, rows) = options.size.split_once('x').expect("--size 160x50");
    let command: Vec<&str> = options.command.iter().map(String::as_str).collect();
    let mut console = Console::start(&command, columns.parse().expect("columns"), rows.parse().expect("rows"), &options.term);
    let limit = Duration::from_secs_f64(options.limit);
    let mut out = Map::new();
    if let Some(text) = &options.wait {
        let started = console.started;
        let ready = console.until(|screen| screen.contents().contains(text), started, limit);
        out.insert("ready_s".into(), rounded(ready, 4));
    }
    for name in options.keys.split(',').filter(|name| !name.is_empty()) {
        console.send(&key(name));
        console.run(Duration::from_millis(300));
    }
    if let Some(line) = &options.on_ready {
        react(&options, line, &mut console, limit, &mut out);
    }
    if options.seconds > 0.0 {
        let (cpu, _) = usage(console.pid());
        let (bytes, reads) = (console.bytes, console.reads);
        console.run(Duration::from_secs_f64(options.seconds));
        let (later, rss) = usage(console.pid());
        out.insert("tty_bytes".into(), json!(console.bytes - bytes));
        out.insert("tty_writes".into(), json!(console.reads - reads));
        out.insert("cpu_s".into(), rounded(Some(later - cpu), 2));
        out.insert("rss_kib".into(), json!(rss));
    }
    out.insert("asked".into(), json!(console.questions));
    if let Some(path) = &options.dump {
        std::fs::write(path, console.text() + "\n").expect("--dump is writable");
    }
    if console.ended {
        out.insert("exit".into(), json!(console.exit(Duration::from_secs(5))));
    } else {
        console.signal(rustix::process::Signal::TERM);
        // Ended or not, dropping the console kills it.
        let _ = console.exit(Duration::from_millis(500));
    }
    println!("{}", Value::Object(out));
}

fn react(options: &Options, line: &str, console: &mut Console, limit: Duration, out: &mut Map<String, Value>) {
    let start = Instant::now();
    let mut command =
        Command::new("sh").args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh");
    let (mut react, mut gone, mut ran) = (None, None, None);
    loop {
        console.pump(Duration::from_millis(5));
        let text = console.text();
        let since = console.stamp.saturating_duration_since(start).as_secs_f64();
        if ran.is_none() && command.try_wait().expect("a child").is_some() {
            ran = Some(start.elapsed().as_secs_f64());
        }
        if react.is_none() && options.then.as_ref().is_some_and(|wanted| text.contains(wanted)) {
            react = Some(since);
        }
        if gone.is_none() && options.gone.as_ref().is_some_and(|unwanted| !text.contains(unwanted)) {
            gone = Some(since);
        }
        let all = ran.is_some() && (react.is_some() || options.then.is_none()) && (gone.is_some() || options.gone.is_none());
        if all || start.elapsed() > limit {
            break;
        }
        if console.ended {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    out.insert("cmd_s".into(), rounded(ran.or(Some(start.elapsed().as_secs_f64())), 3));
    if options.then.is_some() {
        out.insert("react_s".into(), rounded(react, 3));
    }
    if options.gone.is_some() {
        out.insert("gone_s".into(), rounded(gone, 3));
    }
}

fn rounded(seconds: Option<f64>, digits: i32) -> Value {
    let scale = 10f64.powi(digits);
    seconds.map_or(Value::Null, |seconds| json!((seconds * scale).round() / scale))
}

fn key(name: &str) -> Vec<u8> {
    let bytes: &[u8] = match name {
        "enter" => b"\r",
        "esc" => b"\x1b",
        "tab" => b"\t",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "space" => b" ",
        "comma" => b",",
        "pgdn" => b"\x1b[6~",
        "pgup" => b"\x1b[5~",
        "bs" => b"\x7f",
        other => match other.strip_prefix("ctrl-").and_then(|rest| rest.bytes().next()) {
            Some(letter) => return vec![letter & 31],
            None => other.as_bytes(),
        },
    };
    bytes.to_vec()
}
