//! The layer on the screen. Each thing has its place and keeps it: what changes changes there.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Deed, RunLayer,
    status::{self, Said, hints, lines, moment, traffic},
};
use crate::{
    action::{Action, Availability, Context, availability},
    alerts::{Finding, Probe},
    board::run::{Brief, Cell, Line, Mark, Row, Sign, Stand, Story},
    rights::Rights,
    text::width,
    ui::{
        frame,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// From so many cells on, why a host waits stands in its own line; below, in the line under it.
const WIDE: u16 = 130;
/// Lines of a log at most.
const TAIL: usize = 8;
/// With its rule, a log of fewer lines tells nothing.
const LEAST_LOG: u16 = 3;

impl RunLayer {
    pub(super) fn paint(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let ground = view.theme.style(Role::Screen);
        for row in 0..area.height {
            Pen::new(buffer, area, row).fill(" ", ground);
        }
        self.length = 0;
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        match (&self.id, self.story(view)) {
            (None, _) => self.menu(buffer, area, body, view),
            (Some(id), None) => {
                frame::rule(buffer, area, 0, &format!(" Deployment {} ", id.number), "", view);
                let (text, role) = match view.board.run.unread(id) {
                    Some(why) => (why.to_owned(), Role::StateAttention),
                    None => (format!("reading {}", view.theme.symbol(Symbol::Cut)), Role::TextDim),
                };
                Pen::new(buffer, body, 1).skip(1).text(&text, view.theme.style(role));
            }
            (Some(_), Some(story)) => self.whole(buffer, area, body, story, view),
        }
        self.foot(buffer, area, view);
    }

    /// Those that can be chosen from.
    fn menu(&self, buffer: &mut Buffer, area: Rect, body: Rect, view: &View<'_>) {
        frame::rule(buffer, area, 0, &format!(" {} deployments under way ", self.choices.len()), "", view);
        for (row, (index, id)) in (0..body.height).zip(self.choices.iter().enumerate()) {
            let is_current = self.row == Some(index);
            let ground = if is_current { view.theme.style(Role::TableCursor) } else { Style::default() };
            if is_current {
                Pen::new(buffer, body, row).fill(" ", ground);
            }
            let brief = view.board.run.briefs().iter().find(|brief| brief.id == *id);
            let mut pen = Pen::new(buffer, body, row);
            match brief {
                Some(brief) => {
                    let (symbol, role) = sign(brief);
                    pen.skip(1).text(view.theme.symbol(symbol), ground.patch(view.theme.style(role))).skip(1);
                    let text = format!("{:<6} {}  {}  {}", id.number, brief.what(), brief.by, brief.stand.word());
                    pen.text(&text, ground.patch(view.theme.style(Role::Text)));
                }
                None => drop(pen.skip(3).text(&format!("{:<6} has ended", id.number), ground.patch(view.theme.style(Role::TextDim)))),
            }
        }
    }

    fn whole(&mut self, buffer: &mut Buffer, area: Rect, body: Rect, story: &Story, view: &View<'_>) {
        let now = moment(story, view);
        frame::rule(buffer, area, 0, &status::title(story, now, view), "", view);
        let at = self.at(story);
        if let Some(row) = story.rows.get(at).filter(|_| self.detail) {
            return self.steps(buffer, body, row, view);
        }
        let said = lines(story, view);
        let is_wide = area.width >= WIDE;
        let below = u16::try_from(said.len()).unwrap_or(u16::MAX).saturating_add(2).min(body.height / 2);
        let room = body.height.saturating_sub(below);
        let count = u16::try_from(story.rows.len()).unwrap_or(u16::MAX);
        // Where there is room, every host keeps a line for why it waits, so that none moves when one does.
        let each = if is_wide || count.saturating_mul(2) > room.saturating_sub(LEAST_LOG + 1) { 1 } else { 2 };
        let shown = count.min(room.saturating_sub(if count * each > room { 0 } else { LEAST_LOG.min(room - count * each) }) / each).max(1);
        let first = (at + 1).saturating_sub(usize::from(shown)).min(story.rows.len().saturating_sub(usize::from(shown)));
        let columns = Columns::of(story, area.width);
        let mut y = 0;
        for (index, row) in story.rows.iter().enumerate().skip(first).take(usize::from(shown)) {
            self.host(buffer, body, y, (row, index == at, each), &columns, (now, story, view));
            y += each;
        }
        if !story.plan.is_empty() {
            return self.waiting(buffer, Rect { y: body.y + y, height: body.height - y, ..body }, story, &said, view);
        }
        // A narrow screen with many hosts: at least of the one that the cursor is on it is told why it waits.
        if each == 1 && !is_wide {
            if let Some(why) = story.rows.get(at).and_then(|row| row.why.as_ref()) {
                Pen::new(buffer, body, y)
                    .skip(1)
                    .text(&why.line(now, usize::from(body.width.saturating_sub(2))), view.theme.style(Role::StateProgress));
            }
            y += 1;
        }
        if let Some((text, has_failed)) = traffic(story, view) {
            let role = if has_failed { Role::StateBad } else { Role::Text };
            Pen::new(buffer, body, y).skip(1).text("traffic", view.theme.style(Role::TextDim)).skip(2).text(&text, view.theme.style(role));
        }
        y += 1;
        y = told(buffer, body, y, &said, view);
        let rest = Rect { y: body.y + y.min(body.height), height: body.height.saturating_sub(y), ..body };
        if let Some(row) = story.rows.get(at).filter(|_| rest.height > 1) {
            tail(buffer, rest, row, view);
        }
    }

    /// What was not begun: what would be done.
    fn waiting(&mut self, buffer: &mut Buffer, body: Rect, story: &Story, said: &[Said], view: &View<'_>) {
        let y = told(buffer, body, 0, said, view) + 1;
        let room = usize::from(body.height.saturating_sub(y));
        (self.page, self.length) = (room.max(1), story.plan.len());
        self.top = self.top.min(self.length.saturating_sub(self.page));
        for (row, line) in (y..body.height).zip(story.plan.iter().skip(self.top)) {
            Pen::new(buffer, body, row).skip(1).text(line, view.theme.style(Role::Text));
        }
    }

    fn host(
        &self,
        buffer: &mut Buffer,
        body: Rect,
        y: u16,
        (row, is_current, each): (&Row, bool, u16),
        columns: &Columns,
        (now, story, view): (chrono::DateTime<chrono::Utc>, &Story, &View<'_>),
    ) {
        let theme = view.theme;
        let ground = if is_current { theme.style(Role::TableCursor) } else { Style::default() };
        if is_current {
            Pen::new(buffer, body, y).fill(" ", ground);
        }
        let mut pen = Pen::new(buffer, body, y);
        let name = row.host.as_ref().map_or("all", |host| host.as_str());
        let name_role = if row.host.is_some() { Role::TextStrong } else { Role::TextDim };
        pen.skip(1).text(&theme.fit(name, columns.name), ground.patch(theme.style(name_role)));
        for ((cell, word), x) in row.cells.iter().zip(&columns.words).zip(&columns.at) {
            pen.to(body.x + x);
            let Some(Cell { sign, part }) = cell else { continue };
            let Some((symbol, role)) = drawn(*sign, &story.stand) else { continue };
            let word_role = match sign {
                Sign::Done => Role::Text,
                Sign::Gone | Sign::Blank => Role::TextDim,
                Sign::Now | Sign::Failed | Sign::Back => role,
            };
            let part = part.map(|(done, of)| format!(" {done}/{of}")).unwrap_or_default();
            pen.text(theme.symbol(symbol), ground.patch(theme.style(role))).skip(1);
            pen.text(&format!("{word}{part}"), ground.patch(theme.style(word_role)));
        }
        let end = body.x + columns.end;
        if let Some(took) = row.took {
            pen.to(end).text(&format!("{} s", took.as_secs()), ground.patch(theme.style(Role::TextDim)));
        }
        let room = if each == 1 { body.width.saturating_sub(columns.end + 1) } else { body.width.saturating_sub(4) };
        let why = row.why.as_ref().map(|why| why.line(now, usize::from(room)));
        if let Some(why) = why {
            match each {
                1 if body.width >= WIDE => drop(pen.to(end).text(&why, ground.patch(theme.style(Role::StateProgress)))),
                1 => {}
                _ => drop(Pen::new(buffer, body, y + 1).to(body.x + 3).text(&why, theme.style(Role::StateProgress))),
            }
        }
    }

    /// Every step of a host.
    fn steps(&mut self, buffer: &mut Buffer, body: Rect, row: &Row, view: &View<'_>) {
        let theme = view.theme;
        let name = row.host.as_ref().map_or("what is on no host", |host| host.as_str());
        Pen::new(buffer, body, 0).skip(1).text(name, theme.style(Role::TextStrong));
        let rows: Vec<(&Line, Option<&str>)> = row
            .lines
            .iter()
            .flat_map(|line| std::iter::once((line, None)).chain(line.error.as_deref().map(|error| (line, Some(error)))))
            .collect();
        (self.page, self.length) = (usize::from(body.height.saturating_sub(1)).max(1), rows.len());
        self.top = self.top.min(self.length.saturating_sub(self.page));
        for (y, (line, error)) in (1..body.height).zip(rows.iter().skip(self.top)) {
            let mut pen = Pen::new(buffer, body, y);
            if let Some(error) = error {
                pen.skip(14).text(error, theme.style(Role::StateBad));
                continue;
            }
            pen.skip(1);
            let role = match drawn(line.sign, &Stand::Running) {
                Some((symbol, role)) => {
                    pen.text(theme.symbol(symbol), theme.style(role));
                    if matches!(line.sign, Sign::Done) { Role::Text } else { role }
                }
                None => Role::TextDim,
            };
            let took = line.took.map(|took| format!("{:.1} s", took.as_secs_f64())).unwrap_or_default();
            pen.to(body.x + 3).text(&format!("{took:>8}"), theme.style(Role::TextDim)).skip(2).text(&line.text, theme.style(role));
        }
    }

    /// The question, or what can be done here.
    fn foot(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let line = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        let mut pen = Pen::new(buffer, line, 0);
        pen.skip(1);
        let contexts = Context::focus(Context::Global, Some(self.context_shown()));
        if let Some(question) = &self.question {
            let (what, number) = (word(question.deed), self.id.as_ref().map_or(0, |id| id.number));
            let close = view.keymap.reverse(Action::LayerClose, &Context::focus(Context::Global, Some(Context::Confirm))).unwrap_or("esc");
            match &question.word {
                None => {
                    pen.text(&format!("{what} deployment {number}? "), theme.style(Role::TextStrong));
                    pen.text("y", theme.style(Role::HintKey)).skip(1).text("does it", theme.style(Role::HintText)).skip(2);
                    pen.text(close, theme.style(Role::HintKey)).skip(1).text("nothing happens", theme.style(Role::HintText));
                }
                Some(name) => {
                    pen.text("type ", theme.style(Role::InputPrompt)).text(name, theme.style(Role::TextStrong));
                    pen.text(" and enter to begin it: ", theme.style(Role::InputPrompt));
                    let at = pen.at();
                    question.input.render(Rect { x: at, width: line.right().saturating_sub(at), ..line }, buffer, theme);
                }
            }
            return;
        }
        let read_only = matches!(view.rights, Rights::View { .. });
        let all = match (&self.id, self.detail) {
            (None, _) => vec![(Action::SelectionOpen, "open"), (Action::LayerClose, "leave")],
            (Some(_), true) => vec![(Action::LayerClose, "back"), (Action::RunLogs, "both logs")],
            (Some(_), false) => hints(self.story(view)),
        };
        for (action, word) in all {
            let Some(key) = view.keymap.reverse(action, &contexts) else { continue };
            if width(key) + width(word) + 1 > pen.left() {
                break;
            }
            let selected = crate::action::Selected::Deployment;
            let allowed = availability(action, read_only, self.context_shown(), selected) == Availability::Allowed;
            let (key_role, word_role) = if allowed { (Role::HintKey, Role::HintText) } else { (Role::HintDenied, Role::HintDenied) };
            pen.text(key, theme.style(key_role)).skip(1).text(word, theme.style(word_role)).skip(2);
        }
    }

    fn context_shown(&self) -> Context {
        if self.id.is_some() { Context::Run } else { Context::Menu }
    }
}

fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Park => "park",
        Deed::Unwind => "take back all that was done by",
        Deed::Resume => "carry on",
        Deed::Finish => "put away what is kept warm by",
    }
}

/// The sign of one that is under way.
pub(in crate::ui) fn sign(brief: &Brief) -> (Symbol, Role) {
    match brief.stand {
        Stand::Silent { .. } | Stand::Failed => (Symbol::Bad, Role::StateBad),
        Stand::Parked | Stand::Waiting { .. } | Stand::Ready => (Symbol::Odd, Role::StateAttention),
        Stand::Running | Stand::TakingBack => (Symbol::Progress, Role::StateProgress),
        Stand::Good | Stand::Unwound => (Symbol::Done, Role::StateDone),
    }
}

/// How a cell looks; nothing for what is to come.
fn drawn(sign: Sign, stand: &Stand) -> Option<(Symbol, Role)> {
    match sign {
        Sign::Blank => None,
        // Of a run that does not run nobody knows how far this got.
        Sign::Now if !stand.is_moving() => Some((Symbol::Stale, Role::StateAttention)),
        Sign::Now => Some((Symbol::Progress, Role::StateProgress)),
        Sign::Done => Some((Symbol::Done, Role::StateDone)),
        Sign::Failed => Some((Symbol::Bad, Role::StateBad)),
        Sign::Back => Some((Symbol::Progress, Role::StateAttention)),
        Sign::Gone => Some((Symbol::Dot, Role::TextDim)),
    }
}

/// Where everything of a row stands, the same for all of them.
struct Columns {
    name: usize,
    words: Vec<&'static str>,
    at: Vec<u16>,
    end: u16,
}

impl Columns {
    fn of(story: &Story, cells: u16) -> Self {
        let name = story.rows.iter().map(|row| row.host.as_ref().map_or(3, |host| width(host.as_str()))).max().unwrap_or(3).clamp(3, 24);
        let part = |index: usize| {
            let parts = story.rows.iter().filter_map(|row| row.cells.get(index).copied().flatten());
            if parts.into_iter().any(|cell| cell.part.is_some()) { 4 } else { 0 }
        };
        let place = |word: fn(Mark) -> &'static str| {
            let words: Vec<&'static str> = story.marks.iter().map(|mark| word(*mark)).collect();
            let mut x = name + 4;
            let mut at = Vec::with_capacity(words.len());
            for (index, word) in words.iter().enumerate() {
                at.push(u16::try_from(x).unwrap_or(u16::MAX));
                x += 2 + width(word) + part(index) + 2;
            }
            (words, at, u16::try_from(x).unwrap_or(u16::MAX))
        };
        let forms: [fn(Mark) -> &'static str; 3] = [|mark| mark.words()[0], |mark| mark.words()[1], |mark| mark.words()[2]];
        let mut placed = place(forms[0]);
        for shorter in &forms[1..] {
            // How long a host took stands behind them.
            if placed.2 > cells.saturating_sub(4) {
                placed = place(*shorter);
            }
        }
        let (words, at, end) = placed;
        Self { name, words, at, end }
    }
}

/// Paints what is said, each at most in two lines; the row after it.
fn told(buffer: &mut Buffer, body: Rect, y: u16, said: &[Said], view: &View<'_>) -> u16 {
    let mut y = y;
    let room = usize::from(body.width.saturating_sub(4)).max(10);
    for Said { sign, role, text } in said {
        let style = view.theme.style(*role);
        if let Some(symbol) = sign {
            Pen::new(buffer, body, y).skip(1).text(view.theme.symbol(*symbol), style);
        }
        let words_style = if matches!(role, Role::TextDim) { style } else { view.theme.style(Role::Text) };
        let (first, second) = broken(text, room);
        Pen::new(buffer, body, y).skip(3).text(first, words_style);
        y += 1;
        if !second.is_empty() {
            Pen::new(buffer, body, y).skip(3).text(second, words_style);
            y += 1;
        }
    }
    y
}

/// A text in two lines, at a space.
fn broken(text: &str, room: usize) -> (&str, &str) {
    if width(text) <= room {
        return (text, "");
    }
    let mut cut = 0;
    for (index, _) in text.match_indices(' ') {
        if width(&text[..index]) > room {
            break;
        }
        cut = index;
    }
    if cut == 0 { (text, "") } else { (&text[..cut], text[cut..].trim_start()) }
}

/// The last lines of the container that tells most about a row.
fn tail(buffer: &mut Buffer, area: Rect, row: &Row, view: &View<'_>) {
    let theme = view.theme;
    let Some(container) = RunLayer::logged(row, view) else { return };
    let title = format!(" log of the new {} on {} ", container.identity.service.service, container.key.host);
    frame::rule(buffer, area, 0, &title, "", view);
    let probe = Probe::Tail { container: container.key.clone(), until: None };
    let room = TAIL.min(usize::from(area.height.saturating_sub(1)));
    match view.evidence.nearest(&probe) {
        Some(Finding::Tail(found)) => {
            let skipped = found.lines.len().saturating_sub(room);
            for (y, line) in (1..area.height).zip(found.lines.iter().skip(skipped)) {
                let mut pen = Pen::new(buffer, area, y);
                pen.skip(1).text(&crate::text::clock(line.at.moment()), theme.style(Role::TextDim)).skip(1);
                pen.text(&line.text, theme.style(Role::Text));
            }
            if found.lines.is_empty() {
                Pen::new(buffer, area, 1).skip(1).text("it has written nothing yet", theme.style(Role::TextDim));
            }
        }
        Some(Finding::Failed(why)) => drop(Pen::new(buffer, area, 1).skip(1).text(why, theme.style(Role::TextDim))),
        Some(Finding::Health(_)) | None => {
            Pen::new(buffer, area, 1).skip(1).text(&format!("reading {}", theme.symbol(Symbol::Cut)), theme.style(Role::TextDim));
        }
    }
}
