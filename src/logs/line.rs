//! One line of one container, as small as it can be kept by the million.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{
    Level, Marker, Stamp,
    clean::{self, Styled},
};
use crate::fleet::{Container, ContainerKey, EnvironmentId, ServiceKey};

/// A colour is asked for in no more bytes than these.
const SEQUENCE: usize = 32;

/// A source by its place in the [cast](super::Cast) that made it: what a line carries instead of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A container whose log is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its number in its cast.
    pub id: SourceId,
    /// The container.
    pub key: ContainerKey,
    /// The container's name.
    pub name: Arc<str>,
    /// The service it belonged to when it was cast.
    pub service: ServiceKey,
    /// Where it runs.
    pub environment: Option<EnvironmentId>,
    /// The version that speaks.
    pub version: Arc<str>,
}

impl Source {
    /// The source that a container is.
    pub fn of(id: SourceId, container: &Container) -> Self {
        Self {
            id,
            key: container.key.clone(),
            name: Arc::clone(&container.name),
            service: container.identity.service.clone(),
            environment: container.identity.environment.clone(),
            version: Arc::clone(&container.version.text),
        }
    }
}

/// Which of a container's two outputs; a TTY has one, counted as stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl LogStream {
    /// Its word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// Foreign bytes of one line, without its newline. Shared with the chunk they arrived in; harmless only after [`RawText::plain`] or
/// [`RawText::styled`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawText(Bytes);

impl RawText {
    /// Takes the bytes as they came.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes as they came: for export and hashing, never for a terminal.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Without colours, harmless.
    pub fn plain(&self) -> Cow<'_, str> {
        clean::plain(&self.0)
    }

    /// With colours as runs, harmless.
    pub fn styled(&self) -> Styled<'_> {
        clean::styled(&self.0)
    }

    /// Its beginning, at most `limit` bytes of it: cut neither within a character nor, where that is to be seen, within a control sequence.
    #[must_use]
    pub fn head(&self, limit: usize) -> Self {
        if self.0.len() <= limit {
            return self.clone();
        }
        let mut end = limit;
        // A character of UTF-8 has at most three bytes after its first.
        while end > limit.saturating_sub(3) && self.0.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
            end -= 1;
        }
        let begun = self.0[..end].iter().rev().take(SEQUENCE).position(|byte| *byte == 0x1b);
        if let Some(back) = begun.filter(|back| !self.0[end - back..end].iter().any(|byte| byte.is_ascii_alphabetic())) {
            end -= back + 1;
        }
        Self(self.0.slice(..end))
    }

    /// The same bytes in memory of their own: for a line that is kept when the chunk around it is not.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

/// One line. 64 bytes beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the engine got it, by the engine's clock.
    pub at: Stamp,
    /// Whose.
    pub source: SourceId,
    /// Which output.
    pub stream: LogStream,
    /// Its severity: said by itself or, for an indented line, by the one before it.
    pub level: Option<Level>,
    /// Whether lines of later times had to be shown before it came.
    pub late: bool,
    /// Whether it was longer than [`LINE_LIMIT`](super::frame::LINE_LIMIT) and lost its end.
    pub cut: bool,
    /// What it says.
    pub text: RawText,
}

/// What stands in a log view: lines, and what happened between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A line.
    Line(LogLine),
    /// Something that happened to a source.
    Marker(Marker),
}

impl Entry {
    /// When.
    pub fn at(&self) -> Stamp {
        match self {
            Self::Line(line) => line.at,
            Self::Marker(marker) => marker.at,
        }
    }

    /// What keeping it costs, in bytes: the text, the stamp and framing that share its block of memory, and the row itself.
    pub fn cost(&self) -> usize {
        match self {
            Self::Line(line) => line.text.bytes().len() + 64 + size_of::<Self>(),
            Self::Marker(_) => 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_where_a_person_would_cut() {
        for (text, limit, head) in [
            ("short", 10, "short"),
            ("abcdef", 3, "abc"),
            ("abéf", 3, "ab"),
            ("日本語", 4, "日"),
            ("ab\u{1b}[31mred", 5, "ab"),
            ("ab\u{1b}[31mred", 8, "ab\u{1b}[31mr"),
        ] {
            let raw = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(std::str::from_utf8(raw.head(limit).bytes()), Ok(head), "{text:?} {limit}");
        }
    }
}
