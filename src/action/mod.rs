//! The catalogue of actions: one row per action, from which palette, help, key hints and the README's table follow.
//!
//! Owns what can be asked of the console, under which name, where, and with which right. It must not know keys
//! (a keymap's matter) or carry an action out (the panels' and the runtime's). Pure.

mod availability;
mod catalogue;
mod command;
mod context;

pub use availability::{Availability, Denial, availability};
pub use catalogue::{Action, Confirm, Need, Row, UnknownAction};
pub use command::{Answer, Command, RequestId};
pub use context::{Context, ContextKind, Selected, UnknownContext};
