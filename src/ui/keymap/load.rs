//! From a keymap file to a [`Keymap`]: inheritance, and every mistake found before the first key is pressed.

use std::{ops::Range, path::Path};

use toml::de::DeValue;

use super::{
    Keymap,
    error::{KeymapError, KeymapFault},
    key::Key,
    trie::{Binding, Node, Trie},
};
use crate::{
    action::{Action, Context},
    text::nearest,
    ui::datafile::{DataFile, Place, Shelf, kind},
};

/// The keymaps inside the program: name and text. A new one is a file and a row here.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../../keymaps/default.toml")),
    ("vim", include_str!("../../../keymaps/vim.toml")),
    ("k9s", include_str!("../../../keymaps/k9s.toml")),
];

/// What no keymap may lack: the action, and what nobody could do without it.
const WAYS_OUT: &[(Action, &str)] = &[(Action::AppQuit, "leave the console"), (Action::LayerClose, "close what is open")];

const VALUE: &str = "an action such as \"app.quit\", false to unbind, or { action = \"…\", desc = \"…\" }";

/// Loads the keymap `name`: `DIR/NAME.toml` when it is there, else the built-in one.
///
/// The console must start whatever the file says: with an error comes the built-in default keymap.
pub fn load(name: &str, dir: Option<&Path>) -> (Keymap, Option<KeymapError>) {
    let shelf = Shelf { built_in: BUILT_IN, dir };
    let fallback = || {
        let built_in = Shelf { built_in: BUILT_IN, dir: None };
        // The built-in keymaps are loaded by a test; a keymap without keys is what remains if that test is ignored.
        find(&built_in, "default", None).and_then(|file| read(&built_in, &file, &mut Vec::new())).unwrap_or_default()
    };
    match find(&shelf, name, None).and_then(|file| {
        let keymap = read(&shelf, &file, &mut Vec::new())?;
        check(&keymap, &file).map(|()| keymap)
    }) {
        Ok(keymap) => (keymap, None),
        Err(error) => (fallback(), Some(error)),
    }
}

/// The names that [`load`] knows, the person's own ones last.
pub fn names(dir: Option<&Path>) -> Vec<String> {
    Shelf { built_in: BUILT_IN, dir }.names()
}

fn find(shelf: &Shelf<'_>, name: &str, child: Option<(&DataFile, &Range<usize>)>) -> Result<DataFile, KeymapError> {
    let found = match child {
        Some((child, _)) => shelf.parent(child, name),
        None => shelf.find(name),
    };
    let at = || child.map(|(file, span)| file.at(span)).unwrap_or(Place { file: "keymap".to_owned(), line: None });
    match found {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            let known = shelf.names();
            let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            Err(KeymapError { at: at(), fault: KeymapFault::Missing { name: name.to_owned(), nearest, known: known.join(", ") } })
        }
        Err((path, error)) => Err(KeymapError {
            at: Place { file: path.display().to_string(), line: None },
            fault: KeymapFault::Unreadable { reason: error.to_string() },
        }),
    }
}

fn read(shelf: &Shelf<'_>, file: &DataFile, open: &mut Vec<(String, bool)>) -> Result<Keymap, KeymapError> {
    open.push((file.name.clone(), file.built_in));
    let table = file.parse().map_err(|(at, reason)| KeymapError { at, fault: KeymapFault::Syntax { reason } })?;
    let mut keymap = Keymap::default();
    if let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == "inherits") {
        let span = value.span();
        let fail = |fault| KeymapError { at: file.at(&span), fault };
        let DeValue::String(name) = value.get_ref() else {
            let found = format!("inherits is {}", kind(value.get_ref()));
            return Err(fail(KeymapFault::Shape { found, expected: "the name of a keymap" }));
        };
        let parent = find(shelf, name, Some((file, &span)))?;
        if open.contains(&(parent.name.clone(), parent.built_in)) {
            return Err(fail(KeymapFault::Circle { name: parent.name }));
        }
        keymap = read(shelf, &parent, open)?;
    }
    keymap.name.clone_from(&file.name);
    for (name, value) in table.iter().filter(|(key, _)| key.get_ref() != "inherits") {
        let context = Context::parse(name.get_ref()).map_err(|error| KeymapError { at: file.at(&name.span()), fault: error.into() })?;
        let DeValue::Table(rows) = value.get_ref() else {
            let found = format!("{context} is {}", kind(value.get_ref()));
            let fault = KeymapFault::Shape { found, expected: "a table of keys" };
            return Err(KeymapError { at: file.at(&value.span()), fault });
        };
        // The file's own bindings first among themselves, where a clash is a mistake; then over what is inherited,
        // where it is the purpose.
        let mut own = Trie::default();
        let inherited = keymap.contexts.entry(context).or_default();
        let mut unbound: Vec<Vec<Key>> = Vec::new();
        for (text, value) in rows {
            let fail = |fault| KeymapError { at: file.at(&text.span()), fault };
            let keys = Key::parse_sequence(text.get_ref()).map_err(|error| fail(error.into()))?;
            match binding(context, keys, value.get_ref()).map_err(fail)? {
                Row::Bind(binding) => insert(&mut own, context, binding).map_err(fail)?,
                Row::Unbind(keys) => {
                    if !inherited.remove(&keys) {
                        return Err(fail(KeymapFault::NothingToUnbind { keys: super::key::show(&keys), context }));
                    }
                    unbound.push(keys);
                }
            }
        }
        if let Some(both) = unbound.iter().find(|keys| own.find(keys).is_some()) {
            let keys = super::key::show(both);
            let span =
                rows.iter().find(|(text, _)| Key::parse_sequence(text.get_ref()).is_ok_and(|k| k == **both)).map(|(text, _)| text.span());
            let second = match own.find(both) {
                Some(Node::Leaf(binding)) => binding.action.id().to_owned(),
                Some(Node::Branch(_)) | None => "more keys".to_owned(),
            };
            let at = span.map_or_else(|| file.place(), |span| file.at(&span));
            return Err(KeymapError { at, fault: KeymapFault::Twice { keys, context, first: "false".to_owned(), second } });
        }
        for binding in own.bindings() {
            inherited.insert(binding.clone());
        }
    }
    Ok(keymap)
}

enum Row {
    Bind(Binding),
    Unbind(Vec<Key>),
}

fn binding(context: Context, keys: Vec<Key>, value: &DeValue<'_>) -> Result<Row, KeymapFault> {
    let (id, desc) = match value {
        DeValue::Boolean(false) => return Ok(Row::Unbind(keys)),
        DeValue::String(id) => (id.as_ref(), None),
        DeValue::Table(fields) => {
            let mut id = None;
            let mut desc = None;
            for (name, value) in fields {
                let (DeValue::String(text), slot) = (value.get_ref(), name.get_ref().as_ref()) else {
                    return Err(KeymapFault::Shape { found: format!("{} is {}", name.get_ref(), kind(value.get_ref())), expected: VALUE });
                };
                match slot {
                    "action" => id = Some(text.as_ref()),
                    "desc" => desc = Some(crate::text::clean_line(text)),
                    other => return Err(KeymapFault::Shape { found: format!("unknown field {other:?}"), expected: VALUE }),
                }
            }
            let id = id.ok_or_else(|| KeymapFault::Shape { found: "no field \"action\"".to_owned(), expected: VALUE })?;
            (id, desc)
        }
        other => return Err(KeymapFault::Shape { found: format!("the value is {}", kind(other)), expected: VALUE }),
    };
    let action = Action::parse(id)?;
    if !action.holds_in(context) {
        return Err(KeymapFault::WrongPlace { action: action.id(), home: action.row().context, context });
    }
    if context.takes_text() && keys.first().is_some_and(|key| key.is_plain_character()) {
        return Err(KeymapFault::Typed { keys: super::key::show(&keys), context });
    }
    Ok(Row::Bind(Binding::new(action, keys, desc)))
}

fn insert(own: &mut Trie, context: Context, binding: Binding) -> Result<(), KeymapFault> {
    let (keys, action, length) = (binding.shown.clone(), binding.action, binding.keys.len());
    let displaced = own.insert(binding);
    let Some(other) = displaced.first() else { return Ok(()) };
    Err(match other.keys.len().cmp(&length) {
        std::cmp::Ordering::Equal => {
            KeymapFault::Twice { keys, context, first: other.action.id().to_owned(), second: action.id().to_owned() }
        }
        std::cmp::Ordering::Less => KeymapFault::Prefix { short: other.shown.clone(), long: keys, context },
        std::cmp::Ordering::Greater => KeymapFault::Prefix { short: keys, long: other.shown.clone(), context },
    })
}

fn check(keymap: &Keymap, file: &DataFile) -> Result<(), KeymapError> {
    let missing = WAYS_OUT.iter().find(|(action, _)| keymap.reverse(*action, &[Context::Global]).is_none());
    missing.map_or(Ok(()), |(action, why)| Err(KeymapError { at: file.place(), fault: KeymapFault::NoWayOut { action: action.id(), why } }))
}
