//! Reading a selector: one pass, no backtracking, every error with its column.

use super::{Choice, Field, PATTERNS_LIMIT, SELECTOR_LIMIT, Selector, SelectorError, Term, Test};
use crate::{
    fleet::{
        container::{ContainerState, Health},
        pattern::Pattern,
    },
    text::nearest,
};

const STATES: [ContainerState; 8] = [
    ContainerState::Created,
    ContainerState::Running,
    ContainerState::Paused,
    ContainerState::Restarting,
    ContainerState::Removing,
    ContainerState::Exited,
    ContainerState::Dead,
    ContainerState::Unknown,
];
const HEALTHS: [Health; 4] = [Health::None, Health::Starting, Health::Healthy, Health::Unhealthy];

/// The words of a field that has only so many, else nothing.
pub(super) fn known_words(field: Field) -> Vec<&'static str> {
    match field {
        Field::State => STATES.iter().map(|state| state.word()).collect(),
        Field::Health => HEALTHS.iter().map(|health| health.word()).collect(),
        Field::Host
        | Field::App
        | Field::Service
        | Field::Environment
        | Field::Version
        | Field::Label
        | Field::Name
        | Field::Tag
        | Field::Image
        | Field::Id => Vec::new(),
    }
}

pub(super) fn parse(text: &str) -> Result<Selector, SelectorError> {
    if text.len() > SELECTOR_LIMIT {
        return Err(SelectorError::TooLarge);
    }
    let mut reader = Reader { chars: text.chars().collect(), at: 0, patterns: 0 };
    let mut terms = Vec::new();
    loop {
        reader.skip_space();
        if reader.peek().is_none() {
            return Ok(Selector { terms });
        }
        terms.push(reader.term()?);
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    patterns: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn column(&self) -> usize {
        self.at + 1
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn term(&mut self) -> Result<Term, SelectorError> {
        let not = self.take('!');
        let field = self.field()?;
        let mut any = Vec::new();
        loop {
            // A trailing comma is a value still being typed.
            if self.peek().is_none_or(|c| c.is_whitespace()) {
                break;
            }
            if !self.take(',') {
                any.push(self.choice(field)?);
            }
        }
        match any.is_empty() {
            true => Err(SelectorError::MissingValue { column: self.column() }),
            false => Ok(Term { not, field, any }),
        }
    }

    /// `word:`, if the term starts with one.
    fn field(&mut self) -> Result<Option<Field>, SelectorError> {
        let start = self.at;
        let length = self.chars[start..].iter().take_while(|c| c.is_alphabetic() || matches!(c, '_' | '-')).count();
        if length == 0 || self.chars.get(start + length) != Some(&':') {
            return Ok(None);
        }
        let word: String = self.chars[start..start + length].iter().collect();
        self.at = start + length + 1;
        match Field::parse(&word) {
            Some(field) => Ok(Some(field)),
            None => {
                Err(SelectorError::UnknownField { column: start + 1, hint: hint(&word, Field::ALL.map(|(name, _)| name)), field: word })
            }
        }
    }

    fn choice(&mut self, field: Option<Field>) -> Result<Choice, SelectorError> {
        let column = self.column();
        self.patterns += 1;
        if self.patterns > PATTERNS_LIMIT {
            return Err(SelectorError::TooLarge);
        }
        let (text, regex) = match self.peek() {
            Some('/') => (self.regex()?, true),
            _ => (self.word()?, false),
        };
        let test = if regex {
            Test::Matches(Pattern::regex(&text).map_err(|source| SelectorError::Pattern { column, source })?)
        } else {
            compile(field, &text, column)?
        };
        Ok(Choice { text, regex, test })
    }

    /// `/…/`; a slash inside is written `\/`.
    fn regex(&mut self) -> Result<String, SelectorError> {
        let column = self.column();
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(SelectorError::Unclosed { column, mark: '/' }),
                Some('/') => break,
                Some('\\') => {
                    text.push('\\');
                    self.at += 1;
                    if let Some(escaped) = self.peek() {
                        text.push(escaped);
                        self.at += 1;
                    }
                }
                Some(other) => {
                    text.push(other);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        if text.is_empty() {
            return Err(SelectorError::MissingValue { column });
        }
        match self.peek() {
            Some(c) if c != ',' && !c.is_whitespace() => Err(SelectorError::Trailing { column: self.column() }),
            _ => Ok(text),
        }
    }

    /// A word up to a space or comma; a quoted beginning may hold both.
    fn word(&mut self) -> Result<String, SelectorError> {
        let column = self.column();
        let mut text = String::new();
        if self.take('"') {
            loop {
                match self.peek() {
                    None => return Err(SelectorError::Unclosed { column, mark: '"' }),
                    Some('"') => break,
                    Some('\\') if matches!(self.chars.get(self.at + 1), Some('"' | '\\')) => {
                        text.push(self.chars[self.at + 1]);
                        self.at += 2;
                    }
                    Some(other) => {
                        text.push(other);
                        self.at += 1;
                    }
                }
            }
            self.at += 1;
        }
        while let Some(c) = self.peek().filter(|c| *c != ',' && !c.is_whitespace()) {
            text.push(c);
            self.at += 1;
        }
        Ok(text)
    }
}

fn compile(field: Option<Field>, text: &str, column: usize) -> Result<Test, SelectorError> {
    let glob = |text: &str| Pattern::glob(text).map_err(|source| SelectorError::Pattern { column, source });
    let is_glob = text.contains(['*', '?', '[']);
    match field {
        None if is_glob => Ok(Test::Matches(glob(&format!("*{text}*"))?)),
        None => Ok(Test::Contains(text.to_lowercase())),
        Some(Field::App | Field::Environment) if matches!(text, "-" | "–") => Ok(Test::Absent),
        Some(Field::Id) if !is_glob => Ok(Test::Prefix(text.to_lowercase())),
        Some(Field::Label) => match text.split_once('=') {
            Some((key, value)) => Ok(Test::Label(glob(key)?, Some(glob(value)?))),
            None => Ok(Test::Label(glob(text)?, None)),
        },
        Some(field) => {
            let known = known_words(field);
            if !known.is_empty() && !is_glob && !known.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                let hint = hint(text, known);
                return Err(SelectorError::UnknownWord { column, field: field.word(), word: text.to_owned(), hint });
            }
            Ok(Test::Matches(glob(text)?))
        }
    }
}

fn hint(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    nearest(word, known).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default()
}
