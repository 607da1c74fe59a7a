//! Terminal input bytes → crossterm's event types. Pure.
//!
//! Our own decoder, because crossterm's reader blocks inside an unfinished sequence, leaves the rest of a long paste
//! unread until the next key, and spins when the terminal is gone
//! (<https://github.com/crossterm-rs/crossterm/issues/793>). Sequences: xterm's control sequences ("PC-style function
//! keys", SGR mouse, bracketed paste, focus) and the kitty keyboard protocol's `CSI … u`.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::report::{mouse, named, numbers, pressed};

/// The longest paste that is kept. More is dropped: no field of this program takes it.
const PASTE_LIMIT: usize = 64 * 1024;

/// The longest control sequence; what is longer is not one.
const SEQUENCE_LIMIT: usize = 64;

/// How long an unfinished sequence may take: then a lone ESC is the key, for a person pressed it.
const SEQUENCE_REST: Duration = Duration::from_millis(30);

/// How long a paste may pause. Longer than any link's hiccup: what follows the pause is taken for keys.
const PASTE_REST: Duration = Duration::from_secs(3);

const PASTE_END: &[u8] = b"\x1b[201~";

/// The bytes that are not an event yet.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
}

enum Step {
    /// More bytes are needed.
    Need,
    /// So many bytes were read; they may have meant something.
    Read(usize, Option<Event>),
    /// A paste begins behind so many bytes.
    Paste(usize),
}

impl Decoder {
    /// Adds bytes and takes out the events that are complete.
    pub(super) fn feed(&mut self, bytes: &[u8], events: &mut impl Extend<Event>) {
        self.pending.extend_from_slice(bytes);
        self.decode(events);
    }

    /// After how much silence [`Decoder::settle`] is due; `None` when nothing is unfinished.
    pub(super) fn rest(&self) -> Option<Duration> {
        match (&self.paste, self.pending.is_empty()) {
            (Some(_), _) => Some(PASTE_REST),
            (None, false) => Some(SEQUENCE_REST),
            (None, true) => None,
        }
    }

    /// Nothing came for [`Decoder::rest`]: what is unfinished is read as what it would be alone.
    pub(super) fn settle(&mut self, events: &mut impl Extend<Event>) {
        if self.paste.take().is_some() {
            // A paste without an end is not trusted: its text is dropped, not typed.
            self.pending.clear();
        }
        while !self.pending.is_empty() {
            if let [0x1b, rest @ ..] = self.pending.as_slice() {
                let (count, event) = match rest {
                    [byte] if byte.is_ascii_graphic() => (2, key(KeyCode::Char(char::from(*byte)), KeyModifiers::ALT)),
                    _ => (1, key(KeyCode::Esc, KeyModifiers::NONE)),
                };
                // A broken sequence is no typing: only a lone ESC or ESC and one character are keys.
                let count = if rest.len() > 1 { self.pending.len() } else { count };
                events.extend((count < 3).then_some(event));
                self.pending.drain(..count.min(self.pending.len()));
            } else {
                self.pending.remove(0);
            }
            self.decode(events);
        }
    }

    fn decode(&mut self, events: &mut impl Extend<Event>) {
        let mut read = 0;
        while read < self.pending.len() || self.paste.is_some() {
            if let Some(text) = &mut self.paste {
                let rest = &self.pending[read..];
                let Some(end) = rest.windows(PASTE_END.len()).position(|window| window == PASTE_END) else {
                    // The end may be cut in two: its first bytes stay.
                    let sure = rest.len().saturating_sub(PASTE_END.len() - 1);
                    append(text, &rest[..sure]);
                    read += sure;
                    break;
                };
                append(text, &rest[..end]);
                read += end + PASTE_END.len();
                let text = self.paste.take().unwrap_or_default();
                events.extend([Event::Paste(String::from_utf8_lossy(&text).into_owned())]);
                continue;
            }
            match step(&self.pending[read..]) {
                Step::Need => break,
                Step::Read(count, event) => {
                    read += count;
                    events.extend(event);
                }
                Step::Paste(count) => {
                    read += count;
                    self.paste = Some(Vec::new());
                }
            }
        }
        self.pending.drain(..read);
    }
}

fn append(text: &mut Vec<u8>, more: &[u8]) {
    let room = PASTE_LIMIT.saturating_sub(text.len());
    text.extend_from_slice(&more[..more.len().min(room)]);
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

/// Reads one event from the front of `bytes`, which is not empty.
fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] => Step::Need,
        [0x1b, b'[', rest @ ..] => sequence(rest),
        [0x1b, b'O'] => Step::Need,
        [0x1b, b'O', end, ..] => Step::Read(3, application(*end)),
        // A second ESC begins anew: the first was a key.
        [0x1b, 0x1b, ..] => Step::Read(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [0x1b, rest @ ..] => match plain(rest) {
            Step::Read(count, Some(Event::Key(event))) => Step::Read(count + 1, Some(key(event.code, event.modifiers | KeyModifiers::ALT))),
            Step::Read(count, other) => Step::Read(count + 1, other),
            Step::Need => Step::Need,
            Step::Paste(count) => Step::Paste(count + 1),
        },
        _ => plain(bytes),
    }
}

/// A character or a control byte.
fn plain(bytes: &[u8]) -> Step {
    let Some(&first) = bytes.first() else { return Step::Need };
    let ctrl = |c: u8| key(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    let event = match first {
        b'\r' => key(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => key(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => key(KeyCode::Backspace, KeyModifiers::NONE),
        0 => ctrl(b' '),
        0x01..=0x1a => ctrl(first - 1 + b'a'),
        0x1b => key(KeyCode::Esc, KeyModifiers::NONE),
        0x1c..=0x1f => ctrl(first - 0x1c + b'4'),
        0x20..=0x7e => return Step::Read(1, Some(character(char::from(first)))),
        _ => return wide(bytes),
    };
    Step::Read(1, Some(event))
}

fn character(c: char) -> Event {
    key(KeyCode::Char(c), if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE })
}

/// A character of several UTF-8 bytes; an invalid byte is dropped.
fn wide(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Read(1, None),
    };
    let have = &bytes[..bytes.len().min(length)];
    match std::str::from_utf8(have) {
        Ok(text) => Step::Read(length, text.chars().next().filter(|c| !c.is_control()).map(character)),
        Err(error) if error.error_len().is_none() && have.len() < length => Step::Need,
        Err(_) => Step::Read(1, None),
    }
}

/// `ESC O x`: cursor and keypad keys in application mode.
fn application(end: u8) -> Option<Event> {
    let code = match end {
        b'M' => KeyCode::Enter,
        _ => named(end)?,
    };
    Some(key(code, KeyModifiers::NONE))
}

/// What follows `ESC [`.
fn sequence(rest: &[u8]) -> Step {
    // The Linux console's F1 to F5.
    if let [b'[', end, ..] = rest {
        let code = (b'A'..=b'E').contains(end).then(|| KeyCode::F(end - b'A' + 1));
        return Step::Read(4, code.map(|code| key(code, KeyModifiers::NONE)));
    }
    if rest == b"[" {
        return Step::Need;
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return if rest.len() > SEQUENCE_LIMIT { Step::Read(rest.len() + 2, None) } else { Step::Need };
    };
    let (body, last) = (&rest[..end], rest[end]);
    if !(0x40..=0x7e).contains(&last) {
        // A control or a foreign byte breaks the sequence off, and is read by itself.
        return Step::Read(end + 2, None);
    }
    let count = end + 3;
    let event = match (body, last) {
        (b"200", b'~') => return Step::Paste(count),
        (b"", b'I') => Some(Event::FocusGained),
        (b"", b'O') => Some(Event::FocusLost),
        ([b'<', report @ ..], b'M' | b'm') => mouse(&numbers(report), last == b'm'),
        _ => pressed(&numbers(body), last),
    };
    Step::Read(count, event)
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEventKind;
    use proptest::prelude::*;

    use super::*;

    fn events(bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        decoder.feed(bytes, &mut events);
        decoder.settle(&mut events);
        assert!(decoder.rest().is_none(), "settled");
        events
    }

    /// Events as a short text: `ctrl+c`, `[Down Left 3,4]`, `paste "x"`.
    fn told(bytes: &[u8]) -> String {
        let one = |event: Event| match event {
            Event::Key(key) => {
                let mut name: String = key.modifiers.iter_names().map(|(name, _)| format!("{}+", name.to_lowercase())).collect();
                name += &match key.code {
                    KeyCode::Char(c) => c.to_string(),
                    KeyCode::F(n) => format!("F{n}"),
                    other => format!("{other:?}"),
                };
                if key.kind == KeyEventKind::Repeat { name + "*" } else { name }
            }
            Event::Mouse(mouse) => format!("[{:?} {},{}]", mouse.kind, mouse.column, mouse.row),
            Event::Paste(text) => format!("paste {text:?}"),
            other => format!("{other:?}"),
        };
        events(bytes).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys() {
        let cases: &[(&[u8], &str)] = &[
            (b"aZ9?", "a shift+Z 9 ?"),
            ("ñ日".as_bytes(), "ñ 日"),
            (b"\r\n\t\x7f\x00\x03\x1a\x1c", "Enter control+j Tab Backspace control+  control+c control+z control+4"),
            (b"\x1b", "Esc"),
            (b"\x1b\x1b", "Esc Esc"),
            (b"\x1bx\x1b[A", "alt+x Up"),
            (b"\x1b\x1b[B", "Esc Down"),
            (b"\x1b[", "alt+["),
            (b"\x1bO", "alt+O"),
            (b"\x1bOP\x1bOA\x1b[15~\x1b[24~\x1b[34~\x1b[[C", "F1 Up F5 F12 F20 F3"),
            (b"\x1b[1;5C\x1b[3;2~\x1b[Z\x1b[H\x1b[4~", "control+Right shift+Delete shift+BackTab Home End"),
            (b"\x1b[27u\x1b[97;5u\x1b[97;2u\x1b[9;2u\x1b[97;1:3u\x1b[106;1:2u", "Esc control+a shift+A shift+BackTab j*"),
            (b"\x1b[I\x1b[O", "FocusGained FocusLost"),
            (b"\x1b[<0;4;5M\x1b[<0;4;5m\x1b[<32;5;5M\x1b[<65;1;1M", "[Down(Left) 3,4] [Up(Left) 3,4] [Drag(Left) 4,4] [ScrollDown 0,0]"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(told(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_no_key() {
        for bytes in [
            &b"\x1b[12;40R"[..],
            b"\x1b[?62;22c",
            b"\x1b[?1u",
            b"\x1b[201~",
            b"\x1b[99999999999~",
            b"\x1b[<0;0;0M",
            b"\xff\xfe",
            b"\x1b[1;2",
        ] {
            assert_eq!(told(bytes), "", "{bytes:?}");
        }
    }

    #[test]
    fn a_paste_is_text_whatever_it_holds() {
        let text = "q\r\x1b[A\x03 ü\n".repeat(1000);
        let mut bytes = b"a\x1b[200~".to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(b"\x1b[201~b");
        let seen = events(&bytes);
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[1], Event::Paste(text));
        // Without its end it is dropped: it must not run as keys.
        assert_eq!(told(b"\x1b[200~rm -rf"), "");
    }

    const PARTS: &[&[u8]] = &[
        b"a",
        b"\x1b[A",
        b"\x1b[1;5C",
        b"\x1b[200~x\x1b[A\x1b[201~",
        "日".as_bytes(),
        b"\x1b[<0;10;20M",
        b"\x1bOP",
        b"\x1b[97;5u",
        b"\x1bx",
    ];

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(
            parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..12),
            cuts in proptest::collection::vec(1usize..7, 1..40),
        ) {
            let bytes = parts.concat();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.feed(now, &mut seen);
                rest = later;
            }
            decoder.settle(&mut seen);
            prop_assert_eq!(seen, events(&bytes));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(prop_oneof![Just(0x1b), Just(b'['), Just(b';'), any::<u8>()], 0..200)) {
            events(&bytes);
        }
    }
}
