//! `cargo test --release --test bench_logs`: what reading logs costs. Lines a second on one core, from frames to a filtered, merged stream;
//! then, on a real engine of the lab: a whole log beside curl on the same socket, a container that writes as fast as it can in the
//! console, the tail of a large log, and a line of a megabyte.
//!
//! Prints figures; nothing here fails for being slow.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tools/built.rs"]
mod built;
#[path = "one_engine.rs"]
mod one_engine;
#[path = "../tools/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use one_engine::OneEngine;
use pty::{Console, usage};
use quarterdeck::{
    config::Endpoint,
    engine::{
        Engine, Report, Target,
        logs::{LogMode, LogOrder, LogReport, LogState},
    },
    fleet::{Delta, HostId, HostSpec},
    logs::{
        Filter, Level, SourceId,
        measure::{self, Measure},
    },
    rights::Rights,
};

const LINES: u64 = 1_000_000;
const ROUNDS: usize = 5;
/// Of the log that is read whole.
const WHOLE: u64 = 500_000;
/// How long the container that writes as fast as it can is watched.
const FLOOD: Duration = Duration::from_secs(15);
/// Of the log whose tail is opened, in lines of 4000 bytes: 2 GB.
const LARGE: u64 = 530_000;

/// About what an access log's line is long.
const LINE: &str = "INFO  request 8123 from 10.0.3.17 took 12 ms path=/api/orders/8123 user=anna session=5f3a77c0";

fn main() {
    one_core();
    let Some(lab) = OneEngine::up() else { return };
    println!("\none engine of the lab; load average {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    whole_log(&lab);
    flood(&lab);
    large_tail(&lab);
    long_line(&lab);
}

fn one_core() {
    println!("{:<34}{:>14}{:>12}{:>14}", "one core, 115 bytes a line", "lines/s", "decode ns", "filter+merge");
    for sources in [1, 10, 50] {
        let input: Vec<_> = (0..sources).map(|nth| measure::chunks(LINES / sources, nth, sources)).collect();
        let mut level = Filter::new();
        level.set_level(Some(Level::Warn));
        let mut grep = Filter::new();
        grep.include("request [0-9]*77 ").unwrap();
        grep.exclude("10\\.0\\.3\\.1[0-9] ").unwrap();
        for (name, filter) in [("all", Filter::new()), ("level >= warn", level), ("grep and exclude", grep)] {
            let best =
                (0..ROUNDS).map(|_| measure::run(&input, &filter, Instant::now)).max_by(|a, b| a.rate().total_cmp(&b.rate())).unwrap();
            let Measure { lines, decode, merge, .. } = best;
            let each = |span: std::time::Duration| span.as_secs_f64() * 1e9 / lines as f64;
            println!("{:<34}{:>14.0}{:>12.0}{:>14.0}", format!("{sources} sources, {name}"), best.rate(), each(decode), each(merge));
        }
    }
}

/// A log read from its first to its last line, in turns with curl, which throws it away.
fn whole_log(lab: &OneEngine) {
    lab.docker(&["run", "--name", "whole", "base:latest", "sh", "-c", &format!("yes '{LINE}' | head -n {WHOLE}")]);
    let (mut ours, mut curls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        curls.push(by_curl(lab));
        ours.push(by_reader(lab));
    }
    let (own, curl) = (median(&mut ours), median(&mut curls));
    println!(
        "{WHOLE} lines whole: {own:.2} s, curl {curl:.2} s on the same socket, ratio {:.2} (medians of {ROUNDS}; {:.0} lines/s)",
        own / curl,
        WHOLE as f64 / own
    );
    lab.docker(&["rm", "whole"]);
}

fn by_curl(lab: &OneEngine) -> f64 {
    let start = Instant::now();
    let url = "http://engine/v1.41/containers/whole/logs?stdout=true&stderr=true&timestamps=true&tail=all";
    let status = Command::new("curl").args(["-sS", "--unix-socket", &lab.socket, "-o", "/dev/null", url]).status().unwrap();
    assert!(status.success());
    start.elapsed().as_secs_f64()
}

/// Through the reader that the console and `logs` use, up to the last decoded line.
fn by_reader(lab: &OneEngine) -> f64 {
    let host = HostId::new("app-01");
    let spec = HostSpec { id: host.clone(), url: "unix://".into(), environment: None, tags: Vec::new(), unprotected: false };
    let target = Target { spec, endpoint: Endpoint::Unix { path: (&lab.socket).into() } };
    let (engine, mut reports) = Engine::start(vec![target], Rights::view("a benchmark")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let container = runtime.block_on(async {
        loop {
            if let Some(Report::Delta(Delta::List { containers, .. })) = reports.recv().await
                && let Some(found) = containers.iter().find(|container| &*container.name == "whole")
            {
                return quarterdeck::fleet::ContainerKey { host: host.clone(), id: found.id.clone() };
            }
        }
    });
    let mut reader = engine.logs().open(LogMode::Search, Filter::new());
    let start = Instant::now();
    reader.add(LogOrder { source: SourceId(0), container, since: None, until: None, tail: None });
    let mut lines = 0;
    runtime.block_on(async {
        loop {
            match reader.next().await.unwrap() {
                LogReport::Lines { lines: some, .. } => lines += some.len() as u64,
                LogReport::State { state: LogState::Done, .. } => break,
                LogReport::State { .. } => {}
            }
        }
    });
    assert_eq!(lines, WHOLE);
    start.elapsed().as_secs_f64()
}

/// The console on its containers, with the logs of `name` open.
fn console(lab: &OneEngine, name: &str) -> Console {
    let host = format!("app-01=unix://{}", lab.socket);
    let mut console = Console::start(&[&built::program(), "-H", &host], 160, 50, "xterm-256color");
    console.expect("1 container");
    console.send(b"2");
    console.send(format!("/name:{name}\r").as_bytes());
    console.expect(name);
    console.run(Duration::from_millis(300));
    console
}

/// How long each frame took that somebody waits for: one that answers a key, in milliseconds; a key without an answer is not a number.
fn answers(console: &mut Console, span: Duration) -> Vec<f64> {
    let paused = |screen: &vt100::Screen| screen.contents().contains(" paused");
    let (start, mut took, mut pausing) = (Instant::now(), Vec::new(), true);
    while start.elapsed() < span {
        assert!(paused(console.screen()) != pausing, "the answer stood there before its key:\n{}", console.text());
        let pressed = Instant::now();
        console.send(b" ");
        let answered = console.until(|screen| paused(screen) == pausing, pressed, Duration::from_secs(5));
        took.push(answered.map_or(f64::NAN, |seconds| seconds * 1000.0));
        pausing = answered.is_some() != pausing;
        console.run(Duration::from_millis(40));
    }
    took
}

fn flood(lab: &OneEngine) {
    // Room for all of it: an engine that rotates a log stumbles, and its silence would count as ours.
    lab.docker(&["run", "-d", "--name", "flood", "--log-opt", "max-size=8g", "base:latest", "sh", "-c", &format!("yes '{LINE}'")]);
    let mut console = console(lab, "flood");
    console.send(b"l");
    console.expect("lines/s");
    let (start, cpu) = (Instant::now(), usage(console.pid()).0);
    let mut memory = 0;

    // As it comes: where nothing arrives for a moment, there is nothing to paint.
    let (mut gaps, mut last) = (Vec::new(), None::<Instant>);
    while start.elapsed() < FLOOD {
        let before = console.bytes;
        console.pump(Duration::from_millis(20));
        if console.bytes > before {
            gaps.extend(last.map(|last| console.stamp.saturating_duration_since(last).as_secs_f64() * 1000.0));
            last = Some(console.stamp);
        }
        memory = memory.max(usage(console.pid()).1);
    }
    let mut keys = answers(&mut console, FLOOD);
    memory = memory.max(usage(console.pid()).1);
    let cpu = usage(console.pid()).0 - cpu;
    let late = |times: &[f64]| times.iter().filter(|time| time.is_nan() || **time > 50.0).count();
    let (late_gaps, late_keys) = (late(&gaps), late(&keys));
    println!(
        "a container that writes as fast as it can, {} s: {} frames, between two: median {:.1} ms, worst {:.1} ms, {late_gaps} over 50 ms",
        FLOOD.as_secs(),
        gaps.len() + 1,
        median(&mut gaps),
        gaps.last().copied().unwrap_or(f64::NAN),
    );
    println!(
        "  key to frame meanwhile: median {:.1} ms, worst {:.1} ms, {late_keys} of {} over 50 ms; CPU {:.0} % of a core; memory at most {:.0} MB",
        median(&mut keys),
        keys.last().copied().unwrap_or(f64::NAN),
        keys.len(),
        cpu / (2.0 * FLOOD.as_secs_f64()) * 100.0,
        memory as f64 / 1024.0
    );
    end(&mut console);
    lab.docker(&["rm", "-f", "flood"]);
}

fn large_tail(lab: &OneEngine) {
    let script = format!("yes $(head -c 3990 /dev/zero | tr '\\0' x) | head -n {LARGE}; echo the very last line; sleep 1000");
    lab.docker(&["run", "-d", "--name", "large", "--log-opt", "max-size=8g", "base:latest", "sh", "-c", &script]);
    let ready = Instant::now();
    while !lab.output(&["logs", "--tail", "1", "large"]).contains("the very last line") {
        if ready.elapsed() > Duration::from_secs(300) {
            println!("the large log was not written in time; left out");
            lab.docker(&["rm", "-f", "large"]);
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut console = console(lab, "large");
            let since = Instant::now();
            console.send(b"l");
            let seconds = console.until(|screen| screen.contents().contains("the very last line"), since, Duration::from_secs(20));
            end(&mut console);
            seconds.unwrap_or(f64::NAN) * 1000.0
        })
        .collect();
    println!(
        "the tail of a log of {:.1} GB, from key to screen: median {:.0} ms of {ROUNDS}",
        LARGE as f64 * 4000.0 / 1e9,
        median(&mut took)
    );
    lab.docker(&["rm", "-f", "large"]);
}

fn long_line(lab: &OneEngine) {
    let script = "while :; do head -c 1048576 /dev/zero | tr '\\0' y; echo; echo behind it; sleep 0.2; done";
    lab.docker(&["run", "-d", "--name", "long", "base:latest", "sh", "-c", script]);
    let mut console = console(lab, "long");
    console.send(b"l");
    // Its command says "behind it" as well: the panel it is.
    console.expect("lines/s");
    let mut took = answers(&mut console, Duration::from_secs(6));
    let late = took.iter().filter(|time| time.is_nan() || **time > 50.0).count();
    println!(
        "lines of 1 MB, five a second: a key answered in {:.1} ms, worst {:.1} ms, {late} of {} later than 50 ms",
        median(&mut took),
        took.last().copied().unwrap_or(f64::NAN),
        took.len()
    );
    end(&mut console);
    lab.docker(&["rm", "-f", "long"]);
}

fn end(console: &mut Console) {
    console.signal(rustix::process::Signal::TERM);
    console.exit(Duration::from_secs(5));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
