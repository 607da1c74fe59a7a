//! The screen: panels, layers, widgets, themes, keys. Reads a view, writes cells; never calls the engine.

pub mod datafile;
pub mod keymap;
pub mod layers;
pub mod theme;

#[cfg(test)]
mod bad_files;
