//! One line of one container, as small as it can be kept by the million.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{
    Level, Marker, Stamp,
    clean::{self, Styled},
};
use crate::fleet::{Container, ContainerKey, EnvironmentId, ServiceKey};

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

    /// What keeping it costs, in bytes: the text, the stamp and header that share its chunk, and the row itself.
    pub fn cost(&self) -> usize {
        match self {
            Self::Line(line) => line.text.bytes().len() + 40 + size_of::<Self>(),
            Self::Marker(_) => 256,
        }
    }
}
