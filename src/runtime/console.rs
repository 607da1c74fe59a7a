//! The console's loop. Wakes for keys, reports, signals, a freed terminal, and the moment when something on the screen reads
//! differently by time alone; sleeps otherwise.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::{
    Effect, State,
    delivery_desk::DeliveryDesk,
    handoff::Handoff,
    log_desk::LogDesk,
    probes::Probes,
    runner::{Runner, Turn},
    terminal::{
        self, Event, Residue, Suspended, Terminal, TerminalError, Writer,
        guest::{self, Keys, RawMode},
    },
    visit::{End, Visit, Visiting},
};
use crate::{
    act::{Act, Plan, Run},
    action::{Action, Command},
    alerts::Probe,
    board::{News, Order, Watch},
    bundle::{self, Material},
    engine::{Engine, HostCommand, Question, Report, exec::ExecOrder, logs::LogReport},
    fleet::{ContainerKey, ContainerState, Delta, Host, HostId},
    ledger::Ledger,
    logs::ExportForm,
    stats::{Demand, Wanted},
    ui::{
        backend::{Canvas, Drawn},
        layers::{act_results::ActResults, command_line::CommandLine, theme_picker::ThemePicker},
        osc52,
        panel::{PanelId, Refresh},
        screen::{Request, Screen},
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
    /// Where acts are recorded; it opens with the first.
    pub ledger: Ledger,
    /// What carries plans out.
    pub runner: Runner,
    /// What reads and does deliveries; it starts when it is needed.
    pub delivery: DeliveryDesk,
    /// Whether the mouse is ours from the start.
    pub mouse: bool,
    /// One line for the foot until the first key: what was wrong with theme or keymap.
    pub note: Option<String>,
    /// Where a person's own themes are.
    pub theme_dir: Option<PathBuf>,
    /// Where choices are kept.
    pub state_dir: PathBuf,
}

/// A visit to a container on its way.
type Preparing = Pin<Box<dyn Future<Output = Prepared>>>;

/// What the preparation of a visit came to.
enum Prepared {
    /// The command runs.
    Ready(Box<Visiting>, String),
    /// The container has no shell.
    NoShell(ContainerKey, String),
    /// It was not to be, in a sentence.
    Failed(String),
}

/// The console, opened.
pub struct Console {
    state: State,
    screen: Screen,
    engine: Engine,
    reports: mpsc::Receiver<Report>,
    ledger: Ledger,
    /// A visit to a container that is being prepared.
    opening: Option<Preparing>,
    runner: Runner,
    desk: LogDesk,
    delivery: DeliveryDesk,
    /// What the delivery desk was told to keep up to date.
    watched: Watch,
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
    probes: Probes,
    /// Whether what stands on the screen is not for others.
    private: bool,
    /// A bundle in the making.
    handoff: Option<Handoff>,
    /// What each host was told to measure.
    demands: BTreeMap<HostId, Demand>,
    /// A host was too busy to be told: it is told again.
    untold: bool,
    /// Something was measured since the last frame, and when a frame may be painted for it.
    measured: bool,
    measured_due: Instant,
    theme_dir: Option<PathBuf>,
    state_dir: PathBuf,
    /// When the screen is due by time alone.
    screen_due: Option<Instant>,
}

impl Console {
    /// Runs the console until it is left; returns the exit code. The caller restores nothing: that is done here, and it should leave by
    /// `std::process::exit`, because a stalled terminal may still hold the writer's thread.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it cannot be set up.
    pub fn run(opening: Opening) -> Result<i32, TerminalError> {
        let Opening { state, engine, reports, ledger, runner, delivery, mouse, note, theme_dir, state_dir } = opening;
        let (terminal, events) = terminal::open(terminal::Modes { mouse, kitty_keys: false })?;
        let size = terminal::window_size().map_err(|source| TerminalError::Setup { what: "reading its size", source })?;
        let canvas = Canvas::new(size, terminal.writer().clone());
        let mut screen = Screen::default();
        screen.restore_columns(&state.kept_columns());
        let probes = Probes::new(engine.logs().clone(), engine.documents().clone());
        let desk = LogDesk::new(engine.logs().clone(), Instant::now());
        let mut console = Self {
            state,
            screen,
            engine,
            reports,
            ledger,
            opening: None,
            runner,
            desk,
            delivery,
            watched: Watch::Nothing,
            terminal,
            canvas,
            dirty: true,
            urgent: false,
            first: true,
            pace: Instant::now() + FIRST_FRAME,
            asked: HashSet::new(),
            asked_at: None,
            probes,
            private: false,
            handoff: None,
            demands: BTreeMap::new(),
            untold: false,
            measured: false,
            measured_due: Instant::now(),
            theme_dir,
            state_dir,
            screen_due: None,
        };
        if let Some(note) = note {
            console.screen.say(note);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| TerminalError::Setup { what: "starting its event loop", source })?;
        let code = runtime.block_on(console.live(events));
        // A write to a terminal that does not read may still hang in the runtime's pool.
        runtime.shutdown_background();
        let code = code?;
        // First the terminal, so that nothing slow stands between the key and the shell.
        console.terminal.close();
        drop((console.probes, console.handoff));
        drop(console.engine);
        Ok(code)
    }

    async fn live(&mut self, mut events: terminal::Events) -> Result<i32, TerminalError> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut bus_open = true;
        let writer = self.terminal.writer().clone();
        loop {
            if let Err(why) = self.delivery.wake(Instant::now()) {
                self.screen.say(why);
                self.dirty = true;
            }
            self.paint_if_due();
            let wake = self.next_wake();
            let reads = self.is_reading() && self.desk.listens(self.state.tape(), Instant::now());
            let mut arrived = None;
            let event = tokio::select! {
                biased;
                event = events.next() => Some(event),
                count = self.reports.recv_many(&mut batch, BATCH), if bus_open => {
                    bus_open = count > 0;
                    None
                }
                prepared = prepared(&mut self.opening), if self.opening.is_some() => {
                    self.opening = None;
                    if let Some(code) = self.enter(prepared, &mut events).await? {
                        return Ok(code);
                    }
                    None
                }
                news = self.delivery.news() => {
                    if let Some(code) = self.learn(news)? {
                        return Ok(code);
                    }
                    None
                }
                turn = self.runner.turn() => {
                    self.turned(turn);
                    None
                }
                (probe, finding) = self.probes.next() => {
                    self.state.learn(probe, finding, Utc::now());
                    self.dirty = true;
                    None
                }
                note = outcome(&mut self.handoff) => {
                    self.handoff = None;
                    self.screen.say(note);
                    self.dirty = true;
                    None
                }
                report = self.desk.arrival(), if reads => {
                    arrived = report;
                    None
                }
                // A frame is waiting for the terminal to take the last one.
                () = writer.freed(), if self.dirty => None,
                () = tokio::time::sleep_until(wake.into()) => {
                    self.dirty |= self.screen_due.is_none_or(|due| due <= Instant::now());
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
            self.read_logs(arrived);
        }
    }

    /// Whether somebody looks at the open stream; else it is not read on, and the engines' own logs keep what comes.
    fn is_reading(&self) -> bool {
        self.state.tape().is_some() && (self.screen.panel().id() == PanelId::Logs || self.desk.is_exporting())
    }

    /// One turn of the log desk.
    fn read_logs(&mut self, arrived: Option<LogReport>) {
        let steps = self.state.take_log_steps();
        let is_reading = self.is_reading();
        let Some(tape) = self.state.tape_mut() else { return };
        let now = Instant::now();
        if !steps.is_empty() {
            self.desk.obey(tape, steps, now);
        }
        let due = self.desk.due(Some(tape), now).is_some_and(|due| due <= now);
        // What has arrived is out of the queue: it is taken even when nobody looks any more.
        if arrived.is_none() && !(is_reading && due) {
            return;
        }
        let turn = self.desk.turn(arrived, tape);
        self.dirty |= turn.news;
        if let Some(note) = turn.note {
            self.screen.say(note);
            self.dirty = true;
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
            Report::Stock { host, result } => {
                self.state.stock(host, result, Utc::now());
                self.dirty = true;
            }
            Report::Acted { request, word, .. } => self.runner.take(request, word),
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

    fn turned(&mut self, turn: Turn) {
        match turn {
            Turn::Send { host, request, command } => {
                if !self.engine.command(&host, command) {
                    self.runner.undelivered(request);
                }
            }
            Turn::Unrecorded(error) => self.screen.say(format!("that secrets were shown is not in the audit: {error}")),
            Turn::Progress(progress) => {
                self.dirty = true;
                if let Some((run, line)) = self.state.progress(progress, Utc::now()) {
                    if !self.screen.shows_run(run) {
                        self.screen.say(line);
                    }
                    // No event of an engine tells what its disks hold now.
                    if self.state.view().runs.get(run).is_some_and(|run| run.plan.act == Act::Discard) {
                        self.read_stock();
                    }
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
        self.fulfil(requests)
    }

    /// The delivery desk told something.
    fn learn(&mut self, news: News) -> Result<Option<i32>, TerminalError> {
        let note = self.state.learn_delivery(news);
        let requests = self.screen.hear(&self.state.view());
        if let Some(note) = note {
            self.screen.say(note);
        }
        self.dirty = true;
        self.fulfil(requests)
    }

    fn fulfil(&mut self, requests: Vec<Request>) -> Result<Option<i32>, TerminalError> {
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
            Effect::Deliver(order) => self.deliver(order),
            Effect::Engine(command) => self.ask(command),
            Effect::Act(plan) => self.begin(*plan),
            Effect::CancelActs(run) => {
                self.runner.cancel(run);
                self.state.call_off(run);
            }
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
            Effect::WriteBundle => {
                let note = self.hand_off();
                self.screen.say(note);
            }
            Effect::Keep(kept) => {
                if let Err(error) = kept.save(&self.state_dir) {
                    self.screen.say(format!("not kept for the next time: {error}"));
                }
            }
            Effect::OpenThemes => {
                let themes = theme::listing(self.theme_dir.as_deref()).into_iter().filter(|row| row.error.is_none());
                let picker = ThemePicker::open(themes.map(|row| (row.name, row.description)).collect(), &self.state.view());
                self.screen.open(Box::new(picker));
            }
            Effect::Exec { container, command } => self.prepare(container, command),
            Effect::Mouse(on) => self.terminal.set_mouse(on),
            Effect::Suspend => {
                // Nobody looks while the shell has the terminal.
                self.demand(&Wanted::default());
                match self.terminal.suspend()? {
                    Suspended::Done => self.repaint(),
                    Suspended::Refused => self.screen.say("no shell would bring this console back: not suspended"),
                }
            }
            Effect::RecordLook { key, name } => self.runner.record_look(key.host, name, key.id.as_str().into()),
            Effect::Repaint => self.repaint(),
            Effect::ReadLogs => {
                let steps = self.state.take_log_steps();
                if let Some(tape) = self.state.tape() {
                    self.desk.open(tape, steps, Instant::now());
                }
            }
            Effect::CloseLogs => self.desk.close(),
            Effect::ExportLogs(form) => self.export_logs(form),
            Effect::Say(note) => self.screen.say(note),
            Effect::Quit(code) => return Ok(Some(code)),
        }
        Ok(None)
    }

    /// Begins to open a visit; the screen lives on meanwhile. A second one takes the place of the first.
    fn prepare(&mut self, key: ContainerKey, command: Option<Vec<String>>) {
        let Some(container) = self.state.view().fleet.container(&key) else {
            return self.screen.say("that container is gone");
        };
        let name = container.name.to_string();
        if container.state != ContainerState::Running {
            return self.screen.say(format!("{name} does not run: only in a running container can a command be run"));
        }
        let what = command.as_ref().map_or("a shell", |words| words.first().map_or("", String::as_str));
        self.screen.say(format!("opening {what} in {name} on {} …", key.host));
        let (port, audit) = (self.engine.exec().clone(), self.ledger.audit());
        let size = terminal::window_size().ok().map(|size| (size.width, size.height));
        self.opening = Some(Box::pin(async move {
            let command = match command {
                Some(command) => command,
                None => match port.find_shell(&key).await {
                    Ok(Some(shell)) => shell,
                    Ok(None) => return Prepared::NoShell(key, name),
                    Err(error) => return Prepared::Failed(format!("{name} on {}: {error}", key.host)),
                },
            };
            let place = format!("{name} on {}", key.host);
            let order = ExecOrder { command, tty: true, stdin: true, size };
            match (Visit { key, name, action: Action::ContainerExec.id(), order }).begin(&port, &audit).await {
                Ok(visiting) => Prepared::Ready(Box::new(visiting), place),
                Err(error) => Prepared::Failed(error.to_string()),
            }
        }));
    }

    /// What follows from a preparation. An exit code ends the loop.
    async fn enter(&mut self, prepared: Prepared, events: &mut terminal::Events) -> Result<Option<i32>, TerminalError> {
        self.dirty = true;
        self.urgent = true;
        match prepared {
            Prepared::Ready(visiting, place) => return self.visit(*visiting, &place, events).await,
            Prepared::NoShell(key, name) => self.screen.open(Box::new(CommandLine::open(key, &name))),
            Prepared::Failed(error) => self.screen.say(error),
        }
        Ok(None)
    }

    /// Gives the terminal to a command until it ends. The fleet is followed meanwhile, only not painted.
    async fn visit(&mut self, mut visiting: Visiting, place: &str, events: &mut terminal::Events) -> Result<Option<i32>, TerminalError> {
        // Nobody looks at the screen meanwhile.
        self.demand(&Wanted::default());
        self.terminal.release();
        let heading = format!("\x1b[m── quarterdeck: {} in {place} · its end leads back ──\r\n", visiting.words);
        // A terminal that does not take it ends the visit in a moment.
        let _ = guest::say(guest::Stream::Out, heading.into()).await;
        let mut screen = guest::Screen::Terminal(Residue::default());
        let setup = |what| move |source| TerminalError::Setup { what, source };
        let raw = RawMode::enter().map_err(setup("switching to raw mode"))?;
        let mut keys = Keys::of_stdin().map_err(setup("starting its reader"))?;
        if let Ok(size) = terminal::window_size() {
            visiting.control.resize(size.width, size.height);
        }
        let mut batch = Vec::with_capacity(BATCH);
        let mut bus_open = true;
        let (end, code) = {
            let guest = guest::attend(&mut visiting.streams, Some(&mut keys), &mut screen);
            tokio::pin!(guest);
            loop {
                tokio::select! {
                    left = &mut guest => break (End::Left(left), None),
                    lost = visiting.control.lost() => break (End::Lost(lost), None),
                    event = events.next() => match event {
                        Event::Resized(size) => visiting.control.resize(size.width, size.height),
                        Event::Stop(signal) => break (End::Interrupted, Some(terminal::exit_code(signal))),
                        Event::Dead => break (End::Interrupted, Some(terminal::DEAD)),
                        // Keys are the guest's, and what was pressed before it came is for nobody.
                        Event::Key(_) | Event::Mouse(_) | Event::Paste(_) | Event::Focus(_) | Event::Suspend | Event::Continued => {}
                    },
                    count = self.reports.recv_many(&mut batch, BATCH), if bus_open => {
                        bus_open = count > 0;
                        for report in batch.drain(..) {
                            self.take(report);
                        }
                    }
                }
            }
        };
        screen.leave().await;
        drop(keys);
        drop(raw);
        let parting = visiting.end(end).await;
        if code.is_none() {
            self.terminal.reclaim()?;
            self.repaint();
            self.screen.say(parting.sentence);
        }
        Ok(code)
    }

    fn begin(&mut self, plan: Plan) {
        let plan = Arc::new(plan);
        let run = self.runner.start(Arc::clone(&plan));
        self.state.begin_run(Run::new(run, plan));
        self.screen.open(Box::new(ActResults::of(run)));
    }

    fn repaint(&mut self) {
        if let Ok(size) = terminal::window_size() {
            self.canvas.resize(size);
        }
        self.canvas.repaint();
    }

    fn deliver(&mut self, order: Order) {
        if let Err(why) = self.delivery.order(order) {
            self.screen.say(why);
        }
    }

    /// Tells the delivery desk what is looked at, where that is something else than before.
    fn watch(&mut self) {
        let watch = self.screen.watches(&self.state.view());
        if watch != self.watched {
            self.watched = watch.clone();
            self.deliver(Order::Watch(watch));
        }
    }

    /// Hands a command to the host it concerns. A full queue says so: nothing is done in secret, and nothing twice.
    fn ask(&mut self, command: Command) {
        let (host, command) = match command {
            Command::RetryLink(host) => (host, HostCommand::Retry),
            Command::ReadInspect { request, container } => {
                (container.host, HostCommand::Ask { request, question: Question::InspectRaw(container.id) })
            }
            Command::ReadStock => return self.read_stock(),
            Command::ReadProcesses { request, container } => {
                (container.host, HostCommand::Ask { request, question: Question::Top(container.id) })
            }
            Command::InspectRows(rows) => return self.inspect_rows(rows),
        };
        if !self.engine.command(&host, command) {
            self.screen.say(format!("{host} has too much to do; try again in a moment"));
        }
    }

    /// A host that is too busy keeps its last answer, and its age says so.
    fn read_stock(&mut self) {
        let live = |host: &&Host| host.link.is_live();
        for host in self.state.view().fleet.hosts().filter(live) {
            if !self.engine.command(&host.spec.id, HostCommand::Stock) {
                tracing::debug!(host = %host.spec.id, "too busy to count");
            }
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
        let private = screen.is_private();
        let drawn = self.canvas.draw(|frame| {
            let area = frame.area();
            screen.render(frame.buffer_mut(), area, &state.view());
        });
        if drawn == Drawn::Busy {
            return;
        }
        self.private = private;
        let now = Instant::now();
        self.pace = self.pace.max(now.checked_sub(FRAME * BURST).unwrap_or(now)) + FRAME;
        self.dirty = false;
        self.urgent = false;
        self.ask_for_visible();
        self.ask_for_evidence();
        let wanted = self.screen.wanted(&self.state.view());
        self.demand(&wanted);
        self.watch();
    }

    /// What the screen would say more about is asked for, and as long as somebody looks at it, again.
    fn ask_for_evidence(&mut self) {
        let view = self.state.view();
        let wanted = self.screen.probes(&view);
        let due: Vec<Probe> = wanted.iter().filter(|probe| view.evidence.is_due(probe, view.now)).cloned().collect();
        if let Some(next) = view.evidence.next_due(&wanted, view.now) {
            view.ages.within(next);
        }
        due.into_iter().for_each(|probe| self.probes.ask(probe));
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

    fn export_logs(&mut self, form: ExportForm) {
        let Some(tape) = self.state.tape() else { return };
        let stamp = Utc::now().with_timezone(&chrono::Local).format("%Y%m%d-%H%M%S");
        let path = PathBuf::from(format!("quarterdeck-logs-{stamp}.{}", form.extension()));
        let note = match self.desk.export(tape, form, path.clone()) {
            Ok(()) => format!("writing {} …", path.display()),
            Err(error) => format!("{}: {error}", path.display()),
        };
        self.screen.say(note);
    }

    /// When to wake even if nothing happens: for the screen or for the log desk.
    fn next_wake(&mut self) -> Instant {
        let now = Instant::now();
        let screen = self.screen_wake(now);
        self.screen_due = Some(screen);
        let logs = if self.is_reading() { self.desk.due(self.state.tape(), now) } else { None };
        [logs, self.delivery.due()].into_iter().flatten().fold(screen, Instant::min)
    }

    /// When the screen reads differently by time alone, or a postponed frame is due.
    fn screen_wake(&self, now: Instant) -> Instant {
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

    /// Begins a bundle of everything, with the screen as it is; returns the note for the foot.
    fn hand_off(&mut self) -> String {
        if self.handoff.is_some() {
            return "a hand-off is under way".to_owned();
        }
        let now = Utc::now();
        let view = self.state.view();
        let screen = match self.private {
            true => bundle::Screen::Private,
            false => bundle::Screen::Shown(Box::new(self.canvas.picture().clone()), SvgOptions::of(view.theme)),
        };
        let material = Material {
            fleet: view.fleet.clone(),
            filter: view.filter.selector().cloned(),
            usage: view.usage.clone(),
            screen,
            now,
            simulated: view.simulated,
        };
        let path = bundle::usual_name(now);
        match Handoff::start(material, path, self.engine.documents().clone(), self.engine.logs().clone()) {
            Ok(handoff) => {
                self.handoff = Some(handoff);
                "gathering a hand-off …".to_owned()
            }
            Err(error) => format!("no bundle: {error}"),
        }
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

/// Waits for a preparation; for ever, when there is none.
async fn prepared(opening: &mut Option<Preparing>) -> Prepared {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

/// How the bundle in the making ended; waits for ever when there is none. Cancel-safe.
async fn outcome(handoff: &mut Option<Handoff>) -> String {
    match handoff {
        Some(handoff) => handoff.outcome().await,
        None => std::future::pending().await,
    }
}
