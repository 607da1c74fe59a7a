//! The charts of what the cursor is on: processors, memory, network and disks over the session's last minutes, with limits drawn in.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::tree::Node;
use crate::{
    fleet::{EventKind, HostId},
    stats::{Flow, MachineUsage, Measure, Strain, Sum, book::FRESH, machine::MachineMeasure, sum::Capacity},
    text::bytes,
    ui::{
        frame,
        panels::figures::{cores, eighths, percent, strain_role},
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// How much time the charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Span {
    #[default]
    Minutes,
    Quarter,
    Hour,
    Session,
}

impl Span {
    /// The next one in the circle.
    pub fn next(self) -> Self {
        match self {
            Self::Minutes => Self::Quarter,
            Self::Quarter => Self::Hour,
            Self::Hour => Self::Session,
            Self::Session => Self::Minutes,
        }
    }

    /// Its seconds, for a history that began so many seconds ago.
    fn seconds(self, known: i64) -> i64 {
        match self {
            Self::Minutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3600,
            Self::Session => known.max(300),
        }
    }
}

/// One chart.
struct Chart {
    title: String,
    role: Role,
    values: Vec<Option<f64>>,
    /// A full cell means at least this.
    least: f64,
    limit: Option<f64>,
}

/// Paints the pane.
pub(super) fn render(buffer: &mut Buffer, area: Rect, node: &Node, span: Span, view: &View<'_>) {
    if area.width < 12 || area.height < 3 {
        return;
    }
    let (title, sum) = head(node, view);
    // Where there is no room for two charts one below the other, the first two stand side by side.
    let rows = area.height - 2 - if matches!(node, Node::Host(_)) { 2.min(area.height - 2) } else { 0 };
    let halved = rows < 6 && area.width >= 60;
    let width = if halved { (area.width - 4) / 2 } else { area.width - 2 };
    let cells = usize::from(width);
    let (from, to) = range(node, span, cells, view);
    let past = crate::text::age(chrono::TimeDelta::seconds(to - from));
    frame::rule(buffer, area, 0, &format!(" {title} "), &format!(" last {past} "), view);
    let mut row = 1;
    if let Node::Host(host) = node {
        row += of_machine(buffer, area, row, host, view);
    }
    let charts = charts(node, &sum, cells, from, to, view);
    // As many as can be read; the first ones matter most.
    let room = area.height.saturating_sub(row + 1);
    let count = if halved { 1 } else { (room / 3).clamp(1, u16::try_from(charts.len()).unwrap_or(1)) };
    let (each, columns) = (room / count, if halved { 2 } else { 1 });
    let place = |row: u16, column: u16, height: u16| Rect {
        x: area.x + 1 + column * (width + 2),
        y: area.y + row,
        width,
        height: height.min(area.height.saturating_sub(row)),
    };
    for line in charts.chunks(usize::from(columns)).take(usize::from(count)) {
        for (column, chart) in (0..columns).zip(line) {
            chart.render(buffer, place(row, column, each), view);
        }
        row += each;
    }
    for column in 0..columns {
        marks(buffer, place(row, column, 1), node, (from, to), view);
    }
}

/// What it is called, and what it uses now.
fn head(node: &Node, view: &View<'_>) -> (String, Sum) {
    let dot = view.theme.symbol(Symbol::Dot);
    let fleet = view.fleet;
    let under = |holds: &dyn Fn(&crate::fleet::Container) -> bool| {
        let all = fleet.hosts().flat_map(|host| fleet.containers_on(&host.spec.id).map(move |container| (container, host)));
        Sum::of(all.filter(|(container, _)| holds(container)), view.stats, view.now)
    };
    match node {
        Node::Environment(environment) => {
            let title = environment.as_ref().map_or_else(|| "no environment".to_owned(), ToString::to_string);
            (title, under(&|container| container.identity.environment == *environment))
        }
        Node::App(environment, app) => {
            let holds = |container: &crate::fleet::Container| {
                container.identity.environment == *environment && container.identity.service.app.as_ref() == Some(app)
            };
            (in_environment(app.as_str(), environment.as_ref()), under(&holds))
        }
        Node::Service(environment, service) => {
            let holds = |container: &crate::fleet::Container| {
                container.identity.environment == *environment && container.identity.service == *service
            };
            (in_environment(&service.to_string(), environment.as_ref()), under(&holds))
        }
        Node::Host(id) => {
            let mut sum = under(&|container| container.key.host == *id);
            if let Some(capacity) = fleet.host(id).and_then(Capacity::of) {
                (sum.cpu_limit, sum.memory_limit) = (None, None);
                sum.within(capacity);
            }
            (id.to_string(), sum)
        }
        Node::Container(key) => match (fleet.container(key), fleet.host(&key.host)) {
            (Some(container), Some(host)) => {
                (format!("{} {dot} {}", container.name, key.host), Sum::one(container, host, view.stats, view.now))
            }
            (Some(_) | None, _) => (key.id.short().to_owned(), Sum::default()),
        },
    }
}

fn in_environment(name: &str, environment: Option<&crate::fleet::EnvironmentId>) -> String {
    environment.map_or_else(|| name.to_owned(), |environment| format!("{name} in {environment}"))
}

/// The time that is shown, in seconds since 1970, in whole cells: the picture moves only when a cell is full.
fn range(node: &Node, span: Span, cells: usize, view: &View<'_>) -> (i64, i64) {
    let now = view.now.timestamp();
    let begun = view.stats.histories(node.scope()).filter_map(|series| series.range()).map(|(from, _)| from).min();
    let seconds = span.seconds(begun.map_or(0, |begun| now - begun));
    let cells = i64::try_from(cells.max(1)).unwrap_or(1);
    let width = (seconds + cells - 1) / cells;
    let to = (now / width + 1) * width;
    (to - width * cells, to)
}

/// The host's own figures, in at most two lines; returns how many.
fn of_machine(buffer: &mut Buffer, area: Rect, row: u16, id: &HostId, view: &View<'_>) -> u16 {
    let machine = view.stats.machine(id);
    let fresh = |usage: &&MachineUsage| view.now - usage.at <= FRESH;
    let mut pen = Pen::new(buffer, area, row);
    pen.skip(1);
    let dot = view.theme.symbol(Symbol::Dot);
    match machine.and_then(|machine| machine.usage()).filter(fresh) {
        Some(usage) => {
            let cpu = usage.cpu.map_or_else(String::new, |cpu| format!("cpu {} of {} {dot} ", cores(cpu), usage.cpus));
            let memory = usage.memory as f64 / (usage.memory_total.max(1) as f64);
            let text =
                format!("the host itself: {cpu}mem {} of {} {dot} load {:.2}", bytes(usage.memory), bytes(usage.memory_total), usage.load);
            pen.text(&text, view.theme.style(strain_role(Strain::Memory, Some(memory), Role::Text)));
            if let Some(disk) = usage.disk {
                let role = strain_role(Strain::Disk, Some(disk.share()), Role::Text);
                let text = format!("the engine's disk: {} used, {} left", percent(disk.share()), bytes(disk.available));
                Pen::new(buffer, area, row + 1).skip(1).text(&text, view.theme.style(role));
                return 2;
            }
        }
        None => {
            let why = machine.and_then(|machine| machine.why_not()).unwrap_or("not asked yet");
            pen.text(&format!("the sum of its containers; of the host itself nothing is known: {why}"), view.theme.style(Role::TextDim));
        }
    }
    1
}

fn charts(node: &Node, sum: &Sum, cells: usize, from: i64, to: i64, view: &View<'_>) -> Vec<Chart> {
    let history = |measure: Measure| {
        let mut values = vec![None; cells];
        for series in view.stats.histories(node.scope()) {
            series.add_to(&mut values, measure as usize, from, to);
        }
        values
    };
    let both = |one: Measure, other: Measure| {
        let (one, other) = (history(one), history(other));
        one.into_iter().zip(other).map(|(one, other)| Some(one? + other.unwrap_or(0.0))).collect()
    };
    let machine = match node {
        Node::Host(host) => view.stats.machine(host).filter(|machine| machine.usage().is_some()),
        Node::Environment(_) | Node::App(..) | Node::Service(..) | Node::Container(_) => None,
    };
    let of_machine = |measure: MachineMeasure| {
        let mut values = vec![None; cells];
        if let Some(machine) = machine {
            machine.series().add_to(&mut values, measure as usize, from, to);
        }
        values
    };
    let unknown = crate::ui::panels::words::unknown(view.theme);
    let (cpu, cpu_limit, memory, memory_limit) = match machine.and_then(|machine| machine.usage()) {
        Some(usage) => (usage.cpu, Some(f64::from(usage.cpus)), Some(usage.memory as f64), Some(usage.memory_total as f64)),
        None => (sum.cpu, sum.cpu_limit, sum.memory.map(|memory| memory as f64), sum.memory_limit.map(|limit| limit as f64)),
    };
    let share = |used: Option<f64>, limit: Option<f64>| used.zip(limit).filter(|(_, limit)| *limit > 0.0).map(|(used, limit)| used / limit);
    let titled = |word: &str, used: Option<String>, limit: Option<String>, share: Option<f64>| {
        let limit = limit.map_or_else(String::new, |limit| format!(" of {limit}"));
        let share = share.map_or_else(String::new, |share| format!("  {}", percent(share)));
        format!("{word} {}{limit}{share}", used.unwrap_or_else(|| unknown.to_owned()))
    };
    let (cpu_share, memory_share) = (share(cpu, cpu_limit), share(memory, memory_limit));
    let as_bytes = |size: f64| bytes(size as u64);
    let flow = |word: &str, flow: Option<Flow<f64>>, [inward, outward]: [&str; 2]| match flow {
        Some(flow) => format!("{word} {inward} {}/s  {outward} {}/s", as_bytes(flow.inward), as_bytes(flow.outward)),
        None => format!("{word} {unknown}"),
    };
    let pids = sum.pids.map_or_else(String::new, |pids| format!("  pids {pids}"));
    let restarts = sum.restarts.map_or_else(String::new, |restarts| format!("  restarts {restarts}"));
    vec![
        Chart {
            title: titled("cpu", cpu.map(cores), cpu_limit.map(cores), cpu_share) + &pids + &restarts,
            role: strain_role(Strain::Cpu, cpu_share, Role::Text),
            values: if machine.is_some() { of_machine(MachineMeasure::Cpu) } else { history(Measure::Cpu) },
            least: 0.05,
            limit: cpu_limit,
        },
        Chart {
            title: titled("mem", memory.map(as_bytes), memory_limit.map(as_bytes), memory_share),
            role: strain_role(Strain::Memory, memory_share, Role::Text),
            values: if machine.is_some() { of_machine(MachineMeasure::Memory) } else { history(Measure::Memory) },
            least: 1_048_576.0,
            limit: memory_limit,
        },
        Chart {
            title: flow("net", sum.network, ["in", "out"]),
            role: Role::Text,
            values: both(Measure::Received, Measure::Sent),
            least: 1024.0,
            limit: None,
        },
        Chart {
            title: flow("disk", sum.block, ["read", "written"]),
            role: Role::Text,
            values: both(Measure::Read, Measure::Written),
            least: 1024.0,
            limit: None,
        },
    ]
}

impl Chart {
    fn render(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        Pen::new(buffer, area, 0).text(&self.title, view.theme.style(self.role));
        let Some(rows) = area.height.checked_sub(1).filter(|rows| *rows > 0) else { return };
        let peak = self.values.iter().flatten().copied().fold(self.least, f64::max);
        // A limit far above would press the rest flat: then only the title names it.
        let limit = self.limit.filter(|limit| *limit <= peak * 2.5);
        let top = limit.map_or(peak, |limit| limit.max(peak));
        let eighth = |value: f64| (value / top * f64::from(rows) * 8.0).ceil().clamp(0.0, f64::from(rows) * 8.0) as u16;
        let signs = eighths(view.theme);
        let (bar, edge) = (view.theme.style(Role::TextDim), view.theme.style(Role::StateAttention));
        let line = limit.map(|limit| rows - eighth(limit).div_ceil(8).min(rows));
        let dash = if view.theme.is_ascii() { "-" } else { "┄" };
        for (x, value) in (0..area.width).zip(&self.values) {
            let filled = value.map_or(0, |value| eighth(value).max(1));
            for row in 0..rows {
                let level = filled.saturating_sub((rows - 1 - row) * 8).min(8);
                let is_limit = line == Some(row);
                let (sign, style): (&str, Style) = match level {
                    0 if is_limit => (dash, edge),
                    0 => continue,
                    _ if is_limit => (signs[usize::from(level) - 1], edge),
                    _ => (signs[usize::from(level) - 1], bar),
                };
                Pen::new(buffer, area, row + 1).to(area.x + x).text(sign, style);
            }
        }
    }
}

/// The time axis: where a container of it was started, and where one ended badly.
fn marks(buffer: &mut Buffer, area: Rect, node: &Node, (from, to): (i64, i64), view: &View<'_>) {
    let dim = view.theme.style(Role::TextDim);
    Pen::new(buffer, area, 0).fill(view.theme.symbol(Symbol::Rule), view.theme.style(Role::FrameRule));
    let concerns = |event: &crate::fleet::EngineEvent| {
        let key = crate::fleet::ContainerKey { host: event.host.clone(), id: event.id.clone() };
        match (node, view.fleet.container(&key).map(|container| &container.identity)) {
            (Node::Host(host), _) => event.host == *host,
            (Node::Container(of), _) => *of == key,
            (_, None) => false,
            (Node::Environment(environment), Some(identity)) => identity.environment == *environment,
            (Node::App(environment, app), Some(identity)) => {
                identity.environment == *environment && identity.service.app.as_ref() == Some(app)
            }
            (Node::Service(environment, service), Some(identity)) => identity.environment == *environment && identity.service == *service,
        }
    };
    let mut said = String::new();
    for event in view.fleet.events().iter().filter(|event| event.kind == EventKind::Container) {
        let at = event.at.timestamp();
        if at < from || at >= to || !concerns(event) {
            continue;
        }
        let (sign, role) = match event.verb() {
            "start" => (view.theme.symbol(Symbol::Cursor), Role::Accent),
            "oom" => (view.theme.symbol(Symbol::Bad), Role::StateBad),
            "die" if event.exit_code.is_some_and(|code| code != 0) => (view.theme.symbol(Symbol::Bad), Role::StateAttention),
            _ => continue,
        };
        let x = (at - from) * i64::from(area.width) / (to - from).max(1);
        Pen::new(buffer, area, 0).to(area.x + u16::try_from(x).unwrap_or(0)).text(sign, view.theme.style(role));
        said = format!(" {} started  {} ended ", view.theme.symbol(Symbol::Cursor), view.theme.symbol(Symbol::Bad));
    }
    Pen::new(buffer, area, 0).text_if_fits(if area.width > 40 { &said } else { "" }, dim);
}
