//! Carries a deployment out: step by step behind a [`Port`], journal first, under a lock on every host; killed at any point it can be carried on
//! or taken back by whoever reads the journal.
//!
//! It decides nothing: what is done stands in the [`Script`](crate::delivery::strategies::Script), which is made before and shown before.

mod balance;
pub mod engine_port;
mod evidence;
mod executor;
mod failure;
mod freeze;
mod gate;
mod halt;
pub mod journal;
mod lock;
mod log;
mod pace;
mod perform;
mod port;
mod pulse;
mod records;
pub mod secrets;
#[cfg(test)]
mod tests;
mod unwind;

pub use executor::{Outcome, Run, RunError};
pub use failure::{Failure, FailureKind};
pub use freeze::{Barrier, freeze, lift};
pub use gate::NOTHING_TO_ASK;
pub use halt::Halt;
pub use lock::{FoundLock, Held, Holder, LockError, STALE, Sign, find_locks, read_journal};
pub use port::{Life, MarkOrder, Place, Port, PortError, Question, SlotChange, SlotState};
pub use pulse::{Pulse, Wait};
pub use records::{Order, Records, RecordsError};
