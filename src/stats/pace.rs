//! How often is measured: as often as is asked for, within what measuring may cost an engine.
//!
//! One sample costs an engine 2 to 2.5 ms of processor time, one-shot or streamed. So the cost is a matter of samples a second, which is
//! what is limited here; a larger set is measured less often, and so is a host that has enough to do already.

use std::time::Duration;

/// What one sample costs an engine.
pub const SAMPLE_COST: Duration = Duration::from_micros(2500);
/// What measuring may cost an engine on an idle host: this share of one processor.
pub const SHARE: f64 = 0.02;
/// How much slower a host is measured at most when it is loaded.
const SLOWEST: f64 = 4.0;
/// Of the samples this share is for what is on screen, where there is more to measure.
const NEAR_SHARE: f64 = 0.7;

/// How often the containers of one host are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Those on screen.
    pub near: Duration,
    /// Those that only a sum needs.
    pub rest: Duration,
}

/// Samples a second that an engine may be asked for. `load`: the host's load average over its processors, where known; `strain`: how much
/// slower than usual it answers, 1 for as usual.
pub fn rate(load: Option<f64>, strain: f64) -> f64 {
    let slower = load.unwrap_or(0.0).clamp(1.0, SLOWEST) * strain.clamp(1.0, SLOWEST);
    SHARE / SAMPLE_COST.as_secs_f64() / slower
}

/// The pace for so many containers at this rate, none more often than `every`.
pub fn pace(near: usize, rest: usize, every: Duration, rate: f64) -> Pace {
    let rate = if rate > 0.0 { rate } else { f64::MIN_POSITIVE };
    let over = |count: usize, rate: f64| {
        let seconds = if rate > 0.0 { count as f64 / rate } else { f64::MAX };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(every)
    };
    if near == 0 || rest == 0 {
        return Pace { near: over(near, rate), rest: over(rest, rate) };
    }
    let first = over(near, rate * NEAR_SHARE);
    // What those on screen leave over.
    let left = rate - near as f64 / first.as_secs_f64();
    // Never quicker than what is looked at.
    Pace { near: first, rest: over(rest, left).max(first) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(pace: Pace) -> (f64, f64) {
        let round = |span: Duration| (span.as_secs_f64() * 10.0).round() / 10.0;
        (round(pace.near), round(pace.rest))
    }

    #[test]
    fn the_budget_decides_when_there_is_much_to_measure() {
        let every = Duration::from_secs(2);
        assert!((rate(None, 1.0) - 8.0).abs() < 1e-9);
        for (near, rest, expected) in
            [(4, 0, (2.0, 2.0)), (16, 0, (2.0, 2.0)), (60, 0, (7.5, 2.0)), (20, 80, (3.6, 33.3)), (2, 8, (2.0, 2.0))]
        {
            assert_eq!(seconds(pace(near, rest, every, rate(None, 1.0))), expected, "{near} and {rest}");
        }
    }

    #[test]
    fn a_loaded_host_is_left_alone() {
        assert_eq!(rate(Some(0.3), 1.0), rate(None, 1.0));
        assert!((rate(Some(2.0), 1.0) - 4.0).abs() < 1e-9);
        assert!((rate(Some(90.0), 9.0) - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn never_more_than_the_budget(near in 0usize..3000, rest in 0usize..3000, every in 1u64..20_000, load in 0.0f64..50.0) {
            let rate = rate(Some(load), 1.0);
            let pace = pace(near, rest, Duration::from_millis(every), rate);
            let asked = near as f64 / pace.near.as_secs_f64() + rest as f64 / pace.rest.as_secs_f64();
            prop_assert!(asked <= rate * 1.001, "{asked} of {rate}");
        }
    }
}
