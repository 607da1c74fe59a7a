//! The selected event in full, below the list: what happened, who asked for it as far as anybody said, and the container's last lines
//! before it.

use std::sync::Arc;

use chrono::{Local, TimeDelta};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{super::words::state_words, feed::Run, key_of, name_of, words::words};
use crate::{
    alerts::Probe,
    fleet::{EngineEvent, EventKind, mask},
    text::{age, clock},
    ui::{frame, panels::tail, theme::Role, view::View, widgets::Pen},
};

/// So many labels are shown; inspect shows all.
const LABELS: usize = 12;
/// An end this long after a signal was asked for by it.
const ASKED: TimeDelta = TimeDelta::minutes(5);
/// An end this soon after the kernel ran out of memory is its doing.
const KILLED: TimeDelta = TimeDelta::seconds(10);
/// What starts this soon after its end was started by its restart policy.
const POLICY: TimeDelta = TimeDelta::seconds(2);
/// Rows of the pane that are not for last lines.
const ELSE: usize = 5;

/// An event and what belongs to it.
pub struct Story<'a> {
    pub event: &'a EngineEvent,
    /// Where the row stands for several events.
    pub run: Option<&'a Run>,
    /// Of the same object, newest first.
    pub before: Vec<&'a Arc<EngineEvent>>,
}

/// What to ask about an event: ends, kills for lack of memory, starts and verdicts of a HEALTHCHECK are told with the lines before them.
/// A container that is gone took its log with it.
pub fn probe(event: &EngineEvent, view: &View<'_>) -> Option<Probe> {
    let container = key_of(event);
    let is_told = matches!(event.verb(), "die" | "died" | "oom" | "health_status" | "start" | "restart" | "stop" | "kill");
    let can_be_asked = view.fleet.container(&container).is_some() && !view.is_stale(&event.host);
    (event.kind == EventKind::Container && is_told && can_be_asked).then_some(Probe::Tail { container, until: Some(event.at) })
}

/// Paints it.
pub fn render(buffer: &mut Buffer, area: Rect, story: &Story<'_>, view: &View<'_>) {
    let name = name_of(story.event);
    let host = &story.event.host;
    let title = if name.is_empty() { format!(" {host} ") } else { format!(" {name} on {host} ") };
    frame::rule(buffer, area, 0, &title, "", view);
    let rows = usize::from(area.height.saturating_sub(1));
    for (line, (what, text)) in (1..area.height).zip(lines(story, rows, view)) {
        let mut pen = Pen::new(buffer, area, line);
        pen.skip(1).text(what, view.theme.style(Role::TextDim)).to(area.x + 11).text(&text, view.theme.style(Role::Text));
    }
}

/// Name and value, the most telling first: a small screen cuts the rest.
fn lines(story: &Story<'_>, rows: usize, view: &View<'_>) -> Vec<(&'static str, String)> {
    let event = story.event;
    let at = event.at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S%.3f %:z");
    let engine = view.fleet.host(&event.host).and_then(|host| host.engine.as_ref()).map(|info| format!(" · {}", info.engine));
    let mut lines = vec![("at", format!("{at}{}", engine.unwrap_or_default()))];
    if let Some(run) = story.run {
        let said: Vec<String> = run.said().iter().map(|(_, text, count)| format!("{text} ×{count}")).collect();
        lines.push(("repeats", format!("{} events in {}: {}", run.len(), age(run.span()), said.join(", "))));
    }
    let code = event.exit_code.map_or(String::new(), |code| format!(" · exit code {code}"));
    let signal = event.signal.as_ref().map_or(String::new(), |signal| format!(" · signal {signal}"));
    lines.push(("what", format!("{} · {} {}{code}{signal}", words(event).1, event.kind.word(), mask::mask_text(&event.action))));
    lines.extend(by(story).map(|by| ("by", by)));
    if event.kind == EventKind::Container {
        lines.push(("now", now(event, view)));
    }
    if let Some(probe) = probe(event, view) {
        let told = tail::facts(view.evidence.find(&probe), view);
        // The newest say most.
        let room = rows.saturating_sub(ELSE).max(2);
        let first = told.len().saturating_sub(room);
        let shown = told.into_iter().skip(first).enumerate();
        lines.extend(shown.map(|(place, fact)| (if place == 0 { "log" } else { "" }, fact.value)));
    }
    if let Some(image) = &event.image {
        lines.push(("image", image.to_string()));
    }
    if !event.id.as_str().is_empty() {
        lines.push(("id", event.id.to_string()));
    }
    let labels: Vec<String> = event
        .labels
        .iter()
        .take(LABELS)
        .map(|(key, value)| {
            let shown = if mask::is_secret(key) { mask::MASK.into() } else { mask::mask_text(value) };
            format!("{key}={shown}")
        })
        .collect();
    if !labels.is_empty() {
        let more = event.labels.len() - labels.len();
        let more = if more > 0 { format!("  and {more} more") } else { String::new() };
        lines.push(("labels", format!("{}{more}", labels.join("  "))));
    }
    lines
}

/// Who brought it about, as far as the events before it and the label of who deployed it say: engines name no person.
fn by(story: &Story<'_>) -> Option<String> {
    let event = story.event;
    if event.kind != EventKind::Container {
        return None;
    }
    let within = |other: &EngineEvent, span: TimeDelta| (TimeDelta::zero()..=span).contains(&(event.at - other.at));
    let last = |verbs: &[&str], span: TimeDelta| story.before.iter().find(|other| verbs.contains(&other.verb()) && within(other, span));
    let cause = match event.verb() {
        "die" | "died" if last(&["oom"], KILLED).is_some() => Some("the kernel, for lack of memory".to_owned()),
        "die" | "died" => Some(match last(&["kill"], ASKED) {
            Some(kill) => format!("whoever sent it the signal {} at {}", kill.signal.as_deref().unwrap_or("?"), clock(kill.at)),
            None => "itself".to_owned(),
        }),
        "start" => last(&["die", "died"], POLICY).map(|_| "its restart policy".to_owned()),
        _ => None,
    };
    let deployed = event.labels.get("quarterdeck.by").map(|person| format!("deployed by {person}"));
    match (cause, deployed) {
        (Some(cause), Some(deployed)) => Some(format!("{cause} · {deployed}")),
        (cause, deployed) => cause.or(deployed),
    }
}

/// The container's state at this moment.
fn now(event: &EngineEvent, view: &View<'_>) -> String {
    let Some(container) = view.fleet.container(&key_of(event)) else { return "gone".to_owned() };
    let as_of = if view.is_stale(&event.host) { " (last known)" } else { "" };
    let since = match (container.up_since(), container.finished) {
        (Some(started), _) => format!(" · up {}", view.age(started)),
        (None, Some(finished)) => format!(" · {} ago", view.age(finished)),
        (None, None) => String::new(),
    };
    let restarts = container.restarts.map_or(String::new(), |restarts| format!(" · restarts {restarts}"));
    format!("{}{since}{restarts} · {}{as_of}", state_words(container, view.trouble(&container.key)), container.version.text)
}
