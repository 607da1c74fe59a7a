//! From a theme file to a [`Theme`]: inheritance, the terminal's limits, every role resolved once.

use std::{ops::Range, path::Path};

use ratatui::style::{Color, Style};
use serde::Serialize;
use toml::de::DeValue;

use super::{
    Theme,
    depth::{Capabilities, Depth},
    error::{ThemeError, ThemeFault, hint},
    file::Sheet,
    role::Role,
    symbol::{Symbol, SymbolSet},
};
use crate::ui::datafile::{DataFile, Place, Shelf};

/// The themes inside the program: name and text. A new one is a file and a row here.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("harbor", include_str!("../../../themes/harbor.toml")),
    ("harbor-light", include_str!("../../../themes/harbor-light.toml")),
    ("fjord", include_str!("../../../themes/fjord.toml")),
    ("ember", include_str!("../../../themes/ember.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("colour-blind", include_str!("../../../themes/colour-blind.toml")),
    ("ansi16", include_str!("../../../themes/ansi16.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
];

/// The theme of who chose none.
pub const DEFAULT: &str = "harbor";

/// Loads the theme `name` (`DIR/NAME.toml` when it is there, else the built-in one) for a terminal that can show
/// `can`: without colours that is `mono`, and with 16 the built-in 24-bit themes give way to `ansi16`, which is made
/// by hand; a person's own theme is brought down colour by colour.
///
/// The console must start whatever the file says: with an error comes the built-in default.
pub fn load(name: &str, dir: Option<&Path>, can: Capabilities) -> (Theme, Option<ThemeError>) {
    let built_in = Shelf { built_in: BUILT_IN, dir: None };
    // Named first, so that a mistake in it is told even where the terminal cannot show it.
    let shelf = Shelf { built_in: BUILT_IN, dir };
    let chosen = find(&shelf, name, None).and_then(|file| Ok((sheet(&shelf, &file, &mut Vec::new())?, file)));
    let (chosen, error) = match chosen {
        Ok(pair) => (Some(pair), None),
        Err(error) => (None, Some(error)),
    };
    let own = chosen.as_ref().is_some_and(|(_, file)| !file.built_in);
    let substitute = match can.depth {
        Depth::None => Some("mono"),
        Depth::Ansi16 if !own && !matches!(name, "ansi16" | "mono") => Some("ansi16"),
        Depth::Ansi16 | Depth::Indexed256 | Depth::True => None,
    };
    if let (None, Some((sheet, file))) = (substitute, chosen) {
        return (resolve(&file.name, &sheet, can), error);
    }
    let name = substitute.unwrap_or(DEFAULT);
    // The built-in themes are loaded by a test; a theme without styles is what remains if that test is ignored.
    let sheet = built_in.embedded(name).and_then(|file| sheet(&built_in, &file, &mut Vec::new()).ok()).unwrap_or_default();
    (resolve(name, &sheet, can), error)
}

/// One row of `quarterdeck themes` and of the theme picker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ThemeRow {
    /// Its name.
    pub name: String,
    /// Whether it is inside the program, or the person's own.
    pub built_in: bool,
    /// One line about it.
    pub description: String,
    /// What is wrong with it, with file and line, if it cannot be used.
    pub error: Option<String>,
}

/// Every theme that [`load`] knows; each one's file is read, so this is for menus, not for the start.
pub fn listing(dir: Option<&Path>) -> Vec<ThemeRow> {
    let shelf = Shelf { built_in: BUILT_IN, dir };
    let row = |name: String| match find(&shelf, &name, None) {
        Ok(file) => match sheet(&shelf, &file, &mut Vec::new()) {
            Ok(sheet) => ThemeRow { name, built_in: file.built_in, description: sheet.description, error: None },
            Err(error) => ThemeRow { name, built_in: file.built_in, description: String::new(), error: Some(error.to_string()) },
        },
        Err(error) => ThemeRow { name, built_in: false, description: String::new(), error: Some(error.to_string()) },
    };
    shelf.names().into_iter().map(row).collect()
}

fn find(shelf: &Shelf<'_>, name: &str, child: Option<(&DataFile, &Range<usize>)>) -> Result<DataFile, ThemeError> {
    let found = match child {
        Some((child, _)) => shelf.parent(child, name),
        None => shelf.find(name),
    };
    match found {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            let known = shelf.names();
            let hint = hint(name, known.iter().map(String::as_str));
            let at = child.map_or_else(|| Place { file: "theme".to_owned(), line: None }, |(file, span)| file.at(span));
            Err(ThemeError { at, fault: ThemeFault::Missing { name: name.to_owned(), hint } })
        }
        Err((path, error)) => Err(ThemeError {
            at: Place { file: path.display().to_string(), line: None },
            fault: ThemeFault::Unreadable { reason: error.to_string() },
        }),
    }
}

fn sheet(shelf: &Shelf<'_>, file: &DataFile, open: &mut Vec<(String, bool)>) -> Result<Sheet, ThemeError> {
    open.push((file.name.clone(), file.built_in));
    let table = file.parse().map_err(|(at, reason)| ThemeError { at, fault: ThemeFault::Syntax { reason } })?;
    let mut sheet = Sheet::default();
    if let Some((value, DeValue::String(name))) =
        table.iter().find(|(key, _)| key.get_ref() == "inherits").map(|(_, value)| (value, value.get_ref()))
    {
        let parent = find(shelf, name, Some((file, &value.span())))?;
        if open.contains(&(parent.name.clone(), parent.built_in)) {
            return Err(ThemeError { at: file.at(&value.span()), fault: ThemeFault::Circle { name: parent.name } });
        }
        sheet = self::sheet(shelf, &parent, open)?;
    }
    sheet.read(file, &table)?;
    Ok(sheet)
}

fn resolve(name: &str, sheet: &Sheet, can: Capabilities) -> Theme {
    let set = match sheet.ascii {
        Some(SymbolSet::Ascii) => SymbolSet::Ascii,
        Some(SymbolSet::Unicode) | None => can.symbols,
    };
    let symbols = Symbol::ALL
        .iter()
        .map(|symbol| {
            // An own sign holds where the terminal can show it.
            let own = sheet.symbols.get(symbol.id()).filter(|sign| sign.is_ascii() || set == SymbolSet::Unicode);
            own.cloned().unwrap_or_else(|| symbol.of(set).to_owned())
        })
        .collect();
    let styles = Role::ALL.iter().map(|role| lower(style(sheet, role.id()), can.depth)).collect();
    Theme { name: name.to_owned(), description: sheet.description.clone(), styles, symbols, set, depth: can.depth }
}

fn style(sheet: &Sheet, id: &str) -> Style {
    let mut name = id;
    loop {
        match (sheet.roles.get(name), name.rsplit_once('.')) {
            (Some(style), _) => return *style,
            (None, Some((area, _))) => name = area,
            (None, None) => return sheet.roles.get("text").copied().unwrap_or_default(),
        }
    }
}

fn lower(style: Style, depth: Depth) -> Style {
    let show = |color: Option<Color>| color.map(|color| depth.show(color));
    Style { fg: show(style.fg), bg: show(style.bg), ..style }
}
