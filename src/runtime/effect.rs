//! What the state wants done in the world, as data.

use std::sync::Arc;

use super::Kept;
use crate::{
    act::{Plan, RunId},
    action::Command,
    board::Order,
    fleet::ContainerKey,
    logs::ExportForm,
};

/// One deed of the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// For the delivery desk.
    Deliver(Order),
    /// For the engine side.
    Engine(Command),
    /// Carry out a confirmed plan, and show how far it is.
    Act(Box<Plan>),
    /// Call off what of a run is not sent yet.
    CancelActs(RunId),
    /// A container's secrets are on the screen: that belongs in the audit.
    RecordLook {
        /// Whose.
        key: ContainerKey,
        /// Its name.
        name: Arc<str>,
    },
    /// Put a text on the clipboard of the person's own terminal.
    Copy(String),
    /// Write the screen to files in the current directory.
    SaveScreen,
    /// Write a hand-off bundle into the current directory, beside everything else.
    WriteBundle,
    /// Remember a person's choices for the next time.
    Keep(Kept),
    /// Read which themes there are and let a person choose.
    OpenThemes,
    /// Run a command in a container, with the terminal; without one, a shell.
    Exec {
        /// Where.
        container: ContainerKey,
        /// What; `None`: a shell that it has.
        command: Option<Vec<String>>,
    },
    /// Take or give back the mouse.
    Mouse(bool),
    /// Stop the process until the shell continues it.
    Suspend,
    /// Forget what the terminal shows and paint everything.
    Repaint,
    /// Read the stream that the state has opened.
    ReadLogs,
    /// Read it no further.
    CloseLogs,
    /// Write what it shows to a file in the current directory.
    ExportLogs(ExportForm),
    /// One line for the foot.
    Say(String),
    /// Leave with this exit code.
    Quit(i32),
}
