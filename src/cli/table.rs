//! Aligned columns for people. Pure: the width is an argument.
//!
//! On a terminal a table never wraps: it first leaves out what matters least, then cuts the widest texts with `…`. Without a width
//! (pipes, files) everything stands there whole.

use crate::text::{fit, fit_left, width};

/// The space between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    title: String,
    right: bool,
    keep_end: bool,
    least: usize,
    rank: u8,
}

impl Column {
    /// A column of text that always stands and may be cut down to 8 cells.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), right: false, keep_end: false, least: 8, rank: 0 }
    }

    /// Figures: to the right, never cut.
    pub fn right(self) -> Self {
        Self { right: true, least: usize::MAX, ..self }
    }

    /// Cut down to so many cells at most.
    pub fn least(self, cells: usize) -> Self {
        Self { least: cells, ..self }
    }

    /// Never cut.
    pub fn whole(self) -> Self {
        Self { least: usize::MAX, ..self }
    }

    /// What is cut is the beginning: the end tells image names apart.
    pub fn keep_end(self) -> Self {
        Self { keep_end: true, ..self }
    }

    /// Left out where the space lacks; the highest rank first.
    pub fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// A table; every row has a text for every column. Texts must be [clean](crate::text::clean).
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a text for every column");
        self.rows.push(row);
    }

    /// The table as lines, with its titles; at most `cells` wide where a width is given.
    pub fn render(&self, cells: Option<usize>) -> String {
        let natural: Vec<usize> = (0..self.columns.len()).map(|index| self.natural(index)).collect();
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let mut widths = natural.clone();
        if let Some(cells) = cells {
            self.leave_out(&mut shown, &natural, cells);
            self.shrink(&shown, &mut widths, cells);
        }
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.clone()).collect();
        let mut out = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let line = self.line(row, &shown, &widths);
            let line = line.trim_end();
            out.push_str(&cells.map_or_else(|| line.into(), |cells| fit(line, cells)));
            out.push('\n');
        }
        out
    }

    fn natural(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|text| width(text));
        cells.fold(width(&self.columns[index].title), usize::max)
    }

    fn leave_out(&self, shown: &mut Vec<usize>, natural: &[usize], cells: usize) {
        let least = |index: &usize| natural[*index].min(self.columns[*index].least.max(width(&self.columns[*index].title)));
        while shown.iter().map(least).sum::<usize>() + GAP * shown.len().saturating_sub(1) > cells {
            let dispensable = shown.iter().enumerate().filter(|(_, index)| self.columns[**index].rank > 0);
            let Some((place, _)) = dispensable.max_by_key(|(_, index)| self.columns[**index].rank) else { return };
            shown.remove(place);
        }
    }

    /// Takes cells from the widest texts until all fit.
    fn shrink(&self, shown: &[usize], widths: &mut [usize], cells: usize) {
        let gaps = GAP * shown.len().saturating_sub(1);
        let mut over = (shown.iter().map(|index| widths[*index]).sum::<usize>() + gaps).saturating_sub(cells);
        while over > 0 {
            let least = |index: usize| self.columns[index].least.max(width(&self.columns[index].title));
            let widest = shown.iter().copied().filter(|index| widths[*index] > least(*index)).max_by_key(|index| widths[*index]);
            let Some(widest) = widest else { return };
            widths[widest] -= 1;
            over -= 1;
        }
    }

    fn line(&self, row: &[String], shown: &[usize], widths: &[usize]) -> String {
        let mut out = String::new();
        for (place, index) in shown.iter().enumerate() {
            let (column, text, cells) = (&self.columns[*index], row.get(*index).map_or("", String::as_str), widths[*index]);
            let text = if column.keep_end { fit_left(text, cells) } else { fit(text, cells) };
            let pad = " ".repeat(cells.saturating_sub(width(&text)));
            if place > 0 {
                out.push_str(&" ".repeat(GAP));
            }
            if column.right {
                out.push_str(&pad);
                out.push_str(&text);
            } else {
                out.push_str(&text);
                out.push_str(&pad);
            }
        }
        out
    }
}

/// What stands where there is nothing.
pub const NOTHING: &str = "–";

/// A text or [`NOTHING`].
pub fn or_nothing(text: Option<impl ToString>) -> String {
    text.map_or_else(|| NOTHING.to_owned(), |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::new("HOST"),
            Column::new("IMAGE").keep_end().rank(1),
            Column::new("N").right(),
            Column::new("NOTE").rank(2),
        ]);
        table.push(["app-01", "registry.internal/shop/web", "3", "日本語"].map(str::to_owned).to_vec());
        table.push(["test", "nginx", "12", ""].map(str::to_owned).to_vec());
        table
    }

    #[test]
    fn whole_in_a_pipe() {
        assert_eq!(
            table().render(None),
            "HOST    IMAGE                        N  NOTE\n\
             app-01  registry.internal/shop/web   3  日本語\n\
             test    nginx                       12\n"
        );
    }

    #[test]
    fn cut_then_left_out_on_a_terminal() {
        assert_eq!(table().render(Some(30)), "HOST    IMAGE        N  NOTE\napp-01  …/shop/web   3  日本語\ntest    nginx       12\n");
        assert_eq!(table().render(Some(20)), "HOST    IMAGE      N\napp-01  …hop/web   3\ntest    nginx     12\n");
        assert_eq!(table().render(Some(11)), "HOST     N\napp-01   3\ntest    12\n");
        for cells in 1..60 {
            assert!(table().render(Some(cells)).lines().all(|line| width(line) <= cells), "{cells}");
        }
    }
}
