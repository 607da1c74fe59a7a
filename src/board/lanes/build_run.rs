//! A build that this console began: what it said last and how it ended.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use crate::fleet::AppName;

/// So many of its last lines are kept.
pub const LINES: usize = 200;

/// What is heard of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildWord {
    /// It begins.
    Begun(DateTime<Utc>),
    /// It says more.
    Lines(Vec<String>),
    /// What is on its way now, in one line that is written over.
    Moving(String),
    /// It has ended: the version, or why there is none.
    Ended(DateTime<Utc>, Result<String, String>),
}

/// One build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRun {
    /// When it began.
    pub begun: DateTime<Utc>,
    /// Its last words, the newest last, at most [`LINES`].
    pub lines: VecDeque<String>,
    /// What is on its way now.
    pub moving: Option<String>,
    /// When and how it ended.
    pub ended: Option<(DateTime<Utc>, Result<String, String>)>,
}

impl BuildRun {
    /// One that has said nothing yet.
    pub fn begun(begun: DateTime<Utc>) -> Self {
        Self { begun, lines: VecDeque::new(), moving: None, ended: None }
    }

    /// Takes what it says.
    pub fn hear(&mut self, word: BuildWord) {
        match word {
            BuildWord::Begun(at) => *self = Self::begun(at),
            BuildWord::Lines(lines) => {
                self.moving = None;
                self.lines.extend(lines);
                // The newest lines tell where it is; the audit and the records tell what came of it.
                self.lines.drain(..self.lines.len().saturating_sub(LINES));
            }
            BuildWord::Moving(line) => self.moving = Some(line),
            BuildWord::Ended(at, result) => {
                self.moving = None;
                self.ended = Some((at, result));
            }
        }
    }

    /// Whether it goes on.
    pub fn is_under_way(&self) -> bool {
        self.ended.is_none()
    }

    /// Its end in one line; nothing while it goes on.
    pub fn line(&self, app: &AppName) -> Option<String> {
        match &self.ended.as_ref()?.1 {
            Ok(version) => Some(format!("{app}: {version} is built")),
            Err(why) => Some(format!("{app}: not built: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let mut build = BuildRun::begun(DateTime::UNIX_EPOCH);
        build.hear(BuildWord::Moving("3 layers, 12 MB of 40 MB".into()));
        for chunk in 0..10 {
            build.hear(BuildWord::Lines((0..50).map(|line| format!("{chunk}/{line}")).collect()));
        }
        assert_eq!((build.lines.len(), build.moving.as_deref()), (LINES, None));
        assert_eq!((build.lines[0].as_str(), build.lines[LINES - 1].as_str()), ("6/0", "9/49"));
    }
}
