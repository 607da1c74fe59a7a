//! The integration tests: one binary, one module for each seam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod layers;
mod sim;
mod terminal;
