//! What changed on the fleet, newest first; what repeats is one row until it is unfolded.
//!
//! The cursor at the top stays at the top: new events push in under it. Anywhere else it holds its event.

mod detail;
mod feed;
pub(super) mod words;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Local, Utc};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use self::feed::{Feed, Line, Run};
use crate::{
    action::Action,
    alerts::Probe,
    fleet::{ContainerKey, EngineEvent, EventKind, ImageId, ImageRef, LinkState, Severity, version},
    text::{age, clock, count, width},
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column, Pen, place},
    },
};

/// Cells of a time of day, and of one with its date.
const TIME: u16 = 8;
const DATED: u16 = 15;
/// The widest host that its column gives room to.
const HOST: u16 = 20;
/// The longest run of words for one row, in things that happened; the detail says all.
const SAID: usize = 4;

/// Where the cursor goes when events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Follow {
    /// It stays on the newest.
    #[default]
    Newest,
    /// It stays on its event.
    Held,
}

/// The row under the cursor: found again by its event when rows were folded together.
#[derive(Clone, Debug)]
struct Held {
    line: Line,
    number: u64,
    event: Arc<EngineEvent>,
}

/// The panel's own state.
#[derive(Default)]
pub struct Events {
    feed: Feed,
    held: Option<Held>,
    follow: Follow,
    /// The first row on screen.
    top: Option<Line>,
    /// The rows of the last frame, and where they began.
    painted: Vec<Line>,
    body_top: u16,
    body_rows: u16,
    host_width: u16,
}

impl Events {
    fn hold(&mut self, line: Option<Line>) {
        self.held = line.and_then(|line| {
            let event = Arc::clone(self.feed.event(line)?);
            Some(Held { line, number: self.feed.number(line), event })
        });
    }

    fn line(&self) -> Option<Line> {
        self.held.as_ref().map(|held| held.line)
    }

    /// Moves by this many rows, stopping at the ends.
    fn step(&mut self, by: isize) {
        let mut at = self.line();
        for _ in 0..by.unsigned_abs() {
            let next = at.and_then(|line| if by < 0 { self.feed.above(line) } else { self.feed.below(line) });
            if next.is_none() {
                break;
            }
            at = next;
        }
        self.go(at);
    }

    fn go(&mut self, line: Option<Line>) {
        self.follow = if line == self.feed.newest() { Follow::Newest } else { Follow::Held };
        self.hold(line);
    }

    fn settle(&mut self) {
        let line = match (self.follow, &self.held) {
            (Follow::Held, Some(held)) => self.feed.find(held.line, held.number, &held.event),
            (Follow::Newest, _) | (Follow::Held, None) => self.feed.newest(),
        };
        self.hold(line);
        if self.top.is_some_and(|top| self.feed.event(top).is_none()) {
            self.top = line;
        }
    }

    /// The rows of a window of this height that holds the cursor.
    fn window(&mut self, height: usize) -> Vec<Line> {
        let Some(cursor) = self.line() else { return Vec::new() };
        let from = |top: Line| std::iter::successors(Some(top), |line| self.feed.below(*line)).take(height).collect::<Vec<_>>();
        if self.follow == Follow::Newest {
            self.top = Some(cursor);
            return from(cursor);
        }
        let mut rows = self.top.map(from).unwrap_or_default();
        if !rows.contains(&cursor) {
            // Above the window: it begins with the cursor. Below it: it ends with the cursor.
            let is_above = self.top.is_none_or(|top| self.feed.rank(top) <= self.feed.rank(cursor));
            let back = if is_above { 0 } else { height.saturating_sub(1) };
            self.top = std::iter::successors(Some(cursor), |line| self.feed.above(*line)).take(back + 1).last();
            rows = self.top.map(from).unwrap_or_default();
        }
        // Nothing is left empty below while there is something above.
        while rows.len() < height {
            let Some(above) = rows.first().and_then(|line| self.feed.above(*line)) else { break };
            rows.insert(0, above);
            self.top = Some(above);
        }
        rows
    }

    fn open(&mut self, view: &View<'_>) -> Outcome {
        let Some(held) = self.held.clone() else { return Outcome::Ignored };
        match held.line {
            Line::Run(_) if self.toggle(held.line) => Outcome::Done,
            Line::Run(_) | Line::Event { .. } => inspect(&held.event, view),
        }
    }

    fn toggle(&mut self, line: Line) -> bool {
        let Some(line) = self.feed.toggle(line) else { return false };
        if self.top.is_some_and(|top| !matches!(top, Line::Run(_))) {
            self.top = None;
        }
        self.hold(Some(line));
        true
    }
}

impl Panel for Events {
    fn id(&self) -> PanelId {
        PanelId::Events
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let log = view.fleet.events();
        let rows = match self.feed.len() {
            1 => "1 row".to_owned(),
            rows => format!("{} rows", count(rows as u64)),
        };
        let dropped = if log.dropped() > 0 { format!(" · {} older ones dropped", count(log.dropped())) } else { String::new() };
        format!("newest first · {rows} of {} events{dropped}", count(log.len() as u64))
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        match refresh {
            Refresh::All => {
                self.feed.filter(view.filter.selector(), view.fleet);
                let widest = view.fleet.hosts().map(|host| width(host.spec.id.as_str())).max().unwrap_or(0);
                self.host_width = u16::try_from(widest).unwrap_or(HOST).clamp(4, HOST);
            }
            Refresh::Changed(change) => self.feed.rejudge(change, view.fleet),
        }
        self.feed.take(view.fleet);
        self.settle();
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        self.held.as_ref().map_or(Selection::Nothing, |held| Selection::Event(key_of(&held.event)))
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        let page = isize::try_from(self.body_rows.max(1)).unwrap_or(1);
        match action {
            Action::ListMoveDown => self.step(1),
            Action::ListMoveUp => self.step(-1),
            Action::ListPageDown => self.step(page),
            Action::ListPageUp => self.step(-page),
            Action::ListMoveFirst => self.go(self.feed.newest()),
            Action::ListMoveLast => self.go(self.feed.oldest()),
            Action::GroupFold => match self.line() {
                Some(line) if self.toggle(line) => {}
                Some(_) | None => return Outcome::Say("nothing is folded here".to_owned()),
            },
            Action::SelectionOpen => return self.open(view),
            Action::SelectionInspect => return self.held.as_ref().map_or(Outcome::Ignored, |held| inspect(&held.event, view)),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn click(&mut self, _: u16, y: u16, _: &View<'_>) -> Outcome {
        let row = y.checked_sub(self.body_top).map(usize::from);
        match row.and_then(|row| self.painted.get(row)).copied() {
            Some(line) => {
                // A click on the newest holds it too: the row under the pointer must not move away from under it.
                self.follow = Follow::Held;
                self.hold(Some(line));
                Outcome::Done
            }
            None => Outcome::Ignored,
        }
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let detail_rows = match area.height {
            30.. => 16,
            14.. => 8,
            low => 4.min(low / 3),
        };
        let body = Rect { height: area.height.saturating_sub(detail_rows), ..area };
        self.render_rows(buffer, body, view);
        if let Some(held) = &self.held {
            let run = match held.line {
                Line::Run(name) => self.feed.run(name).filter(|run| run.len() > 1),
                Line::Event { .. } => None,
            };
            let pane = Rect { y: body.bottom(), height: detail_rows, ..area };
            let story = detail::Story { event: &held.event, run, before: self.feed.before(held.number, &held.event) };
            detail::render(buffer, pane, &story, view);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionOpen,
            Action::GroupFold,
            Action::SelectionInspect,
            Action::FilterEdit,
            Action::SelectionCopyName,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn probes(&self, view: &View<'_>) -> Vec<Probe> {
        self.held.iter().filter_map(|held| detail::probe(&held.event, view)).collect()
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        // Only the detail shows a container as it is now.
        self.held.iter().filter(|held| held.event.kind == EventKind::Container).map(|held| key_of(&held.event)).collect()
    }
}

impl Events {
    fn render_rows(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.body_top = 1;
        self.body_rows = area.height.saturating_sub(1);
        self.painted = self.window(usize::from(self.body_rows));
        if self.painted.is_empty() {
            render_empty(buffer, area, view);
            return;
        }
        let is_dated = view.fleet.events().iter().next().is_some_and(|oldest| !is_today(oldest.at, view.now));
        let columns = [
            column("TIME", if is_dated { DATED } else { TIME }, if is_dated { DATED } else { TIME }, 0),
            column("HOST", 4, self.host_width, 0),
            column("WHAT", 30, 40, 0),
            column("NAME", 8, 20, 0),
            column("SERVICE", 12, 22, 2),
            column("ENVIRONMENT", 11, 12, 3),
            column("VERSION", 16, 26, 1),
        ];
        let placed = place(&columns, area.width.saturating_sub(2));
        for column in &placed {
            let cells = Rect { x: area.x + 1 + column.x, width: column.width, ..area };
            Pen::new(buffer, cells, 0).text(columns[column.index].title, view.theme.style(Role::TableHeader));
        }
        for (line, row) in self.painted.iter().zip(1..area.height) {
            let Some(event) = self.feed.event(*line) else { continue };
            let is_current = self.line() == Some(*line);
            let ground = if is_current { view.theme.style(Role::TableCursor) } else { Style::default() };
            if is_current {
                Pen::new(buffer, area, row).fill(" ", ground);
            }
            let text = ground.patch(view.theme.style(Role::Text));
            let dim = ground.patch(view.theme.style(Role::TextDim));
            let about = About::of(event, view);
            for column in &placed {
                let cells = Rect { x: area.x + 1 + column.x, width: column.width, ..area };
                let mut pen = Pen::new(buffer, cells, row);
                match column.index {
                    0 => pen.text(&moment(event.at, view.now, is_dated), dim),
                    1 => pen.text(event.host.as_str(), text),
                    2 => self.render_what(&mut pen, *line, event, ground, view),
                    3 => pen.text(name_of(event), text),
                    4 => pen.text(&about.service, dim),
                    5 => pen.text(&about.environment, dim),
                    _ => pen.text(&about.version, dim),
                };
            }
        }
    }

    fn render_what<'p, 'b>(
        &self,
        pen: &'p mut Pen<'b>,
        line: Line,
        event: &EngineEvent,
        ground: Style,
        view: &View<'_>,
    ) -> &'p mut Pen<'b> {
        let run = match line {
            Line::Run(name) => self.feed.run(name).filter(|run| run.len() > 1),
            Line::Event { .. } => {
                pen.skip(2);
                None
            }
        };
        let (severity, words) = match run {
            Some(run) => (run.said().iter().map(|(severity, ..)| *severity).max().unwrap_or(Severity::Quiet), run_words(run)),
            None => words::words(event),
        };
        let (symbol, role) = sign(severity);
        let style = ground.patch(view.theme.style(role));
        pen.text(
            view.theme.symbol(symbol),
            if severity == Severity::Quiet { ground.patch(view.theme.style(Role::TextDim)) } else { style },
        );
        pen.skip(1).text(&words, style)
    }
}

/// `×12 in 4m: died (1), started`, the worst first.
fn run_words(run: &Run) -> String {
    let mut said: Vec<&(Severity, String, usize)> = run.said().iter().collect();
    said.sort_by_key(|(severity, ..)| std::cmp::Reverse(*severity));
    let mut text: Vec<&str> = said.iter().take(SAID).map(|(_, text, _)| text.as_str()).collect();
    if said.len() > SAID {
        text.push("…");
    }
    format!("×{} in {}: {}", run.len(), age(run.span()), text.join(", "))
}

fn sign(severity: Severity) -> (Symbol, Role) {
    match severity {
        Severity::Bad => (Symbol::Bad, Role::StateBad),
        Severity::Attention => (Symbol::Stale, Role::StateAttention),
        Severity::Quiet => (Symbol::Dot, Role::Text),
    }
}

/// What a row says of the container behind an event; empty where it is about something else.
#[derive(Default)]
struct About {
    service: String,
    environment: String,
    version: String,
}

impl About {
    fn of(event: &EngineEvent, view: &View<'_>) -> Self {
        let Some(identity) = view.fleet.identity_of(event) else { return Self::default() };
        let version = match view.fleet.container(&key_of(event)) {
            Some(container) => container.version.text.to_string(),
            None => match event.image.as_deref() {
                Some(image) => version::derive(&event.labels, &ImageRef::parse(image), None, &ImageId::new("")).text.to_string(),
                None => String::new(),
            },
        };
        Self {
            service: identity.service.to_string(),
            environment: identity.environment.map_or_else(|| "–".to_owned(), |environment| environment.to_string()),
            version,
        }
    }
}

fn inspect(event: &EngineEvent, view: &View<'_>) -> Outcome {
    let key = key_of(event);
    match event.kind {
        EventKind::Container if view.fleet.container(&key).is_some() => Outcome::Inspect(key),
        EventKind::Container => Outcome::Say(format!("{} is gone from {}: nothing to inspect", event.name, event.host)),
        kind => Outcome::Say(format!("this is about the {}: only containers can be inspected", kind.word())),
    }
}

fn render_empty(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let log = view.fleet.events();
    let since = view.fleet.hosts().filter_map(|host| match &host.link {
        LinkState::Live { since } => Some(*since),
        LinkState::Connecting | LinkState::Stale { .. } | LinkState::Retrying { .. } | LinkState::Refused { .. } => None,
    });
    let text = match since.min() {
        _ if !log.is_empty() => format!("none of {} events matches {:?} · esc shows all", count(log.len() as u64), view.filter.text()),
        Some(since) => format!(
            "nothing has happened since {}: that is when this console began to listen",
            moment(since, view.now, !is_today(since, view.now))
        ),
        None => format!("no host is connected yet: waiting for {}", view.fleet.hosts().len()),
    };
    Pen::new(buffer, area, 2).skip(1).text(&text, view.theme.style(Role::TextDim));
}

fn is_today(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at.with_timezone(&Local).date_naive() == now.with_timezone(&Local).date_naive()
}

/// `14:02:31`; in a column with older days in it, those with their date: `20 Nov 14:02:31`.
fn moment(at: DateTime<Utc>, now: DateTime<Utc>, is_dated: bool) -> String {
    match (is_dated, is_today(at, now)) {
        (true, false) => at.with_timezone(&Local).format("%d %b %H:%M:%S").to_string(),
        (true, true) => format!("{:>15}", clock(at)),
        (false, _) => clock(at),
    }
}

fn key_of(event: &EngineEvent) -> ContainerKey {
    ContainerKey { host: event.host.clone(), id: event.id.clone() }
}

/// What an event is about, by name.
fn name_of(event: &EngineEvent) -> &str {
    match (&*event.name, event.kind) {
        ("", EventKind::Link) => "",
        ("", _) => event.id.short(),
        (name, _) => name,
    }
}

fn column(title: &'static str, min: u16, wanted: u16, priority: u8) -> Column {
    Column { title, align: Align::Left, min, wanted, priority }
}
