//! What everything uses: a tree with sums on the left, charts of what the cursor is on beside it, and what is nearest to trouble on top.
//!
//! Owns what is unfolded, the order, the cursor and the time that the charts show. While it is in front, what it shows is measured.

mod charts;
mod nearest;
mod table;
mod tree;

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use self::{
    charts::Span,
    table::Painted,
    tree::{By, Node, Sort, Tree},
};
use crate::{
    action::Action,
    fleet::{ContainerKey, HostId, matrix::Column},
    stats::{Near, Wanted, nearest as find_nearest},
    text::counted,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        theme::{Role, Symbol},
        view::View,
        widgets::{Cursor, Pen},
    },
};

/// From this width on the charts stand beside the tree.
const WIDE: u16 = 120;
/// From this height on they stand below it, where the screen is not that wide.
const TALL: u16 = 18;
/// No container is measured more often than this while somebody looks; how often really is a matter of the budget.
const EVERY: Duration = Duration::from_secs(2);

/// Between two times that changes of the fleet are worked out.
const REST: TimeDelta = TimeDelta::seconds(1);

/// The panel's own state.
#[derive(Default)]
pub struct Resources {
    tree: Tree,
    cursor: Cursor<Node>,
    span: Span,
    near: Vec<Near>,
    painted: Painted,
    /// What selected the rows when the tree was last arranged; `None`: it was never looked at.
    filter: Option<String>,
    /// Something changed that is not worked out yet.
    stale: bool,
    /// When everything was last worked out.
    worked: Option<DateTime<Utc>>,
}

impl Resources {
    fn sort(&mut self, sort: Sort, reversed: bool, view: &View<'_>) -> Outcome {
        (self.tree.sort, self.tree.reversed) = (sort, reversed);
        self.arrange(view);
        Outcome::Done
    }

    fn arrange(&mut self, view: &View<'_>) {
        self.filter = Some(view.filter.text().to_owned());
        self.tree.arrange(view);
        self.worked_out(view);
    }

    fn work_out(&mut self, view: &View<'_>) {
        self.tree.rebuild(view);
        self.worked_out(view);
    }

    fn worked_out(&mut self, view: &View<'_>) {
        self.cursor.settle(self.tree.nodes());
        self.near = find_nearest(view.fleet, view.stats, view.now);
        (self.stale, self.worked) = (false, Some(view.now));
    }

    /// Works out what changed, once in a while: a tree over a fleet in turmoil is not made anew for every frame.
    fn catch_up(&mut self, view: &View<'_>) {
        if !self.stale {
            return;
        }
        let passed = self.worked.map_or(REST, |worked| view.now - worked);
        if passed >= REST {
            self.work_out(view);
        } else {
            view.ages.within(REST - passed);
        }
    }

    /// Folds what the cursor is on, or what holds it.
    fn fold(&mut self, view: &View<'_>) -> Outcome {
        let Some(node) = self.cursor.held().cloned() else { return Outcome::Ignored };
        let node = if matches!(node, Node::Container(_)) { self.above(&node) } else { Some(node) };
        let Some(node) = node else { return Outcome::Ignored };
        self.tree.fold(&node, view);
        self.cursor.seek(self.tree.nodes(), &node);
        Outcome::Done
    }

    /// The row that a row hangs below.
    fn above(&self, node: &Node) -> Option<Node> {
        let lines = self.tree.lines();
        let at = lines.iter().position(|line| line.node == *node)?;
        let depth = lines[at].depth;
        lines[..at].iter().rev().find(|line| line.depth < depth).map(|line| line.node.clone())
    }

    /// `left`: folds, or goes to what holds it; `right`: unfolds.
    fn sideways(&mut self, inward: bool, view: &View<'_>) -> Outcome {
        let Some(node) = self.cursor.held().cloned() else { return Outcome::Ignored };
        let folded = self.tree.line(&node).and_then(|line| line.folded);
        match (inward, folded) {
            (true, Some(true)) | (false, Some(false)) => return self.fold(view),
            (true, _) => self.cursor.step(self.tree.nodes(), 1),
            (false, _) => {
                if let Some(above) = self.above(&node) {
                    self.cursor.seek(self.tree.nodes(), &above);
                }
            }
        }
        Outcome::Done
    }

    /// The containers below a row, as far as they run and are listed.
    fn containers_below<'v>(node: &Node, view: &View<'v>) -> impl Iterator<Item = &'v ContainerKey> {
        let node = node.clone();
        let filter = view.filter.selector();
        let fleet = view.fleet;
        let on_hosts = fleet.hosts().flat_map(|host| fleet.containers_on(&host.spec.id).map(move |container| (container, host)));
        on_hosts
            .filter(move |(container, host)| {
                let identity = &container.identity;
                container.is_running()
                    && filter.is_none_or(|filter| filter.matches(container, host))
                    && match &node {
                        Node::Environment(environment) => identity.environment == *environment,
                        Node::App(environment, app) => identity.environment == *environment && identity.service.app.as_ref() == Some(app),
                        Node::Service(environment, service) => identity.environment == *environment && identity.service == *service,
                        Node::Host(id) => host.spec.id == *id,
                        Node::Container(key) => container.key == *key,
                    }
            })
            .map(|(container, _)| &container.key)
    }
}

impl Panel for Resources {
    fn id(&self) -> PanelId {
        PanelId::Resources
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let by = match self.tree.by {
            By::Environment => "by environment",
            By::Host => "by host",
        };
        let dot = view.theme.symbol(Symbol::Dot);
        let running = self.tree.lines().iter().filter(|line| line.depth == 0).map(|line| line.sum.running).sum();
        format!("{by} {dot} {} running", counted(running, "container"))
    }

    fn refresh(&mut self, refresh: Refresh<'_>, view: &View<'_>) {
        match refresh {
            // Not looked at yet: there is nothing to bring up to date.
            Refresh::All if self.filter.is_none() => {}
            Refresh::All if self.filter.as_deref() != Some(view.filter.text()) => self.arrange(view),
            Refresh::All => self.work_out(view),
            Refresh::Changed(change) => self.stale |= change.is_visible(),
        }
    }

    fn enter(&mut self, view: &View<'_>) {
        self.arrange(view);
    }

    fn measured(&mut self, view: &View<'_>) {
        self.work_out(view);
    }

    /// The containers on screen first, then those that the sums on screen are made of. The line on top needs every host's own figures.
    fn wanted(&self, view: &View<'_>) -> Wanted {
        let mut wanted = Wanted { every: EVERY, ..Wanted::default() };
        // What hangs below a row that is on screen is in its sum already.
        let mut covered = u16::MAX;
        for (node, depth) in &self.painted.nodes {
            if let Node::Container(key) = node {
                wanted.near.push(key.clone());
            } else if *depth <= covered {
                covered = *depth;
                wanted.rest.extend(Self::containers_below(node, view).cloned());
            }
        }
        let live = view.fleet.hosts().filter(|host| host.link.is_live());
        wanted.machines = live.map(|host| host.spec.id.clone()).collect::<Vec<HostId>>();
        wanted
    }

    fn selection(&self, _: &View<'_>) -> Selection {
        match self.cursor.held() {
            Some(Node::Container(key)) => Selection::Container(key.clone()),
            Some(Node::Host(host)) => Selection::Host(host.clone()),
            Some(Node::Service(environment, service)) => {
                Selection::Service { service: service.clone(), column: Some(Column::Environment(environment.clone())) }
            }
            Some(Node::Environment(_) | Node::App(..)) => Selection::Group,
            None => Selection::Nothing,
        }
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        let nodes = self.tree.nodes();
        if let Some(by) = action.list_step(self.painted.rows) {
            self.cursor.step(nodes, by);
            return Outcome::Done;
        }
        match action {
            Action::ListMoveLeft => return self.sideways(false, view),
            Action::ListMoveRight => return self.sideways(true, view),
            Action::GroupFold => return self.fold(view),
            Action::SelectionOpen => {
                return match self.cursor.held() {
                    Some(Node::Container(key)) => Outcome::Inspect(key.clone()),
                    Some(_) => self.fold(view),
                    None => Outcome::Ignored,
                };
            }
            Action::ResourcesTurn => {
                self.tree.by = match self.tree.by {
                    By::Environment => By::Host,
                    By::Host => By::Environment,
                };
                self.cursor = Cursor::default();
                self.arrange(view);
            }
            Action::ResourcesSort => return self.sort(self.tree.sort.next(), false, view),
            Action::ResourcesReverseSort => return self.sort(self.tree.sort, !self.tree.reversed, view),
            Action::ResourcesSpan => self.span = self.span.next(),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn click(&mut self, x: u16, y: u16, view: &View<'_>) -> Outcome {
        let Some(y) = y.checked_sub(1) else { return Outcome::Ignored };
        if y == 0 {
            return match self.painted.sort_at(x) {
                Some(sort) => self.sort(sort, self.tree.sort == sort && !self.tree.reversed, view),
                None => Outcome::Ignored,
            };
        }
        let row = usize::from(y) - 1;
        if row >= self.painted.rows || x >= self.painted.width || self.cursor.offset() + row >= self.tree.nodes().len() {
            return Outcome::Ignored;
        }
        self.cursor.go(self.tree.nodes(), self.cursor.offset() + row);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.catch_up(view);
        nearest::render(buffer, area, &self.near, view);
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let (table, pane) = split(below);
        self.render_table(buffer, table, view);
        let Some(pane) = pane else { return };
        if let Some(node) = self.cursor.held() {
            charts::render(buffer, pane, node, self.span, view);
        }
        if table.width < area.width {
            let line = if view.theme.is_ascii() { "|" } else { "│" };
            for row in 0..below.height {
                Pen::new(buffer, Rect { x: table.right(), width: 1, ..below }, row).text(line, view.theme.style(Role::FrameRule));
            }
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::SelectionOpen,
            Action::ResourcesSort,
            Action::ResourcesTurn,
            Action::ResourcesSpan,
            Action::FilterEdit,
            Action::SelectionProcesses,
            Action::SelectionInspect,
            Action::GlobalOpenPalette,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        let keys = self.painted.nodes.iter().filter_map(|(node, _)| match node {
            Node::Container(key) => Some(key.clone()),
            Node::Environment(_) | Node::App(..) | Node::Service(..) | Node::Host(_) => None,
        });
        keys.collect()
    }
}

/// Where the tree and the charts stand.
fn split(area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= WIDE {
        let pane = (area.width * 2 / 5).clamp(44, 90);
        let table = Rect { width: area.width - pane - 1, ..area };
        return (table, Some(Rect { x: table.right() + 1, width: pane, ..area }));
    }
    if area.height >= TALL {
        let pane = (area.height * 2 / 5).clamp(7, 18);
        let table = Rect { height: area.height - pane, ..area };
        return (table, Some(Rect { y: table.bottom(), height: pane, ..area }));
    }
    (area, None)
}
