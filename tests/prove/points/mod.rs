//! The promises, each a function on the lab. `make prove` runs them at full length, the tests in short form.

mod burst;
mod events;
mod faults;
mod hostile;
mod read_only;
mod scale;

use super::stage::{Length, lab::Lab, report::Report};

/// One promise.
pub struct Point {
    pub name: &'static str,
    pub title: &'static str,
    pub run: fn(&mut Report, &Lab, Length),
}

/// Hosts of the lab that the points are written for: one over TCP, one with TLS, one that only SSH reaches.
pub const HOSTS: usize = 3;
/// SSH servers in front of them.
pub const SERVERS: usize = 31;

/// All of them, in an order that leaves the lab as it was for the next.
pub const ALL: &[Point] = &[
    Point { name: "events", title: "What someone else does is on the screen within 100 ms, without polling", run: events::run },
    Point { name: "hostile", title: "Hostile names, labels, logs and servers stay bytes", run: hostile::run },
    Point { name: "read-only", title: "Read-only sends nothing but reads, whatever is pressed, and cannot be undone", run: read_only::run },
    Point { name: "burst", title: "A burst of 5,000 events in a second loses nothing", run: burst::run },
    Point { name: "scale", title: "31 hosts over 31 SSH servers, one connection each", run: scale::run },
    Point { name: "faults", title: "A lost host delays nobody, keeps its rows and comes back by itself", run: faults::run },
];
