//! What could be typed next: fields, and values that really occur.

use std::{collections::BTreeSet, ops::Range};

use super::{Field, parse::known_words, quoted};
use crate::fleet::model::Fleet;

/// How many completions are worth showing.
const LIMIT: usize = 50;

pub(super) fn term_at(text: &str, cursor: usize) -> Range<usize> {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let (mut start, mut quoted) = (0, false);
    for (at, c) in text[..cursor].char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = at + c.len_utf8(),
            _ => {}
        }
    }
    start..cursor
}

pub(super) fn completions(text: &str, cursor: usize, fleet: &Fleet) -> Vec<String> {
    let term = &text[term_at(text, cursor)];
    let (not, body) = match term.strip_prefix('!') {
        Some(body) => ("!", body),
        None => ("", term),
    };
    let Some((word, typed)) = body.split_once(':') else {
        let lower = body.to_lowercase();
        let fields = Field::ALL.iter().filter(|(name, _)| name.starts_with(&lower));
        return fields.map(|(name, _)| format!("{not}{name}:")).collect();
    };
    let Some(field) = Field::parse(word) else { return Vec::new() };
    let (before, open) = match typed.rfind(',') {
        Some(comma) => typed.split_at(comma + 1),
        None => ("", typed),
    };
    let wanted = open.trim_start_matches('"').to_lowercase();
    let found = values(field, &wanted, fleet);
    found.into_iter().map(|value| format!("{not}{}:{before}{}", field.word(), quoted(&value, false))).collect()
}

fn values(field: Field, wanted: &str, fleet: &Fleet) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut offer = |value: &str| {
        if found.len() < LIMIT && !found.contains(value) && value.to_lowercase().starts_with(wanted) {
            found.insert(value.to_owned());
        }
        found.len() < LIMIT
    };
    let mut rows = fleet.containers();
    // Each walk ends with the first value too many; whether it did does not matter.
    let _all_seen = match field {
        Field::Version => rows.all(|c| offer(&c.version.text)),
        Field::Name => rows.all(|c| offer(&c.name)),
        Field::Image => rows.all(|c| offer(&c.image.to_string())),
        Field::Id => rows.all(|c| offer(c.key.id.short())),
        Field::Environment => rows.all(|c| c.identity.environment.as_ref().is_none_or(|e| offer(e.as_str()))),
        Field::Label if wanted.contains('=') => rows.all(|c| c.labels.iter().all(|(key, value)| offer(&format!("{key}={value}")))),
        Field::Label => rows.all(|c| c.labels.keys().all(|key| offer(key))),
        Field::Host => fleet.hosts().all(|host| offer(host.spec.id.as_str())),
        Field::Tag => fleet.hosts().flat_map(|host| &host.spec.tags).all(|tag| offer(tag)),
        Field::App => fleet.services().filter_map(|key| key.app.as_ref()).all(|app| offer(app.as_str())),
        Field::Service => fleet.services().all(|key| offer(key.service.as_str())),
        Field::State | Field::Health => known_words(field).into_iter().all(offer),
    };
    found
}
