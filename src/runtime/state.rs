//! Everything the console knows, with one writer: reports from the engine side and requests from the screen come in, effects
//! come out.

mod log_wish;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Effect, Kept};
use crate::{
    act::{Progress, Run, RunId, Runs, Stage},
    alerts::{Evidence, Finding, Probe, Usage},
    board::{Board, News},
    fleet::{
        Change, ContainerKey, Delta, Fleet, HostId, HostSpec,
        identity::IdentityRule,
        matrix::{Matrix, MatrixBy},
        summary::Summary,
    },
    logs::{CastStep, Tape},
    rights::Rights,
    stats::{Batch, Book},
    stock::{Reading, Stock},
    ui::{
        filter::Filter,
        keymap::Keymap,
        panel::Refresh,
        screen::Request,
        theme::Theme,
        view::{Ages, View},
    },
};

/// From a theme's name to the theme, or to one line about what is wrong with it.
pub type LoadTheme = Box<dyn Fn(&str) -> Result<Theme, String>>;

/// What is fixed when the console opens, or changed by a person.
pub struct Settings {
    /// How it looks.
    pub theme: Theme,
    /// Which keys it answers to.
    pub keymap: Keymap,
    /// Whether the header shows the time of day.
    pub clock: bool,
    /// Whether the mouse is ours.
    pub mouse: bool,
    /// Whether the fleet is simulated.
    pub simulated: bool,
    /// Loads a theme by name; an error is one line for the foot.
    pub load_theme: LoadTheme,
    /// What was chosen earlier.
    pub kept: Kept,
}

/// The state.
pub struct State {
    fleet: Fleet,
    stats: Book,
    /// Of the whole fleet by environment: what the header counts, whatever is filtered.
    whole: Matrix,
    /// What the screen shows, where that is something else than the whole.
    part: Option<Matrix>,
    summary: Summary,
    usage: BTreeMap<ContainerKey, Usage>,
    evidence: Evidence,
    filter: Filter,
    stocks: BTreeMap<HostId, Reading>,
    board: Board,
    marks: BTreeSet<ContainerKey>,
    runs: Runs,
    /// Leaving was asked for while acts are under way, and the answer was that they are.
    leaving: bool,
    rights: Rights,
    settings: Settings,
    logs: Option<Tape>,
    log_steps: Vec<CastStep>,
    /// How many streams were opened.
    tapes: u64,
    now: DateTime<Utc>,
    ages: Ages,
    /// What changed since the screen last looked.
    changed: Change,
    /// Whether everything must be looked at again: another filter, another turn.
    reset: bool,
}

impl State {
    /// A state that knows its hosts and nothing of them yet.
    pub fn new(hosts: Vec<HostSpec>, rules: Vec<IdentityRule>, rights: Rights, settings: Settings, now: DateTime<Utc>) -> Self {
        let fleet = Fleet::new(hosts, rules);
        let whole = Matrix::build(&fleet, MatrixBy::default(), None, now);
        let summary = Summary::of(&fleet, &whole, now);
        Self {
            fleet,
            stats: Book::default(),
            whole,
            part: None,
            summary,
            usage: BTreeMap::new(),
            evidence: Evidence::default(),
            filter: Filter::default(),
            stocks: BTreeMap::new(),
            board: Board::default(),
            marks: BTreeSet::new(),
            runs: Runs::default(),
            leaving: false,
            rights,
            settings,
            logs: None,
            log_steps: Vec::new(),
            tapes: 0,
            now,
            ages: Ages::default(),
            changed: Change::default(),
            reset: true,
        }
    }

    /// What the screen may read.
    pub fn view(&self) -> View<'_> {
        View {
            fleet: &self.fleet,
            stats: &self.stats,
            matrix: self.matrix(),
            summary: &self.summary,
            usage: &self.usage,
            evidence: &self.evidence,
            filter: &self.filter,
            stocks: &self.stocks,
            board: &self.board,
            marks: &self.marks,
            runs: &self.runs,
            rights: &self.rights,
            theme: &self.settings.theme,
            keymap: &self.settings.keymap,
            logs: self.logs.as_ref(),
            now: self.now,
            simulated: self.settings.simulated,
            clock: self.settings.clock,
            ages: &self.ages,
        }
    }

    /// Takes a change of the fleet; whether it may show on a screen.
    pub fn apply(&mut self, delta: Delta) -> bool {
        let change = self.fleet.apply(delta);
        let visible = change.is_visible() || change.logged;
        if let Some(tape) = &mut self.logs {
            self.log_steps.extend(tape.observe(&self.fleet, &change));
        }
        self.changed.merge(change);
        visible
    }

    /// Takes what the delivery desk tells; a line for the foot comes back.
    pub fn learn_delivery(&mut self, news: News) -> Option<String> {
        self.reset = true;
        self.board.learn(news)
    }

    /// Takes what a host keeps.
    pub fn stock(&mut self, host: HostId, result: Result<Box<Stock>, String>, at: DateTime<Utc>) {
        self.stocks.insert(host, Reading { at, result });
        self.reset = true;
    }

    /// The columns that were chosen the last time, by their headings.
    pub fn kept_columns(&self) -> Vec<&str> {
        self.settings.kept.columns()
    }

    /// Takes an answer about a trouble.
    pub fn learn(&mut self, probe: Probe, finding: Finding, now: DateTime<Utc>) {
        self.evidence.learn(probe, finding, now);
    }

    /// Takes what was measured. No change of the fleet: only a screen that shows it looks different.
    pub fn measured(&mut self, batch: &Batch) {
        self.stats.take(batch, &self.fleet);
        let machine = self.fleet.host(&batch.host).and_then(|host| host.engine.as_ref()).map(|engine| engine.memory);
        for (id, _) in &batch.samples {
            let key = ContainerKey { host: batch.host.clone(), id: id.clone() };
            if let Some(last) = self.stats.last(&key) {
                self.usage.insert(key, Usage::of(last.memory, last.memory_limit, machine));
            }
        }
    }

    /// Takes a request of the screen.
    pub fn update(&mut self, request: Request) -> Vec<Effect> {
        match request {
            Request::Deliver(order) => return vec![Effect::Deliver(order)],
            Request::Ask(command) => return vec![Effect::Engine(command)],
            Request::Filter(text) => {
                if self.filter.set(&text) {
                    self.rebuild(self.matrix().by());
                }
            }
            Request::TurnMatrix => {
                let by = match self.matrix().by() {
                    MatrixBy::Environment => MatrixBy::Host,
                    MatrixBy::Host => MatrixBy::Environment,
                };
                self.rebuild(by);
            }
            Request::Mark(keys) => {
                for key in keys {
                    if !self.marks.remove(&key) {
                        self.marks.insert(key);
                    }
                }
            }
            Request::ClearMarks => self.marks.clear(),
            Request::Copy(text) => return vec![Effect::Copy(text)],
            Request::SaveScreen => return vec![Effect::SaveScreen],
            Request::Exec { container, command } => return vec![Effect::Exec { container, command }],
            Request::OpenThemes => return vec![Effect::OpenThemes],
            Request::Theme { name, keep } => match (self.settings.load_theme)(&name) {
                Ok(theme) => {
                    self.settings.theme = theme;
                    if keep {
                        self.settings.kept.choose_theme(name);
                        return self.keep();
                    }
                }
                Err(error) => return vec![Effect::Say(error)],
            },
            Request::KeepColumns(columns) => {
                self.settings.kept.choose_columns(&columns);
                return self.keep();
            }
            Request::WriteBundle => return vec![Effect::WriteBundle],
            Request::Revealed(key) => {
                let name = self.fleet.container(&key).map_or_else(|| key.id.short().into(), |container| container.name.clone());
                return vec![Effect::RecordLook { key, name }];
            }
            Request::ToggleMouse => {
                self.settings.mouse = !self.settings.mouse;
                let words = if self.settings.mouse {
                    "the mouse is the console's: click and wheel"
                } else {
                    "the mouse is the terminal's: select text"
                };
                return vec![Effect::Mouse(self.settings.mouse), Effect::Say(words.to_owned())];
            }
            Request::Suspend => return vec![Effect::Suspend],
            Request::Logs(wish) => return self.wish(wish),
            Request::Repaint => return vec![Effect::Repaint],
            Request::Act(plan) => return vec![Effect::Act(plan)],
            Request::CancelActs(run) => return vec![Effect::CancelActs(run)],
            Request::Quit => return vec![self.quit()],
        }
        Vec::new()
    }

    /// Leaving ends nothing that was sent, but nobody would hear of it: that is said once.
    fn quit(&mut self) -> Effect {
        let open: usize = self.runs.under_way().map(|run| run.tally().open()).sum();
        if open == 0 || std::mem::replace(&mut self.leaving, true) {
            return Effect::Quit(0);
        }
        let what = if open == 1 { "1 act is".to_owned() } else { format!("{open} acts are") };
        Effect::Say(format!("{what} under way: what is sent goes on unheard, what waits is not sent; once more leaves"))
    }

    /// A plan is carried out from now on; its marks have done their work.
    pub fn begin_run(&mut self, run: Run) {
        self.leaving = false;
        for key in run.plan.steps.iter().filter_map(|step| step.target.key()) {
            self.marks.remove(&key);
        }
        self.runs.begin(run);
    }

    /// A target of a run went on; the run's line, when this ended it.
    pub fn progress(&mut self, progress: Progress, at: DateTime<Utc>) -> Option<(RunId, String)> {
        if progress.stage == Stage::Sent
            && let Some(tape) = &self.logs
            && let Some(run) = self.runs.get(progress.run)
            && let Some(key) = run.plan.steps.get(progress.step).and_then(|step| step.target.key())
        {
            self.log_steps.extend(tape.note(&key, run.plan.act.to_string().into(), at));
        }
        self.runs.apply(progress).map(|run| (run.id, run.line()))
    }

    /// A run was called off.
    pub fn call_off(&mut self, run: RunId) {
        self.runs.call_off(run);
    }

    /// Moves the clock, and everything whose verdict rests on it. Returns what the screen must look at again.
    pub fn settle(&mut self, now: DateTime<Utc>) -> Settled {
        self.now = now;
        let changed = std::mem::take(&mut self.changed);
        let visible = changed.is_visible() || changed.logged;
        self.stats.settle(&changed, &self.fleet);
        if !changed.services.is_empty() {
            for matrix in std::iter::once(&mut self.whole).chain(&mut self.part) {
                matrix.update(&self.fleet, &changed.services, now);
            }
        }
        let mut aged = self.whole.settle(&self.fleet, now);
        if let Some(part) = &mut self.part {
            aged |= part.settle(&self.fleet, now);
        }
        if visible || aged || self.reset {
            for gone in &changed.removed {
                self.marks.remove(gone);
                self.usage.remove(gone);
            }
            self.summary = Summary::of(&self.fleet, &self.whole, now);
        }
        Settled { all: std::mem::take(&mut self.reset) || aged, changed, visible }
    }

    /// A console that may only look writes nothing by itself.
    fn keep(&self) -> Vec<Effect> {
        match self.rights {
            Rights::Act => vec![Effect::Keep(self.settings.kept.clone())],
            Rights::View { .. } => Vec::new(),
        }
    }

    fn matrix(&self) -> &Matrix {
        self.part.as_ref().unwrap_or(&self.whole)
    }

    fn rebuild(&mut self, by: MatrixBy) {
        let selector = self.filter.selector().cloned();
        let is_whole = selector.is_none() && by == self.whole.by();
        self.part = (!is_whole).then(|| Matrix::build(&self.fleet, by, selector, self.now));
        self.reset = true;
    }
}

/// What [`State::settle`] found.
pub struct Settled {
    all: bool,
    changed: Change,
    visible: bool,
}

impl Settled {
    /// What the panels look at again; `None` when nothing changed for them.
    pub fn refresh(&self) -> Option<Refresh<'_>> {
        match () {
            () if self.all => Some(Refresh::All),
            () if self.visible => Some(Refresh::Changed(&self.changed)),
            () => None,
        }
    }
}
