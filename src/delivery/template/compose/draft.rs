//! The template as it is being put together, and its text. Pure.

use std::collections::BTreeMap;

use crate::delivery::template::quote;

/// A template in pieces; every value is TOML already.
pub(super) struct Draft {
    pub app: String,
    pub images: Vec<Piece>,
    pub services: Vec<Piece>,
    pub jobs: Vec<Piece>,
}

/// One table.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub name: String,
    keys: Vec<(&'static str, String)>,
    pub vars: BTreeMap<String, String>,
}

impl Piece {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets a key; the last word holds.
    pub fn set(&mut self, key: &'static str, value: String) {
        self.remove(key);
        self.keys.push((key, value));
    }

    /// Whether the two say the same, under whatever names.
    pub fn is_like(&self, other: &Self) -> bool {
        self.keys == other.keys && self.vars == other.vars
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(other, _)| *other == key)
    }

    /// Whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|(other, _)| *other != key);
        self.keys.len() < before
    }
}

/// The order in which people read them.
const ORDER: [&str; 20] = [
    "image",
    "context",
    "dockerfile",
    "args",
    "command",
    "ports",
    "vars",
    "secrets",
    "volumes",
    "memory",
    "cpus",
    "restart",
    "needs",
    "per-host",
    "health",
    "stop",
    "logs",
    "when",
    "test-target",
    "timeout",
];

impl Draft {
    pub fn new(app: String) -> Self {
        Self { app, images: Vec::new(), services: Vec::new(), jobs: Vec::new() }
    }

    pub fn write(&self) -> String {
        let mut out = String::from("[app]\n");
        out.push_str(&format!("name     = {}\n", quote::text(&self.app)));
        out.push_str("registry = \"registry.internal:5000\"            # where built images are pushed\n");
        out.push_str("version  = \"0.1.0\"                             # or { file = \"package.json\", key = \"version\" }\n");
        for (area, pieces) in [("images", &self.images), ("services", &self.services), ("jobs", &self.jobs)] {
            for piece in pieces {
                piece_text(&mut out, area, piece);
            }
        }
        out.push_str("\n[environments.testing]\nhosts = [\"test-01\"]                           # hosts of the configuration\n");
        out
    }
}

fn piece_text(out: &mut String, area: &str, piece: &Piece) {
    out.push_str(&format!("\n[{area}.{}]\n", quote::key(&piece.name)));
    let mut keys: Vec<(&str, String)> = piece.keys.iter().map(|(key, value)| (*key, value.clone())).collect();
    // A long list of variables is read line by line, in a table of its own.
    let few = piece.vars.len() <= 3;
    if few && !piece.vars.is_empty() {
        let entries: Vec<(&str, String)> = piece.vars.iter().map(|(name, value)| (name.as_str(), quote::text(value))).collect();
        keys.push(("vars", quote::table(&entries)));
    }
    keys.sort_by_key(|(key, _)| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len()));
    let longest = keys.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in keys {
        out.push_str(&format!("{key:longest$} = {value}\n"));
    }
    if !few {
        out.push_str(&format!("[{area}.{}.vars]\n", quote::key(&piece.name)));
        for (name, value) in &piece.vars {
            out.push_str(&format!("{} = {}\n", quote::key(name), quote::text(value)));
        }
    }
}
