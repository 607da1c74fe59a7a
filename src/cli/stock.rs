//! `images`, `volumes`, `networks`: what the engines keep beside their containers, with sizes and users.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::{
    fleet::HostId,
    stock::{ImageRow, NetworkRow, Stock, VolumeRow},
    text,
};

/// Prints the images of the hosts that the filter selects.
pub fn images(global: &Global, filter: &[String], output: Output) -> Result<Exit, Failure> {
    list(global, filter, output, ImageRow::all, image_table)
}

/// Prints the volumes.
pub fn volumes(global: &Global, filter: &[String], output: Output) -> Result<Exit, Failure> {
    list(global, filter, output, VolumeRow::all, volume_table)
}

/// Prints the networks.
pub fn networks(global: &Global, filter: &[String], output: Output) -> Result<Exit, Failure> {
    list(global, filter, output, NetworkRow::all, network_table)
}

fn list<R: Serialize>(
    global: &Global,
    filter: &[String],
    output: Output,
    rows_of: fn(&HostId, &Stock) -> Vec<R>,
    table: fn(&[R], DateTime<Utc>) -> Table,
) -> Result<Exit, Failure> {
    let filter = selector(filter)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Engine).await;
        let stocks = watch.stocks(&filter).await;
        let rows: Vec<R> = stocks.iter().flat_map(|(host, stock)| rows_of(host, stock)).collect();
        out::print(&match output.format {
            Format::Json => json::array(&rows)?,
            Format::Table => table(&rows, Utc::now()).render(out::width()),
        })?;
        Ok(watch.finish())
    })
}

fn joined(names: &[std::sync::Arc<str>]) -> String {
    if names.is_empty() { NOTHING.to_owned() } else { names.join(" ") }
}

fn age(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    or_nothing(at.map(|at| text::since(at, now)))
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
            text::bytes(row.size),
            or_nothing(row.shared.map(text::bytes)),
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
            or_nothing(row.size.map(text::bytes)),
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
