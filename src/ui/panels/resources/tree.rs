//! What is listed, as a tree with sums: environment, app, service, container, or host and container.
//!
//! Rows keep their places while they are looked at: what is new comes last among its siblings, until the tree is arranged anew.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    fleet::{AppName, Container, ContainerKey, EnvironmentId, Host, HostId, ServiceKey, matrix::stage},
    stats::{Measure, Sum, book::Scope, sum::Capacity},
    ui::{
        panels::{figures::flow, words::unknown},
        view::View,
    },
};

/// Cells of the history beside a row.
pub(super) const SPARK: usize = 12;
/// The time that it shows, in seconds.
const SPARK_SPAN: i64 = 180;

/// A row of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Environment(Option<EnvironmentId>),
    App(Option<EnvironmentId>, AppName),
    Service(Option<EnvironmentId>, ServiceKey),
    Host(HostId),
    Container(ContainerKey),
}

impl Node {
    /// Whose histories its chart adds up.
    pub fn scope(&self) -> Scope<'_> {
        match self {
            Self::Environment(environment) => Scope::Environment(environment.as_ref()),
            Self::App(environment, app) => Scope::App(Some(app), environment.as_ref()),
            Self::Service(environment, service) => Scope::Service(service, environment.as_ref()),
            Self::Host(host) => Scope::Host(host),
            Self::Container(key) => Scope::Container(key),
        }
    }

    /// Services and hosts hide their containers until somebody asks for them.
    fn is_folded_at_first(&self) -> bool {
        match self {
            Self::Environment(_) | Self::App(..) | Self::Container(_) => false,
            Self::Service(..) | Self::Host(_) => true,
        }
    }
}

/// What the tree is grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    #[default]
    Environment,
    Host,
}

/// A column that rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    Cpu,
    Memory,
    Net,
    Block,
    Pids,
    Restarts,
}

impl Sort {
    pub const ALL: [Self; 7] = [Self::Name, Self::Cpu, Self::Memory, Self::Net, Self::Block, Self::Pids, Self::Restarts];

    /// The next one in the circle.
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// What a row is ordered by; the most first. Unknown comes last.
    fn value(self, sum: &Sum) -> Option<f64> {
        match self {
            Self::Name => None,
            Self::Cpu => sum.cpu,
            Self::Memory => sum.memory.map(|memory| memory as f64),
            Self::Net => flow(sum.network),
            Self::Block => flow(sum.block),
            Self::Pids => sum.pids.map(|pids| pids as f64),
            Self::Restarts => sum.restarts.map(|restarts| restarts as f64),
        }
    }
}

/// A row as it stands.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub node: Node,
    pub depth: u16,
    /// `None` where there is nothing to fold.
    pub folded: Option<bool>,
    pub name: String,
    pub sum: Sum,
    /// Processors over the last minutes.
    pub spark: Vec<Option<f64>>,
}

/// A node on the way to a container: its place among its siblings and its name.
type Step = (Node, (usize, String), String);

/// A node with what is below it.
struct Branch<'v> {
    node: Node,
    /// By name: environments on their way to production, hosts as configured, the rest by alphabet.
    place: (usize, String),
    name: String,
    sum: Sum,
    below: Vec<Branch<'v>>,
    containers: Vec<(&'v Container, &'v Host)>,
}

/// The tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub by: By,
    pub sort: Sort,
    pub reversed: bool,
    lines: Vec<Line>,
    /// The same, for the cursor.
    nodes: Vec<Node>,
    /// Nodes that are not folded as at first.
    turned: BTreeSet<Node>,
    /// Where each node stood among its siblings when the tree was last arranged.
    ranks: HashMap<Node, usize>,
}

impl Tree {
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn line(&self, node: &Node) -> Option<&Line> {
        self.lines.iter().find(|line| line.node == *node)
    }

    /// Folds or unfolds.
    pub fn fold(&mut self, node: &Node, view: &View<'_>) {
        if !self.turned.remove(node) {
            self.turned.insert(node.clone());
        }
        self.rebuild(view);
    }

    pub fn is_folded(&self, node: &Node) -> bool {
        node.is_folded_at_first() != self.turned.contains(node)
    }

    /// Orders everything anew.
    pub fn arrange(&mut self, view: &View<'_>) {
        self.ranks.clear();
        let mut roots = self.roots(view);
        self.rank(&mut roots);
        self.lay(roots, view);
    }

    /// Works everything out anew, every row at its place.
    pub fn rebuild(&mut self, view: &View<'_>) {
        let mut roots = self.roots(view);
        self.keep(&mut roots);
        self.lay(roots, view);
    }

    fn roots<'v>(&self, view: &View<'v>) -> Vec<Branch<'v>> {
        let mut paths: BTreeMap<Vec<Step>, Vec<(&Container, &Host)>> = BTreeMap::new();
        let filter = view.filter.selector();
        for (at, host) in view.fleet.hosts().enumerate() {
            // A host has figures of its own, also without a container.
            if self.by == By::Host && filter.is_none_or(|filter| filter.matches_host(host)) {
                paths.entry(vec![of_host(host, at)]).or_default();
            }
            for container in view.fleet.containers_on(&host.spec.id).filter(|container| container.is_running()) {
                if filter.is_none_or(|filter| filter.matches(container, host)) {
                    paths.entry(self.path(container, host, at, view)).or_default().push((container, host));
                }
            }
        }
        let mut roots: Vec<Branch<'v>> = Vec::new();
        for (path, containers) in paths {
            let mut siblings = &mut roots;
            let Some(((node, place, name), above)) = path.split_last() else { continue };
            for (node, place, name) in above {
                siblings = &mut branch(siblings, node, place, name).below;
            }
            branch(siblings, node, place, name).containers = containers;
        }
        for root in &mut roots {
            root.add_up(view);
        }
        roots
    }

    /// The nodes above a container, from the top.
    fn path(&self, container: &Container, host: &Host, at: usize, view: &View<'_>) -> Vec<Step> {
        let identity = &container.identity;
        if self.by == By::Host {
            return vec![of_host(host, at)];
        }
        let environment = &identity.environment;
        let (order, name) = match environment {
            Some(environment) => (usize::from(stage(environment)), environment.to_string()),
            None => (usize::MAX, format!("{} no environment", unknown(view.theme))),
        };
        let mut path = vec![(Node::Environment(environment.clone()), (order, name.clone()), name)];
        if let Some(app) = &identity.service.app {
            path.push((Node::App(environment.clone(), app.clone()), (0, app.to_string()), app.to_string()));
        }
        let service = &identity.service;
        let order = usize::from(service.app.is_none());
        path.push((Node::Service(environment.clone(), service.clone()), (order, service.service.to_string()), service.service.to_string()));
        path
    }

    fn rank(&mut self, siblings: &mut [Branch<'_>]) {
        let (sort, reversed) = (self.sort, self.reversed);
        siblings.sort_by(|a, b| {
            let by_value = match (sort.value(&a.sum), sort.value(&b.sum)) {
                (Some(a), Some(b)) if reversed => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
                (Some(a), Some(b)) => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            let by_name = a.place.cmp(&b.place);
            by_value.then(if reversed && sort == Sort::Name { by_name.reverse() } else { by_name })
        });
        for (rank, sibling) in siblings.iter_mut().enumerate() {
            self.ranks.insert(sibling.node.clone(), rank);
            self.rank(&mut sibling.below);
        }
    }

    fn keep(&mut self, siblings: &mut [Branch<'_>]) {
        siblings.sort_by_cached_key(|branch| (self.ranks.get(&branch.node).copied().unwrap_or(usize::MAX), branch.place.clone()));
        for (rank, sibling) in siblings.iter_mut().enumerate() {
            self.ranks.insert(sibling.node.clone(), rank);
            self.keep(&mut sibling.below);
        }
    }

    fn lay(&mut self, roots: Vec<Branch<'_>>, view: &View<'_>) {
        self.lines.clear();
        for root in roots {
            self.lay_branch(root, 0, view);
        }
        self.nodes.clear();
        self.nodes.extend(self.lines.iter().map(|line| line.node.clone()));
    }

    fn lay_branch(&mut self, branch: Branch<'_>, depth: u16, view: &View<'_>) {
        let foldable = !matches!(branch.node, Node::Container(_));
        let folded = foldable.then(|| self.is_folded(&branch.node));
        self.lines.push(Line { spark: spark(&branch.node, view), node: branch.node, depth, folded, name: branch.name, sum: branch.sum });
        if folded != Some(true) {
            for below in branch.below {
                self.lay_branch(below, depth + 1, view);
            }
        }
    }
}

fn of_host(host: &Host, at: usize) -> Step {
    (Node::Host(host.spec.id.clone()), (at, String::new()), host.spec.id.to_string())
}

/// The processors that a node's containers used lately.
fn spark(node: &Node, view: &View<'_>) -> Vec<Option<f64>> {
    let mut cells = vec![None; SPARK];
    let width = SPARK_SPAN / i64::try_from(SPARK).unwrap_or(1);
    // In whole cells, so that the picture moves only when a cell is full.
    let to = (view.now.timestamp() / width + 1) * width;
    for series in view.stats.histories(node.scope()) {
        series.add_to(&mut cells, Measure::Cpu as usize, to - SPARK_SPAN, to);
    }
    cells
}

fn branch<'b, 'v>(siblings: &'b mut Vec<Branch<'v>>, node: &Node, place: &(usize, String), name: &str) -> &'b mut Branch<'v> {
    let at = siblings.iter().position(|sibling| sibling.node == *node).unwrap_or_else(|| {
        siblings.push(Branch {
            node: node.clone(),
            place: place.clone(),
            name: name.to_owned(),
            sum: Sum::default(),
            below: Vec::new(),
            containers: Vec::new(),
        });
        siblings.len() - 1
    });
    &mut siblings[at]
}

impl<'v> Branch<'v> {
    /// Makes the containers' own branches and the sum of all below; returns what is below.
    fn add_up(&mut self, view: &View<'v>) -> Vec<(&'v Container, &'v Host)> {
        let mut all: Vec<(&Container, &Host)> = self.below.iter_mut().flat_map(|below| below.add_up(view)).collect();
        for (container, host) in &self.containers {
            // On a host's branch every name is another; below a service the host tells them apart.
            let name = match &self.node {
                Node::Host(_) => container.name.to_string(),
                Node::Environment(_) | Node::App(..) | Node::Service(..) | Node::Container(_) => {
                    format!("{} {}", host.spec.id, container.name)
                }
            };
            self.below.push(Branch {
                node: Node::Container(container.key.clone()),
                place: (0, name.clone()),
                name,
                sum: Sum::one(container, host, view.stats, view.now),
                below: Vec::new(),
                containers: Vec::new(),
            });
        }
        all.append(&mut self.containers);
        self.sum = Sum::of(all.iter().copied(), view.stats, view.now);
        if let Node::Host(id) = &self.node
            && let Some(host) = view.fleet.host(id)
            && let Some(capacity) = Capacity::of(host)
        {
            // A host's limit is the machine, whatever its containers may use.
            (self.sum.cpu_limit, self.sum.memory_limit) = (None, None);
            self.sum.within(capacity);
        }
        all
    }
}
