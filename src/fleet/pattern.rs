//! Text patterns of selectors and identity rules: plain words, globs, `/regular expressions/`. Compiled once, bounded in size.

use std::fmt;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// The longest pattern accepted, in bytes: what a person types, not what a program generates.
pub const PATTERN_LIMIT: usize = 1024;
/// The largest compiled regular expression, in bytes.
const COMPILED_LIMIT: usize = 256 * 1024;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// The regular expression does not compile, or is too large when compiled.
    #[error("/{pattern}/ is no usable regular expression: {reason}")]
    Regex {
        /// As written.
        pattern: String,
        /// The compiler's last line.
        reason: String,
    },
    /// Longer than [`PATTERN_LIMIT`].
    #[error("a pattern of {length} bytes is too long: at most {PATTERN_LIMIT} bytes are accepted")]
    TooLong {
        /// Its length.
        length: usize,
    },
}

/// A compiled pattern. Words and globs (`*`, `?`, `[a-z]`, `[!a-z]`) match the whole text and ignore case; a regular expression
/// matches anywhere and as written (`(?i)` makes it ignore case).
#[derive(Clone)]
pub struct Pattern {
    source: String,
    regex: bool,
    compiled: Matcher,
}

#[derive(Clone)]
enum Matcher {
    Word(String),
    Regex(Regex),
}

impl Pattern {
    /// A word or glob.
    ///
    /// # Errors
    /// When it is too long, or a `[class]` in it is malformed.
    pub fn glob(source: &str) -> Result<Self, PatternError> {
        check_length(source)?;
        let compiled = match source.contains(['*', '?', '[']) {
            false => Matcher::Word(source.to_lowercase()),
            true => Matcher::Regex(build(source, &format!("(?is)^{}$", glob_to_regex(source)))?),
        };
        Ok(Self { source: source.to_owned(), regex: false, compiled })
    }

    /// A regular expression, without the slashes.
    ///
    /// # Errors
    /// When it is too long, does not compile, or compiles to something too large.
    pub fn regex(source: &str) -> Result<Self, PatternError> {
        check_length(source)?;
        Ok(Self { source: source.to_owned(), regex: true, compiled: Matcher::Regex(build(source, source)?) })
    }

    /// `/…/` as a regular expression, everything else as a glob.
    ///
    /// # Errors
    /// Those of [`Self::glob`] and [`Self::regex`].
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        match source.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(inner) if !inner.is_empty() => Self::regex(inner),
            _ => Self::glob(source),
        }
    }

    /// Whether the text matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.compiled {
            Matcher::Word(word) => equal_folded(word, text),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }

    /// The pattern as written, without slashes.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is a regular expression.
    pub fn is_regex(&self) -> bool {
        self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex == other.regex && self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.regex {
            true => write!(f, "/{}/", self.source),
            false => write!(f, "{:?}", self.source),
        }
    }
}

/// Compiles a regular expression within the size bound; for callers that need its groups.
pub(super) fn build(source: &str, expression: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(expression).size_limit(COMPILED_LIMIT).dfa_size_limit(COMPILED_LIMIT).build().map_err(|error| PatternError::Regex {
        pattern: source.to_owned(),
        reason: error.to_string().lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned(),
    })
}

/// Whether `text`, in lower case, is `folded`; without a copy for ASCII.
fn equal_folded(folded: &str, text: &str) -> bool {
    match text.is_ascii() {
        true => folded.len() == text.len() && folded.bytes().zip(text.bytes()).all(|(a, b)| a == b.to_ascii_lowercase()),
        false => text.to_lowercase() == folded,
    }
}

fn check_length(source: &str) -> Result<(), PatternError> {
    match source.len() > PATTERN_LIMIT {
        true => Err(PatternError::TooLong { length: source.len() }),
        false => Ok(()),
    }
}

fn glob_to_regex(glob: &str) -> String {
    let mut out = String::with_capacity(glob.len() * 2);
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            // Runs of stars are one star: the compiled size stays linear.
            '*' if out.ends_with(".*") && !out.ends_with("\\.*") => {}
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => match rest.find(']').filter(|end| *end > 0 && rest[..*end] != *"!") {
                Some(end) => {
                    let (class, negated) = match rest[..end].strip_prefix('!') {
                        Some(class) => (class, "^"),
                        None => (&rest[..end], ""),
                    };
                    let class = class.chars().flat_map(|c| (!(c.is_alphanumeric() || c == '-')).then_some('\\').into_iter().chain([c]));
                    out.push_str(&format!("[{negated}{}]", class.collect::<String>()));
                    rest = &rest[end + 1..];
                }
                None => out.push_str("\\["),
            },
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_globs_and_expressions() {
        let cases = [
            ("app-01", "app-01", true),
            ("app-01", "APP-01", true),
            ("app-01", "app-011", false),
            ("app-0*", "app-07", true),
            ("app-0?", "app-7", false),
            ("app-0[1-3]", "app-02", true),
            ("app-0[!1-3]", "app-02", false),
            ("1.0*", "1.0.1-22-7e56158", true),
            ("1.0*", "100", false),
            ("a[", "a[", true),
            ("/^web-\\d+$/", "web-12", true),
            ("/eb/", "web", true),
            ("/EB/", "web", false),
            ("//", "//", true),
            ("*", "", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn monsters_are_refused() {
        assert!(matches!(Pattern::regex("(a{1000}){1000}"), Err(PatternError::Regex { .. })));
        assert!(matches!(Pattern::regex("("), Err(PatternError::Regex { .. })));
        assert!(matches!(Pattern::glob(&"x".repeat(5000)), Err(PatternError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "\\PC{0,40}", text in "\\PC{0,40}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.matches(&text);
            }
        }

        #[test]
        fn a_glob_of_stars_around_a_part_finds_it(text in "[a-z0-9./-]{1,20}", from in 0usize..20, to in 0usize..20) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let part = &text[from.min(to)..to.max(from)];
            let glob = format!("*{part}*");
            prop_assert!(Pattern::glob(&glob).unwrap().matches(&text));
        }
    }
}
