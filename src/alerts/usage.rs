//! What a rule must know of a container's use of its memory.

/// From this part of its limit on a container is near it. The kernel reclaims what it can before it kills, so that less says little.
pub const NEAR_LIMIT: f64 = 0.9;

/// How much memory a container uses, as `docker stats` counts it (without the file cache that can be given back), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// In use.
    pub memory: u64,
    /// Its own limit; `None` where only the machine's memory is one.
    pub memory_limit: Option<u64>,
}

impl Usage {
    /// As measured. What the whole machine has is no limit of the container's own.
    pub fn of(memory: u64, limit: Option<u64>, machine: Option<u64>) -> Self {
        Self { memory, memory_limit: limit.filter(|limit| machine.is_none_or(|machine| *limit < machine)) }
    }

    /// The used part of the limit; `None` without one.
    pub fn share(self) -> Option<f64> {
        self.memory_limit.filter(|limit| *limit > 0).map(|limit| self.memory as f64 / limit as f64)
    }

    /// Whether it is near its limit.
    pub fn is_near(self) -> bool {
        self.share().is_some_and(|share| share >= NEAR_LIMIT)
    }
}
