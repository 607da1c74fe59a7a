//! The one filter between foreign text and everything that shows it.
//!
//! Owns the rule which characters are harmless. It must stay idempotent (`clean(clean(x)) == clean(x)`), because
//! text may cross two borders, and it must never let through a byte that a terminal could read as a command.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The longest text in bytes that a single field keeps; the rest is cut and marked with `…`.
///
/// Docker limits names to 255 bytes but labels, commands and error texts are unbounded.
pub const FIELD_LIMIT: usize = 4096;

/// Makes foreign text safe for one cell of a terminal: a single line, visible characters only.
///
/// - C0, DEL and C1 controls become their Unicode control picture (`ESC` → `␛`, newline → `␤`), so that what was
///   there stays visible; TAB becomes a space.
/// - Bidirectional overrides and isolates, zero-width and tag characters, line separators, private-use code points
///   and unassigned-looking specials become `·`.
/// - A grapheme whose width terminals disagree about (emoji with variation selectors, joiners, skin tones) is
///   reduced to its base character, or `·`; stacked combining marks are cut to two.
/// - At most `FIELD_LIMIT` bytes are kept.
///
/// Plain ASCII, the normal case, is returned without a copy.
pub fn clean(text: &str) -> Cow<'_, str> {
    clean_within(text, FIELD_LIMIT)
}

/// [`clean`] for text that is no field and has its own limit in bytes: a line of a log.
pub fn clean_within(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(limit.saturating_add(4)));
    for grapheme in text.graphemes(true) {
        if out.len() + grapheme.len() > limit {
            out.push('…');
            break;
        }
        push_grapheme(&mut out, grapheme);
    }
    Cow::Owned(out)
}

/// [`clean`] for bytes that should be UTF-8 but may not be: every invalid byte becomes `\xNN`, visibly.
pub fn clean_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&clean(chunk.valid()));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
        if out.len() > FIELD_LIMIT {
            return clean(&out).into_owned();
        }
    }
    out
}

/// [`clean`], with surrounding white space removed and inner runs of white space (newlines too) folded to one
/// space: for error texts that arrive as several lines and are shown as one.
pub fn clean_line(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(FIELD_LIMIT));
    for word in text.split_whitespace() {
        if folded.len() > FIELD_LIMIT {
            break;
        }
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    clean(&folded).into_owned()
}

fn push_grapheme(out: &mut String, grapheme: &str) {
    let mut chars = grapheme.chars();
    let Some(base) = chars.next() else { return };
    if let Some(shown) = picture(base) {
        out.push(shown);
        // CR LF is one grapheme of two controls: the second must not vanish.
        for next in chars {
            out.push(picture(next).unwrap_or('·'));
        }
        return;
    }
    let is_plain_mark = |c: char| UnicodeWidthStr::width(c.encode_utf8(&mut [0; 4])) == 0;
    let joined = grapheme.chars().any(|c| matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}'));
    let invisible = grapheme.chars().any(|c| picture(c).is_some());
    if joined || invisible {
        let stands_alone = !is_plain_mark(base) && !('\u{1f3fb}'..='\u{1f3ff}').contains(&base);
        if stands_alone {
            out.push(base);
        }
        if invisible || !stands_alone {
            out.push('·');
        }
        return;
    }
    if UnicodeWidthStr::width(base.encode_utf8(&mut [0; 4])) == 0 {
        // A mark with nothing to stand on would be drawn over the neighbouring cell.
        out.push('·');
        return;
    }
    out.push(base);
    let mut marks = 0;
    for c in chars {
        if is_plain_mark(c) {
            marks += 1;
            if marks > 2 {
                continue;
            }
        }
        out.push(c);
    }
}

/// What stands in for a character that must not reach a terminal, or `None` when it may.
fn picture(c: char) -> Option<char> {
    match c {
        '\t' => Some(' '),
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32),
        '\u{7f}' => Some('␡'),
        // C1 controls: U+009B is CSI, U+009D is OSC on terminals that read 8-bit controls.
        '\u{80}'..='\u{9f}' => Some('·'),
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' => Some('·'),
        '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' => Some('·'),
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => Some('·'),
        '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' => Some('·'),
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}' => Some('·'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ascii_is_not_copied() {
        assert!(matches!(clean("web-1 1.0.1-22-7e56158"), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_stay_visible_and_harmless() {
        assert_eq!(clean("a\x1b[2Jb"), "a␛[2Jb");
        assert_eq!(clean("a\u{9b}2Jb"), "a·2Jb");
        assert_eq!(clean("one\r\ntwo\tthree\x7f"), "one␍␊two three␡");
    }

    #[test]
    fn overrides_and_invisible_characters_become_dots() {
        assert_eq!(clean("gpj\u{202e}exe"), "gpj·exe");
        assert_eq!(clean("a\u{200b}b\u{feff}c\u{2028}d"), "a·b·c·d");
        assert_eq!(clean("x\u{e0041}y"), "x·y");
    }

    #[test]
    fn disputed_widths_are_reduced() {
        assert_eq!(clean("❤\u{fe0f}!"), "❤!");
        assert_eq!(clean("👍\u{1f3fd}!"), "👍!");
        assert_eq!(clean("1\u{fe0f}\u{20e3}"), "1");
        let zalgo: String = std::iter::once('a').chain(std::iter::repeat_n('\u{301}', 40)).collect();
        assert_eq!(clean(&zalgo).chars().count(), 3);
    }

    #[test]
    fn invalid_utf8_is_spelled_out() {
        assert_eq!(clean_bytes(b"a\xff\xfeb\x1b"), "a\\xff\\xfeb␛");
    }

    #[test]
    fn long_text_is_cut_with_a_sign() {
        let long = "x".repeat(10_000);
        let cut = clean(&long);
        assert!(cut.len() <= FIELD_LIMIT + 4 && cut.ends_with('…'));
    }

    proptest! {
        #[test]
        fn nothing_dangerous_survives(text in ".{0,200}|\\PC{0,50}|[\u{0}-\u{ff}\u{2000}-\u{2070}\u{e0000}-\u{e0080}]{0,80}") {
            let once = clean(&text).into_owned();
            prop_assert!(once.chars().all(|c| picture(c).is_none()), "{once:?}");
            prop_assert_eq!(clean(&once).into_owned(), once.clone());
        }

        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = clean_bytes(&bytes);
            prop_assert!(text.chars().all(|c| picture(c).is_none()));
        }
    }
}
