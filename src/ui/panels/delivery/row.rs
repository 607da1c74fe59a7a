//! One app on the screen: its name, the headings of its lanes, and what each says.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Delivery,
    lane::{self, Lane, Line},
    layout::Columns,
};
use crate::{
    board::lanes::Way,
    text::width,
    ui::{
        theme::{Role, Symbol, Theme},
        view::View,
        widgets::Pen,
    },
};

/// Lines of an app at most, heading and the line of air below included.
const MOST: u16 = 9;
/// And at least, so that little moves when states come and go.
const LEAST: u16 = 5;
/// With so many cells a text that is cut says more than a short one.
const EASY: usize = 20;

/// How many lines an app wants.
pub(super) fn height(way: &Way, panel: &Delivery, view: &View<'_>) -> u16 {
    let stops = lane::of(way).into_iter().filter(|lane| *lane != Lane::Commits);
    let longest = stops.map(|lane| lines(way, &lane, panel, view).len()).max().unwrap_or(0);
    let fault = u16::from(way.fault.is_some());
    u16::try_from(longest + 2).unwrap_or(MOST).saturating_add(fault).clamp(LEAST, MOST)
}

fn lines(way: &Way, lane: &Lane, panel: &Delivery, view: &View<'_>) -> Vec<Line> {
    match lane {
        Lane::Commits => lane::commits(&way.source, view),
        Lane::Build => lane::build(way, view),
        Lane::Environment(environment) => way.stop(environment).map_or_else(Vec::new, |stop| {
            let odd = panel.odd.get(&(way.app.clone(), environment.clone()));
            lane::stop(stop, odd.map_or(&[], Vec::as_slice), view)
        }),
    }
}

/// Paints it, and tells where each lane is.
pub(super) fn render(
    buffer: &mut Buffer,
    area: Rect,
    way: &Way,
    (columns, current): (&Columns, Option<usize>),
    panel: &Delivery,
    view: &View<'_>,
) -> Vec<(Rect, Lane)> {
    let theme = view.theme;
    let lanes = lane::of(way);
    let fault = way.fault.as_ref().filter(|_| area.height >= 3);
    let body = area.height.saturating_sub(1 + u16::from(fault.is_some()));
    // The last line is air, unless that is all there is.
    let body = if area.height > 4 && fault.is_none() { body - 1 } else { body };
    let mut placed = Vec::new();
    let mut x = area.x + 1;
    if columns.first > 0 {
        edge(buffer, Rect { x: area.x, width: 1, ..area }, if theme.is_ascii() { "<" } else { "‹" }, view);
    }
    for (index, cells) in columns.range().zip(&columns.widths) {
        let Some(lane) = lanes.get(index) else { continue };
        let place = Rect { x, width: (*cells).min(area.right().saturating_sub(x)), ..area };
        let inside = Rect { width: place.width.saturating_sub(1), ..place };
        let is_current = current == Some(index);
        heading(buffer, inside, way, lane, (is_current, index == columns.first), view);
        let rows = Rect { y: area.y + 1, height: body, ..inside };
        let narrow = *lane == Lane::Commits && inside.width < 12;
        paint(buffer, rows, &lines(way, lane, panel, view), (is_current, narrow), view);
        placed.push((place, lane.clone()));
        x = place.right();
    }
    if columns.after > 0 {
        edge(buffer, Rect { x: area.right() - 1, width: 1, ..area }, if theme.is_ascii() { ">" } else { "›" }, view);
    }
    if let Some(why) = fault {
        let row = if way.stops.is_empty() { 2 } else { area.height - 1 };
        let room = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        let mut pen = Pen::new(buffer, room, row);
        pen.text(theme.symbol(Symbol::Bad), theme.style(Role::StateBad)).skip(1);
        let left = pen.left();
        let why = why.lines().next().unwrap_or_default();
        pen.text(&theme.fit(&format!("its template cannot be read: {why}"), left), theme.style(Role::Text));
    }
    placed
}

/// That there are more lanes on this side.
fn edge(buffer: &mut Buffer, place: Rect, sign: &str, view: &View<'_>) {
    Pen::new(buffer, place, 0).text(sign, view.theme.style(Role::Accent));
}

fn heading(buffer: &mut Buffer, place: Rect, way: &Way, lane: &Lane, (is_current, is_first): (bool, bool), view: &View<'_>) {
    let theme = view.theme;
    let role = if is_current { Role::Accent } else { Role::TableHeader };
    if is_current {
        // In the gap before the lane, so that no text moves with the cursor.
        let gap = Rect { x: place.x.saturating_sub(1), width: 1, ..place };
        Pen::new(buffer, gap, 0).text(theme.symbol(Symbol::Cursor), theme.style(Role::Accent));
    }
    let mut pen = Pen::new(buffer, place, 0);
    let room = |pen: &Pen<'_>| pen.left();
    if is_first {
        // The app's name stands where its row begins.
        let left = room(&pen);
        let role = if is_current { Role::Accent } else { Role::TextStrong };
        pen.text(&theme.fit(way.app.as_str(), left), theme.style(role)).skip(1);
    }
    let title = match lane {
        Lane::Commits => "COMMITS".to_owned(),
        Lane::Build => "BUILD".to_owned(),
        Lane::Environment(environment) => environment.as_str().to_uppercase(),
    };
    if !is_first || width(&title) <= room(&pen) {
        let left = room(&pen);
        pen.text(&theme.fit(&title, left), theme.style(role));
    }
}

/// As many of the lines as there are rows, the least important left out.
fn paint(buffer: &mut Buffer, place: Rect, lines: &[Line], (is_current, narrow): (bool, bool), view: &View<'_>) {
    let theme = view.theme;
    // A count is what a narrow column has room for.
    let lines: Vec<&Line> = lines.iter().filter(|line| !narrow || line.rank < 3).collect();
    let count = lines.len();
    let shown = chosen(lines, usize::from(place.height));
    let cut = shown.len() < count;
    let last = shown.len().saturating_sub(1);
    for (row, (nth, line)) in (0..place.height).zip(shown.into_iter().enumerate()) {
        let ground = if is_current && nth == 0 { theme.style(Role::TableCursor) } else { Style::default() };
        let mut pen = Pen::new(buffer, place, row);
        if is_current && nth == 0 {
            pen.fill(" ", ground);
            pen = Pen::new(buffer, place, row);
        }
        if let Some((symbol, role)) = line.sign {
            pen.text(theme.symbol(symbol), ground.patch(theme.style(role))).skip(1);
        }
        let more = if cut && nth == last { 2 } else { 0 };
        let left = pen.left().saturating_sub(more);
        let whole = whole_parts(&line.text, left, theme);
        let text = line.short.as_deref().filter(|_| width(whole) > left && left < EASY).unwrap_or(whole);
        pen.text(&theme.fit(text, left), ground.patch(theme.style(line.role)));
        if more > 0 {
            pen.skip(1).text(theme.symbol(Symbol::Cut), theme.style(Role::TextDim));
        }
    }
}

/// A line without the parts at its end that have no room: the pane below has them all.
fn whole_parts<'l>(mut line: &'l str, cells: usize, theme: &Theme) -> &'l str {
    let dot = format!(" {} ", theme.symbol(Symbol::Dot));
    while width(line) > cells {
        match line.rsplit_once(dot.as_str()) {
            Some((before, _)) => line = before,
            None => break,
        }
    }
    line
}

/// The lines that stay, in their order.
fn chosen(mut shown: Vec<&Line>, rows: usize) -> Vec<&Line> {
    while shown.len() > rows {
        let worst = shown.iter().map(|line| line.rank).max().unwrap_or(0);
        let Some(at) = shown.iter().rposition(|line| line.rank == worst) else { break };
        shown.remove(at);
    }
    shown
}
