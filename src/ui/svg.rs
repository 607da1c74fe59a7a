//! A screen as an SVG picture: for "save this screen", documentation and snapshots that show colour.
//!
//! Pure: a buffer and the theme's two default colours in, text out. Runs of one style become one `<text>` whose
//! length is fixed, so that the grid holds in whatever monospaced font the viewer has.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::theme::{Role, Theme};
use crate::text;

/// Size of a cell and of the frame around the grid, in pixels. 0.6 em is the advance of the common monospaced fonts.
const CELL: (f32, f32) = (8.4, 18.0);
const FONT_SIZE: f32 = 14.0;
const PADDING: f32 = 14.0;
const CORNER: f32 = 8.0;

/// What a buffer does not say itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvgOptions {
    /// Colour of text without a colour of its own (`Color::Reset`), red, green, blue.
    pub foreground: (u8, u8, u8),
    /// Colour of the window, and of cells without a background of their own.
    pub background: (u8, u8, u8),
    /// Accessible title of the picture.
    pub title: String,
}

impl Default for SvgOptions {
    fn default() -> Self {
        Self { foreground: (0xc0, 0xca, 0xf5), background: (0x1a, 0x1b, 0x26), title: "quarterdeck".to_owned() }
    }
}

impl SvgOptions {
    /// The default colours of a theme; those of [`SvgOptions::default`] where it leaves them to the terminal.
    pub fn of(theme: &Theme) -> Self {
        let usual = Self::default();
        let screen = theme.style(Role::Screen);
        let rgb = |color: Option<Color>, usual| match color {
            Some(Color::Rgb(r, g, b)) => (r, g, b),
            Some(_) | None => usual,
        };
        let text = theme.style(Role::Text).fg.or(screen.fg);
        Self { foreground: rgb(text, usual.foreground), background: rgb(screen.bg, usual.background), title: usual.title }
    }
}

/// The screen as text, a line per row, without trailing blanks.
pub fn plain(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let mut out = String::with_capacity(buffer.content.len() + usize::from(buffer.area.height));
    for row in buffer.content.chunks(width) {
        let mut line = String::with_capacity(width);
        let mut wide = 0;
        for cell in row {
            if wide == 0 {
                line.push_str(cell.symbol());
                wide = text::width(cell.symbol()).saturating_sub(1);
            } else {
                wide -= 1;
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The picture of `buffer`. Glyphs pass the same filter as everything foreign, and are escaped.
pub fn svg(buffer: &Buffer, options: &SvgOptions) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (f32::from(columns) * CELL.0 + 2.0 * PADDING, f32::from(rows) * CELL.1 + 2.0 * PADDING);
    let background = hex(options.background);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"ui-monospace,'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"{FONT_SIZE}\">\n\
         <title>{}</title>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{CORNER}\" fill=\"{background}\" stroke=\"{}\" stroke-opacity=\"0.25\"/>\n",
        escaped(&text::clean(&options.title)),
        width - 1.0,
        height - 1.0,
        hex(options.foreground),
    );
    let mut glyphs = String::new();
    for y in 0..rows {
        let start = usize::from(y) * usize::from(columns);
        for run in runs(&buffer.content[start..start + usize::from(columns)], options) {
            run.background(&mut out, y);
            run.glyphs(&mut glyphs, y);
        }
    }
    out.push_str(&glyphs);
    out.push_str("</svg>\n");
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    foreground: (u8, u8, u8),
    background: Option<(u8, u8, u8)>,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell, options: &SvgOptions) -> Self {
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        let foreground = rgb(cell.fg).unwrap_or(options.foreground);
        let background = rgb(cell.bg);
        if reversed {
            let foreground = background.unwrap_or(options.background);
            let background = Some(rgb(cell.fg).unwrap_or(options.foreground));
            return Self { foreground, background, modifier: cell.modifier };
        }
        Self { foreground, background, modifier: cell.modifier }
    }
}

struct Run {
    column: usize,
    columns: usize,
    text: String,
    look: Look,
    /// Wide and non-ASCII glyphs come from other fonts with other advances: they stand alone, so that a stretched
    /// neighbour does not show.
    alone: bool,
}

impl Run {
    fn background(&self, out: &mut String, y: u16) {
        let Some(colour) = self.look.background else { return };
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\" shape-rendering=\"crispEdges\"/>",
            self.left(),
            PADDING + f32::from(y) * CELL.1,
            self.columns as f32 * CELL.0,
            CELL.1,
            hex(colour)
        );
    }

    fn glyphs(&self, out: &mut String, y: u16) {
        let lines = self.look.modifier.intersects(Modifier::UNDERLINED | Modifier::CROSSED_OUT);
        let hidden = self.look.modifier.contains(Modifier::HIDDEN);
        if hidden || (!lines && self.text.trim().is_empty()) {
            return;
        }
        // Leading and trailing blanks carry no ink; the text starts where it shows.
        let (text, skipped) =
            if lines { (self.text.as_str(), 0) } else { (self.text.trim(), text::width(&self.text) - text::width(self.text.trim_start())) };
        let columns = text::width(text).max(1);
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{}\"",
            self.left() + skipped as f32 * CELL.0,
            PADDING + f32::from(y) * CELL.1 + CELL.1 * 0.75,
            columns as f32 * CELL.0,
            hex(self.look.foreground)
        );
        for (modifier, attribute) in
            [(Modifier::BOLD, " font-weight=\"bold\""), (Modifier::DIM, " opacity=\"0.6\""), (Modifier::ITALIC, " font-style=\"italic\"")]
        {
            if self.look.modifier.contains(modifier) {
                out.push_str(attribute);
            }
        }
        match (self.look.modifier.contains(Modifier::UNDERLINED), self.look.modifier.contains(Modifier::CROSSED_OUT)) {
            (true, true) => out.push_str(" text-decoration=\"underline line-through\""),
            (true, false) => out.push_str(" text-decoration=\"underline\""),
            (false, true) => out.push_str(" text-decoration=\"line-through\""),
            (false, false) => {}
        }
        let _ = writeln!(out, ">{}</text>", escaped(text));
    }

    fn left(&self) -> f32 {
        PADDING + self.column as f32 * CELL.0
    }
}

fn runs(row: &[Cell], options: &SvgOptions) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    while column < row.len() {
        let look = Look::of(&row[column], options);
        let glyph = match row[column].symbol() {
            "" => " ".into(),
            symbol => text::clean(symbol),
        };
        let columns = text::width(&glyph).clamp(1, row.len() - column);
        let alone = !glyph.is_ascii() && !is_drawing(&glyph);
        match runs.last_mut() {
            Some(run) if run.look == look && !run.alone && !alone => {
                run.text.push_str(&glyph);
                run.columns += columns;
            }
            Some(_) | None => runs.push(Run { column, columns, text: glyph.into_owned(), look, alone }),
        }
        column += columns;
    }
    runs
}

/// Box drawing and block elements: monospaced fonts have them with the advance of a letter.
fn is_drawing(glyph: &str) -> bool {
    glyph.chars().all(|c| ('\u{2500}'..='\u{259f}').contains(&c))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

fn hex((r, g, b): (u8, u8, u8)) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A colour as the viewer should see it; `None` for the theme's default. The 16 named ones are those of common
/// dark terminals; 16–255 are xterm's cube and greys.
fn rgb(colour: Color) -> Option<(u8, u8, u8)> {
    const NAMED: [(u8, u8, u8); 16] = [
        (0x15, 0x16, 0x1e),
        (0xf7, 0x76, 0x8e),
        (0x9e, 0xce, 0x6a),
        (0xe0, 0xaf, 0x68),
        (0x7a, 0xa2, 0xf7),
        (0xbb, 0x9a, 0xf7),
        (0x7d, 0xcf, 0xff),
        (0xa9, 0xb1, 0xd6),
        (0x56, 0x5f, 0x89),
        (0xff, 0x89, 0x9d),
        (0xb9, 0xf2, 0x7c),
        (0xff, 0xc7, 0x77),
        (0x8d, 0xb0, 0xff),
        (0xc7, 0xa9, 0xff),
        (0xa4, 0xda, 0xff),
        (0xf2, 0xf4, 0xff),
    ];
    let index = match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return Some((r, g, b)),
        Color::Indexed(index @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let cube = index - 16;
            return Some((level(cube / 36), level(cube / 6 % 6), level(cube % 6)));
        }
        Color::Indexed(index @ 232..=255) => {
            let grey = 8 + 10 * (index - 232);
            return Some((grey, grey, grey));
        }
        Color::Indexed(index) => usize::from(index),
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    NAMED.get(index).copied()
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn picture(width: u16, height: u16, paint: impl FnOnce(&mut Buffer)) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        paint(&mut buffer);
        svg(&buffer, &SvgOptions::default())
    }

    #[test]
    fn text_is_escaped_and_controls_are_gone() {
        let out = picture(20, 1, |buffer| {
            buffer.set_string(0, 0, "<b>&\"x\"", Style::new());
            buffer[(10, 0)].set_symbol("\x1b");
            buffer[(11, 0)].set_symbol("\u{202e}");
        });
        assert!(out.contains("&lt;b&gt;&amp;&quot;x&quot;"), "{out}");
        assert!(!out.contains("<b>") && out.chars().all(|c| c == '\n' || !c.is_control()) && !out.contains('\u{202e}'), "{out}");
    }

    #[test]
    fn a_run_is_as_long_as_its_cells() {
        let out = picture(40, 2, |buffer| {
            buffer.set_string(2, 1, "production", Style::new());
        });
        assert!(out.contains("x=\"30.8\" y=\"45.5\" textLength=\"84.0\""), "{out}");
        assert!(out.contains("width=\"364\" height=\"64\""), "{out}");
        assert_eq!(out.matches("<text").count(), 1);
        assert_eq!(out.matches("<rect").count(), 1, "only the window");
    }

    #[test]
    fn styles_split_runs_and_backgrounds_fill_cells() {
        let out = picture(10, 1, |buffer| {
            buffer.set_string(0, 0, "ab", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD | Modifier::UNDERLINED));
            buffer.set_string(2, 0, "cd", Style::new().bg(Color::Indexed(196)).add_modifier(Modifier::DIM));
            buffer.set_string(4, 0, "ef", Style::new().add_modifier(Modifier::REVERSED | Modifier::ITALIC));
        });
        assert!(out.contains("fill=\"#010203\" font-weight=\"bold\" text-decoration=\"underline\">ab<"), "{out}");
        assert!(
            out.contains("opacity=\"0.6\">cd<")
                && out.contains("<rect x=\"30.8\" y=\"14.0\" width=\"16.8\" height=\"18.0\" fill=\"#ff0000\""),
            "{out}"
        );
        assert!(
            out.contains("fill=\"#1a1b26\" font-style=\"italic\">ef<") && out.contains("width=\"16.8\" height=\"18.0\" fill=\"#c0caf5\""),
            "{out}"
        );
    }

    #[test]
    fn wide_glyphs_take_two_cells() {
        let out = picture(10, 1, |buffer| {
            buffer.set_string(0, 0, "a日b", Style::new());
        });
        assert!(out.contains("x=\"22.4\" y=\"27.5\" textLength=\"16.8\"") && out.contains("x=\"39.2\""), "{out}");
    }

    #[test]
    fn an_empty_buffer_is_an_empty_window() {
        assert!(picture(0, 0, |_| {}).ends_with("</svg>\n"));
    }
}
