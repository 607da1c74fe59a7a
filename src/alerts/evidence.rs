//! What was asked of the engines about a trouble, and what they said: the last lines before it, the last output of a HEALTHCHECK.
//! A memory with a bound; who asks and when is the runtime's matter.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{
    fleet::{ContainerKey, mask},
    logs::{LogStream, Stamp},
    text::clean_line,
};

/// How many answers are remembered; the oldest make room.
const KEPT: usize = 256;
/// An answer about how things stand now is asked for again after this long, as long as somebody looks at it.
const FRESH: TimeDelta = TimeDelta::seconds(5);

/// A question about one container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// What its HEALTHCHECK last printed.
    Health(ContainerKey),
    /// Its last lines.
    Tail {
        /// Whose.
        container: ContainerKey,
        /// Before this moment of its engine's clock; `None`: the last there are.
        until: Option<DateTime<Utc>>,
    },
}

impl Probe {
    /// Whom it is about.
    pub fn container(&self) -> &ContainerKey {
        match self {
            Self::Health(container) | Self::Tail { container, .. } => container,
        }
    }

    /// Whether its answer stays true.
    fn is_of_the_past(&self) -> bool {
        match self {
            Self::Health(_) | Self::Tail { until: None, .. } => false,
            Self::Tail { until: Some(_), .. } => true,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// To [`Probe::Health`]; `None`: it printed nothing, or there is no HEALTHCHECK.
    Health(Option<Check>),
    /// To [`Probe::Tail`].
    Tail(Tail),
    /// There is none, and why, in one clean line.
    Failed(String),
}

/// One run of a HEALTHCHECK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// When it ended.
    pub at: Option<DateTime<Utc>>,
    /// With which code.
    pub exit_code: i64,
    /// What it printed, clean, in one line, secrets masked.
    pub output: String,
    /// How many failed in a row.
    pub streak: i64,
}

impl Check {
    /// The last run that an inspect document tells of.
    pub fn of(document: &Value) -> Option<Self> {
        let health = document.get("State")?.get("Health")?;
        let last = health.get("Log")?.as_array()?.last()?;
        let moment = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        let output = clean_line(last.get("Output").and_then(Value::as_str).unwrap_or_default().trim());
        Some(Self {
            at: last.get("End").and_then(Value::as_str).and_then(moment),
            exit_code: last.get("ExitCode").and_then(Value::as_i64).unwrap_or_default(),
            output: mask::mask_text(&output).into_owned(),
            streak: health.get("FailingStreak").and_then(Value::as_i64).unwrap_or_default(),
        })
    }
}

/// Last lines, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The lines.
    pub lines: Vec<TailLine>,
    /// Whether what lies before them was not looked for: so much was written since.
    pub out_of_reach: bool,
}

/// A line, harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailLine {
    /// When.
    pub at: Stamp,
    /// On which output.
    pub stream: LogStream,
    /// What it says, without colours.
    pub text: String,
}

/// The answers.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    found: HashMap<Probe, (DateTime<Utc>, Finding)>,
}

impl Evidence {
    /// What is known to a question.
    pub fn find(&self, probe: &Probe) -> Option<&Finding> {
        self.found.get(probe).map(|(_, finding)| finding)
    }

    /// The answer to a question about last lines or, until it comes, the newest one about the same container: lines that are read do not
    /// vanish because the container ended once more.
    pub fn nearest(&self, probe: &Probe) -> Option<&Finding> {
        let alike = |other: &&Probe| matches!(other, Probe::Tail { .. }) && other.container() == probe.container();
        self.find(probe).or_else(|| {
            let known = self.found.keys().filter(alike).filter_map(|other| self.found.get(other));
            known.max_by_key(|(at, _)| *at).map(|(_, finding)| finding)
        })
    }

    /// Whether a question should be asked (again).
    pub fn is_due(&self, probe: &Probe, now: DateTime<Utc>) -> bool {
        match self.found.get(probe) {
            None => true,
            // Also what failed may work the next time.
            Some((at, Finding::Failed(_))) => now - *at >= FRESH,
            Some((at, Finding::Health(_) | Finding::Tail(_))) => !probe.is_of_the_past() && now - *at >= FRESH,
        }
    }

    /// How long until one of these questions is due again, of those that will be.
    pub fn next_due(&self, probes: &[Probe], now: DateTime<Utc>) -> Option<TimeDelta> {
        let of_now = probes.iter().filter(|probe| !probe.is_of_the_past());
        of_now.filter_map(|probe| self.found.get(probe)).map(|(at, _)| (*at + FRESH - now).max(TimeDelta::zero())).min()
    }

    /// Remembers an answer.
    pub fn learn(&mut self, probe: Probe, finding: Finding, now: DateTime<Utc>) {
        if self.found.len() >= KEPT && !self.found.contains_key(&probe) {
            let oldest = self.found.iter().min_by_key(|(_, (at, _))| *at).map(|(probe, _)| probe.clone());
            oldest.map(|oldest| self.found.remove(&oldest));
        }
        self.found.insert(probe, (now, finding));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::{ContainerId, fixture};

    fn key(n: usize) -> ContainerKey {
        ContainerKey { host: "app-01".into(), id: ContainerId::new(format!("{n}")) }
    }

    #[test]
    fn the_past_is_asked_once_and_the_present_again() {
        let mut evidence = Evidence::default();
        let now = fixture::now();
        let past = Probe::Tail { container: key(1), until: Some(now) };
        let present = Probe::Health(key(1));
        let failed = Probe::Tail { container: key(2), until: Some(now) };
        for probe in [&past, &present, &failed] {
            assert!(evidence.is_due(probe, now));
        }
        evidence.learn(past.clone(), Finding::Tail(Tail::default()), now);
        evidence.learn(present.clone(), Finding::Health(None), now);
        evidence.learn(failed.clone(), Finding::Failed("no route".to_owned()), now);
        let later = now + FRESH;
        assert_eq!([&past, &present, &failed].map(|probe| evidence.is_due(probe, now)), [false, false, false]);
        assert_eq!([&past, &present, &failed].map(|probe| evidence.is_due(probe, later)), [false, true, true]);
        assert_eq!(evidence.next_due(&[past.clone(), present], now), Some(FRESH));
        assert_eq!(evidence.next_due(&[past], now), None);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut evidence = Evidence::default();
        for n in 0..KEPT + 10 {
            let at = fixture::now() + TimeDelta::seconds(i64::try_from(n).unwrap());
            evidence.learn(Probe::Health(key(n)), Finding::Health(None), at);
        }
        assert_eq!(evidence.found.len(), KEPT);
        assert!(evidence.find(&Probe::Health(key(9))).is_none() && evidence.find(&Probe::Health(key(10))).is_some());
    }

    #[test]
    fn the_last_check_is_read_and_masked() {
        let document = json!({"State": {"Health": {"FailingStreak": 12, "Log": [
            {"End": "2026-11-21T14:00:00Z", "ExitCode": 0, "Output": "old"},
            {"End": "2026-11-21T14:02:00.5Z", "ExitCode": 1, "Output": "GET /healthz?token=XQZJ9 \u{1b}[31m503\n"},
        ]}}});
        let check = Check::of(&document).unwrap();
        assert_eq!((check.exit_code, check.streak), (1, 12));
        assert!(!check.output.contains("XQZJ9") && !check.output.contains('\u{1b}') && check.output.contains("503"), "{}", check.output);
        assert_eq!(Check::of(&json!({"State": {"Health": {"Log": []}}})), None);
        assert_eq!(Check::of(&json!({"State": {}})), None);
    }
}
