//! A reader of terminal output that knows only what the console may write. Everything else is a finding.

/// Private modes the console switches.
const MODES: [&[u8]; 8] = [b"25", b"1000", b"1002", b"1004", b"1006", b"1049", b"2004", b"2026"];

/// What does not belong there, with where it stands. The bytes must begin at the console's first one and be whole.
pub fn findings(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let taken = match bytes[at] {
            0x1b => sequence(&bytes[at..]),
            0x20..=0x7e => Some(1),
            0x80.. => text(&bytes[at..]),
            _ => None,
        };
        match taken {
            Some(count) => at += count,
            None => {
                let rest = &bytes[at..bytes.len().min(at + 16)];
                found.push(format!("byte {at}: {}", rest.escape_ascii()));
                at += 1;
            }
        }
    }
    found
}

/// The length of a sequence that the console may write.
fn sequence(bytes: &[u8]) -> Option<usize> {
    if let Some(rest) = bytes.strip_prefix(b"\x1b]52;c;") {
        // The clipboard: base64 only, then BEL or ST.
        let data = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
        let end = &rest[data..];
        return if end.starts_with(b"\x07") { Some(7 + data + 1) } else { end.starts_with(b"\x1b\\").then_some(7 + data + 2) };
    }
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let (rest, private) = rest.strip_prefix(b"?").map_or((rest, false), |rest| (rest, true));
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    let (numbers, end) = (&rest[..length], *rest.get(length)?);
    let count = numbers.split(|byte| *byte == b';').filter(|number| !number.is_empty()).count();
    let allowed = match (private, end) {
        (true, b'h' | b'l') => MODES.contains(&numbers),
        (true, _) => false,
        (false, b'm') => true,
        (false, b'C' | b'L' | b'M') => count <= 1,
        (false, b'H' | b'r') => count <= 2,
        (false, b'J') => numbers == b"2",
        (false, _) => false,
    };
    allowed.then_some(2 + usize::from(private) + length + 1)
}

/// The length of a character that is to be seen.
fn text(bytes: &[u8]) -> Option<usize> {
    let whole = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let letter = std::str::from_utf8(bytes.get(..whole)?).ok()?.chars().next()?;
    let hidden = matches!(letter,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    (!hidden).then_some(whole)
}

/// The reader must find what it is for.
pub fn finds_what_it_should() -> Result<(), String> {
    let bad: [&[u8]; 16] = [
        b"\x1b]0;owned\x07",
        b"\x1b]2;x\x1b\\",
        b"\x1b[5n",
        b"\x1b[6n",
        b"\x1b[?1000$p",
        b"\x1b[?1048h",
        b"\x1bc",
        b"\x1bPq\x1b\\",
        b"\x07",
        b"\r\n",
        b"\xc2\x9b31m",
        "\u{202e}".as_bytes(),
        "\u{200b}".as_bytes(),
        "\u{e0041}".as_bytes(),
        b"\xff",
        b"\x1b]52;c;!\x07",
    ];
    for bytes in bad {
        if findings(bytes).is_empty() {
            return Err(format!("{} passed", bytes.escape_ascii()));
        }
    }
    let good =
        "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H\x1b[3;4Hhé 👩 ─\x1b[0;38;2;1;2;3m\x1b[r\x1b[2;9r\x1b[M\x1b[2L\x1b]52;c;eA==\x07\x1b[?2026l";
    match findings(good.as_bytes()).as_slice() {
        [] => Ok(()),
        [first, ..] => Err(format!("its own bytes are refused: {first}")),
    }
}
