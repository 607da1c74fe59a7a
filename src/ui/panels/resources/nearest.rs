//! The line on top: which limits are almost reached, the worst first.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    stats::{Near, Strain, near::Of},
    text::width,
    ui::{
        panels::figures::{cores, percent, short_bytes},
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Paints it into the area's first row.
pub(super) fn render(buffer: &mut Buffer, area: Rect, near: &[Near], view: &View<'_>) {
    let mut pen = Pen::new(buffer, area, 0);
    let dim = view.theme.style(Role::TextDim);
    pen.skip(1).text("nearest to trouble", dim).skip(2);
    if near.is_empty() {
        let text = if view.stats.is_empty() { "nothing is measured yet" } else { "nothing is near its limit" };
        pen.text(text, dim);
        return;
    }
    for (index, each) in near.iter().enumerate() {
        let role = if each.is_bad() { Role::StateBad } else { Role::StateAttention };
        let text = format!("{} {}", view.theme.symbol(Symbol::Bad), words(each, view));
        let left = format!("{} more", near.len() - index);
        // The last word is how many have no room.
        let reserve = if index + 1 < near.len() { width(&left) + 2 } else { 0 };
        if index > 0 && width(&text) + reserve > pen.left() {
            pen.text(&left, dim);
            return;
        }
        pen.text(&text, view.theme.style(role)).skip(3);
    }
}

/// `app-03 disk 93%`, `billing/worker mem 61.0M of 64.0M`.
fn words(near: &Near, view: &View<'_>) -> String {
    let name = match &near.of {
        Of::Host(host) => host.to_string(),
        Of::Container(key) => match view.fleet.container(key) {
            Some(container) if container.identity.service.app.is_some() => format!("{} {}", container.identity.service, key.host),
            Some(container) => format!("{} {}", container.name, key.host),
            None => key.id.short().to_owned(),
        },
    };
    let figures = match (near.strain, &near.of) {
        (Strain::Disk, _) | (Strain::Cpu, Of::Host(_)) => percent(near.share()),
        (Strain::Memory, _) => format!("{} of {}", short_bytes(near.used), short_bytes(near.limit)),
        (Strain::Cpu, Of::Container(_)) => format!("{} of {}", cores(near.used), cores(near.limit)),
        (Strain::Pids, _) => format!("{:.0} of {:.0}", near.used, near.limit),
    };
    format!("{name} {} {figures}", near.strain.word())
}
