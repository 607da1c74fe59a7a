//! The seam between the screen and its panels. A new panel is one file in [`panels`](super::panels) and one row in its registry.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    layers::{LogLayer, PastChoice, PastLayer},
    screen::Request,
    view::View,
};
use crate::{
    action::{Action, Command, Context, Selected},
    alerts::Probe,
    board::Watch,
    delivery::release::DeploymentId,
    fleet::{AppName, Change, ContainerKey, EnvironmentId, HostId, ServiceKey, matrix::Column},
    stats::Wanted,
    stock::StockKey,
};

/// The panels of the console, in the order of their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PanelId {
    /// Which version runs where.
    Versions,
    /// Every container.
    Containers,
    /// Every host.
    Hosts,
    /// The lines of one or many containers.
    Logs,
    /// What everything uses.
    Resources,
    /// The way of versions from commit to production.
    Delivery,
    /// What was deployed.
    History,
    /// What the engines report.
    Events,
    /// What is bad now.
    Triage,
    /// What the engines keep beside their containers.
    Stock,
}

impl PanelId {
    /// Where its keys are bound.
    pub fn context(self) -> Context {
        match self {
            Self::Versions => Context::Versions,
            Self::Containers => Context::Containers,
            Self::Hosts => Context::Hosts,
            Self::Logs => Context::Logs,
            Self::Resources => Context::Resources,
            Self::Delivery => Context::Delivery,
            Self::History => Context::History,
            Self::Events => Context::Events,
            Self::Triage => Context::Triage,
            Self::Stock => Context::Stock,
        }
    }

    /// Its name in tabs and titles.
    pub fn title(self) -> &'static str {
        match self {
            Self::Versions => "Versions",
            Self::Containers => "Containers",
            Self::Hosts => "Hosts",
            Self::Logs => "Logs",
            Self::Resources => "Resources",
            Self::Delivery => "Delivery",
            Self::History => "History",
            Self::Events => "Events",
            Self::Triage => "Triage",
            Self::Stock => "Stock",
        }
    }

    /// The action that shows it.
    pub fn action(self) -> Action {
        match self {
            Self::Versions => Action::PanelVersions,
            Self::Containers => Action::PanelContainers,
            Self::Hosts => Action::PanelHosts,
            Self::Logs => Action::PanelLogs,
            Self::Resources => Action::PanelResources,
            Self::Delivery => Action::PanelDelivery,
            Self::History => Action::PanelHistory,
            Self::Events => Action::PanelEvents,
            Self::Triage => Action::PanelTriage,
            Self::Stock => Action::PanelStock,
        }
    }
}

/// What the cursor stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Nothing.
    Nothing,
    /// A group's heading.
    Group,
    /// A service, in one column of the matrix or in all of them.
    Service {
        /// Which.
        service: ServiceKey,
        /// Where; `None`: everywhere.
        column: Option<Column>,
    },
    /// A container.
    Container(ContainerKey),
    /// A host.
    Host(HostId),
    /// An event about this container (or object) of a host.
    Event(ContainerKey),
    /// A lane of an app; without an environment: its commits and builds.
    Lane {
        /// The app.
        app: AppName,
        /// Where.
        environment: Option<EnvironmentId>,
    },
    /// A deployment.
    Deployment(DeploymentId),
    /// A line of a log.
    Line,
}

impl Selection {
    /// The kind that the catalogue judges by.
    pub fn kind(&self) -> Selected {
        match self {
            Self::Nothing => Selected::Nothing,
            Self::Group => Selected::Group,
            Self::Service { .. } => Selected::Service,
            Self::Container(_) => Selected::Container,
            Self::Host(_) => Selected::Host,
            Self::Event(_) => Selected::Event,
            Self::Lane { .. } => Selected::Lane,
            Self::Deployment(_) => Selected::Deployment,
            Self::Line => Selected::Entry,
        }
    }

    /// The host it is about, where it is about one.
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::Nothing | Self::Group | Self::Line | Self::Lane { .. } | Self::Deployment(_) => None,
            Self::Service { column, .. } => match column {
                Some(Column::Host(host)) => Some(host),
                Some(Column::Environment(_)) | None => None,
            },
            Self::Container(key) | Self::Event(key) => Some(&key.host),
            Self::Host(host) => Some(host),
        }
    }
}

/// What a panel made of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It means nothing here.
    Ignored,
    /// Done within the panel.
    Done,
    /// Something for the engine side.
    Ask(Command),
    /// Something for the runtime.
    Request(Request),
    /// Open one of the layers that belong to the logs.
    LogLayer(LogLayer),
    /// Open one of the layers that belong to the past.
    Past(PastLayer),
    /// Go to where this panel was entered from.
    Back,
    /// Go to another panel, filtered.
    Go {
        /// Where.
        panel: PanelId,
        /// The filter's new text; `None` keeps it.
        filter: Option<String>,
    },
    /// Turn the matrix's columns.
    TurnMatrix,
    /// Open a container's inspect document.
    Inspect(ContainerKey),
    /// Open the list of a container's processes.
    Processes(ContainerKey),
    /// Open a menu of columns: titles with whether each is shown; comes back through [`Panel::choose_columns`].
    ChooseColumns(Vec<(&'static str, bool)>),
    /// Mark or unmark rows.
    Mark(Vec<ContainerKey>),
    /// Show what taking these away would do, and ask.
    Discard(Vec<StockKey>),
    /// One line for the foot.
    Say(String),
}

/// What changed since a panel last looked.
#[derive(Clone, Copy, Debug)]
pub enum Refresh<'a> {
    /// Everything may have: another filter, another order, the first look.
    All,
    /// This.
    Changed(&'a Change),
}

/// A part of the screen with a list in it. Owns cursor, scroll, fold, sort; nothing else.
pub trait Panel {
    /// Which one it is.
    fn id(&self) -> PanelId;

    /// What stands after its name in the title line: `by environment · 9 services`.
    fn subtitle(&self, view: &View<'_>) -> String;

    /// What stands at the right end of the title line in place of filter and marks, which do not concern every panel.
    fn aside(&self, _view: &View<'_>) -> Option<String> {
        None
    }

    /// Brings its list up to date. Called before anything else when something changed.
    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>);

    /// Whether it follows changes while another panel is in front; one that does not works everything out in [`Panel::enter`].
    fn keeps_up(&self) -> bool {
        true
    }

    /// It comes to the front: the moment to put in order what kept its place while it was looked at.
    fn enter(&mut self, _view: &View<'_>) {}

    /// What must be asked for as it comes to the front; nothing is asked for that nobody looks at.
    fn asks(&self, _view: &View<'_>) -> Option<Command> {
        None
    }

    /// What the cursor stands on.
    fn selection(&self, view: &View<'_>) -> Selection;

    /// Carries out an action that concerns lists, or this panel alone.
    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome;

    /// A click into it, in cells from its top left; `twice` when it hit the row that the cursor was on already.
    fn click(&mut self, x: u16, y: u16, view: &View<'_>) -> Outcome;

    /// One notch of the wheel: where a row is chosen, that moves it.
    fn wheel(&mut self, down: bool, view: &View<'_>) -> Outcome {
        self.act(if down { Action::ListMoveDown } else { Action::ListMoveUp }, view)
    }

    /// Paints it. `&mut` because what fits decides about scrolling.
    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>);

    /// What can be done here, most likely first, for the foot.
    fn hints(&self) -> &'static [Action];

    /// The containers that the last frame showed: their rows deserve an inspect.
    fn visible(&self, view: &View<'_>) -> Vec<ContainerKey>;

    /// What the last frame would have said more about, had the engines been asked: the answers come in through
    /// [`View::evidence`](super::view::View::evidence).
    fn probes(&self, _view: &View<'_>) -> Vec<Probe> {
        Vec::new()
    }

    /// Goes to an entry of the open stream.
    fn jump(&mut self, _number: u64, _view: &View<'_>) -> Outcome {
        Outcome::Ignored
    }

    /// What it wants measured while it is in front, by what the last frame showed; most want nothing.
    fn wanted(&self, _view: &View<'_>) -> Wanted {
        Wanted::default()
    }

    /// What the delivery desk is to keep up to date while it is in front.
    fn watches(&self, _view: &View<'_>) -> Watch {
        Watch::Nothing
    }

    /// Something was measured, at most once a second: the moment to work out what is shown of it.
    fn measured(&mut self, _view: &View<'_>) {}

    /// Takes what was typed into a line of [`Outcome::Past`]; only the panel that opens one wants it.
    fn choose_past(&mut self, _choice: PastChoice, _view: &View<'_>) {}

    /// Takes the answer of a [`Outcome::ChooseColumns`] menu.
    fn choose_columns(&mut self, shown: &[&str]) {
        // Only tables with choosable columns ask, and only they override this.
        debug_assert!(shown.is_empty(), "{:?} has no columns to choose", self.id());
    }
}
