//! What the state wants done in the world, as data.

use crate::{action::Command, logs::ExportForm};

/// One deed of the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// For the engine side.
    Engine(Command),
    /// Put a text on the clipboard of the person's own terminal.
    Copy(String),
    /// Write the screen to files in the current directory.
    SaveScreen,
    /// Read which themes there are and let a person choose.
    OpenThemes,
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
