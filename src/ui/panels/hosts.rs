//! Every host: how our link to it stands, what its engine is, and what we cost it. A lost host says why, since when, and when it is
//! tried next. Owns the order of the rows, the cursor, and the rates measured between frames.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

mod detail;
mod row;

use self::row::Field;
use crate::{
    action::Action,
    fleet::{ContainerKey, Host, HostId, LinkState},
    stats::{Sum, Wanted, book::FRESH, sum::Capacity},
    text::width,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column, Cursor, Pen, place},
    },
};

/// Cells before the first column: the link's sign with air on both sides.
const SIGNS: u16 = 3;
/// How long requests are counted for one rate.
const RATE_SPAN: TimeDelta = TimeDelta::seconds(5);

/// No container of a host that tells nothing of itself is measured more often than this.
const EVERY: std::time::Duration = std::time::Duration::from_secs(10);

/// The panel's own state.
#[derive(Default)]
pub struct Hosts {
    rows: Vec<HostId>,
    cursor: Cursor<HostId>,
    /// The widest text of every column, in cells; grows, so that nothing jumps.
    widths: [u16; Field::ALL.len()],
    rates: HashMap<HostId, Rate>,
    /// Running containers of each host: counted when something there changed, never while painting.
    running: HashMap<HostId, usize>,
    painted_rows: usize,
}

/// Requests counted over the last span.
#[derive(Clone, Copy, Debug)]
struct Rate {
    requests: u64,
    samples: u64,
    at: DateTime<Utc>,
    /// Requests a second, and how many of these were samples.
    per_second: Option<(f64, f64)>,
}

/// What is worked out about a host, beside what the model says.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Our requests to it in a second; `None` until measured.
    rate: Option<f64>,
    /// Of these, containers' counters.
    samples: Option<f64>,
    /// What its machine uses.
    used: Used,
    /// Its running containers.
    running: usize,
}

/// What a machine uses, as shares of what it has.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    cpu: Option<f64>,
    memory: Option<f64>,
    disk: Option<f64>,
    load: Option<f64>,
    /// Only the sum of its containers is known.
    is_sum: bool,
}

impl Used {
    fn of(host: &Host, view: &View<'_>) -> Self {
        let machine = view.stats.machine(&host.spec.id);
        if let Some(usage) = machine.and_then(|machine| machine.usage()).filter(|usage| view.now - usage.at <= FRESH) {
            return Self {
                cpu: usage.cpu.map(|cpu| cpu / f64::from(usage.cpus.max(1))),
                memory: Some(usage.memory as f64 / usage.memory_total.max(1) as f64),
                disk: usage.disk.map(|disk| disk.share()),
                load: Some(usage.load),
                is_sum: false,
            };
        }
        if machine.and_then(|machine| machine.why_not()).is_none() {
            return Self::default();
        }
        let on = view.fleet.containers_on(&host.spec.id).map(|container| (container, host));
        let mut sum = Sum::of(on, view.stats, view.now);
        (sum.cpu_limit, sum.memory_limit) = (None, None);
        if let Some(capacity) = Capacity::of(host) {
            sum.within(capacity);
        }
        Self { cpu: sum.cpu_share(), memory: sum.memory_share(), disk: None, load: None, is_sum: true }
    }
}

impl Hosts {
    /// Selects and orders anew: what needs a person first, then what is lost, then the rest, as configured.
    fn arrange(&mut self, view: &View<'_>) {
        let mut hosts: Vec<&Host> = selected(view).collect();
        hosts.sort_by_key(|host| match host.link {
            LinkState::Refused { .. } => 0,
            LinkState::Retrying { .. } => 1,
            LinkState::Stale { .. } => 2,
            LinkState::Connecting | LinkState::Live { .. } => 3,
        });
        self.rows = hosts.into_iter().map(|host| host.spec.id.clone()).collect();
        self.cursor.settle(&self.rows);
        let all: BTreeSet<HostId> = self.rows.iter().cloned().collect();
        self.look_at(&all, view);
    }

    /// Takes the figures of these hosts anew.
    fn look_at(&mut self, hosts: &BTreeSet<HostId>, view: &View<'_>) {
        for host in hosts.iter().filter_map(|id| view.fleet.host(id)) {
            let id = &host.spec.id;
            self.running.insert(id.clone(), view.fleet.containers_on(id).filter(|container| container.is_running()).count());
            // Rates come and go with the frames: their column has its width from its heading.
            let figures = Figures { running: self.running.get(id).copied().unwrap_or(0), ..Figures::default() };
            for (field, widest) in Field::ALL.into_iter().zip(&mut self.widths) {
                let cells = width(&field.text(host, &figures, view));
                *widest = (*widest).max(u16::try_from(cells).unwrap_or(u16::MAX));
            }
        }
    }

    /// Measures what we ask of each host, once in a span; only while somebody looks.
    fn measure(&mut self, view: &View<'_>) {
        for host in view.fleet.hosts() {
            let (requests, samples) = (host.cost.requests, host.cost.samples);
            let fresh = Rate { requests, samples, at: view.now, per_second: None };
            let rate = self.rates.entry(host.spec.id.clone()).or_insert(fresh);
            let span = view.now - rate.at;
            if span >= RATE_SPAN {
                let seconds = span.num_milliseconds() as f64 / 1000.0;
                // Nobody looked for long: the mean of that time is no rate of now.
                let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
                let told = (span < RATE_SPAN * 3).then(|| (each(requests, rate.requests), each(samples, rate.samples)));
                *rate = Rate { per_second: told, ..fresh };
            }
            view.ages.within(RATE_SPAN - (view.now - rate.at));
        }
    }

    fn figures(&self, host: &Host, view: &View<'_>) -> Figures {
        let id = &host.spec.id;
        let (rate, samples) = self.rates.get(id).and_then(|rate| rate.per_second).unzip();
        Figures { rate, samples, used: Used::of(host, view), running: self.running.get(id).copied().unwrap_or(0) }
    }
}

fn selected<'v>(view: &View<'v>) -> impl Iterator<Item = &'v Host> {
    let selector = view.filter.selector();
    view.fleet.hosts().filter(move |host| selector.is_none_or(|selector| selector.matches_host(host)))
}

impl Panel for Hosts {
    fn id(&self) -> PanelId {
        PanelId::Hosts
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let all = view.fleet.hosts().len();
        let live = view.fleet.hosts().filter(|host| host.link.is_live()).count();
        let dot = view.theme.symbol(Symbol::Dot);
        if self.rows.len() == all { format!("{live} of {all} live") } else { format!("{} of {all} {dot} {live} live", self.rows.len()) }
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        // Hosts neither come nor go while we run: only another filter changes which are listed.
        let same = self.rows.len() == selected(view).count() && selected(view).all(|host| self.rows.contains(&host.spec.id));
        match refresh {
            Refresh::All if !same => self.arrange(view),
            Refresh::All => self.look_at(&self.rows.iter().cloned().collect(), view),
            Refresh::Changed(change) => {
                let touched = change.containers.iter().chain(&change.removed).map(|key| &key.host);
                self.look_at(&touched.chain(&change.hosts).cloned().collect(), view);
            }
        }
    }

    fn enter(&mut self, view: &View<'_>) {
        self.arrange(view);
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        self.cursor.held().map_or(Selection::Nothing, |host| Selection::Host(host.clone()))
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> Outcome {
        if let Some(by) = action.list_step(self.painted_rows) {
            self.cursor.step(&self.rows, by);
            return Outcome::Done;
        }
        match action {
            Action::SelectionOpen => {
                let filter = self.cursor.held().map(|host| format!("host:{host}"));
                filter.map_or(Outcome::Ignored, |filter| Outcome::Go { panel: PanelId::Containers, filter: Some(filter) })
            }
            _ => Outcome::Ignored,
        }
    }

    fn click(&mut self, _: u16, y: u16, _: &View<'_>) -> Outcome {
        let Some(row) = usize::from(y).checked_sub(1).filter(|row| *row < self.painted_rows) else { return Outcome::Ignored };
        if self.cursor.offset() + row >= self.rows.len() {
            return Outcome::Ignored;
        }
        self.cursor.go(&self.rows, self.cursor.offset() + row);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.measure(view);
        let pane = if area.height >= 12 { (area.height / 2).clamp(6, 18) } else { 0 };
        let table = Rect { height: area.height - pane, ..area };
        self.render_table(buffer, table, view);
        let below = Rect { y: table.bottom(), height: pane, ..area };
        if let Some(host) = self.cursor.held().and_then(|id| view.fleet.host(id)).filter(|_| pane > 0) {
            detail::render(buffer, below, host, &self.figures(host, view), view);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionOpen,
            Action::SelectionLogs,
            Action::ChangesShow,
            Action::LinkRetry,
            Action::FilterEdit,
            Action::SelectionCopyName,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }

    /// The machines of the listed hosts; where only the engine can be asked, all that runs there, for the sum.
    fn wanted(&self, view: &View<'_>) -> Wanted {
        let live = self.rows.iter().filter(|host| !view.is_stale(host));
        let machines: Vec<HostId> = live.cloned().collect();
        let told = |host: &&HostId| view.stats.machine(host).and_then(|machine| machine.why_not()).is_some();
        let running = |host| view.fleet.containers_on(host).filter(|container| container.is_running());
        let rest = machines.iter().filter(told).flat_map(running).map(|container| container.key.clone()).collect();
        Wanted { near: Vec::new(), rest, machines, every: EVERY }
    }
}

impl Hosts {
    fn render_table(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.painted_rows = usize::from(area.height.saturating_sub(1));
        if self.rows.is_empty() {
            let noun = if view.fleet.hosts().len() == 0 { "no host is configured" } else { "no host matches the filter" };
            Pen::new(buffer, area, 2).skip(1).text(noun, view.theme.style(Role::TextDim));
            return;
        }
        let asked: Vec<Column> = Field::ALL.into_iter().map(|field| field.column(self.widths[field as usize])).collect();
        // A column that has nothing to say is none.
        let kept: Vec<Field> = Field::ALL.into_iter().filter(|field| !field.is_rare() || self.widths[*field as usize] > 0).collect();
        let asked: Vec<Column> = kept.iter().map(|field| asked[*field as usize].clone()).collect();
        let placed = place(&asked, area.width.saturating_sub(SIGNS + 1));
        for at in &placed {
            let (title, cells) = (asked[at.index].title, usize::from(at.width));
            let air = if asked[at.index].align == Align::Right { cells.saturating_sub(title.len()) } else { 0 };
            let x = area.x + SIGNS + at.x + u16::try_from(air).unwrap_or(0);
            Pen::new(buffer, area, 0).to(x).text(&view.theme.fit(title, cells), view.theme.style(Role::TableHeader));
        }
        let name_end = placed.first().map_or(SIGNS, |name| SIGNS + name.width);
        let visible = self.cursor.reveal(self.rows.len(), self.painted_rows);
        for (line, index) in (1..).zip(visible) {
            let Some(host) = view.fleet.host(&self.rows[index]) else { continue };
            let ground = if index == self.cursor.index() { view.theme.style(Role::TableCursor) } else { Style::default() };
            if index == self.cursor.index() {
                Pen::new(buffer, area, line).fill(" ", ground);
            }
            let (symbol, sign_role, text_role) = row::look(&host.link);
            let sign = symbol.map_or(" ", |symbol| view.theme.symbol(symbol));
            Pen::new(buffer, area, line).skip(1).text(sign, ground.patch(view.theme.style(sign_role)));
            if let Some(story) = row::story(host, usize::from(area.width.saturating_sub(name_end + 3)), view) {
                let name = view.theme.fit(host.spec.id.as_str(), usize::from(name_end - SIGNS));
                Pen::new(buffer, area, line).to(area.x + SIGNS).text(&name, ground.patch(view.theme.style(text_role)));
                Pen::new(buffer, area, line).to(area.x + name_end + 2).text(&story, ground.patch(view.theme.style(text_role)));
                continue;
            }
            let figures = self.figures(host, view);
            for at in &placed {
                let field = kept[at.index];
                let text = field.text(host, &figures, view);
                let shown = view.theme.fit(&text, usize::from(at.width));
                let air = match field.align() {
                    Align::Left => 0,
                    Align::Right => at.width.saturating_sub(u16::try_from(width(&shown)).unwrap_or(u16::MAX)),
                };
                let style = ground.patch(view.theme.style(field.role(host, &figures)));
                Pen::new(buffer, area, line).to(area.x + SIGNS + at.x + air).text(&shown, style);
            }
        }
    }
}
