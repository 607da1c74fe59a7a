//! The version matrix: one row per service, one column per environment or host. What the home screen and `versions` show.
//!
//! [`Matrix::build`] walks the fleet once; [`Matrix::update`] afterwards rebuilds only the services that a
//! [`Change`](super::Change) names, and [`Matrix::settle`] those whose verdict rests on the time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    container::{Container, Health},
    drift::{self, Drift},
    ids::{ContainerKey, EnvironmentId, HostId, ServiceKey},
    link::LinkState,
    model::Fleet,
    selector::Selector,
    trouble::{self, Severity, Trouble},
    version::Version,
};

/// What the columns are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatrixBy {
    /// Environments.
    #[default]
    Environment,
    /// Hosts.
    Host,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// An environment; `None` is the column `–`.
    Environment(Option<EnvironmentId>),
    /// A host.
    Host(HostId),
}

/// One version within a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellVersion {
    /// Which.
    pub version: Version,
    /// The manifest digests it runs as here, where known: more than one is drift.
    pub digests: Vec<Arc<str>>,
    /// Containers of it that run.
    pub running: usize,
    /// Containers of it, the stopped ones too.
    pub total: usize,
    /// Running ones without a failing or undecided HEALTHCHECK.
    pub healthy: usize,
    /// Where, by name.
    pub hosts: Vec<HostId>,
    /// Since when it is here: when the first of its containers was made.
    pub since: DateTime<Utc>,
    /// Whether any of it is only the last known, because its host is not live.
    pub stale: bool,
    /// Whether any of it is the odd one out of a drift.
    pub odd: bool,
    /// The worst of its containers.
    pub worst: Trouble,
}

/// A service in one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its versions: what runs most first, odd ones last. What has ended quietly is left out beside what runs.
    pub versions: Vec<CellVersion>,
    /// Containers that run, of all versions.
    pub running: usize,
    /// How many should run, where a label `quarterdeck.wanted` says it.
    pub wanted: Option<u32>,
    /// Containers that a deployment keeps for a fast way back; counted nowhere else.
    pub kept: usize,
    /// The worst of its containers.
    pub worst: Trouble,
    /// Which containers are that bad, by host and id; empty for [`Trouble::None`].
    pub troubled: Vec<ContainerKey>,
    /// Since when its newest version is here.
    pub since: DateTime<Utc>,
    /// The first disagreement that concerns it.
    pub drift: Option<Arc<Drift>>,
}

impl Cell {
    /// How loud the cell is: its worst container, at least amber with drift.
    pub fn severity(&self) -> Severity {
        self.worst.severity().max(if self.drift.is_some() { Severity::Attention } else { Severity::Quiet })
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixRow {
    /// Which.
    pub service: ServiceKey,
    /// Its cells; no cell where nothing of it is.
    pub cells: BTreeMap<Column, Cell>,
    /// Every disagreement within it, also where a filter hides the containers.
    pub drift: Vec<Arc<Drift>>,
    /// The worst of its cells.
    pub worst: Trouble,
    /// When the newest version of any cell came.
    pub since: DateTime<Utc>,
    /// When its verdict ends by time alone (a crash loop grows old); see [`Matrix::settle`].
    pub settles: Option<DateTime<Utc>>,
}

impl MatrixRow {
    /// How loud the row is: its worst cell, at least amber with drift.
    pub fn severity(&self) -> Severity {
        self.worst.severity().max(if self.drift.is_empty() { Severity::Quiet } else { Severity::Attention })
    }
}

/// The matrix.
#[derive(Clone, Debug)]
pub struct Matrix {
    by: MatrixBy,
    filter: Option<Selector>,
    rows: Vec<MatrixRow>,
    /// Where each service's row is.
    places: HashMap<ServiceKey, usize>,
    columns: Vec<Column>,
}

impl Matrix {
    /// Builds the whole matrix of what the filter selects.
    pub fn build(fleet: &Fleet, by: MatrixBy, filter: Option<Selector>, now: DateTime<Utc>) -> Self {
        let rows = fleet.services().filter_map(|service| row(fleet, service, by, filter.as_ref(), now)).collect();
        let mut matrix = Self { by, filter, rows, places: HashMap::new(), columns: Vec::new() };
        matrix.arrange(fleet);
        matrix
    }

    /// Rebuilds the rows of these services only.
    pub fn update(&mut self, fleet: &Fleet, services: &BTreeSet<ServiceKey>, now: DateTime<Utc>) {
        if services.is_empty() {
            return;
        }
        self.rows.retain(|row| !services.contains(&row.service));
        let filter = self.filter.as_ref();
        self.rows.extend(services.iter().filter_map(|service| row(fleet, service, self.by, filter, now)));
        self.arrange(fleet);
    }

    /// Rebuilds the rows whose verdict has ended by time alone; whether there was one.
    pub fn settle(&mut self, fleet: &Fleet, now: DateTime<Utc>) -> bool {
        let due = self.rows.iter().filter(|row| row.settles.is_some_and(|ends| ends <= now));
        let due: BTreeSet<ServiceKey> = due.map(|row| row.service.clone()).collect();
        self.update(fleet, &due, now);
        !due.is_empty()
    }

    /// The rows: bad ones first, then those that want attention, then by app and service.
    pub fn rows(&self) -> &[MatrixRow] {
        &self.rows
    }

    /// A service's row.
    pub fn row(&self, service: &ServiceKey) -> Option<&MatrixRow> {
        self.rows.get(*self.places.get(service)?)
    }

    /// The columns that have a cell, in the order they are shown: environments from development to production, the column `–` last;
    /// hosts as configured.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What the columns are.
    pub fn by(&self) -> MatrixBy {
        self.by
    }

    /// What selects its containers.
    pub fn filter(&self) -> Option<&Selector> {
        self.filter.as_ref()
    }

    fn arrange(&mut self, fleet: &Fleet) {
        self.rows.sort_by(|a, b| {
            let rank = |row: &MatrixRow| (Reverse(row.severity()), Reverse(row.worst));
            // Without an app: after those that have one.
            let name = |row: &MatrixRow| (row.service.app.is_none(), row.service.clone());
            rank(a).cmp(&rank(b)).then_with(|| name(a).cmp(&name(b)))
        });
        self.places.clear();
        self.places.extend(self.rows.iter().enumerate().map(|(at, row)| (row.service.clone(), at)));
        let present: BTreeSet<&Column> = self.rows.iter().flat_map(|row| row.cells.keys()).collect();
        let mut columns: Vec<Column> = Vec::with_capacity(present.len());
        match self.by {
            MatrixBy::Host => {
                columns.extend(fleet.hosts().map(|host| Column::Host(host.spec.id.clone())).filter(|column| present.contains(column)));
            }
            MatrixBy::Environment => {
                let configured: Vec<&EnvironmentId> = fleet.hosts().filter_map(|host| host.spec.environment.as_ref()).collect();
                columns.extend(present.into_iter().cloned());
                columns.sort_by_key(|column| match column {
                    Column::Environment(Some(environment)) => {
                        (stage(environment), configured.iter().position(|known| *known == environment).unwrap_or(usize::MAX))
                    }
                    Column::Environment(None) | Column::Host(_) => (u8::MAX, usize::MAX),
                });
            }
        }
        self.columns = columns;
    }
}

/// Where an environment stands on the way to production, told by the usual words; unknown ones stand between testing and production.
pub fn stage(environment: &EnvironmentId) -> u8 {
    let name = environment.as_str().to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    match () {
        () if is(&["dev", "local"]) => 0,
        () if is(&["test", "qa", "ci", "int"]) => 1,
        () if is(&["stag", "uat", "accept", "preprod", "pre-prod"]) => 3,
        () if is(&["prod", "live"]) => 4,
        () => 2,
    }
}

fn row(fleet: &Fleet, service: &ServiceKey, by: MatrixBy, filter: Option<&Selector>, now: DateTime<Utc>) -> Option<MatrixRow> {
    let mut lanes: BTreeMap<Column, Vec<(&Container, &LinkState)>> = BTreeMap::new();
    let mut settles: Option<DateTime<Utc>> = None;
    for container in fleet.containers_of(service).filter(|c| !c.is_oneoff()) {
        let Some(host) = fleet.host(&container.key.host) else { continue };
        if filter.is_some_and(|filter| !filter.matches(container, host)) {
            continue;
        }
        if let Some(ends) = trouble::settles(container, now) {
            settles = Some(settles.map_or(ends, |known| known.min(ends)));
        }
        let column = match by {
            MatrixBy::Environment => Column::Environment(container.identity.environment.clone()),
            MatrixBy::Host => Column::Host(container.key.host.clone()),
        };
        lanes.entry(column).or_default().push((container, &host.link));
    }
    let drift = drift::of_service(fleet, service);
    let cells: BTreeMap<Column, Cell> = lanes.into_iter().map(|(column, lane)| (column, cell(&lane, &drift, now))).collect();
    let worst = cells.values().map(|cell| cell.worst).max()?;
    let since = cells.values().map(|cell| cell.since).max()?;
    Some(MatrixRow { service: service.clone(), cells, drift, worst, since, settles })
}

fn cell(lane: &[(&Container, &LinkState)], drift: &[Arc<Drift>], now: DateTime<Utc>) -> Cell {
    let mut versions: BTreeMap<&Version, CellVersion> = BTreeMap::new();
    let (mut kept, mut wanted, mut worst) = (0, None, Trouble::None);
    let mut troubled: Vec<ContainerKey> = Vec::new();
    for (container, link) in lane {
        if container.is_kept() {
            kept += 1;
            continue;
        }
        let trouble = Trouble::of(container, link, now);
        if trouble > worst {
            worst = trouble;
            troubled.clear();
        }
        if trouble == worst && trouble != Trouble::None {
            troubled.push(container.key.clone());
        }
        wanted = wanted.max(container.wanted());
        let entry = versions.entry(&container.version).or_insert_with(|| CellVersion {
            version: container.version.clone(),
            digests: Vec::new(),
            running: 0,
            total: 0,
            healthy: 0,
            hosts: Vec::new(),
            since: container.created,
            stale: false,
            odd: false,
            worst: Trouble::None,
        });
        let running = container.is_running();
        entry.running += usize::from(running);
        entry.total += 1;
        entry.healthy += usize::from(running && matches!(container.health, Health::Healthy | Health::None));
        // The service's containers come ordered by host: equal hosts stand side by side.
        if entry.hosts.last() != Some(&container.key.host) {
            entry.hosts.push(container.key.host.clone());
        }
        if let Some(digest) = &container.digest
            && !entry.digests.contains(digest)
        {
            entry.digests.push(Arc::clone(digest));
        }
        entry.since = entry.since.min(container.created);
        entry.stale |= !link.is_live();
        entry.odd |= drift.iter().any(|drift| drift.odd.contains(&container.key));
        entry.worst = entry.worst.max(trouble);
    }
    let mut versions: Vec<CellVersion> = versions.into_values().collect();
    let running = versions.iter().map(|version| version.running).sum();
    if running > 0 {
        versions.retain(|version| version.running > 0 || version.worst != Trouble::None);
    }
    versions.sort_by_key(|version| (version.odd, Reverse(version.running), Reverse(version.since)));
    let since = versions.iter().map(|version| version.since).max();
    let since = since.or_else(|| lane.iter().map(|(container, _)| container.created).max()).unwrap_or(now);
    let concerns = |drift: &&Arc<Drift>| lane.iter().any(|(container, _)| drift.odd.contains(&container.key));
    let concerned = drift.iter().find(concerns).cloned();
    Cell { versions, running, wanted, kept, worst, troubled, since, drift: concerned }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fleet::{Delta, LinkCause, Summary, fixture};

    /// The matrix as text: one line per service, `column: version running` per cell, `!` for odd.
    fn text(matrix: &Matrix) -> Vec<String> {
        let cell = |(column, cell): (&Column, &Cell)| {
            let versions = cell.versions.iter().map(|v| format!("{}{} {}", if v.odd { "!" } else { "" }, v.version.text, v.running));
            let column = match column {
                Column::Environment(environment) => environment.as_ref().map_or("–", EnvironmentId::as_str),
                Column::Host(host) => host.as_str(),
            };
            format!("{column}: {}", versions.collect::<Vec<_>>().join(", "))
        };
        let rows = matrix.rows().iter();
        rows.map(|row| format!("{} [{}] {}", row.service, row.worst, row.cells.iter().map(cell).collect::<Vec<_>>().join(" | "))).collect()
    }

    #[test]
    fn the_drawn_fleet() {
        let fleet = fixture::fleet();
        let matrix = Matrix::build(&fleet, MatrixBy::Environment, None, fixture::now());
        assert_eq!(
            text(&matrix),
            [
                "billing/worker [unhealthy] production: 2.3.0-87-90ccf11 6 | testing: 2.3.0-88-51be0aa 1",
                "edge/proxy [] production: latest@3f9a12 3, !latest@77c0de 1 | staging: latest@3f9a12 2 | testing: latest@3f9a12 1",
                "shop/api [] production: 1.0.1-22-7e56158 3, !1.0.1-19-04bd1c9 1 | staging: 1.0.1-22-7e56158 2 | testing: 1.0.1-24-a91c2f3 1",
                "shop/db [] production: 15.4 1 | staging: 15.4 1 | testing: 15.4 1",
                "shop/web [] production: 1.0.1-22-7e56158 4 | staging: 1.0.1-22-7e56158 2 | testing: 1.0.1-24-a91c2f3 1",
            ]
        );
        let columns: Vec<_> = ["testing", "staging", "production"].map(|name| Column::Environment(Some(name.into()))).into();
        assert_eq!(matrix.columns(), columns);
        let cell = &matrix.rows()[0].cells[&columns[2]];
        assert_eq!(cell.troubled.iter().map(|key| key.host.as_str()).collect::<Vec<_>>(), ["app-03"]);
        assert_eq!(cell.versions[0].healthy, 5);
        let summary = Summary::of(&fleet, &matrix, fixture::now());
        let expected = Summary { live: 12, hosts: 12, containers: 31, running: 31, unhealthy: 1, drift: 2, ..Summary::default() };
        assert_eq!(summary, expected);
    }

    #[test]
    fn by_host_and_filtered() {
        let fleet = fixture::fleet();
        let filter = Selector::parse("host:app-07").ok();
        let matrix = Matrix::build(&fleet, MatrixBy::Host, filter, fixture::now());
        assert_eq!(text(&matrix), ["shop/api [] app-07: !1.0.1-19-04bd1c9 1", "shop/web [] app-07: 1.0.1-22-7e56158 1"]);
        assert_eq!(&*matrix.rows()[0].drift[0].why, "app-07 runs 1.0.1-19-04bd1c9, the other 3 run 1.0.1-22-7e56158");
        let all = Matrix::build(&fleet, MatrixBy::Host, None, fixture::now());
        assert_eq!(all.columns().len(), 12);
        assert_eq!(all.columns()[0], Column::Host("test-01".into()));
    }

    #[test]
    fn touched_services_are_enough() {
        let mut fleet = fixture::fleet();
        let mut matrix = Matrix::build(&fleet, MatrixBy::Environment, None, fixture::now());
        let now = fixture::now() + TimeDelta::seconds(5);
        let lost = LinkState::Retrying { since: now, cause: LinkCause::Closed, error: "closed".into(), next: now };
        let app_07 = HostId::new("app-07");
        let gone = fleet.containers_on(&"app-01".into()).next().map(|c| c.key.clone()).unwrap();
        let deltas =
            [Delta::Link { host: app_07, link: lost, at: now }, Delta::Gone { host: gone.host.clone(), id: gone.id.clone(), at: now }];
        for delta in deltas {
            let change = fleet.apply(delta);
            matrix.update(&fleet, &change.services, now);
            let whole = Matrix::build(&fleet, MatrixBy::Environment, None, now);
            assert_eq!(matrix.rows(), whole.rows());
            assert_eq!(matrix.columns(), whole.columns());
        }
        let row = matrix.row(&ServiceKey { app: Some("shop".into()), service: "api".into() }).unwrap();
        assert_eq!(row.worst, Trouble::HostLost);
        let production = &row.cells[&Column::Environment(Some("production".into()))];
        assert!(production.versions.iter().all(|version| version.stale == version.odd));
        assert_eq!(Summary::of(&fleet, &matrix, now).lost, 1);
    }

    #[test]
    fn a_crash_loop_settles_by_time() {
        let mut fleet = fixture::fleet();
        let key = fleet.containers_on(&"app-09".into()).next().map(|c| c.key.clone()).unwrap();
        let mut event = fleet.events().iter().find(|event| event.kind == crate::fleet::EventKind::Container).unwrap().as_ref().clone();
        let now = fixture::now();
        (event.host, event.id, event.exit_code) = (key.host.clone(), key.id.clone(), Some(1));
        for second in 0..6 {
            event.action = if second % 2 == 0 { "die" } else { "start" }.into();
            event.at = now + TimeDelta::seconds(second);
            fleet.apply(Delta::Event { event: event.clone(), live: true, at: event.at });
        }
        let mut matrix = Matrix::build(&fleet, MatrixBy::Environment, None, now + TimeDelta::seconds(6));
        let service = ServiceKey { app: Some("shop".into()), service: "db".into() };
        assert_eq!(matrix.row(&service).unwrap().worst, Trouble::CrashLooping);
        assert!(!matrix.settle(&fleet, now + TimeDelta::minutes(9)));
        assert!(matrix.settle(&fleet, now + TimeDelta::minutes(11)));
        assert_eq!(matrix.row(&service).unwrap().worst, Trouble::None);
    }
}
