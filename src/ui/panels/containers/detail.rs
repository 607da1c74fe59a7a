//! Everything the model knows of the container under the cursor, uncut.

use chrono::{DateTime, Local, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{column::image, list::Group, table::drift};
use crate::{
    fleet::{Container, ContainerKey, Port, version::VersionOrigin},
    text::counted,
    ui::{
        frame,
        panels::{
            facts::{self, Fact},
            words::{arrow, as_of, state_words, trouble_sign, unknown},
        },
        theme::{Role, Symbol},
        view::View,
    },
};

/// Paints the pane.
pub(super) fn render(buffer: &mut Buffer, area: Rect, key: &ContainerKey, view: &View<'_>) {
    let Some(container) = view.fleet.container(key) else { return };
    frame::rule(buffer, area, 0, &format!(" {} ", container.name), "", view);
    facts::render(buffer, area, 1, &facts_of(container, view), view);
}

/// Paints the pane for a heading.
pub(super) fn render_group(buffer: &mut Buffer, area: Rect, title: &str, group: Option<&Group>, view: &View<'_>) {
    let Some(group) = group else { return };
    frame::rule(buffer, area, 0, &format!(" {title} "), "", view);
    let worst = match trouble_sign(group.worst) {
        Some((symbol, role)) => {
            Fact::new("worst", format!("{} {} {}", view.theme.symbol(symbol), group.troubled, group.worst)).in_role(role)
        }
        None => Fact::new("worst", "nothing is wrong").in_role(Role::TextDim),
    };
    facts::render(buffer, area, 1, &[Fact::new("containers", group.total.to_string()), worst], view);
}

fn facts_of(container: &Container, view: &View<'_>) -> Vec<Fact> {
    let none = unknown(view.theme);
    let dot = view.theme.symbol(Symbol::Dot);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| none.to_owned());
    let mut facts = Vec::with_capacity(24 + container.labels.len());

    let trouble = view.trouble(&container.key);
    let words = state_words(container, trouble);
    facts.push(match trouble_sign(trouble) {
        Some((symbol, role)) if words.starts_with(trouble.word()) => {
            Fact::new("state", format!("{} {words}", view.theme.symbol(symbol))).in_role(role)
        }
        Some((symbol, role)) => Fact::new("state", format!("{} {words} {dot} {trouble}", view.theme.symbol(symbol))).in_role(role),
        None => Fact::new("state", words),
    });
    if view.is_stale(&container.key.host) {
        let error =
            view.fleet.host(&container.key.host).and_then(|host| host.link.error()).map_or(String::new(), |error| format!(": {error}"));
        facts.push(
            Fact::new("last known", format!("{} {}{error}", view.theme.symbol(Symbol::Stale), as_of(container, view)))
                .in_role(Role::StateAttention),
        );
    }
    facts.push(Fact::new("version", format!("{} ({})", container.version.text, origin(container.version.origin))));
    if let Some(drift) = drift(container, view) {
        facts.push(Fact::new("drift", format!("{} {}", view.theme.symbol(Symbol::Odd), drift.why)).in_role(Role::StateAttention));
    }
    facts.push(Fact::new("image", image(container)));
    let ports: Vec<String> = container.ports.iter().map(|port| port_text(port, arrow(view.theme))).collect();
    facts.push(Fact::new("ports", if ports.is_empty() { none.to_owned() } else { ports.join(" ") }));
    let moment = |moment: DateTime<Utc>| format!("{} ({} ago)", moment.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"), view.age(moment));
    facts.push(Fact::new("started", or_none(container.started.map(moment))));
    facts.push(Fact::new("finished", or_none(container.finished.map(moment))));
    facts.push(Fact::new("created", moment(container.created)));
    facts.push(Fact::new("restarts", or_none(container.restarts.map(|count| count.to_string()))));
    if !container.deaths.is_empty() {
        let last = container.deaths.last().map_or(String::new(), |moment| format!(", the last {} ago", view.age(*moment)));
        facts.push(Fact::new("ended badly", format!("{}{last}", counted(container.deaths.len(), "time"))));
    }
    facts.push(Fact::new("exit code", or_none(container.exit_code.map(|code| code.to_string()))));
    let oom = container.oom_killed.map(|killed| if killed { "yes" } else { "no" }.to_owned());
    facts.push(Fact::new("oom-killed", or_none(oom)));
    facts.push(Fact::new("health", if container.is_running() { container.health.word() } else { none }));
    facts.push(Fact::new("name", &*container.name));
    facts.push(Fact::new("host", container.key.host.as_str()));
    // Lines of `what  value (source)`.
    let explained = view.fleet.explain(&container.key).unwrap_or_default();
    for (label, line) in ["app", "service", "environment"].into_iter().zip(explained.lines()) {
        facts.push(Fact::new(label, line.strip_prefix(label).unwrap_or(line).trim()));
    }
    facts.push(Fact::new("tag", or_none(container.image.tag.as_deref().map(str::to_owned))));
    facts.push(Fact::new("digest", or_none(container.digest.as_deref().map(str::to_owned))));
    facts.push(Fact::new("image id", container.image_id.as_str()));
    facts.push(Fact::new("id", container.key.id.as_str()));
    facts.push(Fact::new("command", &*container.command));
    for (at, (key, value)) in container.labels.iter().enumerate() {
        facts.push(Fact::new(if at == 0 { "labels" } else { "" }, format!("{key}={value}")).in_role(Role::TextDim));
    }
    facts
}

/// `0.0.0.0:20010→80/tcp`; `80/tcp` for one that is only exposed.
fn port_text(port: &Port, arrow: &str) -> String {
    let own = format!("{}/{}", port.private, port.protocol);
    match (port.public, port.address.as_deref()) {
        (Some(public), Some(address)) if address.contains(':') => format!("[{address}]:{public}{arrow}{own}"),
        (Some(public), Some(address)) => format!("{address}:{public}{arrow}{own}"),
        (Some(public), None) => format!(":{public}{arrow}{own}"),
        (None, _) => own,
    }
}

fn origin(origin: VersionOrigin) -> &'static str {
    match origin {
        VersionOrigin::Label => "label quarterdeck.version",
        VersionOrigin::BuildTag | VersionOrigin::Tag => "image tag",
        VersionOrigin::Oci => "label org.opencontainers.image.version",
        VersionOrigin::Digest => "digest of the image",
    }
}
