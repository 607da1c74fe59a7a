//! Sizes and counts in short units of constant width.

/// A size in bytes with a binary unit and three significant digits, at most 7 characters: `512 B`, `61.0 MB`,
/// `1.20 GB`. The unit is written as Docker writes it (`MB` for 2^20) so that columns agree with `docker stats`
/// at a glance; exact figures are in the JSON output.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match () {
        () if unit == 0 => format!("{size} B"),
        () if value < 9.995 => format!("{value:.2} {}", UNITS[unit]),
        () if value < 99.95 => format!("{value:.1} {}", UNITS[unit]),
        () => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A count with thousands separated: `5,102`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun, whose plural takes an s: `1 container`, `14 containers`.
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(61 << 20), "61.0 MB");
        assert_eq!(bytes(1 << 30), "1.00 GB");
        assert_eq!(bytes(1000 << 10), "0.98 MB");
    }

    #[test]
    fn counts() {
        assert_eq!(count(7), "7");
        assert_eq!(count(5102), "5,102");
        assert_eq!((counted(1, "host"), counted(0, "host")), ("1 host".to_owned(), "0 hosts".to_owned()));
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
