//! Tests at the seams, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim;
