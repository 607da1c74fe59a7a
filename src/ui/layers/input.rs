//! One line of typed text: the palette's, the help's search, a filter.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect};
use tui_textarea::TextArea;
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    text::{clean_line, width},
    ui::theme::{Role, Theme},
};

/// A line of text being typed. It never holds a line break.
#[derive(Clone, Debug, Default)]
pub struct InputLine {
    area: TextArea<'static>,
}

impl InputLine {
    /// A line that holds `text`, with the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.paste(text);
        line
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Edits by one key: characters, the cursor keys, and the shell's ctrl keys. True: the text changed.
    pub fn handle(&mut self, event: KeyEvent) -> bool {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Esc => false,
            // ctrl-m and ctrl-j are how some terminals send a line break.
            KeyCode::Char('m' | 'j') if control => false,
            // The shell's "delete to the beginning"; the widget's own meaning is undo.
            KeyCode::Char('u') if control => self.area.delete_line_by_head(),
            _ => self.area.input(event),
        }
    }

    /// Puts pasted text at the cursor, made safe and on one line.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(clean_line(text));
    }

    /// Paints the line with its cursor; a line too long for `area` shows the part around the cursor.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width);
        let cursor = self.area.cursor().1;
        let (mut before, mut after) = (String::new(), String::new());
        for (index, c) in self.text().chars().enumerate() {
            if index < cursor { before.push(c) } else { after.push(c) }
        }
        let mut graphemes: Vec<&str> = before.graphemes(true).collect();
        let cut = graphemes.iter().rev().scan(0, |used, g| {
            *used += width(g);
            Some(*used)
        });
        // One cell stays free for the cursor behind the last character.
        let fitting = cut.take_while(|used| *used < room).count();
        let shown = graphemes.split_off(graphemes.len() - fitting).concat();
        buf.set_stringn(area.x, area.y, &shown, room, theme.style(Role::InputText));
        let x = area.x.saturating_add(u16::try_from(width(&shown)).unwrap_or(u16::MAX));
        let rest = usize::from(area.right().saturating_sub(x));
        buf.set_stringn(x, area.y, &after, rest, theme.style(Role::InputText));
        if let Some(cell) = buf.cell_mut((x, area.y)) {
            cell.set_style(theme.style(Role::InputCursor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_never_enters() {
        let mut line = InputLine::new("web\nof shop\u{202e}");
        assert_eq!(line.text(), "web of shop·");
        for code in [KeyCode::Enter, KeyCode::Char('x'), KeyCode::Tab] {
            line.handle(KeyEvent::new(code, KeyModifiers::NONE));
        }
        assert!(!line.handle(KeyEvent::new(KeyCode::Char('m'), KeyModifiers::CONTROL)));
        assert_eq!(line.text(), "web of shop·x");
        assert!(line.handle(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
        assert_eq!(line.text(), "");
    }
}
