//! Every container of every host in one table. Owns what is listed and in which order, which columns are shown, cursor and folds.

mod column;
mod detail;
mod list;
mod table;

use ratatui::{buffer::Buffer, layout::Rect};

use self::{
    column::Field,
    list::{GroupBy, Line, List},
    table::Painted,
};
use crate::{
    action::{Action, Context},
    fleet::ContainerKey,
    stats::Wanted,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Cursor, Pen},
    },
};

/// From this width on the detail pane stands beside the table.
const WIDE: u16 = 120;
/// So many cells at least are left to the table beside it: the columns that tell containers apart.
const TABLE: u16 = 81;
/// From this height on it stands below, where the screen is not that wide.
const TALL: u16 = 18;

/// The panel's own state.
pub struct Containers {
    list: List,
    cursor: Cursor<Line>,
    /// The shown columns, in their order.
    shown: Vec<Field>,
    painted: Painted,
}

impl Default for Containers {
    fn default() -> Self {
        Self { list: List::default(), cursor: Cursor::default(), shown: Field::SHOWN.to_vec(), painted: Painted::default() }
    }
}

impl Containers {
    /// Sorts anew; by the same column as before it only brings what has moved to its place.
    fn sort(&mut self, field: Field, reversed: bool, view: &View<'_>) -> Outcome {
        (self.list.sort, self.list.reversed) = (field, reversed);
        self.arrange(view);
        Outcome::Done
    }

    fn arrange(&mut self, view: &View<'_>) {
        self.list.arrange(view);
        self.cursor.settle(self.list.lines());
    }

    /// The next shown column to sort by.
    fn next_sort(&self) -> Field {
        let at = self.shown.iter().position(|field| *field == self.list.sort).map_or(0, |at| at + 1);
        self.shown.get(at).or(self.shown.first()).copied().unwrap_or(Field::State)
    }

    /// Folds the group that the cursor is in, and puts the cursor on its heading.
    fn fold(&mut self, view: &View<'_>) -> Outcome {
        let group = match self.cursor.held() {
            Some(Line::Group(group)) => group.clone(),
            Some(Line::Row(key)) if self.list.by() != GroupBy::Nothing => match self.list.group_of(key) {
                Some(group) => group.clone(),
                None => return Outcome::Ignored,
            },
            Some(Line::Row(_)) => {
                let key = view.keymap.reverse(Action::ContainersGroup, &[Context::Containers, Context::Global]);
                return Outcome::Say(
                    key.map_or_else(|| "nothing is grouped".to_owned(), |key| format!("nothing is grouped: {key} groups")),
                );
            }
            None => return Outcome::Ignored,
        };
        self.list.fold(&group, view);
        let heading = Line::Group(group);
        self.cursor.seek(self.list.lines(), &heading);
        self.cursor.settle(self.list.lines());
        Outcome::Done
    }

    /// Shows processors and memory after the age, or neither.
    fn toggle_usage(&mut self) {
        const BOTH: [Field; 2] = [Field::Cpu, Field::Memory];
        if self.shows_usage() {
            self.shown.retain(|field| !BOTH.contains(field));
            return;
        }
        let at = self.shown.iter().position(|field| *field == Field::Up).map_or(self.shown.len(), |up| up + 1);
        self.shown.splice(at..at, BOTH);
    }

    fn shows_usage(&self) -> bool {
        self.shown.iter().any(|field| matches!(field, Field::Cpu | Field::Memory))
    }

    fn open(&mut self, view: &View<'_>) -> Outcome {
        match self.cursor.held() {
            Some(Line::Row(key)) => Outcome::Inspect(key.clone()),
            Some(Line::Group(_)) => self.fold(view),
            None => Outcome::Ignored,
        }
    }
}

impl Panel for Containers {
    fn id(&self) -> PanelId {
        PanelId::Containers
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let (all, _) = view.fleet.counts();
        let count = if self.list.len() == all { all.to_string() } else { format!("{} of {all}", self.list.len()) };
        let dot = view.theme.symbol(Symbol::Dot);
        let by = self.list.by().word().map_or(String::new(), |word| format!(" {dot} by {word}"));
        format!("{count}{by}")
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        match refresh {
            Refresh::All => self.list.reselect(view),
            Refresh::Changed(change) => self.list.update(change, view),
        }
        self.cursor.settle(self.list.lines());
    }

    fn enter(&mut self, view: &View<'_>) {
        self.arrange(view);
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        match self.cursor.held() {
            Some(Line::Row(key)) => Selection::Container(key.clone()),
            Some(Line::Group(_)) => Selection::Group,
            None => Selection::Nothing,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        let lines = self.list.lines();
        if let Some(by) = action.list_step(self.painted.rows) {
            self.cursor.step(lines, by);
            return Outcome::Done;
        }
        match action {
            Action::RowMark => {
                let Some(Line::Row(key)) = self.cursor.held().cloned() else { return Outcome::Ignored };
                self.cursor.step(lines, 1);
                return Outcome::Mark(vec![key]);
            }
            Action::SelectionOpen => return self.open(view),
            Action::GroupFold => return self.fold(view),
            Action::ContainersGroup => {
                self.list.group_by(self.list.by().next(), view);
                self.cursor.settle(self.list.lines());
            }
            Action::ContainersSort => return self.sort(self.next_sort(), false, view),
            Action::ContainersReverseSort => return self.sort(self.list.sort, !self.list.reversed, view),
            Action::ContainersSortByName => return self.sort(Field::Name, false, view),
            Action::ContainersSortByHost => return self.sort(Field::Host, false, view),
            Action::ContainersSortByState => return self.sort(Field::State, false, view),
            Action::ContainersSortByAge => return self.sort(Field::Created, false, view),
            Action::UsageToggle => self.toggle_usage(),
            Action::ContainersChooseColumns => {
                let hidden = Field::ALL.into_iter().filter(|field| !self.shown.contains(field)).map(|field| (field.title(), false));
                return Outcome::ChooseColumns(self.shown.iter().map(|field| (field.title(), true)).chain(hidden).collect());
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn click(&mut self, x: u16, y: u16, view: &View<'_>) -> Outcome {
        if y == 0 {
            return match self.painted.column_at(x) {
                Some(field) => self.sort(field, self.list.sort == field && !self.list.reversed, view),
                None => Outcome::Ignored,
            };
        }
        let row = usize::from(y) - 1;
        if row >= self.painted.rows || x >= self.painted.width || self.cursor.offset() + row >= self.list.lines().len() {
            return Outcome::Ignored;
        }
        self.cursor.go(self.list.lines(), self.cursor.offset() + row);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let (table, pane) = split(area);
        self.render_table(buffer, table, view);
        if let Some(pane) = pane.filter(|_| !self.list.lines().is_empty()) {
            match self.cursor.held() {
                Some(Line::Row(key)) => detail::render(buffer, pane, key, view),
                Some(Line::Group(group)) => {
                    detail::render_group(buffer, pane, &table::group_title(group, view), self.list.group(group), view)
                }
                None => {}
            }
        }
        if pane.is_some() && table.width < area.width {
            let line = if view.theme.is_ascii() { "|" } else { "│" };
            for row in 0..area.height {
                Pen::new(buffer, Rect { x: table.right(), width: 1, ..area }, row).text(line, view.theme.style(Role::FrameRule));
            }
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionInspect,
            Action::SelectionLogs,
            Action::ActsOpenMenu,
            Action::ChangesShow,
            Action::FilterEdit,
            Action::ContainersSort,
            Action::ContainersGroup,
            Action::UsageToggle,
            Action::RowMark,
            Action::ContainersChooseColumns,
            Action::SelectionCopyName,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        self.painted.keys.clone()
    }

    /// The rows on screen, where they show what they use; all of them, where that is what they are sorted by.
    fn wanted(&self, view: &View<'_>) -> Wanted {
        if !self.shows_usage() {
            return Wanted::default();
        }
        let running = |key: &&ContainerKey| view.fleet.container(key).is_some_and(|container| container.is_running());
        let near = self.painted.keys.iter().filter(running).cloned().collect();
        let rest = match self.list.sort {
            Field::Cpu | Field::Memory => self.list.keys().filter(running).cloned().collect(),
            _ => Vec::new(),
        };
        Wanted { near, rest, ..Wanted::default() }
    }

    fn choose_columns(&mut self, shown: &[&str]) {
        let shown: Vec<Field> = shown.iter().filter_map(|title| Field::titled(title)).collect();
        // A table without columns is a blank screen.
        if !shown.is_empty() {
            self.shown = shown;
        }
    }
}

/// Where the table and the detail pane stand.
fn split(area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= WIDE {
        let pane = (area.width / 3).clamp(40, 68).min(area.width - TABLE);
        let table = Rect { width: area.width - pane, ..area };
        return (Rect { width: table.width - 1, ..table }, Some(Rect { x: table.right(), width: pane, ..area }));
    }
    if area.height >= TALL {
        let pane = (area.height / 3).clamp(7, 16);
        let table = Rect { height: area.height - pane, ..area };
        return (table, Some(Rect { y: table.bottom(), height: pane, ..area }));
    }
    (area, None)
}
