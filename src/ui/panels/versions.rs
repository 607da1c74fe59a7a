//! Home: which version of which service runs where. Services down, environments (or hosts) across, trouble first.

use std::collections::HashMap;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use crate::{
    action::{Action, Context},
    fleet::{
        Container, ContainerKey, Host, ServiceKey,
        matrix::{Cell, CellVersion, Column, MatrixBy, MatrixRow},
        trouble::{Severity, Trouble},
    },
    stats::{Sum, Wanted},
    text::{counted, width},
    ui::{
        frame,
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        panels::{
            empty,
            figures::{cores, short_bytes},
            words::{as_of, ports_text, state_words, trouble_sign, unknown},
        },
        theme::{Role, Symbol},
        view::View,
        widgets::{Cursor, Pen},
    },
};

/// Cells of the app and service columns at most.
const NAME_WIDTH: u16 = 18;
/// Cells of one matrix column at least, so that a version can be told from another.
const CELL_MIN: u16 = 16;
/// Cells of the SINCE column, with the air before it.
const SINCE_WIDTH: u16 = 8;
/// Cells of the columns of processors and memory, with the air before them.
const USAGE_WIDTH: u16 = 14;
/// Cells before the first column: the sign of trouble, and air.
const MARGIN: u16 = 2;
/// Air between matrix columns.
const GAP: u16 = 2;
/// Rows of the detail pane: rule, findings and containers.
const DETAIL_ROWS: u16 = 7;

/// The panel's own state.
#[derive(Default)]
pub struct Versions {
    rows: Vec<ServiceKey>,
    cursor: Cursor<ServiceKey>,
    /// The column under the cursor; until it was moved, the one with the worst cell of the first row.
    column: usize,
    moved: bool,
    /// Whether processors and memory are shown.
    usage: bool,
    /// The first matrix column on screen.
    scroll: usize,
    /// Widths of app and service, grown to the longest name seen, so that nothing jumps.
    app_width: u16,
    service_width: u16,
    /// The widest cell of every matrix column, in its order, as far as all rows tell: scrolling does not move columns.
    widths: Vec<u16>,
    /// Where things were painted, for clicks.
    painted: Painted,
    detail: Vec<ContainerKey>,
}

/// Where the last frame put things.
#[derive(Default)]
struct Painted {
    body_top: u16,
    body_rows: u16,
    columns: Vec<(usize, u16, u16)>,
    services: Vec<ServiceKey>,
}

impl Versions {
    fn row<'v>(&self, view: &'v View<'_>) -> Option<&'v MatrixRow> {
        view.matrix.row(self.cursor.held()?)
    }

    fn move_to(&mut self, column: usize) {
        self.column = column;
        self.moved = true;
    }

    fn column<'v>(&self, view: &'v View<'_>) -> Option<&'v Column> {
        let columns = view.matrix.columns();
        columns.get(self.column.min(columns.len().saturating_sub(1)))
    }

    fn cell<'v>(&self, view: &'v View<'_>) -> Option<&'v Cell> {
        self.row(view)?.cells.get(self.column(view)?)
    }

    /// The containers of the cell under the cursor, the odd and troubled ones first.
    fn cell_containers<'v>(&self, view: &'v View<'_>) -> Vec<&'v Container> {
        let (Some(service), Some(column)) = (self.cursor.held(), self.column(view)) else { return Vec::new() };
        let odd = |container: &Container| {
            self.cell(view).and_then(|cell| cell.drift.as_ref()).is_some_and(|drift| drift.odd.contains(&container.key))
        };
        let mut found: Vec<&Container> = view
            .fleet
            .containers_of(service)
            .filter(|container| match column {
                Column::Environment(environment) => container.identity.environment == *environment,
                Column::Host(host) => container.key.host == *host,
            })
            .filter(|container| match (view.filter.selector(), view.fleet.host(&container.key.host)) {
                (Some(selector), Some(host)) => selector.matches(container, host),
                (Some(_), None) => false,
                (None, _) => true,
            })
            .collect();
        found.sort_by_cached_key(|container| {
            (
                std::cmp::Reverse(view.trouble(&container.key)),
                !odd(container),
                !container.is_running(),
                container.key.host.clone(),
                container.name.clone(),
            )
        });
        found
    }

    /// The selector text that names the cell under the cursor.
    fn cell_filter(&self, view: &View<'_>) -> Option<String> {
        let service = self.cursor.held()?;
        let mut terms = Vec::new();
        if let Some(app) = &service.app {
            terms.push(format!("app:{app}"));
        }
        terms.push(format!("service:{}", service.service));
        match self.column(view)? {
            Column::Environment(Some(environment)) => terms.push(format!("env:{environment}")),
            Column::Environment(None) => {}
            Column::Host(host) => terms.push(format!("host:{host}")),
        }
        Some(terms.join(" "))
    }
}

impl Panel for Versions {
    fn id(&self) -> PanelId {
        PanelId::Versions
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let by = match view.matrix.by() {
            MatrixBy::Environment => "by environment",
            MatrixBy::Host => "by host",
        };
        format!("{by} {} {}", view.theme.symbol(Symbol::Dot), counted(self.rows.len(), "service"))
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        let current: Vec<ServiceKey> = view.matrix.rows().iter().map(|row| row.service.clone()).collect();
        match refresh {
            Refresh::All => self.rows = current,
            // Rows keep their place while they are looked at, unless something turned bad: that goes to the top at once.
            Refresh::Changed(_) => {
                let same_set = current.len() == self.rows.len() && self.rows.iter().all(|row| view.matrix.row(row).is_some());
                let top_is_worst = self.rows.first().and_then(|row| view.matrix.row(row)).map(MatrixRow::severity)
                    >= view.matrix.rows().first().map(MatrixRow::severity);
                if !(same_set && top_is_worst) {
                    self.rows = current;
                }
            }
        }
        self.cursor.settle(&self.rows);
        (self.app_width, self.service_width) = (self.app_width.max(3), self.service_width.max(7));
        for row in &self.rows {
            let app = row.app.as_ref().map_or(1, |app| width(app.as_str()));
            self.app_width = self.app_width.max(cells(app)).clamp(3, NAME_WIDTH);
            self.service_width = self.service_width.max(cells(width(row.service.as_str()))).clamp(7, NAME_WIDTH);
        }
        self.widths = column_widths(view);
        if !self.moved {
            self.column = worst_column(self.rows.first().and_then(|service| view.matrix.row(service)), view);
        }
        self.column = self.column.min(view.matrix.columns().len().saturating_sub(1));
    }

    fn selection(&self, view: &View<'_>) -> Selection {
        match self.cursor.held() {
            Some(service) => Selection::Service { service: service.clone(), column: self.column(view).cloned() },
            None => Selection::Nothing,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        if let Some(by) = action.list_step(usize::from(self.painted.body_rows)) {
            self.cursor.step(&self.rows, by);
            return Outcome::Done;
        }
        match action {
            Action::ListMoveLeft => self.move_to(self.column.saturating_sub(1)),
            Action::ListMoveRight => self.move_to((self.column + 1).min(view.matrix.columns().len().saturating_sub(1))),
            Action::VersionsTurn => return Outcome::TurnMatrix,
            Action::UsageToggle => self.usage = !self.usage,
            Action::SelectionOpen => {
                return self
                    .cell_filter(view)
                    .map_or(Outcome::Ignored, |filter| Outcome::Go { panel: PanelId::Containers, filter: Some(filter) });
            }
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn click(&mut self, x: u16, y: u16, _: &View<'_>) -> Outcome {
        let Some(row) = y.checked_sub(self.painted.body_top).filter(|row| *row < self.painted.body_rows) else { return Outcome::Ignored };
        let index = self.cursor.offset() + usize::from(row);
        if index >= self.rows.len() {
            return Outcome::Ignored;
        }
        self.cursor.go(&self.rows, index);
        if let Some((column, ..)) = self.painted.columns.iter().find(|(_, left, cells)| (*left..left + cells + GAP).contains(&x)) {
            self.column = *column;
        }
        self.moved = true;
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let detail_rows = if area.height >= 14 { DETAIL_ROWS.max(area.height / 4) } else { 4.min(area.height / 3) };
        let body = Rect { height: area.height.saturating_sub(detail_rows), ..area };
        let detail = Rect { y: body.bottom(), height: detail_rows, ..area };
        self.render_matrix(buffer, body, view);
        self.render_detail(buffer, detail, view);
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionLogs,
            Action::SelectionOpen,
            Action::DeliveryDeploy,
            Action::DeliveryRollBack,
            Action::ChangesShow,
            Action::ActsOpenMenu,
            Action::VersionsTurn,
            Action::UsageToggle,
            Action::FilterEdit,
            Action::SelectionCopyVersion,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        self.detail.clone()
    }

    fn wanted(&self, view: &View<'_>) -> Wanted {
        if !self.usage {
            return Wanted::default();
        }
        let of = |service| selected(service, view).map(|(container, _)| container);
        let running = self.painted.services.iter().flat_map(of).filter(|container| container.is_running());
        Wanted { rest: running.map(|container| container.key.clone()).collect(), near: self.detail.clone(), ..Wanted::default() }
    }
}

/// The containers of a service that the filter selects.
fn selected<'v>(service: &ServiceKey, view: &View<'v>) -> impl Iterator<Item = (&'v Container, &'v Host)> {
    let (fleet, filter) = (view.fleet, view.filter.selector());
    let all = fleet.containers_of(service).filter_map(|container| Some((container, fleet.host(&container.key.host)?)));
    all.filter(move |(container, host)| filter.is_none_or(|filter| filter.matches(container, host)))
}

impl Versions {
    fn render_matrix(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let columns = view.matrix.columns();
        let left = MARGIN + self.app_width + GAP + self.service_width + GAP;
        let since_at = area.width.saturating_sub(SINCE_WIDTH + if self.usage { USAGE_WIDTH } else { 0 });
        self.painted.services.clear();
        let room = since_at.saturating_sub(left);
        let widths = std::mem::take(&mut self.widths);
        self.scroll_to_column(&widths, room);
        self.painted.columns.clear();
        let mut x = left;
        for (index, wanted) in widths.iter().enumerate().skip(self.scroll) {
            let rest = (left + room).saturating_sub(x);
            if rest < CELL_MIN.min(*wanted) && index > self.scroll {
                break;
            }
            let cells = (*wanted).min(rest);
            self.painted.columns.push((index, x, cells));
            x += cells + GAP;
        }
        self.spread_columns(&widths, left + room);
        self.widths = widths;

        let heading = view.theme.style(Role::TableHeader);
        let mut pen = Pen::new(buffer, area, 0);
        pen.to(area.x + MARGIN).text("APP", heading).to(area.x + MARGIN + self.app_width + GAP).text("SERVICE", heading);
        for (index, x, cells) in &self.painted.columns {
            let title = column_title(&columns[*index]).to_uppercase();
            pen.to(area.x + x).text(&view.theme.fit(&title, usize::from(*cells)), heading);
        }
        let more = columns.len() - self.painted.columns.last().map_or(0, |(index, ..)| index + 1);
        if self.scroll > 0 || more > 0 {
            let sign = format!(
                "{}{}",
                if self.scroll > 0 { format!("‹{}", self.scroll) } else { String::new() },
                if more > 0 { format!(" {more}›") } else { String::new() }
            );
            Pen::new(buffer, area, 0).right(sign.trim(), view.theme.style(Role::Accent));
        } else {
            let usage = if self.usage { "  CPU    MEM" } else { "" };
            Pen::new(buffer, area, 0).right(&format!("{usage}   SINCE "), heading);
        }

        self.painted.body_top = 1;
        self.painted.body_rows = area.height.saturating_sub(1);
        if self.rows.is_empty() {
            empty::render(buffer, area, "services", view);
            return;
        }
        let visible = self.cursor.reveal(self.rows.len(), usize::from(self.painted.body_rows));
        for (line, index) in visible.enumerate() {
            if let Some(row) = view.matrix.row(&self.rows[index]) {
                let line = u16::try_from(line + 1).unwrap_or(u16::MAX);
                self.render_row(buffer, area, line, row, index == self.cursor.index(), view);
                self.painted.services.push(row.service.clone());
            }
        }
    }

    fn render_row(&self, buffer: &mut Buffer, area: Rect, line: u16, row: &MatrixRow, current: bool, view: &View<'_>) {
        let ground = if current { view.theme.style(Role::TableCursor) } else { Style::default() };
        if current {
            Pen::new(buffer, area, line).fill(" ", ground);
        }
        let text = ground.patch(view.theme.style(Role::Text));
        let dim = ground.patch(view.theme.style(Role::TextDim));
        let app = row.service.app.as_ref().map_or(unknown(view.theme), |app| app.as_str());
        let mut pen = Pen::new(buffer, area, line);
        // Trouble shows at the edge too: its cell may be scrolled away.
        if let Some((symbol, role)) = trouble_sign(row.worst).or((!row.drift.is_empty()).then_some((Symbol::Odd, Role::StateAttention))) {
            pen.text(view.theme.symbol(symbol), ground.patch(view.theme.style(role)));
        }
        pen.to(area.x + MARGIN).text(&view.theme.fit(app, usize::from(self.app_width)), dim);
        pen.to(area.x + MARGIN + self.app_width + GAP)
            .text(&view.theme.fit(row.service.service.as_str(), usize::from(self.service_width)), text);
        let columns = view.matrix.columns();
        for (index, x, cells) in &self.painted.columns {
            let cell_area = Rect { x: area.x + x, width: *cells, ..area };
            let mut pen = Pen::new(buffer, cell_area, line);
            let chosen = current && *index == self.column;
            match row.cells.get(&columns[*index]) {
                Some(cell) => render_cell(&mut pen, cell, ground, chosen, view),
                None => {
                    pen.text(unknown(view.theme), if chosen { ground.patch(view.theme.style(Role::Accent)) } else { dim });
                }
            }
        }
        Pen::new(buffer, area, line).right(&format!("{} ", view.calm_age(row.since)), dim);
        if self.usage {
            let sum = Sum::of(selected(&row.service, view), view.stats, view.now);
            let none = || unknown(view.theme).to_owned();
            let cpu = sum.cpu.map_or_else(none, cores);
            let memory = sum.memory.map_or_else(none, |memory| short_bytes(memory as f64));
            let place = Rect { width: area.width.saturating_sub(SINCE_WIDTH), ..area };
            Pen::new(buffer, place, line).right(&format!("{cpu:>5}  {memory:>5}"), dim);
        }
    }

    fn scroll_to_column(&mut self, widths: &[u16], room: u16) {
        self.scroll = self.scroll.min(self.column);
        loop {
            let used: u16 =
                widths.iter().take(self.column + 1).skip(self.scroll).map(|cells| cells.saturating_add(GAP)).fold(0, u16::saturating_add);
            if used <= room.saturating_add(GAP) || self.scroll >= self.column {
                return;
            }
            self.scroll += 1;
        }
    }

    /// Takes air from wide columns for one that was cut at the right edge, down to the least a version needs.
    fn spread_columns(&mut self, widths: &[u16], end: u16) {
        let Some((last, _, given)) = self.painted.columns.last().copied() else { return };
        let next = last + 1 < widths.len();
        let mut missing = widths[last].saturating_sub(given);
        if next || missing == 0 {
            return;
        }
        for at in (0..self.painted.columns.len() - 1).rev() {
            let spare = self.painted.columns[at].2.saturating_sub(CELL_MIN).min(missing);
            self.painted.columns[at].2 -= spare;
            for later in self.painted.columns.iter_mut().skip(at + 1) {
                later.1 -= spare;
            }
            missing -= spare;
        }
        if let Some(last) = self.painted.columns.last_mut() {
            last.2 = end.saturating_sub(last.1).min(widths[last.0]);
        }
    }

    fn render_detail(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.detail.clear();
        let (Some(service), Some(column)) = (self.cursor.held(), self.column(view)) else { return };
        let title = match column {
            Column::Environment(Some(environment)) => format!(" {service} in {environment} "),
            Column::Environment(None) => format!(" {service} without an environment "),
            Column::Host(host) => format!(" {service} on {host} "),
        };
        let Some(cell) = self.cell(view) else {
            frame::rule(buffer, area, 0, &title, "", view);
            Pen::new(buffer, area, 1).text(" nothing of it runs here", view.theme.style(Role::TextDim));
            return;
        };
        let mut line = 1;
        for (symbol, role, finding) in findings(cell, view) {
            if line + 1 >= area.height {
                break;
            }
            let mut pen = Pen::new(buffer, area, line);
            pen.skip(1).text(view.theme.symbol(symbol), view.theme.style(role)).skip(1).text(&finding, view.theme.style(Role::Text));
            line += 1;
        }
        let containers = self.cell_containers(view);
        let shown: Vec<&Container> = containers.iter().copied().take(usize::from(area.height.saturating_sub(line))).collect();
        let hidden = containers.len() - shown.len();
        let key = view.keymap.reverse(Action::SelectionOpen, &[Context::Versions, Context::Global]).unwrap_or("enter");
        let more = if hidden > 0 { format!(" {hidden} more: {key} ") } else { String::new() };
        frame::rule(buffer, area, 0, &title, &more, view);
        let name_width = shown.iter().map(|container| width(&container.name)).max().unwrap_or(0).min(28);
        let host_width = shown.iter().map(|container| width(container.key.host.as_str())).max().unwrap_or(0).min(20);
        let version_width = shown.iter().map(|container| width(&container.version.text)).max().unwrap_or(0).min(26);
        for (offset, container) in shown.iter().enumerate() {
            let row = line + u16::try_from(offset).unwrap_or(0);
            render_container(buffer, area, row, container, [host_width, name_width, version_width], view);
        }
        self.detail = shown.iter().map(|container| container.key.clone()).collect();
    }
}

/// `1.0.1-22-7e56158  3   ◆ 1.0.1-19-04bd1c9  1 app-07`, or `● 1 unhealthy app-03`.
fn render_cell(pen: &mut Pen<'_>, cell: &Cell, ground: Style, chosen: bool, view: &View<'_>) {
    let base = if chosen { ground.patch(view.theme.style(Role::Accent)) } else { ground.patch(view.theme.style(Role::Text)) };
    for (index, version) in cell.versions.iter().enumerate() {
        let odd = version.odd;
        if index > 0 {
            pen.skip(2);
        }
        if version.stale {
            pen.text(view.theme.symbol(Symbol::Stale), ground.patch(view.theme.style(Role::StateStale)));
        }
        if odd {
            let amber = ground.patch(view.theme.style(Role::StateAttention));
            pen.text(view.theme.symbol(Symbol::Odd), amber).skip(1);
        }
        let mut style = base;
        if version.stale {
            style = style.patch(view.theme.style(Role::StateStale));
        } else if version.running == 0 {
            style = style.patch(view.theme.style(Role::TextDim));
        }
        let room = pen.left();
        let count = count_text(cell, version);
        let named = odd_place(version, odd);
        let tail = 2 + width(&count) + if named.is_empty() { 0 } else { 1 + width(&named) };
        let text = view.theme.fit(&version.version.text, room.saturating_sub(tail).max(8));
        pen.text(&text, style).skip(2).text_if_fits(&count, ground.patch(view.theme.style(Role::TextDim)));
        if !named.is_empty() {
            pen.skip(1).text_if_fits(&named, ground.patch(view.theme.style(Role::StateAttention)));
        }
    }
    if let Some(text) = trouble_text(cell) {
        let (symbol, role) = trouble_sign(cell.worst).unwrap_or((Symbol::Done, Role::TextDim));
        let style = ground.patch(view.theme.style(role)).remove_modifier(Modifier::DIM);
        pen.skip(2).text(view.theme.symbol(symbol), style).skip(1).text(&text, style);
    }
}

/// `3`, `2/3` where it is known how many should run, `0` for what is stopped.
fn count_text(cell: &Cell, version: &CellVersion) -> String {
    match cell.wanted {
        Some(wanted) if cell.versions.len() == 1 => format!("{}/{wanted}", version.running),
        Some(_) | None if version.running < version.total => format!("{}/{}", version.running, version.total),
        Some(_) | None => version.running.to_string(),
    }
}

/// The hosts of an odd version: the one that is named.
fn odd_place(version: &CellVersion, odd: bool) -> String {
    match version.hosts.as_slice() {
        [] => String::new(),
        _ if !odd => String::new(),
        [host] => host.to_string(),
        [host, rest @ ..] => format!("{host} +{}", rest.len()),
    }
}

/// `1 unhealthy app-03`: the worst of a cell with its place.
fn trouble_text(cell: &Cell) -> Option<String> {
    if cell.worst == Trouble::None {
        return None;
    }
    let count = cell.troubled.len();
    let mut hosts: Vec<_> = cell.troubled.iter().map(|key| &key.host).collect();
    hosts.dedup();
    Some(match hosts.as_slice() {
        [] => cell.worst.word().to_owned(),
        [host] => format!("{count} {} {host}", cell.worst),
        [host, rest @ ..] => format!("{count} {} {host} +{}", cell.worst, rest.len()),
    })
}

/// The column of a row's loudest cell; the first one that has a cell where all are quiet.
fn worst_column(row: Option<&MatrixRow>, view: &View<'_>) -> usize {
    let cell_of = |column: &Column| row.and_then(|row| row.cells.get(column));
    let mut worst: Option<(usize, Severity)> = None;
    for (at, severity) in view.matrix.columns().iter().enumerate().filter_map(|(at, column)| Some((at, cell_of(column)?.severity()))) {
        if worst.is_none_or(|(_, known)| severity > known) {
            worst = Some((at, severity));
        }
    }
    worst.map_or(0, |(at, _)| at)
}

/// What each matrix column asks for. One walk over the cells there are, whatever the number of columns.
fn column_widths(view: &View<'_>) -> Vec<u16> {
    let columns = view.matrix.columns();
    let places: HashMap<&Column, usize> = columns.iter().enumerate().map(|(at, column)| (column, at)).collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| width(&column_title(column))).collect();
    for (column, cell) in view.matrix.rows().iter().flat_map(|row| &row.cells) {
        if let Some(at) = places.get(column) {
            widths[*at] = widths[*at].max(cell_width(cell));
        }
    }
    widths.into_iter().map(|widest| cells(widest).clamp(4, 64)).collect()
}

fn cell_width(cell: &Cell) -> usize {
    let versions: usize = cell
        .versions
        .iter()
        .map(|version| {
            let place = odd_place(version, version.odd);
            let signs = usize::from(version.stale) + if version.odd { 2 } else { 0 };
            signs
                + width(&version.version.text)
                + 2
                + count_text(cell, version).len()
                + if place.is_empty() { 0 } else { 1 + width(&place) }
        })
        .sum();
    let gaps = cell.versions.len().saturating_sub(1) * 2;
    versions + gaps + trouble_text(cell).map_or(0, |text| 4 + width(&text))
}

fn findings(cell: &Cell, view: &View<'_>) -> Vec<(Symbol, Role, String)> {
    let mut found = Vec::new();
    if let Some(text) = trouble_text(cell) {
        let (symbol, role) = trouble_sign(cell.worst).unwrap_or((Symbol::Done, Role::TextDim));
        let lost = cell.troubled.first().and_then(|key| view.fleet.host(&key.host)).filter(|_| cell.worst == Trouble::HostLost);
        let why = lost.and_then(|host| host.link.error()).map_or(String::new(), |error| format!(": {error}"));
        found.push((symbol, role, format!("{text}{why}")));
    }
    if let Some(drift) = &cell.drift {
        found.push((Symbol::Odd, Role::StateAttention, drift.why.to_string()));
    }
    found
}

fn render_container(buffer: &mut Buffer, area: Rect, row: u16, container: &Container, [host, name, version]: [usize; 3], view: &View<'_>) {
    let trouble = view.trouble(&container.key);
    let stale = view.is_stale(&container.key.host);
    let text = view.theme.style(if stale { Role::StateStale } else { Role::Text });
    let dim = view.theme.style(if stale { Role::StateStale } else { Role::TextDim });
    let state_style = match trouble.severity() {
        Severity::Bad => view.theme.style(Role::StateBad),
        Severity::Attention => view.theme.style(Role::StateAttention),
        Severity::Quiet => dim,
    };
    let mut pen = Pen::new(buffer, area, row);
    pen.text(if stale { view.theme.symbol(Symbol::Stale) } else { " " }, dim);
    let column = |pen: &mut Pen<'_>, words: &str, cells: usize, style: Style| {
        let start = pen.at();
        pen.text(&view.theme.fit(words, cells), style).to(start + u16::try_from(cells + 2).unwrap_or(0));
    };
    column(&mut pen, container.key.host.as_str(), host, text);
    column(&mut pen, &container.name, name, text);
    column(&mut pen, &container.version.text, version, text);
    column(&mut pen, &state_words(container, trouble), 12, state_style);
    // Until a row is inspected, the day it was made stands in for the day it was started.
    let up = match (container.up_since(), container.finished) {
        _ if stale => as_of(container, view),
        (Some(started), _) => format!("up {}", view.calm_age(started)),
        (None, Some(finished)) => format!("{} ago", view.calm_age(finished)),
        (None, None) if container.is_running() => format!("up {}", view.calm_age(container.created)),
        (None, None) => format!("{} ago", view.calm_age(container.created)),
    };
    column(&mut pen, &up, 14, dim);
    if let Some(restarts) = container.restarts {
        column(&mut pen, &format!("restarts {restarts}"), 12, dim);
    }
    pen.text(&ports_text(&container.ports, view.theme), dim);
}

fn column_title(column: &Column) -> String {
    match column {
        Column::Environment(Some(environment)) => environment.to_string(),
        Column::Environment(None) => "–".to_owned(),
        Column::Host(host) => host.to_string(),
    }
}

fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
