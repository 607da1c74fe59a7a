//! `stats`: what containers use, one by one or summed up; once, or again and again.

use std::{collections::BTreeMap, io::IsTerminal as _, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    args::{Format, Global, Output, StatsBy},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, PATIENCE, Watch, selector, wait},
    json,
    out::{self, complain},
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::{
    fleet::{Container, Fleet, Host, HostId, Selector},
    stats::{Book, Sum, Wanted, sum::Capacity},
    text,
};

/// Between two rounds of output.
const ROUND: Duration = Duration::from_secs(5);
/// Twice what the slowest engine takes for a first pair.
const PAIR: Duration = Duration::from_secs(6);

/// What is asked for.
pub struct Request<'a> {
    /// Which containers.
    pub selector: &'a [String],
    /// What the rows are.
    pub by: StatsBy,
    /// Whether to end after the first round.
    pub once: bool,
    /// How.
    pub output: Output,
}

/// A row, as JSON tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    /// When the oldest sample in it was taken.
    ts: Option<DateTime<Utc>>,
    scope: &'static str,
    name: Arc<str>,
    /// The one host that it is on.
    host: Option<HostId>,
    cpu: Option<f64>,
    cpu_limit: Option<f64>,
    memory: Option<u64>,
    memory_limit: Option<u64>,
    net_rx: Option<f64>,
    net_tx: Option<f64>,
    block_read: Option<f64>,
    block_write: Option<f64>,
    pids: Option<u64>,
    restarts: Option<u64>,
}

/// Measures what the selector selects, and prints it.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let filter = selector(request.selector)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Details(filter.clone())).await;
        first_round(&mut watch, &filter).await;
        loop {
            let now = Utc::now();
            let rows = rows(watch.fleet(), watch.book(), &filter, request.by, now);
            print(&rows, request)?;
            if request.once {
                return Ok(finish(&watch, &filter, now));
            }
            let until = Instant::now() + ROUND;
            loop {
                demand(&mut watch, &filter);
                tokio::select! {
                    news = watch.news() => if news.is_none() { return Ok(watch.finish()) },
                    () = sleep_until(until) => break,
                }
            }
        }
    })
}

/// Has measured what runs now; containers that came in between among it.
fn demand(watch: &mut Watch, filter: &Selector) {
    let near = selected(watch.fleet(), filter).map(|(container, _)| container.key.clone()).collect();
    watch.measure(&Wanted { near, every: ROUND, ..Wanted::default() });
}

/// Waits until two samples of each container are there; longer where there are many, as the budget of a host is small.
async fn first_round(watch: &mut Watch, filter: &Selector) {
    demand(watch, filter);
    let most = watch.fleet().hosts().map(|host| watch.fleet().container_count(&host.spec.id)).max().unwrap_or(0);
    let slowest = Duration::from_secs_f64(2.0 * most as f64 / crate::stats::pace::rate(None, 1.0));
    let until = Instant::now() + PAIR.max(slowest + PAIR).max(PATIENCE);
    loop {
        demand(watch, filter);
        let now = Utc::now();
        let known = |(container, host): (&Container, &Host)| {
            !host.link.is_live() || watch.book().current(container, host, now).is_some_and(|usage| usage.cpu.is_some())
        };
        if selected(watch.fleet(), filter).all(known) {
            return;
        }
        match timeout_at(until, watch.news()).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// The running containers that the filter selects.
fn selected<'f>(fleet: &'f Fleet, filter: &'f Selector) -> impl Iterator<Item = (&'f Container, &'f Host)> {
    let on = move |host: &'f Host| fleet.containers_on(&host.spec.id).map(move |container| (container, host));
    fleet.hosts().flat_map(on).filter(move |(container, host)| container.is_running() && filter.matches(container, host))
}

fn rows(fleet: &Fleet, book: &Book, filter: &Selector, by: StatsBy, now: DateTime<Utc>) -> Vec<Row> {
    /// What the rows of one kind are ordered and told apart by.
    type Key = (usize, String, String);
    let mut groups: BTreeMap<Key, Vec<(&Container, &Host)>> = BTreeMap::new();
    for (at, host) in fleet.hosts().enumerate() {
        for (container, host) in selected(fleet, filter).filter(|(_, of)| of.spec.id == host.spec.id) {
            let identity = &container.identity;
            let none = || NOTHING.to_owned();
            let key = match by {
                StatsBy::Container => (at, container.name.to_string(), container.key.id.to_string()),
                StatsBy::Host => (at, host.spec.id.to_string(), String::new()),
                StatsBy::Service => (usize::from(identity.service.app.is_none()), identity.service.to_string(), String::new()),
                StatsBy::App => {
                    let app = &identity.service.app;
                    (usize::from(app.is_none()), app.as_ref().map_or_else(none, ToString::to_string), String::new())
                }
                StatsBy::Environment => {
                    let environment = &identity.environment;
                    let stage = environment.as_ref().map_or(usize::MAX, |name| usize::from(crate::fleet::matrix::stage(name)));
                    (stage, environment.as_ref().map_or_else(none, ToString::to_string), String::new())
                }
            };
            groups.entry(key).or_default().push((container, host));
        }
    }
    let scope = match by {
        StatsBy::Container => "container",
        StatsBy::Service => "service",
        StatsBy::App => "app",
        StatsBy::Environment => "environment",
        StatsBy::Host => "host",
    };
    let rows = groups.into_iter().filter_map(|((_, name, _), members)| {
        let (container, host) = *members.first()?;
        let sum = match by {
            StatsBy::Container => Sum::one(container, host, book, now),
            StatsBy::Host => {
                let mut sum = Sum::of(members.iter().copied(), book, now);
                (sum.cpu_limit, sum.memory_limit) = (None, None);
                if let Some(capacity) = Capacity::of(host) {
                    sum.within(capacity);
                }
                sum
            }
            StatsBy::Service | StatsBy::App | StatsBy::Environment => Sum::of(members.iter().copied(), book, now),
        };
        let one_host = members.iter().all(|(_, other)| other.spec.id == host.spec.id);
        Some(Row {
            ts: sum.at,
            scope,
            name: name.into(),
            host: one_host.then(|| host.spec.id.clone()),
            cpu: sum.cpu,
            cpu_limit: sum.cpu_limit,
            memory: sum.memory,
            memory_limit: sum.memory_limit,
            net_rx: sum.network.map(|flow| flow.inward),
            net_tx: sum.network.map(|flow| flow.outward),
            block_read: sum.block.map(|flow| flow.inward),
            block_write: sum.block.map(|flow| flow.outward),
            pids: sum.pids,
            restarts: sum.restarts,
        })
    });
    rows.collect()
}

fn print(rows: &[Row], request: &Request<'_>) -> Result<(), Failure> {
    match (request.output.format, request.once) {
        (Format::Json, true) => out::print(&json::array(rows)?),
        (Format::Json, false) => out::print(&rows.iter().map(json::line).collect::<Result<String, _>>()?),
        (Format::Table, once) => {
            // In place on a terminal, as docker stats does it.
            let begin = if !once && std::io::stdout().is_terminal() { "\u{1b}[H\u{1b}[J" } else { "" };
            out::print(&format!("{begin}{}", table(rows, request.by).render(out::width())))
        }
    }
}

fn table(rows: &[Row], by: StatsBy) -> Table {
    let name = match by {
        StatsBy::Container => "NAME",
        StatsBy::Service => "SERVICE",
        StatsBy::App => "APP",
        StatsBy::Environment => "ENVIRONMENT",
        StatsBy::Host => "HOST",
    };
    let mut columns = vec![Column::new(name).least(16)];
    if by == StatsBy::Container {
        columns.insert(0, Column::new("HOST").whole());
    }
    columns.extend(["CPU", "CPU%", "MEMORY", "LIMIT", "MEM%"].map(|title| Column::new(title).right()));
    columns.extend(["NET RX/S", "NET TX/S"].map(|title| Column::new(title).right().rank(2)));
    columns.extend(["READ/S", "WRITE/S"].map(|title| Column::new(title).right().rank(3)));
    columns.push(Column::new("PIDS").right().rank(4));
    columns.push(Column::new("RESTARTS").right().rank(5));
    let mut table = Table::new(columns);
    let rate = |rate: Option<f64>| or_nothing(rate.map(|rate| text::bytes(rate as u64)));
    let share = |used: Option<f64>, limit: Option<f64>| {
        or_nothing(used.zip(limit).filter(|(_, limit)| *limit > 0.0).map(|(used, limit)| format!("{:.1}", used / limit * 100.0)))
    };
    for row in rows {
        let mut texts = vec![row.name.to_string()];
        if by == StatsBy::Container {
            texts.insert(0, or_nothing(row.host.as_ref()));
        }
        texts.extend([
            or_nothing(row.cpu.map(|cpu| format!("{cpu:.2}"))),
            share(row.cpu, row.cpu_limit),
            or_nothing(row.memory.map(text::bytes)),
            or_nothing(row.memory_limit.map(text::bytes)),
            share(row.memory.map(|memory| memory as f64), row.memory_limit.map(|limit| limit as f64)),
            rate(row.net_rx),
            rate(row.net_tx),
            rate(row.block_read),
            rate(row.block_write),
            or_nothing(row.pids),
            or_nothing(row.restarts),
        ]);
        table.push(texts);
    }
    table
}

/// Tells what is missing: hosts, and containers that could not be measured.
fn finish(watch: &Watch, filter: &Selector, now: DateTime<Utc>) -> Exit {
    let exit = watch.finish();
    let mut missing: BTreeMap<&HostId, usize> = BTreeMap::new();
    for (container, host) in selected(watch.fleet(), filter).filter(|(_, host)| host.link.is_live()) {
        if watch.book().current(container, host, now).is_none() {
            *missing.entry(&host.spec.id).or_default() += 1;
        }
    }
    for (host, count) in &missing {
        complain(&format!("host {:?}: {} could not be measured", host.as_str(), text::counted(*count, "container")));
    }
    if missing.is_empty() { exit } else { Exit::INCOMPLETE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::fixture, stats};

    fn told(filter: &str, by: StatsBy) -> Vec<Row> {
        let fleet = fixture::fleet();
        rows(&fleet, &stats::fixture::book(&fleet), &Selector::parse(filter).unwrap(), by, fixture::now())
    }

    #[test]
    fn golden() {
        let by = |by| table(&told("env:production", by), by).render(Some(120));
        insta::assert_snapshot!("stats_containers", table(&told("app:shop", StatsBy::Container), StatsBy::Container).render(Some(120)));
        insta::assert_snapshot!("stats_80", table(&told("app:shop", StatsBy::Container), StatsBy::Container).render(Some(80)));
        insta::assert_snapshot!("stats_services", by(StatsBy::Service));
        insta::assert_snapshot!("stats_hosts", by(StatsBy::Host));
        insta::assert_snapshot!("stats_environments", table(&told("", StatsBy::Environment), StatsBy::Environment).render(None));
        insta::assert_snapshot!("stats_json", json::array(&told("host:app-07", StatsBy::Container)).unwrap());
    }

    #[test]
    fn sums_are_those_of_their_containers() {
        let all = told("", StatsBy::Container);
        let total = |rows: &[Row], figure: fn(&Row) -> f64| rows.iter().map(figure).sum::<f64>();
        for by in [StatsBy::Service, StatsBy::App, StatsBy::Environment, StatsBy::Host] {
            let sums = told("", by);
            assert!(sums.len() < all.len());
            for figure in [|row: &Row| row.cpu.unwrap(), |row: &Row| row.memory.unwrap() as f64, |row: &Row| row.pids.unwrap() as f64] {
                assert!((total(&sums, figure) - total(&all, figure)).abs() < 1e-6, "{by:?}");
            }
        }
    }
}
