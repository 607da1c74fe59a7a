//! Times and sizes as people write them, and back. Pure.

use std::time::Duration;

/// Longer than this is a mistake, not a time.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

const SIZES: [(&str, u64); 4] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10), ("b", 1)];

/// `500ms`, `10s`, `1m30s`, `2h`: whole numbers with units, nothing else.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, factor) = TIMES.iter().find(|(name, _)| *name == &rest[..unit])?;
        millis = millis.checked_add(number.checked_mul(*factor)?)?;
        rest = &rest[unit..];
    }
    Some(Duration::from_millis(millis)).filter(|time| *time <= LONGEST)
}

/// The shortest text that [`duration`] reads as the same time.
pub(super) fn duration_text(time: Duration) -> String {
    let mut millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in TIMES {
        // A day is told in hours: nobody writes 1d12h.
        if unit != "d" && millis >= factor {
            text.push_str(&format!("{}{unit}", millis / factor));
            millis %= factor;
        }
    }
    text
}

/// `64m`, `1.5g`, `512k`, `4096b`, as `docker run --memory` takes it, but never without a unit. In bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = lower.split_at(digits);
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b').filter(|unit| !unit.is_empty())).unwrap_or(unit);
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(*factor).filter(|bytes| *bytes <= i64::MAX as u64);
    }
    let bytes = number.parse::<f64>().ok()? * *factor as f64;
    (bytes.is_finite() && bytes <= i64::MAX as f64).then_some(bytes as u64)
}

/// The shortest text that [`size`] reads as the same number of bytes.
pub(super) fn size_text(bytes: u64) -> String {
    let (unit, factor) = SIZES.into_iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)).unwrap_or(("b", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [("10s", 10_000), ("1m30s", 90_000), ("500ms", 500), ("0s", 0), ("2h", 7_200_000), ("1d", 86_400_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "1 s", "-1s", "1.5s", "10x", "999999d", "99999999999999999999s", "1s2"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("64m", 64 << 20), ("1.5g", 3 << 29), ("512K", 512 << 10), ("7b", 7), ("1gb", 1 << 30), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "64", "m", "1t", "-1m", "1..5m", "99999999999999g", "1e9g", "ib"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_reads_back(millis in 0u64..LONGEST.as_millis() as u64, bytes in 0u64..i64::MAX as u64) {
            let time = Duration::from_millis(millis);
            prop_assert_eq!(duration(&duration_text(time)), Some(time));
            prop_assert_eq!(size(&size_text(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = (duration(&text), size(&text));
        }
    }
}
