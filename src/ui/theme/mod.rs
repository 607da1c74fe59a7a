//! What things look like: a theme gives every role its style and every sign its character, resolved once at load.
//!
//! Owns colours. Nothing else in the program names one: screens ask for a [`Role`]. The rule behind the built-in
//! themes: normal is quiet; amber is attention, red is bad, the accent is where I am, green is only what is done.

mod depth;
mod error;
mod file;
mod ink;
mod load;
mod role;
mod symbol;

use std::borrow::Cow;

pub use depth::{Capabilities, Depth};
pub use error::{ThemeError, ThemeFault};
pub use load::{BUILT_IN, DEFAULT, ThemeRow, listing, load};
use ratatui::style::Style;
pub use role::{LOG_SOURCES, Role};
pub use symbol::{Symbol, SymbolSet};

use crate::text;

/// A loaded theme, fitted to the terminal.
#[derive(Clone, Debug)]
pub struct Theme {
    name: String,
    description: String,
    /// By [`Role`], in its order.
    styles: Vec<Style>,
    /// By [`Symbol`], in its order.
    symbols: Vec<String>,
    set: SymbolSet,
    depth: Depth,
}

impl Theme {
    /// The name of the theme in use, which is not always the one asked for (see [`load`]).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line about it.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The style of a role. A role without a ground of its own leaves the one beneath.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// The character of a sign, one cell wide.
    pub fn symbol(&self, symbol: Symbol) -> &str {
        self.symbols.get(symbol as usize).map_or("?", String::as_str)
    }

    /// [`fit`](crate::text::fit) with this theme's sign for what was cut: screens cut with this one.
    pub fn fit<'t>(&self, text: &'t str, cells: usize) -> Cow<'t, str> {
        match (text::fit(text, cells), self.symbol(Symbol::Cut)) {
            (Cow::Owned(cut), sign) if sign != "…" => Cow::Owned(cut.replace('…', sign)),
            (fitting, _) => fitting,
        }
    }

    /// Whether borders and other drawing must keep to ASCII.
    pub fn is_ascii(&self) -> bool {
        self.set == SymbolSet::Ascii
    }
}

#[cfg(test)]
mod tests;
