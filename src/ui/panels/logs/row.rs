//! One row of the stream on the screen. Writes straight into the cells: what is cut is cut there, without a copy.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    dressing::{Dressed, level_role},
    times::Times,
    window::FOLD,
};
use crate::{
    fleet::Health,
    logs::{LogLine, LogStream, Marker, MarkerKind, Tape},
    text::width,
    ui::{
        theme::{LOG_SOURCES, Role, Symbol, Theme},
        view::View,
    },
};

/// The widest tag that its column gives room to, on a wide and on a narrow screen.
const TAG: (usize, usize) = (28, 14);
/// A screen narrower than this is a narrow one.
const NARROW: u16 = 100;

/// How the columns stand in this frame.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// How times are told.
    pub times: Times,
    /// Whether a line in sight is not of today.
    pub dated: bool,
    narrow: bool,
    time: u16,
    tag: u16,
    /// Where the text begins, in cells from the left.
    pub text: u16,
    /// How many cells it has.
    pub room: u16,
}

impl Columns {
    /// The columns of a frame of this width.
    pub fn new(area: Rect, times: Times, dated: bool, tape: &Tape) -> Self {
        let narrow = area.width < NARROW;
        let time = times.width(dated, narrow);
        let widest = if narrow { TAG.1 } else { TAG.0 };
        let tag = u16::try_from(tape.tag_width().min(widest)).unwrap_or(0);
        // The cursor's sign, the time and a space, the tag and a space, the separator and a space.
        let text = 1 + if time > 0 { time + 1 } else { 0 } + tag + 1 + 2;
        Self { times, dated, narrow, time, tag, text, room: area.width.saturating_sub(text) }
    }
}

/// Which cells of a line a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All that fits, scrolled to the left by so many cells.
    Cut(usize),
    /// This row of the wrapped line.
    Wrapped(usize),
}

/// A row of the screen to paint into.
pub struct Canvas<'b> {
    /// The cells.
    pub buffer: &'b mut Buffer,
    /// The row: one cell high.
    pub area: Rect,
}

impl Canvas<'_> {
    /// Writes at a cell; the cell behind it.
    fn write(&mut self, x: u16, text: &str, style: Style) -> u16 {
        let room = usize::from(self.area.right().saturating_sub(x));
        self.buffer.set_stringn(x, self.area.y, text, room, style).0
    }

    fn fill(&mut self, from: u16, to: u16, symbol: &str, style: Style) {
        for x in from..to.min(self.area.right()) {
            self.buffer.set_stringn(x, self.area.y, symbol, 1, style);
        }
    }

    /// The sign of the cursor, at the left.
    pub fn cursor(&mut self, theme: &Theme) {
        self.write(self.area.x, theme.symbol(Symbol::Cursor), theme.style(Role::Accent));
    }

    /// Time, tag and separator of a line's first row; the separator alone on those that follow.
    pub fn head(&mut self, line: &LogLine, part: usize, columns: &Columns, tape: &Tape, view: &View<'_>) {
        let theme = view.theme;
        let mut x = self.area.x + 1;
        if part == 0 {
            if columns.time > 0 {
                let time = columns.times.show(line.at, view.now, columns.dated, columns.narrow);
                self.write(x, time.as_str(), theme.style(Role::TextDim));
                x += columns.time + 1;
            }
            if let Some(tag) = tape.tag(line.source) {
                let style = theme.style(LOG_SOURCES[tag.hue % LOG_SOURCES.len()]);
                let cells = usize::from(columns.tag);
                self.buffer.set_stringn(x, self.area.y, &tag.text, cells, style);
                if width(&tag.text) > cells {
                    self.write(x + columns.tag - 1, theme.symbol(Symbol::Cut), style);
                }
            }
        }
        let separator = match (part, line.late, line.stream, theme.is_ascii()) {
            (0, true, _, false) => "‹",
            (0, true, _, true) => "<",
            (_, _, LogStream::Out, false) => "│",
            (_, _, LogStream::Out, true) => "|",
            (_, _, LogStream::Err, false) => "┃",
            (_, _, LogStream::Err, true) => "!",
        };
        let role = level_role(line.level).unwrap_or(Role::FrameRule);
        self.write(self.area.x + columns.text - 2, separator, theme.style(role));
    }

    /// The text of one row.
    pub fn text(&mut self, dressed: &mut Dressed, part: Part, columns: &Columns, theme: &Theme) {
        let room = usize::from(columns.room);
        let start_x = self.area.x + columns.text;
        if room == 0 {
            return;
        }
        let (range, indent, more) = match part {
            Part::Wrapped(part) => {
                let rows = dressed.rows(room);
                let start = rows.get(part).copied().unwrap_or_default();
                let next = rows.get(part + 1).copied();
                (start..next.unwrap_or(dressed.text.len()), 0, part + 1 == FOLD && next.is_some())
            }
            Part::Cut(shift) => {
                let (start, indent) = dressed.scrolled(shift);
                let rest = &dressed.text[start..];
                (start..dressed.text.len(), indent, width_exceeds(rest, room.saturating_sub(indent)))
            }
        };
        let mut x = start_x + u16::try_from(indent).unwrap_or(0);
        let mut last = theme.style(Role::Text);
        for (piece, style) in dressed.pieces(range) {
            last = style;
            x = self.write(x, piece, style);
            if x >= self.area.right() {
                break;
            }
        }
        let dim = theme.style(Role::TextDim);
        if more {
            // In the look of the text: another one would cost more bytes than the sign.
            self.write(self.area.right() - 1, theme.symbol(Symbol::Cut), last);
        }
        if matches!(part, Part::Cut(1..)) {
            self.write(start_x, theme.symbol(Symbol::Cut), dim);
        }
    }

    /// `──────── 14:03:01 app-07 api-1 restarted ────────`
    pub fn marker(&mut self, marker: &Marker, text: &str, theme: &Theme) {
        let (role, breaks) = (marker_role(&marker.kind), marker.kind.breaks());
        let symbol = theme.symbol(if breaks { Symbol::Stale } else { Symbol::Rule });
        let style = theme.style(role);
        let (left, right) = (self.area.x + 1, self.area.right().saturating_sub(1));
        let cells = u16::try_from(width(text)).unwrap_or(u16::MAX);
        let beside = right.saturating_sub(left).saturating_sub(cells.saturating_add(2)) / 2;
        let beside = beside.min(12);
        self.fill(left, left + beside, symbol, style);
        let at = left + if beside > 0 { beside + 1 } else { 0 };
        let end = self.write(at, text, style);
        if width_exceeds(text, usize::from(self.area.right().saturating_sub(at))) {
            self.write(self.area.right() - 1, theme.symbol(Symbol::Cut), style);
        } else {
            self.fill(end + 1, end + 1 + beside, symbol, style);
        }
    }
}

/// Whether text takes more cells than these, without measuring all of a long one.
fn width_exceeds(text: &str, cells: usize) -> bool {
    if text.is_ascii() { text.len() > cells } else { width(text) > cells }
}

fn marker_role(kind: &MarkerKind) -> Role {
    match kind {
        MarkerKind::OutOfMemory | MarkerKind::Health(Health::Unhealthy) => Role::StateBad,
        MarkerKind::Stopped { exit_code: Some(1..) }
        | MarkerKind::Lost { .. }
        | MarkerKind::Gap { .. }
        | MarkerKind::Unreadable { .. }
        | MarkerKind::NotSearched { .. }
        | MarkerKind::Restarted => Role::StateAttention,
        MarkerKind::Joined { .. } | MarkerKind::Replaced { .. } | MarkerKind::Asked { .. } => Role::Accent,
        MarkerKind::Stopped { .. }
        | MarkerKind::Removed
        | MarkerKind::Health(_)
        | MarkerKind::Paused
        | MarkerKind::Unpaused
        | MarkerKind::Back => Role::TextDim,
    }
}
