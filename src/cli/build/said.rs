//! A build's progress for a person: a line for each step.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    sync::Arc,
};

use crate::{
    build::Progress,
    cli::{args::Format, out},
    text,
};

/// Progress for a person: a line for each step, on standard error where standard output is for a program.
pub struct Said {
    to_stdout: bool,
    /// What steps print, too.
    whole: bool,
    /// A line that is written over: layers on their way.
    moving: Option<Moving>,
    /// Layers that are tried again: the seconds that were counted last.
    retries: BTreeMap<Arc<str>, u64>,
}

/// Layers on their way.
#[derive(Default)]
struct Moving {
    layers: BTreeMap<Arc<str>, (u64, Option<u64>)>,
    shown: bool,
}

impl Said {
    /// Prints as the verb does.
    pub fn new(format: Format, whole: bool) -> Self {
        let to_stdout = format == Format::Table;
        Self { to_stdout, whole, moving: std::io::stderr().is_terminal().then(Moving::default), retries: BTreeMap::new() }
    }

    /// Tells one thing.
    pub fn take(&mut self, progress: &Progress) {
        let line = match progress {
            Progress::Layer { id, phase, bytes } => {
                if !self.begins_to_wait(id, phase) {
                    self.moved(id, *bytes);
                    return;
                }
                format!("  layer {id}: {phase}")
            }
            Progress::Output(_) if !self.whole => return,
            Progress::Output(line) => format!("    {line}"),
            Progress::Version { version, snapshot } => {
                let commit = &snapshot.commit;
                format!("{version}: {} ({}, {})", commit.subject, commit.author, commit.at.format("%Y-%m-%d %H:%M UTC"))
            }
            Progress::Known { image, pinned, version } => format!("{image}: known since {version}: {pinned}"),
            Progress::Begin { image, what } => format!("{image}: {what}"),
            Progress::Step { place, text, cached } => {
                let place = place.filter(|_| !text.starts_with('[')).map_or_else(String::new, |(number, of)| format!("[{number}/{of}] "));
                format!("  {place}{text}{}", if *cached { " · cached" } else { "" })
            }
            Progress::Built { image, size } => format!("{image}: built, {}", text::bytes(*size)),
            Progress::Pushed { image, pinned } => format!("{image}: pushed {pinned}"),
            Progress::Note(note) => format!("  note: {note}"),
        };
        self.over();
        let written = match self.to_stdout {
            true => out::print(&format!("{line}\n")).is_ok(),
            false => writeln!(std::io::stderr(), "{line}").is_ok(),
        };
        if !written {
            // Who read it has left; the build goes on, and its end is told to the audit.
            tracing::debug!("progress is not read any more");
        }
    }

    /// Whether a layer is to be tried again, and that is news: the engine counts the seconds down one by one.
    fn begins_to_wait(&mut self, id: &Arc<str>, phase: &str) -> bool {
        let seconds = phase.strip_prefix("Retrying in ").and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        let Some(seconds) = seconds else { return false };
        let before = self.retries.insert(Arc::clone(id), seconds);
        before.is_none_or(|before| seconds > before)
    }

    fn moved(&mut self, id: &Arc<str>, bytes: Option<(u64, Option<u64>)>) {
        let Some(moving) = &mut self.moving else { return };
        let Some(bytes) = bytes else { return };
        moving.layers.insert(Arc::clone(id), bytes);
        let done: u64 = moving.layers.values().map(|(current, _)| current).sum();
        let whole: Option<u64> = moving.layers.values().map(|(current, total)| total.map(|total| total.max(*current))).sum();
        let of = whole.map_or_else(String::new, |whole| format!(" of {}", text::bytes(whole)));
        moving.shown =
            write!(std::io::stderr(), "\r\x1b[2K  {}, {}{of}", text::counted(moving.layers.len(), "layer"), text::bytes(done)).is_ok();
    }

    /// The line that is written over goes.
    pub fn over(&mut self) {
        if let Some(moving) = &mut self.moving {
            if moving.shown {
                // A terminal that is gone needs no clean line.
                let _ = write!(std::io::stderr(), "\r\x1b[2K");
            }
            *moving = Moving::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_is_told_once() {
        let mut said = Said::new(Format::Json, false);
        let mut told = Vec::new();
        for (id, phase) in [
            ("a", "Pushing"),
            ("a", "Retrying in 5 seconds"),
            ("b", "Retrying in 5 seconds"),
            ("a", "Retrying in 4 seconds"),
            ("a", "Retrying in 1 second"),
            ("a", "Retrying in 10 seconds"),
            ("a", "Retrying soon"),
        ] {
            if said.begins_to_wait(&Arc::from(id), phase) {
                told.push(format!("{id}: {phase}"));
            }
        }
        assert_eq!(told, ["a: Retrying in 5 seconds", "b: Retrying in 5 seconds", "a: Retrying in 10 seconds"]);
    }
}
