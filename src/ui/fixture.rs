//! What a [`View`] is made of, for tests of screens: a fleet, a theme, the default keys, and a clock that stands still.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ratatui::buffer::Buffer;
use regex::Regex;

use super::{
    filter::Filter,
    keymap::{self, Keymap},
    theme::{self, Capabilities, Depth, SymbolSet, Theme},
    view::{Ages, View},
};
use crate::{
    act::Runs,
    alerts::{Evidence, Usage},
    fleet::{Change, ContainerKey, Delta, EngineEvent, EventKind, Fleet, Matrix, MatrixBy, Summary, fixture},
    logs::Tape,
    rights::Rights,
    stats::Book,
    text::width,
};

/// Owns everything that a view borrows.
pub(crate) struct Scene {
    pub fleet: Fleet,
    pub stats: Book,
    pub matrix: Matrix,
    pub summary: Summary,
    pub usage: BTreeMap<ContainerKey, Usage>,
    pub evidence: Evidence,
    pub filter: Filter,
    pub stocks: std::collections::BTreeMap<crate::fleet::HostId, crate::stock::Reading>,
    pub board: crate::board::Board,
    pub marks: BTreeSet<ContainerKey>,
    pub runs: Runs,
    pub rights: Rights,
    pub theme: Theme,
    pub keymap: Keymap,
    pub logs: Option<Tape>,
    pub now: DateTime<Utc>,
    pub simulated: bool,
    pub clock: bool,
    pub ages: Ages,
}

impl Scene {
    /// The drawn fleet in harbor.
    pub fn drawn() -> Self {
        Self::of(fixture::fleet())
    }

    /// This fleet in harbor.
    pub fn of(fleet: Fleet) -> Self {
        let now = fixture::now();
        let matrix = Matrix::build(&fleet, MatrixBy::default(), None, now);
        let summary = Summary::of(&fleet, &matrix, now);
        Self {
            fleet,
            stats: Book::default(),
            matrix,
            summary,
            usage: BTreeMap::new(),
            evidence: Evidence::default(),
            filter: Filter::default(),
            stocks: Default::default(),
            board: Default::default(),
            marks: BTreeSet::new(),
            runs: Runs::default(),
            rights: Rights::Act,
            theme: theme("harbor"),
            keymap: keymap::load("default", None).0,
            logs: None,
            now,
            simulated: false,
            clock: true,
            ages: Ages::default(),
        }
    }

    /// The same in another theme; `mono` comes with ASCII signs, as on a plain terminal.
    pub fn in_theme(self, name: &str) -> Self {
        Self { theme: theme(name), ..self }
    }

    /// The same for who may only look.
    pub fn read_only(self) -> Self {
        Self { rights: Rights::view("a test"), ..self }
    }

    /// The same, filtered.
    pub fn filtered(mut self, text: &str) -> Self {
        self.filter.set(text);
        assert_eq!(self.filter.error(), None);
        self.rebuild();
        self
    }

    /// Takes deltas in, one after the other; what they changed together.
    pub fn apply(&mut self, deltas: impl IntoIterator<Item = Delta>) -> Change {
        let mut all = Change::default();
        for delta in deltas {
            all.merge(self.fleet.apply(delta));
        }
        self.rebuild();
        all
    }

    /// What its engine says of a container, by the engine's clock; the second time is ours.
    pub fn event(
        &self,
        (host, name): (&str, &str),
        action: &str,
        exit_code: Option<i64>,
        (engine, ours): (DateTime<Utc>, DateTime<Utc>),
    ) -> Delta {
        let container = self.fleet.containers_on(&host.into()).find(|container| &*container.name == name).unwrap();
        let event = EngineEvent {
            at: engine,
            host: host.into(),
            kind: EventKind::Container,
            action: action.into(),
            id: container.key.id.clone(),
            name: name.into(),
            image: None,
            exit_code,
            signal: None,
            old_name: None,
            labels: container.labels.clone(),
        };
        Delta::Event { event, live: true, at: ours }
    }

    fn rebuild(&mut self) {
        self.matrix = Matrix::build(&self.fleet, self.matrix.by(), self.filter.selector().cloned(), self.now);
        self.summary = Summary::of(&self.fleet, &self.matrix, self.now);
    }

    pub fn view(&self) -> View<'_> {
        View {
            fleet: &self.fleet,
            stats: &self.stats,
            matrix: &self.matrix,
            summary: &self.summary,
            usage: &self.usage,
            evidence: &self.evidence,
            filter: &self.filter,
            stocks: &self.stocks,
            board: &self.board,
            marks: &self.marks,
            runs: &self.runs,
            rights: &self.rights,
            theme: &self.theme,
            keymap: &self.keymap,
            logs: self.logs.as_ref(),
            now: self.now,
            simulated: self.simulated,
            clock: self.clock,
            ages: &self.ages,
        }
    }
}

fn theme(name: &str) -> Theme {
    let can = if name == "mono" {
        Capabilities { depth: Depth::None, symbols: SymbolSet::Ascii }
    } else {
        Capabilities { depth: Depth::True, symbols: SymbolSet::Unicode }
    };
    let (theme, error) = theme::load(name, None, can);
    assert_eq!(error, None);
    theme
}

/// The text of a buffer, line by line. Digits of local times become letters: they differ from time zone to time zone.
pub(crate) fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // The cell behind a wide character shows nothing of its own.
            x += u16::try_from(width(symbol).max(1)).unwrap();
        }
        line.trim_end().to_owned()
    };
    let whole = (area.top()..area.bottom()).map(line).collect::<Vec<_>>().join("\n");
    let scrub = |text: &str, pattern: &str, to: &str| Regex::new(pattern).unwrap().replace_all(text, to).into_owned();
    let whole = scrub(&whole, r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "YYYY-MM-DD hh:mm:ss");
    let whole = scrub(&whole, r"\b\d\d:\d\d:\d\d\b", "hh:mm:ss");
    scrub(&whole, r"\b\d\d:\d\d(\n|$)", "hh:mm$1")
}
