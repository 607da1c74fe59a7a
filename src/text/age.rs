//! Ages and clock times as the screens show them: short, and constant in width where they stand in columns.

use chrono::{DateTime, Local, TimeDelta, Utc};

/// A duration in its two largest units, at most 6 characters: `42s`, `5m`, `3h 4m`, `3d 4h`, `40d`, `2y`.
///
/// Negative durations (clock skew between us and an engine) read as `0s`.
pub fn age(span: TimeDelta) -> String {
    let secs = span.num_seconds().max(0);
    let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    match () {
        () if secs < 60 => format!("{secs}s"),
        () if mins < 60 => format!("{mins}m"),
        () if hours < 10 && mins % 60 != 0 => format!("{hours}h {}m", mins % 60),
        () if hours < 24 => format!("{hours}h"),
        () if days < 10 && hours % 24 != 0 => format!("{days}d {}h", hours % 24),
        () if days < 1000 => format!("{days}d"),
        () => format!("{}y", days / 365),
    }
}

/// [`age`] of a moment, seen from `now`.
pub fn since(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    age(now - moment)
}

/// A moment as local wall-clock time with seconds, `14:02:31`: how stale rows say "as of".
pub fn clock(moment: DateTime<Utc>) -> String {
    moment.with_timezone(&Local).format("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::age;

    #[test]
    fn two_largest_units() {
        let cases = [
            (-5, "0s"),
            (42, "42s"),
            (300, "5m"),
            (3 * 3600 + 240, "3h 4m"),
            (12 * 3600 + 60, "12h"),
            (3 * 86_400 + 4 * 3600, "3d 4h"),
            (40 * 86_400, "40d"),
            (1200 * 86_400, "3y"),
        ];
        for (secs, text) in cases {
            assert_eq!(age(TimeDelta::seconds(secs)), text);
        }
    }
}
