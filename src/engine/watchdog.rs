//! When a silent engine is probed, called stale, and given up (design: Links). Pure: time comes in as arguments.

use std::time::{Duration, Instant};

use crate::fleet::link::{PROBE_ANSWER, QUIET_LOCAL, QUIET_NETWORK, STALE_KEPT};

/// Fleets up to this size are probed at the base interval; beyond it the interval grows in proportion.
const BASE_FLEET: usize = 200;

/// The judge of one link's silence.
#[derive(Debug)]
pub(super) struct Watchdog {
    quiet: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Probing { since: Instant, stale: bool },
}

/// What the silence means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to do.
    Quiet,
    /// Ask the engine for a sign of life.
    Probe,
    /// It did not give one in time; what is shown may be old.
    Stale {
        /// How long it has been silent.
        silence: Duration,
    },
    /// A stale engine was heard again.
    Recovered,
    /// It has been silent for too long.
    Lost {
        /// How long it has been silent.
        silence: Duration,
    },
}

impl Watchdog {
    pub(super) fn new(local: bool, fleet_size: usize) -> Self {
        let base = if local { QUIET_LOCAL } else { QUIET_NETWORK };
        let growth = (fleet_size as f64 / BASE_FLEET as f64).max(1.0);
        Self { quiet: base.mul_f64(growth), state: State::Fresh }
    }

    /// The verdict at `now`, after `silence` without a byte of the engine.
    pub(super) fn look(&mut self, now: Instant, silence: Duration) -> Verdict {
        match self.state {
            State::Fresh if silence < self.quiet => Verdict::Quiet,
            State::Fresh => {
                self.state = State::Probing { since: now, stale: false };
                Verdict::Probe
            }
            State::Probing { since, stale } => {
                let waited = now.saturating_duration_since(since);
                if silence < waited {
                    self.state = State::Fresh;
                    return if stale { Verdict::Recovered } else { Verdict::Quiet };
                }
                if waited >= STALE_KEPT {
                    return Verdict::Lost { silence };
                }
                if waited >= PROBE_ANSWER && !stale {
                    self.state = State::Probing { since, stale: true };
                    return Verdict::Stale { silence };
                }
                Verdict::Quiet
            }
        }
    }

    /// When the next look is worth while.
    pub(super) fn next_look(&self, now: Instant, silence: Duration) -> Instant {
        match self.state {
            State::Fresh => now + self.quiet.saturating_sub(silence).max(Duration::from_millis(20)),
            State::Probing { since, stale: false } => since + PROBE_ANSWER,
            State::Probing { since, stale: true } => since + STALE_KEPT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_hung_engine_is_probed_then_stale_then_lost() {
        let start = Instant::now();
        let mut dog = Watchdog::new(false, 3);
        let silent_since_start = |dog: &mut Watchdog, at: u64| dog.look(start + ms(at), ms(at));
        assert_eq!(silent_since_start(&mut dog, 1900), Verdict::Quiet);
        assert_eq!(silent_since_start(&mut dog, 2000), Verdict::Probe);
        assert_eq!(silent_since_start(&mut dog, 4400), Verdict::Quiet);
        assert_eq!(silent_since_start(&mut dog, 4500), Verdict::Stale { silence: ms(4500) });
        assert_eq!(silent_since_start(&mut dog, 9000), Verdict::Quiet);
        assert_eq!(silent_since_start(&mut dog, 17_000), Verdict::Lost { silence: ms(17_000) });
    }

    #[test]
    fn any_byte_ends_the_doubt() {
        let start = Instant::now();
        let mut dog = Watchdog::new(true, 3);
        assert_eq!(dog.look(start + ms(5000), ms(5000)), Verdict::Probe);
        assert_eq!(dog.look(start + ms(7000), ms(100)), Verdict::Quiet);
        assert_eq!(dog.look(start + ms(12_000), ms(5100)), Verdict::Probe);
        assert_eq!(dog.look(start + ms(14_500), ms(7600)), Verdict::Stale { silence: ms(7600) });
        assert_eq!(dog.look(start + ms(16_000), ms(10)), Verdict::Recovered);
        assert_eq!(dog.look(start + ms(16_500), ms(510)), Verdict::Quiet);
    }

    #[test]
    fn large_fleets_are_probed_less_often() {
        let start = Instant::now();
        assert_eq!(Watchdog::new(false, 1000).look(start, ms(9_999)), Verdict::Quiet);
        assert_eq!(Watchdog::new(false, 1000).look(start, ms(10_000)), Verdict::Probe);
    }
}
