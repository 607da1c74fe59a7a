//! What people write in TOML files, read strictly: a tree whose values know their lines, tables whose every key is asked for, and all
//! mistakes at once, each with file, line and the nearest known name.
//!
//! The configuration and the app's template are both read with it. It knows no key's meaning, and it opens no file.

mod fault;
mod names;
mod origin;
mod section;
mod tree;

pub use fault::{Fault, Faults};
pub use origin::Origin;

pub(crate) use fault::{one_of, suggestion};
pub(crate) use names::{environment_ok, host_ok, plain_ok};
pub(crate) use section::{Reader, Said, Section, choice};
pub(crate) use tree::{Entry, Node, Table, Value, parse};
