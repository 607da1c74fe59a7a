//! `cargo test --release --test bench_stats`: what looking at resources costs, us and the engines, beside the peers that are installed.
//!
//! Prints figures; nothing here fails for being slow. First one real engine of the lab with 60 containers, 160×50; then 500 containers on
//! five simulated hosts, which run in a process of their own.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tools/built.rs"]
mod built;
#[allow(dead_code)]
mod lab;
#[path = "../tools/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lab::Lab;
use pty::{Console, usage};

const CONTAINERS: usize = 60;
const SPAN: Duration = Duration::from_secs(20);

fn main() {
    println!("load average {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    real();
    simulated();
}

/// A program that shows what containers use.
struct Contender {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    /// Typed first, to reach that screen.
    keys: &'static str,
    /// What is there when all containers are known.
    ready: String,
}

fn real() {
    let Some(lab) = Lab::up(CONTAINERS) else { return };
    println!("one engine (20.10 of the lab), {CONTAINERS} containers, 160x50, {} s", SPAN.as_secs());
    let idle = idle(&lab);
    println!("{:<24} {:>8} {:>14} {:>14}", "", "CPU s", "engine CPU s", "of that extra");
    println!("{:<24} {:>8} {idle:>14.2} {:>14}", "nobody looks", "", "");
    let engine = format!("unix://{}", lab.socket);
    let ours = |name, keys: &'static str| Contender {
        name,
        program: built::program().into(),
        args: vec!["-H".into(), format!("app-01={engine}")],
        keys,
        ready: format!("{CONTAINERS} containers"),
    };
    let peer = |name, args| {
        let program = installed(name)?;
        Some(Contender { name, program, args, keys: "", ready: "fill-00".to_owned() })
    };
    let contenders = [
        Some(ours("quarterdeck, Versions", "1")),
        Some(ours("quarterdeck, Resources", "5")),
        Some(ours("quarterdeck, Containers u", "2u")),
        peer("oxker", vec!["--host".into(), lab.socket.clone()]),
        peer("dtop", vec!["--host".into(), engine.clone()]),
    ];
    for contender in contenders.into_iter().flatten() {
        let mut console = start(&contender.program, &contender.args);
        let since = console.started;
        let ready = contender.ready.clone();
        console.until(|screen| screen.contents().contains(&ready), since, Duration::from_secs(20));
        console.send(contender.keys.as_bytes());
        // What a first look costs once is over: the steady cost is what counts.
        console.run(Duration::from_secs(5));
        let ((before, _), engine) = (usage(console.pid()), lab.engine_cpu());
        console.run(SPAN);
        let spent = usage(console.pid()).0 - before;
        let engine = lab.engine_cpu() - engine;
        println!("{:<24} {spent:>8.2} {engine:>14.2} {:>14.2}", contender.name, engine - idle);
        end(&mut console);
    }
}

/// What the engine uses by itself.
fn idle(lab: &Lab) -> f64 {
    std::thread::sleep(Duration::from_secs(2));
    let before = lab.engine_cpu();
    std::thread::sleep(SPAN);
    lab.engine_cpu() - before
}

fn installed(name: &str) -> Option<PathBuf> {
    let local = Path::new("target/peers/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(local).chain(std::env::split_paths(&path).map(|dir| dir.join(name))).find(|path| path.is_file());
    if found.is_none() {
        println!("{name}: not installed, left out");
    }
    found
}

fn start(program: &Path, args: &[String]) -> Console {
    let words: Vec<&str> = std::iter::once(program.to_str().unwrap()).chain(args.iter().map(String::as_str)).collect();
    Console::start(&words, 160, 50, "xterm-256color")
}

fn end(console: &mut Console) {
    console.signal(rustix::process::Signal::TERM);
    console.exit(Duration::from_secs(5));
}

/// Simulated hosts, ended with the value.
struct Fleet(Child);

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().unwrap();
        }
    }
}

fn simulated() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = ["--hosts", "5", "--containers", "100", "--events-per-second", "0"];
    let mut serve = Command::new(built::program());
    serve.args(["sim", "serve", "scale", "--dir"]).arg(dir.path()).args(sizes).stdout(Stdio::null()).stderr(Stdio::null());
    let _fleet = Fleet(serve.spawn().unwrap());
    let sockets = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "sock")).collect()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while sockets().len() < 5 {
        assert!(Instant::now() < deadline, "the simulated hosts do not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let name = |path: &PathBuf| format!("{}=unix://{}", path.file_stem().unwrap().to_string_lossy(), path.display());
    let args: Vec<String> = sockets().iter().flat_map(|path| ["-H".to_owned(), name(path)]).collect();
    println!("500 containers on five simulated hosts, 160x50, {} s", SPAN.as_secs());
    for (what, keys) in [("Versions", "1"), ("Resources", "5"), ("Resources by host", "5v")] {
        let mut console = start(built::program().as_ref(), &args);
        console.expect("500 containers");
        console.send(keys.as_bytes());
        console.run(Duration::from_secs(8));
        let (before, _) = usage(console.pid());
        console.run(SPAN);
        let (after, kib) = usage(console.pid());
        let share = (after - before) / SPAN.as_secs_f64() * 100.0;
        println!("{what:<24} {:>8.2} CPU s, {share:.1} % of a core, {:.1} MB resident", after - before, kib as f64 / 1024.0);
        end(&mut console);
    }
}
