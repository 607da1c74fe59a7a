//! The loop: drain what happened, update the state, paint only when something visible changed.

pub mod terminal;
