//! Facts about one thing, a label and its whole value each: how the detail panes show what a row had to cut.

use ratatui::{buffer::Buffer, layout::Rect};
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    text::width,
    ui::{theme::Role, view::View, widgets::Pen},
};

/// Cells of the labels.
const LABEL: u16 = 12;

/// One fact.
pub(super) struct Fact {
    pub label: &'static str,
    pub value: String,
    pub role: Role,
}

impl Fact {
    /// An ordinary fact.
    pub fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), role: Role::Text }
    }

    /// The same in another role.
    pub fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }
}

/// Paints facts from `row` on, values over as many lines as they need. When the room ends, the last line counts what is missing.
pub(super) fn render(buffer: &mut Buffer, area: Rect, row: u16, facts: &[Fact], view: &View<'_>) {
    let cells = usize::from(area.width.saturating_sub(LABEL + 2)).max(8);
    let mut at = row;
    for (index, fact) in facts.iter().enumerate() {
        let room = usize::from(area.height.saturating_sub(at));
        // One line more than there is room for tells whether something is missing.
        let lines = wrap(&fact.value, cells, room + 1);
        let last = index + 1 == facts.len();
        let needed = lines.len() + usize::from(!last);
        if needed > room {
            let shown = room.saturating_sub(1).min(lines.len());
            paint(buffer, area, at, fact, &lines[..shown], view);
            let left = facts.len() - index - usize::from(shown == lines.len());
            let more = format!("{} {left} more", view.theme.fit("more", 1));
            Pen::new(buffer, area, area.height.saturating_sub(1)).skip(1).text(&more, view.theme.style(Role::TextDim));
            return;
        }
        paint(buffer, area, at, fact, &lines, view);
        at = at.saturating_add(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    }
}

fn paint(buffer: &mut Buffer, area: Rect, row: u16, fact: &Fact, lines: &[String], view: &View<'_>) {
    for (offset, line) in (0..).zip(lines) {
        let mut pen = Pen::new(buffer, area, row.saturating_add(offset));
        pen.skip(1);
        if offset == 0 {
            pen.text(fact.label, view.theme.style(Role::TextDim));
        }
        pen.to(area.x + 1 + LABEL).text(line, view.theme.style(fact.role));
    }
}

/// Breaks clean text into lines of at most `cells` cells, at spaces where there are some; at most `most` lines.
fn wrap(text: &str, cells: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = width(word.trim_end());
        if used > 0 && used + bare > cells {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for grapheme in word.graphemes(true) {
            let next = width(grapheme);
            if used + next > cells {
                if grapheme == " " {
                    continue;
                }
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if lines.len() >= most {
                return lines;
            }
            line.push_str(grapheme);
            used += next;
        }
    }
    if lines.len() < most && (!line.is_empty() || lines.is_empty()) {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn values_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("add user ops to the group", 10, 9), ["add user ", "ops to the", "group"]);
        assert_eq!(wrap("sha256:0123456789", 8, 9), ["sha256:0", "12345678", "9"]);
        assert_eq!(wrap("", 8, 9), [""]);
        assert_eq!(wrap("日本語", 4, 9), ["日本", "語"]);
        assert_eq!(wrap(&"x".repeat(10_000), 10, 3).len(), 3);
    }
}
