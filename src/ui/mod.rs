//! The screen: panels, layers, widgets, themes, keys. Reads a view, writes cells; never calls the engine.

pub mod backend;
pub mod copy;
pub mod datafile;
pub mod filter;
pub mod frame;
pub mod keymap;
pub mod layers;
pub mod log_choice;
pub mod osc52;
pub mod panel;
pub mod panels;
pub mod screen;
pub mod svg;
pub mod theme;
pub mod view;
pub mod widgets;

#[cfg(test)]
mod bad_files;
#[cfg(test)]
pub(crate) mod fixture;
