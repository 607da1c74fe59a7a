//! What is bad now: rules over the fleet, their verdicts put together so that one cause is one entry, and ranked, worst first.
//!
//! Pure: the clock and what was measured are arguments. Panel, `check` and the hand-off bundle read the same [`Triage`]; the header's
//! counts ([`Summary`](crate::fleet::Summary)) rest on the same [`Trouble`](crate::fleet::Trouble), so they cannot disagree.

mod evidence;
mod row;
mod rule;
mod sentence;
mod triage;
mod usage;

#[cfg(test)]
mod tests;

pub use evidence::{Check, Evidence, Finding, Probe, Tail, TailLine};
pub use row::AlertRow;
pub use rule::Rule;
pub use triage::{About, Alert, Triage};
pub use usage::{NEAR_LIMIT, Usage};
