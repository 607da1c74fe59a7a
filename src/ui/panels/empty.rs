//! What a list says when it has no rows: why, and what brings some.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::{Action, Context},
    text::counted,
    ui::{
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Paints the reason why there is no row (`noun`: of what), and every host that fails, from the area's third row on.
pub(super) fn render(buffer: &mut Buffer, area: Rect, noun: &str, view: &View<'_>) {
    let dim = view.theme.style(Role::TextDim);
    let (all, _) = view.fleet.counts();
    let waiting = view.fleet.hosts().filter(|host| !host.listed && host.link.error().is_none()).count();
    let text = match () {
        () if view.filter.selector().is_some() && all > 0 => {
            let key = view.keymap.reverse(Action::LayerClose, &[Context::Global]).unwrap_or("esc");
            format!("nothing of {} matches {:?}: {key} shows all", counted(all, "container"), view.filter.text())
        }
        () if view.fleet.hosts().len() == 0 => "no host is configured: name one with -H NAME=URL, or in config.toml".to_owned(),
        () if waiting > 0 => format!("waiting for {waiting} of {}", counted(view.fleet.hosts().len(), "host")),
        () if view.fleet.hosts().all(|host| host.link.error().is_some()) => "no host can be reached".to_owned(),
        () => format!("no {noun} on any host"),
    };
    Pen::new(buffer, area, 2).skip(1).text(&text, dim);
    let lost = view.fleet.hosts().filter_map(|host| host.link.error().map(|error| (host, error)));
    for (line, (host, error)) in (4..area.height).zip(lost) {
        let mut pen = Pen::new(buffer, area, line);
        pen.skip(1).text(view.theme.symbol(Symbol::Bad), view.theme.style(Role::StateBad)).skip(1);
        let room = pen.left();
        pen.text(&view.theme.fit(&format!("{}: {error}", host.spec.id), room), view.theme.style(Role::Text));
    }
}
