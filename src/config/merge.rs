//! The merge of two layers.
//!
//! Owns the rule (tables merge by key, everything else replaces) and its exceptions, which only ever tighten: `read-only = true` and
//! `[policy.*]`. It knows no key's meaning beyond these.

use crate::written::{Table, Value};

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
