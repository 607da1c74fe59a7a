//! The tree on the screen. Only what is visible is formatted.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Resources,
    tree::{Line, Node, SPARK, Sort},
};
use crate::{
    stats::Strain,
    text::width,
    ui::{
        panels::{
            empty,
            figures::{cores, flow, percent, short_bytes, sparkline, strain_role},
            words::unknown,
        },
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column, Pen, place},
    },
};

/// Cells before the names: `~` for what is not all known.
const SIGNS: u16 = 1;
/// What a full cell of a history means at least, in processors.
const LEAST: f64 = 0.05;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Cpu,
    CpuShare,
    Spark,
    Memory,
    MemoryShare,
    Net,
    Block,
    Pids,
    Restarts,
}

const FIELDS: [Field; 10] = [
    Field::Name,
    Field::Cpu,
    Field::CpuShare,
    Field::Spark,
    Field::Memory,
    Field::MemoryShare,
    Field::Net,
    Field::Block,
    Field::Pids,
    Field::Restarts,
];

impl Field {
    /// Heading, cells, how soon it gives way, and what it sorts by.
    const fn row(self) -> (&'static str, u16, u8, Option<Sort>) {
        match self {
            Self::Name => ("NAME", 18, 0, Some(Sort::Name)),
            Self::Cpu => ("CPU", 5, 1, Some(Sort::Cpu)),
            Self::CpuShare => ("CPU%", 4, 5, None),
            Self::Spark => ("", SPARK as u16, 4, None),
            Self::Memory => ("MEM", 5, 2, Some(Sort::Memory)),
            Self::MemoryShare => ("MEM%", 4, 3, None),
            Self::Net => ("NET/S", 5, 6, Some(Sort::Net)),
            Self::Block => ("IO/S", 5, 7, Some(Sort::Block)),
            Self::Pids => ("PIDS", 4, 8, Some(Sort::Pids)),
            Self::Restarts => ("RESTARTS", 8, 9, Some(Sort::Restarts)),
        }
    }

    fn align(self) -> Align {
        if matches!(self, Self::Name | Self::Spark) { Align::Left } else { Align::Right }
    }
}

/// Where the last frame put things.
#[derive(Debug, Default)]
pub(super) struct Painted {
    /// Rows below the heading.
    pub rows: usize,
    /// Cells of the table.
    pub width: u16,
    /// What is on screen, and how deep in the tree.
    pub nodes: Vec<(Node, u16)>,
    columns: Vec<(Field, u16, u16)>,
}

impl Painted {
    /// What the column at `x` cells from the table's left sorts by.
    pub fn sort_at(&self, x: u16) -> Option<Sort> {
        self.columns.iter().find(|(_, left, cells)| (*left..left + cells + 2).contains(&x)).and_then(|(field, ..)| field.row().3)
    }
}

impl Resources {
    pub(super) fn render_table(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.painted.rows = usize::from(area.height.saturating_sub(1));
        self.painted.width = area.width;
        self.painted.nodes.clear();
        if self.tree.lines().is_empty() {
            self.cursor.reveal(0, self.painted.rows);
            empty::render(buffer, area, "running containers", view);
            return;
        }
        let names = self.tree.lines().iter().map(|line| 2 * usize::from(line.depth) + 2 + width(&line.name)).max().unwrap_or(0);
        let columns: Vec<Column> = FIELDS.into_iter().map(|field| column(field, names, self.tree.sort)).collect();
        self.painted.columns.clear();
        for at in place(&columns, area.width.saturating_sub(SIGNS + 1)) {
            self.painted.columns.push((FIELDS[at.index], SIGNS + at.x, at.width));
        }
        self.render_heading(buffer, area, view);
        let visible = self.cursor.reveal(self.tree.lines().len(), self.painted.rows);
        for (row, index) in (1..).zip(visible) {
            let line = &self.tree.lines()[index];
            let ground = if index == self.cursor.index() { view.theme.style(Role::TableCursor) } else { Style::default() };
            if index == self.cursor.index() {
                Pen::new(buffer, area, row).fill(" ", ground);
            }
            self.render_line(buffer, area, row, line, ground, view);
            self.painted.nodes.push((line.node.clone(), line.depth));
        }
    }

    fn render_heading(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let sign = match (view.theme.is_ascii(), self.tree.reversed) {
            (false, false) => "▾",
            (false, true) => "▴",
            (true, false) => "v",
            (true, true) => "^",
        };
        for (field, x, cells) in &self.painted.columns {
            let (title, _, _, sort) = field.row();
            let sorted = sort == Some(self.tree.sort);
            let title = if sorted { format!("{title}{sign}") } else { title.to_owned() };
            let role = if sorted { Role::Accent } else { Role::TableHeader };
            put(buffer, area, 0, (*x, *cells), field.align(), &title, view.theme.style(role), view);
        }
    }

    fn render_line(&self, buffer: &mut Buffer, area: Rect, row: u16, line: &Line, ground: Style, view: &View<'_>) {
        let sum = &line.sum;
        let style = |role: Role| ground.patch(view.theme.style(role));
        if sum.is_partial() {
            Pen::new(buffer, area, row).text(view.theme.symbol(Symbol::Stale), style(Role::TextDim));
        }
        let group = matches!(line.node, Node::Environment(_) | Node::Host(_));
        for (field, x, cells) in &self.painted.columns {
            let role = match field {
                Field::Name if group => Role::TableGroup,
                Field::Name => Role::Text,
                Field::Cpu | Field::CpuShare => strain_role(Strain::Cpu, sum.cpu_share(), Role::Text),
                Field::Memory | Field::MemoryShare => strain_role(Strain::Memory, sum.memory_share(), Role::Text),
                Field::Spark | Field::Net | Field::Block | Field::Pids | Field::Restarts => Role::TextDim,
            };
            put(buffer, area, row, (*x, *cells), field.align(), &text(*field, line, view), style(role), view);
        }
    }
}

fn column(field: Field, names: usize, sort: Sort) -> Column {
    let (title, least, priority, sorts) = field.row();
    let heading = u16::try_from(title.len()).unwrap_or(u16::MAX) + u16::from(sorts == Some(sort));
    let wanted = match field {
        Field::Name => u16::try_from(names).unwrap_or(u16::MAX).clamp(least, 48),
        Field::Cpu
        | Field::CpuShare
        | Field::Spark
        | Field::Memory
        | Field::MemoryShare
        | Field::Net
        | Field::Block
        | Field::Pids
        | Field::Restarts => least,
    };
    // Names that cannot be told apart are none: other columns give way first.
    let least = if field == Field::Name { wanted.min(26) } else { least };
    Column { title, align: field.align(), min: least.max(heading), wanted: wanted.max(heading), priority }
}

/// What a column shows of a row, whole.
fn text<'l>(field: Field, line: &'l Line, view: &View<'_>) -> Cow<'l, str> {
    let sum = &line.sum;
    let or_none = |text: Option<String>| text.map_or(Cow::Borrowed(unknown(view.theme)), Cow::Owned);
    match field {
        Field::Name => {
            let fold = match (line.folded, view.theme.is_ascii()) {
                (None, _) => " ",
                (Some(false), false) => "▾",
                (Some(true), false) => "▸",
                (Some(false), true) => "v",
                (Some(true), true) => ">",
            };
            format!("{:indent$}{fold} {}", "", line.name, indent = 2 * usize::from(line.depth)).into()
        }
        Field::Cpu => or_none(sum.cpu.map(cores)),
        Field::CpuShare => or_none(sum.cpu_share().map(percent)),
        Field::Spark => sparkline(&line.spark, LEAST, view.theme).into(),
        Field::Memory => or_none(sum.memory.map(|memory| short_bytes(memory as f64))),
        Field::MemoryShare => or_none(sum.memory_share().map(percent)),
        Field::Net => or_none(flow(sum.network).map(short_bytes)),
        Field::Block => or_none(flow(sum.block).map(short_bytes)),
        Field::Pids => or_none(sum.pids.map(|pids| pids.to_string())),
        Field::Restarts => or_none(sum.restarts.map(|restarts| restarts.to_string())),
    }
}

#[allow(clippy::too_many_arguments, reason = "a cell is a place, a side, a text and a style")]
fn put(buffer: &mut Buffer, area: Rect, row: u16, (x, cells): (u16, u16), align: Align, text: &str, style: Style, view: &View<'_>) {
    let shown = view.theme.fit(text, usize::from(cells));
    let air = match align {
        Align::Left => 0,
        Align::Right => cells.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
    };
    Pen::new(buffer, area, row).to(area.x + x + air).text(&shown, style);
}
