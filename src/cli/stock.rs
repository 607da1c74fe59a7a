//! `images`, `volumes`, `networks`, `prune`: what the engines keep beside their containers, with sizes and users, and taking it away.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    acts::{enact, text},
    args::{Format, Global, Output, Shelf},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::{
    act::{Policy, discard},
    fleet::{HostId, Selector, pattern::Pattern},
    rights::Rights,
    stock::{ImageRow, Kind, NetworkRow, Stock, Thing, VolumeRow},
    text::{bytes, since},
};

/// The images of the hosts that the filter selects: listed, or those named taken away.
pub fn images(global: &Global, shelf: &Shelf) -> Result<Exit, Failure> {
    serve(global, shelf, Kind::Image, ImageRow::all, image_table)
}

/// The volumes.
pub fn volumes(global: &Global, shelf: &Shelf) -> Result<Exit, Failure> {
    serve(global, shelf, Kind::Volume, VolumeRow::all, volume_table)
}

/// The networks.
pub fn networks(global: &Global, shelf: &Shelf) -> Result<Exit, Failure> {
    serve(global, shelf, Kind::Network, NetworkRow::all, network_table)
}

/// Takes away what nobody named and nothing uses, or tells what that would be.
pub fn prune(global: &Global, filter: &[String], dry_run: bool, yes: bool, output: Output) -> Result<Exit, Failure> {
    let filter = selector(filter)?;
    let sources = Sources::load(global)?;
    if !dry_run {
        sources.may_act("prune")?;
    }
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Engine).await;
        let things: Vec<(HostId, Thing)> = things(&mut watch, &filter, Stock::spares).await;
        if dry_run || things.is_empty() {
            out::print(&match output.format {
                Format::Json => json::array(&SpareRow::all(&things))?,
                Format::Table if things.is_empty() => "nothing lies about unused\n".to_owned(),
                // What would be done is told to who may not do it, too.
                Format::Table => text(&discard(&things, watch.fleet(), &Rights::Act, &Policy::default())),
            })?;
            return Ok(watch.finish());
        }
        take_away(watch, &sources, &things, yes, output.format).await
    })
}

async fn things(watch: &mut Watch, filter: &Selector, of: impl Fn(&Stock) -> Vec<Thing>) -> Vec<(HostId, Thing)> {
    let stocks = watch.stocks(filter).await;
    stocks.iter().flat_map(|(host, stock)| of(stock).into_iter().map(|thing| (host.clone(), thing))).collect()
}

/// What came into use since it was listed, the engine refuses: nothing is sent by force.
async fn take_away(watch: Watch, sources: &Sources, things: &[(HostId, Thing)], yes: bool, format: Format) -> Result<Exit, Failure> {
    let planned = |watch: &Watch| discard(things, watch.fleet(), &sources.rights, &Policy::default());
    enact(watch, sources, planned, yes, format).await
}

fn serve<R: Serialize>(
    global: &Global,
    shelf: &Shelf,
    kind: Kind,
    rows_of: fn(&HostId, &Stock) -> Vec<R>,
    table: fn(&[R], DateTime<Utc>) -> Table,
) -> Result<Exit, Failure> {
    let filter = selector(&shelf.filter)?;
    let wanted = shelf.remove.iter().map(|name| Pattern::glob(name)).collect::<Result<Vec<_>, _>>();
    let wanted = wanted.map_err(|error| Failure::usage(format!("--remove: {error}")))?;
    let sources = Sources::load(global)?;
    if !wanted.is_empty() {
        sources.may_act("remove")?;
    }
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Engine).await;
        if !wanted.is_empty() {
            let things = things(&mut watch, &filter, |stock| named(stock.things(kind), &wanted)).await;
            if things.is_empty() {
                let missing = watch.shortfalls();
                let nothing = format!("no {} of that name", kind.word());
                return Err(match missing.is_empty() {
                    true => Failure::usage(nothing),
                    false => Failure::incomplete(format!("{nothing} on the hosts that answer; {}", missing.join("; "))),
                });
            }
            return take_away(watch, &sources, &things, shelf.yes, shelf.output.format).await;
        }
        let stocks = watch.stocks(&filter).await;
        let rows: Vec<R> = stocks.iter().flat_map(|(host, stock)| rows_of(host, stock)).collect();
        out::print(&match shelf.output.format {
            Format::Json => json::array(&rows)?,
            Format::Table => table(&rows, Utc::now()).render(out::width()),
        })?;
        Ok(watch.finish())
    })
}

/// Those that a pattern means, by name or id. An image loses only those of its names that are meant, unless its id is.
fn named(things: Vec<Thing>, wanted: &[Pattern]) -> Vec<Thing> {
    let meant = |text: &str| wanted.iter().any(|pattern| pattern.matches(text));
    let short = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    let mut found = Vec::new();
    for mut thing in things {
        if !(meant(&thing.id) || meant(&short(&thing.id)) || (thing.handles.len() == 1 && meant(&thing.name))) {
            let all = thing.handles.len();
            thing.handles.retain(|handle| meant(handle));
            if thing.handles.is_empty() {
                continue;
            }
            if thing.handles.len() < all {
                thing.stays = true;
                thing.bytes = Some(0);
                thing.name = Arc::clone(&thing.handles[0]);
            }
        }
        found.push(thing);
    }
    found
}

/// A row of `prune --dry-run`. Sizes in bytes.
#[derive(Debug, Serialize)]
struct SpareRow<'a> {
    host: &'a HostId,
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    /// What comes back at least.
    bytes: Option<u64>,
}

impl<'a> SpareRow<'a> {
    fn all(things: &'a [(HostId, Thing)]) -> Vec<Self> {
        let row = |(host, thing): &'a (HostId, Thing)| Self {
            host,
            kind: thing.kind.word(),
            id: &thing.id,
            name: &thing.name,
            bytes: thing.bytes,
        };
        things.iter().map(row).collect()
    }
}

fn joined(names: &[Arc<str>]) -> String {
    if names.is_empty() { NOTHING.to_owned() } else { names.join(" ") }
}

fn age(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    or_nothing(at.map(|at| since(at, now)))
}

fn image_table(rows: &[ImageRow], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(vec![
        Column::new("HOST").whole(),
        Column::new("IMAGE").keep_end().least(20),
        Column::new("ID").whole().rank(4),
        Column::new("SIZE").right(),
        Column::new("SHARED").right().rank(3),
        Column::new("CREATED").right().rank(2),
        Column::new("CONTAINERS").least(12).rank(1),
    ]);
    for row in rows {
        let id: String = row.id.trim_start_matches("sha256:").chars().take(12).collect();
        table.push(vec![
            row.host.to_string(),
            joined(&row.names),
            id,
            bytes(row.size),
            or_nothing(row.shared.map(bytes)),
            age(row.created, now),
            joined(&row.containers),
        ]);
    }
    table
}

fn volume_table(rows: &[VolumeRow], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(vec![
        Column::new("HOST").whole(),
        Column::new("VOLUME").least(16),
        Column::new("DRIVER").rank(3),
        Column::new("SIZE").right(),
        Column::new("CREATED").right().rank(2),
        Column::new("CONTAINERS").least(12).rank(1),
    ]);
    for row in rows {
        table.push(vec![
            row.host.to_string(),
            row.name.to_string(),
            row.driver.to_string(),
            or_nothing(row.size.map(bytes)),
            age(row.created, now),
            joined(&row.containers),
        ]);
    }
    table
}

fn network_table(rows: &[NetworkRow], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(vec![
        Column::new("HOST").whole(),
        Column::new("NETWORK").least(12),
        Column::new("DRIVER"),
        Column::new("SCOPE").rank(4),
        Column::new("SUBNETS").least(16).rank(2),
        Column::new("CREATED").right().rank(3),
        Column::new("CONTAINERS").least(12).rank(1),
    ]);
    for row in rows {
        table.push(vec![
            row.host.to_string(),
            row.name.to_string(),
            row.driver.to_string(),
            row.scope.to_string(),
            joined(&row.subnets),
            age(row.created, now),
            joined(&row.containers),
        ]);
    }
    table
}
