//! `environment` and `secrets`: what is carried over, and what only by its name.

use std::borrow::Cow;

use super::{
    Import,
    draft::Piece,
    yaml::{Node, Value},
};
use crate::{
    delivery::template::{quote, read::values::variable_ok},
    fleet::mask::{is_secret, mask_text},
};

/// What a variable is given.
pub(super) enum Given {
    Value(String),
    /// The value is the shell's.
    Shell,
    /// A value that is not looked at.
    Secret,
}

/// By its name, or by a password within its value. A name that ends with `_FILE` holds the name of a file, as the official images take
/// their secrets.
fn looks_secret(name: &str, value: Option<&str>) -> bool {
    is_secret(name) && !name.ends_with("_FILE") || value.is_some_and(|value| matches!(mask_text(value), Cow::Owned(_)))
}

impl Import {
    /// `NAME=value` or `NAME: value`, each with its line.
    pub(super) fn variables(&mut self, title: &str, node: &Node) -> Vec<(String, Given, usize)> {
        let mut found = Vec::new();
        match &node.value {
            Value::List(items) => {
                for item in items {
                    let Some(text) = item.text() else {
                        self.lose(item.line, format!("{title}: expected NAME=value, found {}", item.kind()));
                        continue;
                    };
                    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                    let given = match value {
                        _ if looks_secret(name, value) => Given::Secret,
                        Some(value) => Given::Value(self.resolve(&format!("{title}.{name}"), item.line, value)),
                        None => Given::Shell,
                    };
                    found.push((name.to_owned(), given, item.line));
                }
            }
            Value::Map(pairs) => {
                for pair in pairs {
                    let given = match looks_secret(&pair.key, pair.node.text()) {
                        true => Given::Secret,
                        false => self.text(&format!("{title}.{}", pair.key), &pair.node).map_or(Given::Shell, Given::Value),
                    };
                    found.push((pair.key.clone(), given, pair.line));
                }
            }
            Value::Text(_) => self.lose(node.line, format!("{title}: expected a list or a mapping, found {}", node.kind())),
            Value::Null => {}
        }
        found
    }

    pub(super) fn environment(&mut self, title: &str, node: &Node, piece: &mut Piece, secrets: &mut Vec<String>) {
        for (name, given, line) in self.variables(title, node) {
            if !variable_ok(&name) || name.starts_with("QD_") {
                self.lose(line, format!("{title}: {name:?} cannot be a variable here"));
                continue;
            }
            match given {
                Given::Secret => {
                    let quoted = quote::text(&name);
                    if !secrets.contains(&quoted) {
                        secrets.push(quoted);
                    }
                    let app = self.draft.app.clone();
                    let remedy =
                        format!("its value is not copied, its source belongs into the configuration: [secrets.{app}.testing] {name}");
                    self.lose(line, format!("{title}.{name}: looks like a secret and stands under secrets: {remedy}"));
                }
                Given::Value(value) => {
                    piece.vars.insert(name, value.replace('\0', ""));
                }
                Given::Shell => {
                    self.lose(line, format!("{title}.{name}: its value comes from the shell: say it under vars, by environment"))
                }
            }
        }
    }

    pub(super) fn secret_files(&mut self, title: &str, node: &Node, secrets: &mut Vec<String>) {
        for item in node.items() {
            let name = match &item.value {
                Value::Map(pairs) => {
                    for pair in pairs.iter().filter(|pair| pair.key != "source") {
                        self.lose(pair.line, format!("{title}.{}: a secret stands under /run/secrets by its name", pair.key));
                    }
                    item.get("source").and_then(Node::text).map(str::to_owned)
                }
                Value::Text(_) | Value::Null | Value::List(_) => self.text(title, item),
            };
            let Some(name) = name.filter(|name| variable_ok(name) && !name.contains('/') && !name.starts_with('.')) else {
                self.lose(item.line, format!("{title}: no name of a secret"));
                continue;
            };
            let entry = quote::table(&[("name", quote::text(&name)), ("deliver", quote::text("file"))]);
            if !secrets.contains(&entry) {
                secrets.push(entry);
            }
        }
    }
}
