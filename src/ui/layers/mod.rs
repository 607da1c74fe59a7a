//! What opens above a panel: state that answers keys with a [`LayerOutcome`], and a `render` that only reads it.

pub mod frame;
pub mod help;
mod input;
mod outcome;
pub mod palette;
#[cfg(test)]
mod tests;
pub mod which_key;

pub use input::InputLine;
pub use outcome::{Destination, LayerOutcome};
