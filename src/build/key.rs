//! What makes an image the one it is. Two builds with one key would be the same image, so the second is not built. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use sha2::{Digest as _, Sha256};

use super::ignore::Ignore;
use crate::{delivery::spec::Prepare, text::clean_line};

/// A SHA-256 over everything that goes into an image, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageKey(Arc<str>);

impl ImageKey {
    /// A key by its digits, as the records have it.
    pub fn known(digits: &str) -> Self {
        Self(digits.into())
    }

    /// All of its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get(..12).unwrap_or(&self.0))
    }
}

/// A file as a git tree has it: its object names its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeFile {
    /// From the repository's root.
    pub path: String,
    /// `100644`, `100755`, `120000` (a link), `160000` (a submodule).
    pub mode: String,
    /// The object.
    pub object: String,
}

/// Everything that goes into an image.
#[derive(Clone, Copy, Debug)]
pub struct Ingredients<'a> {
    /// `<registry>/<app>/<image>`: a digest is only of use where it was pushed.
    pub repository: &'a str,
    /// `linux/amd64`: of the engine that builds.
    pub platform: &'a str,
    /// What of the repository counts.
    pub files: &'a [&'a TreeFile],
    /// The Dockerfile's bytes.
    pub dockerfile: &'a [u8],
    /// The bytes of the ignore file.
    pub ignore: &'a [u8],
    /// Build arguments.
    pub args: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// What runs before.
    pub prepare: Option<&'a Prepare>,
    /// Images of others → their digests.
    pub bases: &'a BTreeMap<String, String>,
}

impl Ingredients<'_> {
    /// Their key. Each field is told with its length, so that no two different sets read the same.
    pub fn key(&self) -> ImageKey {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(b"quarterdeck image 1");
        field(self.repository.as_bytes());
        field(self.platform.as_bytes());
        let files: BTreeSet<&TreeFile> = self.files.iter().copied().collect();
        field(&(files.len() as u64).to_be_bytes());
        for file in files {
            [&file.path, &file.mode, &file.object].into_iter().for_each(|text| field(text.as_bytes()));
        }
        field(self.dockerfile);
        field(self.ignore);
        field(&(self.args.len() as u64).to_be_bytes());
        for (name, value) in self.args {
            field(name.as_bytes());
            field(value.as_bytes());
        }
        if let Some(prepare) = self.prepare {
            field(prepare.image.as_bytes());
            field(prepare.out.as_bytes());
            prepare.run.iter().for_each(|word| field(word.as_bytes()));
        }
        field(&(self.bases.len() as u64).to_be_bytes());
        for (image, digest) in self.bases {
            field(image.as_bytes());
            field(digest.as_bytes());
        }
        let digest = hash.finalize();
        ImageKey(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }
}

/// The files that globs from the repository's root select; those of the context that are sent, where there is no glob.
///
/// # Errors
/// The first glob that is none, with the reason.
pub fn select<'a>(files: &'a [TreeFile], globs: &[Arc<str>], context: &str, ignore: &Ignore) -> Result<Vec<&'a TreeFile>, String> {
    if globs.is_empty() {
        let sent = |file: &&TreeFile| below(&file.path, context).is_some_and(|path| !ignore.excludes(path));
        return Ok(files.iter().filter(sent).collect());
    }
    let globs = compile(globs)?;
    Ok(files.iter().filter(|file| globs.is_match(&file.path)).collect())
}

fn compile(globs: &[Arc<str>]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let text = glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/');
        let wrong = |error: globset::Error| format!("paths: {:?}: {}", clean_line(glob), clean_line(&error.kind().to_string()));
        // A directory's name alone stands for what is in it.
        for pattern in [text.to_owned(), format!("{text}/**")] {
            set.add(GlobBuilder::new(&pattern).literal_separator(true).build().map_err(wrong)?);
        }
    }
    set.build().map_err(|error| format!("paths: {}", clean_line(&error.to_string())))
}

/// A path from the context's directory; `None` when it is not in it.
pub fn below<'a>(path: &'a str, context: &str) -> Option<&'a str> {
    match context {
        "" => Some(path),
        context => path.strip_prefix(context)?.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, object: &str) -> TreeFile {
        TreeFile { path: path.to_owned(), mode: "100644".to_owned(), object: object.to_owned() }
    }

    fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    #[test]
    fn which_files_count() {
        let files: Vec<TreeFile> =
            ["Makefile", "web/index.html", "web/deep/a.css", "web/README.md", "webs/x", "shared/lib.c"].map(|path| file(path, "1")).into();
        let ignore = Ignore::parse("*.md").unwrap();
        for (globs, context, expected) in [
            (&[][..], "web", "web/index.html web/deep/a.css"),
            (&[], "", "Makefile web/index.html web/deep/a.css web/README.md webs/x shared/lib.c"),
            (&["web/**", "shared/**"], "web", "web/index.html web/deep/a.css web/README.md shared/lib.c"),
            (&["web"], "web", "web/index.html web/deep/a.css web/README.md"),
            (&["web/*.html", "./shared/"], "web", "web/index.html shared/lib.c"),
            (&["**/*.css"], "web", "web/deep/a.css"),
            (&["*"], "web", "Makefile web/index.html web/deep/a.css web/README.md webs/x shared/lib.c"),
        ] {
            let found = select(&files, &arcs(globs), context, &ignore).unwrap();
            assert_eq!(found.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(" "), expected, "{globs:?} {context}");
        }
        assert!(select(&files, &arcs(&["web/[a"]), "", &ignore).unwrap_err().starts_with("paths: \"web/[a\": "));
    }

    #[test]
    fn every_ingredient_counts_and_nothing_else() {
        let (a, b) = (file("a", "1"), file("b", "2"));
        let files = [&a, &b];
        let args = BTreeMap::from([(Arc::from("MODE"), Arc::from("release"))]);
        let bases = BTreeMap::from([("busybox".to_owned(), "sha256:1".to_owned())]);
        let prepare = Prepare { image: "maven:3".into(), run: arcs(&["mvn", "-q"]), out: "target".into() };
        let base = Ingredients {
            repository: "r/shop/web",
            platform: "linux/amd64",
            files: &files,
            dockerfile: b"FROM busybox",
            ignore: b"",
            args: &args,
            prepare: None,
            bases: &bases,
        };
        assert_eq!(base.key(), Ingredients { files: &[&b, &a], ..base }.key(), "the order of files does not count");
        let other = file("b", "3");
        let mode = TreeFile { mode: "100755".to_owned(), ..b.clone() };
        let (no_args, no_bases) = (BTreeMap::new(), BTreeMap::new());
        let changed = [
            Ingredients { repository: "r/shop/api", ..base },
            Ingredients { platform: "linux/arm64", ..base },
            Ingredients { files: &[&a], ..base },
            Ingredients { files: &[&a, &other], ..base },
            Ingredients { files: &[&a, &mode], ..base },
            Ingredients { dockerfile: b"FROM busybox\n", ..base },
            Ingredients { ignore: b"x", ..base },
            Ingredients { args: &no_args, ..base },
            Ingredients { prepare: Some(&prepare), ..base },
            Ingredients { bases: &no_bases, ..base },
        ];
        let keys: BTreeSet<ImageKey> = changed.iter().map(Ingredients::key).chain([base.key()]).collect();
        assert_eq!(keys.len(), changed.len() + 1);
        assert_eq!(base.key().as_str().len(), 64);
    }
}
