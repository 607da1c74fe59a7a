//! `.dockerignore`, as Docker's own client understands it. Pure.
//!
//! The rules are moby's patternmatcher's (https://github.com/moby/patternmatcher, v0.6) and are not gitignore's: patterns start at the
//! context's root, the last one that matches a file or a directory above it wins, `!` takes back, `**` is any number of directories.

use regex::Regex;
use thiserror::Error;

use crate::text::clean_line;

/// A line that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {pattern:?}: {reason}")]
pub struct IgnoreError {
    /// From 1.
    pub line: usize,
    /// As written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The patterns of one file, in order.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// `!`: takes back what was left out.
    back: bool,
    /// Without the `!`, cleaned.
    text: String,
    way: Way,
}

/// How a pattern is compared.
#[derive(Clone, Debug)]
enum Way {
    Exact,
    /// Everything that begins so: `dir/**`.
    Prefix(String),
    /// Everything that ends so: `**/name`.
    Suffix(String),
    Expression(Regex),
}

impl Ignore {
    /// Reads a file.
    ///
    /// # Errors
    /// The first line that Docker would refuse, too.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        for (line, raw) in (1..).zip(text.lines()) {
            // A comment begins in the first column; elsewhere # is a character.
            if raw.starts_with('#') || raw.trim().is_empty() {
                continue;
            }
            let fault = |reason| IgnoreError { line, pattern: clean_line(raw), reason };
            let (back, pattern) = match raw.trim().strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, raw.trim()),
            };
            if pattern.is_empty() {
                return Err(fault("nothing after the !"));
            }
            let cleaned = clean_path(pattern);
            let text = cleaned.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(&cleaned).to_owned();
            check(&text).map_err(fault)?;
            let way = compile(&text).map_err(fault)?;
            patterns.push(Pattern { back, text, way });
        }
        Ok(Self { patterns })
    }

    /// Whether a path (relative, with `/`) stays out of the context.
    pub fn excludes(&self, path: &str) -> bool {
        let mut out = false;
        for pattern in &self.patterns {
            // What it could say is said already.
            if pattern.back == out && (pattern.matches(path) || parents(path).any(|parent| pattern.matches(parent))) {
                out = !pattern.back;
            }
        }
        out
    }

    /// Whether nothing below an excluded directory can be taken back, so that it need not be entered.
    pub fn is_final(&self, dir: &str) -> bool {
        let below = format!("{dir}/");
        self.patterns.iter().filter(|pattern| pattern.back).all(|pattern| match &pattern.way {
            Way::Exact => !format!("{}/", pattern.text).starts_with(&below),
            Way::Prefix(prefix) => !(prefix.starts_with(&below) || below.starts_with(prefix)),
            Way::Suffix(_) | Way::Expression(_) => false,
        })
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match &self.way {
            Way::Exact => path == self.text,
            Way::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Way::Suffix(suffix) => path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path),
            Way::Expression(expression) => expression.is_match(path),
        }
    }
}

/// `a/b/c` → `a`, `a/b`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Go's `filepath.Clean` for `/`: no `.`, no `//`, `..` resolved, no slash at the end.
fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// What Go's `filepath.Match` calls a bad pattern.
fn check(pattern: &str) -> Result<(), &'static str> {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next().ok_or("a \\ with nothing after it")?),
            '[' => class(&mut chars)?,
            _ => {}
        }
    }
    Ok(())
}

/// A class after its `[`: at least one character or range, no empty range.
fn class(chars: &mut std::str::Chars<'_>) -> Result<(), &'static str> {
    const OPEN: &str = "a [ without its ]";
    if chars.as_str().starts_with('^') {
        chars.next();
    }
    let mut some = false;
    loop {
        if some && chars.as_str().starts_with(']') {
            chars.next();
            return Ok(());
        }
        let low = member(chars)?;
        if chars.as_str().starts_with('-') {
            chars.next();
            if member(chars)? < low {
                return Err("a range that ends before it begins");
            }
        }
        if chars.as_str().is_empty() {
            return Err(OPEN);
        }
        some = true;
    }
}

fn member(chars: &mut std::str::Chars<'_>) -> Result<char, &'static str> {
    match chars.next() {
        Some('\\') => chars.next().ok_or("a \\ with nothing after it"),
        None | Some('-' | ']') => Err("a [ ] that holds nothing"),
        Some(c) => Ok(c),
    }
}

/// A pattern as the cheapest comparison that means the same.
fn compile(pattern: &str) -> Result<Way, &'static str> {
    #[derive(PartialEq, Eq)]
    enum Kind {
        Exact,
        Prefix,
        Suffix,
        Expression,
    }
    let mut kind = Kind::Exact;
    let mut expression = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                // `**/` is `**`.
                chars.next_if_eq(&'/');
                match (chars.peek().is_none(), &kind) {
                    (true, Kind::Exact) => kind = Kind::Prefix,
                    (true, _) => {
                        expression.push_str(".*");
                        kind = Kind::Expression;
                    }
                    (false, _) => {
                        expression.push_str("(.*/)?");
                        kind = Kind::Expression;
                    }
                }
                if first {
                    kind = Kind::Suffix;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                kind = Kind::Expression;
            }
            '?' => {
                expression.push_str("[^/]");
                kind = Kind::Expression;
            }
            '\\' => {
                // `check` has seen that something follows.
                let next = chars.next().ok_or("a \\ with nothing after it")?;
                expression.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                kind = Kind::Expression;
            }
            '[' | ']' => {
                expression.push(c);
                kind = Kind::Expression;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                expression.push('\\');
                expression.push(c);
            }
            c => expression.push(c),
        }
        first = false;
    }
    match kind {
        Kind::Exact => Ok(Way::Exact),
        // Of `**` itself nothing is left: it ends everything.
        Kind::Prefix => Ok(Way::Prefix(pattern.trim_end_matches('/').trim_end_matches("**").to_owned())),
        Kind::Suffix => Ok(Way::Suffix(pattern.get(2..).unwrap_or_default().to_owned())),
        Kind::Expression => {
            expression.push('$');
            // As Go's, `.` does not match a line break there; no name that a pattern is meant for has one.
            Regex::new(&expression).map(Way::Expression).map_err(|_| "no pattern that can be matched")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Patterns in one line, apart by `,`; path; whether it stays out.
    const CASES: &[(&str, &str, bool)] = &[
        // moby's own table (patternmatcher_test.go, TestMatches).
        ("**", "file", true),
        ("**", "file/", true),
        ("**/", "file", true),
        ("**/", "file/", true),
        ("**", "/", true),
        ("**/", "/", true),
        ("**", "dir/file", true),
        ("**/", "dir/file", true),
        ("**", "dir/file/", true),
        ("**/", "dir/file/", true),
        ("**/**", "dir/file", true),
        ("**/**", "dir/file/", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir/file/", true),
        ("dir/**", "dir/dir2/file", true),
        ("dir/**", "dir/dir2/file/", true),
        ("**/dir", "dir", true),
        ("**/dir", "dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/*", "dir/dir2/file/", true),
        ("**/dir2/**", "dir/dir2/dir3/file", true),
        ("**/dir2/**", "dir/dir2/dir3/file/", true),
        ("**file", "file", true),
        ("**file", "dir/file", true),
        ("**/file", "dir/file", true),
        ("**file", "dir/dir/file", true),
        ("**/file", "dir/dir/file", true),
        ("**/file*", "dir/dir/file", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/file*.txt", "dir/dir/file.txt", true),
        ("**/file*.txt*", "dir/dir/file.txt", true),
        ("**/**/*.txt", "dir/dir/file.txt", true),
        ("**/**/*.txt2", "dir/dir/file.txt", false),
        ("**/*.txt", "file.txt", true),
        ("**/**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt", "a/file.txt", true),
        ("a/*.txt**", "a/file.txt", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[b-d]e", "aae", false),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abc.def", true),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("abc?def", "abcdef", false),
        ("a\\\\", "a\\", true),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/foo/bar", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("abc/**", "abc", false),
        ("abc/**", "abc/def", true),
        ("abc/**", "abc/def/ghi", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("a(b)c/def", "a(b)c/def", true),
        ("a(b)c/def", "a(b)c/xyz", false),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        ("dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true),
        ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true),
        // Order, and taking back.
        ("docs,!docs/README.md", "docs/README.md", false),
        ("!docs/README.md,docs", "docs/README.md", true),
        ("docs,!docs/README.md", "docs/README.bak", true),
        ("docs/,!docs/README.md", "docs/README.md", false),
        ("*.md,!README*.md,README-secret.md", "README-secret.md", true),
        ("*.md,!README*.md,README-secret.md", "README-other.md", false),
        ("logs,!logs/keep.log", "logs/keep.log", false),
        ("logs,!logs/keep.log", "logs/other.log", true),
        ("logs,!**/keep.log", "logs/deep/keep.log", false),
        ("util/docker/web,!util/docker/web/foo", "util/docker/web/foo", false),
        ("*,!src/**,src/secret", "src/main.c", false),
        ("*,!src/**,src/secret", "src/secret/key", true),
        // The documentation's examples: https://docs.docker.com/build/concepts/context/#dockerignore-files
        ("*/temp*", "somedir/temporary.txt", true),
        ("*/temp*", "somedir/temp/below", true),
        ("*/temp*", "somedir/subdir/temporary.txt", false),
        ("*/*/temp*", "somedir/subdir/temporary.txt", true),
        ("temp?", "tempa", true),
        ("temp?", "temp", false),
        ("**/*.go", "a/b/c.go", true),
        // Anchored at the root, unlike gitignore's.
        ("*.md", "docs/a.md", false),
        ("node_modules", "web/node_modules/x", false),
        (".env", "sub/.env", false),
        ("**/.env", "sub/.env", true),
        // Slashes, dots, spaces, comments, the mark at the beginning.
        ("/foo", "foo", true),
        ("foo/", "foo/bar", true),
        ("./foo", "foo", true),
        ("a/../foo", "foo", true),
        ("//foo//bar/", "foo/bar/x", true),
        ("  foo  ", "foo", true),
        ("! foo", "foo", false),
        ("foo,! foo", "foo", false),
        ("#foo", "#foo", false),
        ("\\#foo", "#foo", true),
        (" #foo", "#foo", true),
        ("\u{feff}foo", "foo", true),
        ("", "foo", false),
        (".", "foo", false),
    ];

    #[test]
    fn the_same_files_as_docker() {
        for (patterns, path, expected) in CASES {
            let ignore = Ignore::parse(&patterns.replace(',', "\n")).unwrap_or_else(|error| panic!("{patterns}: {error}"));
            assert_eq!(ignore.excludes(path), *expected, "{patterns} on {path}");
        }
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        for (text, line, reason) in [
            ("!", 1, "nothing after the !"),
            ("ok\n  ! ", 2, "nothing after the !"),
            ("a\\", 1, "with nothing after it"),
            ("[", 1, "holds nothing"),
            ("[]a]", 1, "holds nothing"),
            ("[a", 1, "without its ]"),
            ("[-x]", 1, "holds nothing"),
            ("[z-a]", 1, "ends before"),
        ] {
            let error = Ignore::parse(text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_excluded_directory_is_entered_only_for_what_is_taken_back() {
        for (patterns, dir, expected) in [
            ("node_modules", "node_modules", true),
            ("logs,!logs/keep.log", "logs", false),
            ("logs,!logs/a/keep.log", "logs/a", false),
            ("logs,!logs/a/keep.log", "logs/b", true),
            ("logs,!src", "logs", true),
            ("logs,!**/keep", "logs", false),
            ("logs,!logs/**", "logs", false),
            ("logs,!src/**", "logs", true),
            ("*,!src/**", "src/deep", false),
        ] {
            assert_eq!(Ignore::parse(&patterns.replace(',', "\n")).unwrap().is_final(dir), expected, "{patterns}: {dir}");
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "[a-c*?!/\\\\\\[\\]^. #\n-]{0,40}", path in "[a-c./-]{0,20}") {
            if let Ok(ignore) = Ignore::parse(&text) {
                ignore.excludes(&path);
            }
        }

        #[test]
        fn nothing_below_a_final_directory_is_taken_back(text in "([a-c*!/]{1,8}\n){0,6}", path in "[a-c](/[a-c]){1,3}") {
            let Ok(ignore) = Ignore::parse(&text) else { return Ok(()) };
            let dir = path.rsplit_once('/').unwrap().0;
            if ignore.excludes(dir) && ignore.is_final(dir) {
                prop_assert!(ignore.excludes(&path), "{text:?}: {dir} is final, and {path} is taken back");
            }
        }
    }
}
