//! Figures of use as several panels show them: processors, bytes, shares, and a history in one line.

use crate::{
    stats::{Flow, Strain},
    ui::theme::{Role, Theme},
};

/// Processors in use, in at most 4 cells: `0.35`, `12.4`, `128`.
pub(super) fn cores(cores: f64) -> String {
    match cores {
        cores if cores < 9.995 => format!("{cores:.2}"),
        cores if cores < 99.95 => format!("{cores:.1}"),
        cores => format!("{cores:.0}"),
    }
}

/// A share in at most 4 cells: `7%`, `100%`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0}%", (share * 100.0).min(999.0))
}

/// Bytes in at most 5 cells, without a space: `0`, `512B`, `1.2K`, `61.0M`.
pub(super) fn short_bytes(size: f64) -> String {
    const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];
    let (mut value, mut unit) = (size.max(0.0), 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match () {
        () if unit == 0 && value < 0.5 => "0".to_owned(),
        () if unit == 0 => format!("{value:.0}B"),
        () if value < 99.95 => format!("{value:.1}{}", UNITS[unit]),
        () => format!("{value:.0}{}", UNITS[unit]),
    }
}

/// Both directions of a flow as one figure.
pub(super) fn flow(flow: Option<Flow<f64>>) -> Option<f64> {
    flow.map(|flow| flow.inward + flow.outward)
}

/// The role of a figure that has a limit.
pub(super) fn strain_role(strain: Strain, share: Option<f64>, quiet: Role) -> Role {
    match share {
        Some(share) if strain.is_bad(share) => Role::StateBad,
        Some(share) if strain.is_near(share) => Role::StateAttention,
        Some(_) | None => quiet,
    }
}

/// A history in one line of cells, its highest value at the top; `least` is what a full cell means at least, so that noise stays low.
pub(super) fn sparkline(values: &[Option<f64>], least: f64, theme: &Theme) -> String {
    let top = values.iter().flatten().copied().fold(least, f64::max);
    let signs: [&str; 8] = eighths(theme);
    values
        .iter()
        .map(|value| match value {
            Some(value) if top > 0.0 => signs[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1],
            Some(_) => signs[0],
            None => " ",
        })
        .collect()
}

/// A cell filled by one to eight eighths from below.
pub(super) fn eighths(theme: &Theme) -> [&'static str; 8] {
    if theme.is_ascii() { [".", ".", ":", "-", "=", "+", "*", "#"] } else { ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_narrow() {
        assert_eq!([0.0, 0.347, 9.999, 12.44, 128.3].map(cores), ["0.00", "0.35", "10.0", "12.4", "128"]);
        assert_eq!(
            [0.0, 12.0, 1023.0, 1500.0, 61.0 * 1024.0 * 1024.0, 3e12].map(short_bytes),
            ["0", "12B", "1.0K", "1.5K", "61.0M", "2.7T"]
        );
        assert_eq!([0.071, 1.0, 40.0].map(percent), ["7%", "100%", "999%"]);
        assert!((0..60).map(|power| 2f64.powi(power) * 0.9996).all(|size| short_bytes(size).len() <= 5));
    }
}
