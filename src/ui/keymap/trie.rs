//! The keys of one context as a tree, so that a half-typed chord knows what may follow.

use indexmap::IndexMap;

use super::key::{Key, show};
use crate::action::Action;

/// One binding of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it runs.
    pub action: Action,
    /// The keys, one after the other.
    pub keys: Vec<Key>,
    /// The keys as hints show them: `^P`, `g g`.
    pub shown: String,
    /// The file's own words for it; `None`: the catalogue's.
    pub desc: Option<String>,
}

impl Binding {
    pub(super) fn new(action: Action, keys: Vec<Key>, desc: Option<String>) -> Self {
        Self { action, shown: show(&keys), keys, desc }
    }

    /// One line about it.
    pub fn doc(&self) -> &str {
        self.desc.as_deref().unwrap_or(self.action.row().doc)
    }
}

/// A node: a binding, or the keys that lead on.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Binding),
    Branch(IndexMap<Key, Node>),
}

/// The tree of one context. Keys keep the order of the file, so that menus and help do.
#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    root: IndexMap<Key, Node>,
}

impl Trie {
    /// Adds a binding. In one context no binding may be the beginning of another: a key press must have one meaning
    /// without waiting for a clock. What stood in the way is taken out and handed back.
    pub fn insert(&mut self, binding: Binding) -> Vec<Binding> {
        let mut displaced = Vec::new();
        let mut level = &mut self.root;
        let keys = binding.keys.clone();
        let Some((last, path)) = keys.split_last() else { return displaced };
        for key in path {
            let next = level.entry(*key).or_insert_with(|| Node::Branch(IndexMap::new()));
            if let Node::Leaf(shorter) = next {
                displaced.push(shorter.clone());
                *next = Node::Branch(IndexMap::new());
            }
            match next {
                Node::Branch(inner) => level = inner,
                Node::Leaf(_) => return displaced,
            }
        }
        if let Some(old) = level.insert(*last, Node::Leaf(binding)) {
            old.collect(&mut displaced);
        }
        displaced
    }

    /// Takes out the binding of exactly these keys, and branches that it leaves empty. False: there was none.
    pub fn remove(&mut self, keys: &[Key]) -> bool {
        fn prune(level: &mut IndexMap<Key, Node>, keys: &[Key]) -> bool {
            let Some((first, rest)) = keys.split_first() else { return false };
            match level.get_mut(first) {
                Some(Node::Leaf(_)) if rest.is_empty() => level.shift_remove(first).is_some(),
                Some(Node::Branch(inner)) => {
                    let removed = prune(inner, rest);
                    if inner.is_empty() {
                        level.shift_remove(first);
                    }
                    removed
                }
                Some(Node::Leaf(_)) | None => false,
            }
        }
        prune(&mut self.root, keys)
    }

    /// The node at the end of `keys`.
    pub fn find(&self, keys: &[Key]) -> Option<&Node> {
        let (first, rest) = keys.split_first()?;
        let mut node = self.root.get(first)?;
        for key in rest {
            match node {
                Node::Branch(inner) => node = inner.get(key)?,
                Node::Leaf(_) => return None,
            }
        }
        Some(node)
    }

    /// Whether this context decides what `keys` mean, so that a farther context's binding of them never runs.
    pub fn hides(&self, keys: &[Key]) -> bool {
        (1..=keys.len()).any(|length| matches!(keys.get(..length).and_then(|part| self.find(part)), Some(Node::Leaf(_))))
            || self.find(keys).is_some()
    }

    /// Every binding, in file order.
    pub fn bindings(&self) -> Vec<&Binding> {
        let mut out = Vec::new();
        self.root.values().for_each(|node| node.walk(&mut out));
        out
    }
}

impl Node {
    fn walk<'a>(&'a self, out: &mut Vec<&'a Binding>) {
        match self {
            Self::Leaf(binding) => out.push(binding),
            Self::Branch(inner) => inner.values().for_each(|node| node.walk(out)),
        }
    }

    fn collect(self, out: &mut Vec<Binding>) {
        match self {
            Self::Leaf(binding) => out.push(binding),
            Self::Branch(inner) => inner.into_values().for_each(|node| node.collect(out)),
        }
    }
}
