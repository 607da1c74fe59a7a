//! `cargo test --release --test bench_logs`: lines a second on one core, from frames to a filtered, merged stream.
//!
//! Prints figures; nothing here fails for being slow.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;

use quarterdeck::logs::{
    Filter, Level,
    measure::{self, Measure},
};

const LINES: u64 = 1_000_000;
const ROUNDS: usize = 5;

fn main() {
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
