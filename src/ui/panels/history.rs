//! What was deployed and what came of it, which releases there are, and what ran where at a moment. Owns the list's cursor, its filter and
//! the moment; the rows are the board's.

mod detail;
mod row;
mod runs;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Local, Utc};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use self::row::{Key, Row};
use super::facts;
use crate::{
    action::{Action, Context},
    board::{
        Watch,
        past::{Filter, PAGE, Wish},
    },
    delivery::release::DeploymentId,
    fleet::ContainerKey,
    text::{count, counted, width},
    ui::{
        frame,
        layers::{PastChoice, PastLayer},
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Cursor, Pen, place},
    },
};

/// Cells before the first column: the outcome's sign with air on both sides.
const SIGNS: u16 = 3;

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    Deployments,
    Releases,
    Moment(DateTime<Utc>),
}

/// The panel.
#[derive(Debug)]
pub struct History {
    list: List,
    /// The moment that was asked for last: turning comes by it again.
    moment: Option<DateTime<Utc>>,
    filter: Filter,
    limit: u32,
    rows: Vec<Row>,
    keys: Vec<Key>,
    /// Whether what is listed is what was asked for, and not what was told before.
    is_told: bool,
    /// Whether there are older ones to ask for.
    more: bool,
    cursor: Cursor<Key>,
    painted_rows: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            list: List::default(),
            moment: None,
            filter: Filter::default(),
            limit: PAGE,
            rows: Vec::new(),
            keys: Vec::new(),
            is_told: false,
            more: false,
            cursor: Cursor::default(),
            painted_rows: 0,
        }
    }
}

impl History {
    /// Takes the board's rows, as far as they are what is asked for.
    fn arrange(&mut self, view: &View<'_>) {
        let past = &view.board.past;
        let told = match self.list {
            List::Deployments => {
                let listed = past.deployments.as_ref().filter(|listed| listed.filter == self.filter);
                self.more = listed.is_some_and(|listed| listed.more);
                listed.map(|listed| listed.rows.iter().map(|one| row::of_deployment(one, view)).collect())
            }
            List::Releases => {
                let listed = past.releases.as_ref().filter(|listed| listed.filter == self.filter);
                listed.map(|listed| listed.rows.iter().map(|one| row::of_release(one, view)).collect())
            }
            List::Moment(at) => {
                let listed = past.moment.as_ref().filter(|listed| listed.filter == self.filter && listed.rows.at == at);
                listed.map(|listed| listed.rows.stands.iter().map(|one| row::of_stand(one, view)).collect())
            }
        };
        self.is_told = told.is_some();
        self.rows = told.unwrap_or_default();
        self.keys = self.rows.iter().map(|row| row.key.clone()).collect();
        self.cursor.settle(&self.keys);
    }

    fn show(&mut self, list: List, view: &View<'_>) -> Outcome {
        self.list = list;
        self.cursor = Cursor::default();
        self.arrange(view);
        Outcome::Done
    }

    fn narrow(&mut self, filter: Filter, view: &View<'_>) {
        (self.filter, self.limit) = (filter, PAGE);
        self.cursor = Cursor::default();
        self.arrange(view);
    }

    fn current(&self) -> Option<&Row> {
        self.rows.get(self.cursor.index())
    }

    /// The deployment that the row is or tells of.
    fn deployment(&self) -> Option<&DeploymentId> {
        self.current().and_then(|row| row.deployment.as_ref())
    }

    /// Near the end of what is there, more of it is asked for.
    fn reach(&mut self) {
        if self.more && self.cursor.index() + 1 >= self.rows.len() {
            self.limit = self.limit.saturating_add(PAGE);
            self.more = false;
        }
    }
}

impl Panel for History {
    fn id(&self) -> PanelId {
        PanelId::History
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let dot = view.theme.symbol(Symbol::Dot);
        let more = if self.more { "+" } else { "" };
        let rows = if self.is_told { format!(" {dot} {}{more}", count(self.rows.len() as u64)) } else { String::new() };
        match self.list {
            List::Deployments => format!("deployments{rows}"),
            List::Releases => format!("releases{rows}"),
            List::Moment(at) => {
                let differ = self.rows.iter().filter(|row| row.sign.is_some()).count();
                let differ = match differ {
                    0 => String::new(),
                    1 => format!(" {dot} 1 differs now"),
                    more => format!(" {dot} {more} differ now"),
                };
                format!("what ran on {} {dot} {}{differ}", long(at), counted(self.rows.len(), "place"))
            }
        }
    }

    fn aside(&self, view: &View<'_>) -> Option<String> {
        let stale = match view.board.past.fault.is_some() && !self.rows.is_empty() {
            true => format!(" {} as it was: the ledger cannot be read ", view.theme.symbol(Symbol::Stale)),
            false => String::new(),
        };
        Some(match self.filter.text() {
            "" => stale,
            text => format!("{stale} filter {text} "),
        })
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        // What runs now stands beside what ran then; all else is told by the board.
        if matches!((refresh, self.list), (Refresh::All, _) | (_, List::Moment(_))) {
            self.arrange(view);
        }
    }

    fn keeps_up(&self) -> bool {
        false
    }

    fn enter(&mut self, view: &View<'_>) {
        self.arrange(view);
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        self.deployment().map_or(Selection::Nothing, |id| Selection::Deployment(id.clone()))
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        if let Some(by) = action.list_step(self.painted_rows) {
            self.cursor.step(&self.keys, by);
            self.reach();
            return Outcome::Done;
        }
        match action {
            Action::SelectionOpen => match self.deployment() {
                Some(id) => Outcome::Past(PastLayer::Account(id.clone())),
                None if self.rows.is_empty() => Outcome::Done,
                None => Outcome::Say("no deployment of it is known".to_owned()),
            },
            Action::HistoryTurn => match (self.list, self.moment) {
                (List::Deployments, _) => self.show(List::Releases, view),
                (List::Releases, Some(at)) => self.show(List::Moment(at), view),
                (List::Releases, None) | (List::Moment(_), _) => self.show(List::Deployments, view),
            },
            Action::HistoryPickTime => Outcome::Past(PastLayer::Moment),
            Action::FilterEdit => Outcome::Past(PastLayer::Filter(self.filter.text().to_owned())),
            Action::FilterClear => {
                self.narrow(Filter::default(), view);
                Outcome::Done
            }
            Action::LayerClose if matches!(self.list, List::Moment(_)) => self.show(List::Deployments, view),
            Action::LayerClose if !self.filter.is_empty() => {
                self.narrow(Filter::default(), view);
                Outcome::Done
            }
            _ => Outcome::Ignored,
        }
    }

    fn click(&mut self, _: u16, y: u16, _: &View<'_>) -> Outcome {
        let Some(row) = usize::from(y).checked_sub(1).filter(|row| *row < self.painted_rows) else { return Outcome::Ignored };
        if self.cursor.offset() + row >= self.keys.len() {
            return Outcome::Ignored;
        }
        self.cursor.go(&self.keys, self.cursor.offset() + row);
        self.reach();
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let pane = if area.height >= 12 { (area.height / 2).clamp(6, 18) } else { 0 };
        let table = Rect { height: area.height - pane, ..area };
        self.render_table(buffer, table, view);
        let below = Rect { y: table.bottom(), height: pane, ..area };
        if let Some(row) = self.current().filter(|_| pane > 0) {
            let (title, told) = detail::of(row, view);
            frame::rule(buffer, below, 0, &format!(" {title} "), "", view);
            facts::render(buffer, below, 1, &told, view);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionOpen,
            Action::HistoryTurn,
            Action::HistoryPickTime,
            Action::FilterEdit,
            Action::ChangesShow,
            Action::DeliveryRollBack,
            Action::SelectionCopyName,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }

    fn watches(&self, _: &View<'_>) -> Watch {
        let filter = self.filter.clone();
        Watch::Past(match self.list {
            List::Deployments => Wish::Deployments { filter, limit: self.limit, open: self.deployment().cloned() },
            List::Releases => Wish::Releases { filter },
            List::Moment(at) => Wish::Moment { filter, at },
        })
    }

    fn choose_past(&mut self, choice: PastChoice, view: &View<'_>) {
        match choice {
            PastChoice::Filter(filter) => self.narrow(filter, view),
            PastChoice::Moment(at) => {
                self.moment = Some(at);
                self.show(List::Moment(at), view);
            }
        }
    }
}

impl History {
    fn render_table(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.painted_rows = usize::from(area.height.saturating_sub(1));
        let theme = view.theme;
        if self.rows.is_empty() {
            let (words, role) = self.empty(view);
            Pen::new(buffer, area, 2).skip(1).text(&words, theme.style(role));
            return;
        }
        let visible = self.cursor.reveal(self.rows.len(), self.painted_rows);
        let asked = row::columns(&self.list, &self.rows[visible.clone()]);
        let placed = place(&asked, area.width.saturating_sub(SIGNS + 1));
        for at in &placed {
            let (column, cells) = (&asked[at.index], usize::from(at.width));
            let air = if column.align == Align::Right { cells.saturating_sub(column.title.len()) } else { 0 };
            let x = area.x + SIGNS + at.x + u16::try_from(air).unwrap_or(0);
            Pen::new(buffer, area, 0).to(x).text(&theme.fit(column.title, cells), theme.style(Role::TableHeader));
        }
        for (line, index) in (1..).zip(visible) {
            let row = &self.rows[index];
            let ground = if index == self.cursor.index() { theme.style(Role::TableCursor) } else { Style::default() };
            if index == self.cursor.index() {
                Pen::new(buffer, area, line).fill(" ", ground);
            }
            if let Some((symbol, role)) = row.sign {
                Pen::new(buffer, area, line).skip(1).text(theme.symbol(symbol), ground.patch(theme.style(role)));
            }
            for at in &placed {
                let (text, role) = &row.cells[at.index];
                let shown = theme.fit(text, usize::from(at.width));
                let air = match asked[at.index].align {
                    Align::Left => 0,
                    Align::Right => at.width.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
                };
                Pen::new(buffer, area, line).to(area.x + SIGNS + at.x + air).text(&shown, ground.patch(theme.style(*role)));
            }
        }
    }

    /// Why there is no row, and what brings some.
    fn empty(&self, view: &View<'_>) -> (String, Role) {
        let past = &view.board.past;
        let key = |action| view.keymap.reverse(action, &[Context::History, Context::Global]).unwrap_or("esc");
        match (&past.fault, self.is_told, self.filter.is_empty()) {
            (Some(why), ..) => (why.clone(), Role::StateAttention),
            (None, false, _) if view.simulated => ("a simulated fleet has no ledger".to_owned(), Role::TextDim),
            (None, false, _) => ("reading the ledger …".to_owned(), Role::TextDim),
            (None, true, false) => {
                (format!("nothing matches {:?}: {} shows all", self.filter.text(), key(Action::FilterClear)), Role::TextDim)
            }
            (None, true, true) => (
                match self.list {
                    List::Deployments => {
                        format!("the ledger has no deployment yet: {} shows what can be deployed", key(Action::PanelDelivery))
                    }
                    List::Releases => "no release was recorded yet: the first deployment records one".to_owned(),
                    List::Moment(_) => "nothing was deployed before that moment".to_owned(),
                },
                Role::TextDim,
            ),
        }
    }
}

/// `21 Nov 2026 14:02:03`: a moment in full.
fn long(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%d %b %Y %H:%M:%S").to_string()
}
