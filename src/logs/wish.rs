//! What a person may want of the open stream: plain data, from the screen to who owns the stream.

use super::{CastRule, Level, Stamp};

/// Which part of each log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From here, inclusive.
    pub since: Option<Stamp>,
    /// To here, inclusive.
    pub until: Option<Stamp>,
    /// The newest so many lines of each; `None`: as many as suit the number of logs, or all if `since` is given.
    pub tail: Option<u64>,
}

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogWish {
    /// Read these logs from now on, and go on with what comes; what was open before is closed.
    Open {
        /// Whose.
        rule: CastRule,
        /// What it is called in titles: `shop/api in production`.
        title: String,
    },
    /// Read no further and forget what was read.
    Close,
    /// Read another part of the same logs.
    Span(Span),
    /// Show only lines that match this too.
    Include(String),
    /// Hide the lines that match this.
    Exclude(String),
    /// Take the newest of these off.
    PopFilter,
    /// Show only lines at least so severe.
    Level(Option<Level>),
    /// Look for this from now on; empty: for nothing.
    Search(String),
    /// What is held from this entry on is being looked at: it must not make room. `None`: the newest is.
    Hold(Option<u64>),
    /// Search the whole logs of the same containers for this, on their hosts.
    Hunt(String),
    /// Write what is shown to a file.
    Export(ExportForm),
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// A line for each, harmless.
    Text,
    /// A JSON object for each, in a line.
    JsonLines,
}

impl ExportForm {
    /// The file's ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "log",
            Self::JsonLines => "jsonl",
        }
    }
}
