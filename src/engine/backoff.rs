//! When a lost link is tried again: soon at first, seldom later, never all hosts at the same moment.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::fleet::{HostId, LinkCause};

/// The first pause; doubles with each failure.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause of a link that may come back by itself.
const LONGEST: Duration = Duration::from_secs(15);
/// The pause of a link that a person must mend, where asking again costs the other side nothing: nobody should have to press a key once
/// it is mended.
const REFUSED: Duration = Duration::from_secs(15);
/// The first pause after a login was refused, and the longest: what watches sshd bans an address after a handful of failures in ten
/// minutes, and then a person cannot log in from here either.
const LOGIN: Duration = Duration::from_secs(60);
const LOGIN_LONGEST: Duration = Duration::from_secs(600);

/// How long to wait before attempt number `attempt` (0: the first after a failure). Jittered by ±25 %, steadily for a host and attempt, so that
/// a thousand hosts lost at once come back spread.
pub(super) fn pause(host: &HostId, attempt: u32, cause: LinkCause) -> Duration {
    let doubled = |first: Duration| first.saturating_mul(1 << attempt.min(10));
    let base = match cause {
        LinkCause::Authentication => doubled(LOGIN).min(LOGIN_LONGEST),
        cause if cause.is_refusal() => REFUSED,
        _ => doubled(FIRST).min(LONGEST),
    };
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
        let lost = LinkCause::Closed;
        assert!(pause(&host, 0, lost) < Duration::from_millis(320));
        for attempt in 0..100 {
            let pause = pause(&host, attempt, lost);
            assert!(pause >= FIRST.mul_f64(0.75) && pause <= LONGEST.mul_f64(1.25), "{attempt}: {pause:?}");
        }
        assert!(pause(&host, 9, lost) > LONGEST.mul_f64(0.7));
        assert!(pause(&host, 7, LinkCause::HostKey) <= REFUSED.mul_f64(1.25));
        let logins = (0..4).map(|attempt| pause(&host, attempt, LinkCause::Authentication)).sum::<Duration>();
        assert!(logins >= Duration::from_secs(600), "four failures in {logins:?} are what gets an address banned");
        let spread: std::collections::HashSet<_> = (0..50).map(|n| pause(&HostId::new(format!("h{n}")), 3, lost)).collect();
        assert!(spread.len() > 40);
    }
}
