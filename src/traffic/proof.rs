//! What a switch cost those who use the service: the balancer's own counters before and after, and our own requests in between. Pure.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Backend, Counters, Standing, probe::ProbeReport};

/// A look at the counters of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Count {
    /// The balancer.
    pub lb: Arc<str>,
    /// Its backend.
    pub backend: Arc<str>,
    /// Which life of the balancer counted it.
    pub life: Arc<str>,
    /// The figures.
    pub counters: Counters,
}

/// What a backend served between two looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Served {
    /// The balancer.
    pub lb: Arc<str>,
    /// Its backend.
    pub backend: Arc<str>,
    /// Requests.
    pub requests: u64,
    /// Those that failed for who asked.
    pub failed: u64,
    /// Connections to servers that could not be made; what was tried again and went well is no failure.
    pub connect_errors: u64,
    /// Answers of servers that broke off.
    pub response_errors: u64,
    /// Whether the balancer was restarted in between: then the figures are those since, and what was before is not known.
    pub restarted: bool,
}

/// What was served in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Span {
    /// What the balancers counted.
    pub served: Vec<Served>,
    /// What we saw ourselves; `None`: the balancer has no `probe`, and there is no p99.
    pub probe: Option<ProbeReport>,
}

/// The proof of a switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Proof {
    /// Up to the first word to a balancer.
    pub before: Span,
    /// From then on to the end.
    pub during: Span,
}

impl Count {
    /// Whether both are of one backend.
    pub fn is_of(&self, other: &Self) -> bool {
        self.lb == other.lb && self.backend == other.backend
    }

    /// A backend's figures now.
    pub fn of(lb: &Arc<str>, backend: &Backend, standing: &Standing) -> Self {
        Self { lb: Arc::clone(lb), backend: Arc::clone(&backend.name), life: Arc::clone(&standing.life), counters: backend.counters }
    }
}

impl Span {
    /// From two looks at the same backends.
    pub fn between(before: &[Count], after: &[Count], probe: Option<ProbeReport>) -> Self {
        let served = after.iter().map(|now| {
            let earlier = before.iter().find(|earlier| earlier.is_of(now));
            let same = earlier.filter(|earlier| earlier.life == now.life).and_then(|earlier| now.counters.since(&earlier.counters));
            let counted = same.unwrap_or(now.counters);
            Served {
                lb: Arc::clone(&now.lb),
                backend: Arc::clone(&now.backend),
                requests: counted.requests,
                failed: counted.failed(),
                connect_errors: counted.connect_errors,
                response_errors: counted.response_errors,
                restarted: same.is_none() && earlier.is_some(),
            }
        });
        Self { served: served.collect(), probe }
    }

    /// Of our own requests; `None`: there were none.
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a request")]
    pub fn p99_ms(&self) -> Option<f64> {
        self.probe.as_ref()?.p99_ms.map(|ms| ms as f64)
    }

    /// [`Span::totals`], where anybody counted: that nobody did is no count of nothing.
    pub fn counted(&self) -> Option<(u64, u64)> {
        (!self.served.is_empty()).then(|| self.totals())
    }

    /// All requests and failures that were counted.
    pub fn totals(&self) -> (u64, u64) {
        self.served.iter().fold((0, 0), |(requests, failed), served| (requests + served.requests, failed + served.failed))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, failed) = self.totals();
        write!(f, "{failed} of {requests} requests failed")?;
        if self.served.iter().any(|served| served.restarted) {
            f.write_str(" since the balancer was restarted")?;
        }
        match &self.probe {
            Some(ProbeReport { requests, failed, p50_ms: Some(half), p99_ms: Some(most), .. }) => {
                write!(f, "; of {requests} of our own {failed} failed, p50 {half} ms, p99 {most} ms")
            }
            Some(ProbeReport { requests, failed, .. }) => write!(f, "; of {requests} of our own {failed} failed"),
            None => f.write_str("; no probe, no times"),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.during)?;
        if self.before == Span::default() {
            return Ok(());
        }
        write!(f, " (before: {})", self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(life: &str, requests: u64, http_5xx: u64) -> Count {
        let counters = Counters { requests, http_5xx, http: true, ..Counters::default() };
        Count { lb: "edge".into(), backend: "shop_web".into(), life: life.into(), counters }
    }

    #[test]
    fn figures_are_those_in_between() {
        let probe = ProbeReport { requests: 120, p50_ms: Some(4), p99_ms: Some(44), worst_ms: Some(60), ..ProbeReport::default() };
        let proof = Span::between(&[count("pid 7", 100, 3)], &[count("pid 7", 12_518, 3)], Some(probe));
        assert_eq!(proof.to_string(), "0 of 12418 requests failed; of 120 of our own 0 failed, p50 4 ms, p99 44 ms");
        assert_eq!(Span::between(&[], &[count("pid 7", 5, 1)], None).to_string(), "1 of 5 requests failed; no probe, no times");
    }

    #[test]
    fn a_restart_is_told_and_never_hidden_by_larger_figures() {
        for (life, requests) in [("pid 8", 9_000), ("pid 7", 50)] {
            let proof = Span::between(&[count("pid 7", 100, 3)], &[count(life, requests, 2)], None);
            let text = format!("2 of {requests} requests failed since the balancer was restarted; no probe, no times");
            assert_eq!((proof.to_string(), proof.served[0].restarted), (text, true));
        }
    }
}
