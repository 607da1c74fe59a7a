//! What a point did and found, printed as it goes.

use std::time::Duration;

use super::Length;

/// One point's account.
pub struct Report {
    length: Length,
    failures: Vec<String>,
    promises: usize,
}

/// The distribution of a measurement, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub p99: f64,
    pub max: f64,
}

impl Report {
    pub fn new(name: &str, title: &str, length: Length) -> Self {
        println!("\n== {name}: {title}");
        Self { length, failures: Vec::new(), promises: 0 }
    }

    /// What is done next.
    pub fn does(&self, what: &str) {
        println!("   · {what}");
    }

    /// A figure that nothing is promised about.
    pub fn figure(&self, what: &str, value: impl std::fmt::Display) {
        println!("     {what}: {value}");
    }

    /// A distribution; nothing is promised about it by this alone.
    pub fn spread(&self, what: &str, millis: &[f64]) -> Option<Spread> {
        let spread = Spread::of(millis)?;
        println!("     {what}: median {:.1} ms, p99 {:.1} ms, max {:.1} ms (n = {})", spread.median, spread.p99, spread.max, millis.len());
        Some(spread)
    }

    /// A promise, and what was found.
    pub fn holds(&mut self, promise: &str, ok: bool, found: impl std::fmt::Display) {
        self.promises += 1;
        println!("     {} {promise}: {found}", if ok { "ok  " } else { "FAIL" });
        if !ok {
            self.failures.push(format!("{promise}: {found}"));
        }
    }

    /// A promise about time. In short form, among other tests on whatever machine, only ten times as much fails.
    pub fn in_time(&mut self, promise: &str, millis: Option<f64>, limit: f64) {
        let ok = millis.is_some_and(|millis| millis <= self.length.pick(limit * 10.0, limit));
        self.holds(promise, ok, millis.map_or_else(|| "not seen".to_owned(), |millis| format!("{millis:.1} ms")));
    }

    /// How long keys took to show while something was wrong, beside the same just before.
    pub fn frames(&mut self, meanwhile: &[f64], before: &[f64]) {
        let quiet = self.spread("key to screen before", before).map_or(0.0, |spread| spread.max);
        if let Some(spread) = self.spread("key to screen meanwhile", meanwhile) {
            // A machine that is busy with other things is late without any fault.
            let late = if spread.max <= quiet { 0.0 } else { spread.max };
            self.in_time("no frame is later than 50 ms because of it", Some(late), 50.0);
        }
    }

    /// The promises that did not hold; a point that tried nothing did not hold either.
    pub fn failures(mut self) -> Vec<String> {
        if self.promises == 0 {
            self.failures.push("nothing was tried".to_owned());
        }
        self.failures
    }
}

impl Spread {
    pub fn of(millis: &[f64]) -> Option<Self> {
        let mut sorted = millis.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted.get(((sorted.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
        Some(Self { median: at(0.5)?, p99: at(0.99)?, max: at(1.0)? })
    }
}

/// `1.3 s`, or that it did not happen.
pub fn within(found: Option<Duration>) -> String {
    found.map_or_else(|| "not seen".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}
