//! Values as TOML writes them, each on one line, with nothing in them that a terminal acts on. Pure.

use std::fmt::Write as _;

use crate::text::acts;

/// A text in quotes; it reads back as the same text.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if acts(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `["a", "b"]`.
pub(super) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| text(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A key, in quotes where it needs them.
pub(super) fn key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { text(key) }
}

/// `{ a = 1, b = "x" }`; the values are TOML already.
pub(super) fn table(entries: &[(&str, String)]) -> String {
    let entries: Vec<String> = entries.iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_back(value in any::<String>(), name in any::<String>()) {
            let line = format!("x = {}", table(&[(&name, text(&value)), ("list", list([&value]))]));
            prop_assert!(!line.chars().any(acts));
            // A name may be the list's own.
            prop_assume!(name != "list");
            let read: toml::Table = toml::from_str(&line).unwrap();
            prop_assert_eq!(read["x"][&name].as_str(), Some(value.as_str()));
            prop_assert_eq!(read["x"]["list"][0].as_str(), Some(value.as_str()));
        }
    }
}
