//! One host in one line: columns while its engine answers, a sentence while it does not.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::Figures;
use crate::{
    fleet::{Host, LinkState},
    stats::Strain,
    text::{bytes, clock, count, counted, width},
    ui::{
        panels::{
            figures::{percent, strain_role},
            words::unknown,
        },
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column},
    },
};

/// From this difference of clocks on, times of this host mislead.
const SKEW_MS: i64 = 2000;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Link,
    Clock,
    Containers,
    CpuUsed,
    MemoryUsed,
    Disk,
    Load,
    Engine,
    Api,
    Cpus,
    Memory,
    Rate,
    Samples,
    Connections,
    Requests,
    Received,
    Os,
    Url,
}

impl Field {
    pub const ALL: [Self; 19] = [
        Self::Host,
        Self::Link,
        Self::Clock,
        Self::Containers,
        Self::CpuUsed,
        Self::MemoryUsed,
        Self::Disk,
        Self::Load,
        Self::Engine,
        Self::Api,
        Self::Cpus,
        Self::Memory,
        Self::Rate,
        Self::Samples,
        Self::Connections,
        Self::Requests,
        Self::Received,
        Self::Os,
        Self::Url,
    ];

    /// Heading, side, most cells, and how soon it gives way.
    const fn row(self) -> (&'static str, Align, u16, u8) {
        match self {
            Self::Host => ("HOST", Align::Left, 24, 0),
            Self::Link => ("LINK", Align::Left, 14, 1),
            Self::Clock => ("CLOCK", Align::Right, 10, 2),
            Self::Containers => ("CONTAINERS", Align::Right, 11, 3),
            Self::CpuUsed => ("CPU%", Align::Right, 5, 4),
            Self::MemoryUsed => ("MEM%", Align::Right, 5, 4),
            Self::Disk => ("DISK%", Align::Right, 5, 4),
            Self::Load => ("LOAD", Align::Right, 5, 7),
            Self::Engine => ("ENGINE", Align::Left, 24, 4),
            Self::Api => ("API", Align::Left, 5, 7),
            Self::Cpus => ("CPUS", Align::Right, 4, 6),
            Self::Memory => ("MEMORY", Align::Right, 7, 6),
            Self::Rate => ("REQ/S", Align::Right, 5, 8),
            Self::Samples => ("SMP/S", Align::Right, 5, 8),
            Self::Connections => ("OVER", Align::Left, 28, 5),
            Self::Requests => ("REQUESTS", Align::Right, 9, 9),
            Self::Received => ("RECEIVED", Align::Right, 8, 10),
            Self::Os => ("OS", Align::Left, 32, 12),
            Self::Url => ("URL", Align::Left, 48, 11),
        }
    }

    pub const fn align(self) -> Align {
        self.row().1
    }

    /// Whether it is only there when it has something to say.
    pub fn is_rare(self) -> bool {
        self == Self::Clock
    }

    /// What it asks of the table; whole or not at all, but for long names.
    pub fn column(self, widest: u16) -> Column {
        let (title, align, most, priority) = self.row();
        // Figures that come and go have their room from the start.
        let widest = if matches!(self, Self::CpuUsed | Self::MemoryUsed | Self::Disk | Self::Load) { most } else { widest };
        let wanted = widest.clamp(u16::try_from(title.len()).unwrap_or(u16::MAX), most.max(4));
        Column { title, align, min: wanted.min(28), wanted, priority }
    }

    pub fn role(self, host: &Host, figures: &Figures) -> Role {
        let used = &figures.used;
        match self {
            Self::CpuUsed => strain_role(Strain::Cpu, used.cpu, Role::Text),
            Self::MemoryUsed => strain_role(Strain::Memory, used.memory, Role::Text),
            Self::Disk => strain_role(Strain::Disk, used.disk, Role::Text),
            Self::Host | Self::Link | Self::Containers => Role::Text,
            Self::Clock => Role::StateAttention,
            Self::Url if host.spec.unprotected => Role::StateAttention,
            Self::Load
            | Self::Engine
            | Self::Api
            | Self::Cpus
            | Self::Memory
            | Self::Rate
            | Self::Samples
            | Self::Connections
            | Self::Requests
            | Self::Received
            | Self::Os
            | Self::Url => Role::TextDim,
        }
    }

    /// What it shows of a host, whole.
    pub fn text<'h>(self, host: &'h Host, figures: &Figures, view: &View<'_>) -> Cow<'h, str> {
        let none: Cow<'static, str> = unknown(view.theme).into();
        let engine = host.engine.as_ref();
        match self {
            Self::Host => host.spec.id.as_str().into(),
            Self::Link => link_words(host, view).into(),
            Self::Clock => engine.and_then(|engine| skew(engine.clock_skew_ms)).unwrap_or_default().into(),
            Self::Containers => containers(host, figures, view).into(),
            Self::CpuUsed => share(figures.used.cpu, figures, view).into(),
            Self::MemoryUsed => share(figures.used.memory, figures, view).into(),
            Self::Disk => share(figures.used.disk, figures, view).into(),
            Self::Load => figures.used.load.map_or(none, |load| format!("{load:.2}").into()),
            Self::Engine => engine.map_or(none, |engine| (&*engine.engine).into()),
            Self::Api => engine.map_or(none, |engine| (&*engine.api).into()),
            Self::Cpus => engine.map_or(none, |engine| engine.cpus.to_string().into()),
            Self::Memory => engine.map_or(none, |engine| bytes(engine.memory).into()),
            Self::Rate => figures.rate.map_or(none, |rate| format!("{rate:.1}").into()),
            Self::Samples => figures.samples.map_or(none, |rate| format!("{rate:.1}").into()),
            Self::Connections => connections(host).into(),
            Self::Requests => count(host.cost.requests).into(),
            Self::Received => bytes(host.cost.received).into(),
            Self::Os => engine.map_or(none, |engine| (&*engine.os).into()),
            Self::Url => url(host).into(),
        }
    }
}

/// The sign of a link, its role, and the role of the row's text.
pub(super) fn look(link: &LinkState) -> (Option<Symbol>, Role, Role) {
    match link {
        LinkState::Live { .. } => (None, Role::Text, Role::Text),
        LinkState::Connecting => (Some(Symbol::Progress), Role::StateProgress, Role::TextDim),
        LinkState::Stale { .. } => (Some(Symbol::Stale), Role::StateAttention, Role::StateAttention),
        LinkState::Retrying { .. } => (Some(Symbol::Stale), Role::StateBad, Role::StateBad),
        LinkState::Refused { .. } => (Some(Symbol::Bad), Role::StateBad, Role::StateBad),
    }
}

/// `lost 14:02:31 (1m): connection timed out · next try in 7 s · last known: 14 containers`: what stands in place of the columns, in
/// at most `cells`; `None` for a host that answers. The error gives way last of a refused host: it names the remedy.
pub(super) fn story(host: &Host, cells: usize, view: &View<'_>) -> Option<String> {
    let dot = view.theme.symbol(Symbol::Dot);
    let known = match view.fleet.container_count(&host.spec.id) {
        0 => String::new(),
        count => format!(" {dot} last known: {}", counted(count, "container")),
    };
    let (head, error, next) = match &host.link {
        LinkState::Live { .. } => return None,
        LinkState::Connecting => ("connecting".to_owned(), "", None),
        LinkState::Stale { since } => (format!("no answer since {} ({})", clock(*since), view.age(*since)), "", None),
        LinkState::Retrying { since, error, next, .. } => {
            (format!("lost {} ({}): ", clock(*since), view.age(*since)), &**error, Some(*next))
        }
        LinkState::Refused { error, next, .. } => ("refused: ".to_owned(), &**error, Some(*next)),
    };
    let next = next.map_or(String::new(), |next| format!(" {dot} {}", next_try(next, view)));
    // Whole if it fits; else less of the end, then less of the error.
    for tail in [format!("{next}{known}"), next.clone()] {
        let whole = format!("{head}{error}{tail}");
        if width(&whole) <= cells {
            return Some(whole);
        }
    }
    let tail = if matches!(host.link, LinkState::Refused { .. }) { "" } else { &next };
    let room = cells.saturating_sub(width(tail));
    Some(format!("{}{tail}", view.theme.fit(&format!("{head}{error}"), room)))
}

/// `next try in 7 s`; the frame is painted anew with every second of it.
pub(super) fn next_try(next: DateTime<Utc>, view: &View<'_>) -> String {
    let left = (next - view.now).num_milliseconds();
    if left <= 0 {
        return "trying now".to_owned();
    }
    let into = left % 1000;
    view.ages.within(TimeDelta::milliseconds(if into == 0 { 1000 } else { into }));
    let seconds = (left + 999) / 1000;
    if seconds < 120 { format!("next try in {seconds} s") } else { format!("next try in {} min", (seconds + 59) / 60) }
}

/// `live · 3 ms`.
fn link_words(host: &Host, view: &View<'_>) -> String {
    match host.latency_us.filter(|_| host.link.is_live()) {
        Some(us) => format!("{} {} {}", host.link.word(), view.theme.symbol(Symbol::Dot), latency(us)),
        None => host.link.word().to_owned(),
    }
}

/// `0.4 ms`, `3 ms`.
pub(super) fn latency(us: u64) -> String {
    if us < 950 { format!("0.{} ms", (us + 50) / 100) } else { format!("{} ms", (us + 500) / 1000) }
}

/// `1 ssh session, 4 channels`, `2 connections`.
pub(super) fn connections(host: &Host) -> String {
    let open = usize::try_from(host.cost.connections).unwrap_or(usize::MAX);
    match host.cost.sessions {
        0 => counted(open, "connection"),
        sessions => format!("{}, {}", counted(usize::try_from(sessions).unwrap_or(usize::MAX), "ssh session"), counted(open, "channel")),
    }
}

/// `41%`; `Σ41%` where it is only the sum of the containers.
fn share(share: Option<f64>, figures: &Figures, view: &View<'_>) -> String {
    let sign = match (figures.used.is_sum, view.theme.is_ascii()) {
        (false, _) => "",
        (true, false) => "Σ",
        (true, true) => "=",
    };
    share.map_or_else(|| unknown(view.theme).to_owned(), |share| format!("{sign}{}", percent(share)))
}

/// `3/4`: running of all.
pub(super) fn containers(host: &Host, figures: &Figures, view: &View<'_>) -> String {
    format!("{}/{}", figures.running, view.fleet.container_count(&host.spec.id))
}

/// `+3.2 s`, where the host's clock differs so much that its times mislead.
pub(super) fn skew(ms: i64) -> Option<String> {
    (ms.abs() > SKEW_MS).then(|| format!("{:+.1} s", ms as f64 / 1000.0))
}

/// The URL, and a word where others can read along.
pub(super) fn url(host: &Host) -> String {
    if host.spec.unprotected { format!("{} unprotected", host.spec.url) } else { host.spec.url.to_string() }
}
