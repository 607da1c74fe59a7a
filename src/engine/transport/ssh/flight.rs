//! One attempt for everyone who asks: callers that arrive while something is being made share what comes of it, also the failure.

use std::time::Instant;

use tokio::sync::Mutex;

use crate::engine::transport::ConnectError;

/// A value that is made once and remade when it is gone.
pub(super) struct Flight<T> {
    /// A lock, as callers of many tasks must wait for one attempt; held only while it runs.
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<T>,
    failed: Option<(Instant, ConnectError)>,
}

impl<T: Clone> Flight<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { value: None, failed: None }) }
    }

    /// The value if it is still `good`, else a new one by `make`. Who was already waiting when an attempt failed gets that
    /// failure: 31 hosts behind a dead bastion cost it one attempt, not 31.
    pub(super) async fn get(
        &self,
        good: impl FnOnce(&T) -> bool,
        make: impl AsyncFnOnce() -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(value) = state.value.take_if(|value| !good(value)).map_or(state.value.as_ref(), |_| None) {
            return Ok(value.clone());
        }
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match make().await {
            Ok(value) => {
                state.value = Some(value.clone());
                Ok(value)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::fleet::LinkCause;

    #[tokio::test]
    async fn many_callers_cost_one_attempt_and_share_its_failure() {
        let flight = Flight::<u32>::new();
        let attempts = AtomicU32::new(0);
        let failing = || {
            flight.get(
                |_| true,
                async || {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Err(ConnectError::new(LinkCause::Unreachable, "nobody there"))
                },
            )
        };
        let all = join_all((0..31).map(|_| failing())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(attempts.load(Ordering::Relaxed), 1);
        assert_eq!(flight.get(|_| true, async || Ok(7)).await, Ok(7), "who comes later tries anew");
        assert_eq!(flight.get(|_| true, async || Ok(8)).await, Ok(7));
        assert_eq!(flight.get(|value| *value != 7, async || Ok(8)).await, Ok(8));
    }
}
