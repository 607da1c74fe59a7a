//! The keymap as rows: for `quarterdeck keys` and for the table in the documentation.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Keymap, trie::Binding};
use crate::action::{Action, Confirm, Context, Need};

/// One row of `quarterdeck keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// The context that binds it.
    pub context: &'static str,
    /// The keys; empty: no key, only the palette.
    pub keys: String,
    /// The action's id.
    pub action: &'static str,
    /// One line about it.
    pub doc: String,
}

/// Every binding by context, then every action without a key.
pub fn listing(keymap: &Keymap) -> Vec<KeyRow> {
    let mut rows: Vec<KeyRow> = Context::ALL
        .iter()
        .flat_map(|context| keymap.listed(&[*context]))
        .map(|listed| KeyRow {
            context: listed.context.name(),
            keys: listed.binding.shown.clone(),
            action: listed.binding.action.id(),
            doc: listed.binding.doc().to_owned(),
        })
        .collect();
    let bare: Vec<KeyRow> = Action::ALL
        .iter()
        .map(|action| action.row())
        .filter(|row| rows.iter().all(|bound| bound.action != row.id))
        .map(|row| KeyRow { context: row.context.name(), keys: String::new(), action: row.id, doc: row.doc.to_owned() })
        .collect();
    rows.extend(bare);
    rows
}

/// The catalogue as a Markdown table, with the keys of `keymap`.
pub fn markdown(keymap: &Keymap) -> String {
    let mut out = String::from("| Action | Keys | Where | What it does |\n|---|---|---|---|\n");
    for row in Action::ALL.iter().map(|action| action.row()) {
        let mut keys: Vec<String> = Vec::new();
        for listed in Context::ALL.iter().flat_map(|context| keymap.listed(&[*context])) {
            let shown = code(listed.binding);
            if listed.binding.action == row.action && !keys.contains(&shown) {
                keys.push(shown);
            }
        }
        let question = match (row.need, row.confirm) {
            (Need::View, _) => "",
            (Need::Act, Confirm::Never) => " Needs the right to act.",
            (Need::Act, Confirm::Ask) => " Needs the right to act; asks first.",
            (Need::Act, Confirm::TypeName) => " Needs the right to act; wants the name typed.",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| `{}` | {} | {} | {}{question} |", row.id, keys.join(" "), row.context, row.doc);
    }
    out
}

fn code(binding: &Binding) -> String {
    format!("`{}`", binding.shown.replace('|', "\\|"))
}
