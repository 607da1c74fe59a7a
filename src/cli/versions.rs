//! `versions`: which version of which service runs where, and what disagrees.

use chrono::{DateTime, Utc};

use super::{
    args::{Columns, Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::fleet::{
    Fleet, Matrix, MatrixBy, Selector, Trouble,
    matrix::{self, Cell, MatrixRow},
    rows::VersionsRow,
};

/// Prints the matrix; JSON tells every environment × host × version, whatever the columns.
pub fn run(global: &Global, filter: &[String], by: Columns, output: Output) -> Result<Exit, Failure> {
    let filter = selector(filter)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Layers).await;
        let now = Utc::now();
        out::print(&match output.format {
            Format::Json => json::array(&VersionsRow::all(watch.fleet(), &filter, now))?,
            Format::Table => page(watch.fleet(), filter, by, now, out::width()),
        })?;
        Ok(watch.finish())
    })
}

/// The matrix and, below it, every disagreement in words: these are never cut.
pub(super) fn page(fleet: &Fleet, filter: Selector, by: Columns, now: DateTime<Utc>, width: Option<usize>) -> String {
    let by = match by {
        Columns::Environment => MatrixBy::Environment,
        Columns::Host => MatrixBy::Host,
    };
    let matrix = Matrix::build(fleet, by, Some(filter), now);
    let mut columns = vec![Column::new("APP"), Column::new("SERVICE")];
    columns.extend(matrix.columns().iter().map(|column| Column::new(title(column)).least(20)));
    let mut table = Table::new(columns);
    for row in matrix.rows() {
        push(&mut table, &matrix, row);
    }
    let mut page = table.render(width);
    let mut drifts = matrix.rows().iter().flat_map(|row| row.drift.iter().map(move |drift| (row, drift))).peekable();
    if drifts.peek().is_some() {
        page.push_str("\nDrift\n");
    }
    for (row, drift) in drifts {
        page.push_str(&format!("  {}: {}\n", row.service, drift.why));
    }
    page
}

/// A version a line; what goes on below the first line of a service names it no more.
fn push(table: &mut Table, matrix: &Matrix, row: &MatrixRow) {
    let cells: Vec<Vec<String>> = matrix.columns().iter().map(|column| row.cells.get(column).map_or_else(Vec::new, lines)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut texts = match line {
            0 => vec![or_nothing(row.service.app.as_ref()), row.service.service.to_string()],
            _ => vec![String::new(), String::new()],
        };
        texts.extend(cells.iter().map(|cell| match (cell.get(line), line) {
            (Some(text), _) => text.clone(),
            (None, 0) => NOTHING.to_owned(),
            (None, _) => String::new(),
        }));
        table.push(texts);
    }
}

fn lines(cell: &Cell) -> Vec<String> {
    let versions = cell.versions.iter().map(|version| {
        let count = match version.running {
            0 => " (none runs)".to_owned(),
            1 => String::new(),
            n => format!(" ×{n}"),
        };
        let odd = if version.odd { " ≠" } else { "" };
        let trouble = match version.worst {
            Trouble::None => String::new(),
            Trouble::Starting
            | Trouble::Stale
            | Trouble::Exited
            | Trouble::Unhealthy
            | Trouble::CrashLooping
            | Trouble::Oom
            | Trouble::HostLost => format!(" ({})", version.worst),
        };
        format!("{}{count}{odd}{trouble}", version.version.text)
    });
    let kept = (cell.kept > 0).then(|| format!("{} kept", cell.kept));
    versions.chain(kept).collect()
}

fn title(column: &matrix::Column) -> String {
    match column {
        matrix::Column::Environment(environment) => or_nothing(environment.as_ref()),
        matrix::Column::Host(host) => host.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture;

    #[test]
    fn golden() {
        let (fleet, now) = (fixture::fleet(), fixture::now());
        insta::assert_snapshot!("versions_piped", page(&fleet, Selector::default(), Columns::Environment, now, None));
        insta::assert_snapshot!("versions_80", page(&fleet, Selector::default(), Columns::Environment, now, Some(80)));
        let api = Selector::parse("service:api env:production").unwrap();
        insta::assert_snapshot!("versions_by_host", page(&fleet, api.clone(), Columns::Host, now, None));
        insta::assert_snapshot!("versions_json", json::array(&VersionsRow::all(&fleet, &api, now)).unwrap());
    }
}
