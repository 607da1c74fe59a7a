//! Chance without chance: numbers and ids that follow from a text.

use sha2::{Digest, Sha256};

/// 64 hexadecimal digits that follow from `text`.
pub fn hex(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// A number that follows from `text` (FNV-1a, then [`mix`]).
pub fn number(text: &str) -> u64 {
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Spreads a number over all 64 bits (the finaliser of SplitMix64).
pub fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number as a part of a whole: 0 up to 1.
pub fn part(number: u64) -> f64 {
    (mix(number) >> 11) as f64 / (1u64 << 53) as f64
}
