//! When a silent engine is probed, called stale, and given up (design: Links). Pure: time comes in as arguments.

use std::time::{Duration, Instant};

use crate::fleet::link::{PROBE_ANSWER, QUIET_LOCAL, QUIET_NETWORK, STALE_KEPT};

/// Fleets up to this size are probed at the base interval; beyond it the interval grows in proportion.
const BASE_FLEET: usize = 200;

/// A look that comes so much later than it was due tells that this process did not run: a machine that was overloaded or asleep.
const LATE: Duration = Duration::from_secs(1);

/// The judge of one link's silence.
#[derive(Debug)]
pub(super) struct Watchdog {
    quiet: Duration,
    state: State,
    /// When the next look is due.
    due: Option<Instant>,
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
        Self { quiet: base.mul_f64(growth), state: State::Fresh, due: None }
    }

    /// The verdict at `now`, when the engine was last heard at `heard`. Time in which nobody looked, though a look was due, is our own
    /// silence and not the engine's: its answer may lie unread.
    pub(super) fn look(&mut self, now: Instant, heard: Instant) -> Verdict {
        let slept = self.due.take().map(|due| now.saturating_duration_since(due)).filter(|late| *late >= LATE);
        if let (Some(slept), State::Probing { since, .. }) = (slept, &mut self.state)
            && heard <= *since
        {
            *since += slept;
        }
        let silence = now.saturating_duration_since(heard);
        match self.state {
            State::Fresh if silence < self.quiet => Verdict::Quiet,
            State::Fresh => {
                self.state = State::Probing { since: now, stale: false };
                Verdict::Probe
            }
            State::Probing { since, stale } if heard > since => {
                self.state = State::Fresh;
                if stale { Verdict::Recovered } else { Verdict::Quiet }
            }
            State::Probing { since, stale } => {
                let waited = now.saturating_duration_since(since);
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

    /// When the next look is worth while, and due.
    pub(super) fn next_look(&mut self, now: Instant, heard: Instant) -> Instant {
        let due = match self.state {
            State::Fresh => (heard + self.quiet).max(now + Duration::from_millis(20)),
            State::Probing { since, stale: false } => since + PROBE_ANSWER,
            State::Probing { since, stale: true } => since + STALE_KEPT,
        };
        self.due = Some(due.max(now));
        due
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
        let mut at = |at: u64| dog.look(start + ms(at), start);
        assert_eq!(at(1900), Verdict::Quiet);
        assert_eq!(at(2000), Verdict::Probe);
        assert_eq!(at(4400), Verdict::Quiet);
        assert_eq!(at(4500), Verdict::Stale { silence: ms(4500) });
        assert_eq!(at(9000), Verdict::Quiet);
        assert_eq!(at(17_000), Verdict::Lost { silence: ms(17_000) });
    }

    #[test]
    fn time_in_which_nobody_looked_is_not_the_engines_silence() {
        let start = Instant::now();
        let mut dog = Watchdog::new(false, 3);
        assert_eq!(dog.look(start + ms(2000), start), Verdict::Probe);
        assert_eq!(dog.next_look(start + ms(2000), start), start + ms(4500));
        // The machine slept for a minute.
        let woken = ms(64_500);
        assert_eq!(dog.look(start + woken, start), Verdict::Stale { silence: woken });
        assert_eq!(dog.next_look(start + woken, start), start + ms(2000 + 60_000) + STALE_KEPT);
        assert_eq!(dog.look(start + ms(70_000), start), Verdict::Quiet);
        dog.next_look(start + ms(70_000), start);
        assert_eq!(dog.look(start + ms(77_000), start), Verdict::Lost { silence: ms(77_000) });
    }

    #[test]
    fn an_answer_that_lay_unread_counts() {
        let start = Instant::now();
        let mut dog = Watchdog::new(false, 3);
        assert_eq!(dog.look(start + ms(2000), start), Verdict::Probe);
        dog.next_look(start + ms(2000), start);
        assert_eq!(dog.look(start + ms(64_500), start + ms(2001)), Verdict::Quiet);
    }

    #[test]
    fn any_byte_ends_the_doubt() {
        let start = Instant::now();
        let mut dog = Watchdog::new(true, 3);
        assert_eq!(dog.look(start + ms(5000), start), Verdict::Probe);
        assert_eq!(dog.look(start + ms(7000), start + ms(6900)), Verdict::Quiet);
        assert_eq!(dog.look(start + ms(12_000), start + ms(6900)), Verdict::Probe);
        assert_eq!(dog.look(start + ms(14_500), start + ms(6900)), Verdict::Stale { silence: ms(7600) });
        assert_eq!(dog.look(start + ms(16_000), start + ms(15_990)), Verdict::Recovered);
        assert_eq!(dog.look(start + ms(16_500), start + ms(15_990)), Verdict::Quiet);
    }

    /// An engine next door answers in less than the coarsest clock can tell.
    #[test]
    fn an_answer_at_once_is_an_answer() {
        let start = Instant::now();
        let mut dog = Watchdog::new(false, 3);
        assert_eq!(dog.look(start + ms(2000), start), Verdict::Probe);
        let heard = start + ms(2000) + Duration::from_nanos(1);
        assert_eq!(dog.look(start + ms(2001), heard), Verdict::Quiet);
        assert_eq!(dog.look(start + ms(3999), heard), Verdict::Quiet, "fresh again: the next probe is not due");
        assert_eq!(dog.look(start + ms(4001), heard), Verdict::Probe);
    }

    #[test]
    fn large_fleets_are_probed_less_often() {
        let start = Instant::now();
        assert_eq!(Watchdog::new(false, 1000).look(start + ms(9_999), start), Verdict::Quiet);
        assert_eq!(Watchdog::new(false, 1000).look(start + ms(10_000), start), Verdict::Probe);
    }
}
