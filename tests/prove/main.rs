//! `make prove`: every point at full length, with its figures. Names as arguments run only those.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tools/built.rs"]
mod built;
mod points;
mod stage;

use std::{panic::AssertUnwindSafe, process::ExitCode};

use points::{ALL, HOSTS, Point, SERVERS};
use stage::{Length, lab::Lab, report::Report};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let length = if std::env::args().any(|argument| argument == "--short") { Length::Short } else { Length::Full };
    if let Some(unknown) = arguments.iter().find(|name| !ALL.iter().any(|point| point.name == **name)) {
        let known: Vec<&str> = ALL.iter().map(|point| point.name).collect();
        eprintln!("no point {unknown:?}: there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let chosen: Vec<&Point> = ALL.iter().filter(|point| arguments.is_empty() || arguments.iter().any(|name| name == point.name)).collect();
    println!("load {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let lab = match Lab::up(HOSTS, SERVERS) {
        Ok(lab) => lab,
        Err(reason) => {
            println!("SKIPPED: no lab on this machine: {reason}\n0 passed, 0 failed, {} skipped", chosen.len());
            return ExitCode::FAILURE;
        }
    };
    let mut failed = Vec::new();
    for point in &chosen {
        let mut report = Report::new(point.name, point.title, length);
        let run = std::panic::catch_unwind(AssertUnwindSafe(|| {
            (point.run)(&mut report, &lab, length);
            report.failures()
        }));
        let failures = run.unwrap_or_else(|panic| vec![panic_text(&*panic)]);
        println!("   {} {}", if failures.is_empty() { "PASS" } else { "FAIL" }, point.name);
        if !failures.is_empty() {
            failed.push((point.name, failures));
        }
    }
    println!();
    for (name, failures) in &failed {
        for failure in failures {
            println!("FAIL {name}: {failure}");
        }
    }
    println!("load {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    println!("{} passed, {} failed, 0 skipped", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
