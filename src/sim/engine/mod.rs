//! The machines: containers with their full life, hosts, one timeline for the whole fleet.
//!
//! Everything that looks random is a hash of the seed and a name, and everything that moves (log lines, counters) is computed from
//! the clock when somebody asks: a fleet that nobody looks at costs nothing but its timeline.

pub mod clock;
pub mod container;
pub mod event;
pub mod fault;
pub mod gate;
pub mod host;
pub mod image;
pub mod lifecycle;
pub mod log;
pub mod schedule;
pub mod seed;
pub mod usage;
pub mod world;
