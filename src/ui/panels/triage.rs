//! What is bad now, worst first, each cause once; below it what is known of the one under the cursor. Owns the list as it was last judged
//! and the cursor, which holds a cause, not a line.

mod detail;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::{
    action::Action,
    alerts::{About, Alert, Probe, Rule, Triage as List},
    fleet::{ContainerKey, EngineEvent, EventKind, Severity, matrix::Column},
    text::{counted, width},
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Cursor, Pen},
    },
};

/// Cells of a since-when.
const SINCE: u16 = 6;
/// So many of the log's newest events are looked through for those about the entry.
const LOOK_BACK: usize = 2000;
/// So many events are told.
const EVENTS: usize = 6;

/// The panel's own state.
#[derive(Default)]
pub struct Triage {
    list: List,
    ids: Vec<(Rule, About)>,
    cursor: Cursor<(Rule, About)>,
    /// The last events about the entry under the cursor, newest first.
    events: Vec<Arc<EngineEvent>>,
    body_rows: usize,
}

impl Triage {
    fn alert(&self) -> Option<&Alert> {
        self.list.alert(self.cursor.held()?)
    }

    fn settle(&mut self, view: &View<'_>) {
        self.cursor.settle(&self.ids);
        self.look_up(view);
    }

    /// Gathers what the log tells of the entry under the cursor.
    fn look_up(&mut self, view: &View<'_>) {
        self.events.clear();
        let Some(alert) = self.list.alerts().get(self.cursor.index()) else { return };
        let members: BTreeSet<&ContainerKey> = alert.members.iter().collect();
        let is_about = |event: &EngineEvent| match (event.kind, &alert.about) {
            (EventKind::Link, About::Host(host)) => event.host == *host,
            (EventKind::Container, About::Service { .. }) => {
                members.contains(&ContainerKey { host: event.host.clone(), id: event.id.clone() })
            }
            (_, _) => false,
        };
        let log = view.fleet.events().iter().rev().take(LOOK_BACK);
        self.events = log.filter(|event| is_about(event)).take(EVENTS).cloned().collect();
    }

    fn open(&self) -> Outcome {
        let Some(alert) = self.alert() else { return Outcome::Ignored };
        let panel = if alert.rule.is_of_host() { PanelId::Hosts } else { PanelId::Containers };
        Outcome::Go { panel, filter: Some(alert.selector()) }
    }
}

impl Panel for Triage {
    fn id(&self) -> PanelId {
        PanelId::Triage
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let dot = view.theme.symbol(Symbol::Dot);
        match (self.list.count(Severity::Bad), self.list.count(Severity::Attention)) {
            (0, 0) => "nothing is wrong".to_owned(),
            (0, attention) => format!("{attention} to look at"),
            (bad, 0) => format!("{bad} bad now"),
            (bad, attention) => format!("{bad} bad now {dot} {attention} to look at"),
        }
    }

    fn refresh(&mut self, _: Refresh<'_>, view: &View<'_>) {
        self.enter(view);
    }

    fn keeps_up(&self) -> bool {
        false
    }

    fn enter(&mut self, view: &View<'_>) {
        let usage = view.usage.iter().map(|(key, usage)| (key, *usage));
        self.list = List::of(view.fleet, view.matrix, usage, view.now);
        self.ids = self.list.alerts().iter().map(Alert::id).collect();
        self.settle(view);
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        let Some(alert) = self.alert() else { return Selection::Nothing };
        match (&alert.about, alert.members.as_slice()) {
            (About::Host(host), _) => Selection::Host(host.clone()),
            (About::Service { .. }, [only]) if alert.rule != Rule::Drift => Selection::Container(only.clone()),
            (About::Service { service, environment }, _) => Selection::Service {
                service: service.clone(),
                column: environment.is_some().then(|| Column::Environment(environment.clone())),
            },
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        if let Some(by) = action.list_step(self.body_rows) {
            self.cursor.step(&self.ids, by);
            self.look_up(view);
            return Outcome::Done;
        }
        match action {
            Action::SelectionOpen => self.open(),
            _ => Outcome::Ignored,
        }
    }

    fn click(&mut self, _: u16, y: u16, view: &View<'_>) -> Outcome {
        let row = self.cursor.offset() + usize::from(y);
        if usize::from(y) >= self.body_rows || row >= self.ids.len() {
            return Outcome::Ignored;
        }
        self.cursor.go(&self.ids, row);
        self.look_up(view);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        if self.ids.is_empty() {
            self.body_rows = 0;
            render_calm(buffer, area, view);
            return;
        }
        let rows = (area.height * 2 / 5).clamp(3.min(area.height), 16.max(area.height / 3));
        let body = Rect { height: rows, ..area };
        self.render_rows(buffer, body, view);
        let pane = Rect { y: body.bottom(), height: area.height - rows, ..area };
        if let Some(alert) = self.alert() {
            detail::render(buffer, pane, alert, &self.events, view);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionOpen,
            Action::SelectionLogs,
            Action::SelectionInspect,
            Action::LinkRetry,
            Action::BundleWrite,
            Action::FilterEdit,
            Action::SelectionCopyName,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        self.alert().into_iter().flat_map(|alert| alert.members.iter().take(detail::MEMBERS).cloned()).collect()
    }

    fn probes(&self, view: &View<'_>) -> Vec<Probe> {
        self.alert().map_or_else(Vec::new, |alert| detail::probes(alert, view))
    }
}

impl Triage {
    fn render_rows(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.body_rows = usize::from(area.height);
        let visible = self.cursor.reveal(self.ids.len(), self.body_rows);
        for (index, row) in visible.zip(0..area.height) {
            let Some(alert) = self.list.alerts().get(index) else { continue };
            let is_current = index == self.cursor.index();
            let ground = if is_current { view.theme.style(Role::TableCursor) } else { Style::default() };
            if is_current {
                Pen::new(buffer, area, row).fill(" ", ground);
            }
            let (symbol, role) = sign(alert);
            let dim = ground.patch(view.theme.style(Role::TextDim));
            let text = ground.patch(view.theme.style(if alert.stale && !alert.rule.is_of_host() { Role::StateStale } else { Role::Text }));
            let since = alert.since.map_or_else(String::new, |since| view.age(since));
            let air = SINCE.saturating_sub(u16::try_from(width(&since)).unwrap_or(SINCE));
            let mut pen = Pen::new(buffer, area, row);
            pen.skip(1).text(view.theme.symbol(symbol), ground.patch(view.theme.style(role))).skip(1 + air);
            pen.text(&since, dim).skip(2).text(&view.theme.fit(&alert.sentence, pen_left(area)), text);
            if alert.stale && !alert.rule.is_of_host() {
                pen.skip(2).text_if_fits("last known", dim);
            }
        }
    }
}

/// Cells of a sentence.
fn pen_left(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(SINCE + 5))
}

/// The sign that stands with an entry's colour.
fn sign(alert: &Alert) -> (Symbol, Role) {
    match (alert.severity(), alert.rule) {
        (Severity::Bad, _) => (Symbol::Bad, Role::StateBad),
        (_, Rule::HostStale) => (Symbol::Stale, Role::StateAttention),
        (_, _) => (Symbol::Odd, Role::StateAttention),
    }
}

/// What an empty list says: how much it speaks of.
fn render_calm(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let summary = view.summary;
    let dot = view.theme.symbol(Symbol::Dot);
    let (sign, role, text) = match () {
        () if summary.hosts == 0 => (" ", Role::TextDim, "no host is configured: name one with -H NAME=URL, or in config.toml".to_owned()),
        () if view.filter.selector().is_some() => {
            (" ", Role::TextDim, format!("nothing is wrong with what matches {:?}", view.filter.text()))
        }
        () if summary.live == summary.hosts => {
            let hosts = counted(summary.hosts, "host");
            (view.theme.symbol(Symbol::Done), Role::StateDone, format!("nothing is wrong {dot} {hosts} live"))
        }
        () if summary.live == 0 => (" ", Role::TextDim, format!("waiting for {}", counted(summary.hosts, "host"))),
        () => {
            let left = summary.hosts - summary.live;
            (
                " ",
                Role::TextDim,
                format!("nothing is wrong so far {dot} {} of {} hosts live, waiting for {left}", summary.live, summary.hosts),
            )
        }
    };
    Pen::new(buffer, area, 2).skip(1).text(sign, view.theme.style(role)).skip(1).text(&text, view.theme.style(Role::TextDim));
}
