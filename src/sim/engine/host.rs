//! One machine: its containers, its images, and what its engine has reported lately.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::mpsc;

use super::{container::Container, event::Event, image::Image};

/// How many events an engine remembers for `since`, as dockerd does.
pub const HISTORY: usize = 256;

/// What does not change about a host.
#[derive(Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// What its services belong to.
    pub environment: String,
    /// Where its published ports would be reached.
    pub address: String,
    /// The engine's version.
    pub engine: String,
    /// The newest API version it speaks.
    pub api: String,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Its JSON holds bytes that are not UTF-8.
    pub broken_utf8: bool,
    /// What its chance follows from.
    pub seed: u64,
    /// The engine's id.
    pub id: String,
    /// The id of its bridge network.
    pub network: Arc<str>,
}

/// A machine and what changes about it.
#[derive(Debug)]
pub struct Host {
    /// What does not change.
    pub machine: Arc<Machine>,
    /// Its containers, oldest first.
    pub containers: Vec<Container>,
    /// Its images.
    pub images: Vec<Arc<Image>>,
    /// The last [`HISTORY`] events.
    pub history: VecDeque<Arc<Event>>,
    /// How many events it has emitted since the start.
    pub emitted: u64,
    listeners: Vec<mpsc::Sender<Arc<Event>>>,
}

/// Why a name means no single container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing answers to it.
    Nothing,
    /// Several ids begin with it.
    Several,
}

impl Host {
    /// A host with these containers and images.
    pub fn new(machine: Machine, containers: Vec<Container>, images: Vec<Arc<Image>>) -> Self {
        Self { machine: Arc::new(machine), containers, images, history: VecDeque::new(), emitted: 0, listeners: Vec::new() }
    }

    /// Reports an event.
    pub fn emit(&mut self, event: Event) {
        let event = Arc::new(event);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(event.clone());
        self.emitted += 1;
        // A listener that does not read misses events, as with dockerd; one that is gone is forgotten.
        self.listeners.retain(|listener| !matches!(listener.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_))));
    }

    /// Hears every event from now on.
    pub fn listen(&mut self) -> mpsc::Receiver<Arc<Event>> {
        // dockerd's own buffer per listener is 1024 events; what does not fit is lost.
        let (sender, receiver) = mpsc::channel(1024);
        self.listeners.retain(|listener| !listener.is_closed());
        self.listeners.push(sender);
        receiver
    }

    /// Forgets history and listeners, as an engine that restarts.
    pub fn forget(&mut self) {
        self.history.clear();
        self.listeners.clear();
    }

    /// The container that a person means by `name`: a name before an id, a whole id before the start of one.
    pub fn find(&self, name: &str) -> Result<usize, Missing> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        if let Some(found) = self.containers.iter().position(|c| *c.name == *bare || *c.id == *bare) {
            return Ok(found);
        }
        let mut found = self.containers.iter().enumerate().filter(|(_, c)| c.answers_to(name)).map(|(index, _)| index);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (None, _) => Err(Missing::Nothing),
            (Some(_), Some(_)) => Err(Missing::Several),
        }
    }

    /// The container with exactly this id.
    pub fn by_id(&self, id: &str) -> Option<usize> {
        self.containers.iter().position(|container| *container.id == *id)
    }
}
