//! Reading one table strictly: every key is taken by its type, and what is left over is a fault with the nearest
//! known name. Faults are collected, never thrown, so that one run shows all of them.

use std::path::{Path, PathBuf};

use super::{
    fault::{Fault, one_of, suggestion},
    origin::Origin,
    tree::{Entry, Node, Table, Value},
};

/// What reading needs besides the tables.
pub(crate) struct Reader<'a> {
    /// For `~`.
    pub home: Option<&'a Path>,
    pub faults: Vec<Fault>,
}

impl Reader<'_> {
    pub fn fault(&mut self, origin: &Origin, message: impl AsRef<str>) {
        self.faults.push(Fault::new(origin, message));
    }

    /// An absolute path: `~` is the home directory, a relative path starts at the directory of its file.
    pub fn path(&mut self, origin: &Origin, name: &str, text: &str) -> Option<PathBuf> {
        if text.is_empty() {
            self.fault(origin, format!("{name}: the path is empty"));
            return None;
        }
        if text == "~" || text.starts_with("~/") {
            let Some(home) = self.home else {
                self.fault(origin, format!("{name}: {text:?}: HOME is not set, so ~ means nothing: write the whole path"));
                return None;
            };
            return Some(home.join(text.trim_start_matches('~').trim_start_matches('/')));
        }
        if text.starts_with('~') {
            self.fault(origin, format!("{name}: {text:?}: only ~/… is known, not ~user: write the whole path"));
            return None;
        }
        let path = Path::new(text);
        if path.is_absolute() {
            return Some(path.to_owned());
        }
        match origin.file().and_then(|file| file.parent()) {
            Some(folder) => Some(folder.join(path)),
            None => {
                self.fault(origin, format!("{name}: {text:?} is relative: write the whole path"));
                None
            }
        }
    }
}

/// A value and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said<T> {
    pub value: T,
    pub origin: Origin,
}

/// A table being read; call [`Section::finish`] at the end.
pub(crate) struct Section {
    /// `hosts.app-03`, empty at the top.
    pub name: String,
    table: Table,
    asked: Vec<&'static str>,
}

impl Section {
    pub fn new(name: impl Into<String>, table: Table) -> Self {
        Self { name: name.into(), table, asked: Vec::new() }
    }

    /// The table of a node; anything else is a fault.
    pub fn of(reader: &mut Reader<'_>, name: String, node: Node) -> Option<Self> {
        match node.value {
            Value::Table(table) => Some(Self::new(name, table)),
            other => {
                reader.fault(&node.origin, format!("{name}: expected a table, found {}", other.kind()));
                None
            }
        }
    }

    pub fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    pub fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.asked.push(key);
        self.table.shift_remove(key)
    }

    /// Whether a key stands in the file and nobody asked for it yet.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Keys that nobody asked for yet, to look at before [`Section::finish`] reports them.
    pub fn rest(&mut self) -> &mut Table {
        &mut self.table
    }

    fn typed<T>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<Said<T>> {
        let entry = self.take(key)?;
        match read(&entry.node.value) {
            Some(value) => Some(Said { value, origin: entry.node.origin }),
            None => {
                let message = format!("{}: expected {expected}, found {}", self.full(key), entry.node.value.kind());
                reader.fault(&entry.node.origin, message);
                None
            }
        }
    }

    pub fn text(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Said<String>> {
        let said = self.typed(reader, key, "a text", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })?;
        if said.value.trim().is_empty() {
            reader.fault(&said.origin, format!("{}: is empty", self.full(key)));
            return None;
        }
        Some(said)
    }

    pub fn flag(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Said<bool>> {
        self.typed(reader, key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A whole number of at least `least`.
    pub fn number(&mut self, reader: &mut Reader<'_>, key: &'static str, least: u32) -> Option<Said<u32>> {
        let said = self.typed(reader, key, "a whole number", |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })?;
        match u32::try_from(said.value) {
            Ok(number) if number >= least => Some(Said { value: number, origin: said.origin }),
            _ => {
                let message = format!("{}: {} is out of range: at least {least}", self.full(key), said.value);
                reader.fault(&said.origin, message);
                None
            }
        }
    }

    pub fn texts(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Said<Vec<String>>> {
        let entry = self.take(key)?;
        let name = self.full(key);
        let Value::List(items) = entry.node.value else {
            reader.fault(&entry.node.origin, format!("{name}: expected a list of texts, found {}", entry.node.value.kind()));
            return None;
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            match item.value {
                Value::Text(text) if !text.trim().is_empty() => out.push(text),
                Value::Text(_) => reader.fault(&item.origin, format!("{name}: a text of the list is empty")),
                other => reader.fault(&item.origin, format!("{name}: expected a list of texts, found {} in it", other.kind())),
            }
        }
        Some(Said { value: out, origin: entry.node.origin })
    }

    /// An absolute path, see [`Reader::path`].
    pub fn path(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Said<PathBuf>> {
        let said = self.text(reader, key)?;
        let value = reader.path(&said.origin, &self.full(key), &said.value)?;
        Some(Said { value, origin: said.origin })
    }

    pub fn section(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<(Self, Origin)> {
        let entry = self.take(key)?;
        let section = Self::of(reader, self.full(key), entry.node)?;
        Some((section, entry.key))
    }

    /// The named tables of `[key.*]`, each with where its name stands.
    pub fn named(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<(String, Origin, Section)> {
        let Some((section, _)) = self.section(reader, key) else { return Vec::new() };
        section.into_named(reader)
    }

    /// All entries as named tables.
    pub fn into_named(self, reader: &mut Reader<'_>) -> Vec<(String, Origin, Section)> {
        let prefix = self.name.clone();
        let mut out = Vec::with_capacity(self.table.len());
        for (name, entry) in self.table {
            if let Some(section) = Section::of(reader, format!("{prefix}.{name}"), entry.node) {
                out.push((name, entry.key, section));
            }
        }
        out
    }

    /// All entries as they are.
    pub fn into_entries(self) -> Table {
        self.table
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, reader: &mut Reader<'_>) {
        for (key, entry) in &self.table {
            let place = if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) };
            reader.fault(&entry.key, format!("{place}unknown key {key:?}{}", suggestion(key, &self.asked)));
        }
    }
}

/// One of a few words; anything else is a fault with the nearest.
pub(crate) fn choice<T: Copy>(reader: &mut Reader<'_>, name: &str, said: &Said<String>, known: &[(&str, T)]) -> Option<T> {
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == said.value) {
        return Some(*value);
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let hint = match crate::text::nearest(&said.value, words.iter().copied()) {
        Some(near) => format!(" (did you mean {near:?}?)"),
        None => String::new(),
    };
    reader.fault(&said.origin, format!("{name}: {:?}{hint}: expected {}", said.value, one_of(&words)));
    None
}
