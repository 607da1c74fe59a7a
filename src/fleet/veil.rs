//! Takes known secrets out of text, however they are spelled there. Pure.
//!
//! [`mask`](super::mask) hides what stands behind a secret-looking name; this hides values that are known, wherever they stand: as they are, a
//! line of them, quoted for JSON or a shell, escaped as programs print texts, in a URL, in HTML, in base64 at any of its three alignments, in
//! hexadecimal. What it cannot know: a value that was hashed, compressed or cut into pieces.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Regex, RegexBuilder};

use super::mask::MASK;
use crate::text::{clean, clean_line};

/// A shorter value is not looked for: `1` or `yes` would be found everywhere.
const SHORTEST: usize = 4;
/// A line of a value is looked for by itself from this length on: a log shows a key line by line.
const SHORTEST_LINE: usize = 6;
/// For the expression that finds all spellings at once; enough for some hundred keys.
const SIZE_LIMIT: usize = 1 << 28;
/// What RFC 3986 lets stand, as `encodeURIComponent` and most libraries do.
const COMPONENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What `encodeURIComponent` lets stand beside that.
const SCRIPT: AsciiSet = COMPONENT.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What whoever encodes a whole URL lets stand.
const WHOLE: AsciiSet = SCRIPT
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// Knows some values that nobody may see. It shows none of them itself.
#[derive(Clone, Default)]
pub struct Veil {
    found: Found,
}

#[derive(Clone, Default)]
enum Found {
    #[default]
    Nothing,
    AtOnce(Regex),
    /// More than one expression holds: one after the other, the longest first.
    Singly(Vec<String>),
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Veil").finish_non_exhaustive()
    }
}

impl Veil {
    /// Over these values.
    pub fn over<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut spelled, mut encoded) = (BTreeSet::new(), BTreeSet::new());
        for value in values {
            spellings(value, &mut spelled, &mut encoded);
        }
        let mut patterns: Vec<(usize, String)> = spelled.iter().map(|form| (form.len(), regex::escape(form))).collect();
        // Base64 is cut into lines anywhere.
        let cut = |form: &String| form.chars().map(|c| regex::escape(c.encode_utf8(&mut [0; 4]))).collect::<Vec<_>>().join("[\\r\\n]*");
        patterns.extend(encoded.iter().map(|form| (form.len(), cut(form))));
        if patterns.is_empty() {
            return Self::default();
        }
        // Of two that begin alike the longer one first.
        patterns.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        let pattern = patterns.into_iter().map(|(_, pattern)| pattern).collect::<Vec<_>>().join("|");
        let mut spelled: Vec<String> = spelled.into_iter().chain(encoded).collect();
        spelled.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let found = match RegexBuilder::new(&pattern).size_limit(SIZE_LIMIT).build() {
            Ok(regex) => Found::AtOnce(regex),
            Err(_) => Found::Singly(spelled),
        };
        Self { found }
    }

    /// The text without them.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.found {
            Found::Nothing => Cow::Borrowed(text),
            Found::AtOnce(found) => found.replace_all(text, MASK),
            Found::Singly(spelled) => {
                let hides = |text: Cow<'a, str>, form: &String| match text.contains(form.as_str()) {
                    true => Cow::Owned(text.replace(form.as_str(), MASK)),
                    false => text,
                };
                spelled.iter().fold(Cow::Borrowed(text), hides)
            }
        }
    }
}

/// Every way in which a value is written that we know of; base64 by itself.
fn spellings(secret: &str, spelled: &mut BTreeSet<String>, encoded: &mut BTreeSet<String>) {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    let mut plain: BTreeSet<String> = lines.chain([secret, secret.trim()]).map(str::to_owned).collect();
    // As our own border leaves it.
    plain.extend([clean(secret).into_owned(), clean_line(secret)]);
    let (mut all, mut digits) = (BTreeSet::new(), BTreeSet::new());
    for text in plain.into_iter().filter(|text| text.len() >= SHORTEST) {
        quoted(&text, &mut all);
        in_urls(&text, &mut all);
        in_html(&text, &mut all);
        all.insert(text.bytes().map(|byte| format!("{byte:02x}")).collect());
        all.insert(text.bytes().map(|byte| format!("{byte:02X}")).collect());
        in_base64(text.as_bytes(), &mut digits);
        all.insert(text);
    }
    let counts = |form: &String| form.len() >= SHORTEST && form.chars().any(|c| c != '•');
    spelled.extend(all.into_iter().filter(counts));
    encoded.extend(digits.into_iter().filter(counts));
}

/// The inside of a JSON text.
fn json(text: &str) -> String {
    let text = serde_json::Value::from(text).to_string();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&text).to_owned()
}

fn quoted(text: &str, all: &mut BTreeSet<String>) {
    let once = json(text);
    // JSON within JSON, as in the log of a program that logs JSON.
    all.insert(json(&once));
    // Go writes what HTML could read as escapes; some write everything but ASCII so.
    let go = once.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    all.insert(json(&go));
    for form in [&once, &go] {
        all.extend([ascii(form, |unit| format!("\\u{unit:04x}")), ascii(form, |unit| format!("\\u{unit:04X}"))]);
    }
    all.extend([once, go]);
    // As Rust and others print it.
    all.extend([inside(&format!("{text:?}")), text.escape_default().to_string()]);
    all.insert(
        text.bytes()
            .map(|byte| if (0x20..0x7f).contains(&byte) { char::from(byte).to_string() } else { format!("\\x{byte:02x}") })
            .collect(),
    );
    let behind =
        |special: &str| -> String { text.chars().flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c])).collect() };
    // A shell: in single quotes, in double quotes, without any, and with $'…'.
    all.extend([
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        behind("\\\"$`"),
        behind("\\\"$`!"),
        behind("'"),
        behind("\""),
    ]);
    all.insert(behind(" \t!\"#$&'()*,;<=>?[\\]^`{|}~"));
    all.insert(behind(" \t!\"#$&'()*;<>?[\\]^`{|}"));
    all.insert(behind("\\'").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r"));
    all.insert(behind("\\\"$`").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r"));
    // Compose and templates of others double what they would take for a variable.
    all.extend([text.replace('$', "$$"), text.replace('%', "%%"), text.replace('\'', "''"), text.replace('"', "\"\"")]);
}

fn inside(quoted: &str) -> String {
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(quoted).to_owned()
}

fn ascii(text: &str, escape: impl Fn(u16) -> String) -> String {
    let mut units = [0; 2];
    text.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut units).iter().map(|unit| escape(*unit)).collect() })
        .collect()
}

fn in_urls(text: &str, all: &mut BTreeSet<String>) {
    for set in [NON_ALPHANUMERIC, &COMPONENT, &SCRIPT, &WHOLE] {
        let upper = utf8_percent_encode(text, set).to_string();
        // In a form a space is a plus.
        let form = upper.replace("%20", "+");
        all.extend([lower_hex(&upper), lower_hex(&form), upper, form]);
    }
}

/// The two digits behind each `%` in small letters; nothing else.
fn lower_hex(encoded: &str) -> String {
    let mut left = 0_u8;
    let lower = |c: char| {
        let digit = left > 0;
        left = if c == '%' { 2 } else { left.saturating_sub(1) };
        if digit { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

fn in_html(text: &str, all: &mut BTreeSet<String>) {
    let base = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for (double, single) in
        [("&quot;", "&#39;"), ("&quot;", "&#x27;"), ("&#34;", "&#39;"), ("&quot;", "&apos;"), ("&quot;", "'"), ("\"", "'")]
    {
        all.insert(base.replace('"', double).replace('\'', single));
    }
}

/// What is the same whatever stands before and behind: characters that hold bits of neighbours are different each time.
fn in_base64(bytes: &[u8], all: &mut BTreeSet<String>) {
    for before in 0..3 {
        for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(bytes);
            let encoded = engine.encode(&shifted);
            let (first, last) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
            all.extend(encoded.get(first..last).map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const HARD: &str = "pä$s \"w0rd\"\n%zweite 'Zeile' & <mehr>\\";

    #[test]
    fn a_value_is_found_however_it_is_written() {
        let veil = Veil::over(["hunter22", HARD]);
        for (text, expected) in [
            ("login with hunter22 failed", "login with •••••• failed"),
            ("postgres://me:hunter22@db/x", "postgres://me:••••••@db/x"),
            ("68756e7465723232", "••••••"),
            ("nothing here, not even hunter", "nothing here, not even hunter"),
            ("only its second line: %zweite 'Zeile' & <mehr>\\ there", "only its second line: •••••• there"),
            ("url %7A p%C3%A4%24s%20%22w0rd%22%0A%25zweite%20%27Zeile%27%20%26%20%3Cmehr%3E%5C.", "url %7A ••••••."),
            ("form p%c3%a4%24s+%22w0rd%22%0a%25zweite+%27Zeile%27+%26+%3cmehr%3e%5c.", "form ••••••."),
            (r#"{"a":"p\u00e4$s \"w0rd\"\n%zweite 'Zeile' \u0026 \u003cmehr\u003e\\"}"#, r#"{"a":"••••••"}"#),
        ] {
            assert_eq!(veil.text(text), expected, "{text}");
        }
        assert_eq!(Veil::default().text("hunter22"), "hunter22");
        assert!(!format!("{veil:?}").contains("hunter"));
        // Too short to be told from a word, or from nothing.
        assert_eq!(Veil::over(["yes", ""]).text("yes and no"), "yes and no");
    }

    #[test]
    fn a_key_of_many_lines_is_hidden_line_by_line_and_wrapped() {
        let key: String = (0..40).map(|n| format!("line-{n}-of-the-key-{}\n", n * 7919)).collect();
        let veil = Veil::over([key.as_str()]);
        for line in key.lines() {
            assert_eq!(veil.text(&format!("2026-01-01 {line} end")), "2026-01-01 •••••• end");
        }
        for before in ["", "a", "ab"] {
            let encoded = BASE64_STANDARD.encode(format!("{before}{key}"));
            for wrap in [64, 76] {
                let pieces: Vec<&str> = encoded.as_bytes().chunks(wrap).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
                let hidden = veil.text(&pieces.join("\n")).into_owned();
                assert!(hidden.contains(MASK) && hidden.len() < 40, "{wrap}: {hidden}");
            }
        }
    }

    proptest! {
        #[test]
        fn none_survives(secret in "\\PC{6,24}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
            prop_assume!(secret.trim().len() >= 6 && !secret.contains('•') && !MASK.contains(&secret));
            let veil = Veil::over([secret.as_str()]);
            let whole = format!("{before}{secret}{after}");
            let json = serde_json::to_string(&whole).unwrap();
            for text in [&whole, &json, &serde_json::to_string(&json).unwrap(), &utf8_percent_encode(&whole, NON_ALPHANUMERIC).to_string()] {
                prop_assert!(!veil.text(text).contains(&*secret), "{text}");
            }
            for encoded in [BASE64_STANDARD.encode(&whole), BASE64_URL_SAFE.encode(&whole)] {
                let hidden = veil.text(&encoded);
                prop_assert!(hidden.contains(MASK), "{encoded}");
            }
        }
    }
}
