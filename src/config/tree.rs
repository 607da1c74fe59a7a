//! A layer as a tree of values that remember where they were said, and the merge of two layers.
//!
//! Owns the merge rule (tables merge by key, everything else replaces) and its exceptions, which only ever tighten:
//! `read-only = true` and `[policy.*]`. It knows no key's meaning beyond these.

use std::{ops::Range, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::{fault::Fault, origin::Origin};

/// A value and where it was said.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub origin: Origin,
    pub value: Value,
}

/// A table: key → where the key stands, and its value.
pub(super) type Table = IndexMap<String, Entry>;

/// One `key = value`.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Origin,
    pub node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Integer(i64),
    /// No key takes one, so only the kind matters.
    Float,
    /// As for floats.
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
            Self::Float => "a number",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a file's text. Syntax errors are all collected; a text with one yields no tree.
pub(super) fn parse(path: &Arc<PathBuf>, text: &str, faults: &mut Vec<Fault>) -> Option<Table> {
    let source = Source { path, text };
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
}

impl Source<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
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
            DeValue::Float(_) => Value::Float,
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

/// Lays `upper` over `lower`.
pub(super) fn merge(lower: &mut Table, upper: Table) {
    merge_at(lower, upper, &mut Vec::new());
}

fn merge_at(lower: &mut Table, upper: Table, path: &mut Vec<String>) {
    for (key, entry) in upper {
        path.push(key.clone());
        match lower.get_mut(&key) {
            None => {
                lower.insert(key, entry);
            }
            Some(below) => match (&mut below.node.value, entry.node.value) {
                (Value::Table(below), Value::Table(above)) => merge_at(below, above, path),
                (value, above) => {
                    if !holds_against(path, value, &above) {
                        *value = above;
                        below.node.origin = entry.node.origin;
                        below.key = entry.key;
                    }
                }
            },
        }
        path.pop();
    }
}

/// Whether what a lower layer says stays, because the upper one would only loosen it.
fn holds_against(path: &[String], below: &Value, above: &Value) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (path.as_slice(), below, above) {
        (["read-only"], Value::Flag(true), Value::Flag(false)) => true,
        (["policy", _, "approve"], Value::Integer(below), Value::Integer(above)) => below >= above,
        (["policy", _, "verify"], Value::Flag(true), Value::Flag(false)) => true,
        (["policy", _, "override"], Value::Flag(false), Value::Flag(true)) => true,
        (["policy", _, "after"], Value::Text(_), Value::Text(_)) => true,
        _ => false,
    }
}
