//! What a host's socket does at the moment: the switch between the fault timeline and the bytes.
//!
//! Owns no bytes. Connections ask it on every read and write; a change wakes those that wait.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Duration,
};

use tokio::sync::watch;

/// What happens to bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bytes {
    /// They flow.
    #[default]
    Flow,
    /// They wait.
    Wait,
    /// Instead of an answer these are sent, then the connection closes.
    Garbage(Vec<u8>),
    /// Half of an answer is sent, then the connection closes.
    Half,
}

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// They are accepted.
    Open,
    /// They wait in the backlog.
    Backlog,
    /// The socket is gone.
    Gone,
}

/// What happens to requests that change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deeds {
    /// They are carried out and answered.
    Done,
    /// They are refused with this status and message.
    Refused(u16, String),
    /// They are carried out, and not answered.
    Unanswered,
}

/// Door and epoch: a new epoch closes every connection of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// What happens to new connections.
    pub door: Door,
    /// Counts the engine's lives.
    pub epoch: u64,
}

#[derive(Default)]
struct State {
    bytes: Bytes,
    wakers: Vec<Waker>,
    delay: Option<Duration>,
    failure: Option<String>,
}

/// One host's switch.
pub struct Gate {
    // A lock, because connections poll it from their own tasks; held for a few instructions, never across an await.
    state: Mutex<State>,
    entrance: watch::Sender<Entrance>,
    deeds: watch::Sender<Deeds>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            entrance: watch::Sender::new(Entrance { door: Door::Open, epoch: 0 }),
            deeds: watch::Sender::new(Deeds::Done),
        }
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what happens to bytes.
    pub fn set_bytes(&self, bytes: Bytes) {
        let mut state = self.state();
        state.bytes = bytes;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// Sets how long each answer waits.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.state().delay = delay;
    }

    /// Sets the message with which every request fails.
    pub fn set_failure(&self, failure: Option<String>) {
        self.state().failure = failure;
    }

    /// Sets what happens to requests that change something.
    pub fn set_deeds(&self, deeds: Deeds) {
        self.deeds.send_replace(deeds);
    }

    /// What happens to requests that change something, now and later.
    pub fn deeds(&self) -> watch::Receiver<Deeds> {
        self.deeds.subscribe()
    }

    /// Sets what happens to new connections.
    pub fn set_door(&self, door: Door) {
        self.entrance.send_modify(|entrance| entrance.door = door);
    }

    /// Closes every connection.
    pub fn cut(&self) {
        self.entrance.send_modify(|entrance| entrance.epoch += 1);
        self.state().wakers.drain(..).for_each(Waker::wake);
    }

    /// Tells of every change of the entrance.
    pub fn entrance(&self) -> watch::Receiver<Entrance> {
        self.entrance.subscribe()
    }

    /// How long an answer waits, and the message with which it fails.
    pub fn answer(&self) -> (Option<Duration>, Option<String>) {
        let state = self.state();
        (state.delay, state.failure.clone())
    }

    /// What happens to bytes now; when they wait, the task is woken at the next change.
    pub fn poll_bytes(&self, context: &Context<'_>) -> Bytes {
        let mut state = self.state();
        if state.bytes == Bytes::Wait && !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        state.bytes.clone()
    }
}
