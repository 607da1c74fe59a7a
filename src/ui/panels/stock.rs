//! What the engines keep beside their containers: images, volumes or networks of all hosts in one table, with sizes and who uses them.
//! Read when a person looks, and again on a key; every row is as old as the title says.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

mod row;

use self::row::{Kind, Row, RowKey};
use crate::{
    action::{Action, Command},
    fleet::{ContainerKey, HostId},
    stock::{Stock as Shelf, spares},
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
    keys: Vec<RowKey>,
    cursor: Cursor<RowKey>,
    painted_rows: usize,
}

impl Stock {
    fn arrange(&mut self, view: &View<'_>) {
        let mut rows: Vec<Row> = told(view).flat_map(|(host, shelf)| row::rows(self.kind, host, shelf, view)).collect();
        rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.key.cmp(&b.key)));
        self.keys = rows.iter().map(|row| row.key.clone()).collect();
        self.rows = rows;
        self.cursor.settle(&self.keys);
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
            Kind::Images => told(view).map(|(_, shelf)| shelf.layers).sum(),
            Kind::Volumes => self.rows.iter().filter_map(|row| row.size).sum(),
            Kind::Networks => 0,
        };
        let total = if size > 0 { format!(" {dot} {}", text::bytes(size)) } else { String::new() };
        format!("{} {dot} {}{total} {dot} {age}", self.kind.noun(), self.rows.len())
    }

    fn refresh(&mut self, _: Refresh<'_>, view: &View<'_>) {
        self.arrange(view);
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
        let page = isize::try_from(self.painted_rows.max(1)).unwrap_or(1);
        match action {
            Action::ListMoveDown => self.cursor.step(&self.keys, 1),
            Action::ListMoveUp => self.cursor.step(&self.keys, -1),
            Action::ListPageDown => self.cursor.step(&self.keys, page),
            Action::ListPageUp => self.cursor.step(&self.keys, -page),
            Action::ListMoveFirst => self.cursor.go(&self.keys, 0),
            Action::ListMoveLast => self.cursor.go(&self.keys, usize::MAX),
            Action::StockTurn => {
                self.kind = self.kind.next();
                self.cursor = Cursor::default();
                self.arrange(view);
            }
            Action::StockReload => return Outcome::Ask(Command::ReadStock),
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
        let titles = self.kind.titles();
        let columns: Vec<Column> = (0..titles.len())
            .map(|index| {
                let widest = self.rows.iter().map(|row| width(&row.texts[index])).max().unwrap_or(0).max(titles[index].text.len());
                let wanted = u16::try_from(widest).unwrap_or(u16::MAX);
                let title = &titles[index];
                Column { title: title.text, align: title.align, min: wanted.min(title.min), wanted, priority: title.priority }
            })
            .collect();
        let placed = place(&columns, area.width.saturating_sub(SIGNS + 1));
        for at in &placed {
            let (column, cells) = (&columns[at.index], usize::from(at.width));
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
                let air = match columns[at.index].align {
                    Align::Left => 0,
                    Align::Right => at.width.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
                };
                let style = ground.patch(view.theme.style(role));
                Pen::new(buffer, area, line).to(area.x + SIGNS + at.x + air).text(&shown, style);
            }
        }
    }

    fn render_foot(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let title = self.cursor.held().map_or(String::new(), |key| format!(" {} on {} ", key.name, key.host));
        frame::rule(buffer, area, 0, &title, "", view);
        let dot = view.theme.symbol(Symbol::Dot);
        let spare: Vec<_> = told(view).flat_map(|(_, shelf)| spares(shelf)).collect();
        let bytes: u64 = spare.iter().map(|spare| spare.bytes).sum();
        let words = if spare.is_empty() {
            "nothing lies about unused".to_owned()
        } else {
            format!(
                "unused and unnamed on all hosts: {} {dot} {} come back with a prune",
                text::counted(spare.len(), "thing"),
                text::bytes(bytes)
            )
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
