//! Why a step waits, in one line: what is asked, what was answered last, how long until what.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    delivery::{
        plan::Plan,
        spec::OnFailure,
        steps::{Act, Gate, GateProbe, Phase, SETTLED, Step},
        strategies::Script,
    },
    run::{NOTHING_TO_ASK, Wait, journal::Progress},
    text::{bytes, counted, fit, width},
};

/// Why a step waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// What is asked or done.
    pub what: String,
    /// The last answer.
    pub said: Option<Arc<str>>,
    /// How often it was asked; 0: it is not a matter of asking.
    pub asked: u32,
    /// Good answers in a row, and how many there must be.
    pub good: Option<(u16, u16)>,
    /// Bytes that are there, of so many.
    pub bytes: Option<(u64, u64)>,
    /// When it is over.
    pub until: Option<DateTime<Utc>>,
    /// What happens then.
    pub then: Option<&'static str>,
}

impl Why {
    /// The line at this moment, in so many cells: a long answer is cut rather than how long until what.
    pub fn line(&self, now: DateTime<Utc>, cells: usize) -> String {
        let whole = self.told(now, self.said.as_deref());
        let over = width(&whole).saturating_sub(cells);
        match &self.said {
            Some(said) if over > 0 => self.told(now, Some(&fit(said, width(said).saturating_sub(over).max(1)))),
            Some(_) | None => whole,
        }
    }

    fn told(&self, now: DateTime<Utc>, said: Option<&str>) -> String {
        let mut line = self.what.clone();
        if let Some((there, of)) = self.bytes {
            line += &format!(" {} of {}", bytes(there), bytes(of));
        }
        if let Some(said) = said {
            line += &format!(" → {said}");
        }
        if self.asked > 1 {
            line += &format!(", try {}", self.asked);
        }
        if let Some((good, rise)) = self.good.filter(|(good, _)| *good > 0) {
            line += &format!(" → good, {good} of {rise} in a row");
        }
        let then = self.then.map(|then| format!(", then {then}")).unwrap_or_default();
        match self.until {
            Some(until) => line += &format!(" · {} s left{then}", (until - now + TimeDelta::milliseconds(999)).num_seconds().max(0)),
            None if !then.is_empty() => line += &format!(" · {}", then.trim_start_matches(", ")),
            None => {}
        }
        line
    }
}

/// What waits, seen with everything that its sentence needs.
pub(super) struct Asker<'a> {
    pub(super) plan: &'a Plan,
    pub(super) script: &'a Script,
    pub(super) progress: &'a Progress,
}

impl Asker<'_> {
    /// Why this step waits. `since`: when it began.
    pub(super) fn why(&self, step: &Step, since: DateTime<Utc>, wait: Option<&Wait>, is_undo: bool) -> Why {
        let since = wait.map_or(since, |wait| wait.since);
        let (what, limit, then) = self.asks(step);
        // Only the run knows that there is nothing to ask: then it is only watched for a while.
        let is_watched = wait.and_then(|wait| wait.said.as_deref()) == Some(NOTHING_TO_ASK);
        let (limit, then) = if is_watched { (Some(SETTLED), Some("it counts as healthy")) } else { (limit, then) };
        let (what, limit, then) = if is_undo { (format!("taking back: {what}"), None, None) } else { (what, limit, then) };
        let good = match &step.act {
            Act::Gate { gate, .. } => wait.map(|wait| (wait.good, gate.rise)),
            _ => None,
        };
        let said = wait.filter(|wait| wait.good == 0).and_then(|wait| wait.said.as_deref()).map(|said| Arc::from(shortened(said)));
        Why {
            what,
            said,
            asked: wait.map_or(0, |wait| wait.asked),
            good,
            bytes: wait.and_then(|wait| wait.bytes),
            until: limit.and_then(|limit| Some(since + TimeDelta::from_std(limit).ok()?)),
            then,
        }
    }

    fn asks(&self, step: &Step) -> (String, Option<Duration>, Option<&'static str>) {
        let fails = Some(self.fails(step));
        match &step.act {
            Act::Pull { image } => (format!("fetching {}", short_image(image)), None, None),
            Act::EnsureNetwork { name } => (format!("network {name}"), None, None),
            Act::EnsureVolume { name } => (format!("volume {name}"), None, None),
            Act::Create { blueprint } => (format!("making {}", blueprint.service), None, None),
            Act::Start { .. } => (format!("starting {}", self.of(step)), None, None),
            Act::Gate { container, gate } => (self.question(&container.name, gate, step), Some(gate.timeout), fails),
            Act::SetRestart { .. } => (format!("telling the engine about the old {}", self.of(step)), None, None),
            Act::Stop { grace, .. } => (format!("the old {} ends", self.of(step)), Some(*grace), Some("it is killed")),
            Act::Rename { .. } => (format!("renaming {}", self.of(step)), None, None),
            Act::Remove { container } => (format!("removing {}", container.name), None, None),
            Act::Job { blueprint, timeout, .. } => (format!("job {} runs", blueprint.service), Some(*timeout), fails),
            Act::Admit { route, .. } => (format!("a check of {}/{}", route.lb, route.backend), None, None),
            Act::Drain { within, .. } => (format!("the old {} drains", self.of(step)), Some(*within), Some("they are cut")),
            Act::Withdraw { route, .. } => (format!("freeing its slot of {}/{}", route.lb, route.backend), None, None),
            Act::Weigh { to, .. } => (format!("a share of {to} %"), None, None),
            Act::Switch { route, .. } => (format!("switching {}/{}", route.lb, route.backend), None, None),
            Act::Approve { question } => (format!("a person's yes: {question}"), None, None),
            Act::Compare { route, time, .. } => (format!("comparing {}/{}", route.lb, route.backend), Some(*time), Some("it is judged")),
            Act::Verify { path, contains, .. } => {
                let contains = contains.as_ref().map(|text| format!(" contains {text:?}")).unwrap_or_default();
                let limit = match &step.act {
                    Act::Verify { timeout, .. } => Some(*timeout),
                    _ => None,
                };
                (format!("verify {path}{contains}"), limit, fails)
            }
            Act::Pause { time } => ("pause".to_owned(), Some(*time), Some("the next")),
            Act::Bake { time, watch } => (format!("{} must stay well", counted(watch.len(), "new one")), Some(*time), Some("it is good")),
        }
    }

    /// The service that a step is for.
    fn of<'b>(&self, step: &'b Step) -> &'b str {
        step.service.as_ref().map_or("one", |service| service.as_str())
    }

    /// What a gate asks, where it asks it.
    fn question(&self, container: &str, gate: &Gate, step: &Step) -> String {
        let outside = |inside: u16| {
            let made = self.script.steps.iter().find_map(|step| match &step.act {
                Act::Create { blueprint } if *blueprint.name == *container => Some(blueprint),
                _ => None,
            });
            made.and_then(|made| made.ports.iter().find(|port| port.container == inside)).map_or(inside, |port| port.host)
        };
        let service = self.of(step);
        match &gate.probe {
            GateProbe::Http { path, port } => format!("{service}: GET :{}{path}", outside(*port)),
            GateProbe::Tcp { port } => format!("{service}: connect :{}", outside(*port)),
            GateProbe::Command(command) => format!("{service}: {}", command.join(" ")),
            GateProbe::Log(pattern) => format!("{service}: a log line like /{pattern}/"),
            GateProbe::Image { port: Some(port) } => format!("{service}: HEALTHCHECK, or connect :{}", outside(*port)),
            GateProbe::Image { port: None } => format!("{service}: HEALTHCHECK, or it goes on running"),
        }
    }

    /// What follows when a step fails.
    fn fails(&self, step: &Step) -> &'static str {
        if step.phase == Phase::Clean {
            return "it is left behind";
        }
        let given_up =
            self.script.steps.iter().filter(|step| self.progress.given_up.contains(&step.id)).filter_map(|step| step.host.as_ref());
        let given_up = given_up.collect::<std::collections::BTreeSet<_>>().len();
        let allowed = usize::try_from(self.plan.strategy.max_failures).unwrap_or(usize::MAX);
        let is_unit = step.phase == Phase::Change && step.service.is_some() && step.host.is_some();
        if is_unit && given_up < allowed {
            return "this host goes back and the others go on";
        }
        let one_way = |step: &&Step| matches!(step.act, Act::Job { one_way: true, .. }) && self.progress.begun.contains(&step.id);
        match self.plan.strategy.on_failure {
            OnFailure::Park => "it parks",
            OnFailure::Deployment | OnFailure::Batch | OnFailure::Host if self.script.steps.iter().any(|step| one_way(&step)) => {
                "it parks, as a job cannot be undone"
            }
            OnFailure::Deployment => "all go back",
            OnFailure::Batch => "its batch goes back",
            OnFailure::Host => "this host goes back",
        }
    }
}

/// An image without its digest's 64 characters.
fn short_image(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.get(..7).unwrap_or(digest)),
        None => image.to_owned(),
    }
}

/// The question stands before it already, and where it was asked.
fn shortened(said: &str) -> &str {
    let said = match said.split_once(": ") {
        Some((address, rest)) if address.parse::<std::net::SocketAddr>().is_ok() => rest,
        Some(_) | None => said,
    };
    let said = said.split_once(" (os error ").map_or(said, |(said, _)| said);
    match said.strip_prefix("GET ").and_then(|rest| rest.split_once(": ")) {
        // Of `503 Service Unavailable` the number says it all.
        Some((path, answer)) if path.starts_with('/') => match answer.split_once(' ') {
            Some((code, _)) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) => code,
            Some(_) | None => answer,
        },
        Some(_) | None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_short() {
        for (said, expected) in [
            ("GET /healthz: 503 Service Unavailable", "503"),
            ("GET /: \"ok\" is not in the answer", "\"ok\" is not in the answer"),
            ("10.77.0.11:20000: Connection refused (os error 111)", "Connection refused"),
            ("no answer within 3 s", "no answer within 3 s"),
            ("the command ended with 1: not yet", "the command ended with 1: not yet"),
        ] {
            assert_eq!(shortened(said), expected);
        }
    }

    #[test]
    fn how_long_until_what_is_never_cut_for_an_answer() {
        let why = Why {
            what: "web: GET :20001/".to_owned(),
            said: Some("something that is much too long to be told in one line of a screen".into()),
            asked: 4,
            good: None,
            bytes: None,
            until: Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(16)),
            then: Some("all go back"),
        };
        let line = why.line(DateTime::UNIX_EPOCH, 70);
        assert!(width(&line) <= 70 && line.ends_with("…, try 4 · 16 s left, then all go back"), "{line}");
    }
}
