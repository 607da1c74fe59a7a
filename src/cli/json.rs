//! JSON as the verbs print it. Pure.
//!
//! serde_json escapes only what JSON demands; here every character that a terminal could act on or hide (DEL, C1 controls,
//! bidirectional and invisible marks) is written as `\u…` too. It reads back as the same value.

use std::fmt::Write as _;

use serde::Serialize;

use super::exit::Failure;

/// One value on one line.
///
/// # Errors
/// Only for values that JSON cannot hold; no row of ours is one.
pub fn line<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = harmless(serde_json::to_string(value).map_err(Failure::failed)?);
    text.push('\n');
    Ok(text)
}

/// One value over many lines.
///
/// # Errors
/// As [`line`].
pub fn pretty<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = harmless(serde_json::to_string_pretty(value).map_err(Failure::failed)?);
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

/// Control characters below space are escaped already or, as newlines, serde_json's own.
fn harmless(json: String) -> String {
    if json.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c == '\n' || !acts(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
                prop_assert!(!written.chars().any(|c| c != '\n' && acts(c)));
            }
            let back: String = serde_json::from_str(&line(&text).unwrap()).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
