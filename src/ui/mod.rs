//! The screen: panels, layers, widgets, themes, keys. Reads a view, writes cells; never calls the engine.

pub mod backend;
pub mod osc52;
pub mod svg;
