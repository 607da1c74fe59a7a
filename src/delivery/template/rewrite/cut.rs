//! Where in a text something is put or taken away, so that no other line changes.

use std::ops::Range;

use toml_edit::{InlineTable, Item, Key, Table, Value};

use super::start;

/// A range of bytes, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub at: Range<usize>,
    pub put: String,
}

impl Cut {
    fn insert(at: usize, put: String) -> Self {
        Self { at: at..at, put }
    }

    /// The text with it; `None`: the range is not of this text.
    pub fn apply(&self, text: &str) -> Option<String> {
        Some([text.get(..self.at.start)?, &self.put, text.get(self.at.end..)?].concat())
    }
}

/// One more entry of a table.
pub(super) fn entry(text: &str, table: &Item, key: &str, value: &str) -> Option<Cut> {
    let line = format!("{key} = {value}");
    match table {
        Item::Value(Value::InlineTable(inline)) if !inline.is_dotted() => {
            let span = inline.span()?;
            let first = inline.iter().filter_map(|(name, _)| start(inline.key(name)?)).min();
            let Some((first, end)) = first.zip(inner_end(inline)) else {
                let inside = span.start + 1..span.end.checked_sub(1)?;
                return Some(match text[inside.clone()].trim_matches([' ', '\t']).is_empty() {
                    true => Cut { at: inside, put: format!(" {line} ") },
                    // Comments between the braces stay.
                    false => Cut::insert(inside.start, format!(" {line}")),
                });
            };
            // Over several lines each entry has its own, and the first place is the only one that needs no comma of another line.
            let indent = &text[line_start(text, first)..first];
            if text[span].contains('\n') && indent.trim().is_empty() {
                return Some(Cut::insert(first, format!("{line},{}{indent}", line_end(text, first))));
            }
            Some(Cut::insert(end, format!(", {line}")))
        }
        Item::Value(Value::InlineTable(inline)) => {
            let (name, _) = inline.iter().last()?;
            let key = start(inline.key(name)?)?;
            let prefix = text[path_start(text, key)..key].trim_start();
            Some(Cut::insert(inner_end(inline)?, format!(", {prefix}{line}")))
        }
        Item::Table(table) => {
            let last = own(table).max_by_key(|(_, end)| *end);
            let Some((key, end)) = last else {
                let heading = table.span().filter(|_| !table.is_dotted() && !table.is_implicit())?;
                let indent = &text[line_start(text, heading.start)..heading.start];
                return Some(below(text, heading.end, &format!("{indent}{line}")));
            };
            let prefix = &text[line_start(text, key)..key];
            Some(below(text, end, &format!("{prefix}{line}")))
        }
        Item::None | Item::Value(_) | Item::ArrayOfTables(_) => None,
    }
}

/// A heading with one line, behind everything that stands below `above`.
pub(super) fn section(text: &str, above: &Item, heading: &str, line: &str) -> Option<Cut> {
    let end = end(above)?;
    let eol = line_end(text, end);
    Some(below(text, end, &format!("[{heading}]{eol}{line}")))
}

/// An entry taken away, with its comma or its line.
pub(super) fn away(text: &str, table: &Item, key: &Key, item: &Item) -> Option<Cut> {
    let (key, end) = (start(key)?, item.span()?.end);
    let line = line_start(text, key);
    let gone = |at| Some(Cut { at, put: String::new() });
    let whole_line = line..text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    if matches!(table, Item::Table(_)) {
        return gone(whole_line);
    }
    let first = path_start(text, key);
    let rest = &text[end..whole_line.end];
    let behind = rest.trim_start_matches([' ', '\t']);
    let comma = behind.starts_with(',').then(|| end + rest.len() - behind.len() + 1);
    let after = behind.trim_start_matches(',').trim_start();
    if text[line..first].trim().is_empty() && (after.is_empty() || after.starts_with('#')) {
        return gone(whole_line);
    }
    let before = text[..first].trim_end_matches([' ', '\t']);
    match comma {
        Some(comma) => {
            let blanks = text[comma..].len() - text[comma..].trim_start_matches([' ', '\t']).len();
            gone(first..comma + blanks)
        }
        None if before.ends_with(',') => gone(before.len() - 1..end),
        // The only one: nothing is left between the braces.
        None => {
            let blanks = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
            gone(before.len()..end + blanks)
        }
    }
}

/// A new line behind the one that this place is in.
fn below(text: &str, at: usize, line: &str) -> Cut {
    let eol = line_end(text, at);
    match text[at..].find('\n') {
        Some(end) => Cut::insert(at + end + 1, format!("{line}{eol}")),
        None => Cut::insert(text.len(), format!("{eol}{line}")),
    }
}

/// The entries that stand in a table's own lines: where the key of the table begins, and where its value ends. What has a heading of its
/// own is not among them.
fn own(table: &Table) -> impl Iterator<Item = (usize, usize)> {
    table.iter().filter_map(|(name, item)| Some((start(table.key(name)?)?, own_end(item)?)))
}

fn own_end(item: &Item) -> Option<usize> {
    match item {
        Item::Value(value) => value_end(value),
        Item::Table(table) if table.is_dotted() => table.iter().filter_map(|(_, item)| own_end(item)).max(),
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => None,
    }
}

/// Where the last thing of an item ends, headings and all that is below included.
fn end(item: &Item) -> Option<usize> {
    let heading = |table: &Table| table.span().filter(|_| !table.is_dotted() && !table.is_implicit()).map(|span| span.end);
    let whole = |table: &Table| heading(table).max(table.iter().filter_map(|(_, item)| end(item)).max());
    match item {
        Item::None => None,
        Item::Value(value) => value_end(value),
        Item::Table(table) => whole(table),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(whole).max(),
    }
}

/// The braces of a table that dotted keys made are somebody else's.
fn value_end(value: &Value) -> Option<usize> {
    match value {
        Value::InlineTable(inline) if inline.is_dotted() => inner_end(inline),
        other => other.span().map(|span| span.end),
    }
}

fn inner_end(inline: &InlineTable) -> Option<usize> {
    inline.iter().filter_map(|(_, value)| value_end(value)).max()
}

/// Where the line of this place begins.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |before| before + 1)
}

/// How the line of this place ends; the last one as the first.
fn line_end(text: &str, at: usize) -> &'static str {
    let end = text[at..].find('\n').map(|end| at + end).or_else(|| text.find('\n'));
    match end {
        Some(end) if text[..end].ends_with('\r') => "\r\n",
        Some(_) | None => "\n",
    }
}

/// Where `a.b.key` begins within braces, when `key` begins at `at`.
fn path_start(text: &str, at: usize) -> usize {
    let begin = text[..at].rfind(['{', ',', '\n']).map_or(0, |before| before + 1);
    begin + (text[begin..at].len() - text[begin..at].trim_start().len())
}
