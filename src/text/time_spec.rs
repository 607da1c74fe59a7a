//! Moments as a person types them: `10m`, `14:02`, `yesterday 03:12`, `2026-11-20 03:12`, RFC 3339. Pure: the clock is an argument.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use thiserror::Error;

/// A moment as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSpec {
    /// `10m`, `1h30m`: so long ago.
    Ago(TimeDelta),
    /// `14:02`, `14:02:31`: the last time the local clock showed it.
    Clock(NaiveTime),
    /// `yesterday 03:12`, by the local clock.
    Yesterday(NaiveTime),
    /// `2026-11-20 03:12`, by the local clock.
    Local(NaiveDateTime),
    /// RFC 3339.
    At(DateTime<Utc>),
}

/// Not a moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no time: expected 10m (so long ago: s, m, h, d), 14:02 (local), yesterday 14:02 or 2026-11-21T14:02:00Z")]
pub struct TimeSpecError {
    text: String,
}

impl std::str::FromStr for TimeSpec {
    type Err = TimeSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S")).ok();
        let yesterday = || text.strip_prefix("yesterday ").and_then(|time| clock(time.trim_start()));
        let dated = || {
            let (date, time) = text.split_once(' ')?;
            Some(NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?.and_time(clock(time.trim_start())?))
        };
        let moment = || DateTime::parse_from_rfc3339(text).ok().map(|at| Self::At(at.to_utc()));
        ago(text)
            .map(Self::Ago)
            .or_else(|| clock(text).map(Self::Clock))
            .or_else(|| yesterday().map(Self::Yesterday))
            .or_else(|| dated().map(Self::Local))
            .or_else(moment)
            .ok_or_else(|| TimeSpecError { text: super::clean(text).into_owned() })
    }
}

impl TimeSpec {
    /// The moment it means, never after `now` unless a date says so. A clock time that the change to summer time
    /// skipped is read one hour later.
    pub fn resolve<Z: TimeZone>(self, now: &DateTime<Z>) -> DateTime<Utc> {
        let zone = now.timezone();
        let on = |local: NaiveDateTime| {
            let later = || zone.from_local_datetime(&local.checked_add_signed(TimeDelta::hours(1))?).earliest();
            zone.from_local_datetime(&local).earliest().or_else(later).map(|at| at.to_utc())
        };
        let today = now.date_naive();
        let before = today.checked_sub_days(Days::new(1));
        let found = match self {
            Self::At(at) => Some(at),
            Self::Ago(span) => Some(now.to_utc().checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH)),
            Self::Yesterday(time) => before.and_then(|date| on(date.and_time(time))),
            Self::Local(local) => on(local),
            Self::Clock(time) => {
                let candidates = [Some(today), before].into_iter().flatten().filter_map(|date| on(date.and_time(time)));
                candidates.into_iter().find(|at| *at <= now.to_utc())
            }
        };
        found.unwrap_or_else(|| now.to_utc())
    }
}

/// `1h30m`: numbers with units, at most ten years.
fn ago(text: &str) -> Option<TimeDelta> {
    let mut total: i64 = 0;
    let mut digits = String::new();
    let mut units = 0;
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
        units += 1;
    }
    let whole = digits.is_empty() && units > 0 && total <= 3650 * 86_400;
    whole.then(|| TimeDelta::seconds(total))
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments() {
        let now = DateTime::<FixedOffset>::parse_from_rfc3339("2026-11-21T14:30:00+02:00").unwrap_or_default();
        for (text, expected) in [
            ("10m", "2026-11-21T12:20:00+00:00"),
            ("1h30m", "2026-11-21T11:00:00+00:00"),
            ("14:02", "2026-11-21T12:02:00+00:00"),
            ("14:30:00", "2026-11-21T12:30:00+00:00"),
            ("23:59", "2026-11-20T21:59:00+00:00"),
            ("2026-11-21T14:02:00Z", "2026-11-21T14:02:00+00:00"),
            ("yesterday 03:12", "2026-11-20T01:12:00+00:00"),
            ("yesterday 23:59:30", "2026-11-20T21:59:30+00:00"),
            ("2026-11-18 03:12", "2026-11-18T01:12:00+00:00"),
        ] {
            let found = text.parse::<TimeSpec>().map(|spec| spec.resolve(&now).to_rfc3339());
            assert_eq!(found, Ok(expected.to_owned()), "{text}");
        }
        for text in [
            "",
            "10",
            "m",
            "10x",
            "-10m",
            "25:00",
            "99999999999999999999d",
            "4000d",
            "yesterday",
            "yesterday 25:00",
            "2026-13-01 03:12",
            "10m5",
        ] {
            assert!(text.parse::<TimeSpec>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9smhd:TZ+-]{0,24}|yesterday [0-9:]{0,8}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{0,8}|.{0,20}") {
            if let Ok(spec) = text.parse::<TimeSpec>() {
                let _moment = spec.resolve(&DateTime::UNIX_EPOCH);
            }
        }
    }
}
