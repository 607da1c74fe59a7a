//! What changed, in words: a deployment, an act of the audit, a deed that engines told.

use chrono::{DateTime, Utc};

use super::{Change, Kind, RecordedAct, RecordedDeployment, deed::Verb, span};
use crate::{delivery::release::label, fleet::Severity, ledger::audit::Verdict, run::journal::State};

pub(super) fn line(at: DateTime<Utc>, kind: Kind, severity: Severity, what: String, who: String, place: String) -> Change {
    Change { at, first: at, times: 1, kind, severity, what, who, place, deployment: None }
}

pub(super) fn of_deployment(recorded: &RecordedDeployment) -> Vec<Change> {
    let one = &recorded.deployment;
    // Nothing was done yet, or ever.
    let Some(at) = one.started else { return Vec::new() };
    let severity = match one.state {
        State::Failed => Severity::Bad,
        State::Unwound | State::Parked | State::Running => Severity::Attention,
        State::Good | State::Waiting => Severity::Quiet,
    };
    let took = one.finished.map(|finished| format!(" in {}", span(finished - at))).unwrap_or_default();
    let why = one.reason.as_ref().filter(|_| one.state != State::Good).map(|why| format!(": {why}")).unwrap_or_default();
    let outcome = match (one.state, one.rollback) {
        (State::Good, false) => "deployed".to_owned(),
        (State::Good, true) => "rolled back to".to_owned(),
        (state, false) => format!("{}:", state.word()),
        (state, true) => format!("{} rollback:", state.word()),
    };
    let what = format!("{outcome} {}{took}{why}", one.release);
    let place = format!("{} in {}", one.app, one.environment);
    let of =
        |kind, severity, what| Change { deployment: Some(one.id.clone()), ..line(at, kind, severity, what, one.by.clone(), place.clone()) };
    let settings = (!recorded.settings.is_empty())
        .then(|| of(Kind::Settings, Severity::Quiet, format!("settings changed: {}", recorded.settings.join(", "))));
    std::iter::once(of(Kind::Deployment, severity, what)).chain(settings).collect()
}

/// What the audit says; `None` for what other lines say already.
pub(super) fn of_act(act: &RecordedAct) -> Option<Change> {
    let with = |words: &str| if act.argument.is_empty() { words.to_owned() } else { format!("{words}: {}", act.argument) };
    let what = match &*act.action {
        // The deployment itself is told, with its outcome.
        "app.deploy" | "app.rollback" | "app.promote" | "app.apply-config" | "pipeline.ask" | "deployment.resume" | "deployment.finish"
        | "deployment.go-on" => return None,
        "app.edit-template" => with("template changed"),
        "deployment.approve" => with("said yes"),
        "deployment.reject" => with("said no"),
        "deployment.park" => with("parked"),
        "deployment.unwind" => with("taken back"),
        "environment.freeze" => with("frozen"),
        "environment.thaw" => with("thawed"),
        "environment.unlock" => with("lock taken away"),
        "traffic.drain" => with("drained"),
        "traffic.undrain" => with("in traffic again"),
        "container.start" => "started".to_owned(),
        "container.stop" => "stopped".to_owned(),
        "container.restart" => "restarted".to_owned(),
        "container.pause" => "paused".to_owned(),
        "container.unpause" => "unpaused".to_owned(),
        "container.kill" => with("killed"),
        "container.exec" => with("a command was run in it"),
        "container.copy-out" => with("a file was copied out of it"),
        "container.rename" => with("renamed"),
        "container.remove" | "container.remove-forced" => "removed".to_owned(),
        other => with(other),
    };
    let (severity, end) = match act.verdict {
        Some(Verdict::Done) => (Severity::Quiet, ""),
        Some(Verdict::Failed) => (Severity::Attention, " (failed)"),
        Some(Verdict::Cancelled) => (Severity::Quiet, " (cancelled)"),
        Some(Verdict::Unknown) | None => (Severity::Attention, " (outcome unknown)"),
    };
    let place = format!("{} {}", act.host, act.target).trim().to_owned();
    Some(Change {
        deployment: act.target.parse().ok(),
        ..line(act.at, Kind::Act, severity, format!("{what}{end}"), act.who.clone(), place)
    })
}

pub(super) fn words(verb: &Verb) -> (Kind, Severity, String) {
    let again = |again: &bool| if *again { ", started again by its engine" } else { "" };
    let asked = |what: &str| (Kind::ByHand, Severity::Quiet, what.to_owned());
    match verb {
        Verb::Created => asked("created"),
        Verb::Started => asked("started"),
        Verb::Restarted => asked("restarted"),
        Verb::Stopped => asked("stopped"),
        Verb::Killed { signal } => asked(&format!("killed with signal {signal}")),
        Verb::Removed => asked("removed"),
        Verb::Renamed { from } => asked(&format!("renamed from {from}")),
        Verb::Paused => asked("paused"),
        Verb::Unpaused => asked("unpaused"),
        Verb::Updated => asked("its limits were changed"),
        Verb::Ended { code: Some(0), again: true } => {
            (Kind::Restart, Severity::Attention, "ended (0), started again by its engine".to_owned())
        }
        Verb::Ended { code: Some(0), .. } => (Kind::Restart, Severity::Quiet, "ended (0)".to_owned()),
        Verb::Ended { code: Some(code), again: more } => (Kind::Restart, Severity::Bad, format!("died ({code}){}", again(more))),
        Verb::Ended { code: None, again: more } => (Kind::Restart, Severity::Bad, format!("died{}", again(more))),
        Verb::OutOfMemory { again: more } => (Kind::Memory, Severity::Bad, format!("out of memory{}", again(more))),
        Verb::Unhealthy => (Kind::Health, Severity::Bad, "unhealthy".to_owned()),
        Verb::Healthy => (Kind::Health, Severity::Quiet, "healthy again".to_owned()),
    }
}

/// Who made a container that a deployment of another ledger made.
pub(super) fn foreign<'l>(label_of: impl Fn(&str) -> Option<&'l str>) -> Option<String> {
    let id = label_of(label::DEPLOYMENT)?;
    let by = label_of(label::BY).unwrap_or("somebody");
    Some(format!("{by}, deployment {id} of another ledger"))
}
