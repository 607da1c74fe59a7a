//! From foreign bytes to text that a terminal shows and never obeys.
//!
//! Colours (SGR) become runs beside the text; every other escape sequence becomes one `␛`, so that one sees that something was there; a
//! sequence that does not end hides nothing: its bytes are shown. All text then passes [`text::clean_within`](crate::text::clean_within),
//! the one rule for foreign characters; bytes that are no UTF-8 are spelled `\xNN`; TAB becomes spaces up to the next multiple of 8 cells.
//! Plain ASCII, the normal case, is not copied.
//!
//! This reads sequences itself instead of through `vte`: a terminal's parser swallows an unfinished sequence with the rest of the line and
//! does not say so.

use std::borrow::Cow;

use super::frame::LINE_LIMIT;
use crate::text::{clean_within, width};

/// Cells from one tab stop to the next.
const TAB: usize = 8;
/// More changes of colour in one line than anybody can see; later ones are ignored.
const RUNS: usize = 4096;

/// A line's text with the colours it asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Styled<'a> {
    /// Harmless text.
    pub text: Cow<'a, str>,
    /// Where a new look begins, by byte of `text`, ascending; text before the first is plain. Empty for nearly all lines.
    pub runs: Vec<Run>,
}

/// From here on, text looks so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// A byte of the text, on a character's boundary.
    pub start: usize,
    /// The look.
    pub ink: Ink,
}

/// A look as a program asks for it with SGR (ECMA-48, 8.3.117).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ink {
    /// The text's colour; `None`: the terminal's.
    pub fg: Option<Paint>,
    /// The ground's colour; `None`: the terminal's.
    pub bg: Option<Paint>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub dim: bool,
    /// Slanted.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Text and ground exchanged.
    pub reverse: bool,
}

/// A colour as a program names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// The palette; the first 16 are the terminal's own.
    Index(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// Harmless text without colours.
pub(super) fn plain(bytes: &[u8]) -> Cow<'_, str> {
    match as_plain(bytes) {
        Some(text) => Cow::Borrowed(text),
        None => read(bytes).text,
    }
}

/// Harmless text with its colours.
pub(super) fn styled(bytes: &[u8]) -> Styled<'_> {
    match as_plain(bytes) {
        Some(text) => Styled { text: Cow::Borrowed(text), runs: Vec::new() },
        None => read(bytes),
    }
}

/// The text itself if it is printable ASCII.
pub(super) fn as_plain(bytes: &[u8]) -> Option<&str> {
    // No early end: without a branch the compiler compares many bytes at once.
    let odd = bytes.iter().fold(false, |odd, byte| odd | !(0x20..0x7f).contains(byte));
    if odd { None } else { std::str::from_utf8(bytes).ok() }
}

fn read(bytes: &[u8]) -> Styled<'static> {
    let mut page = Page { text: String::with_capacity(bytes.len()), ..Page::default() };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0x1b | b'\t')) {
        page.write(&rest[..at]);
        rest = &rest[at..];
        let used = if rest[0] == b'\t' {
            page.tab();
            1
        } else {
            match sequence(rest) {
                Sequence::Sgr { params, len } => {
                    page.ink(params);
                    len
                }
                Sequence::Other { len } => {
                    page.write(&[0x1b]);
                    len
                }
                // Only this byte: what follows is shown as text.
                Sequence::Unfinished => {
                    page.write(&[0x1b]);
                    1
                }
            }
        };
        rest = &rest[used..];
    }
    page.write(rest);
    Styled { text: Cow::Owned(page.text), runs: page.runs }
}

#[derive(Default)]
struct Page {
    text: String,
    runs: Vec<Run>,
    ink: Ink,
    /// Where the text after the last tab begins, and the cells before it.
    tabbed: usize,
    cells: usize,
}

impl Page {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            self.text.push_str(&clean_within(chunk.valid(), LINE_LIMIT));
            for byte in chunk.invalid() {
                self.text.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }

    fn tab(&mut self) {
        self.cells += width(&self.text[self.tabbed..]);
        let spaces = TAB - self.cells % TAB;
        self.text.extend(std::iter::repeat_n(' ', spaces));
        self.cells += spaces;
        self.tabbed = self.text.len();
    }

    fn ink(&mut self, params: &[u8]) {
        let before = self.ink;
        self.ink.obey(params);
        if self.ink == before || self.runs.len() >= RUNS {
            return;
        }
        // A mark at the beginning of the next piece must not join the character before the colour.
        let start = self.text.len();
        match self.runs.last_mut() {
            Some(run) if run.start == start => run.ink = self.ink,
            Some(_) | None => self.runs.push(Run { start, ink: self.ink }),
        }
    }
}

enum Sequence<'a> {
    /// `ESC [ … m`
    Sgr {
        params: &'a [u8],
        len: usize,
    },
    Other {
        len: usize,
    },
    Unfinished,
}

/// The control sequence at the beginning of `bytes`, which is ESC (ECMA-48, 5.3 to 5.6).
fn sequence(bytes: &[u8]) -> Sequence<'_> {
    let within = |from: usize, range: std::ops::RangeInclusive<u8>| {
        bytes[from.min(bytes.len())..].iter().position(|byte| !range.contains(byte)).map(|n| from + n)
    };
    match bytes.get(1) {
        Some(b'[') => {
            let end = within(2, 0x30..=0x3f).and_then(|params| within(params, 0x20..=0x2f).map(|end| (params, end)));
            match end {
                Some((params, end)) if bytes[end] == b'm' && params == end && !bytes[2..end].iter().any(|b| matches!(b, 0x3c..=0x3f)) => {
                    Sequence::Sgr { params: &bytes[2..end], len: end + 1 }
                }
                Some((_, end)) if (0x40..=0x7e).contains(&bytes[end]) => Sequence::Other { len: end + 1 },
                Some(_) | None => Sequence::Unfinished,
            }
        }
        // Strings: OSC ends with BEL as well, all of them with ST.
        Some(kind @ (b']' | b'P' | b'X' | b'^' | b'_')) => {
            let mut at = 2;
            while let Some(found) = bytes[at.min(bytes.len())..].iter().position(|byte| matches!(byte, 0x07 | 0x1b)) {
                let end = at + found;
                match (bytes[end], bytes.get(end + 1)) {
                    (0x07, _) if *kind == b']' => return Sequence::Other { len: end + 1 },
                    (0x1b, Some(b'\\')) => return Sequence::Other { len: end + 2 },
                    (0x1b, _) => return Sequence::Unfinished,
                    _ => at = end + 1,
                }
            }
            Sequence::Unfinished
        }
        Some(_) => match within(1, 0x20..=0x2f) {
            Some(end) if (0x30..=0x7e).contains(&bytes[end]) => Sequence::Other { len: end + 1 },
            Some(_) | None => Sequence::Unfinished,
        },
        None => Sequence::Unfinished,
    }
}

impl Ink {
    fn obey(&mut self, params: &[u8]) {
        let mut numbers = params.split(|byte| matches!(byte, b';' | b':')).map(|digits| {
            digits
                .iter()
                .try_fold(0u16, |sum, byte| sum.checked_mul(10)?.checked_add(u16::from(byte.wrapping_sub(b'0'))))
                .unwrap_or(u16::MAX)
        });
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.reverse = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                30..=37 => self.fg = Some(Paint::Index((number - 30) as u8)),
                40..=47 => self.bg = Some(Paint::Index((number - 40) as u8)),
                90..=97 => self.fg = Some(Paint::Index((number - 90 + 8) as u8)),
                100..=107 => self.bg = Some(Paint::Index((number - 100 + 8) as u8)),
                38 => self.fg = paint(&mut numbers).or(self.fg),
                48 => self.bg = paint(&mut numbers).or(self.bg),
                39 => self.fg = None,
                49 => self.bg = None,
                // Blinking, concealing, fonts: nothing that a log should do.
                _ => {}
            }
        }
    }
}

/// What follows 38 or 48.
fn paint(numbers: &mut impl Iterator<Item = u16>) -> Option<Paint> {
    let mut byte = || u8::try_from(numbers.next()?).ok();
    match byte()? {
        5 => byte().map(Paint::Index),
        2 => Some(Paint::Rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn red() -> Ink {
        Ink { fg: Some(Paint::Index(1)), ..Ink::default() }
    }

    #[test]
    fn ascii_is_not_copied() {
        assert!(matches!(plain(b"GET /health 200"), Cow::Borrowed(_)));
        assert!(styled(b"GET /health 200").runs.is_empty());
    }

    #[test]
    fn sequences() {
        for (raw, text) in [
            (&b"a\x1b[2Jb"[..], "a␛b"),
            (b"a\x1b[?1049hb", "a␛b"),
            (b"\x1b]0;owned\x07b", "␛b"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "␛link␛"),
            (b"\x1bPq123\x1b\\b", "␛b"),
            (b"\x1bPq\x07123\x1b\\b", "␛b"),
            (b"\x1b(Bx\x1bcy", "␛x␛y"),
            // Unfinished ones hide nothing.
            (b"a\x1b]0;the rest is shown", "a␛]0;the rest is shown"),
            (b"a\x1b[12", "a␛[12"),
            (b"a\x1b", "a␛"),
            (b"a\x1b[1\x1b[2Jb", "a␛[1␛b"),
            (b"a\rb\x08c\x07", "a␍b␈c␇"),
            ("a\u{9b}2Jb\u{202e}".as_bytes(), "a·2Jb·"),
            (b"a\x9b2J\xff", "a\\x9b2J\\xff"),
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"a\tb\t\tc", "a       b               c"),
            ("日本\tx".as_bytes(), "日本    x"),
        ] {
            assert_eq!(plain(raw), text, "{:?}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn colours_become_runs() {
        let line = styled(b"a \x1b[1;31mred\x1b[0m b");
        assert_eq!(line.text, "a red b");
        assert_eq!(line.runs, [Run { start: 2, ink: Ink { bold: true, ..red() } }, Run { start: 5, ink: Ink::default() }]);
        for (params, ink) in [
            ("31", red()),
            ("38;5;200", Ink { fg: Some(Paint::Index(200)), ..Ink::default() }),
            ("48;2;1;2;3", Ink { bg: Some(Paint::Rgb(1, 2, 3)), ..Ink::default() }),
            ("38:2:9:8:7", Ink { fg: Some(Paint::Rgb(9, 8, 7)), ..Ink::default() }),
            ("97", Ink { fg: Some(Paint::Index(15)), ..Ink::default() }),
            ("1;2;3;4;7;22", Ink { italic: true, underline: true, reverse: true, ..Ink::default() }),
            ("31;", Ink::default()),
            ("38;5;999", Ink::default()),
            ("99999999", Ink::default()),
        ] {
            let mut found = Ink::default();
            found.obey(params.as_bytes());
            assert_eq!(found, ink, "{params}");
        }
        assert!(styled(b"\x1b[>4;1mx").runs.is_empty(), "a key protocol is no colour");
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20),
            "\\PC{0,10}".prop_map(String::into_bytes),
            "[\u{0}-\u{ff}\u{2000}-\u{2070}\u{e0000}-\u{e0080}\u{301}\u{200d}\u{fe0f}]{0,10}".prop_map(String::into_bytes),
            "\u{1b}[\\[\\]PX^_(#]?[0-9;:?]{0,6}[A-Za-z\u{7}\u{1b}\\\\]?".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_dangerous_survives(bytes in hostile()) {
            let line = styled(&bytes);
            prop_assert!(!line.text.chars().any(char::is_control), "{:?}", line.text);
            prop_assert_eq!(plain(&bytes), &*line.text);
            for run in &line.runs {
                prop_assert!(line.text.is_char_boundary(run.start));
            }
            prop_assert!(line.runs.is_sorted_by_key(|run| run.start));
            // Clean text stays what it is.
            let again = plain(line.text.as_bytes()).into_owned();
            prop_assert_eq!(crate::text::clean_within(&again, usize::MAX).into_owned(), again.clone());
            prop_assert_eq!(plain(again.as_bytes()).into_owned(), again.clone());
        }
    }
}
