//! `hosts`: the hosts, how their links stand and what their engines are.

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, wait},
    json, out,
    table::{Column, Table, or_nothing},
};
use crate::{fleet::rows::HostRow, text};

/// Prints all hosts.
pub fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Engine).await;
        let rows = HostRow::all(watch.fleet());
        out::print(&match output.format {
            Format::Json => json::array(&rows)?,
            Format::Table => table(&rows).render(out::width()),
        })?;
        Ok(watch.finish())
    })
}

pub(super) fn table(rows: &[HostRow]) -> Table {
    let mut table = Table::new(vec![
        Column::new("NAME").whole(),
        Column::new("STATUS").whole(),
        Column::new("ENGINE").least(14).rank(2),
        Column::new("API").rank(5),
        Column::new("OS").least(12).rank(4),
        Column::new("CPUS").right().rank(6),
        Column::new("MEMORY").right().rank(6),
        Column::new("CONTAINERS").right().rank(1),
        Column::new("LATENCY").right().rank(3),
        Column::new("URL").least(24).rank(3),
    ]);
    for row in rows {
        table.push(vec![
            row.name.to_string(),
            row.status.to_owned(),
            or_nothing(row.engine.as_ref()),
            or_nothing(row.api.as_ref()),
            or_nothing(row.os.as_ref()),
            or_nothing(row.cpus),
            or_nothing(row.memory.map(text::bytes)),
            row.containers.to_string(),
            or_nothing(row.latency_ms.map(|ms| format!("{ms:.1} ms"))),
            row.url.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture;

    #[test]
    fn golden() {
        let rows = HostRow::all(&fixture::fleet());
        insta::assert_snapshot!("hosts_piped", table(&rows).render(None));
        insta::assert_snapshot!("hosts_80", table(&rows).render(Some(80)));
        insta::assert_snapshot!("hosts_json", json::array(&rows[..2]).unwrap());
    }
}
