//! A JSON document as lines that fold. Pure; bounded in lines, depth and text, whatever the engine sends.

use serde_json::Value;

use crate::text::clean;

/// So many lines are made of a document; a note counts the rest.
pub const LINES: usize = 100_000;
/// What is nested deeper is told by its size only.
pub const DEPTH: u16 = 48;
/// So many bytes of one text are kept.
pub const TEXT: usize = 64 << 10;
/// So many bytes of all texts together.
pub const TEXTS: usize = 16 << 20;

/// Where the fields of a structured line of a log stand in the document about it.
pub const LINE_FIELDS: &str = "fields";

/// What is open from the start, by its path: what a person inspects for.
const OPEN: [&str; 9] = ["Config", "Config.Env", "Config.Labels", "Config.Cmd", "State", "State.Health", "Mounts", "Args", LINE_FIELDS];

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Fields follow.
    Object(usize),
    /// Entries follow.
    Array(usize),
    /// A text, whole up to [`TEXT`] and clean.
    Text(String),
    /// A number as written.
    Number(String),
    /// `true`, `false`, `null`.
    Literal(&'static str),
    /// Not the document's: why something is not shown.
    Note(String),
}

/// One line.
#[derive(Clone, Debug)]
pub struct Node {
    /// How deep it stands; fields of the document itself: 0.
    pub depth: u16,
    /// Its field's name; `None` in an array.
    pub key: Option<String>,
    /// Its value.
    pub held: Held,
    /// The line behind its last descendant.
    end: usize,
    folded: bool,
}

impl Node {
    /// Whether something hangs below it.
    pub fn is_branch(&self) -> bool {
        matches!(self.held, Held::Object(1..) | Held::Array(1..))
    }

    /// Whether what hangs below it is hidden.
    pub fn is_folded(&self) -> bool {
        self.folded
    }

    /// Its value in one line, quotes around texts.
    pub fn value(&self) -> String {
        match &self.held {
            Held::Object(0) => "{}".to_owned(),
            Held::Array(0) => "[]".to_owned(),
            Held::Object(1) => "{1 field}".to_owned(),
            Held::Array(1) => "[1 entry]".to_owned(),
            Held::Object(count) => format!("{{{count} fields}}"),
            Held::Array(count) => format!("[{count} entries]"),
            Held::Text(text) => format!("\"{text}\""),
            Held::Number(text) | Held::Note(text) => text.clone(),
            Held::Literal(word) => (*word).to_owned(),
        }
    }

    fn contains(&self, wanted: &str) -> bool {
        let value = match &self.held {
            Held::Text(text) | Held::Number(text) => text.as_str(),
            Held::Literal(word) => word,
            Held::Object(_) | Held::Array(_) | Held::Note(_) => "",
        };
        self.key.as_deref().is_some_and(|key| !find_folded(key, wanted).is_empty()) || !find_folded(value, wanted).is_empty()
    }
}

/// The byte ranges at which `wanted` occurs in `text`, ignoring the case of ASCII letters; none for an empty one.
pub fn find_folded(text: &str, wanted: &str) -> Vec<std::ops::Range<usize>> {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let (mut found, mut at) = (Vec::new(), 0);
    // UTF-8 keeps a match of whole characters on character borders.
    while !wanted.is_empty() && at + wanted.len() <= text.len() {
        match text[at..at + wanted.len()].eq_ignore_ascii_case(wanted) {
            true => {
                found.push(at..at + wanted.len());
                at += wanted.len();
            }
            false => at += 1,
        }
    }
    found
}

/// The lines, all of them, and which are visible.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    visible: Vec<usize>,
}

impl Tree {
    /// Makes the lines of a document, which is masked already; every text is made clean here.
    pub fn build(document: &Value) -> Self {
        let mut builder = Builder { nodes: Vec::new(), texts: 0, left_out: 0 };
        match document {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| builder.add(Some(key), value, 0, key)),
            Value::Array(entries) => entries.iter().for_each(|entry| builder.add(None, entry, 0, "")),
            other => builder.add(None, other, 0, ""),
        }
        if builder.left_out > 0 {
            let note = format!("… and {} more lines: the document is too large to show whole", builder.left_out);
            let end = builder.nodes.len() + 1;
            builder.nodes.push(Node { depth: 0, key: None, held: Held::Note(note), end, folded: false });
        }
        let mut tree = Self { nodes: builder.nodes, visible: Vec::new() };
        tree.settle();
        tree
    }

    /// The visible lines, by index into all.
    pub fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// A line.
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// Folds or unfolds a branch; whether it is one.
    pub fn toggle(&mut self, index: usize) -> bool {
        let Some(node) = self.nodes.get_mut(index).filter(|node| node.is_branch()) else { return false };
        node.folded = !node.folded;
        self.settle();
        true
    }

    /// Folds or unfolds every branch.
    pub fn fold_all(&mut self, folded: bool) {
        for node in &mut self.nodes {
            node.folded = folded && node.is_branch();
        }
        self.settle();
    }

    /// Folds what is folded in another tree of the same shape; of another shape it takes nothing.
    pub fn fold_like(&mut self, other: &Self) {
        if self.nodes.len() == other.nodes.len() {
            for (node, other) in self.nodes.iter_mut().zip(&other.nodes) {
                node.folded = other.folded && node.is_branch();
            }
            self.settle();
        }
    }

    /// The nearest visible line that a line is, or hangs below.
    pub fn shown(&self, index: usize) -> usize {
        let mut at = index;
        while self.visible.binary_search(&at).is_err() {
            match self.parent(at) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    /// The line that a line hangs below.
    pub fn parent(&self, index: usize) -> Option<usize> {
        let depth = self.nodes.get(index)?.depth;
        (0..index).rev().find(|other| self.nodes[*other].depth < depth)
    }

    /// Unfolds everything above a line.
    pub fn reveal(&mut self, index: usize) {
        let mut at = self.parent(index);
        while let Some(parent) = at {
            self.nodes[parent].folded = false;
            at = self.parent(parent);
        }
        self.settle();
    }

    /// The lines, folded ones too, that contain a text.
    pub fn find(&self, wanted: &str) -> Vec<usize> {
        match wanted {
            "" => Vec::new(),
            _ => self.nodes.iter().enumerate().filter(|(_, node)| node.contains(wanted)).map(|(index, _)| index).collect(),
        }
    }

    /// `Config.Env[3]`.
    pub fn path(&self, index: usize) -> String {
        let mut steps = Vec::new();
        let mut at = Some(index);
        while let Some(index) = at {
            let parent = self.parent(index);
            if let Some(node) = self.nodes.get(index) {
                let first = parent.map_or(0, |parent| parent + 1);
                let place = self.nodes.get(first..index).unwrap_or_default().iter().filter(|other| other.depth == node.depth).count();
                steps.push(match (&node.key, parent) {
                    (Some(key), None) => key.clone(),
                    (Some(key), Some(_)) => format!(".{key}"),
                    (None, _) => format!("[{place}]"),
                });
            }
            at = parent;
        }
        steps.reverse();
        steps.concat()
    }

    /// The value at a line as it is copied: a text bare, a branch as its lines, indented.
    pub fn copied(&self, index: usize) -> Option<String> {
        let node = self.nodes.get(index)?;
        if let Held::Text(text) = &node.held {
            return Some(text.clone());
        }
        if !node.is_branch() {
            return Some(node.value());
        }
        let below = self.nodes.get(index + 1..node.end)?;
        let lines = below.iter().map(|line| {
            let indent = "  ".repeat(usize::from(line.depth - node.depth - 1));
            let key = line.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
            let value = if line.is_branch() { String::new() } else { line.value() };
            format!("{indent}{key}{value}").trim_end().to_owned()
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }

    fn settle(&mut self) {
        self.visible.clear();
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            self.visible.push(at);
            at = if node.folded { node.end } else { at + 1 };
        }
    }
}

struct Builder {
    nodes: Vec<Node>,
    texts: usize,
    left_out: usize,
}

impl Builder {
    fn add(&mut self, key: Option<&str>, value: &Value, depth: u16, path: &str) {
        if self.nodes.len() >= LINES {
            self.left_out += 1;
            return;
        }
        let held = match value {
            Value::Object(fields) => Held::Object(fields.len()),
            Value::Array(entries) => Held::Array(entries.len()),
            Value::String(text) => Held::Text(self.take(text)),
            Value::Number(number) => Held::Number(number.to_string()),
            Value::Bool(true) => Held::Literal("true"),
            Value::Bool(false) => Held::Literal("false"),
            Value::Null => Held::Literal("null"),
        };
        let index = self.nodes.len();
        let folded = matches!(held, Held::Object(1..) | Held::Array(1..)) && !OPEN.contains(&path);
        let key = key.map(|key| clean(key).into_owned());
        self.nodes.push(Node { depth, key, held, end: index + 1, folded });
        if depth + 1 >= DEPTH {
            // A branch that is not followed is no branch: nothing hangs below it.
            if folded {
                let node = &mut self.nodes[index];
                node.held = Held::Note(format!("{} nested too deeply to show", node.value()));
                node.folded = false;
            }
            return;
        }
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| self.add(Some(name), field, depth + 1, &format!("{path}.{name}")))
            }
            Value::Array(entries) => entries.iter().for_each(|entry| self.add(None, entry, depth + 1, "")),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
        let end = self.nodes.len();
        self.nodes[index].end = end;
    }

    fn take(&mut self, text: &str) -> String {
        let room = TEXT.min(TEXTS.saturating_sub(self.texts));
        let mut out = String::with_capacity(text.len().min(room));
        let mut rest = text;
        // Piece by piece, because a field's text is cut where a whole one is wanted here.
        while !rest.is_empty() && out.len() < room {
            let mut cut = rest.len().min(2048);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            out.push_str(&clean(&rest[..cut]));
            rest = &rest[cut..];
        }
        self.texts += out.len();
        if !rest.is_empty() {
            out.push_str(&format!("… ({} bytes more)", rest.len()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn shown(tree: &Tree) -> Vec<String> {
        let line = |index: &usize| {
            let node = &tree.nodes[*index];
            format!(
                "{}{}{}",
                " ".repeat(usize::from(node.depth)),
                node.key.as_ref().map_or(String::new(), |key| format!("{key}: ")),
                node.value()
            )
        };
        tree.visible().iter().map(line).collect()
    }

    #[test]
    fn lines_fold_and_are_found() {
        let mut tree =
            Tree::build(&json!({"Config": {"Env": ["A=1"], "Tty": false}, "Id": "x\u{1b}[2J", "Net": {"a": {"b": 5}}, "None": {}}));
        assert_eq!(
            shown(&tree),
            ["Config: {2 fields}", " Env: [1 entry]", "  \"A=1\"", " Tty: false", "Id: \"x␛[2J\"", "Net: {1 field}", "None: {}"]
        );
        assert_eq!(tree.path(2), "Config.Env[0]");
        assert_eq!(tree.find("B"), [7]);
        tree.reveal(7);
        assert_eq!(tree.visible().len(), 9);
        assert_eq!(tree.path(7), "Net.a.b");
        assert_eq!(tree.copied(5).unwrap(), "a:\n  b: 5");
        assert!(tree.toggle(0) && !tree.toggle(1 + 2));
        assert_eq!(tree.copied(4).unwrap(), "x␛[2J");
        assert_eq!(tree.copied(99), None);
    }

    #[test]
    fn every_size_is_bounded() {
        let long = Tree::build(&json!({"a": "x".repeat(200_000)}));
        assert!(long.nodes[0].value().len() < TEXT + 100);
        assert!(long.nodes[0].value().contains("bytes more"));
        let many = Tree::build(&Value::Array(vec![json!(1); LINES + 5]));
        assert_eq!(many.nodes.len(), LINES + 1);
        assert_eq!(many.nodes[LINES].value(), "… and 5 more lines: the document is too large to show whole");
        let deep = (0..100).fold(json!(1), |inner, _| json!({ "d": inner }));
        let tree = Tree::build(&deep);
        assert_eq!(tree.nodes.len(), usize::from(DEPTH));
        assert_eq!(tree.nodes[usize::from(DEPTH) - 1].value(), "{1 field} nested too deeply to show");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}|[\u{0}-\u{ff}]{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[A-Za-z]{1,6}|Env|Labels|Cmd", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_makes_lines(document in any_json(), at in 0usize..80) {
            let mut tree = Tree::build(&document);
            tree.toggle(at);
            for index in 0..tree.nodes.len() {
                prop_assert!(tree.copied(index).is_some());
                let path = tree.path(index);
                prop_assert!(path.chars().all(|c| !c.is_control()), "{path}");
                let value = tree.nodes[index].value();
                prop_assert_eq!(clean(&value), value.as_str());
            }
            if at < tree.nodes.len() {
                tree.reveal(at);
                prop_assert!(tree.visible().contains(&at));
            }
        }

        #[test]
        fn masked_values_are_in_no_line(document in any_json()) {
            let mut document = json!({"Config": {"Env": ["PASSWORD=XQZJ9"], "Labels": {"api.token": "XQZJ9"}, "Cmd": ["--password", "XQZJ9"]}, "more": document});
            crate::fleet::mask::mask(&mut document);
            let tree = Tree::build(&document);
            prop_assert!(tree.find("XQZJ9").is_empty());
        }
    }
}
