//! The lines of one or many containers, merged by time. Owns where the window is and how lines are shown; which lines there are, the open
//! stream knows.

mod bar;
mod dressing;
mod row;
mod times;
mod window;

#[cfg(test)]
pub(in crate::ui) mod sample;
#[cfg(test)]
mod tests;

use ratatui::{buffer::Buffer, layout::Rect};

use self::{
    dressing::Dressing,
    row::{Canvas, Columns, Part},
    times::Times,
    window::{FOLD, Window},
};
use crate::{
    action::{Action, Context},
    fleet::ContainerKey,
    logs::{Entry, Level, LogWish, Shelf, Tape},
    ui::{
        layers::LogLayer,
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        screen::Request,
        theme::Role,
        view::View,
        widgets::Pen,
    },
};

/// Cells of one step to the side.
const STEP: usize = 16;
/// Lines of one notch of the wheel.
const NOTCH: isize = 3;
/// So many of a stream's containers are inspected at most, so that a restart is told by its start.
const INSPECTED: usize = 100;

/// Whether long lines are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Long {
    /// One row each.
    #[default]
    Cut,
    /// As many rows as they need, within reason.
    Wrapped,
}

/// How structured lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Structured {
    /// In reading order: level, message, fields.
    #[default]
    Short,
    /// As they came.
    Raw,
}

/// The panel's own state.
#[derive(Default)]
pub struct Logs {
    /// The stream that the window is on.
    tape: Option<u64>,
    window: Window,
    dressing: Dressing,
    times: Times,
    long: Long,
    structured: Structured,
    /// How far the lines are scrolled to the left, in cells.
    shift: usize,
}

impl Logs {
    /// Another stream than the one before is looked at from its newest line on.
    fn meet(&mut self, tape: &Tape) {
        if self.tape != Some(tape.number()) {
            self.tape = Some(tape.number());
            self.window = Window::default();
            self.shift = 0;
        }
    }

    /// Tells who reads what must not make room.
    fn held(&self) -> Outcome {
        Outcome::Request(Request::Logs(LogWish::Hold(self.window.hold())))
    }

    fn find(&mut self, forward: bool, shelf: &Shelf) -> Outcome {
        let Some(search) = shelf.search() else { return Outcome::LogLayer(LogLayer::Search) };
        let found = search.found();
        let next = match (self.window.cursor(shelf).filter(|_| !self.window.follows()), forward) {
            (Some(cursor), true) => found.at_or_after(cursor + 1),
            (Some(cursor), false) => found.before(cursor),
            (None, true) => None,
            (None, false) => found.before(u64::MAX),
        };
        match next {
            Some(number) => {
                self.window.jump(number, shelf);
                self.held()
            }
            None if !shelf.is_settled() => Outcome::Say("still searching".to_owned()),
            None if found.is_empty() => Outcome::Say(format!("nothing matches {:?}", search.text())),
            None => Outcome::Say(format!("no match {} this one", if forward { "after" } else { "before" })),
        }
    }

    fn line_text(&self, shelf: &Shelf) -> Option<String> {
        match shelf.ring().get(self.window.cursor(shelf)?)? {
            Entry::Line(line) => Some(line.text.plain().into_owned()),
            Entry::Marker(marker) => Some(marker.text()),
        }
    }

    fn on_screen(&self, shelf: &Shelf) -> String {
        let mut numbers: Vec<u64> = self.window.seen().iter().map(|seen| seen.number).collect();
        numbers.dedup();
        let text = |number: u64| match shelf.ring().get(number) {
            Some(Entry::Line(line)) => line.text.plain().into_owned(),
            Some(Entry::Marker(marker)) => marker.text(),
            None => String::new(),
        };
        numbers.into_iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

impl Panel for Logs {
    fn id(&self) -> PanelId {
        PanelId::Logs
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        view.logs.map_or_else(|| "nothing is open".to_owned(), |tape| bar::heading(tape, view.theme))
    }

    fn aside(&self, view: &View<'_>) -> Option<String> {
        Some(view.logs.map_or(String::new(), |tape| bar::aside(tape, view.theme)))
    }

    fn refresh(&mut self, _: Refresh<'_>, _: &View<'_>) {}

    fn selection(&self, view: &View<'_>) -> Selection {
        match view.logs.and_then(|tape| self.window.cursor(tape.shelf())) {
            Some(_) => Selection::Line,
            None => Selection::Nothing,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        let Some(tape) = view.logs else {
            return match action {
                Action::LayerClose => Outcome::Back,
                _ => Outcome::Ignored,
            };
        };
        self.meet(tape);
        let shelf = tape.shelf();
        match action {
            Action::ListMoveDown => self.window.step(1, shelf),
            Action::ListMoveUp => self.window.step(-1, shelf),
            Action::ListPageDown => self.window.page(true, shelf),
            Action::ListPageUp => self.window.page(false, shelf),
            Action::ListMoveFirst => self.window.first(shelf),
            Action::ListMoveLast => self.window.follow(),
            Action::ListMoveLeft => self.shift = self.shift.saturating_sub(STEP),
            Action::ListMoveRight if self.long == Long::Cut => self.shift = (self.shift + STEP).min(16 << 10),
            Action::ListMoveRight => {}
            Action::LogsTogglePause => self.window.toggle_pause(shelf),
            Action::LogsFind => return Outcome::LogLayer(LogLayer::Search),
            Action::LogsFindNext => return self.find(true, shelf),
            Action::LogsFindPrevious => return self.find(false, shelf),
            Action::LogsFilter => return Outcome::LogLayer(LogLayer::Filter),
            Action::LogsPopFilter if shelf.filter().terms().is_empty() => return Outcome::Say("no filter is on".to_owned()),
            Action::LogsPopFilter => return Outcome::Request(Request::Logs(LogWish::PopFilter)),
            Action::LogsCycleLevel => return Outcome::Request(Request::Logs(LogWish::Level(next_level(shelf.filter().level())))),
            Action::LogsPickTime => return Outcome::LogLayer(LogLayer::Span),
            Action::LogsSearchFleet => return Outcome::LogLayer(LogLayer::Hunt),
            Action::LogsExport => return Outcome::LogLayer(LogLayer::Export { on_screen: self.on_screen(shelf) }),
            Action::LogsClose => return Outcome::Request(Request::Logs(LogWish::Close)),
            Action::LogsCopyLine => {
                return self.line_text(shelf).map_or(Outcome::Ignored, |text| Outcome::Request(Request::Copy(text)));
            }
            Action::SelectionOpen => {
                return self.window.cursor(shelf).map_or(Outcome::Ignored, |number| Outcome::LogLayer(LogLayer::Line(number)));
            }
            Action::LogsToggleWrap => {
                self.long = if self.long == Long::Cut { Long::Wrapped } else { Long::Cut };
                self.shift = 0;
            }
            Action::LogsToggleFields => {
                self.structured = if self.structured == Structured::Short { Structured::Raw } else { Structured::Short };
            }
            Action::LogsCycleTimes => {
                self.times = self.times.next();
                return Outcome::Say(self.times.words().to_owned());
            }
            Action::LayerClose if shelf.search().is_some() && tape.as_hunt().is_none() => {
                return Outcome::Request(Request::Logs(LogWish::Search(String::new())));
            }
            // Out of a search is back to the stream that it was started from.
            Action::LayerClose => match tape.as_hunt() {
                Some(_) => {
                    let wish = LogWish::Open { rule: tape.rule().clone(), title: tape.title().to_owned() };
                    return Outcome::Request(Request::Logs(wish));
                }
                None => return Outcome::Back,
            },
            _ => return Outcome::Ignored,
        }
        self.held()
    }

    fn jump(&mut self, number: u64, view: &View<'_>) -> Outcome {
        let Some(tape) = view.logs else { return Outcome::Ignored };
        self.meet(tape);
        self.window.jump(number, tape.shelf());
        self.held()
    }

    fn click(&mut self, _: u16, y: u16, view: &View<'_>) -> Outcome {
        let Some(tape) = view.logs else { return Outcome::Ignored };
        if self.window.click(usize::from(y), tape.shelf()) { self.held() } else { Outcome::Ignored }
    }

    fn wheel(&mut self, down: bool, view: &View<'_>) -> Outcome {
        let Some(tape) = view.logs else { return Outcome::Ignored };
        self.meet(tape);
        self.window.scroll(if down { NOTCH } else { -NOTCH }, tape.shelf());
        self.held()
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let Some(tape) = view.logs else {
            render_nothing(buffer, area, view);
            return;
        };
        self.meet(tape);
        self.dressing.begin(tape.number(), tape.shelf(), view.theme, self.structured == Structured::Short);
        self.lay_out(area, tape, view);
        // What there is to say follows from what is seen, and takes room from it.
        let foot = bar::rows(tape, &self.window, area);
        let body = Rect { height: area.height - foot, ..area };
        if foot > 0 {
            self.lay_out(body, tape, view);
        }
        self.render_lines(buffer, body, tape, view);
        bar::render(buffer, Rect { y: body.bottom(), height: foot, ..area }, tape, &self.window, view);
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::LogsFind,
            Action::LogsFilter,
            Action::LogsCycleLevel,
            Action::LogsPickTime,
            Action::LogsTogglePause,
            Action::SelectionOpen,
            Action::LogsExport,
            Action::LogsToggleWrap,
            Action::LogsCycleTimes,
            Action::LogsSearchFleet,
            Action::LayerClose,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, view: &View<'_>) -> Vec<ContainerKey> {
        view.logs.map_or_else(Vec::new, |tape| tape.containers().take(INSPECTED).cloned().collect())
    }
}

impl Logs {
    fn lay_out(&mut self, area: Rect, tape: &Tape, view: &View<'_>) {
        let shelf = tape.shelf();
        let room = usize::from(Columns::new(area, self.times, false, tape).room);
        let (dressing, wrapped) = (&mut self.dressing, self.long == Long::Wrapped);
        self.window.lay_out(usize::from(area.height), shelf, |number| match shelf.ring().get(number) {
            Some(Entry::Line(line)) if wrapped => dressing.line(number, line, shelf, view).rows(room).len().min(FOLD),
            Some(Entry::Line(_) | Entry::Marker(_)) | None => 1,
        });
    }

    fn render_lines(&mut self, buffer: &mut Buffer, area: Rect, tape: &Tape, view: &View<'_>) {
        let shelf = tape.shelf();
        let mut columns = Columns::new(area, self.times, false, tape);
        let (dressing, wrapped) = (&mut self.dressing, self.long == Long::Wrapped);
        let at = |number: u64| shelf.ring().get(number).map(Entry::at);
        if self.window.seen().iter().filter_map(|seen| at(seen.number)).any(|at| self.times.is_dated(at, view.now)) {
            columns = Columns::new(area, self.times, true, tape);
        }
        let cursor = self.window.cursor(shelf).filter(|_| !self.window.follows());
        for (seen, y) in self.window.seen().iter().zip(area.top()..area.bottom()) {
            let mut canvas = Canvas { buffer: &mut *buffer, area: Rect { y, height: 1, ..area } };
            match shelf.ring().get(seen.number) {
                Some(Entry::Line(line)) => {
                    if self.times == Times::Relative {
                        view.ages.note(view.now - line.at.moment());
                    }
                    canvas.head(line, seen.part, &columns, tape, view);
                    let part = if wrapped { Part::Wrapped(seen.part) } else { Part::Cut(self.shift) };
                    canvas.text(dressing.line(seen.number, line, shelf, view), part, &columns, view.theme);
                }
                Some(Entry::Marker(marker)) => canvas.marker(marker, dressing.marker(seen.number, marker), view.theme),
                None => {}
            }
            if Some(seen.number) == cursor && seen.part == 0 {
                canvas.cursor(view.theme);
            }
        }
        self.dressing.end();
        if self.window.seen().is_empty() {
            let words = bar::nothing_to_see(tape);
            Pen::new(buffer, area, 1).skip(1).text(&words, view.theme.style(Role::TextDim));
        }
    }
}

/// The levels a person would filter by, in turn.
fn next_level(level: Option<Level>) -> Option<Level> {
    match level {
        None => Some(Level::Info),
        Some(Level::Trace | Level::Debug) => Some(Level::Info),
        Some(Level::Info) => Some(Level::Warn),
        Some(Level::Warn) => Some(Level::Error),
        Some(Level::Error | Level::Fatal) => None,
    }
}

fn render_nothing(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let contexts = [Context::Containers, Context::Global];
    let key = |action| view.keymap.reverse(action, &contexts).unwrap_or("the palette");
    let (open, all) = (key(Action::SelectionLogs), key(Action::LogsOpenMatching));
    let dim = view.theme.style(Role::TextDim);
    Pen::new(buffer, area, 1).skip(1).text(&format!("no stream is open: {open} on a container, a service or a host reads its logs,"), dim);
    Pen::new(buffer, area, 2).skip(1).text(&format!("{all} those of all that the filter selects"), dim);
}
