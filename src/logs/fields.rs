//! Structured lines taken apart: JSON objects and logfmt, for the whole-line view and for who shows only the message.

use std::borrow::Cow;

use serde_json::Value;

use super::Level;
use crate::text::clean_within;

/// A value longer than this is cut when it is shown as a field.
const VALUE_LIMIT: usize = 64 * 1024;
/// More fields than this are shown as what they are: the line.
const FIELDS_LIMIT: usize = 200;

/// What a structured line says. All text is clean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The value of `msg`, `message` or `@m`.
    pub message: Option<String>,
    /// The value of a level key.
    pub level: Option<Level>,
    /// Everything else: logfmt's in the line's order, JSON's by name; nested values as JSON.
    pub rest: Vec<(String, String)>,
}

impl Fields {
    /// Takes a line apart; `None` if it is plain text.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        if line.first() == Some(&b'{') { of_json(line) } else { of_logfmt(std::str::from_utf8(line).ok()?) }
    }

    fn add(&mut self, key: &str, value: &str) {
        let value = || clean_within(value, VALUE_LIMIT).into_owned();
        match key {
            "msg" | "message" | "@m" if self.message.is_none() => self.message = Some(value()),
            "level" | "severity" | "lvl" | "levelname" | "log.level" | "loglevel" | "@l" if self.level.is_none() => {
                let value = value();
                self.level = Level::parse(&value);
                if self.level.is_none() {
                    self.rest.push((key.to_owned(), value));
                }
            }
            _ => self.rest.push((crate::text::clean(key).into_owned(), value())),
        }
    }
}

fn of_json(line: &[u8]) -> Option<Fields> {
    let object: serde_json::Map<String, Value> = serde_json::from_slice(line).ok()?;
    if object.len() > FIELDS_LIMIT {
        return None;
    }
    let mut fields = Fields::default();
    for (key, value) in &object {
        let text = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Cow::Owned(value.to_string()),
        };
        fields.add(key, &text);
    }
    if fields.level.is_none() {
        fields.level = super::level::of(line);
    }
    Some(fields)
}

/// `key=value key="quoted value"`: a line is logfmt when all of it is pairs, two at least.
fn of_logfmt(line: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut rest = line;
    let mut count = 0;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@/".contains(&b)) || count >= FIELDS_LIMIT {
            return None;
        }
        let after = if let Some(quoted) = after.strip_prefix('"') {
            let (value, after) = unquote(quoted)?;
            fields.add(key, &value);
            after
        } else {
            let (value, after) = after.split_once(' ').unwrap_or((after, ""));
            fields.add(key, value);
            after
        };
        count += 1;
        rest = after.trim_start();
    }
    (count >= 2).then_some(fields)
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &str) -> Option<String> {
        let fields = Fields::parse(line.as_bytes())?;
        let rest: Vec<String> = fields.rest.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let level = fields.level.map_or("-", Level::word);
        Some(format!("{level} {} {}", fields.message.as_deref().unwrap_or("-"), rest.join(" ")))
    }

    #[test]
    fn forms() {
        for (line, expected) in [
            (r#"{"level":"warn","msg":"slow","ms":3000,"tags":["a"],"x":null}"#, Some("warn slow ms=3000 tags=[\"a\"] x=null")),
            (r#"{"level":50,"message":"bad \u001b[2J"}"#, Some("error bad ␛[2J level=50")),
            (r#"{"level":"loud"}"#, Some("- - level=loud")),
            (r#"{"broken":"#, None),
            ("level=info msg=\"it \\\"works\\\"\" t=1", Some("info it \"works\" t=1")),
            ("a=1 b=", Some("- - a=1 b=")),
            ("a=1", None),
            ("plain text with a=b", None),
            ("url=http://x?a=b c=d", Some("- - url=http://x?a=b c=d")),
            ("", None),
        ] {
            assert_eq!(shown(line).as_deref(), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn foreign_lines_never_panic_and_come_out_clean(line in "\\{?[a-z\"=:,{}\\[\\]\\\\ \u{1b}\u{9b}0-9]{0,60}\\}?|([a-z]{1,3}=(\"[^\"]{0,9}\"|[^ ]{0,9}) ){1,5}") {
            if let Some(fields) = Fields::parse(line.as_bytes()) {
                let texts = fields.rest.iter().flat_map(|(key, value)| [key, value]).chain(&fields.message);
                for text in texts {
                    prop_assert!(!text.chars().any(char::is_control), "{text:?}");
                }
            }
        }
    }
}
