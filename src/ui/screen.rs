//! The screen as a whole: which panel is in front, what is open above it, and how a key finds its meaning.
//!
//! A key goes to the top layer's bindings, else the panel's, else the global ones. What it means for the state or the world
//! leaves as a [`Request`]; the screen itself changes nothing but what is shown where.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    copy::copied_text,
    frame,
    keymap::{Key, MenuEntry, Pending, Press},
    layers::{
        Destination, Layer, LayerOutcome, PastLayer,
        act_argument::{ActArgument, Argument},
        act_menu::ActMenu,
        act_results::ActResults,
        column_chooser::ColumnChooser,
        confirm::Confirm,
        filter_line::FilterLine,
        help::Help,
        inspect::Inspect,
        palette::Palette,
        processes::Processes,
        which_key,
    },
    log_choice,
    panel::{Outcome, Panel, PanelId, Refresh, Selection},
    panels,
    theme::{Role, Symbol},
    view::View,
    widgets::Pen,
};
use crate::{
    act::{Act, Plan, RunId},
    action::{Action, Answer, Availability, Command, Context, Selected, availability},
    alerts::Probe,
    board::{Order, Watch},
    fleet::ContainerKey,
    logs::LogWish,
    rights::Rights,
    stats::Wanted,
};

/// What the screen asks of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Something for the delivery desk.
    Deliver(Order),
    /// Something for the engine side.
    Ask(Command),
    /// Filter by this text from now on.
    Filter(String),
    /// Turn the matrix: environments or hosts.
    TurnMatrix,
    /// Mark what is not marked, unmark what is.
    Mark(Vec<ContainerKey>),
    /// Unmark all.
    ClearMarks,
    /// Carry out what was shown and confirmed.
    Act(Box<Plan>),
    /// Call off what of a run is not sent yet.
    CancelActs(RunId),
    /// Put this on the clipboard of the person's own terminal.
    Copy(String),
    /// Write the screen to files.
    SaveScreen,
    /// Write all that a colleague needs to take over to a file.
    WriteBundle,
    /// A container's secrets are shown on the screen from now on: for the record.
    Revealed(ContainerKey),
    /// Show these columns of the containers' table from now on, also the next time.
    KeepColumns(Vec<&'static str>),
    /// Open the theme picker: which themes there are stands in files.
    OpenThemes,
    /// Use this theme from now on (`keep`), or only try it.
    Theme {
        /// Its name.
        name: String,
        /// Whether it was chosen rather than tried.
        keep: bool,
    },
    /// Run a command in a container, with the terminal; without one, a shell.
    Exec {
        /// Where.
        container: ContainerKey,
        /// What; `None`: a shell that it has.
        command: Option<Vec<String>>,
    },
    /// Take the mouse, or give it back to the terminal.
    ToggleMouse,
    /// A wish about the open stream of logs.
    Logs(LogWish),
    /// Go to the background of the shell.
    Suspend,
    /// Paint everything anew.
    Repaint,
    /// Leave.
    Quit,
}

/// The screen.
pub struct Screen {
    panels: Vec<Box<dyn Panel>>,
    current: usize,
    /// The panel that the logs were opened from.
    before: usize,
    layers: Vec<Box<dyn Layer>>,
    pending: Pending,
    menu: Vec<MenuEntry>,
    note: Option<String>,
    tabs: Vec<(PanelId, u16, u16)>,
    body: Rect,
    clicked: Option<(Selection, u16)>,
    questions: u64,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            panels: panels::all(),
            current: 0,
            before: 0,
            layers: Vec::new(),
            pending: Pending::default(),
            menu: Vec::new(),
            note: None,
            tabs: Vec::new(),
            body: Rect::ZERO,
            clicked: None,
            questions: 0,
        }
    }
}

impl Screen {
    /// Shows these columns of the containers' table: what was chosen the last time.
    pub fn restore_columns(&mut self, shown: &[&str]) {
        if let Some(panel) = self.panels.iter_mut().find(|panel| panel.id() == PanelId::Containers) {
            panel.choose_columns(shown);
        }
    }

    /// Brings the panels' lists up to date.
    pub fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        for (index, panel) in self.panels.iter_mut().enumerate() {
            if index == self.current || panel.keeps_up() {
                panel.refresh(refresh, view);
            }
        }
    }

    /// The panel in front.
    pub fn panel(&self) -> &dyn Panel {
        self.panels[self.current].as_ref()
    }

    /// The rows on screen that only an inspect knows in full.
    pub fn visible(&self, view: &View<'_>) -> Vec<ContainerKey> {
        self.panel().visible(view)
    }

    /// What the panel in front would say more about, or the layer that covers it.
    pub fn probes(&self, view: &View<'_>) -> Vec<Probe> {
        match self.layers.last().filter(|layer| layer.is_full()) {
            Some(layer) => layer.probes(view),
            None => self.panel().probes(view),
        }
    }

    /// Whether what is on the screen is not for others: secrets that a person let show.
    pub fn is_private(&self) -> bool {
        self.layers.iter().any(|layer| layer.is_private())
    }

    /// What is to be measured for what is shown: nothing under a layer that covers the panel.
    pub fn wanted(&self, view: &View<'_>) -> Wanted {
        let covered = self.layers.last().is_some_and(|layer| layer.is_full());
        if covered { Wanted::default() } else { self.panel().wanted(view) }
    }

    /// What the delivery desk is to keep up to date: what is in front decides.
    pub fn watches(&self, view: &View<'_>) -> Watch {
        let above = self.layers.iter().rev().find_map(|layer| layer.watches());
        above.unwrap_or_else(|| self.panel().watches(view))
    }

    /// Something was measured.
    pub fn measured(&mut self, view: &View<'_>) {
        self.panels[self.current].measured(view);
    }

    /// One line at the foot until the next key.
    pub fn say(&mut self, note: impl Into<String>) {
        self.note = Some(note.into());
    }

    /// Opens a layer that needs what only the runtime can read.
    pub fn open(&mut self, layer: Box<dyn Layer>) {
        self.layers.push(layer);
    }

    /// Whether the results of a run are open: then its end needs no word at the foot.
    pub fn shows_run(&self, run: RunId) -> bool {
        self.layers.iter().any(|layer| layer.run() == Some(run))
    }

    /// Hands an answer to what asked for it.
    pub fn answer(&mut self, answer: &Answer) {
        for layer in &mut self.layers {
            layer.answer(answer);
        }
    }

    /// The delivery desk told something, which stands on the board by now.
    pub fn hear(&mut self, view: &View<'_>) -> Vec<Request> {
        let Some(layer) = self.layers.last_mut() else { return Vec::new() };
        let outcome = layer.hear(view);
        self.follow(outcome, view)
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent, view: &View<'_>) -> Vec<Request> {
        self.note = None;
        self.clicked = None;
        let contexts = self.contexts();
        let pressed = view.keymap.press(&mut self.pending, &contexts, Key::from(key));
        self.menu.clear();
        match pressed {
            Press::Action(action) => self.act(action, view),
            Press::Pending(menu) => {
                self.menu = menu;
                Vec::new()
            }
            Press::Aborted => Vec::new(),
            Press::Unbound => match self.layers.last_mut() {
                Some(layer) => {
                    let outcome = layer.type_key(key, view);
                    self.follow(outcome, view)
                }
                None => Vec::new(),
            },
        }
    }

    /// Pasted text: typed where text is taken, ignored elsewhere (a paste must never run keys).
    pub fn paste(&mut self, text: &str, view: &View<'_>) -> Vec<Request> {
        match self.layers.last_mut() {
            Some(layer) if layer.context().takes_text() => {
                let outcome = layer.paste(text, view);
                self.follow(outcome, view)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// A click or the wheel.
    pub fn mouse(&mut self, event: MouseEvent, view: &View<'_>) -> Vec<Request> {
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp if self.layers.is_empty() => {
                let outcome = self.panels[self.current].wheel(event.kind == MouseEventKind::ScrollDown, view);
                self.obey(outcome, view)
            }
            MouseEventKind::ScrollDown => self.act(Action::ListMoveDown, view),
            MouseEventKind::ScrollUp => self.act(Action::ListMoveUp, view),
            MouseEventKind::Down(MouseButton::Left) if self.layers.is_empty() => self.click(event.column, event.row, view),
            _ => Vec::new(),
        }
    }

    fn click(&mut self, x: u16, y: u16, view: &View<'_>) -> Vec<Request> {
        if y == 1 {
            let hit = self.tabs.iter().find(|(_, start, end)| (*start..*end).contains(&x)).map(|(id, ..)| *id);
            return hit.map_or_else(Vec::new, |id| self.go(id, view));
        }
        if !self.body.contains((x, y).into()) {
            return Vec::new();
        }
        let outcome = self.panels[self.current].click(x - self.body.x, y - self.body.y, view);
        if outcome == Outcome::Ignored {
            self.clicked = None;
            return Vec::new();
        }
        let requests = self.obey(outcome, view);
        // The second click on the same thing in the same line opens it.
        let clicked = Some((self.panels[self.current].selection(view), y)).filter(|(selection, _)| *selection != Selection::Nothing);
        if clicked.is_some() && self.clicked == clicked {
            self.clicked = None;
            return self.act(Action::SelectionOpen, view);
        }
        self.clicked = clicked;
        requests
    }

    /// An action, from a key or from the palette.
    pub fn act(&mut self, action: Action, view: &View<'_>) -> Vec<Request> {
        if let Some(layer) = self.layers.last_mut() {
            let outcome = layer.act(action, view);
            if outcome != LayerOutcome::Pass {
                return self.follow(outcome, view);
            }
            return self.act_over(action, view);
        }
        let panel = self.panel();
        let read_only = matches!(view.rights, Rights::View { .. });
        if let Availability::Denied(denial) = availability(action, read_only, panel.id().context(), act_targets::selected(panel, view)) {
            self.say(format!("{}: {denial}", action.row().id));
            return Vec::new();
        }
        let outcome = self.panels[self.current].act(action, view);
        if outcome != Outcome::Ignored {
            return self.obey(outcome, view);
        }
        self.act_everywhere(action, view)
    }

    /// What an open layer has no use for: only what concerns the console as a whole happens, never something to the row beneath that
    /// the eye is not on. A layer that covers its panel is a place of its own: palette and help open above it, and it can be left for
    /// another panel.
    fn act_over(&mut self, action: Action, view: &View<'_>) -> Vec<Request> {
        let Some(layer) = self.layers.last() else { return Vec::new() };
        let (context, is_full, selection) = (layer.context(), layer.is_full(), layer.selection());
        match action {
            Action::DeliveryApprove | Action::DeliveryReject | Action::DeliveryRollBack | Action::ChangesShow | Action::RunOpen
                if selection != Selection::Nothing =>
            {
                self.act_on(action, &selection, view)
            }
            Action::AppQuit => vec![Request::Quit],
            Action::AppSuspend => vec![Request::Suspend],
            Action::ScreenRedraw => vec![Request::Repaint],
            Action::ScreenSave => vec![Request::SaveScreen],
            Action::BundleWrite => vec![Request::WriteBundle],
            Action::MouseToggle => vec![Request::ToggleMouse],
            Action::GlobalOpenPalette if is_full => {
                self.layers.push(Box::new(Palette::over(context, Selected::Container, view)));
                Vec::new()
            }
            Action::GlobalOpenHelp if is_full => {
                self.layers.push(Box::new(Help::open(view.keymap, self.panel().id().context(), Some(context))));
                Vec::new()
            }
            Action::PanelVersions
            | Action::PanelContainers
            | Action::PanelHosts
            | Action::PanelLogs
            | Action::PanelResources
            | Action::PanelDelivery
            | Action::PanelHistory
            | Action::PanelEvents
            | Action::PanelStock
            | Action::PanelTriage
                if is_full =>
            {
                self.layers.clear();
                self.act_everywhere(action, view)
            }
            _ => Vec::new(),
        }
    }

    /// An action about what the top layer shows.
    fn act_on(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let read_only = matches!(view.rights, Rights::View { .. });
        if let Availability::Denied(denial) = availability(action, read_only, self.panel().id().context(), selection.kind()) {
            self.say(format!("{}: {denial}", action.row().id));
            return Vec::new();
        }
        match action {
            Action::DeliveryRollBack => self.open_sheet(action, selection, view),
            Action::ChangesShow => self.open_changes(selection, view),
            Action::RunOpen => self.open_run(selection, view),
            _ => self.at_lane(action, selection, view),
        }
    }

    /// The actions that mean the same in every panel.
    fn act_everywhere(&mut self, action: Action, view: &View<'_>) -> Vec<Request> {
        let selection = self.panel().selection(view);
        match action {
            Action::AppQuit => return vec![Request::Quit],
            Action::AppSuspend => return vec![Request::Suspend],
            Action::ScreenRedraw => return vec![Request::Repaint],
            Action::ScreenSave => return vec![Request::SaveScreen],
            Action::BundleWrite => return vec![Request::WriteBundle],
            Action::MouseToggle => return vec![Request::ToggleMouse],
            Action::RowClearMarks => return vec![Request::ClearMarks],
            Action::FilterClear => return vec![Request::Filter(String::new())],
            Action::LayerClose => return self.step_out(view),
            Action::GlobalOpenPalette => self.layers.push(Box::new(Palette::over(self.panel().id().context(), selection.kind(), view))),
            Action::GlobalOpenHelp => self.layers.push(Box::new(Help::open(view.keymap, self.panel().id().context(), None))),
            Action::FilterEdit => self.layers.push(Box::new(FilterLine::open(view))),
            Action::ThemePick => return vec![Request::OpenThemes],
            Action::LinkRetry => {
                return selection.host().map_or_else(Vec::new, |host| vec![Request::Ask(Command::RetryLink(host.clone()))]);
            }
            Action::SelectionCopyName | Action::SelectionCopyId | Action::SelectionCopyVersion => {
                return self.copy(action, &selection, view);
            }
            Action::ActsOpenMenu => {
                let (panel, subject) = (self.panel(), act_targets::subject(self.panel(), view));
                let menu = ActMenu::open(panel.id().context(), act_targets::selected(panel, view), subject, view);
                self.layers.push(Box::new(menu));
            }
            Action::ActsShowResults => match view.runs.last() {
                Some(run) => self.layers.push(Box::new(ActResults::of(run.id))),
                None => self.say("nothing was done yet"),
            },
            Action::ContainerStart => self.propose(Act::Start, act_targets::targets(self.panel(), view), view),
            Action::ContainerStop => self.propose(Act::Stop { grace: None }, act_targets::targets(self.panel(), view), view),
            Action::ContainerRestart => self.propose(Act::Restart { grace: None }, act_targets::targets(self.panel(), view), view),
            Action::ContainerPause => self.propose(Act::Pause, act_targets::targets(self.panel(), view), view),
            Action::ContainerUnpause => self.propose(Act::Unpause, act_targets::targets(self.panel(), view), view),
            Action::ContainerRemove => {
                self.propose(Act::Remove { force: false, volumes: false }, act_targets::targets(self.panel(), view), view);
            }
            Action::ContainerRemoveForced => {
                self.propose(Act::Remove { force: true, volumes: false }, act_targets::targets(self.panel(), view), view);
            }
            Action::ContainerKill => self.ask_argument(Argument::Signal, view),
            Action::ContainerRename => self.ask_argument(Argument::Name, view),
            Action::PanelVersions => return self.go(PanelId::Versions, view),
            Action::PanelContainers => return self.go(PanelId::Containers, view),
            Action::PanelHosts => return self.go(PanelId::Hosts, view),
            Action::PanelLogs => return self.go(PanelId::Logs, view),
            Action::PanelResources => return self.go(PanelId::Resources, view),
            Action::PanelDelivery => return self.go(PanelId::Delivery, view),
            Action::PanelHistory => return self.go(PanelId::History, view),
            Action::PanelEvents => return self.go(PanelId::Events, view),
            Action::PanelStock => return self.go(PanelId::Stock, view),
            Action::PanelTriage => return self.go(PanelId::Triage, view),
            Action::DeliveryDeploy | Action::DeliveryPromote | Action::DeliveryRollBack | Action::DeliveryApplyConfig => {
                return self.open_sheet(action, &selection, view);
            }
            Action::DeliveryBuild | Action::DeliveryFreeze | Action::DeliveryApprove | Action::DeliveryReject | Action::DeliveryCompare => {
                return self.at_lane(action, &selection, view);
            }
            Action::RunOpen => return self.open_run(&selection, view),
            Action::ChangesShow => return self.open_changes(&selection, view),
            Action::TemplateOpen => return self.open_template(&selection, view),
            Action::PaneNext => return self.go_beside(1, view),
            Action::PanePrevious => return self.go_beside(-1, view),
            Action::ContainerExec => {
                if let Selection::Container(container) = selection {
                    return vec![Request::Exec { container, command: None }];
                }
            }
            Action::SelectionLogs => return self.open_logs(log_choice::of_selection(&selection, view), view),
            Action::LogsOpenMatching => return self.open_logs(Ok(log_choice::of_filter(view)), view),
            Action::SelectionInspect => {
                if let Selection::Container(key) = selection {
                    return self.obey(Outcome::Inspect(key), view);
                }
            }
            Action::SelectionProcesses => {
                if let Selection::Container(key) = selection {
                    return self.obey(Outcome::Processes(key), view);
                }
            }
            // Everything else belongs to lists; a panel that has no use for it ignored it already.
            _ => {}
        }
        Vec::new()
    }

    /// Shows what an act would do, and asks. What may not be done at all is said at once.
    fn propose(&mut self, act: Act, targets: Vec<ContainerKey>, view: &View<'_>) {
        self.ask(Confirm::open(act, targets, view));
    }

    fn ask(&mut self, confirm: Confirm) {
        match confirm.refusal() {
            Some(why) => self.say(format!("not allowed: {why}")),
            None => self.layers.push(Box::new(confirm)),
        }
    }

    fn ask_argument(&mut self, argument: Argument, view: &View<'_>) {
        let (targets, subject) = (act_targets::targets(self.panel(), view), act_targets::subject(self.panel(), view));
        let name = targets.first().and_then(|key| view.fleet.container(key)).map(|container| container.name.clone());
        let likely = match (argument, name, targets.len()) {
            (Argument::Signal, ..) => "KILL".into(),
            (Argument::Name, Some(name), 1) => name,
            (Argument::Name, ..) => return self.say("one container at a time gets a new name"),
        };
        self.layers.push(Box::new(ActArgument::open(argument, targets, subject, &likely)));
    }

    /// `esc`: the marks go first, then the filter; nothing else is left to step out of.
    fn step_out(&mut self, view: &View<'_>) -> Vec<Request> {
        if !view.marks.is_empty() {
            vec![Request::ClearMarks]
        } else if !view.filter.text().is_empty() {
            vec![Request::Filter(String::new())]
        } else {
            Vec::new()
        }
    }

    fn copy(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        match copied_text(action, selection, view) {
            Some(text) => {
                self.say(format!("copied {text}"));
                vec![Request::Copy(text)]
            }
            None => {
                self.say("nothing to copy here");
                Vec::new()
            }
        }
    }

    fn open_logs(&mut self, chosen: Result<LogWish, String>, view: &View<'_>) -> Vec<Request> {
        match chosen {
            Ok(wish) => {
                self.go(PanelId::Logs, view);
                vec![Request::Logs(wish)]
            }
            Err(why) => {
                self.say(why);
                Vec::new()
            }
        }
    }

    fn go(&mut self, id: PanelId, view: &View<'_>) -> Vec<Request> {
        if let Some(index) = self.panels.iter().position(|panel| panel.id() == id) {
            return self.show(index, view);
        }
        Vec::new()
    }

    fn go_beside(&mut self, by: isize, view: &View<'_>) -> Vec<Request> {
        let count = self.panels.len();
        self.show((self.current + count).saturating_add_signed(by) % count, view)
    }

    fn show(&mut self, index: usize, view: &View<'_>) -> Vec<Request> {
        if self.panel().id() != PanelId::Logs {
            self.before = self.current;
        }
        self.current = index;
        self.panels[index].enter(view);
        self.panels[index].asks(view).map(Request::Ask).into_iter().collect()
    }

    /// What a panel's outcome means for the screen.
    fn obey(&mut self, outcome: Outcome, view: &View<'_>) -> Vec<Request> {
        match outcome {
            Outcome::Ignored | Outcome::Done => Vec::new(),
            Outcome::Ask(command) => vec![Request::Ask(command)],
            Outcome::Request(request) => {
                if let Request::Copy(text) = &request {
                    self.say(format!("copied {}", view.theme.fit(text.lines().next().unwrap_or_default(), 60)));
                }
                vec![request]
            }
            Outcome::LogLayer(which) => {
                if let Some(layer) = which.open(view) {
                    self.layers.push(layer);
                }
                Vec::new()
            }
            Outcome::Past(which) => self.open_past(which, view),
            Outcome::Back => {
                self.show(self.before, view);
                Vec::new()
            }
            Outcome::Go { panel, filter } => {
                self.go(panel, view);
                filter.map_or_else(Vec::new, |text| vec![Request::Filter(text)])
            }
            Outcome::TurnMatrix => vec![Request::TurnMatrix],
            Outcome::Inspect(container) => {
                self.questions += 1;
                let request = crate::action::RequestId(self.questions);
                self.layers.push(Box::new(Inspect::open(request, container.clone())));
                vec![Request::Ask(Command::ReadInspect { request, container })]
            }
            Outcome::Processes(container) => {
                self.questions += 1;
                let request = crate::action::RequestId(self.questions);
                self.layers.push(Box::new(Processes::open(request, container.clone())));
                vec![Request::Ask(Command::ReadProcesses { request, container })]
            }
            Outcome::ChooseColumns(columns) => {
                self.layers.push(Box::new(ColumnChooser::open(columns)));
                Vec::new()
            }
            Outcome::Mark(keys) => vec![Request::Mark(keys)],
            Outcome::Discard(things) => {
                self.ask(Confirm::discard(things, view));
                Vec::new()
            }
            Outcome::Say(note) => {
                self.say(note);
                Vec::new()
            }
        }
    }

    fn open_past(&mut self, which: PastLayer, view: &View<'_>) -> Vec<Request> {
        let (layer, asked) = which.open(view);
        self.layers.push(layer);
        asked.into_iter().collect()
    }

    /// What a layer's outcome means for the screen.
    fn follow(&mut self, outcome: LayerOutcome, view: &View<'_>) -> Vec<Request> {
        match outcome {
            LayerOutcome::Stay | LayerOutcome::Pass => Vec::new(),
            LayerOutcome::Close => {
                self.layers.pop();
                Vec::new()
            }
            LayerOutcome::Ask(request) => {
                if let Request::Copy(text) = &request {
                    self.say(format!("copied {text}"));
                }
                vec![request]
            }
            LayerOutcome::Say(note) => {
                self.say(note);
                Vec::new()
            }
            // The lines are read in a panel of their own.
            LayerOutcome::Finish(Request::Logs(wish @ LogWish::Open { .. })) => {
                self.layers.clear();
                self.open_logs(Ok(wish), view)
            }
            LayerOutcome::Finish(request) => {
                self.layers.pop();
                vec![request]
            }
            LayerOutcome::Propose { act, targets } => {
                self.layers.pop();
                self.propose(act, targets, view);
                Vec::new()
            }
            LayerOutcome::Jump(number) => {
                self.layers.pop();
                let outcome = self.panels[self.current].jump(number, view);
                self.obey(outcome, view)
            }
            LayerOutcome::Past(which) => self.open_past(which, view),
            LayerOutcome::PastChosen(choice) => {
                self.layers.pop();
                self.panels[self.current].choose_past(choice, view);
                Vec::new()
            }
            LayerOutcome::Columns(shown) => {
                self.layers.pop();
                self.panels[self.current].choose_columns(&shown);
                vec![Request::KeepColumns(shown)]
            }
            LayerOutcome::OpenRun(deployment) => {
                self.layers.pop();
                self.open_run(&Selection::Deployment(deployment), view)
            }
            LayerOutcome::Go(destination) => {
                self.layers.clear();
                let (panel, filter) = match destination {
                    Destination::Host(host) => (PanelId::Containers, format!("host:{host}")),
                    Destination::Service(service) => {
                        let app = service.app.as_ref().map_or(String::new(), |app| format!("app:{app} "));
                        (PanelId::Versions, format!("{app}service:{}", service.service))
                    }
                };
                self.go(panel, view);
                vec![Request::Filter(filter)]
            }
            LayerOutcome::Run(action) => {
                self.layers.pop();
                self.act(action, view)
            }
            LayerOutcome::RunAt(action, selection) => {
                self.layers.pop();
                self.open_sheet(action, &selection, view)
            }
        }
    }

    fn contexts(&self) -> [Context; 2] {
        Context::focus(self.panel().id().context(), self.layers.last().map(|layer| layer.context()))
    }

    /// Paints the whole screen.
    pub fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        view.ages.clear();
        buffer.set_style(area, view.theme.style(Role::Screen));
        if area.width < 20 || area.height < 6 {
            Pen::new(buffer, area, 0).text("too small", view.theme.style(Role::StateAttention));
            return;
        }
        let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
        let covered = self.layers.last().is_some_and(|layer| layer.is_full());
        frame::header(buffer, row(0, 1), view);
        let id = self.panel().id();
        self.tabs = frame::tabs(buffer, row(1, 1), &self.panels, id, view);
        self.body = row(3, area.height - 4);
        if !covered {
            let subtitle = self.panel().subtitle(view);
            let aside = self.panel().aside(view);
            let filter = match view.filter.text() {
                "" => String::new(),
                text => format!(" filter {text} "),
            };
            let marks = if view.marks.is_empty() { String::new() } else { format!(" {} marked ", view.marks.len()) };
            let dot = view.theme.symbol(Symbol::Dot);
            let right = aside.unwrap_or_else(|| format!("{marks}{filter}"));
            frame::rule(buffer, row(2, 1), 0, &format!(" {} {dot} {subtitle} ", id.title()), &right, view);
            self.panels[self.current].render(buffer, self.body, view);
        }
        frame::foot(buffer, row(area.height - 1, 1), self.panel(), view);
        frame::acts(buffer, row(area.height - 1, 1), view);
        for layer in &mut self.layers {
            layer.render(buffer, row(2, area.height - 2), view);
        }
        if let Some(note) = &self.note {
            let style = view.theme.style(Role::Text);
            Pen::new(buffer, row(area.height - 1, 1), 0).fill(" ", style);
            Pen::new(buffer, row(area.height - 1, 1), 0).skip(1).text(note, style);
        }
        if !self.menu.is_empty() {
            which_key::render(&self.pending, &self.menu, row(2, area.height - 2), buffer, view.theme);
        }
    }
}

mod act_targets;
mod changes;
mod lane;
mod run;
mod sheet;
mod template;
#[cfg(test)]
mod tests;
