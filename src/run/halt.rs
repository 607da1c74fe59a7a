//! The word that makes what only waits stop waiting.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Said once, heard by every step that only looks: they end at their next question. What changes something is never broken off: its effect
/// could come after somebody looked for it.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    /// Says it.
    pub fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
