//! The acts themselves: their words, their arguments, and what each does to a service's capacity.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::action::Action;

/// Something done to a container, or to what an engine keeps beside its containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Act {
    /// Start its main process.
    Start,
    /// Ask its main process to end, and end it when it does not.
    Stop {
        /// Seconds between the two; `None`: what the container was made with, else 10.
        grace: Option<u32>,
    },
    /// Stop and start again.
    Restart {
        /// As for [`Act::Stop`].
        grace: Option<u32>,
    },
    /// Send its main process a signal.
    Kill {
        /// `SIGKILL`, or a number; see [`parse_signal`].
        signal: String,
    },
    /// Freeze its processes.
    Pause,
    /// Thaw them.
    Unpause,
    /// Take it away, with what it wrote into its own layer and its log.
    Remove {
        /// Even if it runs.
        force: bool,
        /// With its anonymous volumes.
        volumes: bool,
    },
    /// Take away what an engine keeps beside its containers; the target says what it is. Never by force: what came into use meanwhile stays.
    Discard,
    /// Give it another name.
    Rename {
        /// The name; see [`check_name`].
        to: String,
    },
}

/// What an act does to how many containers of a service serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// One less, until something is done about it.
    Takes,
    /// One less for a moment.
    Interrupts,
    /// One more.
    Gives,
    /// Nothing.
    Keeps,
}

/// The time a container gets to end by itself when nobody says.
const GRACE: i64 = 10;
/// What an engine may need beyond the grace before its answer counts as missing: a busy disk, a slow network driver.
const SLACK: Duration = Duration::from_secs(30);
/// What an engine may need for taking away a large layer.
const REMOVAL: Duration = Duration::from_secs(120);
/// After an answer that was lost: how long beyond the grace an act may still be under way.
const SETTLE: Duration = Duration::from_secs(5);
/// A grace without an end is waited for only so long.
const LONGEST: u64 = 3600;

impl Act {
    /// The verb: `stop`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
            Self::Kill { .. } => "kill",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Remove { .. } | Self::Discard => "remove",
            Self::Rename { .. } => "rename",
        }
    }

    /// What was done when it was done: `stopped`.
    pub fn past(&self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop { .. } => "stopped",
            Self::Restart { .. } => "restarted",
            Self::Kill { .. } => "killed",
            Self::Pause => "paused",
            Self::Unpause => "unpaused",
            Self::Remove { .. } | Self::Discard => "removed",
            Self::Rename { .. } => "renamed",
        }
    }

    /// The row of the catalogue that it is, and through it its id in the audit and what must be answered first.
    pub fn action(&self) -> Action {
        match self {
            Self::Start => Action::ContainerStart,
            Self::Stop { .. } => Action::ContainerStop,
            Self::Restart { .. } => Action::ContainerRestart,
            Self::Kill { .. } => Action::ContainerKill,
            Self::Pause => Action::ContainerPause,
            Self::Unpause => Action::ContainerUnpause,
            Self::Remove { .. } => Action::ContainerRemove,
            Self::Discard => Action::StockRemove,
            Self::Rename { .. } => Action::ContainerRename,
        }
    }

    /// Its argument in words; `None` where it has none.
    pub fn argument(&self) -> Option<String> {
        match self {
            Self::Start | Self::Pause | Self::Unpause | Self::Discard => None,
            Self::Stop { grace } | Self::Restart { grace } => grace.map(|seconds| format!("grace {seconds} s")),
            Self::Kill { signal } => Some(signal.clone()),
            Self::Remove { force, volumes } => match (force, volumes) {
                (false, false) => None,
                (true, false) => Some("by force".to_owned()),
                (false, true) => Some("with its anonymous volumes".to_owned()),
                (true, true) => Some("by force, with its anonymous volumes".to_owned()),
            },
            Self::Rename { to } => Some(format!("to {to}")),
        }
    }

    /// What it does to the capacity of its target's service.
    pub fn capacity(&self) -> Capacity {
        match self {
            Self::Start | Self::Unpause => Capacity::Gives,
            Self::Stop { .. } | Self::Pause | Self::Remove { .. } => Capacity::Takes,
            Self::Restart { .. } => Capacity::Interrupts,
            Self::Kill { signal } if spares(signal) => Capacity::Keeps,
            Self::Kill { .. } => Capacity::Takes,
            Self::Rename { .. } | Self::Discard => Capacity::Keeps,
        }
    }

    /// How it is taken back.
    pub fn undo(&self) -> &'static str {
        match self {
            Self::Start => "stop takes it back",
            Self::Stop { .. } => "start takes it back",
            Self::Restart { .. } => "nothing to take back: the same containers run again",
            Self::Kill { signal } if spares(signal) => "a signal cannot be taken back",
            Self::Kill { .. } => "start brings it back; what it was doing is lost",
            Self::Pause => "unpause takes it back",
            Self::Unpause => "pause takes it back",
            Self::Remove { .. } | Self::Discard => "cannot be taken back",
            Self::Rename { .. } => "renaming it back takes it back",
        }
    }

    /// Whether its target is to be gone afterwards.
    pub fn removes(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Discard)
    }

    /// How long its answer is waited for. `stop_timeout`: what the container was made with, in seconds.
    pub fn limit(&self, stop_timeout: Option<i64>) -> Duration {
        if self.removes() { REMOVAL } else { self.grace(stop_timeout) + SLACK }
    }

    /// How long after it was sent it may still be under way although nobody waits for the answer any more.
    pub fn settles_within(&self, stop_timeout: Option<i64>) -> Duration {
        self.grace(stop_timeout) + SETTLE
    }

    fn grace(&self, stop_timeout: Option<i64>) -> Duration {
        match self {
            Self::Stop { grace } | Self::Restart { grace } => {
                let seconds = grace.map_or_else(|| stop_timeout.unwrap_or(GRACE), i64::from);
                Duration::from_secs(u64::try_from(seconds).unwrap_or(LONGEST).min(LONGEST))
            }
            Self::Start | Self::Kill { .. } | Self::Pause | Self::Unpause | Self::Remove { .. } | Self::Discard | Self::Rename { .. } => {
                Duration::ZERO
            }
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.argument() {
            Some(argument) => write!(f, "{} {argument}", self.word()),
            None => f.pad(self.word()),
        }
    }
}

/// Why a text is no argument of an act.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArgumentError {
    /// `--signal LOUD`.
    #[error("{0:?} is no signal: TERM, KILL, HUP, INT, QUIT, USR1, USR2, … or a number from 1 to 64")]
    Signal(String),
    /// `rename -- -x`.
    #[error("{0:?} is no name for a container: two or more of a-z A-Z 0-9 _ . -, the first a letter or digit")]
    Name(String),
}

/// The signals by name. Those that programs take as a word to them and not as their end come first.
const SPARING: [&str; 9] = ["HUP", "USR1", "USR2", "WINCH", "CONT", "CHLD", "URG", "IO", "PWR"];
const ENDING: [&str; 21] = [
    "KILL", "TERM", "INT", "QUIT", "ABRT", "STOP", "TSTP", "ALRM", "PIPE", "TRAP", "ILL", "BUS", "FPE", "SEGV", "SYS", "XCPU", "XFSZ",
    "VTALRM", "PROF", "TTIN", "TTOU",
];

/// A signal as engines take it: `SIGTERM` from `term`, `Term` or `SIGTERM`; a number stays one.
///
/// # Errors
/// [`ArgumentError::Signal`] for what is none.
pub fn parse_signal(text: &str) -> Result<String, ArgumentError> {
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if SPARING.contains(&bare) || ENDING.contains(&bare) {
        return Ok(format!("SIG{bare}"));
    }
    match bare.parse::<u8>() {
        Ok(number @ 1..=64) => Ok(number.to_string()),
        Ok(_) | Err(_) => Err(ArgumentError::Signal(crate::text::clean_line(text))),
    }
}

/// Whether a signal that [`parse_signal`] made is a word to a program and not its end. A number is taken for the end: it is not looked up
/// per architecture.
fn spares(signal: &str) -> bool {
    signal.strip_prefix("SIG").is_some_and(|bare| SPARING.contains(&bare))
}

/// Whether engines take this as a container's name.
///
/// # Errors
/// [`ArgumentError::Name`] with the rule.
pub fn check_name(name: &str) -> Result<(), ArgumentError> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (2..=255).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inside) {
        return Ok(());
    }
    Err(ArgumentError::Name(crate::text::clean_line(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Need;

    #[test]
    fn signals_and_names() {
        for (text, signal) in [("term", "SIGTERM"), ("SIGHUP", "SIGHUP"), ("9", "9"), (" usr1 ", "SIGUSR1")] {
            assert_eq!(parse_signal(text).as_deref(), Ok(signal));
        }
        for text in ["", "0", "65", "LOUD", "-9", "TERM\u{1b}", "SIG"] {
            assert!(parse_signal(text).is_err(), "{text:?}");
        }
        for name in ["web-1", "a_", "0.x"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a", "-web", "we b", "web/1", "wéb", &"x".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn every_act_is_a_row_that_acts_and_asks() {
        let acts = [
            Act::Start,
            Act::Stop { grace: None },
            Act::Restart { grace: Some(3) },
            Act::Kill { signal: "SIGHUP".to_owned() },
            Act::Pause,
            Act::Unpause,
            Act::Remove { force: true, volumes: true },
            Act::Discard,
            Act::Rename { to: "web-2".to_owned() },
        ];
        for act in acts {
            let row = act.action().row();
            assert_eq!(row.need, Need::Act, "{act}");
            assert!(row.id.ends_with(act.word()), "{act}: {}", row.id);
            let text = serde_json::to_string(&act).unwrap();
            assert_eq!(serde_json::from_str::<Act>(&text).unwrap(), act, "{text}");
        }
    }

    #[test]
    fn an_answer_is_waited_for_longer_than_the_grace() {
        let stop = |grace| Act::Stop { grace };
        assert_eq!(stop(Some(120)).limit(Some(3)), Duration::from_secs(150));
        assert_eq!(stop(None).limit(Some(300)), Duration::from_secs(330));
        assert_eq!(stop(None).limit(None), Duration::from_secs(40));
        assert_eq!(stop(None).limit(Some(-1)), Duration::from_secs(3630), "for ever is an hour");
        assert_eq!(Act::Start.limit(Some(300)), Duration::from_secs(30));
        assert_eq!(stop(Some(2)).settles_within(None), Duration::from_secs(7));
    }
}
