//! What the engines keep beside their containers: images, volumes or networks of all hosts in one table, with sizes and who uses them.
//! Read when a person looks, and again on a key; every row is as old as the title says.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

mod row;

use self::row::{Row, is_left};
use crate::{
    action::{Action, Command},
    fleet::{ContainerKey, HostId},
    stock::{Kind, Stock as Shelf, StockKey},
    text::{self, width},
    ui::{
        frame,
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column, Cursor, Pen, place},
    },
};

/// Cells before the first column.
const SIGNS: u16 = 3;
/// Lines below the table.
const FOOT: u16 = 3;

/// The panel's own state.
#[derive(Default)]
pub struct Stock {
    kind: Kind,
    rows: Vec<Row>,
    keys: Vec<StockKey>,
    /// As wide as the rows want them.
    columns: Vec<Column>,
    /// What a prune would take, on the hosts that the filter leaves, and its bytes.
    spare: Vec<StockKey>,
    spare_bytes: u64,
    cursor: Cursor<StockKey>,
    painted_rows: usize,
}

impl Stock {
    fn arrange(&mut self, view: &View<'_>) {
        let mut rows: Vec<Row> = told(view).flat_map(|(host, shelf)| row::rows(self.kind, host, shelf, view)).collect();
        rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.key.cmp(&b.key)));
        self.keys = rows.iter().map(|row| row.key.clone()).collect();
        self.columns = row::columns(self.kind, &rows);
        self.rows = rows;
        self.cursor.settle(&self.keys);
        (self.spare, self.spare_bytes) = (Vec::new(), 0);
        for (host, shelf) in told(view).filter(|(host, _)| is_left(host, view)) {
            for thing in shelf.spares() {
                self.spare_bytes += thing.bytes.unwrap_or(0);
                self.spare.push(StockKey { host: host.clone(), kind: thing.kind, id: thing.id });
            }
        }
    }

    /// Hosts whose answer is out, or why there is none: one sentence, the first that matters.
    fn missing(view: &View<'_>) -> Option<String> {
        let mut failed = view.stocks.iter().filter_map(|(host, reading)| reading.result.as_ref().err().map(|why| (host, why)));
        let (host, why) = failed.next()?;
        let more = failed.count();
        let others = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        Some(format!("{host}: {why}{others}"))
    }
}

fn told<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v HostId, &'v Shelf)> {
    view.stocks.iter().filter_map(|(host, reading)| reading.result.as_ref().ok().map(|shelf| (host, &**shelf)))
}

impl Panel for Stock {
    fn id(&self) -> PanelId {
        PanelId::Stock
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let dot = view.theme.symbol(Symbol::Dot);
        let oldest = view.stocks.values().map(|reading| reading.at).min();
        let age = oldest.map_or_else(|| "being counted".to_owned(), |at| format!("as of {} ago", view.calm_age(at)));
        let size: u64 = match self.kind {
            Kind::Image => told(view).map(|(_, shelf)| shelf.layers).sum(),
            Kind::Volume => self.rows.iter().filter_map(|row| row.size).sum(),
            Kind::Network => 0,
        };
        let total = if size > 0 { format!(" {dot} {}", text::bytes(size)) } else { String::new() };
        format!("{} {dot} {}{total} {dot} {age}", self.kind.noun(), self.rows.len())
    }

    fn refresh(&mut self, _: Refresh<'_>, view: &View<'_>) {
        self.arrange(view);
    }

    fn keeps_up(&self) -> bool {
        false
    }

    fn enter(&mut self, view: &View<'_>) {
        self.arrange(view);
    }

    fn asks(&self, view: &View<'_>) -> Option<Command> {
        view.stocks.is_empty().then_some(Command::ReadStock)
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        self.cursor.held().map_or(Selection::Nothing, |key| Selection::Host(key.host.clone()))
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        if let Some(by) = action.list_step(self.painted_rows) {
            self.cursor.step(&self.keys, by);
            return Outcome::Done;
        }
        match action {
            Action::StockTurn => {
                self.kind = self.kind.next();
                self.cursor = Cursor::default();
                self.arrange(view);
            }
            Action::StockReload => return Outcome::Ask(Command::ReadStock),
            Action::StockRemove => {
                let Some(key) = self.cursor.held() else { return Outcome::Ignored };
                return Outcome::Discard(vec![key.clone()]);
            }
            Action::StockPrune if self.spare.is_empty() => return Outcome::Say("nothing lies about unused".to_owned()),
            Action::StockPrune => return Outcome::Discard(self.spare.clone()),
            Action::SelectionOpen => {
                let Some(row) = self.rows.get(self.cursor.index()) else { return Outcome::Ignored };
                let Some(name) = row.users.first() else { return Outcome::Say("no container uses it".to_owned()) };
                let filter = format!("host:{} name:{name}", row.key.host);
                return Outcome::Go { panel: PanelId::Containers, filter: Some(filter) };
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn click(&mut self, _: u16, y: u16, _: &View<'_>) -> Outcome {
        let Some(row) = usize::from(y).checked_sub(1).filter(|row| *row < self.painted_rows) else { return Outcome::Ignored };
        if self.cursor.offset() + row >= self.rows.len() {
            return Outcome::Ignored;
        }
        self.cursor.go(&self.keys, self.cursor.offset() + row);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let foot = if area.height > FOOT + 3 { FOOT } else { 0 };
        let table = Rect { height: area.height - foot, ..area };
        self.render_table(buffer, table, view);
        if foot > 0 {
            self.render_foot(buffer, Rect { y: table.bottom(), height: foot, ..area }, view);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::StockTurn,
            Action::SelectionOpen,
            Action::StockReload,
            Action::StockRemove,
            Action::StockPrune,
            Action::FilterEdit,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }
}

impl Stock {
    fn render_table(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.painted_rows = usize::from(area.height.saturating_sub(1));
        if self.rows.is_empty() {
            let words = match view.stocks.is_empty() {
                true => "the engines are counting …".to_owned(),
                false => format!("no {} here", self.kind.noun()),
            };
            Pen::new(buffer, area, 2).skip(1).text(&words, view.theme.style(Role::TextDim));
            return;
        }
        let visible = self.cursor.reveal(self.rows.len(), self.painted_rows);
        let placed = place(&self.columns, area.width.saturating_sub(SIGNS + 1));
        for at in &placed {
            let (column, cells) = (&self.columns[at.index], usize::from(at.width));
            let air = if column.align == Align::Right { cells.saturating_sub(column.title.len()) } else { 0 };
            let x = area.x + SIGNS + at.x + u16::try_from(air).unwrap_or(0);
            Pen::new(buffer, area, 0).to(x).text(&view.theme.fit(column.title, cells), view.theme.style(Role::TableHeader));
        }
        for (line, index) in (1..).zip(visible) {
            let row = &self.rows[index];
            let ground = if index == self.cursor.index() { view.theme.style(Role::TableCursor) } else { Style::default() };
            if index == self.cursor.index() {
                Pen::new(buffer, area, line).fill(" ", ground);
            }
            let stale = view.is_stale(&row.key.host);
            let role = if stale || row.spare { Role::TextDim } else { Role::Text };
            if stale {
                Pen::new(buffer, area, line).skip(1).text(view.theme.symbol(Symbol::Stale), ground.patch(view.theme.style(Role::TextDim)));
            }
            for at in &placed {
                let shown = view.theme.fit(&row.texts[at.index], usize::from(at.width));
                let air = match self.columns[at.index].align {
                    Align::Left => 0,
                    Align::Right => at.width.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
                };
                let style = ground.patch(view.theme.style(role));
                Pen::new(buffer, area, line).to(area.x + SIGNS + at.x + air).text(&shown, style);
            }
        }
    }

    fn render_foot(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let title = self.rows.get(self.cursor.index()).map_or(String::new(), |row| format!(" {} on {} ", row.name, row.key.host));
        frame::rule(buffer, area, 0, &title, "", view);
        let dot = view.theme.symbol(Symbol::Dot);
        let words = match self.spare.len() {
            0 => "nothing lies about unused".to_owned(),
            count => format!(
                "unnamed and unused: {} {dot} {} come back with a prune",
                text::counted(count, "thing"),
                text::bytes(self.spare_bytes)
            ),
        };
        let users = self.rows.get(self.cursor.index()).map_or(String::new(), |row| match row.users.as_slice() {
            [] => "no container uses it".to_owned(),
            users => format!("used by {}", users.join(" ")),
        });
        Pen::new(buffer, area, 1).skip(1).text(&users, view.theme.style(Role::Text));
        match Self::missing(view) {
            Some(why) => Pen::new(buffer, area, 2).skip(1).text(&why, view.theme.style(Role::StateAttention)),
            None => Pen::new(buffer, area, 2).skip(1).text(&words, view.theme.style(Role::TextDim)),
        };
    }
}

#[cfg(test)]
mod tests;
