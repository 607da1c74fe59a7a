//! One key press, as a keymap writes it (`ctrl-p`, `G`, `space`) and as the screen shows it (`^P`, `G`, `space`).

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use thiserror::Error;

use crate::text::nearest;

/// A key with its modifiers, in the one form that both the file and the terminal are brought to: shift is part of the
/// character (`G`, `?`), except together with ctrl, where terminals report letters in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("an empty key: write a key such as \"x\", \"ctrl-p\" or \"g g\"")]
    Empty,
    /// A word that names no key.
    #[error("unknown key {name:?}{}", nearest.map(|n| format!(" (did you mean {n:?}?)")).unwrap_or_default())]
    Unknown {
        /// As written.
        name: String,
        /// The known word most like it.
        nearest: Option<&'static str>,
    },
}

/// The words for keys that are no single character; the first word of a code is the one shown.
const WORDS: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("del", KeyCode::Delete),
    ("delete", KeyCode::Delete),
    ("ins", KeyCode::Insert),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pageup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("pagedown", KeyCode::PageDown),
    ("minus", KeyCode::Char('-')),
    ("f1", KeyCode::F(1)),
    ("f2", KeyCode::F(2)),
    ("f3", KeyCode::F(3)),
    ("f4", KeyCode::F(4)),
    ("f5", KeyCode::F(5)),
    ("f6", KeyCode::F(6)),
    ("f7", KeyCode::F(7)),
    ("f8", KeyCode::F(8)),
    ("f9", KeyCode::F(9)),
    ("f10", KeyCode::F(10)),
    ("f11", KeyCode::F(11)),
    ("f12", KeyCode::F(12)),
];

const MODIFIERS: &[(&str, KeyModifiers)] =
    &[("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)];

impl Key {
    /// The key of that code and modifiers, in the one form.
    pub fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers = modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match code {
            KeyCode::BackTab => {
                modifiers.insert(KeyModifiers::SHIFT);
                KeyCode::Tab
            }
            KeyCode::Char('\r' | '\n') => KeyCode::Enter,
            KeyCode::Char(' ') => code,
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) => {
                let shifted = modifiers.contains(KeyModifiers::SHIFT);
                modifiers.remove(KeyModifiers::SHIFT);
                KeyCode::Char(if shifted { c.to_ascii_uppercase() } else { c })
            }
            other => other,
        };
        Self { code, modifiers }
    }

    /// The key that `text` names: modifiers `ctrl-`, `alt-`, `shift-` before a character or a word.
    ///
    /// # Errors
    /// [`KeyError`] with the nearest known word.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        while let Some((prefix, modifier)) = MODIFIERS.iter().find(|(prefix, _)| rest.len() > prefix.len() && rest.starts_with(prefix)) {
            rest = rest.get(prefix.len()..).unwrap_or_default();
            modifiers.insert(*modifier);
        }
        let mut chars = rest.chars();
        let code =
            match (chars.next(), chars.next()) {
                (None, _) => return Err(KeyError::Empty),
                (Some(c), None) if !c.is_control() && !c.is_whitespace() => KeyCode::Char(c),
                _ => WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(rest)).map(|(_, code)| *code).ok_or_else(|| {
                    KeyError::Unknown { name: text.to_owned(), nearest: nearest(rest, WORDS.iter().map(|(word, _)| *word)) }
                })?,
            };
        Ok(Self::new(code, modifiers))
    }

    /// The keys of a sequence, separated by white space: `g g`.
    ///
    /// # Errors
    /// As [`Key::parse`], for its first wrong key.
    pub fn parse_sequence(text: &str) -> Result<Vec<Self>, KeyError> {
        let keys = text.split_whitespace().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(keys) }
    }

    /// Whether typing it writes a character: no ctrl, no alt.
    pub fn is_plain_character(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }

    /// Whether a line of text wants it: plain characters, the cursor keys along the line, and the shell's ctrl and alt
    /// keys for editing. Moving up and down, enter, esc and tab are not the line's.
    pub fn edits_text(self) -> bool {
        match self.code {
            KeyCode::Backspace | KeyCode::Delete | KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End => true,
            KeyCode::Char(c) if self.modifiers == KeyModifiers::CONTROL => matches!(c, 'a' | 'b' | 'd' | 'e' | 'f' | 'h' | 'k' | 'u' | 'w'),
            KeyCode::Char(c) if self.modifiers == KeyModifiers::ALT => matches!(c, 'b' | 'd' | 'f'),
            _ => self.is_plain_character(),
        }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        Self::new(event.code, event.modifiers)
    }
}

/// As hints show it: `^P`, `alt-x`, `shift-tab`, `space`, `G`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            f.write_str("shift-")?;
        }
        let control = self.modifiers.contains(KeyModifiers::CONTROL);
        match self.code {
            KeyCode::Char(c) if c != ' ' && control => write!(f, "^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) if c != ' ' => write!(f, "{c}"),
            code => {
                if control {
                    f.write_str("ctrl-")?;
                }
                match WORDS.iter().find(|(_, known)| *known == code) {
                    Some((word, _)) => f.write_str(word),
                    None => write!(f, "{code}"),
                }
            }
        }
    }
}

/// A sequence as hints show it: `g g`.
pub(super) fn show(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_is_what_the_terminal_sends() {
        use KeyModifiers as M;
        let cases = [
            ("ctrl-p", KeyEvent::new(KeyCode::Char('p'), M::CONTROL), "^P"),
            ("ctrl-P", KeyEvent::new(KeyCode::Char('p'), M::CONTROL), "^P"),
            ("G", KeyEvent::new(KeyCode::Char('G'), M::SHIFT), "G"),
            ("shift-g", KeyEvent::new(KeyCode::Char('G'), M::NONE), "G"),
            ("?", KeyEvent::new(KeyCode::Char('?'), M::SHIFT), "?"),
            ("shift-tab", KeyEvent::new(KeyCode::BackTab, M::SHIFT), "shift-tab"),
            ("space", KeyEvent::new(KeyCode::Char(' '), M::NONE), "space"),
            ("ctrl-space", KeyEvent::new(KeyCode::Char(' '), M::CONTROL), "ctrl-space"),
            ("alt-x", KeyEvent::new(KeyCode::Char('x'), M::ALT), "alt-x"),
            ("Enter", KeyEvent::new(KeyCode::Enter, M::NONE), "enter"),
            ("pagedown", KeyEvent::new(KeyCode::PageDown, M::NONE), "pgdn"),
            ("-", KeyEvent::new(KeyCode::Char('-'), M::NONE), "-"),
            ("ctrl--", KeyEvent::new(KeyCode::Char('-'), M::CONTROL), "^-"),
            ("f5", KeyEvent::new(KeyCode::F(5), M::NONE), "f5"),
            ("é", KeyEvent::new(KeyCode::Char('é'), M::NONE), "é"),
        ];
        for (text, event, shown) in cases {
            let key = Key::parse(text).unwrap();
            assert_eq!(key, Key::from(event), "{text}");
            assert_eq!(key.to_string(), shown);
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(Key::parse("entre").unwrap_err().to_string(), "unknown key \"entre\" (did you mean \"enter\"?)");
        assert_eq!(Key::parse("ctrl-").unwrap_err().to_string(), "unknown key \"ctrl-\"");
        assert_eq!(Key::parse_sequence("  "), Err(KeyError::Empty));
    }
}
