//! The text of a balancer's file: a template, and the state that the written file keeps in a comment. Pure.

use std::{fmt::Write as _, net::SocketAddr};

/// Marks the comment with the state.
const MARK: &str = "quarterdeck:1";

/// One server of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub address: SocketAddr,
    /// It is left out of the servers.
    pub drains: bool,
    pub share: u16,
    /// Unix time of its last change.
    pub since: u64,
}

impl Entry {
    /// The slot's name.
    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }
}

/// A template: `{{state}}` in a comment of its own, `{{backend}}`, and `{{#targets}} … {{/targets}}` around a server's line with
/// `{{address}}`, `{{ip}}`, `{{port}}` and `{{share}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Word(Word),
    Targets(Vec<Piece>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    State,
    Backend,
    Address,
    Ip,
    Port,
    Share,
}

const WORDS: [(&str, Word, bool); 6] = [
    ("state", Word::State, false),
    ("backend", Word::Backend, true),
    ("address", Word::Address, true),
    ("ip", Word::Ip, true),
    ("port", Word::Port, true),
    ("share", Word::Share, true),
];

impl Template {
    /// Reads a template; the error is a sentence without the file's name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut outer, mut inner, mut rest): (Vec<Piece>, Option<Vec<Piece>>, &str) = (Vec::new(), None, text);
        while let Some(at) = rest.find("{{") {
            let (before, after) = rest.split_at(at);
            let (word, behind) = after[2..].split_once("}}").ok_or("a {{ is not closed by }}")?;
            let word = word.trim();
            let into = inner.as_mut().unwrap_or(&mut outer);
            into.push(Piece::Text(before.to_owned()));
            match word {
                "#targets" if inner.is_some() => return Err("{{#targets}} stands inside of another".to_owned()),
                "#targets" => inner = Some(Vec::new()),
                "/targets" => outer.push(Piece::Targets(inner.take().ok_or("{{/targets}} without {{#targets}}")?)),
                word => {
                    let (_, found, inside) = WORDS.iter().find(|(name, ..)| *name == word).ok_or_else(|| unknown(word))?;
                    let is_inside = inner.is_some();
                    if !inside && is_inside || !is_inside && !matches!(found, Word::State | Word::Backend) {
                        let place = if is_inside { "outside of" } else { "between {{#targets}} and" };
                        return Err(format!("{{{{{word}}}}} belongs {place} {{{{/targets}}}}"));
                    }
                    inner.as_mut().unwrap_or(&mut outer).push(Piece::Word(*found));
                }
            }
            rest = behind;
        }
        if inner.is_some() {
            return Err("{{#targets}} is not ended by {{/targets}}".to_owned());
        }
        outer.push(Piece::Text(rest.to_owned()));
        let count = |wanted: &dyn Fn(&Piece) -> bool| outer.iter().filter(|piece| wanted(piece)).count();
        match (count(&|piece| *piece == Piece::Word(Word::State)), count(&|piece| matches!(piece, Piece::Targets(_)))) {
            (1, 1..) => Ok(Self { pieces: outer }),
            (1, 0) => Err("there are no servers in it: {{#targets}} … {{/targets}}".to_owned()),
            (_, _) => Err("{{state}} must stand in it once, in a comment of its own".to_owned()),
        }
    }

    /// The file for these servers.
    pub(super) fn render(&self, backend: &str, entries: &[Entry]) -> String {
        let mut text = self.text(backend, entries, &state(entries));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// What of it the balancer sees.
    pub(super) fn shown(&self, backend: &str, entries: &[Entry]) -> String {
        self.text(backend, entries, "")
    }

    fn text(&self, backend: &str, entries: &[Entry], state: &str) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Word(Word::State) => text.push_str(state),
                Piece::Word(Word::Backend) => text.push_str(backend),
                // Refused when it was read.
                Piece::Word(Word::Address | Word::Ip | Word::Port | Word::Share) => {}
                Piece::Targets(pieces) => {
                    for entry in entries.iter().filter(|entry| !entry.drains && entry.share > 0) {
                        pieces.iter().for_each(|piece| line(&mut text, piece, backend, entry));
                    }
                }
            }
        }
        text
    }
}

fn unknown(word: &str) -> String {
    let word = crate::text::clean_line(word);
    let names = WORDS.iter().map(|(name, ..)| *name).chain(["#targets", "/targets"]);
    let hint = crate::text::nearest(&word, names).map_or_else(String::new, |near| format!(": did you mean {{{{{near}}}}}?"));
    format!("{{{{{word}}}}} is not known{hint}")
}

fn line(text: &mut String, piece: &Piece, backend: &str, entry: &Entry) {
    // Writing to a String cannot fail.
    let _ = match piece {
        Piece::Text(plain) => write!(text, "{plain}"),
        Piece::Word(Word::Backend) => write!(text, "{backend}"),
        Piece::Word(Word::Address) => write!(text, "{}", entry.address),
        Piece::Word(Word::Ip) => write!(text, "{}", entry.address.ip()),
        Piece::Word(Word::Port) => write!(text, "{}", entry.address.port()),
        Piece::Word(Word::Share) => write!(text, "{}", entry.share),
        Piece::Word(Word::State) | Piece::Targets(_) => Ok(()),
    };
}

fn state(entries: &[Entry]) -> String {
    let mut text = MARK.to_owned();
    for entry in entries {
        let word = if entry.drains { "drain" } else { "ready" };
        // Writing to a String cannot fail.
        let _ = write!(text, " {}={word},{},{}", entry.address, entry.share, entry.since);
    }
    text
}

/// The servers that a file of ours holds; none in a file that we did not write.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let Some(at) = text.find(MARK) else { return Ok(Vec::new()) };
    let line = text[at + MARK.len()..].lines().next().unwrap_or_default();
    let one = |word: &str| {
        let (address, rest) = word.split_once('=')?;
        let mut parts = rest.split(',');
        let drains = match parts.next()? {
            "drain" => true,
            "ready" => false,
            _ => return None,
        };
        Some(Entry { address: address.parse().ok()?, drains, share: parts.next()?.parse().ok()?, since: parts.next()?.parse().ok()? })
    };
    let words = line.split_ascii_whitespace().filter(|word| word.contains('='));
    let found: Option<Vec<Entry>> = words.map(one).collect();
    found.ok_or_else(|| format!("the line with {MARK} was changed by hand: mend it, or remove the file"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NGINX: &str = "# {{state}}\nupstream {{ backend }} {\n{{#targets}}    server {{address}} weight={{share}};\n{{/targets}}}";

    fn entry(address: &str, drains: bool) -> Entry {
        Entry { address: address.parse().unwrap(), drains, share: 100, since: 7 }
    }

    #[test]
    fn a_file_is_written_and_read_back() {
        let all = [entry("10.0.0.1:20001", false), entry("[::1]:20002", true)];
        let text = Template::parse(NGINX).unwrap().render("shop_web", &all);
        assert_eq!(
            text,
            "# quarterdeck:1 10.0.0.1:20001=ready,100,7 [::1]:20002=drain,100,7\nupstream shop_web {\n    server 10.0.0.1:20001 weight=100;\n}\n"
        );
        assert_eq!(entries(&text).unwrap(), all);
        assert_eq!(entries("upstream x {}"), Ok(vec![]));
        assert_eq!(entries("<!-- quarterdeck:1 -->"), Ok(vec![]), "no servers, and a comment that ends on the line");
        assert!(entries("# quarterdeck:1 10.0.0.1:1=gone,1,1").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "{{state}}"),
            ("{{state}}", "no servers"),
            ("{{state}}{{state}}{{#targets}}{{/targets}}", "once"),
            ("{{state", "not closed"),
            ("{{/targets}}", "without"),
            ("{{#targets}}", "not ended"),
            ("{{#targets}}{{#targets}}", "inside"),
            ("{{addres}}", "did you mean {{address}}"),
            ("{{address}}", "belongs between"),
            ("{{#targets}}{{state}}{{/targets}}", "belongs outside"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}#/a-z \n]{0,60}|.{0,80}") {
            let _ = Template::parse(&text).map(|template| template.render("b", &[entry("10.0.0.1:1", false)]));
            let _ = entries(&format!("{MARK}{text}"));
        }
    }
}
