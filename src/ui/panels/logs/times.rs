//! The time in front of a line, written without a buffer of its own: every line of every frame has one.

use std::fmt::{self, Write};

use chrono::{DateTime, Datelike, Local, NaiveDateTime, Timelike, Utc};

use crate::logs::Stamp;

/// How times are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// By the clock on this wall.
    #[default]
    Local,
    /// By UTC.
    Utc,
    /// How long ago.
    Relative,
    /// Not at all.
    Off,
}

/// Room for the longest: `11-20 14:02:58.114`.
const ROOM: usize = 24;

/// A short text that lives on the stack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Short {
    bytes: [u8; ROOM],
    len: usize,
}

impl Short {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Times {
    /// The next way, in turn.
    pub fn next(self) -> Self {
        match self {
            Self::Local => Self::Utc,
            Self::Utc => Self::Relative,
            Self::Relative => Self::Off,
            Self::Off => Self::Local,
        }
    }

    /// Its words for the foot.
    pub fn words(self) -> &'static str {
        match self {
            Self::Local => "times are local",
            Self::Utc => "times are UTC",
            Self::Relative => "times are how long ago",
            Self::Off => "times are hidden",
        }
    }

    /// Cells of the column: room for the date where one of the lines is not of today; without the milliseconds where it is narrow.
    pub fn width(self, dated: bool, narrow: bool) -> u16 {
        let clock = if narrow { 8 } else { 12 };
        match self {
            Self::Local | Self::Utc => clock + if dated { 6 } else { 0 },
            Self::Relative => 4,
            Self::Off => 0,
        }
    }

    /// Whether a line of this moment needs its date.
    pub fn is_dated(self, at: Stamp, now: DateTime<Utc>) -> bool {
        match self {
            Self::Local | Self::Utc => self.clock(at.moment()).date() != self.clock(now).date(),
            Self::Relative | Self::Off => false,
        }
    }

    fn clock(self, moment: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::Local => moment.with_timezone(&Local).naive_local(),
            Self::Utc | Self::Relative | Self::Off => moment.naive_utc(),
        }
    }

    /// The moment as it is shown.
    pub fn show(self, at: Stamp, now: DateTime<Utc>, dated: bool, narrow: bool) -> Short {
        let mut out = Short::default();
        // The room is made for the longest of these.
        let _ = match self {
            Self::Local | Self::Utc => write_clock(&mut out, self.clock(at.moment()), dated, narrow),
            Self::Relative => write_age(&mut out, (now - at.moment()).num_seconds().max(0)),
            Self::Off => Ok(()),
        };
        out
    }
}

fn write_clock(out: &mut Short, at: NaiveDateTime, dated: bool, narrow: bool) -> fmt::Result {
    if dated {
        write!(out, "{:02}-{:02} ", at.month(), at.day())?;
    }
    write!(out, "{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())?;
    if narrow { Ok(()) } else { write!(out, ".{:03}", at.nanosecond() / 1_000_000 % 1000) }
}

/// In its largest unit, right-aligned.
fn write_age(out: &mut Short, seconds: i64) -> fmt::Result {
    let (number, unit) = match seconds {
        ..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86_400 => (seconds / 3600, 'h'),
        _ => ((seconds / 86_400).min(999), 'd'),
    };
    write!(out, "{number:>3}{unit}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fleet::fixture;

    #[test]
    fn every_way_fits_its_column() {
        let now = fixture::now();
        for (ago, expected) in [(5, "  5s"), (90, "  1m"), (7_300, "  2h"), (86_400 * 40, " 40d"), (86_400 * 4000, "999d")] {
            let at = Stamp::of(now - TimeDelta::seconds(ago));
            assert_eq!(Times::Relative.show(at, now, false, false).as_str(), expected);
        }
        let at = Stamp::of(now - TimeDelta::milliseconds(1886));
        assert_eq!(Times::Utc.show(at, now, false, false).as_str(), "14:02:58.114");
        assert_eq!(Times::Utc.show(at, now, true, true).as_str(), "11-21 14:02:58");
        for times in [Times::Local, Times::Utc, Times::Relative, Times::Off] {
            for (dated, narrow) in [(false, false), (true, false), (false, true), (true, true)] {
                assert_eq!(times.show(at, now, dated, narrow).as_str().len(), usize::from(times.width(dated, narrow)));
            }
        }
        assert!(Times::Utc.is_dated(Stamp::of(now - TimeDelta::hours(15)), now) && !Times::Utc.is_dated(at, now));
    }
}
