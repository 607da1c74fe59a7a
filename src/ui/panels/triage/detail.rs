//! What is known of one entry: since when, whom it is about, how they ended, what their HEALTHCHECK, the log of events and their own last
//! lines say.

use std::sync::Arc;

use chrono::{DateTime, Local, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    alerts::{About, Alert, Finding, Probe, Rule},
    fleet::{Container, EngineEvent, LinkState},
    text::{clock, fit},
    ui::{
        frame,
        panels::{
            events::words::words,
            facts::{self, Fact},
            tail,
            words::state_words,
        },
        theme::{Role, Symbol},
        view::View,
    },
};

/// So many of an entry's containers are told one by one.
pub(super) const MEMBERS: usize = 4;
/// The most of a HEALTHCHECK's output.
const OUTPUT: usize = 600;

/// Paints the pane.
pub(super) fn render(buffer: &mut Buffer, area: Rect, alert: &Alert, events: &[Arc<EngineEvent>], view: &View<'_>) {
    if area.height < 2 {
        return;
    }
    let title = match &alert.about {
        About::Host(host) => host.to_string(),
        About::Service { service, environment: Some(environment) } => format!("{service} in {environment}"),
        About::Service { service, environment: None } => service.to_string(),
    };
    frame::rule(buffer, area, 0, &format!(" {title} {} {} ", view.theme.symbol(Symbol::Dot), alert.rule.word()), "", view);
    facts::render(buffer, area, 1, &facts_of(alert, events, view), view);
}

/// What to ask about an entry.
pub(super) fn probes(alert: &Alert, view: &View<'_>) -> Vec<Probe> {
    let Some(container) = first(alert, view).filter(|container| !view.is_stale(&container.key.host)) else { return Vec::new() };
    let tail = Probe::Tail { container: container.key.clone(), until: until(alert.rule, container) };
    let health = (alert.rule == Rule::Unhealthy).then(|| Probe::Health(container.key.clone()));
    health.into_iter().chain([tail]).collect()
}

/// The container whose lines are shown; none with what is about hosts or versions.
fn first<'a>(alert: &Alert, view: &View<'a>) -> Option<&'a Container> {
    match alert.rule {
        Rule::CrashLooping | Rule::OutOfMemory | Rule::Unhealthy | Rule::Exited | Rule::NearMemory => {
            view.fleet.container(alert.members.first()?)
        }
        Rule::Drift | Rule::HostLost | Rule::HostRefused | Rule::HostStale => None,
    }
}

/// Before when its last lines are of interest; `None`: the last there are.
fn until(rule: Rule, container: &Container) -> Option<DateTime<Utc>> {
    match rule {
        Rule::CrashLooping => container.deaths.last().copied(),
        Rule::OutOfMemory => container.witness.oom.or(container.finished),
        Rule::Exited => container.finished,
        Rule::Unhealthy | Rule::NearMemory | Rule::Drift | Rule::HostLost | Rule::HostRefused | Rule::HostStale => None,
    }
}

fn facts_of(alert: &Alert, events: &[Arc<EngineEvent>], view: &View<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    // The row has cut it where the screen is narrow.
    facts.push(Fact::new("what", alert.sentence.clone()));
    facts.push(Fact::new("since", since(alert, view)));
    if let About::Host(host) = &alert.about {
        facts.extend(of_host(host, view));
    }
    for (place, key) in alert.members.iter().take(MEMBERS).enumerate() {
        let label = if place == 0 { "where" } else { "" };
        let text = view.fleet.container(key).map_or_else(|| format!("{} is gone", key.id.short()), |member| member_line(member, view));
        facts.push(Fact::new(label, text));
    }
    if alert.members.len() > MEMBERS {
        facts.push(Fact::new("", format!("and {} more", alert.members.len() - MEMBERS)).in_role(Role::TextDim));
    }
    facts.extend(alert.drift.iter().skip(1).map(|drift| Fact::new("and", &*drift.why)));
    facts.extend(last_end(alert, events, view));
    let probes = probes(alert, view);
    facts.extend(probes.iter().filter_map(|probe| match probe {
        Probe::Health(_) => health(view.evidence.find(probe)),
        Probe::Tail { .. } => None,
    }));
    for (place, event) in events.iter().enumerate() {
        let label = if place == 0 { "events" } else { "" };
        facts.push(Fact::new(label, format!("{} {} {}", clock(event.at), event_of(alert, event), words(event).1)));
    }
    for probe in &probes {
        match probe {
            Probe::Tail { .. } => facts.extend(tail::facts(view.evidence.nearest(probe), view)),
            Probe::Health(_) => {}
        }
    }
    facts
}

/// Whom an event is about, where that is a question.
fn event_of(alert: &Alert, event: &EngineEvent) -> String {
    match alert.members.len() {
        0 | 1 => String::new(),
        _ => format!("{} on {}", event.name, event.host),
    }
}

fn since(alert: &Alert, view: &View<'_>) -> String {
    match alert.since {
        Some(since) => format!("{} ({} ago)", since.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"), view.age(since)),
        None => "before this console began to look".to_owned(),
    }
}

fn of_host(host: &crate::fleet::HostId, view: &View<'_>) -> Vec<Fact> {
    let Some(host) = view.fleet.host(host) else { return Vec::new() };
    let mut facts = Vec::new();
    if let Some(error) = host.link.error() {
        facts.push(Fact::new("why", error).in_role(Role::StateBad));
    }
    let heard = host.heard.map_or_else(|| "never".to_owned(), |heard| format!("{} ({} ago)", clock(heard), view.age(heard)));
    facts.push(Fact::new("last heard", heard));
    match &host.link {
        LinkState::Retrying { next, .. } | LinkState::Refused { next, .. } => facts.push(Fact::new("next try", clock(*next))),
        LinkState::Connecting | LinkState::Live { .. } | LinkState::Stale { .. } => {}
    }
    facts.push(Fact::new("url", &*host.spec.url));
    facts
}

/// `worker-1 on app-03 · unhealthy · 2.3.0-87-90ccf11 · up 12h · restarts 3`.
fn member_line(member: &Container, view: &View<'_>) -> String {
    let dot = view.theme.symbol(Symbol::Dot);
    let up = match (member.up_since(), member.finished) {
        (Some(started), _) => format!(" {dot} up {}", view.age(started)),
        (None, Some(finished)) => format!(" {dot} ended {} ago", view.age(finished)),
        (None, None) => String::new(),
    };
    let restarts = member.restarts.filter(|restarts| *restarts > 0).map_or(String::new(), |restarts| format!(" {dot} restarts {restarts}"));
    let stale = if view.is_stale(&member.key.host) { " (last known)" } else { "" };
    let state = state_words(member, view.trouble(&member.key));
    format!("{} on {} {dot} {state}{stale} {dot} {}{up}{restarts}", member.name, member.key.host, member.version.text)
}

/// How the first of them last ended.
fn last_end(alert: &Alert, events: &[Arc<EngineEvent>], view: &View<'_>) -> Option<Fact> {
    let container = first(alert, view)?;
    let died = events.iter().find(|event| event.id == container.key.id && matches!(event.verb(), "die" | "died"));
    let (code, at) = match (container.exit_code, died) {
        (Some(code), _) => (code, container.finished.or(died.map(|event| event.at))),
        (None, Some(event)) => (event.exit_code?, Some(event.at)),
        (None, None) => return None,
    };
    let meaning = match code {
        137 if container.oom_killed == Some(true) || alert.rule == Rule::OutOfMemory => " (killed for lack of memory)",
        125..=127 => " (it could not be started)",
        137 => " (killed by SIGKILL)",
        139 => " (segmentation fault)",
        143 => " (ended by SIGTERM)",
        _ => "",
    };
    Some(Fact::new("last end", format!("exit {code}{meaning}{}", at.map_or(String::new(), |at| format!(" at {}", clock(at))))))
}

fn health(found: Option<&Finding>) -> Option<Fact> {
    let text = match found {
        None => "asking for its last output …".to_owned(),
        Some(Finding::Failed(why)) => format!("its last output cannot be had: {why}"),
        Some(Finding::Health(None)) => "its last output is not known".to_owned(),
        Some(Finding::Health(Some(check))) => {
            let output = if check.output.is_empty() { "it printed nothing".into() } else { fit(&check.output, OUTPUT) };
            let streak = if check.streak > 1 { format!(", failed {} times in a row", check.streak) } else { String::new() };
            format!("exit {}{streak}: {output}", check.exit_code)
        }
        Some(Finding::Tail(_)) => return None,
    };
    Some(Fact::new("health", text))
}
