//! What a remote program left switched on in the terminal. Pure.
//!
//! A program that ends well puts the terminal back; one that is killed, or whose link breaks, does not. So its output is watched for what
//! it switches, and what is still on at the end is switched off: nothing else, because to leave a screen that was never entered moves the
//! cursor.

use std::collections::BTreeSet;

/// Private modes that programs switch on and off, and that a shell expects off.
const OFF: [u16; 15] = [1, 9, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004, 2026];
/// Those that it expects on: autowrap and the cursor.
const ON: [u16; 2] = [7, 25];
/// Longer sequences switch nothing.
const LIMIT: usize = 64;

/// Watches a program's output.
#[derive(Clone, Debug, Default)]
pub struct Residue {
    state: State,
    /// The parameters and the final of the sequence under way.
    sequence: Vec<u8>,
    /// Modes that are not as a shell expects them.
    odd: BTreeSet<u16>,
    margins: bool,
    keypad: bool,
    /// How many entries it has on the stack of kitty's keyboard protocol.
    keyboards: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Sequence,
}

impl Residue {
    /// Looks at the next piece of output, cut anywhere.
    pub fn watch(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Escape, b'[') => {
                    self.sequence.clear();
                    State::Sequence
                }
                (State::Escape, b'=' | b'>') => {
                    self.keypad = byte == b'=';
                    State::Ground
                }
                // RIS: a full reset.
                (State::Escape, b'c') => {
                    *self = Self::default();
                    State::Ground
                }
                (State::Sequence, 0x40..=0x7e) => {
                    self.take(byte);
                    State::Ground
                }
                (State::Sequence, 0x20..=0x3f) if self.sequence.len() < LIMIT => {
                    self.sequence.push(byte);
                    State::Sequence
                }
                (State::Ground | State::Escape | State::Sequence, _) => State::Ground,
            };
        }
    }

    fn take(&mut self, last: u8) {
        let text = String::from_utf8_lossy(&self.sequence).into_owned();
        match (text.strip_prefix('?'), last) {
            (Some(modes), b'h' | b'l') => {
                for mode in modes.split(';').filter_map(|mode| mode.parse::<u16>().ok()) {
                    let known = if last == b'h' { &OFF[..] } else { &ON[..] };
                    match known.contains(&mode) {
                        true => self.odd.insert(mode),
                        false => self.odd.remove(&mode),
                    };
                }
            }
            (None, b'r') => self.margins = !text.is_empty(),
            (None, b'u') if text.starts_with('>') => self.keyboards = self.keyboards.saturating_add(1),
            (None, b'u') if text.starts_with('<') => self.keyboards = self.keyboards.saturating_sub(1),
            _ => {}
        }
    }

    /// What puts the terminal back.
    pub fn undo(&self) -> String {
        let mut out = String::new();
        if self.state != State::Ground {
            // CAN ends the sequence that was cut.
            out.push('\x18');
        }
        for _ in 0..self.keyboards.min(8) {
            out.push_str("\x1b[<u");
        }
        if self.margins {
            // To reset the margins moves the cursor.
            out.push_str("\x1b7\x1b[r\x1b8");
        }
        if self.keypad {
            out.push_str("\x1b>");
        }
        for mode in &self.odd {
            out.push_str(&format!("\x1b[?{mode}{}", if ON.contains(mode) { 'h' } else { 'l' }));
        }
        out.push_str("\x1b[m");
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn left(output: &str) -> String {
        let mut residue = Residue::default();
        residue.watch(output.as_bytes());
        residue.undo()
    }

    #[test]
    fn only_what_is_still_on_is_switched_off() {
        for (output, expected) in [
            ("$ ls\r\n\x1b[31mred\x1b[0m", "\x1b[m"),
            ("\x1b[?1049h\x1b[?25lvim\x1b[?25h\x1b[?1049l", "\x1b[m"),
            ("\x1b[?1049h\x1b[?1;25l\x1b[2;10rvim", "\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?1049l\x1b[m"),
            ("\x1b[?1000;1006h\x1b[?2004h", "\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b[m"),
            ("\x1b[?7l\x1b=", "\x1b>\x1b[?7h\x1b[m"),
            ("\x1b[>1u\x1b[>1u\x1b[<u", "\x1b[<u\x1b[m"),
            ("\x1b[?104", "\x18\x1b[m"),
            ("\x1b[?1h\x1b[2;5r\x1b[r\x1b[?1l", "\x1b[m"),
        ] {
            assert_eq!(left(output), expected, "{output:?}");
        }
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(output in "(\x1b\\[\\??[0-9;]{0,6}[hlru]|\x1b[=>c7]|[a-z\x1b]){0,20}", cut in any::<prop::sample::Index>()) {
            let at = cut.index(output.len() + 1);
            let mut residue = Residue::default();
            residue.watch(&output.as_bytes()[..at]);
            residue.watch(&output.as_bytes()[at..]);
            prop_assert_eq!(residue.undo(), left(&output));
        }

        #[test]
        fn nothing_is_left_after_the_undo(output in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut residue = Residue::default();
            residue.watch(&output);
            let undo = residue.undo();
            residue.watch(undo.as_bytes());
            prop_assert_eq!(residue.undo(), "\x1b[m");
        }
    }
}
