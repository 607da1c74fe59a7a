//! JSON as the verbs print it. Pure.
//!
//! serde_json escapes only what JSON demands; here every character that a terminal could act on or hide (DEL, C1 controls,
//! bidirectional and invisible marks) is written as `\u…` too. It reads back as the same value.

use serde::Serialize;

use super::exit::Failure;
use crate::text::harmless_json;

/// One value on one line.
///
/// # Errors
/// Only for values that JSON cannot hold; no row of ours is one.
pub fn line<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = harmless_json(serde_json::to_string(value).map_err(Failure::failed)?);
    text.push('\n');
    Ok(text)
}

/// One value over many lines.
///
/// # Errors
/// As [`line`].
pub fn pretty<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = harmless_json(serde_json::to_string_pretty(value).map_err(Failure::failed)?);
    text.push('\n');
    Ok(text)
}

/// One array, a row a line.
///
/// # Errors
/// As [`line`].
pub fn array<T: Serialize>(rows: &[T]) -> Result<String, Failure> {
    let mut text = String::from("[");
    for (index, row) in rows.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(line(row)?.trim_end());
    }
    text.push_str(if rows.is_empty() { "]\n" } else { "\n]\n" });
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn arrays_hold_a_row_a_line() {
        assert_eq!(array::<Value>(&[]).unwrap(), "[]\n");
        assert_eq!(array(&[json!({"a": 1}), json!({"a": 2})]).unwrap(), "[\n{\"a\":1},\n{\"a\":2}\n]\n");
    }

    #[test]
    fn nothing_acts_on_a_terminal() {
        let text = line(&"\u{1b}[2J\u{9b}31m\u{7f}\u{202e}x\u{e0041}é").unwrap();
        assert_eq!(text, "\"\\u001b[2J\\u009b31m\\u007f\\u202ex\\udb40\\udc41é\"\n");
    }

    proptest! {
        #[test]
        fn reads_back_as_the_same(text in any::<String>()) {
            for written in [line(&text).unwrap(), pretty(&[&text]).unwrap()] {
                prop_assert!(!written.chars().any(|c| c != '\n' && c.is_control()));
            }
            let back: String = serde_json::from_str(&line(&text).unwrap()).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
