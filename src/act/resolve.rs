//! What is, told from a container's inspect document: whether an act is needed at all, and, when its answer got lost, whether it happened.

use serde_json::Value;

use super::Act;
use crate::text::clean_line;

/// What an engine says of a container, as far as acts change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its name without the slash, clean.
    pub name: String,
    /// The engine's word for its state, clean.
    pub state: String,
    /// Whether its main process exists; also between two restarts.
    pub running: bool,
    /// Whether it is frozen.
    pub paused: bool,
    /// When its main process was last started: compared, never read.
    pub started: String,
    /// The grace it was made with, in seconds.
    pub stop_timeout: Option<i64>,
}

/// What a look at a container tells of an act whose answer got lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Done,
    /// It is not so, or not yet.
    NotYet,
    /// The target is gone, though that was not asked.
    Gone,
    /// What the engine tells does not show it.
    Untold,
}

impl Seen {
    /// Reads an inspect document. What it does not tell stays empty: a foreign engine may leave fields out.
    pub fn of(document: &Value) -> Self {
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let flag = |pointer: &str| document.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        Self {
            name: clean_line(text("/Name").trim_start_matches('/')),
            state: clean_line(text("/State/Status")),
            running: flag("/State/Running"),
            paused: flag("/State/Paused"),
            started: text("/State/StartedAt").to_owned(),
            stop_timeout: document.pointer("/Config/StopTimeout").and_then(Value::as_i64),
        }
    }

    /// What is neither running nor stopped, but there.
    pub fn there() -> Self {
        Self { state: "still there".to_owned(), ..Self::default() }
    }

    /// `it is running`, for a sentence.
    pub fn sentence(&self) -> String {
        if self.state.is_empty() { "the engine does not say how it is".to_owned() } else { format!("it is {}", self.state) }
    }
}

impl Act {
    /// Whether the act would change nothing, where engines answer with an error instead of saying so.
    pub fn is_needless(&self, now: &Seen) -> bool {
        match self {
            Self::Pause => now.paused,
            Self::Unpause => now.running && !now.paused,
            Self::Rename { to } => now.name == *to,
            Self::Start | Self::Stop { .. } | Self::Restart { .. } | Self::Kill { .. } | Self::Remove { .. } | Self::Discard => false,
        }
    }

    /// Whether it happened, by what was before and what is now; `None`: the target is gone.
    pub fn verdict(&self, before: &Seen, now: Option<&Seen>) -> Verdict {
        let Some(now) = now else {
            return if self.removes() { Verdict::Done } else { Verdict::Gone };
        };
        let begun_anew = now.started != before.started;
        let done = match self {
            Self::Start => now.running || begun_anew,
            Self::Stop { .. } => !now.running,
            Self::Restart { .. } => begun_anew,
            Self::Kill { .. } if self.capacity() == super::Capacity::Keeps => return Verdict::Untold,
            Self::Kill { .. } => !now.running || begun_anew,
            Self::Pause => now.paused,
            Self::Unpause => now.running && !now.paused,
            Self::Remove { .. } | Self::Discard => false,
            Self::Rename { to } => now.name == *to,
        };
        if done { Verdict::Done } else { Verdict::NotYet }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(state: &str, started: &str) -> Seen {
        Seen::of(&json!({
            "Name": "/web-1",
            "State": { "Status": state, "Running": matches!(state, "running" | "paused"), "Paused": state == "paused", "StartedAt": started },
            "Config": { "StopTimeout": 3 },
        }))
    }

    #[test]
    fn what_happened_is_told_by_before_and_now() {
        use Verdict::{Done, Gone, NotYet, Untold};
        let (up, up_again, down, frozen) = (seen("running", "1"), seen("running", "2"), seen("exited", "1"), seen("paused", "1"));
        let kill = |signal: &str| Act::Kill { signal: signal.to_owned() };
        let rename = |to: &str| Act::Rename { to: to.to_owned() };
        let remove = Act::Remove { force: false, volumes: false };
        for (act, before, now, verdict) in [
            (Act::Start, &down, Some(&up), Done),
            (Act::Start, &down, Some(&down), NotYet),
            (Act::Stop { grace: None }, &up, Some(&down), Done),
            (Act::Stop { grace: None }, &up, Some(&up), NotYet),
            (Act::Stop { grace: None }, &up, None, Gone),
            (Act::Restart { grace: None }, &up, Some(&up), NotYet),
            (Act::Restart { grace: None }, &up, Some(&up_again), Done),
            (kill("SIGKILL"), &up, Some(&up_again), Done),
            (kill("SIGKILL"), &up, Some(&up), NotYet),
            (kill("SIGHUP"), &up, Some(&up), Untold),
            (Act::Pause, &up, Some(&frozen), Done),
            (Act::Unpause, &frozen, Some(&up), Done),
            (Act::Unpause, &frozen, Some(&frozen), NotYet),
            (remove.clone(), &down, None, Done),
            (remove, &down, Some(&down), NotYet),
            (rename("web-1"), &up, Some(&up), Done),
            (rename("web-2"), &up, Some(&up), NotYet),
        ] {
            assert_eq!(act.verdict(before, now), verdict, "{act}: {before:?} → {now:?}");
        }
        assert!(Act::Pause.is_needless(&frozen) && !Act::Pause.is_needless(&up));
        assert!(Act::Unpause.is_needless(&up) && !Act::Unpause.is_needless(&down));
        assert_eq!((up.stop_timeout, Seen::of(&json!({}))), (Some(3), Seen::default()));
    }
}
