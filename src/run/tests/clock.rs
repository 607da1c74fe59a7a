//! Time that moves only when everybody waits for it, and the end of a process at a given point.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::world::World;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls a run until it ends; `None` when it was killed.
pub(super) fn live<T>(world: &World, run: impl Future<Output = T>) -> Option<T> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut run = pin!(run);
    for _ in 0..5_000_000 {
        woken.0.store(false, Ordering::SeqCst);
        if let Poll::Ready(done) = run.as_mut().poll(&mut context) {
            world.lock().timers.clear();
            return Some(done);
        }
        if world.lock().killed {
            world.lock().timers.clear();
            return None;
        }
        if !woken.0.load(Ordering::SeqCst) {
            assert!(world.lock().next_moment(), "everybody waits, and nobody for the clock:\n{}", world.story());
        }
    }
    panic!("it does not end:\n{}", world.story());
}

/// Waits on the world's clock.
pub(super) struct Sleep<'a> {
    world: &'a World,
    until: DateTime<Utc>,
}

impl<'a> Sleep<'a> {
    pub(super) fn new(world: &'a World, time: Duration) -> Self {
        let until = world.lock().now + TimeDelta::from_std(time).unwrap();
        Self { world, until }
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.lock();
        if state.now >= self.until {
            return Poll::Ready(());
        }
        state.timers.push((self.until, context.waker().clone()));
        Poll::Pending
    }
}

/// Lets everybody else have a turn, as an answer over a network would.
#[derive(Default)]
pub(super) struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
