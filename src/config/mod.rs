//! The configuration: layers merged once into one immutable value, and errors that name file, line and nearest name.
//!
//! Owns the file format (design: Configuration). It must not open connections or start tasks; reading the files of
//! its own layers is its only I/O.

mod context;
mod delivery;
mod endpoint;
mod hosts;
mod identity;
mod layers;
mod merge;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use delivery::{AppConfig, BalancerConfig, BalancerKind, Delivery, FilesConfig, LedgerConfig, PolicyConfig, SecretSource, Source};
pub use endpoint::{Address, DEFAULT_SOCKET, Endpoint, EndpointError, SshEngine, TlsFiles};
pub use hosts::HostConfig;
pub use identity::IdentityRule;
pub use layers::{Flags, Layers};

pub use crate::written::{Fault, Faults as ConfigError, Origin};

use crate::rights::Rights;

/// All of the configuration, checked; it does not change while the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The theme's name; its loader knows whether there is one.
    pub theme: String,
    /// The keymap's name; its loader knows whether there is one.
    pub keymap: String,
    /// Whether anything may be changed. Any layer sets it, none takes it back.
    pub read_only: bool,
    /// The first layer that set `read_only`.
    pub read_only_origin: Option<Origin>,
    /// Ledger, audit and runs.
    pub state: PathBuf,
    /// Minutes in the header.
    pub clock: bool,
    /// Whether the mouse is ours; off: the terminal selects text.
    pub mouse: bool,
    /// At least one, in the order of the configuration.
    pub hosts: Vec<HostConfig>,
    /// First match wins.
    pub identity: Vec<IdentityRule>,
    /// What only delivery uses.
    pub delivery: Delivery,
    /// The files that were read, lowest layer first.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// What may leave the process.
    pub fn rights(&self) -> Rights {
        match &self.read_only_origin {
            Some(origin) => Rights::view(format!("read-only is set by {}", origin.short())),
            None => Rights::Act,
        }
    }
}
