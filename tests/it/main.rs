//! Tests at the seams, in one binary.

mod sim;
