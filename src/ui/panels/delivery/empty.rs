//! What the panel says when there is no lane: why, and what brings some.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    board::lanes::SIMULATED,
    ui::{
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// How an app is registered.
const EXAMPLE: [&str; 3] =
    ["[apps.shop]", "template = { git = \"ssh://git@git.internal/shop.git\" }", "# or a path: template = \"/srv/shop\""];

/// Paints it.
pub(super) fn render(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let theme = view.theme;
    let (dim, text) = (theme.style(Role::TextDim), theme.style(Role::Text));
    let page = &view.board.lanes;
    if view.simulated {
        Pen::new(buffer, area, 2).skip(1).text(SIMULATED, dim);
        return;
    }
    if let Some(why) = &page.unread {
        let mut pen = Pen::new(buffer, area, 2);
        pen.skip(1).text(theme.symbol(Symbol::Bad), theme.style(Role::StateBad)).skip(1);
        let room = pen.left();
        pen.text(&theme.fit(why, room), text);
        return;
    }
    if page.ways.is_none() {
        Pen::new(buffer, area, 2).skip(1).text(&format!("the ledger is being read {}", theme.symbol(Symbol::Cut)), dim);
        return;
    }
    Pen::new(buffer, area, 2).skip(1).text("no app is registered: say in the configuration where its quarterdeck.toml is", dim);
    for (row, line) in (4..).zip(EXAMPLE) {
        Pen::new(buffer, area, row).skip(3).text(line, text);
    }
    Pen::new(buffer, area, 8).skip(1).text("then start the console again", dim);
}
