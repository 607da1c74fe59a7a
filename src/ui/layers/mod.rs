//! What opens above a panel: state that answers keys with a [`LayerOutcome`], and a `render`. A new layer is a file here and the
//! [`Layer`] seam.

pub mod act_argument;
pub mod act_menu;
pub mod act_results;
pub mod build_run;
pub mod column_chooser;
pub mod command_line;
pub mod compare;
pub mod confirm;
pub mod filter_line;
pub mod frame;
pub mod help;
mod input;
pub mod inspect;
mod logs;
mod outcome;
pub mod palette;
mod past;
mod plan_lines;
pub mod processes;
pub mod reason;
pub mod run;
pub mod sheet;
pub mod template;
#[cfg(test)]
mod tests;
pub mod theme_picker;
pub mod which_key;

pub use input::InputLine;
pub use logs::LogLayer;
pub use outcome::{Destination, Layer, LayerOutcome};
pub use past::{PastChoice, PastLayer};
