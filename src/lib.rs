//! quarterdeck: one console over every Docker host.
//!
//! Data flows one way:
//!
//! ```text
//! transport → source → Delta → apply → State → View → frame
//! key | mouse | palette | argv → Action → resolve(selection) → Command → confirm → update → Effect → engine → (later) Delta
//! ```
//!
//! The pure modules ([`text`], [`fleet`], [`logs`], [`stats`], [`alerts`], [`action`], [`act`], [`stock`], [`rights`], [`written`]) know no I/O, no clock and no terminal; the
//! [`engine`] never knows the [`ui`] and the [`ui`] never calls the [`engine`]: they meet at
//! [`fleet::Delta`] and [`action`], which are plain data. `tests/it/layers.rs` holds these directions.

pub mod act;
pub mod action;
pub mod alerts;
pub mod board;
pub mod build;
pub mod bundle;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod doctor;
pub mod engine;
pub mod fleet;
pub mod ledger;
pub mod logs;
pub mod rights;
pub mod run;
pub mod runtime;
pub mod sim;
pub mod stats;
pub mod stock;
pub mod text;
pub mod traffic;
pub mod ui;
pub mod written;
