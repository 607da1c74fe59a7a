//! The patterns of `ssh_config` and `known_hosts`: `*`, `?` and `!` (ssh_config(5), PATTERNS). Pure.

/// Whether `text` matches one pattern of `*` and `?`; case counts.
///
/// Runs in time `pattern × text` at worst: a hostile file cannot make it explode.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether a list of patterns names `text`: one of them matches, and none that begins with `!` does.
pub(super) fn list_matches<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let mut named = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(excluded) if matches(excluded, text) => return false,
            Some(_) => {}
            None => named |= matches(pattern, text),
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_marks_and_negation() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("app-??", "app-01", true),
            ("app-??", "app-1", false),
            ("*.internal", "db.internal", true),
            ("*.internal", "db.internal.example", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("[10.0.0.1]:22??", "[10.0.0.1]:2222", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(list_matches(["*.internal", "!db.*"], "web.internal"));
        assert!(!list_matches(["*.internal", "!db.*"], "db.internal"));
        assert!(!list_matches(["!db.*"], "web.internal"), "only negations name nothing");
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_a_star(text in "[a-z.]{0,20}") {
            prop_assert!(matches(&text, &text));
            prop_assert!(matches("*", &text));
        }

        #[test]
        fn never_panics(pattern in ".{0,40}", text in ".{0,40}") {
            matches(&pattern, &text);
        }
    }
}
