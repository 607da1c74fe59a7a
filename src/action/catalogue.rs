//! The table of actions. To add one: one row here; its palette entry, help line and hint follow, and the compiler
//! shows every place that must carry it out.

use std::fmt;

use thiserror::Error;

use super::context::{Context, Selected};
use crate::text::nearest;

/// What must be answered before an action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confirm {
    /// Nothing: it changes nothing outside the console.
    Never,
    /// A yes to the shown plan.
    Ask,
    /// The target's name, typed: what it takes away does not come back.
    TypeName,
}

/// Which right an action takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// It only looks.
    View,
    /// It changes something on a host.
    Act,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The action the row is about.
    pub action: Action,
    /// Its name in keymap files, on the command line and in the audit: `area.verb-noun`. Never changed once released.
    pub id: &'static str,
    /// Where it has a meaning; [`Context::Global`]: everywhere.
    pub context: Context,
    /// What must be answered first.
    pub confirm: Confirm,
    /// Which right it takes.
    pub need: Need,
    /// Whether a held key may run it again and again (movement), or only a fresh press (everything else).
    pub repeatable: bool,
    /// What the cursor must stand on; empty: it needs no selection.
    pub on: &'static [Selected],
    /// One imperative sentence: help, palette and README show it.
    pub doc: &'static str,
}

/// Declares the catalogue: variant, id, context, confirm, need, once|held, selections, doc.
macro_rules! catalogue {
    (@held once) => { false };
    (@held held) => { true };
    ($($variant:ident $id:literal $context:ident $confirm:ident $need:ident $held:ident [$($on:ident)*] $doc:literal;)+) => {
        /// Everything that can be asked of the console.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = $doc] $variant,)+
        }

        const ROWS: &[Row] = &[$(Row {
            action: Action::$variant,
            id: $id,
            context: Context::$context,
            confirm: Confirm::$confirm,
            need: Need::$need,
            repeatable: catalogue!(@held $held),
            on: &[$(Selected::$on,)*],
            doc: $doc,
        },)+];

        impl Action {
            /// Every action, in catalogue order.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];
        }
    };
}

catalogue! {
    // variant               id                         where          confirm need  held  on                                      doc
    PanelVersions            "panel.versions"           Global         Never   View  once  []                                      "Show which version runs where.";
    PanelContainers          "panel.containers"         Global         Never   View  once  []                                      "Show every container of every host.";
    PanelHosts               "panel.hosts"              Global         Never   View  once  []                                      "Show the hosts and their links.";
    PanelLogs                "panel.logs"               Global         Never   View  once  []                                      "Show the logs that were opened last.";
    PanelResources           "panel.resources"          Global         Never   View  once  []                                      "Show what everything uses.";
    PanelDelivery            "panel.delivery"           Global         Never   View  once  []                                      "Show the way of versions to production.";
    PanelHistory             "panel.history"            Global         Never   View  once  []                                      "Show what was deployed, and what ran when.";
    PanelEvents              "panel.events"             Global         Never   View  once  []                                      "Show what the engines report.";
    PanelTriage              "panel.triage"             Global         Never   View  once  []                                      "Show what is bad now, the worst first.";
    PanelStock               "panel.stock"              Global         Never   View  once  []                                      "Show images, volumes and networks.";
    GlobalOpenPalette        "global.open-palette"      Global         Never   View  once  []                                      "Find an action, a host or a service by name.";
    GlobalOpenHelp           "global.open-help"         Global         Never   View  once  []                                      "Show the keys that hold here.";
    LayerClose               "layer.close"              Global         Never   View  once  []                                      "Step out, back to where you came from.";
    PaneNext                 "pane.next"                Global         Never   View  once  []                                      "Go to the next pane.";
    PanePrevious             "pane.previous"            Global         Never   View  once  []                                      "Go to the previous pane.";
    ListMoveDown             "list.move-down"           Global         Never   View  held  []                                      "Move the cursor down.";
    ListMoveUp               "list.move-up"             Global         Never   View  held  []                                      "Move the cursor up.";
    ListMoveLeft             "list.move-left"           Global         Never   View  held  []                                      "Move or scroll to the left.";
    ListMoveRight            "list.move-right"          Global         Never   View  held  []                                      "Move or scroll to the right.";
    ListPageDown             "list.page-down"           Global         Never   View  held  []                                      "Move one page down.";
    ListPageUp               "list.page-up"             Global         Never   View  held  []                                      "Move one page up.";
    ListMoveFirst            "list.move-first"          Global         Never   View  once  []                                      "Go to the first row.";
    ListMoveLast             "list.move-last"           Global         Never   View  once  []                                      "Go to the last row.";
    FilterEdit               "filter.edit"              Global         Never   View  once  []                                      "Filter the rows, or search the text.";
    FilterClear              "filter.clear"             Global         Never   View  once  []                                      "Show all rows again.";
    SelectionOpen            "selection.open"           Global         Never   View  once  [Group Service Container Host Event Lane Deployment Entry] "Open what the cursor is on.";
    SelectionInspect         "selection.inspect"        Global         Never   View  once  [Container Host Event]                  "Show all that the engine knows about it.";
    SelectionProcesses       "selection.processes"      Global         Never   View  once  [Container]                             "Show its processes.";
    SelectionCopyName        "selection.copy-name"      Global         Never   View  once  [Service Container Host Event Deployment] "Copy its name.";
    SelectionCopyId          "selection.copy-id"        Global         Never   View  once  [Container Event]                       "Copy its id.";
    SelectionCopyVersion     "selection.copy-version"   Global         Never   View  once  [Service Container]                     "Copy its version.";
    RowMark                  "row.mark"                 Global         Never   View  held  [Container Entry]                       "Mark or unmark the row.";
    RowClearMarks            "row.clear-marks"          Global         Never   View  once  []                                      "Unmark every row.";
    GroupFold                "group.fold"               Global         Never   View  once  [Group Service Container Host Event]    "Fold or unfold the group.";
    UsageToggle              "usage.toggle"             Global         Never   View  once  []                                      "Show or hide processors and memory.";
    SelectionLogs            "selection.open-logs"      Global         Never   View  once  []                                      "Read the logs of what is selected.";
    LogsOpenMatching         "logs.open-matching"       Global         Never   View  once  []                                      "Read the logs of all that the filter selects.";
    VersionsTurn             "view.turn"                Versions       Never   View  once  []                                      "Turn the columns: environments or hosts.";
    ContainersGroup          "containers.group"         Containers     Never   View  once  []                                      "Group by host, service or environment.";
    ContainersSort           "containers.sort"          Containers     Never   View  once  []                                      "Sort by the next column.";
    ContainersReverseSort    "containers.reverse-sort"  Containers     Never   View  once  []                                      "Turn the order of the sort around.";
    ContainersSortByName     "containers.sort-by-name"  Containers     Never   View  once  []                                      "Sort by name.";
    ContainersSortByHost     "containers.sort-by-host"  Containers     Never   View  once  []                                      "Sort by host.";
    ContainersSortByState    "containers.sort-by-state" Containers     Never   View  once  []                                      "Sort by state, the worst first.";
    ContainersSortByAge      "containers.sort-by-age"   Containers     Never   View  once  []                                      "Sort by age, the youngest first.";
    ContainersChooseColumns  "containers.choose-columns" Containers    Never   View  once  []                                      "Choose the columns.";
    StockTurn                "stock.turn"               Stock          Never   View  once  []                                      "Turn: images, volumes, networks.";
    StockReload              "stock.reload"             Stock          Never   View  once  []                                      "Ask the engines to count again.";
    StockRemove              "stock.remove"             Stock          Ask     Act   once  []                                      "Take away what the cursor is on.";
    StockPrune               "stock.prune"              Stock          Ask     Act   once  []                                      "Take away all that is unnamed and unused.";
    LogsFind                 "logs.find"                Logs           Never   View  once  []                                      "Search the lines.";
    LogsFindNext             "logs.find-next"           Logs           Never   View  held  []                                      "Go to the next line that the search found.";
    LogsFindPrevious         "logs.find-previous"       Logs           Never   View  held  []                                      "Go to the line before that it found.";
    LogsFilter               "logs.filter"              Logs           Never   View  once  []                                      "Put filters on, or take them off.";
    LogsPopFilter            "logs.pop-filter"          Logs           Never   View  once  []                                      "Take the newest filter off.";
    LogsCycleLevel           "logs.cycle-level"         Logs           Never   View  once  []                                      "Show only lines at least so severe.";
    LogsPickTime             "logs.pick-time"           Logs           Never   View  once  []                                      "Choose the time span, or jump to a time.";
    LogsTogglePause          "logs.toggle-pause"        Logs           Never   View  once  []                                      "Pause, or go on; no line is lost.";
    LogsToggleWrap           "logs.toggle-wrap"         Logs           Never   View  once  []                                      "Wrap long lines, or cut them.";
    LogsCycleTimes           "logs.cycle-times"         Logs           Never   View  once  []                                      "Times: local, UTC, relative, none.";
    LogsToggleFields         "logs.toggle-fields"       Logs           Never   View  once  []                                      "Show JSON lines short, or as they came.";
    LogsCopyLine             "logs.copy-line"           Logs           Never   View  once  []                                      "Copy the line.";
    LogsExport               "logs.export"              Logs           Never   View  once  []                                      "Write the lines to a file, or copy them.";
    LogsSearchFleet          "logs.search-fleet"        Logs           Never   View  once  []                                      "Search the whole logs on all their hosts.";
    LogsClose                "logs.close"               Logs           Never   View  once  []                                      "End this stream.";
    ResourcesTurn            "resources.turn"           Resources      Never   View  once  []                                      "Turn the tree: environments or hosts.";
    ResourcesSort            "resources.sort"           Resources      Never   View  once  []                                      "Sort by the next column.";
    ResourcesReverseSort     "resources.reverse-sort"   Resources      Never   View  once  []                                      "Turn the order of the sort around.";
    ResourcesSpan            "resources.span"           Resources      Never   View  once  []                                      "Show a longer or shorter time.";
    InspectFindNext          "inspect.find-next"        Inspect        Never   View  held  []                                      "Go to the next place that the search found.";
    InspectFindPrevious      "inspect.find-previous"    Inspect        Never   View  held  []                                      "Go to the place before that it found.";
    ContainerExec            "container.exec"           Global         Never   Act   once  [Container]                             "Open a shell in it.";
    ActsOpenMenu             "acts.open-menu"           Global         Never   View  once  []                                      "Start, stop or restart what is selected.";
    ActsShowResults          "acts.show-results"        Global         Never   View  once  []                                      "Show how far the acts are, and what became.";
    ActsCancel               "acts.cancel"              ActResults     Never   View  once  []                                      "Call off what is not sent yet.";
    ContainerStart           "container.start"          Global         Ask     Act   once  [Container Service]                     "Start it.";
    ContainerStop            "container.stop"           Global         Ask     Act   once  [Container Service]                     "Stop it: ask it to end, then end it.";
    ContainerRestart         "container.restart"        Global         Ask     Act   once  [Container Service]                     "Stop it and start it again.";
    ContainerKill            "container.kill"           Global         Ask     Act   once  [Container Service]                     "Send it a signal.";
    ContainerPause           "container.pause"          Global         Ask     Act   once  [Container Service]                     "Freeze its processes.";
    ContainerUnpause         "container.unpause"        Global         Ask     Act   once  [Container Service]                     "Thaw its processes.";
    ContainerRename          "container.rename"         Global         Ask     Act   once  [Container]                             "Give it another name.";
    ContainerRemove          "container.remove"         Global         TypeName Act  once  [Container Service]                     "Take it away, with its log and its layer.";
    ContainerRemoveForced    "container.remove-forced"  Global         TypeName Act  once  [Container Service]                     "Take it away even while it runs.";
    DeliveryDeploy           "delivery.deploy"          Global         Ask     Act   once  [Service Container Lane Deployment]     "Plan a deployment of the newest build here.";
    DeliveryPromote          "delivery.promote"         Global         Ask     Act   once  [Service Container Lane Deployment]     "Plan to bring what is good here further.";
    DeliveryRollBack         "delivery.roll-back"       Global         Ask     Act   once  [Service Container Lane Deployment]     "Plan the way back to the last good release.";
    DeliveryApplyConfig      "delivery.apply-config"    Global         Ask     Act   once  [Service Container Lane Deployment]     "Plan today's configuration of what runs.";
    DeliveryBuild            "delivery.build"           Global         Ask     Act   once  [Service Container Lane Deployment]     "Build the newest commit.";
    DeliveryFreeze           "delivery.freeze"          Global         Ask     Act   once  [Service Container Lane Deployment]     "Freeze the environment, or thaw it.";
    DeliveryApprove          "delivery.approve"         Global         Ask     Act   once  [Service Container Lane Deployment]     "Say yes to what waits for it.";
    DeliveryReject           "delivery.reject"          Global         Ask     Act   once  [Service Container Lane Deployment]     "Say no to what waits for a yes.";
    DeliveryCompare          "delivery.compare"         Delivery       Never   View  once  [Lane]                                  "Compare the lane with the one before it.";
    DeliveryReload           "delivery.reload"          Delivery       Never   View  once  []                                      "Look at repositories, ledger and hosts again.";
    TemplateOpen             "template.open"            Global         Never   View  once  [Service Container Lane Deployment]     "Show its template as it reads here.";
    ChangesShow              "changes.show"             Global         Never   View  once  [Service Container Host Event Lane Deployment] "Show what changed near it lately.";
    HistoryTurn              "history.turn"             History        Never   View  once  []                                      "Turn: deployments, releases, a moment.";
    HistoryPickTime          "history.pick-time"        History        Never   View  once  []                                      "Show what ran where at a moment.";
    RunOpen                  "run.open"                 Global         Never   View  once  []                                      "Show the deployment under way.";
    RunPark                  "run.park"                 Run            Ask     Act   once  []                                      "Park it after this step.";
    RunUnwind                "run.unwind"               Run            Ask     Act   once  []                                      "Take back what it did.";
    RunResume                "run.resume"               Run            Ask     Act   once  []                                      "Carry on where it stopped.";
    RunFinish                "run.finish"               Run            Ask     Act   once  []                                      "Put away now what is kept warm.";
    RunLogs                  "run.logs"                 Run            Never   View  once  []                                      "Read the logs of old and new.";
    TemplateEdit             "template.edit"            Template       Ask     Act   once  []                                      "Change variables.";
    DetailFindNext           "detail.find-next"         Detail         Never   View  held  []                                      "Go to the next line that the search found.";
    DetailFindPrevious       "detail.find-previous"     Detail         Never   View  held  []                                      "Go to the line before that it found.";
    FormAdd                  "form.add"                 Form           Never   View  once  []                                      "Add a variable.";
    FormRemove               "form.remove"              Form           Never   View  once  []                                      "Take the variable away, or keep it.";
    InspectFoldAll           "inspect.fold-all"         Inspect        Never   View  once  []                                      "Fold everything.";
    InspectUnfoldAll         "inspect.unfold-all"       Inspect        Never   View  once  []                                      "Unfold everything.";
    InspectReveal            "inspect.reveal"           Inspect        Never   View  once  []                                      "Show its secrets, or hide them again.";
    LinkRetry                "link.retry"               Global         Never   View  once  [Container Host]                        "Try its host again now.";
    MouseToggle              "mouse.toggle"             Global         Never   View  once  []                                      "Toggle who has the mouse: console or terminal.";
    ThemePick                "theme.pick"               Global         Never   View  once  []                                      "Choose a theme.";
    ScreenSave               "screen.save"              Global         Never   View  once  []                                      "Save this screen as text and as a picture.";
    BundleWrite              "bundle.write"             Global         Never   View  once  []                                      "Write all that a colleague needs to a file.";
    ScreenRedraw             "screen.redraw"            Global         Never   View  once  []                                      "Draw the whole screen again.";
    AppQuit                  "app.quit"                 Global         Never   View  once  []                                      "Leave the console.";
    AppSuspend               "app.suspend"              Global         Never   View  once  []                                      "Put the console into the shell's background.";
}

/// A name that is no action.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown action {name:?}{}", nearest.map(|n| format!(" (did you mean {n:?}?)")).unwrap_or_default())]
pub struct UnknownAction {
    /// As written.
    pub name: String,
    /// The known action most like it.
    pub nearest: Option<&'static str>,
}

impl Action {
    /// Its row of the catalogue.
    pub const fn row(self) -> &'static Row {
        // The rows are declared in the order of the variants, from the same list.
        &ROWS[self as usize]
    }

    /// How many rows it moves a cursor by in a list of which `page` rows are seen; the ends of the list are as far as can be.
    pub fn list_step(self, page: usize) -> Option<isize> {
        let page = isize::try_from(page.max(1)).unwrap_or(isize::MAX);
        match self {
            Self::ListMoveDown => Some(1),
            Self::ListMoveUp => Some(-1),
            Self::ListPageDown => Some(page),
            Self::ListPageUp => Some(-page),
            Self::ListMoveFirst => Some(isize::MIN),
            Self::ListMoveLast => Some(isize::MAX),
            _ => None,
        }
    }

    /// Its id, `area.verb-noun`.
    pub const fn id(self) -> &'static str {
        self.row().id
    }

    /// The action of that id.
    ///
    /// # Errors
    /// [`UnknownAction`] with the nearest known id.
    pub fn parse(id: &str) -> Result<Self, UnknownAction> {
        ROWS.iter()
            .find(|row| row.id == id)
            .map(|row| row.action)
            .ok_or_else(|| UnknownAction { name: id.to_owned(), nearest: nearest(id, ROWS.iter().map(|row| row.id)) })
    }

    /// Whether a key of `context` may run it: an action that belongs to one panel means nothing in another.
    pub fn holds_in(self, context: Context) -> bool {
        let home = self.row().context;
        home == Context::Global || home == context
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_whole_and_found_by_its_id() {
        let mut ids = BTreeSet::new();
        for action in Action::ALL.iter().copied() {
            let row = action.row();
            assert_eq!(row.action, action);
            assert_eq!(Action::parse(row.id), Ok(action));
            assert!(ids.insert(row.id), "{} twice", row.id);
            let (area, verb) = row.id.split_once('.').unwrap();
            let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(plain(area) && plain(verb), "{}: not area.verb-noun", row.id);
            assert!(row.doc.ends_with('.') && row.doc.starts_with(|c: char| c.is_ascii_uppercase()), "{}: {:?}", row.id, row.doc);
            assert!(row.doc.len() <= 46, "{}: the palette must show its doc whole at 80 columns", row.id);
            assert!(row.id.len() <= 25, "{}: longer than the palette's column", row.id);
            // A shell changes nothing until something is typed in it.
            let asks = row.confirm != Confirm::Never || action == Action::ContainerExec;
            assert!(row.need == Need::View || asks, "{}: acts without a question", row.id);
        }
    }

    #[test]
    fn a_mistyped_id_names_the_nearest() {
        let error = Action::parse("list.movedown").unwrap_err();
        assert_eq!(error.to_string(), "unknown action \"list.movedown\" (did you mean \"list.move-down\"?)");
        assert_eq!(Action::parse("%").unwrap_err().nearest, None);
    }
}
