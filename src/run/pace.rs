//! How often something is looked at that ends soon or late: often at first, and seldom once it is known to take its time.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(20);
/// No wait is longer.
const LONGEST: Duration = Duration::from_millis(250);

/// The waits between looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pace {
    /// The next one.
    pub(super) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 3 / 2).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_slows_down_and_never_stops() {
        let mut pace = Pace::default();
        let waits: Vec<_> = (0..20).map(|_| pace.next()).collect();
        assert_eq!((waits[0], waits[19]), (FIRST, LONGEST));
        assert!(waits.is_sorted());
    }
}
