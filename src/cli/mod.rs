//! The command line: one file per verb. A verb reads the same model through the same engine side as the console, so that the two
//! cannot disagree.

pub mod args;
mod console;
mod exit;
mod fleet;
mod sim;
mod time_spec;

use clap::Parser;

pub use exit::Exit;
pub use time_spec::{TimeSpec, TimeSpecError};

use args::{Cli, Verb};

/// Runs what the command line asks for; the process should end with this code.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs to.
            let code = if error.use_stderr() { Exit::USAGE } else { Exit::DONE };
            return match error.print() {
                Ok(()) => code,
                Err(_) => Exit::FAILED,
            };
        }
    };
    let outcome = match cli.verb {
        None => console::run(&cli.global),
        Some(Verb::Sim { verb }) => sim::run(&verb),
        Some(_) => Err(exit::Failure::usage("not yet")),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}
