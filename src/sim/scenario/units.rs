//! Durations and sizes as people write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// A duration: `250ms`, `10s`, `3m`, `2h`, `17d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes: `512MiB`, `1GB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (number, unit) = split(&text);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => f64::NAN,
        } * number;
        let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| *span < Duration::from_secs(100 * 365 * 86_400));
        span.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is no duration: write it as \"10s\" (ms, s, m, h, d)")))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (number, unit) = split(&text);
        let scale: f64 = match unit {
            "" | "B" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            _ => f64::NAN,
        };
        let bytes = number * scale;
        if !(0.0..1e18).contains(&bytes) {
            return Err(D::Error::custom(format!("{text:?} is no size: write it as \"512MiB\" (kB, MB, GB, KiB, MiB, GiB)")));
        }
        Ok(Self(bytes as u64))
    }
}

fn split(text: &str) -> (f64, &str) {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.trim().parse().unwrap_or(f64::NAN), unit)
}
