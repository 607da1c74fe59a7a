//! The part of a request after the question mark, as the engine reads it. Foreign input: nothing here may panic.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;

/// A request's parameters; of repeated ones the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads `a=1&b=%20x`; what is not UTF-8 after decoding is replaced.
    pub fn parse(text: &str) -> Self {
        let mut pairs = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.entry(decode(key, true)).or_insert_with(|| decode(value, true));
        }
        Self(pairs)
    }

    /// The parameter's text.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The parameter as the engine's boolean: anything but nothing, `0`, `no`, `false` and `none` is true.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(value) => !matches!(value.to_ascii_lowercase().trim(), "" | "0" | "no" | "false" | "none"),
        }
    }

    /// The parameter as a moment in nanoseconds since 1970: `seconds`, `seconds.nanoseconds` or RFC 3339. Nothing, `0` and what is
    /// none of them: no moment.
    pub fn moment(&self, key: &str) -> Option<i64> {
        let text = self.get(key).filter(|text| !text.is_empty() && *text != "0")?;
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return time.timestamp_nanos_opt();
        }
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = seconds.parse().ok()?;
        let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        let nanos: i64 = digits.parse().ok()?;
        seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
    }

    /// The values of one filter of `filters`, in either of its two shapes: `{"k":["v"]}` and `{"k":{"v":true}}`. The error is the
    /// engine's sentence.
    pub fn filters(&self) -> Result<BTreeMap<String, Vec<String>>, String> {
        let Some(text) = self.get("filters").filter(|text| !text.is_empty()) else { return Ok(BTreeMap::new()) };
        let Ok(Value::Object(map)) = serde_json::from_str(text) else {
            return Err("invalid filter: filters must be a JSON object".to_owned());
        };
        map.into_iter()
            .map(|(key, values)| match values {
                Value::Array(list) => Ok((key, list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())),
                Value::Object(set) => {
                    Ok((key, set.into_iter().filter(|(_, on)| on.as_bool().unwrap_or(true)).map(|(value, _)| value).collect()))
                }
                _ => Err(format!("invalid filter '{key}'")),
            })
            .collect()
    }
}

/// Percent-decoding, with `+` as a space where `plus`.
pub fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|byte| (*byte as char).to_digit(16));
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', _, _) if plus => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
