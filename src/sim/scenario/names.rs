//! Names of many: counted patterns (`app-[01-12]`) and globs (`app-*`).

use serde::{Deserialize, Deserializer, de::Error};

/// A name, or a counted row of names: text, then optionally one `[first-last]` and more text. The width of `first` is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
    range: Option<(u32, u32, usize)>,
}

/// The most names one pattern may stand for.
const MOST: u32 = 10_000;

impl Pattern {
    /// Reads a pattern; the error is a sentence about it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((before, rest)) = text.split_once('[') else {
            return Ok(Self { before: text.to_owned(), after: String::new(), range: None });
        };
        let broken = || format!("{text:?} is no pattern: a row of names is written \"app-[01-12]\"");
        let (range, after) = rest.split_once(']').ok_or_else(broken)?;
        let (first, last) = range.split_once('-').ok_or_else(broken)?;
        let width = first.len();
        let (first, last): (u32, u32) = (first.parse().map_err(|_| broken())?, last.parse().map_err(|_| broken())?);
        if last < first || last - first >= MOST {
            return Err(format!("{text:?} counts from {first} to {last}: the second number must be the larger, with at most {MOST} names"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned(), range: Some((first, last, width)) })
    }

    /// How many names it stands for.
    pub fn count(&self) -> usize {
        self.range.map_or(1, |(first, last, _)| (last - first + 1) as usize)
    }

    /// Its names, in order.
    pub fn names(&self) -> Vec<String> {
        match self.range {
            None => vec![self.before.clone()],
            Some((first, last, width)) => (first..=last).map(|n| format!("{}{n:0width$}{}", self.before, self.after)).collect(),
        }
    }

    /// The same pattern for another number of names.
    pub fn resized(&self, count: u32) -> Self {
        let (first, _, width) = self.range.unwrap_or((1, 1, 2));
        let before = if self.range.is_some() { self.before.clone() } else { format!("{}-", self.before) };
        Self { before, after: self.after.clone(), range: Some((first, first + count.max(1) - 1, width)) }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let pattern = Self::parse(&text).map_err(D::Error::custom)?;
        Ok(pattern)
    }
}

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters.
pub fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, glob};

    #[test]
    fn rows_keep_the_width_of_their_first_number() {
        let names = |text: &str| Pattern::parse(text).map(|p| p.names());
        assert_eq!(names("db"), Ok(vec!["db".to_owned()]));
        assert_eq!(names("app-[09-11].eu"), Ok(vec!["app-09.eu".to_owned(), "app-10.eu".to_owned(), "app-11.eu".to_owned()]));
        for wrong in ["a[1", "a[1]", "a[x-2]", "a[3-2]", "a[1-99999]"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Pattern::parse("app-[01-12]").map(|p| p.resized(2).names()), Ok(vec!["app-01".to_owned(), "app-02".to_owned()]));
        assert_eq!(Pattern::parse("db").map(|p| p.resized(2).names()), Ok(vec!["db-01".to_owned(), "db-02".to_owned()]));
    }

    #[test]
    fn globs() {
        for (pattern, name, want) in [
            ("*", "x", true),
            ("app-*", "app-01", true),
            ("app-*", "db", false),
            ("a*b*c", "a-b-c", true),
            ("a*b", "a-b-c", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob(pattern, name), want, "{pattern} {name}");
        }
    }
}
