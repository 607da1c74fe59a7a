//! Changes variables in the text of a template: only the bytes of what changes are written anew.
//!
//! The parser says where things stand, and a change is a cut at that place; comments, blanks, line ends and the order of everything else
//! stay because nobody touches them. Every result is read again: it must say exactly what was asked, or there is none. Pure.

mod cut;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use thiserror::Error;
use toml_edit::{Document, Item, Key, Table};

use super::{quote, variables::Place};
use cut::Cut;

/// A variable that is to be said anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub place: Place,
    /// Its name.
    pub name: Arc<str>,
    /// Its value; `None`: nobody says it there any more.
    pub value: Option<Arc<str>>,
}

/// Why a text is not changed. Each sentence says where, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RewriteError {
    /// It cannot be read.
    #[error("the template cannot be read: {0}")]
    Syntax(String),
    /// There is nothing to take away.
    #[error("{place} says nothing of {name}: it cannot be taken away there")]
    Absent {
        /// Where.
        place: Place,
        /// What.
        name: Arc<str>,
    },
    /// No cut does it alone.
    #[error("{place}: nothing fits in there without changing other lines: change the file by hand")]
    Layout {
        /// Where.
        place: Place,
    },
}

/// The text with these changes, one after the other.
///
/// # Errors
/// Every [`RewriteError`]; then nothing is changed.
pub fn rewrite(text: &str, edits: &[Edit]) -> Result<String, RewriteError> {
    let mut text = text.to_owned();
    for edit in edits {
        text = one(&text, edit)?;
    }
    Ok(text)
}

fn one(text: &str, edit: &Edit) -> Result<String, RewriteError> {
    let document = Document::parse(text).map_err(|error| RewriteError::Syntax(crate::text::clean_line(error.message())))?;
    let layout = || RewriteError::Layout { place: edit.place.clone() };
    let path = edit.place.path();
    let (found, rest) = deepest(document.as_item(), &path);
    let here = rest.is_empty().then(|| found.as_table_like()).flatten().and_then(|table| table.get_key_value(&edit.name));
    let (cut, literal) = match (here, &edit.value) {
        (Some((_, item)), Some(value)) => {
            let span = item.span().ok_or_else(layout)?;
            let literal = literal(text.get(span.clone()), value);
            (Some(Cut { at: span, put: literal.clone() }), Some(literal))
        }
        (Some((key, item)), None) => (cut::away(text, found, key, item), None),
        (None, None) => return Err(RewriteError::Absent { place: edit.place.clone(), name: edit.name.clone() }),
        (None, Some(value)) => {
            let literal = quote::text(value);
            (add(text, document.as_table(), (found, rest), &path, (&edit.name, &literal)), Some(literal))
        }
    };
    let changed = cut.and_then(|cut| cut.apply(text)).ok_or_else(layout)?;
    match is_exactly(text, &changed, &path, &edit.name, literal.as_deref()) {
        true => Ok(changed),
        false => Err(layout()),
    }
}

/// The last table of a path that there is, and what is left of the path below it.
fn deepest<'a, 'p>(root: &'a Item, path: &'p [&'p str]) -> (&'a Item, &'p [&'p str]) {
    let mut found = root;
    for (depth, key) in path.iter().enumerate() {
        match found.as_table_like().and_then(|table| table.get(key)).filter(|item| item.is_table_like()) {
            Some(item) => found = item,
            None => return (found, &path[depth..]),
        }
    }
    (found, &[])
}

/// Says what nobody says there yet.
fn add(text: &str, root: &Table, (found, rest): (&Item, &[&str]), path: &[&str], (name, literal): (&str, &str)) -> Option<Cut> {
    let name = quote::key(name);
    let vars = format!("{{ {name} = {literal} }}");
    match (found, rest) {
        (_, []) => cut::entry(text, found, &name, literal),
        // A table in braces takes another in braces.
        (Item::Value(_), [first, below @ ..]) => {
            let whole = below.iter().rev().fold(vars, |inner, key| format!("{{ {} = {inner} }}", quote::key(key)));
            cut::entry(text, found, &quote::key(first), &whole)
        }
        (Item::Table(table), [only]) if !table.is_implicit() => cut::entry(text, found, &quote::key(only), &vars),
        (Item::Table(table), _) if table.is_dotted() => {
            let key: Vec<String> = rest.iter().map(|key| quote::key(key)).collect();
            cut::entry(text, found, &key.join("."), &vars)
        }
        // A heading of its own, behind everything that the environment says.
        _ => {
            let environment = root.get(path[0])?.as_table_like()?.get(path[1])?;
            let heading: Vec<String> = path[..path.len() - 1].iter().map(|key| quote::key(key)).collect();
            cut::section(text, environment, &heading.join("."), &format!("{} = {vars}", quote::key(path[path.len() - 1])))
        }
    }
}

/// A value as TOML, in the manner of the one that it replaces.
fn literal(old: Option<&str>, value: &str) -> String {
    let old = old.unwrap_or_default();
    let is_plain = |text: &str| !text.contains('\'') && !text.chars().any(crate::text::acts);
    let is_whole = |text: &str| text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    let is_flag = |text: &str| matches!(text, "true" | "false");
    match () {
        () if old.starts_with('\'') && !old.starts_with("'''") && is_plain(value) => format!("'{value}'"),
        () if is_whole(old) && is_whole(value) || is_flag(old) && is_flag(value) => value.to_owned(),
        () => quote::text(value),
    }
}

/// Whether the new text says what the old one said, with this one change.
fn is_exactly(old: &str, new: &str, path: &[&str], name: &str, literal: Option<&str>) -> bool {
    let (Ok(mut old), Ok(mut new)) = (old.parse::<toml::Table>(), new.parse::<toml::Table>()) else { return false };
    match literal {
        Some(literal) => {
            let Ok(mut value) = format!("x = {literal}").parse::<toml::Table>() else { return false };
            let Some(value) = value.remove("x") else { return false };
            let mut table = &mut old;
            for key in path {
                let below = table.entry((*key).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                let Some(below) = below.as_table_mut() else { return false };
                table = below;
            }
            table.insert(name.to_owned(), value);
        }
        None => {
            take(&mut old, path, name);
            // A table that lost its last entry may be gone or empty: both say nothing.
            take(&mut new, path, name);
        }
    }
    old == new
}

/// Takes an entry out, and every table of the path that is empty then.
fn take(table: &mut toml::Table, path: &[&str], name: &str) {
    let Some((first, below)) = path.split_first() else {
        table.remove(name);
        return;
    };
    if let Some(toml::Value::Table(inner)) = table.get_mut(*first) {
        take(inner, below, name);
        if inner.is_empty() {
            table.remove(*first);
        }
    }
}

/// Where a key stands.
fn start(key: &Key) -> Option<usize> {
    key.span().map(|span| span.start)
}
