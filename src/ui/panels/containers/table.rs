//! The table on the screen. Only what is visible is formatted.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Containers,
    column::{Field, cpu_share, memory_share},
    list::{GroupKey, Line},
};
use crate::{
    fleet::{Container, ContainerKey, drift::Drift, trouble::Trouble},
    stats::Strain,
    text::{counted, width},
    ui::{
        panels::{
            empty,
            figures::strain_role,
            words::{trouble_sign, unknown},
        },
        theme::{Role, Symbol, Theme},
        view::View,
        widgets::{Align, Column, Pen, place},
    },
};

/// Cells before the first column: the mark, `~` for what is only the last known, the state's sign, and air.
const SIGNS: u16 = 4;

/// Where the last frame put things.
#[derive(Debug, Default)]
pub(super) struct Painted {
    /// Rows below the heading.
    pub rows: usize,
    /// Cells of the table.
    pub width: u16,
    /// The containers that are on screen.
    pub keys: Vec<ContainerKey>,
    columns: Vec<(Field, u16, u16)>,
}

impl Painted {
    /// The column at `x` cells from the table's left.
    pub fn column_at(&self, x: u16) -> Option<Field> {
        self.columns.iter().find(|(_, left, cells)| (*left..left + cells + 1).contains(&x)).map(|(field, ..)| *field)
    }
}

impl Containers {
    pub(super) fn render_table(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.painted.rows = usize::from(area.height.saturating_sub(1));
        self.painted.width = area.width;
        self.painted.keys.clear();
        self.place_columns(area.width);
        if self.list.lines().is_empty() {
            self.cursor.reveal(0, self.painted.rows);
            empty::render(buffer, area, "containers", view);
            return;
        }
        self.render_heading(buffer, area, view);
        let visible = self.cursor.reveal(self.list.lines().len(), self.painted.rows);
        for (row, index) in (1..).zip(visible) {
            let current = index == self.cursor.index();
            let ground = if current { view.theme.style(Role::TableCursor) } else { Style::default() };
            if current {
                Pen::new(buffer, area, row).fill(" ", ground);
            }
            match &self.list.lines()[index] {
                Line::Group(group) => self.render_group(buffer, area, row, group, ground, view),
                Line::Row(key) => {
                    if let Some(container) = view.fleet.container(key) {
                        self.render_row(buffer, area, row, container, ground, view);
                    }
                    self.painted.keys.push(key.clone());
                }
            }
        }
    }

    fn place_columns(&mut self, cells: u16) {
        let asked: Vec<Column> =
            self.shown.iter().map(|field| field.column(self.list.widths().of(*field), *field == self.list.sort)).collect();
        let placed = place(&asked, cells.saturating_sub(SIGNS + 1));
        self.painted.columns.clear();
        self.painted.columns.extend(placed.iter().map(|at| (self.shown[at.index], SIGNS + at.x, at.width)));
    }

    fn render_heading(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let sign = match (view.theme.is_ascii(), self.list.reversed) {
            (false, false) => " ▾",
            (false, true) => " ▴",
            (true, false) => " v",
            (true, true) => " ^",
        };
        for (field, x, cells) in &self.painted.columns {
            let sorted = *field == self.list.sort;
            let (title, role) =
                if sorted { (format!("{}{sign}", field.title()), Role::Accent) } else { (field.title().to_owned(), Role::TableHeader) };
            cell(buffer, area, 0, (*x, *cells), field.align(), &title, view.theme.style(role), view.theme);
        }
    }

    fn render_group(&self, buffer: &mut Buffer, area: Rect, row: u16, key: &GroupKey, ground: Style, view: &View<'_>) {
        let Some(group) = self.list.group(key) else { return };
        let fold = match (view.theme.is_ascii(), self.list.is_folded(key)) {
            (false, false) => "▾",
            (false, true) => "▸",
            (true, false) => "v",
            (true, true) => ">",
        };
        let style = |role: Role| ground.patch(view.theme.style(role));
        let mut pen = Pen::new(buffer, area, row);
        pen.text(fold, style(Role::TextDim)).skip(1).text(&group_title(key, view), style(Role::TableGroup));
        pen.skip(2).text(&counted(group.total, "container"), style(Role::TextDim));
        if let Some((symbol, role)) = trouble_sign(group.worst) {
            let text = format!("{} {}", group.troubled, group.worst);
            pen.skip(3).text(view.theme.symbol(symbol), style(role)).skip(1).text(&text, style(role));
        }
    }

    fn render_row(&self, buffer: &mut Buffer, area: Rect, row: u16, container: &Container, ground: Style, view: &View<'_>) {
        let stale = view.is_stale(&container.key.host);
        // What its link means is said by the `~` and the "as of"; its own state is the last known one.
        let own = Trouble::of_container(container, view.now);
        let marked = view.marks.contains(&container.key);
        let style = |role: Role| ground.patch(view.theme.style(if stale { Role::StateStale } else { role }));
        let mut pen = Pen::new(buffer, area, row);
        if marked {
            pen.text(view.theme.symbol(Symbol::Mark), ground.patch(view.theme.style(Role::TableMarked)));
        }
        if stale {
            pen.to(area.x + 1).text(view.theme.symbol(Symbol::Stale), ground.patch(view.theme.style(Role::StateAttention)));
        }
        let odd = drift(container, view).is_some();
        let busy = view.runs.is_busy(&container.key).then_some((Symbol::Progress, Role::StateProgress));
        let sign = busy.or(trouble_sign(own)).or(odd.then_some((Symbol::Odd, Role::StateAttention)));
        if let Some((symbol, role)) = sign {
            pen.to(area.x + 2).text(view.theme.symbol(symbol), style(role));
        }
        let quiet = if container.is_running() { Role::Text } else { Role::TextDim };
        for (field, x, cells) in &self.painted.columns {
            let role = match field {
                Field::Name if marked => Role::TableMarked,
                Field::Version if odd => Role::StateAttention,
                Field::Host | Field::Name | Field::Version => quiet,
                Field::State => trouble_sign(own).map_or(quiet, |(_, role)| role),
                Field::Restarts if container.restarts.is_some_and(|count| count > 0) => quiet,
                Field::Cpu => strain_role(Strain::Cpu, cpu_share(container, view), quiet),
                Field::Memory => strain_role(Strain::Memory, memory_share(container, view), quiet),
                Field::Service
                | Field::Up
                | Field::Restarts
                | Field::Ports
                | Field::Environment
                | Field::Image
                | Field::Created
                | Field::Id
                | Field::Digest => Role::TextDim,
            };
            let text = field.text(container, own, view);
            cell(buffer, area, row, (*x, *cells), field.align(), &text, style(role), view.theme);
        }
    }
}

/// The disagreement in which a container is the odd one out.
pub(super) fn drift<'v>(container: &Container, view: &View<'v>) -> Option<&'v Arc<Drift>> {
    view.matrix.row(&container.identity.service)?.drift.iter().find(|drift| drift.odd.contains(&container.key))
}

/// What a heading is called.
pub(super) fn group_title(key: &GroupKey, view: &View<'_>) -> String {
    match key {
        GroupKey::Whole => "all".to_owned(),
        GroupKey::Host(_, host) => host.to_string(),
        GroupKey::Service(_, service) => service.to_string(),
        GroupKey::Environment(_, _, Some(environment)) => environment.to_string(),
        GroupKey::Environment(_, _, None) => format!("{} no environment", unknown(view.theme)),
    }
}

#[allow(clippy::too_many_arguments, reason = "a cell is a place, a side, a text and a style")]
fn cell(buffer: &mut Buffer, area: Rect, row: u16, (x, cells): (u16, u16), align: Align, text: &str, style: Style, theme: &Theme) {
    let shown = theme.fit(text, usize::from(cells));
    let air = match align {
        Align::Left => 0,
        Align::Right => cells.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
    };
    Pen::new(buffer, area, row).to(area.x + x + air).text(&shown, style);
}
