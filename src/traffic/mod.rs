//! Load balancers behind one trait: which of our containers get requests.
//!
//! A backend's `server` lines are its slots. A slot is known by the address that it sends to and by nothing else, so every look is a fresh
//! one. A new balancer is one file and one row of [`Balancers::of`]. What differs between balancer and fleet is [`drift`], which is pure.

mod admit;
mod balancer;
pub mod drift;
mod fault;
mod files;
mod ground;
mod haproxy;
mod none;
pub mod probe;
pub mod proof;
mod registry;
mod run_port;
pub(crate) mod slot;

pub use admit::{Admission, admit, empty};
pub use balancer::{Balancer, Standing};
pub use fault::Trouble;
pub use ground::{Ground, Way};
pub use haproxy::Haproxy;
pub use registry::Balancers;
pub use run_port::RunTraffic;
pub use slot::{Backend, Check, Counters, Slot, SlotState, free, state_word};
