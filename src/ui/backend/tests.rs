//! Frames are replayed through a terminal emulator that shares no code with the backend, and compared with what the
//! application drew. Byte counts are exact, so they may be asserted.

use std::cell::{Cell as Flag, RefCell};
use std::num::NonZeroU16;
use std::rc::Rc;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier, Style};

use super::{Canvas, Drawn, Frame, Sink};

#[derive(Clone, Default)]
struct Wire {
    frames: Rc<RefCell<Vec<Vec<u8>>>>,
    full: Rc<Flag<bool>>,
}

impl Sink for Wire {
    fn ready(&self) -> bool {
        !self.full.get()
    }
    fn submit(&self, frame: Vec<u8>) {
        self.frames.borrow_mut().push(frame);
    }
}

struct Rig {
    screen: Canvas<Wire>,
    emulator: vt100::Parser,
    wire: Wire,
}

fn dimension(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a screen has cells")
}

impl Rig {
    fn new(width: u16, height: u16) -> Self {
        let wire = Wire::default();
        let screen = Canvas::new(Size::new(width, height), wire.clone());
        Self { screen, emulator: vt100::Parser::new(dimension(height), dimension(width), 0), wire }
    }

    /// Draws one frame and returns the bytes it took.
    fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> usize {
        let drawn = self.screen.draw(frame);
        let bytes = self.replay();
        assert_eq!(drawn == Drawn::Sent, bytes > 0);
        bytes
    }

    fn show(&mut self, picture: &Buffer) -> usize {
        self.draw(|frame| frame.buffer_mut().content.clone_from_slice(&picture.content))
    }

    fn replay(&mut self) -> usize {
        let frames = std::mem::take(&mut *self.wire.frames.borrow_mut());
        frames.iter().for_each(|frame| {
            let text = String::from_utf8_lossy(frame);
            assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"), "not one synchronized update: {text:?}");
            assert!(!text.contains("\x1b[6n") && !text.contains("\x1b[c"), "asks the terminal: {text:?}");
            self.emulator.process(frame);
        });
        frames.iter().map(Vec::len).sum()
    }

    fn assert_shows(&self, picture: &Buffer, when: &str) {
        let screen = self.emulator.screen();
        for y in 0..picture.area.height {
            let mut x = 0;
            while x < picture.area.width {
                let cell = &picture[(x, y)];
                let wide = crate::text::width(cell.symbol()) == 2 && x + 1 < picture.area.width;
                let shown = screen.cell(y, x).expect("inside");
                let symbol = if shown.has_contents() { shown.contents() } else { " " };
                let expected = if crate::text::width(cell.symbol()) == 2 && !wide { " " } else { cell.symbol() };
                assert_eq!(symbol, expected, "text at {x},{y} {when}\n{}", screen.contents());
                assert_eq!(shown.bgcolor(), colour(cell.bg), "background at {x},{y} {when}");
                assert_eq!(shown.inverse(), cell.modifier.contains(Modifier::REVERSED), "reverse at {x},{y} {when}");
                assert_eq!(shown.underline(), cell.modifier.contains(Modifier::UNDERLINED), "underline at {x},{y} {when}");
                if expected != " " {
                    assert_eq!(shown.fgcolor(), colour(cell.fg), "foreground at {x},{y} {when}");
                    let (bold, dim) = (cell.modifier.contains(Modifier::BOLD), cell.modifier.contains(Modifier::DIM));
                    // The emulator keeps one of the two when both are set.
                    if !(bold && dim) {
                        assert_eq!((shown.bold(), shown.dim()), (bold, dim), "bold, dim at {x},{y} {when}");
                    }
                    assert_eq!(shown.italic(), cell.modifier.contains(Modifier::ITALIC), "italic at {x},{y} {when}");
                }
                x += if wide { 2 } else { 1 };
            }
        }
    }
}

fn colour(colour: Color) -> vt100::Color {
    match colour {
        Color::Reset => vt100::Color::Default,
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        Color::Indexed(index) => vt100::Color::Idx(index),
        Color::Red => vt100::Color::Idx(1),
        Color::Gray => vt100::Color::Idx(7),
        Color::DarkGray => vt100::Color::Idx(8),
        Color::White => vt100::Color::Idx(15),
        other => unreachable!("not used in these tests: {other:?}"),
    }
}

/// A small deterministic generator (Numerical Recipes' constants): failures repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u16) -> u16 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n.max(1))) as u16
    }

    fn style(&mut self) -> Style {
        let colours = [
            Color::Reset,
            Color::Red,
            Color::Gray,
            Color::DarkGray,
            Color::White,
            Color::Indexed(200),
            Color::Rgb(1, 20, 255),
            Color::Rgb(125, 207, 255),
        ];
        let modifiers = [
            Modifier::empty(),
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::ITALIC | Modifier::BOLD,
            Modifier::UNDERLINED,
            Modifier::REVERSED,
            Modifier::UNDERLINED | Modifier::DIM,
        ];
        let mut style = Style::new().fg(colours[usize::from(self.below(8))]).add_modifier(modifiers[usize::from(self.below(8))]);
        if self.below(3) == 0 {
            style = style.bg(colours[usize::from(self.below(8))]);
        }
        style
    }

    fn text(&mut self) -> &'static str {
        let texts = [
            "order 8123 accepted",
            "日本語のログ",
            "a",
            "  ",
            "e\u{301}te\u{301}",
            "✔ pulled",
            "x日y本",
            "░▒▓│",
            "한국",
            "1.0.1-22-7e56158",
        ];
        texts[usize::from(self.below(10))]
    }
}

/// Changes a picture the way applications do: text here and there, panes that scroll, clears, repaints.
fn change(picture: &mut Buffer, dice: &mut Dice) {
    let (width, height) = (picture.area.width, picture.area.height);
    let row = usize::from(width);
    match dice.below(10) {
        0 => picture.reset(),
        1..=3 => {
            let top = dice.below(height);
            let bottom = top + 1 + dice.below(height - top);
            let count = 1 + dice.below(bottom - top);
            let rows = &mut picture.content[usize::from(top) * row..usize::from(bottom) * row];
            let cells = usize::from(count) * row;
            if dice.below(2) == 0 { rows.rotate_left(cells) } else { rows.rotate_right(cells) }
        }
        4 => {
            let (x, y) = (dice.below(width), dice.below(height));
            picture.set_style(Rect::new(x, y, width - x, 1), dice.style());
        }
        _ => {
            for _ in 0..=dice.below(6) {
                let (x, y, text, style) = (dice.below(width), dice.below(height), dice.text(), dice.style());
                let room = usize::from(width - x);
                // As the widgets do: a wide glyph whose other half is overwritten is gone.
                blank_around(picture, x, y, (crate::text::width(text)).min(room) as u16);
                picture.set_stringn(x, y, text, room, style);
            }
        }
    }
}

fn blank_around(picture: &mut Buffer, x: u16, y: u16, count: u16) {
    if x > 0 && crate::text::width(picture[(x - 1, y)].symbol()) == 2 {
        picture[(x - 1, y)].set_symbol(" ");
    }
    for at in x..x + count {
        if crate::text::width(picture[(at, y)].symbol()) == 2 {
            picture[(at, y)].set_symbol(" ");
        }
    }
}

#[test]
fn random_frames_show_what_was_drawn() {
    for seed in 0..60u64 {
        let mut dice = Dice(seed);
        let (mut width, mut height) = (8 + dice.below(60), 2 + dice.below(30));
        let mut rig = Rig::new(width, height);
        let mut picture = Buffer::empty(Rect::new(0, 0, width, height));
        for step in 0..60 {
            if dice.below(25) == 0 {
                (width, height) = (8 + dice.below(60), 2 + dice.below(30));
                picture = Buffer::empty(Rect::new(0, 0, width, height));
                rig.emulator.set_size(dimension(height), dimension(width));
                rig.screen.resize(Size::new(width, height));
            }
            if dice.below(30) == 0 {
                // Someone else wrote to the terminal.
                rig.emulator.process(b"\x1b[3;5r\x1b[1;41mgarbage\r\n\x1b[2Bmore\x1b[?25h");
                rig.screen.repaint();
            }
            change(&mut picture, &mut dice);
            rig.wire.full.set(dice.below(6) == 0);
            rig.show(&picture);
            if !rig.wire.full.get() {
                rig.assert_shows(&picture, &format!("seed {seed}, step {step}"));
                assert!(rig.emulator.screen().hide_cursor());
            }
        }
        rig.wire.full.set(false);
        rig.show(&picture);
        rig.assert_shows(&picture, &format!("seed {seed}, end"));
        assert_eq!(rig.show(&picture), 0, "the same picture again, seed {seed}");
    }
}

#[test]
fn hostile_cells_reach_the_terminal_as_dots() {
    for bad in ["\x1b]0;t\x07", "\u{9b}31m", "\x1b[31m", "\u{202e}", "a\u{202e}b", "\r", "\n", "\u{e0001}"] {
        let wire = Wire::default();
        let mut canvas = Canvas::new(Size::new(20, 2), wire.clone());
        canvas.draw(|frame| {
            frame.buffer_mut().set_string(0, 0, "safe here", Style::new());
            frame.buffer_mut()[(4, 0)].set_symbol(bad);
        });
        let mut emulator = vt100::Parser::new(dimension(2), dimension(20), 0);
        emulator.process(&wire.frames.borrow().concat());
        let shown = emulator.screen().contents();
        // What the layout counted for a longer symbol is blank behind the dot.
        assert!(shown.starts_with("safe·") && !shown.contains("31m"), "{bad:?}: {shown:?}");
    }
}

#[test]
fn disputed_widths_do_not_move_their_row() {
    let mut rig = Rig::new(20, 1);
    rig.draw(|frame| frame.buffer_mut().set_style(Rect::new(0, 0, 20, 1), Style::new().bg(Color::Red)));
    rig.draw(|frame| {
        frame.buffer_mut().set_string(0, 0, "a❤\u{fe0f}bc", Style::new());
        frame.buffer_mut().set_string(10, 0, "🇩🇪 d", Style::new());
    });
    let screen = rig.emulator.screen();
    let at = |x| screen.cell(0, x).map(|cell| cell.contents().to_owned()).unwrap_or_default();
    assert_eq!((at(1), at(3), at(4), at(13)), ("❤".to_owned(), "b".to_owned(), "c".to_owned(), "d".to_owned()));
}

/// A screen like ours: header, table, and a log at the foot, with a theme of RGB colours.
fn deck(frame: &mut Frame<'_>, first_line: u32, first_row: u32, clock: &str) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    let text = Style::new().fg(Color::Rgb(192, 202, 245));
    let dim = Style::new().fg(Color::Rgb(86, 95, 137));
    buffer.set_string(1, 0, "quarterdeck   12/12 live   168 containers", text.add_modifier(Modifier::BOLD));
    buffer.set_string(area.width - 6, 0, clock, text);
    let foot = area.height * 3 / 5;
    for y in 1..foot {
        let row = first_row + u32::from(y);
        buffer.set_string(0, y, format!("app-{row:02}"), dim);
        buffer.set_string(10, y, format!("service-{}  1.0.1-{row}-7e56158", row * 7 % 13), text);
        buffer.set_string(60, y, format!("{:>6.1} %", f64::from(row * 37 % 1000) / 10.0), Style::new().fg(Color::Rgb(158, 206, 106)));
    }
    for y in foot..area.height {
        let line = first_line + u32::from(y);
        buffer.set_string(0, y, format!("14:02:{:02}.114", line % 60), dim);
        buffer.set_string(13, y, "INFO ", Style::new().fg(Color::Rgb(122, 162, 247)));
        buffer.set_string(19, y, format!("order {line} accepted by worker {} in {} ms", line * 7 % 11, line * 31 % 97), text);
    }
}

#[test]
fn frames_cost_what_changed() {
    let mut rig = Rig::new(160, 50);
    let full = rig.draw(|frame| deck(frame, 0, 0, "14:02"));
    assert!(full < 12_000, "first frame: {full} bytes");
    for _ in 0..50 {
        assert_eq!(rig.draw(|frame| deck(frame, 0, 0, "14:02")), 0, "unchanged frame");
    }
    let minute = rig.draw(|frame| deck(frame, 0, 0, "14:03"));
    assert!(minute <= 60, "one cell: {minute} bytes");
    let line = rig.draw(|frame| deck(frame, 1, 0, "14:03"));
    assert!(line <= 300, "one log line: {line} bytes");
    let row = rig.draw(|frame| deck(frame, 1, 1, "14:03"));
    assert!(row <= 400, "one table row: {row} bytes");
    let back = rig.draw(|frame| deck(frame, 1, 0, "14:03"));
    assert!(back <= 400, "one table row back: {back} bytes");
    let both = rig.draw(|frame| deck(frame, 4, 2, "14:04"));
    assert!(both <= 1700, "both panes and the clock: {both} bytes");
    let picture = {
        let mut expected = Buffer::empty(Rect::new(0, 0, 160, 50));
        rig.screen.draw(|frame| {
            deck(frame, 4, 2, "14:04");
            expected.clone_from(frame.buffer_mut());
        });
        expected
    };
    assert_eq!(rig.replay(), 0);
    rig.assert_shows(&picture, "at the end");
}

#[test]
fn the_cursor_shows_only_where_text_is_typed() {
    let mut rig = Rig::new(20, 3);
    rig.draw(|frame| {
        frame.buffer_mut()[(0, 0)].set_symbol("a").set_fg(Color::Red);
    });
    assert!(rig.emulator.screen().hide_cursor());
    let field = |frame: &mut Frame<'_>| {
        frame.buffer_mut()[(0, 0)].set_symbol("b");
        frame.set_cursor_position(Position::new(7, 2));
    };
    rig.draw(field);
    assert!(!rig.emulator.screen().hide_cursor());
    assert_eq!(rig.emulator.screen().cursor_position(), (2, 7));
    assert_eq!(rig.draw(field), 0, "same field, same place");
    rig.draw(|frame| {
        frame.buffer_mut()[(0, 0)].set_symbol("c");
        frame.set_cursor_position(Position::new(8, 2));
    });
    assert_eq!(rig.emulator.screen().cursor_position(), (2, 8));
    rig.draw(|frame| {
        frame.buffer_mut()[(0, 0)].set_symbol("c");
    });
    assert!(rig.emulator.screen().hide_cursor());
}

#[test]
fn a_busy_sink_gets_the_newest_picture_later() {
    let mut rig = Rig::new(20, 2);
    rig.draw(|_| {});
    rig.wire.full.set(true);
    for text in ["one", "two", "three"] {
        assert_eq!(rig.screen.draw(|frame| frame.buffer_mut().set_string(0, 0, text, Style::new())), Drawn::Busy);
    }
    rig.wire.full.set(false);
    rig.draw(|frame| frame.buffer_mut().set_string(0, 0, "three", Style::new()));
    assert_eq!(rig.emulator.screen().contents(), "three");
}

#[test]
fn every_colour_and_attribute_has_its_sequence() {
    let mut rig = Rig::new(4, 1);
    rig.draw(|_| {});
    let mut bytes_of = |cell: &Cell| {
        rig.screen.draw(|frame| frame.buffer_mut()[(0, 0)].clone_from(cell));
        let frames = std::mem::take(&mut *rig.wire.frames.borrow_mut());
        let text = String::from_utf8(frames.concat()).expect("text");
        rig.screen.draw(|_| {});
        rig.screen.repaint();
        rig.wire.frames.borrow_mut().clear();
        text.trim_start_matches("\x1b[?2026h").trim_end_matches("\x1b[?2026l").trim_start_matches("\x1b[H").to_owned()
    };
    let glyph = Cell::new("x");
    let cases = [
        (Style::new().fg(Color::Blue), "\x1b[34mx"),
        (Style::new().fg(Color::LightBlue).bg(Color::Cyan), "\x1b[94;46mx"),
        (Style::new().fg(Color::Indexed(9)), "\x1b[38;5;9mx"),
        (Style::new().bg(Color::Rgb(1, 2, 3)), "\x1b[48;2;1;2;3mx"),
        (Style::new().add_modifier(Modifier::BOLD | Modifier::DIM | Modifier::REVERSED), "\x1b[1;2;7mx"),
        (Style::new().add_modifier(Modifier::CROSSED_OUT | Modifier::HIDDEN), "\x1b[8;9mx"),
    ];
    for (style, expected) in cases {
        let mut cell = glyph.clone();
        cell.set_style(style);
        let bytes = bytes_of(&cell);
        assert!(bytes.ends_with(expected), "{style:?}: {bytes:?}");
    }
}
