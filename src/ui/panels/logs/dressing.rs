//! Lines as they are shown: cleaned, coloured, structured ones brought into reading order, matches marked. Each is dressed once, when it
//! comes into sight, and kept as long as it is seen: a frame that shows the same lines again allocates nothing for them.

use std::{collections::HashMap, ops::Range};

use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    logs::{Fields, Level, LogLine, Marker, Shelf},
    text::width,
    ui::{
        theme::{Role, Symbol, Theme},
        view::View,
    },
};

/// So much of a line is looked at, in bytes; the rest is folded behind a sign.
const LOOK: usize = 16 << 10;
/// So far into a line its level word is looked for, in bytes.
const NEAR: usize = 120;

/// One line, ready to paint.
#[derive(Clone, Debug, Default)]
pub struct Dressed {
    /// What is shown of it.
    pub text: String,
    /// Looks from their first byte on, ascending; before the first: plain.
    looks: Vec<(usize, Style)>,
    /// Where rows begin when it is wrapped at the width it was wrapped for last.
    breaks: (usize, Vec<usize>),
}

impl Dressed {
    /// Where its rows begin, wrapped into rows of so many cells.
    pub fn rows(&mut self, cells: usize) -> &[usize] {
        if self.breaks.0 != cells || self.breaks.1.is_empty() {
            self.breaks = (cells, breaks(&self.text, cells));
        }
        &self.breaks.1
    }

    /// The pieces of a range of it, each with its look.
    pub fn pieces(&self, range: Range<usize>) -> impl Iterator<Item = (&str, Style)> {
        let starts = std::iter::once((0, Style::default())).chain(self.looks.iter().copied());
        let ends = self.looks.iter().map(|(start, _)| *start).chain([self.text.len()]);
        starts.zip(ends).filter_map(move |((start, style), end)| {
            let (start, end) = (start.max(range.start), end.min(range.end));
            self.text.get(start..end).filter(|piece| !piece.is_empty()).map(|piece| (piece, style))
        })
    }

    /// The byte at which the text is scrolled by so many cells, and the cells that a wide character in between takes beyond it.
    pub fn scrolled(&self, cells: usize) -> (usize, usize) {
        if cells == 0 {
            return (0, 0);
        }
        if self.text.is_ascii() {
            return (cells.min(self.text.len()), 0);
        }
        let mut used = 0;
        for (at, grapheme) in self.text.grapheme_indices(true) {
            if used >= cells {
                return (at, used - cells);
            }
            used += width(grapheme);
        }
        (self.text.len(), 0)
    }
}

/// Where rows of at most so many cells begin.
fn breaks(text: &str, cells: usize) -> Vec<usize> {
    let cells = cells.max(1);
    if text.is_ascii() {
        return (0..text.len().max(1)).step_by(cells).collect();
    }
    let (mut starts, mut used) = (vec![0], 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        let next = width(grapheme);
        if used + next > cells && used > 0 {
            starts.push(at);
            used = 0;
        }
        used += next;
    }
    starts
}

/// The lines in sight.
#[derive(Debug, Default)]
pub struct Dressing {
    lines: HashMap<u64, (Dressed, u64)>,
    /// Counts frames: what was not asked for in one is forgotten.
    frame: u64,
    /// What the lines were dressed for.
    made_for: (u64, u64, String, bool),
}

impl Dressing {
    /// A frame begins: `short` tells whether structured lines are shown in reading order.
    pub fn begin(&mut self, tape: u64, shelf: &Shelf, theme: &Theme, short: bool) {
        let same =
            self.made_for.0 == tape && self.made_for.1 == shelf.look() && self.made_for.2 == theme.name() && self.made_for.3 == short;
        if !same {
            self.lines.clear();
            self.made_for = (tape, shelf.look(), theme.name().to_owned(), short);
        }
        self.frame += 1;
    }

    /// A line, dressed.
    pub fn line(&mut self, number: u64, line: &LogLine, shelf: &Shelf, view: &View<'_>) -> &mut Dressed {
        let short = self.made_for.3;
        let (dressed, frame) = self.lines.entry(number).or_insert_with(|| (dress(line, shelf, view, short), 0));
        *frame = self.frame;
        dressed
    }

    /// A marker's words.
    pub fn marker(&mut self, number: u64, marker: &Marker) -> &str {
        let made = || (Dressed { text: marker.text(), ..Dressed::default() }, 0);
        let (dressed, frame) = self.lines.entry(number).or_insert_with(made);
        *frame = self.frame;
        &dressed.text
    }

    /// The frame is painted.
    pub fn end(&mut self) {
        let frame = self.frame;
        self.lines.retain(|_, (_, seen)| *seen == frame);
    }
}

fn dress(line: &LogLine, shelf: &Shelf, view: &View<'_>, short: bool) -> Dressed {
    let theme = view.theme;
    let base = theme.style(match line.level {
        Some(Level::Trace | Level::Debug) => Role::TextDim,
        Some(Level::Info | Level::Warn | Level::Error | Level::Fatal) | None => Role::Text,
    });
    let raw = line.text.head(LOOK);
    let folded = line.text.bytes().len() - raw.bytes().len();
    let mut dressed = match structured(line, short && folded == 0) {
        Some(fields) => compose(&fields, base, theme),
        None => {
            let styled = raw.styled();
            let mut looks = vec![(0, base)];
            looks.extend(styled.runs.iter().map(|run| (run.start, theme.ink(run.ink, base))));
            Dressed { text: styled.text.into_owned(), looks, ..Dressed::default() }
        }
    };
    if let (Some(role), Some(word)) = (level_role(line.level), line.level.and_then(|level| level_word(&dressed.text, level))) {
        dressed.mark(word, |style| style.patch(theme.style(role)));
    }
    let hits = match shelf.search() {
        Some(search) => search.highlights(&dressed.text),
        None => shelf.filter().highlights(&dressed.text),
    };
    for hit in hits {
        dressed.mark(hit, |style| style.patch(theme.style(Role::MatchText)));
    }
    if folded > 0 || line.cut {
        let left_out = if line.cut { " and what was beyond 1 MB" } else { "" };
        dressed.look(base.patch(theme.style(Role::Accent)));
        dressed.text.push_str(&format!(" {} {} more{left_out}", theme.symbol(Symbol::Cut), crate::text::bytes(folded as u64)));
    }
    dressed
}

/// What stands for a level where it is more than ordinary.
pub fn level_role(level: Option<Level>) -> Option<Role> {
    match level? {
        Level::Error | Level::Fatal => Some(Role::StateBad),
        Level::Warn => Some(Role::StateAttention),
        Level::Trace | Level::Debug | Level::Info => None,
    }
}

/// A JSON line taken apart. logfmt reads well as it is.
fn structured(line: &LogLine, short: bool) -> Option<Fields> {
    let bytes = line.text.bytes();
    (short && bytes.first() == Some(&b'{')).then(|| Fields::parse(bytes)).flatten()
}

/// `WARN  order 8123 is slow  ms=3000`.
fn compose(fields: &Fields, base: Style, theme: &Theme) -> Dressed {
    let dim = base.patch(theme.style(Role::TextDim));
    let mut dressed = Dressed { looks: vec![(0, base)], ..Dressed::default() };
    if let Some(level) = fields.level {
        dressed.text.push_str(&format!("{:<5} ", level.word().to_uppercase()));
    }
    dressed.text.push_str(fields.message.as_deref().unwrap_or_default());
    for (key, value) in &fields.rest {
        if dressed.text.len() > LOOK {
            break;
        }
        if !dressed.text.is_empty() && !dressed.text.ends_with(' ') {
            dressed.text.push_str("  ");
        }
        dressed.look(dim);
        dressed.text.push_str(key);
        dressed.text.push('=');
        dressed.look(base);
        dressed.text.push_str(value);
    }
    dressed
}

/// The word that names the level, near the beginning.
fn level_word(text: &str, level: Level) -> Option<Range<usize>> {
    let mut end = text.len().min(NEAR);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut start = 0;
    for word in text[..end].split(|c: char| !c.is_ascii_alphabetic()) {
        let range = start..start + word.len();
        if word.len() > 2 && Level::parse(word) == Some(level) {
            return Some(range);
        }
        // What it was split at may be a character of several bytes.
        start = range.end + text[range.end..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

impl Dressed {
    /// From here on, what is appended looks so.
    fn look(&mut self, style: Style) {
        self.looks.push((self.text.len(), style));
    }

    /// Changes the look of a range.
    fn mark(&mut self, range: Range<usize>, change: impl Fn(Style) -> Style) {
        if range.is_empty() {
            return;
        }
        let at =
            |looks: &[(usize, Style)], byte: usize| looks.iter().rev().find(|(start, _)| *start <= byte).map_or(Style::default(), |l| l.1);
        let (first, after) = (at(&self.looks, range.start), at(&self.looks, range.end));
        let inside: Vec<_> = self.looks.iter().copied().filter(|(start, _)| range.start < *start && *start < range.end).collect();
        self.looks.retain(|(start, _)| *start < range.start || range.end < *start);
        let place = self.looks.partition_point(|(start, _)| *start < range.start);
        let marked = std::iter::once((range.start, first)).chain(inside).map(|(start, style)| (start, change(style)));
        let marked: Vec<_> = marked.chain([(range.end, after)]).collect();
        drop(self.looks.splice(place..place, marked));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        logs::{LogStream, RawText, SourceId, Stamp},
        ui::fixture::Scene,
    };

    fn line(text: &str, level: Option<Level>) -> LogLine {
        let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
        LogLine { at: Stamp(0), source: SourceId(0), stream: LogStream::Out, level, late: false, cut: false, text }
    }

    fn marked(dressed: &Dressed, style: Style) -> Vec<&str> {
        dressed.pieces(0..dressed.text.len()).filter(|(_, look)| look.fg == style.fg).map(|(piece, _)| piece).collect()
    }

    #[test]
    fn colours_levels_and_matches() {
        let scene = Scene::drawn();
        let view = scene.view();
        let mut shelf = Shelf::new(1000);
        let bad = scene.theme.style(Role::StateBad);
        let dressed = dress(&line("a \u{1b}[32mgreen\u{1b}[0m ERROR b", Some(Level::Error)), &shelf, &view, true);
        assert_eq!((dressed.text.as_str(), marked(&dressed, bad)), ("a green ERROR b", vec!["ERROR"]));
        assert!(dressed.pieces(0..20).any(|(piece, style)| piece == "green" && style.fg == Some(ratatui::style::Color::Indexed(2))));
        shelf.seek("e+n? E").unwrap();
        let dressed = dress(&line("a green ERROR b", Some(Level::Error)), &shelf, &view, true);
        assert_eq!(marked(&dressed, scene.theme.style(Role::MatchText)), ["een ", "E"]);
        assert_eq!(marked(&dressed, bad), ["RROR"]);
        assert_eq!(dressed.pieces(3..9).map(|(piece, _)| piece).collect::<String>(), "reen E");
    }

    #[test]
    fn structured_lines_read_like_lines() {
        let scene = Scene::drawn();
        let shelf = Shelf::new(1000);
        let json = line(r#"{"level":"warn","msg":"slow","ms":3000,"who":"a b"}"#, Some(Level::Warn));
        assert_eq!(dress(&json, &shelf, &scene.view(), true).text, "WARN  slow  ms=3000  who=a b");
        assert_eq!(dress(&json, &shelf, &scene.view(), false).text, r#"{"level":"warn","msg":"slow","ms":3000,"who":"a b"}"#);
        assert_eq!(dress(&line("{broken", None), &shelf, &scene.view(), true).text, "{broken");
    }

    #[test]
    fn a_line_of_a_megabyte_is_folded() {
        let scene = Scene::drawn();
        let mut dressed = dress(&line(&"é".repeat(1 << 19), None), &Shelf::new(1000), &scene.view(), true);
        assert!(dressed.text.len() < LOOK + 30 && dressed.text.ends_with("é … 0.98 MB more"), "{}", dressed.text.len());
        assert_eq!(dressed.rows(100)[..3], [0, 200, 400]);
        assert_eq!(dressed.scrolled(3), (6, 0));
    }

    #[test]
    fn rows_and_scrolling_count_cells() {
        let scene = Scene::drawn();
        let mut dressed = dress(&line("日本語ab", None), &Shelf::new(1000), &scene.view(), true);
        assert_eq!(dressed.rows(3), [0, 3, 6, 10]);
        assert_eq!(dressed.rows(4), [0, 6]);
        assert_eq!((dressed.scrolled(1), dressed.scrolled(2), dressed.scrolled(99)), ((3, 1), (3, 0), (11, 0)));
        assert_eq!(dress(&line("", None), &Shelf::new(9), &scene.view(), true).rows(5), [0]);
    }
}
