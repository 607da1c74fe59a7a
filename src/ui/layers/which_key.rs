//! The menu of a half-typed chord: what may follow, at the foot of the screen. It has no state of its own: the keymap
//! holds the chord.

use ratatui::{buffer::Buffer, layout::Rect};

use super::frame;
use crate::{
    text::width,
    ui::{
        keymap::{MenuEntry, Pending},
        theme::{Role, Theme},
    },
};

/// Paints the menu over the lower edge of `area`.
pub fn render(pending: &Pending, menu: &[MenuEntry], area: Rect, buf: &mut Buffer, theme: &Theme) {
    let key_cells = menu.iter().map(|entry| width(&entry.key)).max().unwrap_or(0);
    let doc_cells = menu.iter().map(|entry| width(&entry.doc)).max().unwrap_or(0);
    let column = key_cells + doc_cells + 4;
    let room = usize::from(area.width.saturating_sub(4)).max(1);
    let columns = (room / column.max(1)).clamp(1, 3);
    let rows = menu.len().div_ceil(columns);
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let box_area = Rect::new(area.x, area.bottom() - height, area.width, height);
    let inside = frame::paint(box_area, buf, theme, &pending.shown(), "esc cancels");
    for (index, entry) in menu.iter().enumerate() {
        let (across, down) = (index / rows.max(1), index % rows.max(1));
        let x = inside.x + u16::try_from(across * column).unwrap_or(0);
        let y = inside.y + u16::try_from(down).unwrap_or(0);
        if y >= inside.bottom() || x >= inside.right() {
            continue;
        }
        let left = usize::from(inside.right() - x);
        buf.set_stringn(x, y, &entry.key, left, theme.style(Role::HintKey));
        let doc_x = x + u16::try_from(key_cells + 2).unwrap_or(0);
        let style = if entry.action.is_some() { theme.style(Role::Text) } else { theme.style(Role::TextDim) };
        if doc_x < inside.right() {
            buf.set_string(doc_x, y, theme.fit(&entry.doc, usize::from(inside.right() - doc_x)), style);
        }
    }
}
