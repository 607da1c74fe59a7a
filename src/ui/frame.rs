//! What surrounds every panel: the header with the fleet's health, the tabs, the title rule, and the foot with its hints.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    layers::run::sign,
    panel::{Panel, PanelId},
    theme::{Role, Symbol},
    view::View,
    widgets::Pen,
};
use crate::{
    action::{Action, Availability, Context, availability},
    rights::Rights,
    text::{counted, width},
};

/// First line: what is wrong, at a glance.
pub fn header(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let theme = view.theme;
    let summary = view.summary;
    let (plain, dim) = (theme.style(Role::Text), theme.style(Role::TextDim));
    let clock = if view.clock { view.now.with_timezone(&chrono::Local).format("%H:%M ").to_string() } else { String::new() };
    let mut reserve = Rect { width: area.width.saturating_sub(u16::try_from(clock.len()).unwrap_or(0)), ..area };
    Pen::new(buffer, area, 0).right(&clock, dim);

    let marks =
        [(matches!(view.rights, Rights::View { .. }), " READ-ONLY ", Role::StateAttention), (view.simulated, " SIMULATED ", Role::Accent)];
    for (shown, text, role) in marks {
        if shown {
            let cells = u16::try_from(text.len()).unwrap_or(0);
            reserve.width = reserve.width.saturating_sub(cells + 1);
            Pen::new(buffer, Rect { x: reserve.right(), width: cells, ..area }, 0).text(text, theme.style(role));
        }
    }

    let mut pen = Pen::new(buffer, reserve, 0);
    if area.width >= 100 {
        pen.skip(1).text("quarterdeck", theme.style(Role::HeaderName)).skip(2);
    }
    let all_live = summary.live == summary.hosts;
    let hosts = format!("{}/{} live", summary.live, summary.hosts);
    pen.skip(1);
    // Hosts that are still being reached are no trouble yet.
    let sign = match () {
        () if all_live => None,
        () if summary.lost > 0 => Some((Symbol::Bad, Role::StateBad)),
        () if summary.stale > 0 => Some((Symbol::Stale, Role::StateAttention)),
        () => Some((Symbol::Progress, Role::StateProgress)),
    };
    match sign {
        Some((symbol, role)) => pen.text(theme.symbol(symbol), theme.style(role)).skip(1).text(&hosts, theme.style(role)),
        None => pen.text(&hosts, plain),
    };
    let figures = [
        (summary.unhealthy, "unhealthy", Symbol::Bad, Role::StateBad),
        (summary.crash_looping, "crash-looping", Symbol::Bad, Role::StateBad),
        (summary.oom, "out of memory", Symbol::Bad, Role::StateBad),
        (summary.exited, "exited", Symbol::Bad, Role::StateBad),
        (summary.drift, "drift", Symbol::Odd, Role::StateAttention),
    ];
    let figures = figures.into_iter().filter(|(count, ..)| *count > 0);
    let mut figures: Vec<(String, Role)> =
        figures.map(|(count, word, symbol, role)| (format!("{} {count} {word}", theme.symbol(symbol)), role)).collect();
    let is_well = figures.is_empty();
    figures.extend(deployments(view));
    let containers = counted(summary.containers, "container");
    // What is wrong comes first: where the line is short the air gives way, then how many containers there are.
    let wrong = |gap: usize| figures.iter().map(|(text, _)| width(text) + gap).sum::<usize>();
    let (gap, counts) = match pen.left() {
        room if wrong(3) + width(&containers) + 3 <= room => (3, true),
        room if wrong(2) + width(&containers) + 2 <= room => (2, true),
        _ => (2, false),
    };
    if counts {
        pen.skip(gap).text(&containers, plain);
    }
    for (text, role) in &figures {
        if width(text) + usize::from(gap) <= pen.left() {
            pen.skip(gap).text(text, theme.style(*role));
        }
    }
    if all_live && is_well && summary.containers > 0 {
        let text = format!("{} all well", theme.symbol(Symbol::Done));
        if width(&text) + 3 <= pen.left() {
            pen.skip(3).text(&text, theme.style(Role::StateDone));
        }
    }
}

/// What is under way, waits or is dead, whoever began it; the sign is that of the worst.
fn deployments(view: &View<'_>) -> Option<(String, Role)> {
    let briefs = view.board.run.briefs();
    let worst = briefs.iter().max_by_key(|brief| brief.stand.weight())?;
    let (symbol, role) = sign(worst);
    Some((format!("{} {}", view.theme.symbol(symbol), counted(briefs.len(), "deployment")), role))
}

/// Second line: the panels with their digits; names give way to digits when the screen is narrow.
pub fn tabs(buffer: &mut Buffer, area: Rect, panels: &[Box<dyn Panel>], current: PanelId, view: &View<'_>) -> Vec<(PanelId, u16, u16)> {
    let full: usize = panels.iter().map(|panel| panel.id().title().len() + 4).sum();
    let short = full > usize::from(area.width);
    let mut pen = Pen::new(buffer, area, 0);
    let mut placed = Vec::with_capacity(panels.len());
    pen.skip(1);
    for panel in panels {
        let id = panel.id();
        let key = view.keymap.reverse(id.action(), &[Context::Global]).unwrap_or("");
        let start = pen.at();
        let chosen = id == current;
        pen.text(key, view.theme.style(Role::HintKey));
        if !short || chosen {
            pen.skip(1).text(id.title(), view.theme.style(if chosen { Role::TabActive } else { Role::TabText }));
        }
        placed.push((id, start, pen.at()));
        pen.skip(2);
    }
    placed
}

/// A horizontal line with a title on it and, where there is room, something at its right end.
pub fn rule(buffer: &mut Buffer, area: Rect, row: u16, title: &str, right: &str, view: &View<'_>) {
    let line = view.theme.style(Role::FrameRule);
    let dash = view.theme.symbol(Symbol::Rule);
    Pen::new(buffer, area, row).fill(dash, line);
    Pen::new(buffer, area, row).skip(1).text(title, view.theme.style(Role::FrameTitle));
    if !right.is_empty() && width(title) + width(right) + 6 < usize::from(area.width) {
        Pen::new(buffer, Rect { width: area.width.saturating_sub(1), ..area }, row).right(right, view.theme.style(Role::TextDim));
    }
}

/// Last line: what can be done here, with the keys of the loaded keymap. What is not allowed is grey.
pub fn foot(buffer: &mut Buffer, area: Rect, panel: &dyn Panel, view: &View<'_>) {
    let theme = view.theme;
    let contexts = [panel.id().context(), Context::Global];
    let selected = panel.selection(view).kind();
    let read_only = matches!(view.rights, Rights::View { .. });
    let mut pen = Pen::new(buffer, area, 0);
    pen.skip(1);
    for action in panel.hints() {
        let Some(key) = view.keymap.reverse(*action, &contexts) else { continue };
        let word = hint_word(*action);
        if width(key) + width(word) + 1 > pen.left() {
            break;
        }
        let allowed = availability(*action, read_only, panel.id().context(), selected) == Availability::Allowed;
        let (key_role, word_role) = if allowed { (Role::HintKey, Role::HintText) } else { (Role::HintDenied, Role::HintDenied) };
        pen.text(key, theme.style(key_role)).skip(1).text(word, theme.style(word_role)).skip(2);
    }
}

/// At the right of the last line: the acts that go on behind whatever is open, and the key that shows them.
pub fn acts(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let mut under_way = view.runs.under_way();
    let Some(first) = under_way.next() else { return };
    let more = under_way.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let key = view.keymap.reverse(Action::ActsShowResults, &[Context::Global]).map_or(String::new(), |key| format!("  {key} shows"));
    let text = format!(" {} {}{more}{key} ", view.theme.symbol(Symbol::Progress), first.line());
    let cells = u16::try_from(width(&text)).unwrap_or(u16::MAX).min(area.width);
    let place = Rect { x: area.right() - cells, width: cells, ..area };
    Pen::new(buffer, place, 0).text(&text, view.theme.style(Role::StateProgress));
}

/// The shortest word for an action, for the foot: the verb of its id.
pub fn hint_word(action: Action) -> &'static str {
    match action {
        Action::SelectionOpen => "open",
        Action::SelectionInspect => "inspect",
        Action::VersionsTurn => "turn",
        Action::FilterEdit => "filter",
        Action::SelectionCopyVersion | Action::SelectionCopyName | Action::SelectionCopyId => "copy",
        Action::GlobalOpenPalette => "commands",
        Action::GlobalOpenHelp => "keys",
        Action::RowMark => "mark",
        Action::ContainersSort => "sort",
        Action::ContainersChooseColumns => "columns",
        Action::ContainersGroup => "group",
        Action::LinkRetry => "retry",
        Action::ActsOpenMenu => "start/stop",
        Action::BundleWrite => "hand off",
        Action::SelectionLogs => "logs",
        Action::LogsFind => "search",
        Action::LogsFilter => "filters",
        Action::LogsCycleLevel => "level",
        Action::LogsPickTime => "since/until",
        Action::LogsTogglePause => "pause",
        Action::LogsToggleWrap => "wrap",
        Action::LogsCycleTimes => "times",
        Action::LogsSearchFleet => "search all",
        Action::LayerClose => "back",
        Action::SelectionProcesses => "processes",
        Action::GroupFold => "fold",
        Action::UsageToggle => "usage",
        Action::TemplateOpen => "template",
        Action::DeliveryRollBack => "roll back",
        Action::DeliveryApplyConfig => "apply config",
        Action::ChangesShow => "what changed",
        Action::HistoryPickTime => "time travel",
        other => other.row().id.rsplit('.').next().unwrap_or(other.row().id),
    }
}
