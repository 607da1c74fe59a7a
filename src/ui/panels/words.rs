//! The words and signs that several panels have for the same fact.

use std::borrow::Cow;

use crate::{
    fleet::{
        Container, ContainerState, Health, Port,
        trouble::{Severity, Trouble},
    },
    text::clock,
    ui::{
        theme::{Role, Symbol, Theme},
        view::View,
    },
};

/// What stands where nothing is known.
pub(super) fn unknown(theme: &Theme) -> &'static str {
    if theme.is_ascii() { "-" } else { "–" }
}

/// `healthy`, `running`, `exited 137`, `kept`; `trouble` tells what the engine's own word would hide.
pub(super) fn state_words(container: &Container, trouble: Trouble) -> Cow<'static, str> {
    if container.is_kept() {
        return "kept".into();
    }
    match (trouble, container.state, container.health) {
        (Trouble::CrashLooping, ContainerState::Running | ContainerState::Exited, _) => trouble.word().into(),
        (_, ContainerState::Exited, _) if container.oom_killed == Some(true) => "out of memory".into(),
        (_, ContainerState::Running, Health::None) => "running".into(),
        (_, ContainerState::Running, health) => health.word().into(),
        (_, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting, _) => match container.exit_code {
            Some(code) => format!("{} {code}", container.state).into(),
            None => container.state.word().into(),
        },
        (_, state, _) => state.word().into(),
    }
}

/// The sign that stands with the colour of a trouble; nothing for what is well.
pub(super) fn trouble_sign(trouble: Trouble) -> Option<(Symbol, Role)> {
    match trouble.severity() {
        Severity::Bad => Some((Symbol::Bad, Role::StateBad)),
        Severity::Attention if trouble == Trouble::Stale => Some((Symbol::Stale, Role::StateAttention)),
        Severity::Attention => Some((Symbol::Progress, Role::StateAttention)),
        Severity::Quiet => None,
    }
}

/// `:20010→80 :20443→443`, published ports only, each once.
pub(super) fn ports_text(ports: &[Port], theme: &Theme) -> String {
    let arrow = arrow(theme);
    let mut shown: Vec<String> = Vec::new();
    for port in ports {
        let Some(public) = port.public else { continue };
        let suffix = if &*port.protocol == "tcp" { String::new() } else { format!("/{}", port.protocol) };
        let text = format!(":{public}{arrow}{}{suffix}", port.private);
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    shown.join(" ")
}

/// From a published port to the container's own.
pub(super) fn arrow(theme: &Theme) -> &'static str {
    if theme.is_ascii() { "->" } else { "→" }
}

/// `as of 14:02:31`: when what is shown of a container was last known to be so.
pub(super) fn as_of(container: &Container, view: &View<'_>) -> String {
    let heard = view.fleet.host(&container.key.host).and_then(|host| host.heard);
    format!("as of {}", clock(heard.unwrap_or(container.seen)))
}
