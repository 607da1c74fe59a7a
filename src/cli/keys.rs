//! `keys`: the keys of the loaded keymap, and the actions that have none.

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    json,
    out::{self, complain},
    table::{Column, NOTHING, Table},
};
use crate::{
    config::Layers,
    ui::keymap::{self, KeyRow},
};

/// Prints what the configured keymap binds.
pub fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let layers = Layers::from_process(global.flags());
    let config = layers.load().map_err(Failure::usage)?;
    let dir = layers.config_dir().map(|dir| dir.join("keymaps"));
    let (keymap, error) = keymap::load(&config.keymap, dir.as_deref());
    let rows = keymap::listing(&keymap);
    out::print(&match output.format {
        Format::Json => json::array(&rows)?,
        Format::Table => table(&rows).render(out::width()),
    })?;
    match error {
        None => Ok(Exit::DONE),
        Some(error) => {
            complain(&format!("{error} · the default is in use"));
            Ok(Exit::USAGE)
        }
    }
}

fn table(rows: &[KeyRow]) -> Table {
    let mut table = Table::new(vec![
        Column::new("KEYS").whole(),
        Column::new("WHERE").whole().rank(2),
        Column::new("ACTION").whole().rank(1),
        Column::new("WHAT IT DOES"),
    ]);
    for row in rows {
        let keys = if row.keys.is_empty() { NOTHING } else { &row.keys };
        table.push(vec![keys.to_owned(), row.context.to_owned(), row.action.to_owned(), row.doc.clone()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_line() {
        let (keymap, error) = keymap::load("default", None);
        assert_eq!(error, None);
        let text = table(&keymap::listing(&keymap)).render(None);
        for action in crate::action::Action::ALL {
            assert!(text.contains(action.row().id), "{}", action.row().id);
        }
    }
}
