//! The seam between the screen and what opens above a panel.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    act::{Act, RunId},
    action::{Action, Answer, Context},
    alerts::Probe,
    board::Watch,
    delivery::release::DeploymentId,
    fleet::{ContainerKey, HostId, ServiceKey},
    ui::{
        layers::{PastChoice, PastLayer},
        panel::Selection,
        screen::Request,
        view::View,
    },
};

/// What a layer made of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerOutcome {
    /// Taken; the layer stays.
    Stay,
    /// Not its business: the console decides.
    Pass,
    /// It is done.
    Close,
    /// It is done; run this.
    Run(Action),
    /// It is done; run this about that, whatever the panel's cursor is on.
    RunAt(Action, Selection),
    /// It is done; go there.
    Go(Destination),
    /// Taken, and this is asked; the layer stays.
    Ask(Request),
    /// One line for the foot; the layer stays.
    Say(String),
    /// It is done, and this is asked.
    Finish(Request),
    /// It is done; show what this act would do to these.
    Propose {
        /// The act.
        act: Act,
        /// To whom.
        targets: Vec<ContainerKey>,
    },
    /// It is done; the panel in front goes to this entry of the open stream.
    Jump(u64),
    /// Open one of the layers that belong to the past above this one.
    Past(PastLayer),
    /// It is done; the panel in front takes this.
    PastChosen(PastChoice),
    /// It is done; the panel in front shows these columns from now on.
    Columns(Vec<&'static str>),
    /// It is done; show this deployment as it goes.
    OpenRun(DeploymentId),
}

/// A place in the fleet that the palette can lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A host's row.
    Host(HostId),
    /// A service's row.
    Service(ServiceKey),
}

/// Something opened above a panel. `esc` closes it, always without effect.
pub trait Layer {
    /// Where its keys are bound.
    fn context(&self) -> Context;

    /// An action bound to a key here.
    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome;

    /// A key that no binding claims: typed text, in layers that take text.
    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome;

    /// Pasted text; only layers that take text want it.
    fn paste(&mut self, _text: &str, _view: &View<'_>) -> LayerOutcome {
        LayerOutcome::Pass
    }

    /// Whether it covers the whole panel, which then need not be painted.
    fn is_full(&self) -> bool {
        false
    }

    /// The run whose results it shows.
    fn run(&self) -> Option<RunId> {
        None
    }

    /// What the delivery desk is to keep up to date while it is open; `None`: what lies beneath decides.
    fn watches(&self) -> Option<Watch> {
        None
    }

    /// What it would say more about, had the engines been asked; only of a layer that covers its panel.
    fn probes(&self, _view: &View<'_>) -> Vec<Probe> {
        Vec::new()
    }

    /// What it is about, for the actions that mean the same everywhere.
    fn selection(&self) -> Selection {
        Selection::Nothing
    }

    /// Whether it shows secrets that a person let show: such a screen is not handed on.
    fn is_private(&self) -> bool {
        false
    }

    /// The delivery desk told something, which stands on the board by now.
    fn hear(&mut self, _view: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    /// An answer arrived that it may have asked for.
    fn answer(&mut self, _answer: &Answer) {}

    /// Paints it over the panel; `area` is everything between tabs and lower edge.
    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>);
}
