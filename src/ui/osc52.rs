//! Copying to the clipboard of the terminal where the person sits, also through SSH (OSC 52, xterm's control
//! sequences). Pure: it makes the bytes; they go to the terminal behind a frame, never inside one.
//!
//! No pass-through wrapping for multiplexers: tmux takes the plain sequence when `set-clipboard` is `on`, and a
//! wrapped one only when `allow-passthrough` is on too, which it is not by default.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// The longest base64 payload that is sent, in bytes: what fits the 100,000 bytes after which common terminals
/// drop the whole sequence, and the limit other consoles use.
pub const PAYLOAD_LIMIT: usize = 74_994;

/// Why a text was not copied.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CopyError {
    /// The text is longer than terminals accept; nothing was copied, because half a text is worse than none.
    #[error("not copied: {bytes} bytes are more than the {limit} a terminal's clipboard takes; export it to a file instead", limit = PAYLOAD_LIMIT / 4 * 3)]
    TooLong {
        /// Length of the text in bytes.
        bytes: usize,
    },
}

/// The sequence that puts `text` on the clipboard: `ESC ] 52 ; c ; BASE64 BEL`.
pub fn copy(text: &str) -> Result<Vec<u8>, CopyError> {
    if base64::encoded_len(text.len(), true).is_none_or(|length| length > PAYLOAD_LIMIT) {
        return Err(CopyError::TooLong { bytes: text.len() });
    }
    let mut sequence = String::from("\x1b]52;c;");
    STANDARD.encode_string(text, &mut sequence);
    sequence.push('\x07');
    Ok(sequence.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_one_sequence() {
        assert_eq!(copy("web-1").as_deref(), Ok(&b"\x1b]52;c;d2ViLTE=\x07"[..]));
        // Whatever the text holds, nothing of it can end the sequence early.
        let hostile = copy("\x07\x1b\\\u{9c}").expect("short");
        assert_eq!(hostile.iter().filter(|byte| **byte == 7 || **byte == 0x1b).count(), 2);
    }

    #[test]
    fn too_long_is_refused_whole() {
        let fits = PAYLOAD_LIMIT / 4 * 3;
        assert!(copy(&"x".repeat(fits)).is_ok());
        let error = copy(&"x".repeat(fits + 1)).expect_err("too long");
        assert!(error.to_string().contains("export it to a file"), "{error}");
    }
}
