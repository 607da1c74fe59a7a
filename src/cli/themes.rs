//! `themes`: which themes there are, and where each comes from.

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    json, out,
    table::{Column, Table},
};
use crate::{
    config::Layers,
    text::clean_line,
    ui::theme::{self, ThemeRow},
};

/// Prints the built-in themes and a person's own.
pub fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let dir = Layers::from_process(global.flags()).config_dir().map(|dir| dir.join("themes"));
    let rows = theme::listing(dir.as_deref());
    out::print(&match output.format {
        Format::Json => json::array(&rows)?,
        Format::Table => table(&rows).render(out::width()),
    })?;
    Ok(Exit::DONE)
}

fn table(rows: &[ThemeRow]) -> Table {
    let mut table = Table::new(vec![Column::new("NAME").whole(), Column::new("FROM").whole(), Column::new("DESCRIPTION")]);
    for row in rows {
        let from = if row.built_in { "built in" } else { "yours" };
        let about = row.error.as_ref().unwrap_or(&row.description);
        table.push(vec![clean_line(&row.name), from.to_owned(), clean_line(about)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let rows = theme::listing(None);
        insta::assert_snapshot!("themes", table(&rows).render(None));
    }
}
