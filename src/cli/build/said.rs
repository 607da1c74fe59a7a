//! Who hears how a build goes on; a person at a terminal gets a line for each step.

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

/// Who hears how a build goes on.
pub trait Hearer: Send {
    /// One thing that happened.
    fn take(&mut self, progress: &Progress);

    /// Nothing more is on its way.
    fn over(&mut self);

    /// What a person should know beside what happened.
    fn remark(&mut self, line: &str);
}

/// What happened in one line; `None`: it is on its way, or only for who wants everything (`whole`).
pub fn line(progress: &Progress, whole: bool) -> Option<String> {
    Some(match progress {
        Progress::Layer { .. } => return None,
        Progress::Output(_) if !whole => return None,
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
    })
}

/// LayerCount on their way, counted together.
#[derive(Default)]
pub struct LayerCount {
    moving: BTreeMap<Arc<str>, (u64, Option<u64>)>,
    /// LayerCount that are tried again: the seconds that were counted last.
    retries: BTreeMap<Arc<str>, u64>,
}

/// What a word of a layer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerWord {
    /// A line of its own: it is to be tried again.
    Line(String),
    /// How far all of them are.
    Moving(String),
}

impl LayerCount {
    /// Takes what is told of one.
    pub fn take(&mut self, id: &Arc<str>, phase: &str, bytes: Option<(u64, Option<u64>)>) -> Option<LayerWord> {
        if self.begins_to_wait(id, phase) {
            return Some(LayerWord::Line(format!("  layer {id}: {phase}")));
        }
        self.moving.insert(Arc::clone(id), bytes?);
        let done: u64 = self.moving.values().map(|(current, _)| current).sum();
        let whole: Option<u64> = self.moving.values().map(|(current, total)| total.map(|total| total.max(*current))).sum();
        let of = whole.map_or_else(String::new, |whole| format!(" of {}", text::bytes(whole)));
        Some(LayerWord::Moving(format!("{}, {}{of}", text::counted(self.moving.len(), "layer"), text::bytes(done))))
    }

    /// None is on its way any more.
    pub fn over(&mut self) {
        self.moving.clear();
    }

    /// Whether a layer is to be tried again, and that is news: the engine counts the seconds down one by one.
    fn begins_to_wait(&mut self, id: &Arc<str>, phase: &str) -> bool {
        let seconds = phase.strip_prefix("Retrying in ").and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        let Some(seconds) = seconds else { return false };
        let before = self.retries.insert(Arc::clone(id), seconds);
        before.is_none_or(|before| seconds > before)
    }
}

/// Progress for a person: a line for each step, on standard error where standard output is for a program.
pub struct Said {
    to_stdout: bool,
    /// What steps print, too.
    whole: bool,
    layers: LayerCount,
    /// Whether standard error has a line that can be written over, and whether there is one now.
    terminal: bool,
    moving: bool,
}

impl Said {
    /// Prints as the verb does.
    pub fn new(format: Format, whole: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { to_stdout: format == Format::Table, whole, layers: LayerCount::default(), terminal, moving: false }
    }
}

impl Hearer for Said {
    fn take(&mut self, progress: &Progress) {
        let line = match progress {
            Progress::Layer { id, phase, bytes } => match self.layers.take(id, phase, *bytes) {
                Some(LayerWord::Line(line)) => line,
                Some(LayerWord::Moving(text)) if self.terminal => {
                    self.moving = write!(std::io::stderr(), "\r\x1b[2K  {text}").is_ok();
                    return;
                }
                Some(LayerWord::Moving(_)) | None => return,
            },
            other => match line(other, self.whole) {
                Some(line) => line,
                None => return,
            },
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

    /// The line that is written over goes.
    fn over(&mut self) {
        self.layers.over();
        if std::mem::take(&mut self.moving) {
            // A terminal that is gone needs no clean line.
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }

    fn remark(&mut self, line: &str) {
        out::complain(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_is_told_once() {
        let mut layers = LayerCount::default();
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
            if let Some(LayerWord::Line(_)) = layers.take(&Arc::from(id), phase, None) {
                told.push(format!("{id}: {phase}"));
            }
        }
        assert_eq!(told, ["a: Retrying in 5 seconds", "b: Retrying in 5 seconds", "a: Retrying in 10 seconds"]);
    }

    #[test]
    fn layers_are_counted_together() {
        let mut layers = LayerCount::default();
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        assert_eq!(layers.take(&a, "Waiting", None), None);
        layers.take(&a, "Pushing", Some((1 << 20, Some(2 << 20))));
        let told = layers.take(&b, "Pushing", Some((1 << 20, None)));
        assert_eq!(told, Some(LayerWord::Moving("2 layers, 2.00 MB".to_owned())));
        let told = layers.take(&b, "Pushing", Some((1 << 20, Some(1 << 20))));
        assert_eq!(told, Some(LayerWord::Moving("2 layers, 2.00 MB of 3.00 MB".to_owned())));
        layers.over();
        assert_eq!(layers.take(&b, "Pushing", Some((0, Some(1 << 20)))), Some(LayerWord::Moving("1 layer, 0 B of 1.00 MB".to_owned())));
    }
}
