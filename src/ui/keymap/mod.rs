//! Which key runs which action, where: loaded from a file, asked at every key press, and read backwards for hints.
//!
//! Owns the trees of keys, one per context. It must not run anything, and it knows no clock: a chord waits for its
//! next key as long as it takes, while its menu is shown.

mod error;
mod key;
mod listing;
mod load;
mod trie;

use std::collections::BTreeMap;

pub use error::{KeymapError, KeymapFault};
pub use key::{Key, KeyError};
pub use listing::{KeyRow, listing, markdown};
pub use load::{BUILT_IN, load, names};
pub use trie::Binding;
use trie::{Node, Trie};

use crate::action::{Action, Context};

/// A loaded keymap.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    name: String,
    contexts: BTreeMap<Context, Trie>,
}

/// The keys of a chord typed so far. Empty: none is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    keys: Vec<Key>,
}

impl Pending {
    /// Whether a chord is half typed.
    pub fn is_open(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The keys typed so far, as hints show them.
    pub fn shown(&self) -> String {
        key::show(&self.keys)
    }

    /// Forgets the half-typed chord.
    pub fn cancel(&mut self) {
        self.keys.clear();
    }
}

/// One line of the menu of a half-typed chord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// The next key.
    pub key: String,
    /// What it runs; `None`: it leads on to more keys.
    pub action: Option<Action>,
    /// One line about it.
    pub doc: String,
}

/// What a key press means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// Run this.
    Action(Action),
    /// A chord is half typed: show what may follow.
    Pending(Vec<MenuEntry>),
    /// Nothing is bound to it; in a text layer it is typed text.
    Unbound,
    /// It ended a half-typed chord without meaning anything: the key is spent, and must not be taken as text.
    Aborted,
}

/// A binding as help lists it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The context that binds it.
    pub context: Context,
    /// The binding.
    pub binding: &'a Binding,
    /// The nearer context that gives its keys another meaning, so that it never runs here.
    pub hidden_by: Option<Context>,
}

impl Keymap {
    /// Its name, without `.toml`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `key` means in `contexts`, nearest first (see [`Context::focus`]).
    ///
    /// A nearer context's binding hides a farther one's; menus of a chord that several contexts continue are shown as
    /// one. In a context that takes text, a key that [edits text](Key::edits_text) is the line's, unless that very
    /// context binds it: the farther ones are not asked, so that backspace never runs what it means in a table.
    pub fn press(&self, pending: &mut Pending, contexts: &[Context], key: Key) -> Press {
        let fresh = !pending.is_open();
        let contexts = match contexts {
            [nearest, ..] if fresh && nearest.takes_text() && key.edits_text() => &contexts[..1],
            all => all,
        };
        pending.keys.push(key);
        let mut menu: Vec<MenuEntry> = Vec::new();
        for node in contexts.iter().filter_map(|context| self.contexts.get(context)?.find(&pending.keys)) {
            match node {
                Node::Leaf(binding) if menu.is_empty() => {
                    pending.cancel();
                    return Press::Action(binding.action);
                }
                // A nearer context continues the chord: the farther, shorter binding is hidden.
                Node::Leaf(_) => {}
                Node::Branch(next) => {
                    for (key, node) in next {
                        let entry = menu_entry(*key, node);
                        if menu.iter().all(|known| known.key != entry.key) {
                            menu.push(entry);
                        }
                    }
                }
            }
        }
        match (menu.is_empty(), fresh) {
            (false, _) => Press::Pending(menu),
            (true, true) => {
                pending.cancel();
                Press::Unbound
            }
            (true, false) => {
                pending.cancel();
                Press::Aborted
            }
        }
    }

    /// The keys that run `action` in `contexts`, as hints show them: the first of the file that nothing hides.
    pub fn reverse(&self, action: Action, contexts: &[Context]) -> Option<&str> {
        contexts.iter().enumerate().find_map(|(distance, context)| {
            let bindings = self.contexts.get(context)?.bindings();
            let mut own = bindings.into_iter().filter(|binding| binding.action == action);
            own.find(|binding| self.hidden_by(binding, contexts, distance).is_none()).map(|binding| binding.shown.as_str())
        })
    }

    /// Every binding of `contexts`, nearest first, with what hides it.
    pub fn listed(&self, contexts: &[Context]) -> Vec<Listed<'_>> {
        let mut out = Vec::new();
        for (distance, context) in contexts.iter().enumerate() {
            let Some(trie) = self.contexts.get(context) else { continue };
            out.extend(trie.bindings().into_iter().map(|binding| Listed {
                context: *context,
                binding,
                hidden_by: self.hidden_by(binding, contexts, distance),
            }));
        }
        out
    }

    fn hidden_by(&self, binding: &Binding, contexts: &[Context], distance: usize) -> Option<Context> {
        let typed = binding.keys.first().is_some_and(|key| key.edits_text());
        if let Some(nearest) = contexts.first().filter(|nearest| distance > 0 && typed && nearest.takes_text()) {
            return Some(*nearest);
        }
        contexts.iter().take(distance).copied().find(|nearer| self.contexts.get(nearer).is_some_and(|trie| trie.hides(&binding.keys)))
    }
}

fn menu_entry(key: Key, node: &Node) -> MenuEntry {
    match node {
        Node::Leaf(binding) => MenuEntry { key: key.to_string(), action: Some(binding.action), doc: binding.doc().to_owned() },
        Node::Branch(next) => MenuEntry { key: key.to_string(), action: None, doc: format!("{} more keys", next.len()) },
    }
}

#[cfg(test)]
mod tests;
