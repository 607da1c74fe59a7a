//! The selected event in full, below the list.

use chrono::Local;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{super::words::state_words, feed::Run, key_of, name_of, words::words};
use crate::{
    fleet::{EngineEvent, EventKind, mask},
    text::age,
    ui::{frame, theme::Role, view::View, widgets::Pen},
};

/// So many labels are shown; inspect shows all.
const LABELS: usize = 12;

/// Paints it; `run` when the row stands for several events.
pub fn render(buffer: &mut Buffer, area: Rect, event: &EngineEvent, run: Option<&Run>, view: &View<'_>) {
    let name = name_of(event);
    let title = if name.is_empty() { format!(" {} ", event.host) } else { format!(" {name} on {} ", event.host) };
    frame::rule(buffer, area, 0, &title, "", view);
    for (line, (what, text)) in (1..area.height).zip(lines(event, run, view)) {
        let mut pen = Pen::new(buffer, area, line);
        pen.skip(1).text(what, view.theme.style(Role::TextDim)).to(area.x + 11).text(&text, view.theme.style(Role::Text));
    }
}

/// Name and value, the most telling first: a small screen cuts the rest.
fn lines(event: &EngineEvent, run: Option<&Run>, view: &View<'_>) -> Vec<(&'static str, String)> {
    let at = event.at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S%.3f %:z");
    let engine = view.fleet.host(&event.host).and_then(|host| host.engine.as_ref()).map(|info| format!(" · {}", info.engine));
    let mut lines = vec![("at", format!("{at}{}", engine.unwrap_or_default()))];
    if let Some(run) = run {
        let said: Vec<String> = run.said().iter().map(|(_, text, count)| format!("{text} ×{count}")).collect();
        lines.push(("repeats", format!("{} events in {}: {}", run.len(), age(run.span()), said.join(", "))));
    }
    let code = event.exit_code.map_or(String::new(), |code| format!(" · exit code {code}"));
    let signal = event.signal.as_ref().map_or(String::new(), |signal| format!(" · signal {signal}"));
    lines.push(("what", format!("{} · {} {}{code}{signal}", words(event).1, event.kind.word(), mask::mask_text(&event.action))));
    if event.kind == EventKind::Container {
        lines.push(("now", now(event, view)));
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
