//! The command line: one file per verb.

pub mod args;
mod time_spec;

pub use time_spec::{TimeSpec, TimeSpecError};
