//! The kinds of values that a template has and the configuration has not: times, sizes, commands, variables, references.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    delivery::{
        spec::{Deliver, ImageSource, SecretUse},
        template::{notation, quantity},
    },
    text::nearest,
    written::{Node, Origin, Reader, Said, Section, Value, choice, suggestion},
};

/// A time with its unit.
pub(super) fn duration(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<Duration>> {
    let entry = section.take(key)?;
    let (name, origin) = (section.full(key), entry.node.origin);
    let found = match entry.node.value {
        Value::Text(text) => match quantity::duration(&text) {
            Some(value) => return Some(Said { value, origin }),
            None => format!("{text:?}"),
        },
        Value::Integer(number) => format!("{number} has no unit"),
        other => format!("found {}", other.kind()),
    };
    reader.fault(&origin, format!("{name}: {found}: expected a time such as \"500ms\", \"10s\" or \"1m30s\""));
    None
}

/// A size with its unit, in bytes.
pub(super) fn size(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<u64>> {
    let entry = section.take(key)?;
    let (name, origin) = (section.full(key), entry.node.origin);
    let found = match entry.node.value {
        Value::Text(text) => match quantity::size(&text) {
            Some(value) => return Some(Said { value, origin }),
            None => format!("{text:?}"),
        },
        Value::Integer(number) => format!("{number} has no unit"),
        other => format!("found {}", other.kind()),
    };
    reader.fault(&origin, format!("{name}: {found}: expected a size such as \"64m\" or \"1.5g\""));
    None
}

/// A number above zero.
pub(super) fn decimal(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<f64>> {
    let entry = section.take(key)?;
    let (name, origin) = (section.full(key), entry.node.origin);
    let value = match entry.node.value {
        Value::Float(number) => number,
        Value::Integer(number) => number as f64,
        other => {
            reader.fault(&origin, format!("{name}: expected a number, found {}", other.kind()));
            return None;
        }
    };
    if !value.is_finite() || value <= 0.0 {
        reader.fault(&origin, format!("{name}: {value} is out of range: a number above 0"));
        return None;
    }
    Some(Said { value, origin })
}

/// A whole number within bounds.
pub(super) fn integer<T: TryFrom<i64>>(
    reader: &mut Reader<'_>,
    section: &mut Section,
    key: &'static str,
    least: i64,
    most: i64,
) -> Option<Said<T>> {
    let entry = section.take(key)?;
    let (name, origin) = (section.full(key), entry.node.origin);
    let Value::Integer(number) = entry.node.value else {
        reader.fault(&origin, format!("{name}: expected a whole number, found {}", entry.node.value.kind()));
        return None;
    };
    match T::try_from(number) {
        Ok(value) if (least..=most).contains(&number) => Some(Said { value, origin }),
        Ok(_) | Err(_) => {
            reader.fault(&origin, format!("{name}: {number} is out of range: {least} to {most}"));
            None
        }
    }
}

/// A port inside a container.
pub(super) fn port(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<u16>> {
    integer(reader, section, key, 1, 65_535)
}

/// A command: a list, because nothing here is split at blanks. Its first word is not empty.
pub(super) fn command(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<Vec<Arc<str>>>> {
    let entry = section.take(key)?;
    let (name, origin) = (section.full(key), entry.node.origin);
    let items = match entry.node.value {
        Value::List(items) => items,
        Value::Text(text) => {
            reader.fault(&origin, format!("{name}: expected a list, found a text: [\"/bin/sh\", \"-c\", {text:?}]"));
            return None;
        }
        other => {
            reader.fault(&origin, format!("{name}: expected a list of texts, found {}", other.kind()));
            return None;
        }
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        match item.value {
            Value::Text(word) if word.contains('\0') => reader.fault(&item.origin, format!("{name}: a NUL character in it")),
            Value::Text(word) => words.push(Arc::from(word)),
            other => reader.fault(&item.origin, format!("{name}: expected a list of texts, found {} in it", other.kind())),
        }
    }
    if words.first().is_none_or(|word: &Arc<str>| word.trim().is_empty()) {
        reader.fault(&origin, format!("{name}: no program to run: its first text is missing or empty"));
        return None;
    }
    Some(Said { value: words, origin })
}

/// Variables; whole numbers and true or false are taken as the texts they are.
pub(super) fn vars(reader: &mut Reader<'_>, section: &mut Section) -> BTreeMap<Arc<str>, Arc<str>> {
    pairs(reader, section, "vars", true)
}

/// Arguments of a build, as [`vars`].
pub(super) fn args(reader: &mut Reader<'_>, section: &mut Section) -> BTreeMap<Arc<str>, Arc<str>> {
    pairs(reader, section, "args", false)
}

fn pairs(reader: &mut Reader<'_>, section: &mut Section, key: &'static str, at_run_time: bool) -> BTreeMap<Arc<str>, Arc<str>> {
    let Some((section, _)) = section.section(reader, key) else { return BTreeMap::new() };
    let title = section.name.clone();
    let mut pairs = BTreeMap::new();
    for (name, entry) in section.into_entries() {
        if !variable_ok(&name) {
            reader.fault(&entry.key, format!("{title}: {name:?} is no variable: no blank, no = and nothing invisible in it"));
        }
        if at_run_time && name.starts_with("QD_") {
            reader.fault(&entry.key, format!("{title}.{name}: QD_… is set by the deployment: choose another name"));
        }
        let value = match entry.node.value {
            Value::Text(text) if text.contains('\0') => {
                reader.fault(&entry.node.origin, format!("{title}.{name}: a NUL character in it"));
                continue;
            }
            Value::Text(text) => Arc::from(text),
            Value::Integer(number) => Arc::from(number.to_string()),
            Value::Flag(flag) => Arc::from(flag.to_string()),
            other => {
                reader.fault(&entry.node.origin, format!("{title}.{name}: expected a text, found {}: put it in quotes", other.kind()));
                continue;
            }
        };
        pairs.insert(Arc::from(name), value);
    }
    pairs
}

/// Whether an engine takes it as the name of a variable.
pub(in crate::delivery::template) fn variable_ok(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '=' || c.is_whitespace() || c.is_control())
}

/// The entries of a list.
pub(super) fn items(reader: &mut Reader<'_>, section: &mut Section, key: &'static str, of: &str) -> Option<Said<Vec<Node>>> {
    let entry = section.take(key)?;
    let origin = entry.node.origin;
    match entry.node.value {
        Value::List(value) => Some(Said { value, origin }),
        other => {
            reader.fault(&origin, format!("{}: expected a list of {of}, found {}", section.full(key), other.kind()));
            None
        }
    }
}

/// A list of names of which none stands twice.
pub(super) fn names(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<Vec<String>>> {
    let Said { value, origin } = items(reader, section, key, "names")?;
    let name = section.full(key);
    let mut names: Vec<String> = Vec::with_capacity(value.len());
    for item in value {
        match item.value {
            Value::Text(text) if text.trim().is_empty() => reader.fault(&item.origin, format!("{name}: a name of the list is empty")),
            Value::Text(text) if names.contains(&text) => reader.fault(&item.origin, format!("{name}: {text:?} stands there twice")),
            Value::Text(text) => names.push(text),
            other => reader.fault(&item.origin, format!("{name}: expected a list of names, found {} in it", other.kind())),
        }
    }
    Some(Said { value: names, origin })
}

/// `["A", { name = "B", deliver = "file" }]`.
pub(super) fn secrets(reader: &mut Reader<'_>, section: &mut Section) -> Option<Vec<SecretUse>> {
    let listed = items(reader, section, "secrets", "names")?;
    let title = section.full("secrets");
    let mut secrets: Vec<SecretUse> = Vec::with_capacity(listed.value.len());
    for Node { origin, value } in listed.value {
        let found = match value {
            Value::Text(name) => Some(SecretUse { name: Arc::from(name), deliver: Deliver::Variable }),
            Value::Table(table) => {
                let mut section = Section::new(title.clone(), table);
                let name = section.text(reader, "name");
                let deliver = section.text(reader, "deliver").and_then(|said| {
                    choice(reader, &format!("{title}.deliver"), &said, &[("variable", Deliver::Variable), ("file", Deliver::File)])
                });
                section.finish(reader);
                if name.is_none() {
                    reader.fault(&origin, format!("{title}: name is missing: {{ name = \"DB_PASSWORD\", deliver = \"file\" }}"));
                }
                name.map(|name| SecretUse { name: Arc::from(name.value), deliver: deliver.unwrap_or_default() })
            }
            other => {
                reader.fault(&origin, format!("{title}: expected a list of names, found {} in it", other.kind()));
                None
            }
        };
        let Some(found) = found else { continue };
        let as_file = found.deliver == Deliver::File && found.name.contains('/') || found.name.starts_with('.');
        match () {
            () if !variable_ok(&found.name) || as_file => {
                reader.fault(&origin, format!("{title}: {:?} is no name for a secret: letters, digits and _", found.name));
            }
            () if secrets.iter().any(|other| other.name == found.name) => {
                reader.fault(&origin, format!("{title}: {:?} stands there twice", found.name));
            }
            () => secrets.push(found),
        }
    }
    Some(secrets)
}

/// One of our images, or one of a registry, which is told by its tag.
pub(super) fn image(reader: &mut Reader<'_>, name: &str, said: &Said<String>, built: &[String]) -> Option<ImageSource> {
    let text = said.value.as_str();
    if built.iter().any(|image| image == text) {
        return Some(ImageSource::Built(Arc::from(text)));
    }
    if text.contains([':', '@', '/']) {
        if notation::is_reference(text) {
            return Some(ImageSource::Outside(Arc::from(text)));
        }
        reader.fault(&said.origin, format!("{name}: {text:?} is no image's name: its path is in lower case"));
        return None;
    }
    let hint = match nearest(text, built.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("an image of a registry is written with its tag, \"{text}:1.0\""),
    };
    reader.fault(&said.origin, format!("{name}: there is no [images.{text}]: {hint}"));
    None
}

/// A file or directory of the repository: relative, and never outside of it.
pub(super) fn inside(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Said<String>> {
    let said = section.text(reader, key)?;
    let name = section.full(key);
    inside_ok(reader, &name, &said.origin, &said.value).then_some(said)
}

pub(super) fn inside_ok(reader: &mut Reader<'_>, name: &str, origin: &Origin, path: &str) -> bool {
    let outside = path.starts_with(['/', '~']) || path.contains('\0') || path.split('/').any(|part| part == "..");
    if outside {
        reader.fault(origin, format!("{name}: {path:?} leaves the repository: a path below the template's directory"));
    }
    !outside
}

/// The error of a name that is none of the known ones.
pub(in crate::delivery::template) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("there is no {what} {name:?}: there is none at all");
    }
    format!("there is no {what} {name:?}{}", suggestion(name, known))
}
