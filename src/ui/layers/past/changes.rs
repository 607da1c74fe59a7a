//! Everything that changed near something lately, newest first: the ledger's share and the engines', merged.

use chrono::{DateTime, Local, TimeDelta, Utc};
use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::PastLayer;
use crate::{
    action::{Action, Context},
    board::{
        Watch,
        past::{Change, Kind, Near, Story, Wish, story},
    },
    fleet::Severity,
    text::{age, clock, width},
    ui::{
        frame,
        layers::{Layer, LayerOutcome},
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column, Cursor, Pen, place},
    },
};

/// How far back it looks, in hours, and what that is called.
const SPANS: [(i64, &str); 4] = [(24, "24 hours"), (72, "3 days"), (168, "7 days"), (720, "30 days")];
/// Cells before the first column: the suspect's sign, the kind's sign, air.
const SIGNS: u16 = 5;
/// `14:02:31`, and with a date `20 Nov 14:02:31`.
const TIME: u16 = 8;
const DATED: u16 = 15;

/// What the story was made of: revision, events, what the ledger told, span.
type Made = (u64, u64, u64, usize);
/// What tells one line from the others as they come and go.
type Key = (DateTime<Utc>, Kind, String, String);

/// The open list.
pub struct Changes {
    near: Near,
    span: usize,
    /// When it was opened: the spans reach back from here, so that nothing falls out while one reads.
    opened: DateTime<Utc>,
    story: Story,
    keys: Vec<Key>,
    made: Option<Made>,
    cursor: Cursor<Key>,
    page: usize,
}

impl Changes {
    /// Near this, of the last day.
    pub fn open(near: Near, view: &View<'_>) -> Self {
        Self { near, span: 0, opened: view.now, story: Story::default(), keys: Vec::new(), made: None, cursor: Cursor::default(), page: 1 }
    }

    fn since(&self) -> DateTime<Utc> {
        self.opened - TimeDelta::hours(SPANS[self.span].0)
    }

    /// The ledger's share, once it reaches as far back as is asked for.
    fn is_read(&self, view: &View<'_>) -> bool {
        view.board.past.recorded.as_ref().is_some_and(|recorded| recorded.near == self.near && recorded.since <= self.since())
    }

    fn take(&mut self, view: &View<'_>) {
        let made = (view.fleet.revision(), view.fleet.events().total(), view.board.past.turn, self.span);
        if self.made == Some(made) {
            return;
        }
        self.made = Some(made);
        let recorded = view.board.past.recorded.as_ref().filter(|_| self.is_read(view));
        self.story = story(&self.near, self.since(), recorded, view.fleet, view.now);
        let key = |change: &Change| (change.at, change.kind, change.what.clone(), change.place.clone());
        self.keys = self.story.changes.iter().map(key).collect();
        self.cursor.settle(&self.keys);
    }

    fn turn(&mut self, by: isize) -> LayerOutcome {
        self.span = self.span.saturating_add_signed(by).min(SPANS.len() - 1);
        LayerOutcome::Stay
    }

    /// How far back each source reaches; a ledger that cannot be read comes first.
    fn reach(&self, view: &View<'_>) -> (String, Role) {
        let engines = match self.story.listening {
            Some(since) => format!("engine events since {}", moment(since, view.now)),
            None => "no engine was heard yet".to_owned(),
        };
        let dot = view.theme.symbol(Symbol::Dot);
        match (&view.board.past.fault, self.is_read(view)) {
            (Some(why), _) => (format!("the ledger is not read: {why} {dot} {engines}"), Role::StateAttention),
            (None, true) => (format!("{engines} {dot} ledger since {}", moment(self.since(), view.now)), Role::TextDim),
            (None, false) if view.simulated => (format!("{engines} {dot} a simulated fleet has no ledger"), Role::TextDim),
            (None, false) => (format!("{engines} {dot} the ledger is being read …"), Role::TextDim),
        }
    }

    fn render_foot(&self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        Pen::new(buffer, area, 0).fill(" ", theme.style(Role::Screen));
        let mut pen = Pen::new(buffer, area, 0);
        pen.skip(1);
        let on_deployment = self.selected().is_some_and(|change| change.deployment.is_some());
        let farther = SPANS.get(self.span + 1).map(|(_, name)| *name);
        let nearer = self.span.checked_sub(1).map(|span| SPANS[span].1);
        let hints = [
            (Action::SelectionOpen, on_deployment.then_some("the deployment")),
            (Action::ListMoveRight, farther),
            (Action::ListMoveLeft, nearer),
            (Action::LayerClose, Some("back")),
        ];
        for (action, word) in hints {
            if let (Some(word), Some(key)) = (word, view.keymap.reverse(action, &[Context::Changes, Context::Global]))
                && width(key) + 1 + width(word) <= pen.left()
            {
                pen.text(key, theme.style(Role::HintKey)).skip(1).text(word, theme.style(Role::HintText)).skip(2);
            }
        }
    }

    fn selected(&self) -> Option<&Change> {
        self.story.changes.get(self.cursor.index())
    }
}

impl Layer for Changes {
    fn context(&self) -> Context {
        Context::Changes
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            self.cursor.step(&self.keys, by);
            return LayerOutcome::Stay;
        }
        match action {
            Action::ListMoveRight => self.turn(1),
            Action::ListMoveLeft => self.turn(-1),
            Action::SelectionOpen => match self.selected().and_then(|change| change.deployment.clone()) {
                Some(id) => LayerOutcome::Past(PastLayer::Account(id)),
                None => LayerOutcome::Stay,
            },
            Action::LayerClose | Action::ChangesShow => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn watches(&self) -> Option<Watch> {
        Some(Watch::Past(Wish::Changes { near: self.near.clone(), since: self.since() }))
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        if area.height < 4 {
            return;
        }
        self.take(view);
        let dot = view.theme.symbol(Symbol::Dot);
        let heading = format!(" What changed near {} {dot} last {} {dot} {} ", self.near.title, SPANS[self.span].1, self.keys.len());
        frame::rule(buffer, area, 0, &heading, "", view);
        let (reach, role) = self.reach(view);
        Pen::new(buffer, area, 1).skip(1).text(&reach, view.theme.style(role));
        let pane = if area.height >= 14 { 4 } else { 0 };
        let body = Rect { y: area.y + 2, height: area.height - 3 - pane, ..area };
        self.render_rows(buffer, body, view);
        let below = Rect { y: body.bottom(), height: pane, ..area };
        if let Some(change) = self.selected().filter(|_| pane > 0) {
            render_whole(buffer, below, change, view);
        }
        self.render_foot(buffer, Rect { y: area.bottom() - 1, height: 1, ..area }, view);
    }
}

impl Changes {
    fn render_rows(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.page = usize::from(area.height.saturating_sub(1)).max(1);
        let theme = view.theme;
        if self.keys.is_empty() {
            let words = match self.is_read(view) || view.board.past.fault.is_some() || view.simulated {
                true => "nothing changed here that anybody recorded or heard",
                false => "reading …",
            };
            Pen::new(buffer, area, 1).skip(1).text(words, theme.style(Role::TextDim));
            return;
        }
        let visible = self.cursor.reveal(self.keys.len(), self.page);
        let is_dated = self.story.changes.last().is_some_and(|oldest| !is_today(oldest.at, view.now));
        let time = if is_dated { DATED } else { TIME };
        // As wide as what is seen asks for: places and people differ much from fleet to fleet.
        let widest = |text: fn(&Change) -> &str, least: u16, most: u16| {
            let cells = self.story.changes[visible.clone()].iter().map(|change| width(text(change))).max().unwrap_or(0);
            u16::try_from(cells).unwrap_or(most).clamp(least, most)
        };
        let column = |title, min, wanted, priority| Column { title, align: Align::Left, min, wanted, priority };
        let (who, place_of) = (widest(short_who, 4, 14), widest(|change| &change.place, 6, if area.width < 120 { 18 } else { 36 }));
        let columns = [
            column("TIME", time, time, 0),
            column("AGO", 6, 6, 2),
            column("WHAT", 22, widest(|change| &change.what, 22, 120) + 4, 0),
            column("WHO", who, who, 0),
            column("WHERE", place_of, place_of, 1),
        ];
        let placed = place(&columns, area.width.saturating_sub(SIGNS + 1));
        for at in &placed {
            let cells = Rect { x: area.x + SIGNS + at.x, width: at.width, ..area };
            Pen::new(buffer, cells, 0).text(columns[at.index].title, theme.style(Role::TableHeader));
        }
        for (line, index) in (1..).zip(visible) {
            let change = &self.story.changes[index];
            let ground = if index == self.cursor.index() { theme.style(Role::TableCursor) } else { Style::default() };
            if index == self.cursor.index() {
                Pen::new(buffer, area, line).fill(" ", ground);
            }
            let (symbol, role) = sign(change);
            let mut pen = Pen::new(buffer, area, line);
            pen.skip(1);
            if self.story.suspect == Some(index) {
                pen.text(theme.symbol(Symbol::Cursor), ground.patch(theme.style(Role::Accent)));
            }
            pen.to(area.x + 3).text(theme.symbol(symbol), ground.patch(theme.style(role)));
            let loud = match (self.story.suspect == Some(index), change.severity) {
                (true, _) => Role::Accent,
                (false, Severity::Bad) => Role::StateBad,
                (false, Severity::Attention) => Role::StateAttention,
                (false, Severity::Quiet) => Role::Text,
            };
            for at in &placed {
                let (text, role) = match at.index {
                    0 => (time_of(change.at, view.now, is_dated), Role::TextDim),
                    1 => (view.calm_age(change.at), Role::TextDim),
                    2 => (what(change), loud),
                    3 => (short_who(change).to_owned(), if change.kind == Kind::ByHand { Role::StateAttention } else { Role::Text }),
                    _ => (change.place.clone(), Role::TextDim),
                };
                let cells = Rect { x: area.x + SIGNS + at.x, width: at.width, ..area };
                let shown = theme.fit(&text, usize::from(at.width));
                Pen::new(buffer, cells, line).text(&shown, ground.patch(theme.style(role)));
            }
        }
    }
}

/// The change under the cursor, whole.
fn render_whole(buffer: &mut Buffer, area: Rect, change: &Change, view: &View<'_>) {
    frame::rule(buffer, area, 0, "", "", view);
    let cells = usize::from(area.width.saturating_sub(2)).max(8);
    let rows = usize::from(area.height.saturating_sub(2));
    let mut lines = crate::ui::layers::plan_lines::wrap(&what(change), cells);
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    for (row, line) in (1..).zip(&lines) {
        Pen::new(buffer, area, row).skip(1).text(line, view.theme.style(Role::Text));
    }
    let mut facts = vec![change.who.clone(), change.place.clone()];
    if change.times > 1 {
        facts.push(format!("first {}, {} times within {}", moment(change.first, view.now), change.times, age(change.at - change.first)));
    }
    facts.extend(change.deployment.as_ref().map(|id| format!("deployment {id}")));
    facts.retain(|fact| !fact.is_empty());
    let facts = facts.join(&format!(" {} ", view.theme.symbol(Symbol::Dot)));
    Pen::new(buffer, area, area.height.saturating_sub(1)).skip(1).text(&facts, view.theme.style(Role::TextDim));
}

fn what(change: &Change) -> String {
    if change.times > 1 { format!("{} ×{}", change.what, change.times) } else { change.what.clone() }
}

/// Who, without what a list has no room for: the pane below says it whole.
fn short_who(change: &Change) -> &str {
    change.who.split([',', ':']).next().unwrap_or_default()
}

fn sign(change: &Change) -> (Symbol, Role) {
    match (change.severity, change.kind) {
        (Severity::Bad, _) => (Symbol::Bad, Role::StateBad),
        (Severity::Attention, Kind::Link) => (Symbol::Stale, Role::StateAttention),
        (Severity::Attention, _) => (Symbol::Odd, Role::StateAttention),
        (Severity::Quiet, Kind::ByHand) => (Symbol::Odd, Role::StateAttention),
        (Severity::Quiet, Kind::Deployment) => (Symbol::Done, Role::TextDim),
        (Severity::Quiet, _) => (Symbol::Dot, Role::TextDim),
    }
}

fn is_today(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at.with_timezone(&Local).date_naive() == now.with_timezone(&Local).date_naive()
}

/// `14:02:31`; in a column with older days in it, those with their date: `20 Nov 14:02:31`.
fn time_of(at: DateTime<Utc>, now: DateTime<Utc>, is_dated: bool) -> String {
    if is_dated && is_today(at, now) { format!("{:>15}", clock(at)) } else { moment(at, now) }
}

fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if is_today(at, now) { clock(at) } else { at.with_timezone(&Local).format("%d %b %H:%M:%S").to_string() }
}
