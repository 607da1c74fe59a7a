//! How severe a line says it is. A guess from the forms that programs write; cheap, because every line is asked.
//!
//! JSON: the value of `level`, `severity`, `lvl`, `levelname` or `log.level`, a word or pino's and bunyan's numbers. logfmt: `level=`, `lvl=`,
//! `severity=`. glog: `E1121 14:02:58`. Else a level word near the beginning: in capitals, in brackets, or with a colon after it.

use std::fmt;

/// Severities, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For who writes the program.
    Debug,
    /// Normal.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
    /// The program ends.
    Fatal,
}

/// How far into a line a level word is looked for: after stamps and names, before the message.
const NEAR: usize = 100;

impl Level {
    /// All, ascending.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Its word on screens and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// A level from any word that programs use for it, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        of_word(word.as_bytes())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

fn of_word(word: &[u8]) -> Option<Level> {
    const WORDS: [(&str, Level); 21] = [
        ("info", Level::Info),
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("warning", Level::Warn),
        ("debug", Level::Debug),
        ("err", Level::Error),
        ("trace", Level::Trace),
        ("fatal", Level::Fatal),
        ("notice", Level::Info),
        ("information", Level::Info),
        ("informational", Level::Info),
        ("log", Level::Info),
        ("dbg", Level::Debug),
        ("verbose", Level::Debug),
        ("wrn", Level::Warn),
        ("inf", Level::Info),
        ("critical", Level::Fatal),
        ("crit", Level::Fatal),
        ("panic", Level::Fatal),
        ("emerg", Level::Fatal),
        ("alert", Level::Fatal),
    ];
    if !(3..=13).contains(&word.len()) {
        return None;
    }
    WORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)).map(|(_, level)| *level)
}

/// The level a line gives itself.
pub(super) fn of(line: &[u8]) -> Option<Level> {
    if line.first() == Some(&b'{') {
        return of_json(line);
    }
    glog(line).or_else(|| of_text(line.get(..NEAR).unwrap_or(line)))
}

/// `E1121 14:02:58.…`
fn glog(line: &[u8]) -> Option<Level> {
    let (kind, rest) = line.split_first()?;
    if rest.len() < 5 || rest[4] != b' ' || !rest[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    match kind {
        b'I' => Some(Level::Info),
        b'W' => Some(Level::Warn),
        b'E' => Some(Level::Error),
        b'F' => Some(Level::Fatal),
        _ => None,
    }
}

/// Looks for the keys without reading the whole object: a level key within a nested object or text is rare, a level filter over
/// millions of lines is not.
fn of_json(line: &[u8]) -> Option<Level> {
    let mut at = 1;
    while let Some(open) = line.get(at..)?.iter().position(|byte| *byte == b'"') {
        let start = at + open + 1;
        let end = start + line.get(start..)?.iter().position(|byte| *byte == b'"')?;
        at = end + 1;
        let key = &line[start..end];
        let known = matches!(key, b"level" | b"severity" | b"lvl" | b"levelname" | b"log.level" | b"loglevel" | b"Level" | b"@l");
        let Some(rest) = known.then(|| line.get(at..)).flatten() else { continue };
        let rest = rest.trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
        return match value.split_first() {
            Some((b'"', word)) => of_word(&word[..word.iter().position(|byte| *byte == b'"')?]),
            Some((b'0'..=b'9', _)) => of_number(value),
            Some(_) | None => None,
        };
    }
    None
}

/// 10 trace, 20 debug, … 60 fatal; syslog's 0 to 7 are too small to be told from counters.
fn of_number(digits: &[u8]) -> Option<Level> {
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit()).take(4).fold(0u16, |sum, byte| sum * 10 + u16::from(byte - b'0'));
    match number {
        10 => Some(Level::Trace),
        20 => Some(Level::Debug),
        30 => Some(Level::Info),
        40 => Some(Level::Warn),
        50 => Some(Level::Error),
        60 => Some(Level::Fatal),
        _ => None,
    }
}

fn of_text(line: &[u8]) -> Option<Level> {
    let mut at = 0;
    while at < line.len() {
        if !line[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let start = at;
        while at < line.len() && (line[at].is_ascii_alphanumeric() || line[at] == b'_') {
            at += 1;
        }
        let word = &line[start..at];
        let (before, after) = (start.checked_sub(1).map(|i| line[i]), line.get(at).copied());
        if after == Some(b'=') && matches!(word, b"level" | b"lvl" | b"severity") {
            let value = line.get(at + 1..).unwrap_or_default();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            return of_word(&value[..value.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(value.len())]);
        }
        // `[31mERROR`: the letter that ends a colour is not a part of the word.
        let word = if before.is_some_and(|b| b.is_ascii_digit()) { word.strip_prefix(b"m").unwrap_or(word) } else { word };
        let loud = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
        let marked =
            matches!((before, after), (Some(b'['), Some(b']')) | (Some(b'<'), Some(b'>')) | (Some(b'('), Some(b')')) | (_, Some(b':')));
        if (loud || marked)
            && let Some(level) = of_word(word)
            && !(word.eq_ignore_ascii_case(b"log"))
        {
            return Some(level);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (line, level) in [
            (r#"{"time":"x","level":"error","msg":"failed"}"#, Some(Level::Error)),
            (r#"{"level": 40,"msg":"x"}"#, Some(Level::Warn)),
            (r#"{"severity":"NOTICE","msg":"level"}"#, Some(Level::Info)),
            (r#"{"msg":"the level is high","lvl":"dbg"}"#, Some(Level::Debug)),
            (r#"{"msg":"x"}"#, None),
            (r#"{"level":"#, None),
            ("{", None),
            ("time=2026 level=warning msg=x", Some(Level::Warn)),
            ("lvl=\"info\" x", Some(Level::Info)),
            ("2026-11-21 14:02:58,114 ERROR main - failed", Some(Level::Error)),
            ("2026-11-21 14:02:58 [warn] slow", Some(Level::Warn)),
            ("[12:00:00] <Info> x", Some(Level::Info)),
            ("error: no such file", Some(Level::Error)),
            ("Traceback: Error", None),
            ("no error here", None),
            ("Info about errors", None),
            ("\u{1b}[31mERROR\u{1b}[0m x", Some(Level::Error)),
            ("E1121 14:02:58.114 main.go:3] x", Some(Level::Error)),
            ("LOG:  database system is ready", None),
            ("PANIC: x", Some(Level::Fatal)),
            ("GET /errors 200", None),
            ("", None),
        ] {
            assert_eq!(of(line.as_bytes()), level, "{line}");
        }
        assert_eq!(Level::parse("WARN"), Some(Level::Warn));
        assert_eq!(Level::parse("loud"), None);
    }
}
