//! What a Dockerfile says before it is built: its stages, and the images of others that it stands on. Pure.
//!
//! Only the instructions that name images are read (`FROM`, `COPY --from`, `ADD --from`, `RUN --mount=…,from=`, `# syntax=`); what is wrong
//! with the rest is the builder's to say. Reference: https://docs.docker.com/reference/dockerfile/

use std::collections::{BTreeMap, BTreeSet};

/// A Dockerfile, as far as it names things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The names of its stages, lower case, as the builder compares them; a stage without a name is empty.
    pub stages: Vec<String>,
    /// Images that it takes from elsewhere, sorted; `scratch` is none.
    pub bases: BTreeSet<String>,
    /// The frontend that `# syntax=` asks for.
    pub syntax: Option<String>,
    /// Whether a step wants what only a person's own session has: a secret or an agent.
    pub wants_session: bool,
}

/// Where a Dockerfile is looked for, in this order, from the directory of the template.
pub fn places(context: &str, named: Option<&str>) -> Vec<String> {
    match named {
        Some(named) => vec![named.to_owned()],
        None => {
            let own = match context.trim_end_matches('/') {
                "" | "." => "Dockerfile".to_owned(),
                context => format!("{context}/Dockerfile"),
            };
            let mut places = vec![own, "docker/Dockerfile".to_owned()];
            places.dedup();
            places
        }
    }
}

impl Dockerfile {
    /// Reads it. `args` are the build arguments that are given, `platform` the arguments that every build has (`TARGETARCH`, …).
    pub fn parse(text: &str, args: &BTreeMap<String, String>, platform: &BTreeMap<String, String>) -> Self {
        let mut file = Self::default();
        let mut globals = platform.clone();
        for words in instructions(text, &mut file.syntax) {
            let Some((verb, rest)) = words.split_first() else { continue };
            match verb.to_ascii_uppercase().as_str() {
                "ARG" if file.stages.is_empty() => declare(rest, args, &mut globals),
                "FROM" => file.stage(rest, &globals),
                "COPY" | "ADD" => {
                    let from = rest.iter().take_while(|word| word.starts_with("--")).find_map(|word| word.strip_prefix("--from="));
                    file.source(from);
                }
                "RUN" => {
                    for mount in rest.iter().take_while(|word| word.starts_with("--")).filter_map(|word| word.strip_prefix("--mount=")) {
                        file.source(mount.split(',').find_map(|field| field.strip_prefix("from=")));
                        file.wants_session |= mount.split(',').any(|field| matches!(field, "type=secret" | "type=ssh"));
                    }
                }
                _ => {}
            }
        }
        file.bases.extend(file.syntax.clone());
        file
    }

    /// Whether there is a stage of this name.
    pub fn has_stage(&self, name: &str) -> bool {
        self.stages.iter().any(|stage| stage == &name.to_lowercase())
    }

    fn stage(&mut self, words: &[String], globals: &BTreeMap<String, String>) {
        let mut words = words.iter().skip_while(|word| word.starts_with("--"));
        let image = words.next().map(|word| expand(word, globals)).unwrap_or_default();
        let named = words.next().is_some_and(|word| word.eq_ignore_ascii_case("as"));
        let name = words.next().filter(|_| named).map(|name| name.to_lowercase()).unwrap_or_default();
        let earlier = self.has_stage(&image);
        if !image.is_empty() && image != "scratch" && !earlier {
            self.bases.insert(image);
        }
        self.stages.push(name);
    }

    /// What `from=` names: a stage, its number, or an image.
    fn source(&mut self, from: Option<&str>) {
        let Some(from) = from.filter(|from| !from.is_empty() && !from.contains('$')) else { return };
        let numbered = from.parse::<usize>().is_ok();
        if !numbered && !self.has_stage(from) && from != "scratch" {
            self.bases.insert(from.to_owned());
        }
    }
}

/// `ARG NAME[=default] …` before the first stage.
fn declare(words: &[String], args: &BTreeMap<String, String>, globals: &mut BTreeMap<String, String>) {
    for word in words {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(expand(default.trim_matches(['"', '\'']), globals))),
            None => (word.as_str(), None),
        };
        if let Some(value) = args.get(name).cloned().or(default) {
            globals.insert(name.to_owned(), value);
        }
    }
}

/// The instructions, each as its words. Comments, continued lines and here-documents are as the builder reads them.
fn instructions(text: &str, syntax: &mut Option<String>) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut escape = '\\';
    let mut directives = true;
    let mut found = Vec::new();
    let mut line = String::new();
    let mut lines = text.lines();
    while let Some(raw) = lines.next() {
        let trimmed = raw.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            let directive = comment.split_once('=').filter(|_| directives).map(|(key, value)| (key.trim().to_lowercase(), value.trim()));
            match directive {
                Some((key, value)) if key == "escape" => escape = value.chars().next().unwrap_or(escape),
                Some((key, value)) if key == "syntax" => *syntax = Some(value.to_owned()),
                Some((key, _)) if key == "check" => {}
                Some(_) | None => directives = false,
            }
            continue;
        }
        directives = false;
        if trimmed.is_empty() {
            continue;
        }
        if let Some(part) = raw.trim_end().strip_suffix(escape) {
            line.push_str(part);
            continue;
        }
        line.push_str(raw);
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        line.clear();
        for end in here_documents(&words) {
            for raw in lines.by_ref() {
                if raw == end.word || end.tabs && raw.trim_start_matches('\t') == end.word {
                    break;
                }
            }
        }
        found.push(words);
    }
    if !line.trim().is_empty() {
        found.push(line.split_whitespace().map(str::to_owned).collect());
    }
    found
}

struct HereEnd {
    word: String,
    /// `<<-`: tabs before it do not count.
    tabs: bool,
}

fn here_documents(words: &[String]) -> Vec<HereEnd> {
    let takes = words.first().is_some_and(|verb| ["RUN", "COPY", "ADD"].iter().any(|known| verb.eq_ignore_ascii_case(known)));
    let ends = words.iter().filter(|_| takes).filter_map(|word| {
        let (_, rest) = word.split_once("<<").filter(|(before, _)| before.chars().all(|c| c.is_ascii_digit()))?;
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let name = rest.trim_matches(['"', '\'']);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        is_name.then(|| HereEnd { word: name.to_owned(), tabs })
    });
    ends.collect()
}

/// `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` as the builder does it; what is not set is nothing.
fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            let next = after.chars().next();
            out.extend(next);
            rest = &after[next.map_or(0, char::len_utf8)..];
            continue;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        rest = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inner, more)) => {
                let (name, modifier) = inner.split_at(inner.find(|c| !is_name(c)).unwrap_or(inner.len()));
                let value = values.get(name).map(String::as_str);
                let some = value.filter(|value| !value.is_empty());
                let word = |prefix: &str| modifier.strip_prefix(prefix).map(|word| expand(word, values));
                match (word(":-"), word(":+"), word("-"), word("+")) {
                    (Some(word), ..) => out.push_str(some.unwrap_or(&word)),
                    (_, Some(word), ..) => out.push_str(some.map_or("", |_| &word)),
                    (_, _, Some(word), _) => out.push_str(value.unwrap_or(&word)),
                    (.., Some(word)) => out.push_str(value.map_or("", |_| &word)),
                    (None, None, None, None) => out.push_str(value.unwrap_or_default()),
                }
                more
            }
            None => {
                let (name, more) = after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()));
                out.push_str(values.get(name).map(String::as_str).unwrap_or_default());
                more
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn stages_and_bases() {
        // Text; stages apart by ","; bases apart by " ".
        let cases = [
            ("FROM busybox\nRUN x", "", "busybox"),
            ("from scratch\ncopy a b", "", ""),
            (
                "FROM golang:1.22 AS Build\nFROM build AS test\nFROM alpine\nCOPY --from=build /a /a\nCOPY --from=0 /b /b",
                "build,test,",
                "alpine golang:1.22",
            ),
            ("ARG V=18\nARG R=r:5000\nFROM $R/node:${V}-slim as x", "x", "r:5000/node:20-slim"),
            ("ARG NONE\nFROM a${NONE:-b}c${V:+d}${NONE}e", "", "abce"),
            ("FROM --platform=$BUILDPLATFORM tool-$TARGETARCH AS t\nFROM t", "t,", "tool-amd64"),
            ("FROM a\nCOPY --chown=1 --from=nginx:1 /x /y\nRUN --mount=type=bind,from=cache,target=/c true", "", "a cache nginx:1"),
            ("FROM a\nCOPY --from=$V /x /y\nCOPY x --from=y", "", "a"),
            ("# FROM no\nFROM \\\n# in between\n  a:1 \\\n  AS b\n", "b", "a:1"),
            ("# escape=`\nFROM a `\n as b\n", "b", "a"),
            ("# syntax=docker/dockerfile:1\nFROM a", "", "a docker/dockerfile:1"),
            ("# a comment\n# syntax=docker/dockerfile:1\nFROM a", "", "a"),
            ("FROM a\nRUN <<EOF\nFROM no\nEOF\nFROM b\nCOPY <<-\"X\" /y\nFROM no\n\tX\nFROM c", ",,", "a b c"),
            ("\u{feff}FROM a", "", "a"),
            ("ARG B=\"quoted\"\nFROM $B", "", "quoted"),
            ("FROM a\nARG V=1\nFROM $V", ",", "a"),
            ("RUN x", "none", ""),
        ];
        let (args, platform) = (map(&[("V", "20")]), map(&[("TARGETARCH", "amd64"), ("BUILDPLATFORM", "linux/amd64")]));
        for (text, stages, bases) in cases {
            let file = Dockerfile::parse(text, &args, &platform);
            let found = if file.stages.is_empty() { "none".to_owned() } else { file.stages.join(",") };
            assert_eq!((found.as_str(), file.bases.iter().cloned().collect::<Vec<_>>().join(" ").as_str()), (stages, bases), "{text}");
        }
        assert!(Dockerfile::parse("FROM a AS Test", &args, &platform).has_stage("TEST"));
        for (text, wants) in [
            ("RUN --mount=type=secret,id=x true", true),
            ("RUN --network=none --mount=id=y,type=ssh true", true),
            ("RUN --mount=type=cache,target=/c true", false),
            ("RUN echo --mount=type=ssh", false),
        ] {
            assert_eq!(Dockerfile::parse(text, &args, &platform).wants_session, wants, "{text}");
        }
    }

    #[test]
    fn where_it_is_looked_for() {
        assert_eq!(places("web", None), ["web/Dockerfile", "docker/Dockerfile"]);
        assert_eq!(places(".", None), ["Dockerfile", "docker/Dockerfile"]);
        assert_eq!(places("docker/", None), ["docker/Dockerfile"]);
        assert_eq!(places("web", Some("build/Web.Dockerfile")), ["build/Web.Dockerfile"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((FROM|ARG|COPY|RUN|#) ?[${}:<=\\\\a-c\"ü-]{0,12}\n?){0,8}") {
            Dockerfile::parse(&text, &BTreeMap::new(), &BTreeMap::new());
        }
    }
}
