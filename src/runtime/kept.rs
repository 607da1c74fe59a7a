//! What a person chose in the console and finds again the next time: `console.toml` in the state directory. Never a reason not to start:
//! a file that cannot be used is left alone and said.

use std::{io::Write as _, path::Path};

use serde::{Deserialize, Serialize};

/// Its file in the state directory.
const FILE: &str = "console.toml";
/// Larger than any that was written here.
const LARGEST: u64 = 64 << 10;

/// The choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Kept {
    /// The theme picked, and the configured one it was picked over.
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<KeptTheme>,
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<KeptTable>,
    /// What the configuration says today.
    #[serde(skip)]
    configured: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTheme {
    name: String,
    over: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTable {
    columns: Vec<String>,
}

impl Kept {
    /// Reads the choices of the state directory; what is wrong with the file is one line for the foot. `configured`: the theme that the
    /// configuration names.
    pub fn load(dir: &Path, configured: &str) -> (Self, Option<String>) {
        let path = dir.join(FILE);
        let fresh = Self { configured: configured.to_owned(), ..Self::default() };
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (fresh, None),
            Ok(meta) if meta.is_file() && meta.len() <= LARGEST => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
            Ok(_) => Err("it is no small file".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let read = text.and_then(|text| toml::from_str::<Self>(&text).map_err(|error| error.message().to_owned()));
        match read {
            Ok(kept) => (Self { configured: configured.to_owned(), ..kept }, None),
            Err(why) => (fresh, Some(crate::text::clean_line(&format!("{} is not used: {why}", path.display())))),
        }
    }

    /// The theme to start with: the one picked, unless the configuration names another one than it was picked over.
    pub fn theme(&self) -> &str {
        self.theme.as_ref().filter(|theme| theme.over == self.configured).map_or(&self.configured, |theme| &theme.name)
    }

    /// The columns of the containers' table by their headings; empty: as nobody chose.
    pub fn columns(&self) -> Vec<&str> {
        self.containers.iter().flat_map(|table| &table.columns).map(String::as_str).collect()
    }

    /// This theme was picked.
    pub fn choose_theme(&mut self, name: String) {
        let over = self.configured.clone();
        self.theme = (name != over).then_some(KeptTheme { name, over });
    }

    /// These columns were chosen.
    pub fn choose_columns(&mut self, columns: &[&str]) {
        self.containers = Some(KeptTable { columns: columns.iter().map(|title| (*title).to_owned()).collect() });
    }

    /// Writes the choices: whole or not at all, whoever else writes them at the same time.
    ///
    /// # Errors
    /// What the operating system says, with the file's path.
    pub fn save(&self, dir: &Path) -> Result<(), String> {
        let path = dir.join(FILE);
        let say = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = toml::to_string(self).map_err(|error| say(&error))?;
        std::fs::create_dir_all(dir).map_err(|error| say(&error))?;
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(|error| say(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| say(&error))?;
        file.persist(&path).map(drop).map_err(|error| say(&error.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let (mut kept, note) = Kept::load(&state, "harbor");
        assert_eq!((kept.theme(), kept.columns().len(), note), ("harbor", 0, None));
        kept.choose_theme("night".to_owned());
        kept.choose_columns(&["ID", "NAME"]);
        kept.save(&state).unwrap();
        let (again, note) = Kept::load(&state, "harbor");
        assert_eq!((again.theme(), again.columns(), note), ("night", vec!["ID", "NAME"], None));
        assert_eq!(Kept::load(&state, "mono").0.theme(), "mono", "the configuration was changed since");
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1, "nothing is left beside it");
        kept.choose_theme("harbor".to_owned());
        kept.save(&state).unwrap();
        assert_eq!(Kept::load(&state, "harbor").0.theme(), "harbor");
    }

    #[test]
    fn a_broken_file_is_said_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["theme = 3", "[containers]\ncolumns = \"HOST\"", "what = 1", "\u{1b}[2J"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let (kept, note) = Kept::load(dir.path(), "harbor");
            assert_eq!((kept.theme(), kept.columns().len()), ("harbor", 0), "{text:?}");
            let note = note.unwrap();
            assert!(note.contains("console.toml is not used: ") && !note.contains('\u{1b}'), "{note}");
            assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), text);
        }
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        std::fs::create_dir(dir.path().join(FILE)).unwrap();
        assert!(Kept::load(dir.path(), "harbor").1.is_some());
        assert!(Kept::default().save(dir.path()).is_err());
    }
}
