//! A TOML file as a tree of values that remember where they were said. It knows no key's meaning.

use std::{ops::Range, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::{fault::Fault, origin::Origin};

/// A value and where it was said.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub origin: Origin,
    pub value: Value,
}

/// A table: key → where the key stands, and its value.
pub(crate) type Table = IndexMap<String, Entry>;

/// One `key = value`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Origin,
    pub node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    Integer(i64),
    Float(f64),
    /// No key takes one, so only the kind matters.
    Date,
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The kind, as errors name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Flag(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a file's text. Syntax errors are all collected; a text with one yields no tree.
pub(crate) fn parse(path: &Arc<PathBuf>, text: &str, faults: &mut Vec<Fault>) -> Option<Table> {
    let source = Source { path, text, lines: text.match_indices('\n').map(|(at, _)| at + 1).collect() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(source.table(table.into_inner(), faults));
    }
    for error in errors {
        let origin = error.span().map_or_else(|| Origin::Whole(path.clone()), |span| source.origin(&span));
        let key = error.span().and_then(|span| text.get(span)).filter(|_| error.message() == "duplicate key");
        let key = key.map_or_else(String::new, |key| format!(" {key:?}: it stands above already"));
        faults.push(Fault::new(&origin, format!("{}{key}", error.message())));
    }
    None
}

struct Source<'a> {
    path: &'a Arc<PathBuf>,
    text: &'a str,
    /// Where the second line and all after it begin.
    lines: Vec<usize>,
}

impl Source<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        let above = self.lines.partition_point(|start| *start <= span.start);
        let start = above.checked_sub(1).map_or(0, |last| self.lines[last]);
        let (line, column) = (above + 1, self.text.get(start..span.start).map_or(0, |before| before.chars().count()) + 1);
        Origin::File { path: self.path.clone(), line, column }
    }

    fn table(&self, table: DeTable<'_>, faults: &mut Vec<Fault>) -> Table {
        let mut out = Table::with_capacity(table.len());
        for (key, value) in table {
            let origin = self.origin(&key.span());
            let at = self.origin(&value.span());
            out.insert(key.into_inner().into_owned(), Entry { key: origin, node: self.node(at, value.into_inner(), faults) });
        }
        out
    }

    fn node(&self, origin: Origin, value: DeValue<'_>, faults: &mut Vec<Fault>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Boolean(flag) => Value::Flag(flag),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    faults.push(Fault::new(&origin, format!("the number {} is too large", number.as_str())));
                    Value::Integer(0)
                }
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => {
                    faults.push(Fault::new(&origin, format!("{} is no number", number.as_str())));
                    Value::Float(0.0)
                }
            },
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| {
                        let at = self.origin(&item.span());
                        self.node(at, item.into_inner(), faults)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table, faults)),
        };
        Node { origin, value }
    }
}
