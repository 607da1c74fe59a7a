//! The text of a theme file as [`Sheet`]: sections read, colours and names checked, nothing resolved yet.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use toml::de::{DeTable, DeValue};

use super::{
    error::{ThemeError, ThemeFault, hint},
    role::Role,
    symbol::{Symbol, SymbolSet},
};
use crate::{
    text::{clean_line, width},
    ui::datafile::{DataFile, kind},
};

/// What one theme file, over those it inherits, says.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    pub description: String,
    /// `[palette]`: names of colours. Roles of an inherited theme follow a changed palette only where they are
    /// written again: a theme's roles are settled in its own file.
    pub palette: BTreeMap<String, Color>,
    /// `[roles]`, by role or by the area that several roles fall back to.
    pub roles: BTreeMap<String, Style>,
    pub ascii: Option<SymbolSet>,
    pub symbols: BTreeMap<&'static str, String>,
}

const SECTIONS: [&str; 5] = ["inherits", "description", "palette", "roles", "symbols"];
const FIELDS: [&str; 3] = ["fg", "bg", "modifiers"];
const STYLE: &str = "a colour, or { fg = \"…\", bg = \"…\", modifiers = [\"bold\"] }";
const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];
const NAMED: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

impl Sheet {
    /// Lays what `table` says over this sheet.
    pub fn read(&mut self, file: &DataFile, table: &DeTable<'_>) -> Result<(), ThemeError> {
        for (name, value) in table {
            if !SECTIONS.contains(&name.get_ref().as_ref()) {
                return Err(ThemeError { at: file.at(&name.span()), fault: unknown("section", name.get_ref(), SECTIONS) });
            }
            let shape = |expected| ThemeError {
                at: file.at(&value.span()),
                fault: ThemeFault::Shape { what: name.get_ref().to_string(), found: kind(value.get_ref()), expected },
            };
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("description", DeValue::String(text)) => self.description = clean_line(text),
                ("inherits", DeValue::String(_)) | ("palette" | "roles" | "symbols", DeValue::Table(_)) => {}
                ("inherits" | "description", _) => return Err(shape("a string")),
                _ => return Err(shape("a table")),
            }
        }
        // The palette first: roles above it in the file may use it.
        for (section, read) in [("palette", Self::colour as Read), ("roles", Self::role as Read), ("symbols", Self::symbol as Read)] {
            let Some(DeValue::Table(rows)) = table.iter().find(|(key, _)| key.get_ref() == section).map(|(_, value)| value.get_ref())
            else {
                continue;
            };
            for (name, value) in rows {
                let at = || file.at(&name.span());
                read(self, name.get_ref(), value.get_ref()).map_err(|fault| ThemeError { at: at(), fault })?;
            }
        }
        Ok(())
    }

    fn colour(&mut self, name: &str, value: &DeValue<'_>) -> Result<(), ThemeFault> {
        let color = self.look_up(text(name, value, "a colour such as \"#1f6feb\"")?)?;
        self.palette.insert(name.to_owned(), color);
        Ok(())
    }

    fn role(&mut self, name: &str, value: &DeValue<'_>) -> Result<(), ThemeFault> {
        let within = |id: &str| id == name || id.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if !Role::ALL.iter().any(|role| within(role.id())) {
            return Err(unknown("role", name, Role::ALL.iter().map(|role| role.id())));
        }
        let style = match value {
            DeValue::String(color) => Style::new().fg(self.look_up(color)?),
            DeValue::Table(fields) => {
                let mut style = Style::new();
                for (field, value) in fields {
                    style = match field.get_ref().as_ref() {
                        "fg" => style.fg(self.look_up(text("fg", value.get_ref(), "a colour")?)?),
                        "bg" => style.bg(self.look_up(text("bg", value.get_ref(), "a colour")?)?),
                        "modifiers" => style.add_modifier(modifiers(value.get_ref())?),
                        other => {
                            let dotted = format!("{name}.{other}");
                            let meant = Role::ALL.iter().any(|role| role.id().starts_with(&dotted));
                            return Err(if meant { ThemeFault::Unquoted { role: dotted } } else { unknown("field", other, FIELDS) });
                        }
                    };
                }
                style
            }
            other => return Err(ThemeFault::Shape { what: name.to_owned(), found: kind(other), expected: STYLE }),
        };
        self.roles.insert(name.to_owned(), style);
        Ok(())
    }

    fn symbol(&mut self, name: &str, value: &DeValue<'_>) -> Result<(), ThemeFault> {
        let sign = text(name, value, "a string of one cell")?;
        if name == "set" {
            self.ascii = Some(match sign {
                "unicode" => SymbolSet::Unicode,
                "ascii" => SymbolSet::Ascii,
                other => return Err(unknown("symbol set", other, ["unicode", "ascii"])),
            });
            return Ok(());
        }
        let known = || Symbol::ALL.iter().map(|symbol| symbol.id());
        let symbol = Symbol::ALL.iter().find(|symbol| symbol.id() == name);
        let symbol = symbol.ok_or_else(|| unknown("symbol", name, known().chain(["set"])))?;
        let sign = clean_line(sign);
        match width(&sign) {
            1 => self.symbols.insert(symbol.id(), sign),
            cells => return Err(ThemeFault::Wide { name: symbol.id(), sign, cells }),
        };
        Ok(())
    }

    fn look_up(&self, text: &str) -> Result<Color, ThemeFault> {
        if let Some(digits) = text.strip_prefix('#') {
            // Sign characters pass from_str_radix, so the digits are checked first.
            let hex = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = if hex { u32::from_str_radix(digits, 16).ok() } else { None };
            return number.map(Color::from_u32).ok_or_else(|| ThemeFault::Colour { text: text.to_owned() });
        }
        let own = self.palette.get(text).copied();
        let named = || NAMED.iter().find(|(name, _)| *name == text).map(|(_, color)| *color);
        own.or_else(named).ok_or_else(|| {
            let known = self.palette.keys().map(String::as_str).chain(NAMED.iter().map(|(name, _)| *name));
            unknown("colour", text, known)
        })
    }
}

type Read = fn(&mut Sheet, &str, &DeValue<'_>) -> Result<(), ThemeFault>;

fn text<'a>(name: &str, value: &'a DeValue<'_>, expected: &'static str) -> Result<&'a str, ThemeFault> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(ThemeFault::Shape { what: name.to_owned(), found: kind(other), expected }),
    }
}

fn modifiers(value: &DeValue<'_>) -> Result<Modifier, ThemeFault> {
    let expected = "a list such as [\"bold\", \"underlined\"]";
    let DeValue::Array(words) = value else {
        return Err(ThemeFault::Shape { what: "modifiers".to_owned(), found: kind(value), expected });
    };
    let mut all = Modifier::empty();
    for word in words {
        let word = text("a modifier", word.get_ref(), "a string")?;
        let known = MODIFIERS.iter().find(|(name, _)| *name == word);
        all |= known.map(|(_, modifier)| *modifier).ok_or_else(|| unknown("modifier", word, MODIFIERS.map(|(name, _)| name)))?;
    }
    Ok(all)
}

fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> ThemeFault {
    ThemeFault::Unknown { what, name: clean_line(name), hint: hint(name, known) }
}
