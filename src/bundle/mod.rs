//! The hand-off: everything that a colleague needs to take over, in one file: versions, triage, hosts, events, the logs and inspect
//! documents of what is troubled, and the screen, secrets masked.
//!
//! [`gather`](gather::gather) asks the engines, within bounds; [`Contents`] is what came of it, every text of it through one
//! [`Redactor`]; [`Contents::write`] makes the file, whole or not at all. Nothing here knows a screen's state or a verb's flags.

mod archive;
mod contents;
mod gather;
mod redact;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use ratatui::buffer::Buffer;

pub use archive::BundleError;
pub use contents::Contents;
pub use gather::gather;
pub use redact::Redactor;

use crate::{
    alerts::Usage,
    fleet::{ContainerKey, Fleet, Selector},
    ui::svg::SvgOptions,
};

/// What is known at the moment of the hand-off.
pub struct Material {
    /// The fleet as it is now.
    pub fleet: Fleet,
    /// What of it is handed on; `None`: all.
    pub filter: Option<Selector>,
    /// What was measured of containers' memory.
    pub usage: BTreeMap<ContainerKey, Usage>,
    /// What the screen shows.
    pub screen: Screen,
    /// The moment.
    pub now: DateTime<Utc>,
    /// Whether the fleet is simulated.
    pub simulated: bool,
}

/// The screen of a hand-off.
pub enum Screen {
    /// There is none: it was asked for on the command line.
    None,
    /// This, with what its picture needs beside it.
    Shown(Box<Buffer>, SvgOptions),
    /// It shows what is not for others.
    Private,
}

/// The file's usual name: `quarterdeck-handoff-20261121-140300.tar.gz`, local time.
pub fn usual_name(now: DateTime<Utc>) -> PathBuf {
    PathBuf::from(format!("quarterdeck-handoff-{}.tar.gz", now.with_timezone(&chrono::Local).format("%Y%m%d-%H%M%S")))
}

/// One line about a bundle that was written.
pub fn told(path: &Path, contents: &Contents, size: u64) -> String {
    let missing = match contents.missing().len() {
        0 => String::new(),
        some => format!("; {} missing, its README says what", crate::text::counted(some, "thing")),
    };
    let files = crate::text::counted(contents.files().len(), "file");
    format!("wrote {} ({files}, {}){missing}", path.display(), crate::text::bytes(size))
}
