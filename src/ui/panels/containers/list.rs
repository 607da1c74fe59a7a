//! Which containers are listed, in which order, under which headings.
//!
//! A row is placed by what it was worth when it was placed: later changes of its values do not move it, until the list is arranged anew.
//! So rows stay where the eye left them, a new row finds its place by bisection, and no change costs a sort.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::column::{Field, Value, Widths};
use crate::{
    fleet::{Change, Container, ContainerId, ContainerKey, EnvironmentId, HostId, ServiceKey, matrix::stage, trouble::Trouble},
    ui::view::View,
};

/// So many new rows at once are placed by bisection; more of them by one sort.
const FEW: usize = 16;

/// What the rows are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum GroupBy {
    #[default]
    Nothing,
    Host,
    Service,
    Environment,
}

impl GroupBy {
    /// The next one in the circle.
    pub fn next(self) -> Self {
        match self {
            Self::Nothing => Self::Host,
            Self::Host => Self::Service,
            Self::Service => Self::Environment,
            Self::Environment => Self::Nothing,
        }
    }

    /// The word for it; `None` for none.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Host => Some("host"),
            Self::Service => Some("service"),
            Self::Environment => Some("environment"),
        }
    }
}

/// A group; their order is the order of the headings: hosts as configured, services with an app first, environments on their way to
/// production.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroupKey {
    Whole,
    Host(usize, HostId),
    Service(bool, ServiceKey),
    Environment(bool, u8, Option<EnvironmentId>),
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Group(GroupKey),
    Row(ContainerKey),
}

/// What a heading tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Its containers.
    pub total: usize,
    /// The worst of them.
    pub worst: Trouble,
    /// How many are that bad.
    pub troubled: usize,
    hosts: BTreeMap<HostId, usize>,
}

/// A row as it was placed.
#[derive(Debug)]
struct Row {
    key: ContainerKey,
    group: GroupKey,
    value: Value,
    service: ServiceKey,
    name: Arc<str>,
}

/// The list.
#[derive(Debug)]
pub(super) struct List {
    /// The column it is sorted by.
    pub sort: Field,
    /// Whether the other way round.
    pub reversed: bool,
    by: GroupBy,
    rows: Vec<Row>,
    places: HashMap<ContainerKey, GroupKey>,
    lines: Vec<Line>,
    groups: BTreeMap<GroupKey, Group>,
    folded: BTreeSet<GroupKey>,
    widths: Widths,
    /// What selected the rows.
    filter: Option<String>,
}

impl Default for List {
    fn default() -> Self {
        Self {
            // The worst on top.
            sort: Field::State,
            reversed: false,
            by: GroupBy::default(),
            rows: Vec::new(),
            places: HashMap::new(),
            lines: Vec::new(),
            groups: BTreeMap::new(),
            folded: BTreeSet::new(),
            widths: Widths::default(),
            filter: None,
        }
    }
}

impl List {
    /// The lines, folded groups without their rows.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many containers are listed, those in folded groups too.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The containers that are listed, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &ContainerKey> {
        self.rows.iter().map(|row| &row.key)
    }

    /// What is grouped by.
    pub fn by(&self) -> GroupBy {
        self.by
    }

    /// The widest texts.
    pub fn widths(&self) -> &Widths {
        &self.widths
    }

    /// What a heading tells.
    pub fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.groups.get(key)
    }

    /// The group that a container is listed in.
    pub fn group_of(&self, key: &ContainerKey) -> Option<&GroupKey> {
        self.places.get(key)
    }

    /// Whether a group's rows are hidden.
    pub fn is_folded(&self, key: &GroupKey) -> bool {
        self.folded.contains(key)
    }

    /// Hides or shows a group's rows.
    pub fn fold(&mut self, key: &GroupKey, view: &View<'_>) {
        if !self.folded.remove(key) {
            self.folded.insert(key.clone());
        }
        self.lay();
        self.judge(view);
    }

    /// Groups by something else.
    pub fn group_by(&mut self, by: GroupBy, view: &View<'_>) {
        self.by = by;
        self.folded.clear();
        self.arrange(view);
    }

    /// Selects and orders everything anew.
    pub fn arrange(&mut self, view: &View<'_>) {
        self.rows.clear();
        self.places.clear();
        self.widths = Widths::default();
        self.filter = filter(view);
        let mut rows = std::mem::take(&mut self.rows);
        for (at, host) in view.fleet.hosts().enumerate() {
            for container in view.fleet.containers_on(&host.spec.id) {
                if view.filter.selector().is_none_or(|selector| selector.matches(container, host)) {
                    rows.push(self.place(container, Some(at), view));
                }
            }
        }
        rows.sort_by(|a, b| compare(a, b, self.reversed));
        self.rows = rows;
        self.lay();
        self.judge(view);
    }

    /// Selects anew, and keeps the rows that stay where they are.
    pub fn reselect(&mut self, view: &View<'_>) {
        if self.filter != filter(view) || self.rows.is_empty() {
            return self.arrange(view);
        }
        let mut change = Change::default();
        change.removed.extend(self.places.keys().filter(|key| selected(key, view).is_none()).cloned());
        change.containers.extend(view.fleet.containers().filter(|c| !self.places.contains_key(&c.key)).map(|c| c.key.clone()));
        self.update(&change, view);
    }

    /// Takes a change in: what is gone leaves, what is new comes in where the order says, everything else stays.
    pub fn update(&mut self, change: &Change, view: &View<'_>) {
        let mut leaving: HashSet<&ContainerKey> = change.removed.iter().filter(|key| self.places.contains_key(key)).collect();
        let mut coming: Vec<&Container> = Vec::new();
        for key in &change.containers {
            match (selected(key, view), self.places.get(key)) {
                (Some(container), Some(group)) => {
                    self.widths.grow(container, view.theme);
                    if *group != self.group_for(container, None, view) {
                        leaving.insert(key);
                        coming.push(container);
                    }
                }
                (Some(container), None) => coming.push(container),
                (None, Some(_)) => {
                    leaving.insert(key);
                }
                (None, None) => {}
            }
        }
        if !leaving.is_empty() {
            self.rows.retain(|row| !leaving.contains(&row.key));
            for key in &leaving {
                self.places.remove(*key);
            }
        }
        let reversed = self.reversed;
        let moved = !leaving.is_empty() || !coming.is_empty();
        if coming.len() <= FEW {
            for container in coming {
                let row = self.place(container, None, view);
                let at = self.rows.partition_point(|other| compare(other, &row, reversed) == Ordering::Less);
                self.rows.insert(at, row);
            }
        } else {
            for container in coming {
                let row = self.place(container, None, view);
                self.rows.push(row);
            }
            self.rows.sort_by(|a, b| compare(a, b, reversed));
        }
        if moved {
            self.lay();
        }
        self.judge(view);
    }

    /// A container's row by what it is worth now. `at`: its host's place in the configuration, where known.
    fn place(&mut self, container: &Container, at: Option<usize>, view: &View<'_>) -> Row {
        self.widths.grow(container, view.theme);
        let group = self.group_for(container, at, view);
        self.places.insert(container.key.clone(), group.clone());
        Row {
            key: container.key.clone(),
            group,
            value: self.sort.value(container, view.trouble(&container.key), view),
            service: container.identity.service.clone(),
            name: Arc::clone(&container.name),
        }
    }

    fn group_for(&self, container: &Container, at: Option<usize>, view: &View<'_>) -> GroupKey {
        let identity = &container.identity;
        match self.by {
            GroupBy::Nothing => GroupKey::Whole,
            GroupBy::Host => {
                let host = &container.key.host;
                let at = at.or_else(|| view.fleet.hosts().position(|other| other.spec.id == *host));
                GroupKey::Host(at.unwrap_or(usize::MAX), host.clone())
            }
            GroupBy::Service => GroupKey::Service(identity.service.app.is_none(), identity.service.clone()),
            GroupBy::Environment => {
                let environment = identity.environment.clone();
                GroupKey::Environment(environment.is_none(), environment.as_ref().map_or(u8::MAX, stage), environment)
            }
        }
    }

    /// Lays the lines out from the rows in their order.
    fn lay(&mut self) {
        self.lines.clear();
        self.groups.clear();
        if self.by == GroupBy::Nothing {
            self.lines.extend(self.rows.iter().map(|row| Line::Row(row.key.clone())));
            return;
        }
        let mut rows = self.rows.iter().peekable();
        while let Some(first) = rows.peek().map(|row| row.group.clone()) {
            let folded = self.folded.contains(&first);
            let mut group = Group::default();
            self.lines.push(Line::Group(first.clone()));
            while let Some(row) = rows.next_if(|row| row.group == first) {
                group.total += 1;
                match group.hosts.get_mut(&row.key.host) {
                    Some(count) => *count += 1,
                    None => {
                        group.hosts.insert(row.key.host.clone(), 1);
                    }
                }
                if !folded {
                    self.lines.push(Line::Row(row.key.clone()));
                }
            }
            self.groups.insert(first, group);
        }
    }

    /// Works out the worst of every group, from links and the few containers that may be troubled.
    fn judge(&mut self, view: &View<'_>) {
        if view.fleet.hosts().any(|host| !host.link.is_live() && view.fleet.container_count(&host.spec.id) > 0) {
            self.widths.grow_as_of();
        }
        for group in self.groups.values_mut() {
            (group.worst, group.troubled) = (Trouble::None, 0);
            for (host, count) in &group.hosts {
                let trouble = view.fleet.host(host).map_or(Trouble::None, |host| Trouble::of_link(&host.link));
                count_in(&mut group.worst, &mut group.troubled, trouble, *count);
            }
        }
        if self.groups.is_empty() {
            return;
        }
        for container in view.fleet.troubled() {
            let Some(group) = self.places.get(&container.key).and_then(|key| self.groups.get_mut(key)) else { continue };
            // What its link means was counted with the host.
            if view.is_stale(&container.key.host) {
                continue;
            }
            count_in(&mut group.worst, &mut group.troubled, Trouble::of_container(container, view.now), 1);
        }
    }
}

fn count_in(worst: &mut Trouble, troubled: &mut usize, trouble: Trouble, count: usize) {
    match trouble.cmp(worst) {
        Ordering::Less => {}
        Ordering::Equal => *troubled += if trouble == Trouble::None { 0 } else { count },
        Ordering::Greater => (*worst, *troubled) = (trouble, count),
    }
}

fn filter(view: &View<'_>) -> Option<String> {
    view.filter.selector().map(ToString::to_string)
}

fn selected<'v>(key: &ContainerKey, view: &View<'v>) -> Option<&'v Container> {
    let (container, host) = (view.fleet.container(key)?, view.fleet.host(&key.host)?);
    view.filter.selector().is_none_or(|selector| selector.matches(container, host)).then_some(container)
}

fn compare(a: &Row, b: &Row, reversed: bool) -> Ordering {
    let values = match (&a.value, &b.value) {
        (Value::Unknown, Value::Unknown) => Ordering::Equal,
        (Value::Unknown, _) => Ordering::Greater,
        (_, Value::Unknown) => Ordering::Less,
        (a, b) if reversed => b.cmp(a),
        (a, b) => a.cmp(b),
    };
    a.group.cmp(&b.group).then(values).then_with(|| rest(a).cmp(&rest(b)))
}

/// What tells rows of equal worth apart: never the way they came.
fn rest(row: &Row) -> (bool, &ServiceKey, &HostId, &str, &ContainerId) {
    (row.service.app.is_none(), &row.service, &row.key.host, &row.name, &row.key.id)
}
