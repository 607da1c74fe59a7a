//! JSON that a terminal may be shown: what it could act on, or hide, is escaped.

use std::fmt::Write as _;

/// The same JSON with every character escaped that a terminal acts on or does not show (DEL, C1 controls, bidirectional and invisible
/// marks); serde_json escapes only what JSON demands. It reads back as the same value.
pub fn harmless_json(json: String) -> String {
    if json.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // Control characters below space are escaped already or, as newlines, serde_json's own.
        if c == '\n' || !acts(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Whether a terminal acts on a character or does not show it.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_acts_and_it_reads_back(text in any::<String>()) {
            let written = harmless_json(serde_json::to_string(&text).unwrap());
            prop_assert!(!written.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
