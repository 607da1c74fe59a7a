//! The box of a layer: ground, border, title and the line at its foot.

use ratatui::{buffer::Buffer, layout::Rect, widgets::Clear, widgets::Widget};

use crate::{
    text::width,
    ui::theme::{Role, Theme},
};

/// A box in the middle of `area`, at most `width` by `height` cells.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

/// Paints a layer's ground and border into `area`, with `title` above and `foot` below; the room inside is returned.
pub fn paint(area: Rect, buf: &mut Buffer, theme: &Theme, title: &str, foot: &str) -> Rect {
    Clear.render(area, buf);
    buf.set_style(area, theme.style(Role::LayerGround));
    if area.width < 4 || area.height < 3 {
        return Rect { width: 0, height: 0, ..area };
    }
    let [across, down, corners @ ..] =
        if theme.is_ascii() { ["-", "|", "+", "+", "+", "+"] } else { ["─", "│", "╭", "╮", "╰", "╯"] };
    let rule = theme.style(Role::LayerRule);
    let (left, right, top, bottom) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
    for x in left + 1..right {
        buf.set_string(x, top, across, rule);
        buf.set_string(x, bottom, across, rule);
    }
    for y in top + 1..bottom {
        buf.set_string(left, y, down, rule);
        buf.set_string(right, y, down, rule);
    }
    for ((x, y), corner) in [(left, top), (right, top), (left, bottom), (right, bottom)].into_iter().zip(corners) {
        buf.set_string(x, y, corner, rule);
    }
    let room = usize::from(area.width) - 4;
    let mut label = |y: u16, text: &str, role: Role| {
        if !text.is_empty() && width(text) > 0 {
            buf.set_string(left + 1, y, format!(" {} ", theme.fit(text, room)), theme.style(role));
        }
    };
    label(top, title, Role::LayerTitle);
    label(bottom, foot, Role::HintText);
    Rect::new(left + 2, top + 1, area.width - 4, area.height - 2)
}
