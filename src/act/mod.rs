//! What may be done to things on the hosts: the acts, the plan that is shown before one, its outcome, and how far it is.
//!
//! Screen, command line and deployments plan with [`plan`], are answered with an [`Outcome`] per target and read [`Runs`]; whoever keeps
//! the audit is a [`Journal`]. Pure: nothing here sends anything.

mod discard;
mod journal;
mod outcome;
mod plan;
mod policy;
mod resolve;
mod runs;
mod verb;

pub use discard::discard;
#[cfg(test)]
pub(crate) use journal::memory::MemoryJournal;
pub use journal::{Intent, Journal, JournalError, Ticket};
pub use outcome::{ActId, ActWord, Class, Outcome};
pub use plan::{Consequence, Fate, Object, Plan, Step, Target, Weight, plan};
pub use policy::{Asks, Policy};
pub use resolve::{Seen, Verdict};
pub use runs::{Progress, Run, RunId, Runs, Stage, Tally};
pub use verb::{Act, ArgumentError, Capacity, check_name, parse_signal};
