//! The selector language of filters and commands (design: Command line).
//!
//! Space-separated terms, all of which must hold: `host:app-01 !env:production version:1.0* name:/^web/ label:team=pay* shop`.
//! - `field:value`, with `,` for or; `!` in front negates the term.
//! - A value is a word or glob (`*`, `?`, `[a-z]`) over the whole field, ignoring case, or `/…/`, a regular expression that may match
//!   anywhere in it. `id:` takes a prefix. `"…"` quotes spaces, commas and a leading `/` or `!`.
//! - `tag:` is a tag of the *host* (the image's tag is found by `version:` or `image:*:TAG`); `env:-` and `app:-` select what has none.
//! - `label:key` asks for a label, `label:key=value` for its value.
//! - A bare word is searched, ignoring case, in every column: host, app, service, environment, name, version, image, state, health, id.

mod complete;
mod event;
mod parse;

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::{
    container::Container,
    host::Host,
    pattern::{Pattern, PatternError},
};

/// The longest selector accepted, in bytes.
pub const SELECTOR_LIMIT: usize = 4096;
/// The most patterns one selector may hold: bounds what it costs to compile and to match.
pub const PATTERNS_LIMIT: usize = 64;

/// A compiled selector. Its text form reads back as itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    terms: Vec<Term>,
}

/// Why a text is no selector. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// `nme:web`.
    #[error("column {column}: unknown field {field:?}{hint}; to search for the text itself, quote it")]
    UnknownField {
        /// Where it starts.
        column: usize,
        /// As written.
        field: String,
        /// ` (did you mean "name"?)` or nothing.
        hint: String,
    },
    /// `state:runing`.
    #[error("column {column}: no {field} is called {word:?}{hint}")]
    UnknownWord {
        /// Where it starts.
        column: usize,
        /// The field.
        field: &'static str,
        /// As written.
        word: String,
        /// ` (did you mean "running"?)` or nothing.
        hint: String,
    },
    /// `host:` or `!`.
    #[error("column {column}: a value is missing")]
    MissingValue {
        /// Where it should stand.
        column: usize,
    },
    /// `name:/web` or `name:"web`.
    #[error("column {column}: {mark} is not closed")]
    Unclosed {
        /// Where it was opened.
        column: usize,
        /// What opened it.
        mark: char,
    },
    /// `name:/web/x`.
    #[error("column {column}: a space or comma must follow a /regular expression/")]
    Trailing {
        /// What follows instead.
        column: usize,
    },
    /// A pattern that does not compile.
    #[error("column {column}: {source}")]
    Pattern {
        /// Where it starts.
        column: usize,
        /// Why not.
        source: PatternError,
    },
    /// More than [`PATTERNS_LIMIT`] patterns, or longer than [`SELECTOR_LIMIT`].
    #[error("the selector is too large: at most {SELECTOR_LIMIT} bytes and {PATTERNS_LIMIT} patterns are accepted")]
    TooLarge,
}

impl SelectorError {
    /// Where the error is, in characters from 1; 1 where it is the whole.
    pub fn column(&self) -> usize {
        match self {
            Self::UnknownField { column, .. }
            | Self::UnknownWord { column, .. }
            | Self::MissingValue { column }
            | Self::Unclosed { column, .. }
            | Self::Trailing { column }
            | Self::Pattern { column, .. } => *column,
            Self::TooLarge => 1,
        }
    }
}

/// What a term may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Host,
    App,
    Service,
    Environment,
    Version,
    State,
    Health,
    Label,
    Name,
    Tag,
    Image,
    Id,
}

impl Field {
    const ALL: [(&'static str, Field); 12] = [
        ("host", Self::Host),
        ("app", Self::App),
        ("service", Self::Service),
        ("env", Self::Environment),
        ("version", Self::Version),
        ("state", Self::State),
        ("health", Self::Health),
        ("label", Self::Label),
        ("name", Self::Name),
        ("tag", Self::Tag),
        ("image", Self::Image),
        ("id", Self::Id),
    ];

    fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("environment") {
            return Some(Self::Environment);
        }
        Self::ALL.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, field)| field)
    }

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    not: bool,
    field: Option<Field>,
    any: Vec<Choice>,
}

/// One of the values of a term: as written, and compiled for the term's field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    text: String,
    regex: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// The field is absent.
    Absent,
    /// The field's text matches.
    Matches(Pattern),
    /// The field's text contains this, in lower case.
    Contains(String),
    /// The field's text begins with this, in lower case.
    Prefix(String),
    /// A label whose key and value match.
    Label(Pattern, Option<Pattern>),
}

impl Test {
    fn holds(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Absent, text) => text.is_none(),
            (Self::Matches(pattern), Some(text)) => pattern.matches(text),
            (Self::Contains(part), Some(text)) => contains_folded(text, part),
            (Self::Prefix(prefix), Some(text)) => text.to_lowercase().starts_with(prefix),
            (Self::Matches(_) | Self::Contains(_) | Self::Prefix(_), None) | (Self::Label(..), _) => false,
        }
    }
}

impl Selector {
    /// Compiles a selector. The empty text selects everything.
    ///
    /// # Errors
    /// With the column and, for unknown words, the nearest known one.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text)
    }

    /// Whether it selects a container; `host` is where that lives.
    pub fn matches(&self, container: &Container, host: &Host) -> bool {
        self.terms.iter().all(|term| term.any.iter().any(|choice| matches(term.field, &choice.test, container, host)) != term.not)
    }

    /// Whether it selects a host by what is known without any container: `host:`, `env:`, `tag:` and bare words on the host's name. Terms
    /// about containers select no host.
    pub fn matches_host(&self, host: &Host) -> bool {
        let spec = &host.spec;
        let holds = |field: Option<Field>, test: &Test| match field {
            None | Some(Field::Host) => test.holds(Some(spec.id.as_str())),
            Some(Field::Environment) => test.holds(spec.environment.as_ref().map(|e| e.as_str())),
            Some(Field::Tag) => spec.tags.iter().any(|tag| test.holds(Some(tag))),
            Some(_) => false,
        };
        self.terms.iter().all(|term| term.any.iter().any(|choice| holds(term.field, &choice.test)) != term.not)
    }

    /// Whether it may select something that runs on a host, as far as the host alone tells: terms about the host must hold, those about
    /// containers may. A negated term about containers may hold as well.
    pub fn may_match_on(&self, host: &Host) -> bool {
        let spec = &host.spec;
        self.terms.iter().all(|term| {
            let holds = |choice: &Choice| match term.field {
                Some(Field::Host) => Some(choice.test.holds(Some(spec.id.as_str()))),
                Some(Field::Tag) => Some(spec.tags.iter().any(|tag| choice.test.holds(Some(tag)))),
                // A label or a rule may place a container elsewhere; where the host says it, that is the likely place.
                Some(Field::Environment) => spec.environment.as_ref().map(|environment| choice.test.holds(Some(environment.as_str()))),
                _ => None,
            };
            let told: Vec<Option<bool>> = term.any.iter().map(holds).collect();
            told.contains(&None) || told.contains(&Some(true)) != term.not
        })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What could stand in place of the term under the cursor (a byte offset): fields first, or values that occur in the fleet; at most
    /// 50, each the whole term, to replace what [`Self::term_at`] says.
    pub fn completions(text: &str, cursor: usize, fleet: &super::Fleet) -> Vec<String> {
        complete::completions(text, cursor, fleet)
    }

    /// The byte range of the term under the cursor, up to the cursor.
    pub fn term_at(text: &str, cursor: usize) -> std::ops::Range<usize> {
        complete::term_at(text, cursor)
    }
}

fn matches(field: Option<Field>, test: &Test, container: &Container, host: &Host) -> bool {
    let identity = &container.identity;
    let app = || identity.service.app.as_ref().map(|app| app.as_str());
    let service = identity.service.service.as_str();
    let environment = || identity.environment.as_ref().map(|environment| environment.as_str());
    match field {
        Some(Field::Host) => test.holds(Some(container.key.host.as_str())),
        Some(Field::App) => test.holds(app()),
        Some(Field::Service) => test.holds(Some(service)),
        Some(Field::Environment) => test.holds(environment()),
        Some(Field::Version) => test.holds(Some(&container.version.text)),
        Some(Field::State) => test.holds(Some(container.state.word())),
        Some(Field::Health) => test.holds(Some(container.health.word())),
        Some(Field::Name) => test.holds(Some(&container.name)),
        Some(Field::Tag) => host.spec.tags.iter().any(|tag| test.holds(Some(tag))),
        Some(Field::Image) => test.holds(Some(&container.image.to_string())),
        Some(Field::Id) => test.holds(Some(container.key.id.as_str())),
        Some(Field::Label) => match test {
            Test::Label(key, value) => {
                container.labels.iter().any(|(k, v)| key.matches(k) && value.as_ref().is_none_or(|pattern| pattern.matches(v)))
            }
            other => container.labels.iter().any(|(k, v)| other.holds(Some(&format!("{k}={v}")))),
        },
        None => {
            let fixed = [container.key.host.as_str(), service, &container.name, &container.version.text, container.state.word()];
            fixed.into_iter().any(|text| test.holds(Some(text)))
                || [app(), environment()].into_iter().flatten().any(|text| test.holds(Some(text)))
                || (container.health != super::Health::None && test.holds(Some(container.health.word())))
                || test.holds(Some(&container.image.repository))
                || container.image.tag.as_deref().is_some_and(|tag| test.holds(Some(tag)))
                || test.holds(Some(container.key.id.short()))
        }
    }
}

fn contains_folded(text: &str, part: &str) -> bool {
    if part.is_empty() {
        return true;
    }
    match text.is_ascii() {
        true => text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes())),
        false => text.to_lowercase().contains(part),
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            if term.not {
                f.write_str("!")?;
            }
            if let Some(field) = term.field {
                write!(f, "{}:", field.word())?;
            }
            for (index, choice) in term.any.iter().enumerate() {
                if index > 0 {
                    f.write_str(",")?;
                }
                match choice.regex {
                    true => write!(f, "/{}/", choice.text)?,
                    false => f.write_str(&quoted(&choice.text, term.field.is_none()))?,
                }
            }
        }
        Ok(())
    }
}

/// A value as it must be written to be read back.
fn quoted(text: &str, bare: bool) -> String {
    let plain = !text.is_empty()
        && !text.starts_with(['/', '!'])
        && !text.contains(|c: char| c == ',' || c == '"' || c.is_whitespace() || bare && c == ':');
    match plain {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests;
