//! A named TOML file of the screen (a keymap or a theme): where it is found, and the place in it that an error names.
//!
//! Owns the search order (the person's directory before what is built in) and positions. It must not know what a
//! keymap or a theme holds.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use crate::text::clean_line;

/// A place in a data file: `file:line`, or the file alone when the whole of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path, or `NAME.toml (built in)`.
    pub file: String,
    /// From 1.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Where data files of one kind live: what is embedded in the program, and the person's own directory.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// The embedded ones: name and text.
    pub built_in: &'static [(&'static str, &'static str)],
    /// The person's `keymaps` or `themes` directory; `None`: only what is built in.
    pub dir: Option<&'a Path>,
}

/// One data file's text.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Its name, without `.toml`.
    pub name: String,
    /// How errors call it.
    pub shown: String,
    /// Whether it is embedded in the program.
    pub built_in: bool,
    /// Its text.
    pub text: String,
}

impl Shelf<'_> {
    /// Finds `name`: the person's file first, then the built-in one. `Ok(None)`: there is neither.
    ///
    /// # Errors
    /// The path and the reason, when the person's file is there but cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<DataFile>, (PathBuf, io::Error)> {
        // A name is a file's name, never a way out of the directory.
        if let Some(dir) = self.dir.filter(|_| !name.contains(['/', '\\']) && !name.starts_with('.')) {
            let path = dir.join(format!("{name}.toml"));
            match std::fs::read_to_string(&path) {
                Ok(text) => return Ok(Some(DataFile { name: name.to_owned(), shown: path.display().to_string(), built_in: false, text })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((path, error)),
            }
        }
        Ok(self.embedded(name))
    }

    /// The built-in file of that name, whatever the person's directory holds.
    pub fn embedded(&self, name: &str) -> Option<DataFile> {
        self.built_in.iter().find(|(known, _)| *known == name).map(|(known, text)| DataFile {
            name: (*known).to_owned(),
            shown: format!("{known}.toml (built in)"),
            built_in: true,
            text: (*text).to_owned(),
        })
    }

    /// What `inherits = parent` in `child` means: a file that inherits its own name extends the built-in one.
    ///
    /// # Errors
    /// As [`Shelf::find`].
    pub fn parent(&self, child: &DataFile, parent: &str) -> Result<Option<DataFile>, (PathBuf, io::Error)> {
        match child.name == parent {
            true if child.built_in => Ok(None),
            true => Ok(self.embedded(parent)),
            false => self.find(parent),
        }
    }

    /// Every known name, the person's own ones last, each once. A directory that cannot be read counts as empty:
    /// listing is for menus, and naming a file in it reports the reason.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.built_in.iter().map(|(name, _)| (*name).to_owned()).collect();
        let Some(entries) = self.dir.and_then(|dir| std::fs::read_dir(dir).ok()) else { return names };
        let mut own: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.strip_suffix(".toml")).map(str::to_owned))
            .filter(|name| !names.contains(name))
            .collect();
        own.sort();
        names.append(&mut own);
        names
    }
}

impl DataFile {
    /// The whole file as a place.
    pub fn place(&self) -> Place {
        Place { file: self.shown.clone(), line: None }
    }

    /// The place of a byte range of the text.
    pub fn at(&self, span: &Range<usize>) -> Place {
        let before = self.text.as_bytes().iter().take(span.start);
        Place { file: self.shown.clone(), line: Some(1 + before.filter(|byte| **byte == b'\n').count()) }
    }

    /// The text as a TOML table with positions.
    ///
    /// # Errors
    /// The place and the parser's reason in one line; a key written twice is named.
    pub fn parse(&self) -> Result<DeTable<'_>, (Place, String)> {
        DeTable::parse(&self.text).map(toml::Spanned::into_inner).map_err(|error| {
            let span = error.span();
            let place = span.as_ref().map_or_else(|| self.place(), |span| self.at(span));
            let word = span.and_then(|span| self.text.get(span)).unwrap_or_default();
            match error.message() {
                "duplicate key" => (place, format!("{} is written twice in this table", clean_line(word))),
                message => (place, clean_line(message)),
            }
        })
    }
}

/// The word for a TOML value's type, with its article.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
