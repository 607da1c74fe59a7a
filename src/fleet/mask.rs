//! Takes secrets out of an engine's JSON before anything shows, copies or exports it. Pure; works on the document as it came.
//!
//! What is masked, at any depth:
//! - every value of an `Env` list, `NAME=••••••`: which variables are secret cannot be told by their names;
//! - every text and number under a key that [looks secret](is_secret): labels, driver options, swarm secrets;
//! - in command lines (`Cmd`, `Args`, `Entrypoint`, `Path`, `Command`, `Test`), labels and health-check output: what follows a
//!   secret-looking name, `--password x`, `--password=x`, `TOKEN=x`, `"token": "x"`;
//! - the password of any `scheme://user:password@host`.
//!
//! It masks too much rather than too little. What it cannot know: a secret in a short flag (`-psecret`) or in a positional argument.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in place of a secret. Its length tells nothing about the secret's.
pub const MASK: &str = "••••••";

/// What the name of a secret contains, in any case.
const WORDS: [&str; 9] = ["password", "passwd", "passphrase", "secret", "token", "key", "credential", "basicauth", "apikey"];

/// Fields of the engine's own whose names only look secret: they hold a path.
const PLAIN: [&str; 1] = ["SandboxKey"];

/// Whether a name (of a label, a variable, a flag) looks like that of a secret.
pub fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !PLAIN.contains(&name) && WORDS.iter().any(|word| lower.contains(word))
}

/// Masks a document in place. Recurses as deep as the document: serde_json's parser allows 128 levels.
pub fn mask(document: &mut Value) {
    mask_in(document, Place::Plain);
}

/// What the strings of a place are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    /// `NAME=value`.
    Env,
    /// Words of a command line: a flag's value may be the next entry.
    Command,
    /// Text in which names and values may stand together.
    Prose,
}

fn place_of(key: &str, around: Place) -> Place {
    match key {
        "Env" => Place::Env,
        "Cmd" | "Args" | "Entrypoint" | "Command" | "Path" | "Test" => Place::Command,
        "Labels" | "Log" => Place::Prose,
        _ if around == Place::Prose => Place::Prose,
        _ => Place::Plain,
    }
}

fn mask_in(value: &mut Value, place: Place) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match is_secret(key) {
                    true => hide(field),
                    false => mask_in(field, place_of(key, place)),
                }
            }
        }
        Value::Array(entries) if place == Place::Command => mask_words(entries),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| mask_in(entry, place)),
        Value::String(text) => match place {
            Place::Env => mask_variable(text),
            Place::Command | Place::Prose => replace(text, mask_text),
            Place::Plain => replace(text, mask_userinfo),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Hides every text and number of a value; what is empty says nothing.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Array(entries) => entries.iter_mut().for_each(hide),
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = Value::String(MASK.to_owned()),
        Value::Null | Value::Bool(_) => {}
    }
}

fn replace(text: &mut String, by: impl Fn(&str) -> Cow<'_, str>) {
    if let Cow::Owned(masked) = by(text) {
        *text = masked;
    }
}

fn mask_variable(text: &mut String) {
    if let Some(at) = text.find('=')
        && at + 1 < text.len()
    {
        text.truncate(at + 1);
        text.push_str(MASK);
    }
}

/// The entries of a command: each by itself, and the one behind a secret-looking flag whole.
fn mask_words(entries: &mut [Value]) {
    let mut hidden = false;
    for entry in entries {
        let Value::String(text) = entry else {
            mask_in(entry, Place::Command);
            continue;
        };
        let hides_next = asks_for_value(text);
        match hidden {
            true => *text = MASK.to_owned(),
            false => replace(text, mask_text),
        }
        hidden = hides_next;
    }
}

/// A command line, word by word, as it may be shown and recorded.
pub fn mask_command(words: &[String]) -> Vec<String> {
    let mut entries: Vec<Value> = words.iter().map(|word| Value::String(word.clone())).collect();
    mask_words(&mut entries);
    entries.into_iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
}

/// `--password`, whose value is the next word.
fn asks_for_value(word: &str) -> bool {
    word.starts_with('-') && !word.contains(['=', ':']) && !word.contains(char::is_whitespace) && is_secret(word)
}

/// One text in which secrets may stand behind their names.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut hidden, mut quote) = (false, None::<char>);
    let mut changed = false;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end_matches(char::is_whitespace);
        let space = &piece[word.len()..];
        if let Some(mark) = quote {
            // Still inside the quotes of a secret.
            if word.contains(mark) {
                quote = None;
            }
            continue;
        }
        if word.is_empty() {
            out.push_str(space);
            continue;
        }
        let secret_at = if hidden { Some(0) } else { value_at(word) };
        hidden = asks_for_value(word) || secret_at == Some(word.len());
        match secret_at.filter(|at| *at < word.len()) {
            Some(at) => {
                out.push_str(&word[..at]);
                out.push_str(MASK);
                changed = true;
                let value = &word[at..];
                let mark = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                quote = mark.filter(|mark| !value[1..].contains(*mark));
            }
            None => match mask_userinfo(word) {
                Cow::Owned(masked) => {
                    out.push_str(&masked);
                    changed = true;
                }
                Cow::Borrowed(word) => out.push_str(word),
            },
        }
        out.push_str(space);
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// Where the value of a secret-looking name begins in a word: behind `token=`, `"token":`. Its end is the word's.
fn value_at(word: &str) -> Option<usize> {
    word.match_indices(['=', ':']).map(|(at, _)| at).find_map(|at| {
        let before = word[..at].trim_end_matches(['"', '\'', '\\']);
        let name = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).map_or(before, |cut| {
            let next = before[cut..].chars().next().map_or(0, char::len_utf8);
            &before[cut + next..]
        });
        is_secret(name).then_some(at + 1)
    })
}

/// `postgres://user:secret@db` → `postgres://user:••••••@db`, every time it occurs.
fn mask_userinfo(text: &str) -> Cow<'_, str> {
    let (mut out, mut rest, mut changed) = (String::new(), text, false);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).unwrap_or(after.len());
        let password = after[..end].rfind('@').and_then(|close| Some((after[..close].find(':')? + 1, close)));
        match password.filter(|(open, close)| open < close) {
            Some((open, close)) => {
                out.push_str(&after[..open]);
                out.push_str(MASK);
                rest = &after[close..];
                changed = true;
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn documents() {
        let cases = [
            (
                json!({"Config": {"Env": ["A=b", "EMPTY=", "BARE", "X=y=z"]}}),
                json!({"Config": {"Env": ["A=••••••", "EMPTY=", "BARE", "X=••••••"]}}),
            ),
            (json!({"Labels": {"db.Password": "p", "app": "shop"}}), json!({"Labels": {"db.Password": MASK, "app": "shop"}})),
            (json!({"Config": {"splunk-token": "t", "n": 1}}), json!({"Config": {"splunk-token": MASK, "n": 1}})),
            (json!({"Secrets": [{"Name": "x", "Id": 7, "On": true}]}), json!({"Secrets": [{"Name": MASK, "Id": MASK, "On": true}]})),
            (json!({"SandboxKey": "/run/netns/1"}), json!({"SandboxKey": "/run/netns/1"})),
            (json!({"Binds": ["/run/secrets:/run/secrets:ro"]}), json!({"Binds": ["/run/secrets:/run/secrets:ro"]})),
            (json!({"Cmd": ["db", "--password", "p", "-v"]}), json!({"Cmd": ["db", "--password", MASK, "-v"]})),
            (
                json!({"Args": ["--api-key=abc", "TOKEN=x", "--token", "--secret", "s"]}),
                json!({"Args": ["--api-key=••••••", "TOKEN=••••••", "--token", MASK, MASK]}),
            ),
            (json!({"Cmd": ["sh", "-c", "db --password 'a b' -u root"]}), json!({"Cmd": ["sh", "-c", "db --password •••••• -u root"]})),
            (json!({"Cmd": null, "Path": "x"}), json!({"Cmd": null, "Path": "x"})),
            (json!({"Labels": {"cfg": "{\"token\": \"abc\", \"n\": 1}"}}), json!({"Labels": {"cfg": "{\"token\": •••••• \"n\": 1}"}})),
            (json!({"Url": "postgres://u:p@db/x"}), json!({"Url": "postgres://u:••••••@db/x"})),
            (json!({"Url": "https://a/b:c@d and amqp://me:pw@q"}), json!({"Url": "https://a/b:c@d and amqp://me:••••••@q"})),
        ];
        for (mut document, expected) in cases {
            mask(&mut document);
            assert_eq!(document, expected);
        }
    }

    #[test]
    fn names() {
        for name in ["PASSWORD", "db_passwd", "API_KEY", "--auth-token", "AWS_SECRET_ACCESS", "credentials"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "HOSTNAME", "app", "com.docker.compose.project", "SandboxKey"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_secret_behind_its_name_never_survives(before in "[a-z =:'\"/-]{0,20}", name in "(my-)?(password|API_KEY|token)", sep in "=|: |=\"|: '", after in "[ a-z]{0,10}") {
            let text = format!("{before} {name}{sep}XQZJ9 {after}");
            prop_assert!(!mask_text(&text).contains("XQZJ9"), "{} -> {}", text, mask_text(&text));
        }

        #[test]
        fn masking_twice_is_masking_once_and_nothing_panics(text in "\\PC{0,60}|[a-z:=\"' @/-]{0,60}") {
            let mut document = json!({"Env": [text.clone()], "Cmd": [text.clone()], "Labels": {"a": text.clone()}, "b": text});
            mask(&mut document);
            let once = document.clone();
            mask(&mut document);
            prop_assert_eq!(once, document);
        }
    }
}
