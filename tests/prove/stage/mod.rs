//! What the promises are tried on: the real lab, the console on a real terminal, and what stands between the two.

pub mod deck;
pub mod engine;
pub mod lab;
pub mod line;
#[allow(clippy::duplicate_mod, reason = "every program of tests has its own copy of its tools")]
#[path = "../../tools/pty.rs"]
pub mod pty;
pub mod recorder;
pub mod report;
pub mod rogue;
pub mod strict;

/// How thoroughly a point is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// One pass, for every run of the tests.
    Short,
    /// With figures that can be quoted.
    #[allow(dead_code, reason = "the tests and `make prove` are two programs with a length each")]
    Full,
}

impl Length {
    pub fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}
