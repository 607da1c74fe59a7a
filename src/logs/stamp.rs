//! A line's time as the engine stamps it: nanoseconds, read fast, never rounded.

use std::fmt;

use chrono::{DateTime, Local, Utc};

/// Nanoseconds since 1970, UTC. An `i64` lasts until 2262 and sorts in one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp(pub i64);

/// `2026-11-21T14:02:58.114000000Z`, the form that dockerd writes (nanoseconds, nine digits, UTC).
const FIXED: usize = 30;

impl Stamp {
    /// The same moment as the model's kind of time.
    pub fn moment(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    /// The moment as a stamp; what lies outside of 1677 to 2262 becomes the nearest that does not.
    pub fn of(moment: DateTime<Utc>) -> Self {
        let beyond = if moment.timestamp() < 0 { i64::MIN } else { i64::MAX };
        Self(moment.timestamp_nanos_opt().unwrap_or(beyond))
    }

    /// `14:02:58.114`, local: what stands before a line on the screen.
    pub fn clock(self) -> String {
        self.moment().with_timezone(&Local).format("%H:%M:%S%.3f").to_string()
    }

    /// The whole second in which it lies.
    pub fn floor(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// So many seconds earlier.
    #[must_use]
    pub fn earlier(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(1_000_000_000)))
    }

    /// Seconds and nanoseconds, as `since` and `until` of the API want them.
    pub fn query(self) -> String {
        format!("{}.{:09}", self.floor(), self.0.rem_euclid(1_000_000_000))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.moment().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true))
    }
}

/// Reads the stamps in front of lines. Remembers the last day: almost every stamp is of the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct StampReader {
    day: [u8; 10],
    /// Seconds since 1970 at which `day` began.
    begin: i64,
}

impl StampReader {
    /// The stamp at the beginning of a record and how many bytes it and the space after it take; `None` if there is none.
    pub fn read(&mut self, record: &[u8]) -> Option<(Stamp, usize)> {
        self.fixed(record).map(|stamp| (stamp, FIXED + 1)).or_else(|| any_form(record))
    }

    fn fixed(&mut self, record: &[u8]) -> Option<Stamp> {
        let text: &[u8; FIXED + 1] = record.get(..=FIXED)?.try_into().ok()?;
        if text[10] != b'T' || text[13] != b':' || text[16] != b':' || text[19] != b'.' || text[29] != b'Z' || text[30] != b' ' {
            return None;
        }
        let begin = self.day_of(text.get(..10)?)?;
        let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = begin + hour * 3600 + minute * 60 + second;
        seconds.checked_mul(1_000_000_000)?.checked_add(number(&text[20..29])?).map(Stamp)
    }

    fn day_of(&mut self, day: &[u8]) -> Option<i64> {
        if day != self.day {
            let text = std::str::from_utf8(day).ok()?;
            let date: chrono::NaiveDate = text.parse().ok()?;
            self.begin = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
            self.day = day.try_into().ok()?;
        }
        Some(self.begin)
    }
}

/// Other engines write fewer digits or an offset.
fn any_form(record: &[u8]) -> Option<(Stamp, usize)> {
    let end = record.iter().take(40).position(|byte| *byte == b' ')?;
    let text = std::str::from_utf8(record.get(..end)?).ok()?;
    let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some((Stamp::of(moment), end + 1))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let mut reader = StampReader::default();
        for (record, expected, rest) in [
            ("2026-11-21T14:02:58.114000001Z hello", "2026-11-21T14:02:58.114000001Z", "hello"),
            ("2026-11-22T00:00:00.000000000Z ", "2026-11-22T00:00:00.000000000Z", ""),
            ("2026-11-21T15:02:58.5+01:00 x", "2026-11-21T14:02:58.500000000Z", "x"),
            ("2026-11-21T14:02:58Z  y", "2026-11-21T14:02:58.000000000Z", " y"),
        ] {
            let (stamp, used) = reader.read(record.as_bytes()).unwrap();
            assert_eq!((stamp.to_string().as_str(), &record[used..]), (expected, rest), "{record}");
        }
        for record in
            ["", "hello world", "2026-13-21T14:02:58.114000001Z x", "2026-11-21T14:02:58.114000001Z", "2026-11-21T24:02:58.114000001Z x"]
        {
            assert_eq!(reader.read(record.as_bytes()), None, "{record}");
        }
        assert_eq!(Stamp(1_500_000_000).query(), "1.500000000");
        assert_eq!(Stamp(-1).floor(), -1);
    }
}
