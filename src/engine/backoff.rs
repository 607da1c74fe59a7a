//! When a lost link is tried again: soon at first, seldom later, never all hosts at the same moment.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::fleet::HostId;

/// The first pause; doubles with each failure.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause of a link that may come back by itself.
const LONGEST: Duration = Duration::from_secs(15);
/// The pause of a link that waits for a person.
const REFUSED: Duration = Duration::from_secs(60);

/// How long to wait before attempt number `attempt` (0: the first after a failure). Jittered by ±25 %, steadily for a host and attempt, so that
/// a thousand hosts lost at once come back spread.
pub(super) fn pause(host: &HostId, attempt: u32, refused: bool) -> Duration {
    let base = if refused { REFUSED } else { FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST) };
    let mut hasher = DefaultHasher::new();
    (host, attempt).hash(&mut hasher);
    base.mul_f64(0.75 + (hasher.finish() % 1000) as f64 / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_is_spread() {
        let host = HostId::new("app-01");
        assert!(pause(&host, 0, false) < Duration::from_millis(320));
        for attempt in 0..100 {
            let pause = pause(&host, attempt, false);
            assert!(pause >= FIRST.mul_f64(0.75) && pause <= LONGEST.mul_f64(1.25), "{attempt}: {pause:?}");
        }
        assert!(pause(&host, 9, false) > LONGEST.mul_f64(0.7));
        assert!(pause(&host, 0, true) >= Duration::from_secs(45));
        let spread: std::collections::HashSet<_> = (0..50).map(|n| pause(&HostId::new(format!("h{n}")), 3, false)).collect();
        assert!(spread.len() > 40);
    }
}
