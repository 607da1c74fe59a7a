//! `make bench`: what the console costs, measured from outside through a real terminal, beside the peers that are installed.
//!
//! Prints figures and ratios; nothing here fails for being slow. One real engine of the lab with 60 containers, 160×50. Peers are
//! looked for in `$PATH` and in `target/peers/bin` (`make bench PEERS=1` puts oxker and dtop there).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tools/built.rs"]
mod built;
mod lab;
#[path = "../tools/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lab::Lab;
use pty::{Console, usage};

const CONTAINERS: usize = 60;
const STARTS: usize = 9;
const IDLE: Duration = Duration::from_secs(20);
const REACTIONS: usize = 15;

fn main() {
    let console = built::program();
    let Some(lab) = Lab::up(CONTAINERS) else { return };
    println!("one engine (20.10 of the lab), {CONTAINERS} containers, 160x50, medians; load average {}", load());
    let engine = format!("unix://{}", lab.socket);
    let own: [String; 2] = ["-H".to_owned(), format!("app-01={engine}")];
    let ours = |name, program: PathBuf| Contender { name, program, args: own.to_vec(), ready: "", keys: "2" };
    // What `make static` built, where it did: the form that is handed out.
    let fixed = PathBuf::from("target/x86_64-unknown-linux-musl/release/quarterdeck");
    let contenders = [
        Some(ours("quarterdeck", PathBuf::from(&console))),
        fixed.exists().then(|| ours("static", fixed)),
        peer("oxker", vec!["--host".into(), lab.socket.clone()]),
        peer("dtop", vec!["--host".into(), engine.clone()]),
        peer("lazydocker", vec![]),
    ];
    let mut rows = Vec::new();
    for contender in contenders.into_iter().flatten() {
        eprintln!("measuring {} …", contender.name);
        rows.push(measure(&contender, &lab));
    }
    table(&rows);
    event_to_screen(&console, &own, &lab);
}

struct Contender {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    /// The text that tells that all rows are there.
    ready: &'static str,
    /// Typed first, to reach the screen with the rows.
    keys: &'static str,
}

/// What one contender cost.
struct Row {
    name: &'static str,
    start_ms: f64,
    cpu: f64,
    bytes: usize,
    rss_kib: u64,
    engine_cpu: f64,
}

fn peer(name: &'static str, args: Vec<String>) -> Option<Contender> {
    let local = Path::new("target/peers/bin").join(name);
    let found = if local.exists() { Some(local) } else { which(name) };
    let Some(program) = found else {
        println!("{name}: not installed, left out");
        return None;
    };
    // What their tables show at once: the newest rows.
    Some(Contender { name, program, args, ready: "fill-00", keys: "" })
}

fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

impl Contender {
    fn start(&self) -> Console {
        let words: Vec<&str> = std::iter::once(self.program.to_str().unwrap()).chain(self.args.iter().map(String::as_str)).collect();
        Console::start(&words, 160, 50, "xterm-256color")
    }
}

fn measure(contender: &Contender, lab: &Lab) -> Row {
    let mut starts: Vec<f64> = (0..STARTS)
        .filter_map(|_| {
            let mut console = contender.start();
            let since = console.started;
            // The console's home counts the rows; its table is one key away and not the first screen.
            let ready = if contender.keys.is_empty() { contender.ready.to_owned() } else { format!("{CONTAINERS} containers") };
            let took = console.until(|screen| screen.contents().contains(&ready), since, Duration::from_secs(20));
            end(&mut console);
            took.map(|seconds| seconds * 1000.0)
        })
        .collect();
    let mut console = contender.start();
    let since = console.started;
    let ready = if contender.keys.is_empty() { contender.ready.to_owned() } else { format!("{CONTAINERS} containers") };
    console.until(|screen| screen.contents().contains(&ready), since, Duration::from_secs(20));
    console.run(Duration::from_secs(3));
    let (engine_before, (cpu_before, _), bytes_before) = (lab.engine_cpu(), usage(console.pid()), console.bytes);
    console.run(IDLE);
    let (cpu, rss_kib) = usage(console.pid());
    let row = Row {
        name: contender.name,
        start_ms: median(&mut starts),
        cpu: cpu - cpu_before,
        bytes: console.bytes - bytes_before,
        rss_kib,
        engine_cpu: lab.engine_cpu() - engine_before,
    };
    end(&mut console);
    row
}

fn end(console: &mut Console) {
    console.signal(rustix::process::Signal::TERM);
    console.exit(Duration::from_secs(5));
}

fn table(rows: &[Row]) {
    println!("{:<12} {:>9} {:>11} {:>11} {:>10} {:>14}", "", "start ms", "idle CPU s", "idle bytes", "RSS MB", "engine CPU s");
    for row in rows {
        println!(
            "{:<12} {:>9.1} {:>11.2} {:>11} {:>10.1} {:>14.2}",
            row.name,
            row.start_ms,
            row.cpu,
            row.bytes,
            row.rss_kib as f64 / 1024.0,
            row.engine_cpu
        );
    }
    let [own, peers @ ..] = rows else { return };
    for peer in peers {
        let ratio = |ours: f64, theirs: f64| if ours > 0.0 { format!("{:.1}x", theirs / ours) } else { "-".to_owned() };
        println!(
            "{:<12} {:>9} {:>11} {:>11} {:>10} {:>14}   (theirs / ours)",
            peer.name,
            ratio(own.start_ms, peer.start_ms),
            ratio(own.cpu, peer.cpu),
            ratio(own.bytes as f64, peer.bytes as f64),
            ratio(own.rss_kib as f64, peer.rss_kib as f64),
            ratio(own.engine_cpu, peer.engine_cpu)
        );
    }
    println!("engine CPU is dockerd and its containerd over the same {} s, idle share included", IDLE.as_secs());
}

/// From the end of `docker rename` to the new name on the screen; the engine tells the event before its client returns.
fn event_to_screen(console: &str, args: &[String], lab: &Lab) {
    let words: Vec<&str> = std::iter::once(console).chain(args.iter().map(String::as_str)).collect();
    let mut screen = Console::start(&words, 160, 50, "xterm-256color");
    screen.expect(&format!("{CONTAINERS} containers"));
    screen.send(b"2");
    screen.expect("fill-0001");
    let mut took: Vec<f64> = Vec::new();
    let mut name = "fill-0001".to_owned();
    for round in 0..REACTIONS {
        let next = format!("renamed-{round:02}");
        lab.docker(&["rename", &name, &next]);
        let since = Instant::now();
        if let Some(seconds) = screen.until(|shown| shown.contents().contains(&next), since, Duration::from_secs(5)) {
            took.push(seconds.max(0.0) * 1000.0);
        }
        name = next;
    }
    lab.docker(&["rename", &name, "fill-0001"]);
    took.sort_by(f64::total_cmp);
    println!(
        "event to screen ({} of {REACTIONS} renames seen): median {:.1} ms, worst {:.1} ms after the client's return",
        took.len(),
        median(&mut took),
        took.last().copied().unwrap_or(f64::NAN)
    );
    end(&mut screen);
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?").to_owned()
}
