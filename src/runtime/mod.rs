//! The loop: drain what happened, update the state, paint only when something visible changed.
//!
//! [`State`] has one writer, [`update`](State::update); what it wants done in the world leaves as an [`Effect`], and only
//! [`console`] performs those.

pub mod console;
pub mod delivery_desk;
mod effect;
mod handoff;
pub mod journal;
mod kept;
mod log_desk;
mod probes;
pub mod runner;
pub(crate) mod session;
mod state;
pub mod terminal;
pub mod visit;

pub use effect::Effect;
pub use kept::Kept;
pub use state::{Settings, State};
