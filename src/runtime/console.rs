//! The console's loop. Wakes for keys, reports, signals, a freed terminal, and the moment when something on the screen reads
//! differently by time alone; sleeps otherwise.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::{
    Effect, State,
    terminal::{self, Event, Suspended, Terminal, TerminalError, Writer},
};
use crate::{
    action::Command,
    engine::{Engine, HostCommand, Question, Report},
    fleet::{ContainerKey, Delta, HostId},
    stats::{Demand, Wanted},
    ui::{
        backend::{Canvas, Drawn},
        layers::theme_picker::ThemePicker,
        osc52,
        panel::Refresh,
        screen::Screen,
        svg::{self, SvgOptions},
        theme,
    },
};

/// Between two frames that nobody's key asked for, in the long run. Keys are answered at once.
const FRAME: Duration = Duration::from_millis(33);

/// So many frames may come early after a quiet time: a single event is seen at once, a flood at the pace of [`FRAME`].
const BURST: u32 = 4;

/// The first frame waits this long for the first list, so that the screen does not begin with an empty table.
const FIRST_FRAME: Duration = Duration::from_millis(25);

/// So many reports are taken between two looks at the keyboard.
const BATCH: usize = 512;

/// How often the loop asks for what only inspect knows of the rows on screen.
const INSPECT_REST: Duration = Duration::from_millis(200);

/// How often a frame is painted for what was measured.
const MEASURED_REST: Duration = Duration::from_secs(1);

/// What a console is opened with.
pub struct Opening {
    /// What it knows at the start.
    pub state: State,
    /// The engine side.
    pub engine: Engine,
    /// What comes from there.
    pub reports: mpsc::Receiver<Report>,
    /// Whether the mouse is ours from the start.
    pub mouse: bool,
    /// One line for the foot until the first key: what was wrong with theme or keymap.
    pub note: Option<String>,
    /// Where a person's own themes are.
    pub theme_dir: Option<PathBuf>,
}

/// The console, opened.
pub struct Console {
    state: State,
    screen: Screen,
    engine: Engine,
    reports: mpsc::Receiver<Report>,
    terminal: Terminal,
    canvas: Canvas<Writer>,
    dirty: bool,
    /// A key was pressed since the last frame: it is due now.
    urgent: bool,
    /// Whether no list has arrived yet.
    first: bool,
    /// When the next frame is due that no key asked for; behind the present by at most [`BURST`] frames.
    pace: Instant,
    asked: HashSet<ContainerKey>,
    asked_at: Option<Instant>,
    /// What each host was told to measure.
    demands: BTreeMap<HostId, Demand>,
    /// A host was too busy to be told: it is told again.
    untold: bool,
    /// Something was measured since the last frame, and when a frame may be painted for it.
    measured: bool,
    measured_due: Instant,
    theme_dir: Option<PathBuf>,
}

impl Console {
    /// Runs the console until it is left; returns the exit code. The caller restores nothing: that is done here, and it should leave by
    /// `std::process::exit`, because a stalled terminal may still hold the writer's thread.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it cannot be set up.
    pub fn run(opening: Opening) -> Result<i32, TerminalError> {
        let Opening { state, engine, reports, mouse, note, theme_dir } = opening;
        let (terminal, events) = terminal::open(terminal::Modes { mouse, kitty_keys: false })?;
        let size = terminal::window_size().map_err(|source| TerminalError::Setup { what: "reading its size", source })?;
        let canvas = Canvas::new(size, terminal.writer().clone());
        let mut console = Self {
            state,
            screen: Screen::default(),
            engine,
            reports,
            terminal,
            canvas,
            dirty: true,
            urgent: false,
            first: true,
            pace: Instant::now() + FIRST_FRAME,
            asked: HashSet::new(),
            asked_at: None,
            demands: BTreeMap::new(),
            untold: false,
            measured: false,
            measured_due: Instant::now(),
            theme_dir,
        };
        if let Some(note) = note {
            console.screen.say(note);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| TerminalError::Setup { what: "starting its event loop", source })?;
        let code = runtime.block_on(console.live(events))?;
        // First the terminal, so that nothing slow stands between the key and the shell.
        console.terminal.close();
        drop(console.engine);
        Ok(code)
    }

    async fn live(&mut self, mut events: terminal::Events) -> Result<i32, TerminalError> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut bus_open = true;
        let writer = self.terminal.writer().clone();
        loop {
            self.paint_if_due();
            let wake = self.next_wake();
            let event = tokio::select! {
                biased;
                event = events.next() => Some(event),
                count = self.reports.recv_many(&mut batch, BATCH), if bus_open => {
                    bus_open = count > 0;
                    None
                }
                // A frame is waiting for the terminal to take the last one.
                () = writer.freed(), if self.dirty => None,
                () = tokio::time::sleep_until(wake.into()) => {
                    self.dirty = true;
                    None
                }
            };
            for report in batch.drain(..) {
                self.take(report);
            }
            let mut next = event;
            while let Some(event) = next {
                if let Some(code) = self.handle(event)? {
                    return Ok(code);
                }
                next = events.try_next();
            }
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Delta(delta) => {
                let listed = matches!(delta, Delta::List { .. });
                self.dirty |= self.state.apply(delta);
                if listed && self.first {
                    self.first = false;
                    self.urgent = true;
                }
            }
            Report::Answer(answer) => {
                self.screen.answer(&answer);
                self.dirty = true;
            }
            Report::Measured(batch) => {
                self.state.measured(&batch);
                self.measured |= !self.demands.is_empty();
            }
            Report::History { result, .. } => {
                for event in result.into_iter().flatten() {
                    self.dirty |= self.state.apply(Delta::Event { event, live: false, at: Utc::now() });
                }
            }
        }
    }

    /// An event of the terminal; an exit code ends the loop.
    fn handle(&mut self, event: Event) -> Result<Option<i32>, TerminalError> {
        let requests = match event {
            Event::Key(key) => {
                self.look_again(Utc::now());
                self.screen.key(key, &self.state.view())
            }
            Event::Mouse(mouse) => self.screen.mouse(mouse, &self.state.view()),
            Event::Paste(text) => self.screen.paste(&text, &self.state.view()),
            Event::Focus(_) => return Ok(None),
            Event::Resized(size) => {
                self.canvas.resize(size);
                Vec::new()
            }
            Event::Suspend => return self.perform(Effect::Suspend),
            Event::Continued => {
                self.terminal.reenter()?;
                return self.perform(Effect::Repaint);
            }
            Event::Stop(signal) => return Ok(Some(terminal::exit_code(signal))),
            Event::Dead => return Ok(Some(terminal::DEAD)),
        };
        self.dirty = true;
        self.urgent = true;
        for request in requests {
            for effect in self.state.update(request) {
                if let Some(code) = self.perform(effect)? {
                    return Ok(Some(code));
                }
            }
        }
        Ok(None)
    }

    fn perform(&mut self, effect: Effect) -> Result<Option<i32>, TerminalError> {
        self.dirty = true;
        self.urgent = true;
        match effect {
            Effect::Engine(command) => self.ask(command),
            Effect::Copy(text) => {
                let sent = osc52::copy(&text)
                    .map_err(|error| error.to_string())
                    .and_then(|bytes| self.terminal.writer().aside(&bytes).map_err(|error| format!("not copied: {error}")));
                if let Err(error) = sent {
                    self.screen.say(error);
                }
            }
            Effect::SaveScreen => {
                let note = self.save_screen().unwrap_or_else(|error| format!("not saved: {error}"));
                self.screen.say(note);
            }
            Effect::OpenThemes => {
                let themes = theme::listing(self.theme_dir.as_deref()).into_iter().filter(|row| row.error.is_none());
                let picker = ThemePicker::open(themes.map(|row| (row.name, row.description)).collect(), &self.state.view());
                self.screen.open(Box::new(picker));
            }
            Effect::Mouse(on) => self.terminal.set_mouse(on),
            Effect::Suspend => {
                // Nobody looks while the shell has the terminal.
                self.demand(&Wanted::default());
                match self.terminal.suspend()? {
                    Suspended::Done => self.repaint(),
                    Suspended::Refused => self.screen.say("no shell would bring this console back: not suspended"),
                }
            }
            Effect::Repaint => self.repaint(),
            Effect::Say(note) => self.screen.say(note),
            Effect::Quit(code) => return Ok(Some(code)),
        }
        Ok(None)
    }

    fn repaint(&mut self) {
        if let Ok(size) = terminal::window_size() {
            self.canvas.resize(size);
        }
        self.canvas.repaint();
    }

    /// Hands a command to the host it concerns. A full queue says so: nothing is done in secret, and nothing twice.
    fn ask(&mut self, command: Command) {
        let (host, command) = match command {
            Command::RetryLink(host) => (host, HostCommand::Retry),
            Command::ReadInspect { request, container } => {
                (container.host, HostCommand::Ask { request, question: Question::InspectRaw(container.id) })
            }
            Command::ReadProcesses { request, container } => {
                (container.host, HostCommand::Ask { request, question: Question::Top(container.id) })
            }
            Command::InspectRows(rows) => return self.inspect_rows(rows),
        };
        if !self.engine.command(&host, command) {
            self.screen.say(format!("{host} has too much to do; try again in a moment"));
        }
    }

    fn inspect_rows(&mut self, rows: Vec<ContainerKey>) {
        let mut by_host: HashMap<HostId, Vec<ContainerKey>> = HashMap::new();
        for key in rows {
            by_host.entry(key.host.clone()).or_default().push(key);
        }
        for (host, keys) in by_host {
            let ids = keys.iter().map(|key| key.id.clone()).collect();
            // Full: the rows stay unasked, and the next frame asks again.
            if self.engine.command(&host, HostCommand::Inspect(ids)) {
                self.asked.extend(keys);
            }
        }
    }

    /// Moves the clock and brings the panels up to date.
    fn look_again(&mut self, now: DateTime<Utc>) {
        let settled = self.state.settle(now);
        if let Some(refresh) = settled.refresh() {
            if let Refresh::Changed(change) = refresh {
                for gone in &change.removed {
                    self.asked.remove(gone);
                }
            }
            self.screen.refresh(refresh, &self.state.view());
        }
    }

    fn paint_if_due(&mut self) {
        let measured = self.measured && Instant::now() >= self.measured_due;
        self.dirty |= measured || self.untold;
        if !self.dirty || !self.terminal.writer().ready() || (!self.urgent && Instant::now() < self.pace) {
            return;
        }
        self.look_again(Utc::now());
        if measured {
            self.measured = false;
            self.measured_due = Instant::now() + MEASURED_REST;
            self.screen.measured(&self.state.view());
        }
        let (screen, state) = (&mut self.screen, &self.state);
        let drawn = self.canvas.draw(|frame| {
            let area = frame.area();
            screen.render(frame.buffer_mut(), area, &state.view());
        });
        if drawn == Drawn::Busy {
            return;
        }
        let now = Instant::now();
        self.pace = self.pace.max(now.checked_sub(FRAME * BURST).unwrap_or(now)) + FRAME;
        self.dirty = false;
        self.urgent = false;
        self.ask_for_visible();
        let wanted = self.screen.wanted(&self.state.view());
        self.demand(&wanted);
    }

    /// Tells each host what is to be measured from now on, where that is something else than before.
    fn demand(&mut self, wanted: &Wanted) {
        let mut demands = wanted.by_host();
        self.untold = false;
        for host in self.demands.keys() {
            demands.entry(host.clone()).or_default();
        }
        for (host, demand) in demands {
            if self.demands.get(&host).unwrap_or(&Demand::default()) == &demand {
                continue;
            }
            if !self.engine.command(&host, HostCommand::Measure(demand.clone())) {
                self.untold = true;
            } else if demand.is_empty() {
                self.demands.remove(&host);
            } else {
                self.demands.insert(host, demand);
            }
        }
    }

    /// Rows on screen whose restarts and start nobody knows yet are inspected, each once.
    fn ask_for_visible(&mut self) {
        if self.asked_at.is_some_and(|at| at.elapsed() < INSPECT_REST) {
            return;
        }
        let view = self.state.view();
        let unknown: Vec<ContainerKey> = self
            .screen
            .visible(&view)
            .into_iter()
            .filter(|key| !self.asked.contains(key) && !view.is_stale(&key.host))
            .filter(|key| view.fleet.container(key).is_some_and(|container| container.restarts.is_none()))
            .collect();
        if !unknown.is_empty() {
            self.asked_at = Some(Instant::now());
            self.inspect_rows(unknown);
        }
    }

    /// When the screen reads differently by time alone, or a postponed frame is due.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        if self.dirty {
            // Not ready: the writer wakes the loop when it is.
            return if self.terminal.writer().ready() { self.pace } else { now + Duration::from_secs(3600) };
        }
        let view = self.state.view();
        let to_minute = 60_000 - Utc::now().timestamp_millis().rem_euclid(60_000);
        let clock = view.clock.then(|| TimeDelta::milliseconds(to_minute));
        let wait = [clock, view.ages.next()].into_iter().flatten().min().unwrap_or(TimeDelta::hours(1));
        let aged = now + wait.to_std().unwrap_or(FRAME).max(FRAME);
        if self.measured { aged.min(self.measured_due.max(now)) } else { aged }
    }

    /// Writes the screen as text and SVG into the current directory; returns the note for the foot.
    fn save_screen(&mut self) -> Result<String, std::io::Error> {
        let name = format!("quarterdeck-{}", Utc::now().with_timezone(&chrono::Local).format("%Y%m%d-%H%M%S"));
        let picture = self.canvas.picture();
        let theme = self.state.view().theme;
        std::fs::write(format!("{name}.svg"), svg::svg(picture, &SvgOptions::of(theme)))?;
        std::fs::write(format!("{name}.txt"), svg::plain(picture))?;
        Ok(format!("saved {name}.txt and {name}.svg"))
    }
}
