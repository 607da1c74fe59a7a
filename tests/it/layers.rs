//! The directions of the architecture, held over the source text: who may name what.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules without clock, I/O, terminal and tasks.
const PURE: &[&str] = &[
    "src/text/",
    "src/fleet/",
    "src/logs/",
    "src/alerts/",
    "src/stats/",
    "src/action/",
    "src/act/",
    "src/build/dockerfile.rs",
    "src/build/ignore.rs",
    "src/build/key.rs",
    "src/build/progress.rs",
    "src/build/report.rs",
    "src/build/version.rs",
    "src/engine/docker/build_progress.rs",
    "src/engine/docker/build_trace.rs",
    "src/delivery/",
    "src/rights/",
    "src/written/",
    "src/delivery/spec.rs",
    "src/delivery/template/",
    "src/traffic/drift.rs",
    "src/traffic/slot.rs",
    "src/traffic/proof.rs",
    "src/traffic/haproxy/reply.rs",
    "src/traffic/haproxy/share.rs",
    "src/traffic/files/template.rs",
    "src/ui/widgets/",
    "src/ui/panels/",
    "src/ui/layers/",
    "src/ui/view.rs",
    "src/ui/panel.rs",
    "src/ui/filter.rs",
    "src/ui/frame.rs",
    "src/ui/copy.rs",
    "src/ui/screen.rs",
    "src/ui/keymap/",
    "src/ui/theme/",
];
/// The pure modules' own files that read a person's files.
const LOADERS: &[&str] = &["src/ui/keymap/load.rs", "src/ui/keymap/mod.rs", "src/ui/theme/load.rs", "src/ui/theme/mod.rs"];

const CLOCKS: &[&str] = &["Utc::now", "Local::now", "Instant::now", "SystemTime::now"];

struct Source {
    path: String,
    /// The code without comments and without its tests.
    code: String,
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|ext| ext == "rs") => found.push(path),
            false => {}
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    found.sort();
    let sources = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        Source { code: code_of(&text), path }
    });
    let is_test = |path: &str| {
        path.ends_with("/tests.rs")
            || path.ends_with("/sample.rs")
            || path.ends_with("/fixture.rs")
            || path.ends_with("/bad_files.rs")
            || path.contains("/tests/")
    };
    sources.filter(|source| !is_test(&source.path)).collect()
}

/// Everything before the file's own tests, without the comments.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.split(" // ").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether the code names a word, as a whole one.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_part);
        let after = code[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

/// Every `path: word` at which one of the files that `are_bound` picks names a forbidden word.
fn offences(are_bound: impl Fn(&str) -> bool, forbidden: &[&str]) -> Vec<String> {
    let bound: Vec<Source> = sources().into_iter().filter(|source| are_bound(&source.path)).collect();
    assert!(!bound.is_empty(), "the rule binds no file: was a module renamed?");
    let mut found = Vec::new();
    for source in bound {
        found.extend(forbidden.iter().filter(|word| names(&source.code, word)).map(|word| format!("{}: {word}", source.path)));
    }
    found
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

const NONE: [String; 0] = [];

#[test]
fn pure_modules_have_no_tasks_engine_terminal_or_clock() {
    let forbidden = [
        CLOCKS,
        &[
            "tokio",
            "bollard",
            "hyper",
            "crossterm::terminal",
            "crossterm::execute",
            "std::net",
            "std::process",
            "std::thread",
            "std::io",
            "io::stdout",
        ],
    ]
    .concat();
    assert_eq!(offences(|path| is_in(path, PURE), &forbidden), NONE);
}

#[test]
fn pure_modules_read_no_files_but_in_their_loaders() {
    assert_eq!(offences(|path| is_in(path, PURE) && !LOADERS.contains(&path), &["std::fs", "fs::read_to_string", "File::open"]), NONE);
}

#[test]
fn the_model_and_the_rights_know_no_screen() {
    assert_eq!(
        offences(
            |path| is_in(path, &["src/text/", "src/fleet/", "src/alerts/", "src/action/", "src/act/", "src/stock/", "src/rights/"]),
            &["ratatui", "crossterm", "crate::ui", "crate::engine", "crate::runtime"]
        ),
        NONE
    );
}

#[test]
fn screen_and_engine_do_not_know_each_other() {
    assert_eq!(offences(|path| is_in(path, &["src/ui/"]), &["crate::engine", "engine::docker", "crate::runtime"]), NONE);
    assert_eq!(offences(|path| is_in(path, &["src/engine/"]), &["crate::ui", "crate::runtime", "ratatui", "crossterm"]), NONE);
}

#[test]
fn builds_know_no_screen_no_verb_and_no_record() {
    assert_eq!(
        offences(
            |path| is_in(path, &["src/build/"]),
            &["crate::ui", "crate::runtime", "crate::cli", "crate::ledger", "ratatui", "crossterm"]
        ),
        NONE
    );
}

#[test]
fn only_one_place_names_bollard() {
    assert_eq!(offences(|path| !is_in(path, &["src/engine/docker/"]), &["bollard"]), NONE);
}

#[test]
fn only_the_binary_and_the_terminal_end_the_process() {
    assert_eq!(
        offences(|path| path != "src/main.rs" && !is_in(path, &["src/runtime/terminal/"]), &["process::exit", "process::abort"]),
        NONE
    );
}

#[test]
fn nothing_is_unsafe_and_nothing_is_left_to_do() {
    assert_eq!(offences(|_| true, &["unsafe", "TODO", "FIXME", "todo!", "unimplemented!", "dbg!"]), NONE);
}

#[test]
fn the_reader_of_sources_sees_what_it_should() {
    let code = code_of("//! tokio\nuse tokio::x; // bollard\nfn a() {}\n#[cfg(test)]\nmod tests {\nInstant::now()\n}\n");
    assert!(names(&code, "tokio") && !names(&code, "bollard") && !names(&code, "Instant::now"));
    assert!(!names("mytokio tokio_util", "tokio") && names("(tokio::spawn", "tokio"));
}
