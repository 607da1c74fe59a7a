//! argv → cli or console; nothing else.

fn main() {}
