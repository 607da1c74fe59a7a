//! `${NAME:-default}` in a Compose file: the default is taken, and what has none is told. Pure.

/// A text without its variables, and what was decided on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    pub text: String,
    /// `${PORT:-80}` and the default that was taken.
    pub defaults: Vec<(String, String)>,
    /// Without a default; empty in the text.
    pub missing: Vec<String>,
}

/// Takes the defaults, but none of a variable that is left out; `$$` is a `$`.
pub(super) fn resolve(text: &str, is_left_out: &dyn Fn(&str) -> bool) -> Resolved {
    let mut out = Resolved::default();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some(end) = closing(after) else {
                out.text.push_str("${");
                rest = after;
                continue;
            };
            braced(&after[..end], is_left_out, &mut out);
            rest = &after[end + 1..];
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = &rest[..end];
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                out.text.push('$');
                continue;
            }
            out.missing.push(name.to_owned());
            rest = &rest[end..];
        }
    }
    out.text.push_str(rest);
    out
}

/// Where the brace is closed: defaults may hold variables themselves.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn braced(inner: &str, is_left_out: &dyn Fn(&str) -> bool, out: &mut Resolved) {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    match rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-')) {
        Some(_) if is_left_out(name) => out.defaults.push((name.to_owned(), String::new())),
        Some(default) => {
            // Defaults within defaults: as deep as a person writes them.
            let plain = if default.matches('$').count() <= 4 {
                resolve(default, is_left_out)
            } else {
                Resolved { text: default.to_owned(), ..Resolved::default() }
            };
            out.text.push_str(&plain.text);
            out.missing.extend(plain.missing);
            out.defaults.push((name.to_owned(), plain.text));
        }
        None => out.missing.push(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn defaults_are_taken() {
        for (text, expected, missing) in [
            ("plain", "plain", &[][..]),
            ("a$$b", "a$b", &[]),
            ("${A:-1}:${B-2}", "1:2", &[]),
            ("${A}x$B.y", "x.y", &["A", "B"]),
            ("${A:?must}", "", &["A"]),
            ("${A:-${B:-c}}", "c", &[]),
            ("x${SECRET:-hunter2}y", "xy", &[]),
            ("5$ and $1 and ${", "5$ and $1 and ${", &[]),
        ] {
            let found = resolve(text, &|name| name == "SECRET");
            assert_eq!(
                (found.text.as_str(), found.missing.iter().map(String::as_str).collect::<Vec<_>>()),
                (expected, missing.to_vec()),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[$\\{\\}:\\-A-C?é ]{0,40}") {
            let _ = resolve(&text, &|_| false);
        }
    }
}
