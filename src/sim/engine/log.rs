//! Log lines, computed from the clock: nothing is stored, and the same question has the same answer.

use std::sync::Arc;

use super::{
    container::{Container, Run, Spec},
    seed,
};
use crate::sim::scenario::LogFormat;

/// How many lines of one life of a process can be asked for, as after rotation.
pub const KEEP: u64 = 20_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, nanoseconds since 1970.
    pub at: i64,
    /// Whether it went to stderr.
    pub stderr: bool,
    /// Its bytes with the newline.
    pub text: Vec<u8>,
}

/// What a container's log follows from: a snapshot, small enough to take for each look.
#[derive(Clone, Debug)]
pub struct LogSource {
    spec: Arc<Spec>,
    seed: u64,
    runs: Vec<Run>,
    /// Whether more may come.
    pub lives: bool,
}

impl LogSource {
    /// The log of this container as it is now.
    pub fn of(container: &Container) -> Self {
        Self { spec: container.spec.clone(), seed: container.seed, runs: container.runs.clone(), lives: container.state.lives() }
    }

    /// When the life that began at `start` ended; none while it lasts.
    pub fn end_of(&self, start: Option<i64>) -> Option<i64> {
        self.runs.iter().find(|run| Some(run.start) == start)?.end
    }

    /// The lines after `after`, up to and including `until`, oldest first, at most the newest `tail` of them.
    pub fn lines(&self, after: i64, until: i64, tail: Option<u64>) -> impl Iterator<Item = Line> + '_ {
        let mut left = tail.unwrap_or(u64::MAX);
        let mut spans: Vec<(Run, u64, u64)> = Vec::new();
        for run in self.runs.iter().rev() {
            let upto = self.count(run, until);
            let from = self.count(run, after).max(upto.saturating_sub(KEEP)).max(upto.saturating_sub(left)).min(upto);
            left -= upto - from;
            spans.push((*run, from, upto));
        }
        spans.into_iter().rev().flat_map(move |(run, from, upto)| (from..upto).map(move |k| self.line(&run, k)))
    }

    /// When the first line after `after` comes, as far as can be known now.
    pub fn next_after(&self, after: i64) -> Option<i64> {
        let run = self.runs.last().filter(|run| run.end.is_none())?;
        if self.spec.log.rate <= 0.0 && after >= run.start {
            return None;
        }
        Some(self.time(run, self.count(run, after)))
    }

    /// Nanoseconds from one line to the next.
    fn period(&self) -> f64 {
        1e9 / self.spec.log.rate.max(1e-6)
    }

    /// When line `k` of a life comes. Line 0 is the greeting, at the start itself.
    fn time(&self, run: &Run, k: u64) -> i64 {
        if k == 0 {
            return run.start;
        }
        let wobble = (seed::part(self.seed ^ k) - 0.5) * 0.8;
        run.start + ((k as f64 + wobble) * self.period()) as i64
    }

    /// How many lines of a life are not later than `until`; a life that failed has one more, at its end.
    fn count(&self, run: &Run, until: i64) -> u64 {
        if until < run.start {
            return 0;
        }
        let ended = run.end.filter(|end| *end <= until);
        let upto = run.end.map_or(until, |end| end.min(until));
        let mut k = ((upto - run.start) as f64 / self.period()).max(0.0) as u64;
        while self.time(run, k) <= upto {
            k += 1;
        }
        while k > 0 && self.time(run, k - 1) > upto {
            k -= 1;
        }
        k + u64::from(ended.is_some() && run.exit_code != 0)
    }

    fn line(&self, run: &Run, k: u64) -> Line {
        if let Some(end) = run.end.filter(|end| run.exit_code != 0 && k + 1 == self.count(run, *end)) {
            let text = format!("fatal: giving up with exit code {}", run.exit_code);
            return Line { at: end, stderr: true, text: self.dress("error", &text, k) };
        }
        let chance = seed::part(self.seed.rotate_left(17) ^ k);
        let log = &self.spec.log;
        let (level, stderr) = if k == 0 {
            ("info", false)
        } else if chance < log.errors {
            ("error", true)
        } else if chance < log.errors + log.warnings {
            ("warn", false)
        } else {
            ("info", false)
        };
        Line { at: self.time(run, k), stderr, text: self.dress(level, &self.message(level, k), k) }
    }

    fn message(&self, level: &str, k: u64) -> String {
        let log = &self.spec.log;
        let number = 1000 + seed::mix(self.seed ^ k) % 9000;
        if log.long > 0 && k > 0 && k.is_multiple_of(10) {
            return format!("long {} end", "0123456789".repeat(log.long / 10));
        }
        if k > 0 && !log.lines.is_empty() {
            return log.lines[k as usize % log.lines.len()].clone();
        }
        match (k, level) {
            (0, _) => format!("{}/{} {} is listening", self.spec.app, self.spec.service, self.spec.image.tag),
            (_, "error") => format!("order {number} failed: db timeout after 3000 ms"),
            (_, "warn") => format!("order {number} is slow: {} ms", 300 + number % 700),
            (_, _) => match k % 3 {
                0 => format!("order {number} accepted"),
                1 => format!("GET /cart/{number} 200 {} ms", number % 90),
                _ => format!("session {number} renewed"),
            },
        }
    }

    fn dress(&self, level: &str, message: &str, k: u64) -> Vec<u8> {
        let mut line = match self.spec.log.format {
            LogFormat::Plain => format!("{:<5} {message}", level.to_uppercase()),
            LogFormat::Json => serde_json::json!({ "level": level, "msg": message, "n": k }).to_string(),
            LogFormat::Logfmt => format!("level={level} msg={message:?} n={k}"),
        };
        line.push('\n');
        // U+F8FF stands for a byte that is not UTF-8: a scenario file cannot hold one.
        raw(line.as_bytes())
    }
}

/// The bytes, with `0xff` in place of each U+F8FF.
pub fn raw(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(3).position(|window| window == "\u{f8ff}".as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.push(0xff);
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    out
}
