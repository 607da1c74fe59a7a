//! What of a log is shown: filters that stack, and where in a line they hit.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

use super::{Level, LogLine, RawText, clean};

/// The memory one compiled expression may take: enough for any that a person types.
const SIZE_LIMIT: usize = 1 << 20;
/// More hits in one line than anybody looks at.
const HITS: usize = 200;

/// A condition on a line's text.
#[derive(Clone, Debug)]
pub enum Term {
    /// It must match.
    Include(Regex),
    /// It must not match.
    Exclude(Regex),
}

/// Conditions that must all hold, in the order in which a person put them on.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
    level: Option<Level>,
}

/// Not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pattern:?} is no regular expression: {reason}")]
pub struct FilterError {
    pattern: String,
    reason: String,
}

impl Filter {
    /// Lets everything pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more expression that a line must match.
    ///
    /// # Errors
    /// When it is none.
    pub fn include(&mut self, pattern: &str) -> Result<(), FilterError> {
        self.terms.push(Term::Include(compile(pattern)?));
        Ok(())
    }

    /// One more expression that a line must not match.
    ///
    /// # Errors
    /// When it is none.
    pub fn exclude(&mut self, pattern: &str) -> Result<(), FilterError> {
        self.terms.push(Term::Exclude(compile(pattern)?));
        Ok(())
    }

    /// Only lines at least so severe; `None`: all. A line that does not say counts as info.
    pub fn set_level(&mut self, level: Option<Level>) {
        self.level = level;
    }

    /// The least severity that passes.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// The expressions, oldest first.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Takes the newest expression off; `false` if there is none.
    pub fn pop(&mut self) -> bool {
        self.terms.pop().is_some()
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.level.is_none()
    }

    /// Whether a line passes. Expressions see the text as it is shown: without colours, harmless.
    pub fn matches(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|least| line.level.unwrap_or(Level::Info) >= least) && self.matches_text(&line.text)
    }

    fn matches_text(&self, text: &RawText) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        // Most lines need no cleaning, and to find that out costs less than the search.
        let shown;
        let text = match clean::as_plain(text.bytes()) {
            Some(plain) => plain.as_bytes(),
            None => {
                shown = text.plain();
                shown.as_bytes()
            }
        };
        self.terms.iter().all(|term| match term {
            Term::Include(regex) => regex.is_match(text),
            Term::Exclude(regex) => !regex.is_match(text),
        })
    }

    /// Where the including expressions hit in a shown text, in order and without overlap.
    pub fn highlights(&self, shown: &str) -> Vec<Range<usize>> {
        let mut hits: Vec<Range<usize>> = Vec::new();
        for term in &self.terms {
            match term {
                Term::Include(regex) => {
                    let found = regex.find_iter(shown.as_bytes()).map(|found| found.range());
                    // An expression may match bytes within a character only if it says so with (?-u).
                    hits.extend(found.filter(|hit| !hit.is_empty() && shown.get(hit.clone()).is_some()).take(HITS));
                }
                Term::Exclude(_) => {}
            }
        }
        hits.sort_by_key(|hit| (hit.start, hit.end));
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(hits.len());
        for hit in hits {
            match joined.last_mut() {
                Some(last) if hit.start <= last.end => last.end = last.end.max(hit.end),
                Some(_) | None => joined.push(hit),
            }
        }
        joined
    }
}

fn compile(pattern: &str) -> Result<Regex, FilterError> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build().map_err(|error| {
        let reason = match &error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The last line of several says what is wrong; the others draw where.
            other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        FilterError { pattern: crate::text::clean(pattern).into_owned(), reason: crate::text::clean_line(&reason) }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::logs::{LogStream, SourceId, Stamp};

    fn line(text: &str, level: Option<Level>) -> LogLine {
        let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
        LogLine { at: Stamp(0), source: SourceId(0), stream: LogStream::Out, level, late: false, cut: false, text }
    }

    #[test]
    fn filters_stack() {
        let mut filter = Filter::new();
        assert!(filter.is_empty() && filter.matches(&line("x", None)));
        filter.include("order \\d+").unwrap();
        filter.exclude("(?i)HEALTH").unwrap();
        for (text, passes) in
            [("order 17 accepted", true), ("order 17 health", false), ("order x", false), ("\u{1b}[1mor\u{1b}[0mder 3", true)]
        {
            assert_eq!(filter.matches(&line(text, None)), passes, "{text}");
        }
        filter.set_level(Some(Level::Warn));
        assert!(!filter.matches(&line("order 1", None)));
        assert!(!filter.matches(&line("order 1", Some(Level::Info))));
        assert!(filter.matches(&line("order 1", Some(Level::Error))));
        filter.set_level(Some(Level::Info));
        assert!(filter.matches(&line("order 1", None)), "a line that does not say counts as info");
        assert!(filter.pop() && filter.matches(&line("order 17 health", None)));
    }

    #[test]
    fn an_escape_sequence_cannot_be_searched_for_but_what_is_shown_can() {
        let mut filter = Filter::new();
        filter.include("␛").unwrap();
        assert!(filter.matches(&line("a\u{1b}[2Jb", None)));
        assert!(!filter.matches(&line("\u{1b}[31mred\u{1b}[0m", None)));
    }

    #[test]
    fn highlights_are_joined_and_on_characters() {
        let mut filter = Filter::new();
        filter.include("ab+").unwrap();
        filter.include("bc|é").unwrap();
        filter.exclude("zzz").unwrap();
        assert_eq!(filter.highlights("xabbc é ab"), [1..5, 6..8, 9..11]);
        let mut bytes = Filter::new();
        bytes.include("(?-u)\\xa9").unwrap();
        assert!(bytes.highlights("é").is_empty());
    }

    #[test]
    fn mistakes_are_told_in_one_line() {
        let error = Filter::new().include("a(").unwrap_err().to_string();
        assert_eq!(error, "\"a(\" is no regular expression: unclosed group");
        assert!(Filter::new().include("(a{1000}){1000}").unwrap_err().to_string().contains("too large"));
    }
}
