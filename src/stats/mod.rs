//! What containers and hosts use: from an engine's counters to rates, histories and sums. Pure.
//!
//! Owns the decoding of a stats answer and of a host's own figures ([`Sample`], [`MachineSample`]), the arithmetic between two of them
//! ([`Usage`]), what is remembered of the session ([`Book`]), and how measuring is paced so that it costs an engine no more than was
//! declared ([`pace`]). It asks nobody and knows no clock: whoever measures hands in a [`Batch`].

pub mod book;
pub mod demand;
pub mod fixture;
pub mod machine;
pub mod near;
pub mod pace;
pub mod sample;
pub mod series;
pub mod sum;
pub mod usage;

pub use book::{Batch, Book};
pub use demand::{Demand, Wanted};
pub use machine::{Disk, MachineReading, MachineSample, MachineUsage};
pub use near::{Near, Strain, nearest};
pub use sample::{Flow, Sample, SampleError};
pub use series::{Measure, Series};
pub use sum::Sum;
pub use usage::Usage;
