//! What a build tells while it goes on: plain data, for a terminal, a screen or a log alike.

use std::sync::Arc;

use super::git::Snapshot;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// What is built, once its version is known.
    Version {
        /// Of the build.
        version: Arc<str>,
        /// The commit and its changes.
        snapshot: Box<Snapshot>,
    },
    /// An image is known already: nothing is built for it.
    Known {
        /// Its name in the template.
        image: Arc<str>,
        /// Where it is, by digest.
        pinned: Arc<str>,
        /// The version it was built for.
        version: Arc<str>,
    },
    /// Work on an image begins.
    Begin {
        /// Its name in the template.
        image: Arc<str>,
        /// What is done: `build`, `the stage test`, `test`, `prepare`, `push`, `pull busybox:1`.
        what: Arc<str>,
    },
    /// An instruction began, or its result was there already.
    Step {
        /// From 1, and of how many.
        place: Option<(u32, u32)>,
        /// The instruction.
        text: Arc<str>,
        /// Whether nothing had to be done.
        cached: bool,
    },
    /// A line that a step, a test or a preparation prints.
    Output(Arc<str>),
    /// A layer on its way.
    Layer {
        /// Its short name.
        id: Arc<str>,
        /// `Pushing`, `Pulling fs layer`, `Layer already exists`.
        phase: Arc<str>,
        /// Bytes so far and, where known, in all.
        bytes: Option<(u64, Option<u64>)>,
    },
    /// The image is built; its size in bytes.
    Built {
        /// Its name in the template.
        image: Arc<str>,
        /// All layers.
        size: u64,
    },
    /// The registry has it.
    Pushed {
        /// Its name in the template.
        image: Arc<str>,
        /// By digest.
        pinned: Arc<str>,
    },
    /// Something that a person should know.
    Note(Arc<str>),
}

/// Where progress goes.
pub type Say<'a> = dyn FnMut(Progress) + Send + 'a;
