//! The version of a build: `<app version>-<commits>-<sha>`, `-dirty.<diff>` for a tree with changes, `-bN` for another build of the same commit. Pure.
//!
//! The app's own part is a literal of the template or stands in a file of the repository; either way it must fit into an image tag.

use std::fmt;

use thiserror::Error;

use crate::text::{clean_line, nearest};

/// The longest tag that a registry takes (distribution's reference grammar).
const TAG_LIMIT: usize = 128;
/// Room for what follows the app's own version: count, SHA, diff, number of the build.
const REST: usize = 48;
/// So much of a commit's name stands in a version.
const SHA_DIGITS: usize = 7;
/// More digits than these behind `-b` are a commit's.
const BUILD_DIGITS: usize = 3;

/// Why there is no version. Each sentence names the file or key, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VersionError {
    /// Neither JSON nor TOML.
    #[error("{file}: the version is read from .json and .toml files only: write version = \"1.0\" in the template, or name another file")]
    Format {
        /// The file.
        file: String,
    },
    /// The file does not parse.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// The path leads nowhere.
    #[error("{file}: there is no {key}{hint}")]
    Missing {
        /// The file.
        file: String,
        /// The part of the path up to what is missing.
        key: String,
        /// ` (did you mean "version"?)` or nothing.
        hint: String,
    },
    /// The path leads to something else than a text.
    #[error("{file}: {key} is no text: write it as \"1.0\"")]
    NoText {
        /// The file.
        file: String,
        /// The path.
        key: String,
    },
    /// The path itself cannot be read.
    #[error("{key:?} is no path of keys: a.b.c, with quotes around a key that has a dot")]
    Path {
        /// As written.
        key: String,
    },
    /// It cannot be a part of an image tag.
    #[error("the version {text:?} does not fit into an image tag: {reason}")]
    Unfit {
        /// As found.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What a build is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildVersion {
    /// The app's own part.
    pub app: String,
    /// Commits up to this one.
    pub count: u64,
    /// The commit, all of its digits.
    pub sha: String,
    /// Eight digits of what was changed since the commit.
    pub dirty: Option<String>,
    /// Which build of this commit: 1 is the first and not told.
    pub build: u32,
}

impl fmt::Display for BuildVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sha = self.sha.get(..SHA_DIGITS).unwrap_or(&self.sha);
        write!(f, "{}-{}-{sha}", self.app, self.count)?;
        if let Some(diff) = &self.dirty {
            write!(f, "-dirty.{diff}")?;
        }
        if self.build > 1 {
            write!(f, "-b{}", self.build)?;
        }
        Ok(())
    }
}

/// The version of a commit's first build: without the `-b2` of another one.
pub fn first_build(version: &str) -> &str {
    let is_number = |digits: &str| (1..=BUILD_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    version.rsplit_once("-b").filter(|(_, digits)| is_number(digits)).map_or(version, |(first, _)| first)
}

/// Whether a version is of a tree with changes that nobody has committed.
pub fn is_dirty(version: &str) -> bool {
    version.split('-').any(|part| part.starts_with("dirty."))
}

/// The digits of the commit that a version tells; `None` for one that was not made from a commit.
pub fn commit(version: &str) -> Option<&str> {
    let clean = first_build(version);
    let clean = clean.rsplit_once("-dirty.").map_or(clean, |(clean, _)| clean);
    let (before, sha) = clean.rsplit_once('-')?;
    let (_, count) = before.rsplit_once('-')?;
    let is_sha = sha.len() == SHA_DIGITS && sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_sha && !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())).then_some(sha)
}

/// That an app's own version can be the beginning of an image tag.
///
/// # Errors
/// [`VersionError::Unfit`].
pub fn check(text: &str) -> Result<(), VersionError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = match () {
        () if text.is_empty() => "it is empty",
        () if text.contains('+') => "a tag has no +: leave the build metadata out",
        () if !text.chars().all(allowed) => "letters, digits, dots, dashes and _ only",
        () if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) => "it begins with a letter or a digit",
        () if text.split('-').any(str::is_empty) => "no two dashes together and none at the end",
        () if text.len() > TAG_LIMIT - REST => "it is too long",
        () => return Ok(()),
    };
    Err(VersionError::Unfit { text: clean_line(text), reason })
}

/// Reads an app's version out of a file's text. `key` is a path such as `package.version`; numbers are places in a list.
///
/// # Errors
/// Every [`VersionError`].
pub fn read(file: &str, text: &str, key: &str) -> Result<String, VersionError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let syntax = |reason: String| VersionError::Syntax { file: file.to_owned(), reason: clean_line(&reason) };
    let document: serde_json::Value = match file.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => serde_json::from_str(text).map_err(|error| syntax(error.to_string()))?,
        Some("toml") => {
            let table: toml::Table = text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
            serde_json::to_value(table).map_err(|error| syntax(error.to_string()))?
        }
        _ => return Err(VersionError::Format { file: file.to_owned() }),
    };
    let path = path(key)?;
    let mut place = &document;
    for (depth, part) in path.iter().enumerate() {
        let found = match place {
            serde_json::Value::Object(fields) => fields.get(part),
            serde_json::Value::Array(entries) => part.parse::<usize>().ok().and_then(|at| entries.get(at)),
            _ => None,
        };
        let Some(found) = found else {
            let known = place.as_object().map(|fields| fields.keys().map(String::as_str).collect::<Vec<_>>()).unwrap_or_default();
            let hint = nearest(part, known).map_or_else(String::new, |near| format!(" (did you mean {:?}?)", clean_line(near)));
            return Err(VersionError::Missing { file: file.to_owned(), key: path[..=depth].join("."), hint });
        };
        place = found;
    }
    let version = match place {
        serde_json::Value::String(text) => text.trim().to_owned(),
        // 1.10 as a number would have become 1.1 on the way here.
        serde_json::Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return Err(VersionError::NoText { file: file.to_owned(), key: path.join(".") }),
    };
    check(&version)?;
    Ok(version)
}

/// `a."b.c".0` → its parts.
fn path(key: &str) -> Result<Vec<String>, VersionError> {
    let wrong = || VersionError::Path { key: clean_line(key) };
    let mut parts = Vec::new();
    let mut rest = key;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(wrong)?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if part.is_empty() || part.contains('"') {
            return Err(wrong());
        }
        parts.push(part.to_owned());
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(parts),
            None => return Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_version_tells_of_its_commit() {
        for (version, first, sha, dirty) in [
            ("1.0.1-22-7e56158", "1.0.1-22-7e56158", Some("7e56158"), false),
            ("1.0.1-22-7e56158-b2", "1.0.1-22-7e56158", Some("7e56158"), false),
            ("1.0.1-22-7e56158-dirty.0a1b2c3d-b17", "1.0.1-22-7e56158-dirty.0a1b2c3d", Some("7e56158"), true),
            // A commit whose digits look like another build's number.
            ("1.0.1-22-b123456", "1.0.1-22-b123456", Some("b123456"), false),
            ("1.0.1-beta", "1.0.1-beta", None, false),
            ("1.0.1-x-7e56158", "1.0.1-x-7e56158", None, false),
            ("15.4", "15.4", None, false),
        ] {
            assert_eq!((first_build(version), commit(version), is_dirty(version)), (first, sha, dirty), "{version}");
        }
    }
    use crate::fleet::version::is_build_tag;

    #[test]
    fn versions_are_tags_that_are_known_again() {
        let version = |dirty: Option<&str>, build| BuildVersion {
            app: "1.0.1-rc.2".to_owned(),
            count: 22,
            sha: "7e56158aa0ffee00".to_owned(),
            dirty: dirty.map(str::to_owned),
            build,
        };
        for (version, text) in [
            (version(None, 1), "1.0.1-rc.2-22-7e56158"),
            (version(None, 2), "1.0.1-rc.2-22-7e56158-b2"),
            (version(Some("0a1b2c3d"), 1), "1.0.1-rc.2-22-7e56158-dirty.0a1b2c3d"),
            (version(Some("0a1b2c3d"), 3), "1.0.1-rc.2-22-7e56158-dirty.0a1b2c3d-b3"),
        ] {
            assert_eq!(version.to_string(), text);
            assert!(is_build_tag(text), "{text}");
        }
    }

    #[test]
    fn versions_out_of_files() {
        let package = r#"{"name":"shop","version":"2.3.0","a.b":[{"v":7},{"v":1.10}]}"#;
        let cargo = "[package]\nname = \"shop\"\nversion = \" 0.4.1 \"\n[workspace.package]\nversion = \"1.2\"\n";
        for (file, text, key, expected) in [
            ("package.json", package, "version", Ok("2.3.0")),
            ("package.json", &*format!("\u{feff}{package}"), "version", Ok("2.3.0")),
            ("package.json", package, "\"a.b\".0.v", Ok("7")),
            ("package.json", package, "\"a.b\".1.v", Err("package.json: a.b.1.v is no text: write it as \"1.0\"")),
            ("package.json", package, "\"a.b\".2.v", Err("package.json: there is no a.b.2")),
            ("package.json", package, "verison", Err("package.json: there is no verison (did you mean \"version\"?)")),
            ("package.json", "{", "version", Err("package.json: EOF")),
            ("Cargo.toml", cargo, "package.version", Ok("0.4.1")),
            ("Cargo.toml", cargo, "workspace.package.version", Ok("1.2")),
            ("Cargo.toml", cargo, "package", Err("Cargo.toml: package is no text")),
            ("Cargo.toml", cargo, "package..version", Err("\"package..version\" is no path of keys")),
            ("VERSION", "1.0", "x", Err("VERSION: the version is read from .json and .toml")),
        ] {
            match (read(file, text, key), expected) {
                (Ok(found), expected) => assert_eq!(Ok(found.as_str()), expected, "{key}"),
                (Err(error), Err(words)) => assert!(error.to_string().starts_with(words), "{error}"),
                (Err(error), Ok(_)) => panic!("{key}: {error}"),
            }
        }
    }

    #[test]
    fn what_fits_into_a_tag() {
        for text in ["1.0.1", "v2", "2026.11", "1.0-rc.1", "1_0"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, words) in [
            ("", "it is empty"),
            ("1.0+meta", "no +"),
            ("1.0 beta", "letters, digits"),
            (".5", "begins with"),
            ("1--0", "two dashes"),
            ("1.0-", "none at the end"),
            ("1.0/../x", "letters, digits"),
            (&"1".repeat(90), "too long"),
        ] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
