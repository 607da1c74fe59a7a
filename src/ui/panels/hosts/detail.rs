//! Everything known of the host under the cursor, uncut: the whole error with its remedy first.

use chrono::Local;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Figures, row};
use crate::{
    fleet::{Host, LinkState},
    stats::pace,
    text::{bytes, clock, count},
    ui::{
        frame,
        panels::{
            facts::{self, Fact},
            figures::{cores, percent},
            words::unknown,
        },
        theme::{Role, Symbol},
        view::View,
    },
};

/// Paints the pane.
pub(super) fn render(buffer: &mut Buffer, area: Rect, host: &Host, figures: &Figures, view: &View<'_>) {
    frame::rule(buffer, area, 0, &format!(" {} ", host.spec.id), "", view);
    facts::render(buffer, area, 1, &facts_of(host, figures, view), view);
}

fn facts_of(host: &Host, figures: &Figures, view: &View<'_>) -> Vec<Fact> {
    let none = unknown(view.theme);
    let dot = view.theme.symbol(Symbol::Dot);
    let (symbol, _, role) = row::look(&host.link);
    let sign = symbol.map_or(String::new(), |symbol| format!("{} ", view.theme.symbol(symbol)));
    let mut facts = Vec::new();
    let link = match &host.link {
        LinkState::Connecting => "connecting".to_owned(),
        LinkState::Live { since } => {
            let latency = host.latency_us.map_or(String::new(), |us| format!(" {dot} {}", row::latency(us)));
            format!("live since {}{latency} {dot} {}", since.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"), row::connections(host))
        }
        LinkState::Stale { since } => format!("no answer since {} ({}): what is shown may be old", clock(*since), view.age(*since)),
        LinkState::Retrying { since, next, .. } => {
            format!("lost {} ({}) {dot} {}", clock(*since), view.age(*since), row::next_try(*next, view))
        }
        LinkState::Refused { since, next, .. } => {
            format!("refused since {} ({}) {dot} {}", clock(*since), view.age(*since), row::next_try(*next, view))
        }
    };
    facts.push(Fact::new("link", format!("{sign}{link}")).in_role(role));
    if let Some(error) = host.link.error() {
        facts.push(Fact::new("why", error).in_role(Role::StateBad));
    }
    if !host.link.is_live() {
        facts.push(Fact::new(
            "last heard",
            host.heard.map_or_else(|| "never".to_owned(), |heard| format!("{} ({} ago)", clock(heard), view.age(heard))),
        ));
    }
    let url = if host.spec.unprotected { Role::StateAttention } else { Role::Text };
    let note = if host.spec.unprotected { ": who is on the way can read and change everything; use tls or ssh" } else { "" };
    facts.push(Fact::new("url", format!("{}{note}", row::url(host))).in_role(url));
    let environment = host.spec.environment.as_ref().map_or(none, |environment| environment.as_str());
    let tags = if host.spec.tags.is_empty() { String::new() } else { format!(" {dot} tags {}", host.spec.tags.join(" ")) };
    facts.push(Fact::new("environment", format!("{environment}{tags}")));
    match &host.engine {
        Some(engine) => {
            let store = if engine.containerd_store { "containerd image store" } else { "classic image store" };
            facts.push(Fact::new("engine", format!("{} {dot} API {} {dot} {store}", engine.engine, engine.api)));
            facts.push(Fact::new("machine", format!("{} {dot} {} {dot} {}", engine.hostname, engine.os, engine.arch)));
            facts.push(Fact::new("size", format!("{} CPUs {dot} {}", engine.cpus, bytes(engine.memory))));
            if let Some(skew) = row::skew(engine.clock_skew_ms) {
                let text = format!("{skew} against ours: its times mislead; synchronise it");
                facts.push(Fact::new("clock", text).in_role(Role::StateAttention));
            }
        }
        None => facts.push(Fact::new("engine", none)),
    }
    facts.push(Fact::new("containers", format!("{} running", row::containers(host, figures, view).replacen('/', " of ", 1))));
    facts.push(used(host, view));
    let rate = figures.rate.map_or(String::new(), |rate| format!(" {dot} {rate:.1} requests/s"));
    let samples = figures.samples.map_or(String::new(), |rate| {
        format!(" {dot} {rate:.1} samples/s, at most {:.0}: {:.0} % of one of its processors", pace::rate(None, 1.0), pace::SHARE * 100.0)
    });
    let cost = format!("{} requests {dot} {} received{rate}{samples}", count(host.cost.requests), bytes(host.cost.received));
    facts.push(Fact::new("our cost", cost));
    facts
}

/// The machine's own figures, or why there are none.
fn used(host: &Host, view: &View<'_>) -> Fact {
    let dot = view.theme.symbol(Symbol::Dot);
    let machine = view.stats.machine(&host.spec.id);
    match machine.and_then(|machine| machine.usage()) {
        Some(usage) => {
            let cpu = usage.cpu.map_or_else(String::new, |cpu| format!("{} of {} CPUs {dot} ", cores(cpu), usage.cpus));
            let disk = usage.disk.map_or_else(
                || " {dot} its disk cannot be seen".replace("{dot}", dot),
                |disk| format!(" {dot} disk {} used, {} left", percent(disk.share()), bytes(disk.available)),
            );
            let text = format!("{cpu}{} of {} {dot} load {:.2}{disk}", bytes(usage.memory), bytes(usage.memory_total), usage.load);
            Fact::new("uses", text)
        }
        None => match machine.and_then(|machine| machine.why_not()) {
            Some(why) => Fact::new("uses", format!("known is only the sum of its containers: {why}")).in_role(Role::TextDim),
            None => Fact::new("uses", unknown(view.theme)).in_role(Role::TextDim),
        },
    }
}
