//! A YAML document as a tree that knows its lines: anchors resolved, `<<` merged, within bounds. Pure.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deeper nests nobody.
const DEEPEST: usize = 64;
/// Aliases of aliases grow without end.
const MOST: usize = 100_000;

/// A value and its line, counted from 1.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Anything else that is neither list nor mapping, as written: what it means is the key's matter.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Pair>),
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub key: String,
    pub line: usize,
    pub node: Node,
}

/// What is wrong, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub line: usize,
    pub message: String,
}

impl Node {
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub fn pairs(&self) -> &[Pair] {
        match &self.value {
            Value::Map(pairs) => pairs,
            Value::Null | Value::Text(_) | Value::List(_) => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Null | Value::Text(_) | Value::Map(_) => &[],
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.pairs().iter().find(|pair| pair.key == key).map(|pair| &pair.node)
    }

    fn size(&self) -> usize {
        match &self.value {
            Value::Null | Value::Text(_) => 1,
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(pairs) => 1 + pairs.iter().map(|pair| pair.node.size()).sum::<usize>(),
        }
    }
}

/// Something that is not closed yet.
struct Open {
    anchor: usize,
    line: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    /// The pairs, and a key that waits for its value.
    Map(Vec<Pair>, Option<(String, usize)>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// Reads the first document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken { line: error.marker().line(), message: error.info().to_owned() })?;
        if builder.take(event, span)? {
            break;
        }
    }
    Ok(builder.root.unwrap_or(Node { line: 1, value: Value::Null }))
}

impl Builder {
    /// Whether the document is complete.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, Broken> {
        let line = span.start.line();
        let broken = |message: &str| Broken { line, message: message.to_owned() };
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(..) => {}
            Event::DocumentEnd | Event::StreamEnd => return Ok(true),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| broken("an alias of what is not complete yet"))?;
                self.nodes = self.nodes.saturating_add(node.size());
                self.put(Node { line, ..node }, 0)?;
            }
            Event::Scalar(text, style, anchor, _) => {
                self.nodes += 1;
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Text(text.into_owned()) };
                self.put(Node { line, value }, anchor)?;
            }
            Event::SequenceStart(anchor, ..) => self.begin(anchor, line, Parts::List(Vec::new()))?,
            Event::MappingStart(anchor, ..) => self.begin(anchor, line, Parts::Map(Vec::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Err(broken("an end without a beginning")) };
                let value = match open.parts {
                    Parts::List(items) => Value::List(items),
                    Parts::Map(pairs, _) => Value::Map(merged(pairs)?),
                };
                self.put(Node { line: open.line, value }, open.anchor)?;
            }
        }
        if self.nodes > MOST {
            return Err(broken("too much of it: aliases of aliases"));
        }
        Ok(false)
    }

    fn begin(&mut self, anchor: usize, line: usize, parts: Parts) -> Result<(), Broken> {
        self.nodes += 1;
        if self.open.len() >= DEEPEST {
            return Err(Broken { line, message: "nested too deeply".to_owned() });
        }
        self.open.push(Open { anchor, line, parts });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.parts {
            Parts::List(items) => items.push(node),
            Parts::Map(pairs, waiting) => match waiting.take() {
                Some((key, line)) => pairs.push(Pair { key, line, node }),
                None => {
                    let line = node.line;
                    let key = match node.value {
                        Value::Text(key) => key,
                        Value::Null => "~".to_owned(),
                        Value::List(_) | Value::Map(_) => {
                            return Err(Broken { line, message: "a key that is no text".to_owned() });
                        }
                    };
                    if key != "<<" && pairs.iter().any(|pair| pair.key == key) {
                        return Err(Broken { line, message: format!("the key {key:?} stands there twice") });
                    }
                    *waiting = Some((key, line));
                }
            },
        }
        Ok(())
    }
}

/// Puts what `<<` names below the mapping's own keys.
fn merged(pairs: Vec<Pair>) -> Result<Vec<Pair>, Broken> {
    let (merges, mut own): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(|pair| pair.key == "<<");
    for merge in merges {
        let line = merge.line;
        let sources = match merge.node.value {
            Value::List(items) => items,
            Value::Null | Value::Text(_) | Value::Map(_) => vec![merge.node],
        };
        for source in sources {
            let Value::Map(pairs) = source.value else {
                return Err(Broken { line, message: "<< takes mappings".to_owned() });
            };
            for pair in pairs {
                if own.iter().all(|other| other.key != pair.key) {
                    own.push(pair);
                }
            }
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anchors_merges_and_lines() {
        let text = "x-base: &base\n  image: a\n  tags: [1, 2]\nweb:\n  <<: *base\n  image: \"b\"\nnone:\n";
        let root = parse(text).unwrap();
        let web = root.get("web").unwrap();
        assert_eq!(web.get("image").and_then(Node::text), Some("b"));
        assert_eq!(web.get("tags").map(|tags| (tags.items().len(), tags.line)), Some((2, 3)));
        assert!(matches!(root.get("none").map(|node| &node.value), Some(Value::Null)));
        assert_eq!(root.pairs()[1].line, 4);
    }

    #[test]
    fn what_is_broken_has_a_line() {
        for (text, line, hint) in [
            ("a: 1\nb: [", 2, ""),
            ("a: 1\na: 2", 2, "twice"),
            ("a: &x [*x]", 1, "not complete"),
            ("a: 1\n<<: 5", 2, "mappings"),
            ("? [a]\n: b", 1, "no text"),
        ] {
            let broken = parse(text).map(|_| ()).unwrap_err();
            assert!(broken.message.contains(hint) && broken.line.abs_diff(line) <= 1, "{text}: {broken:?}");
        }
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = format!("*a{}", level - 1);
            laughs.push_str(&format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", ")));
        }
        assert!(parse(&laughs).map(|_| ()).unwrap_err().message.contains("too much"));
        assert!(parse(&"[".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\\n]{0,60}", yaml in "[-a-c:&*<>|?!#%@`'\"{}\\[\\], \\n]{0,60}") {
            let _ = (parse(&text).is_ok(), parse(&yaml).is_ok());
        }
    }
}
