//! Every way in which a keymap or a theme can be wrong, as files: `tests/bad/KIND/NAME.toml` beside the error that it
//! must give, `NAME.err`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::{
    keymap::{self, Key},
    theme::{self, Capabilities, Depth, SymbolSet},
};

fn names(dir: &Path, extension: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let wanted = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    wanted.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn check(kind: &str, load: impl Fn(&str, &Path) -> Option<String>) {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bad").join(kind);
    let (files, errors) = (names(&dir, "toml"), names(&dir, "err"));
    assert!(!files.is_empty());
    assert_eq!(files, errors, "{kind}: each file needs its error beside it, and each error its file");
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|name| {
            let wanted = std::fs::read_to_string(dir.join(format!("{name}.err"))).unwrap();
            let found = load(name, &dir).unwrap_or_else(|| "(no error)".to_owned()).replace(&format!("{}/", dir.display()), "");
            (found != wanted.trim_end()).then(|| format!("{kind}/{name}\n  wanted {}\n  found  {found}", wanted.trim_end()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keymaps() {
    check("keymaps", |name, dir| keymap::load(name, Some(dir)).1.map(|error| error.to_string()));
}

#[test]
fn themes() {
    let can = Capabilities { depth: Depth::True, symbols: SymbolSet::Unicode };
    check("themes", |name, dir| theme::load(name, Some(dir), can).1.map(|error| error.to_string()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a person's file says, there is a keymap and a theme to start with.
    #[test]
    fn no_file_stops_the_console(
        text in "((inherits = \"(default|harbor|x)\"|\\[(global|roles|palette|symbols)\\]|\"?[a-z.-]{1,9}( g)?\"? = (\"[#a-z0-9.-]{0,9}\"|false|\\{\\}|7))\n){0,6}|\\PC{0,60}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.toml"), text).unwrap();
        let (keymap, error) = keymap::load("x", Some(dir.path()));
        prop_assert_eq!(error.is_some(), keymap.name() == "default");
        let (theme, error) = theme::load("x", Some(dir.path()), Capabilities { depth: Depth::True, symbols: SymbolSet::Unicode });
        prop_assert_eq!(error.is_some(), theme.name() == "harbor");
    }

    #[test]
    fn a_key_shown_is_a_key_that_can_be_written(text in "(ctrl-|alt-|shift-){0,2}([a-zA-Z0-9?/:;!-]|space|enter|f5|pgup)") {
        let key = Key::parse(&text).unwrap();
        let shown = key.to_string();
        let written = shown.find('^').map_or(shown.clone(), |at| format!("{}ctrl-{}", &shown[..at], &shown[at + 1..]));
        prop_assert_eq!(Key::parse(&written).unwrap(), key, "{} is shown as {}", text, shown);
    }
}
