//! The command line: one file per verb. A verb reads the same model through the same engine side as the console, so that the two
//! cannot disagree.

pub mod args;
mod completions;
mod console;
mod doctor;
mod events;
mod exit;
mod fleet;
mod gather;
mod hosts;
mod inspect;
mod json;
mod keys;
mod log;
mod logs;
mod out;
mod ps;
mod sim;
mod stats;
mod table;
mod themes;
mod time_spec;
mod top;
mod versions;

use clap::Parser;

pub use exit::Exit;
pub use time_spec::{TimeSpec, TimeSpecError};

use args::{Cli, Global, Verb};
use exit::Failure;

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
    let outcome = log::open(&cli.global).and_then(|()| match cli.verb {
        None => console::run(&cli.global),
        Some(verb) => perform(&cli.global, verb),
    });
    outcome.unwrap_or_else(Failure::report)
}

fn perform(global: &Global, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Hosts(output) => hosts::run(global, output),
        Verb::Ps { filter, output } => ps::run(global, &filter, output),
        Verb::Versions { filter, by, output } => versions::run(global, &filter, by, output),
        Verb::Events { follow, since, until, filter, output } => {
            events::run(global, &events::Request { follow, since, until, filter: &filter, output })
        }
        Verb::Logs { selector, follow, since, until, tail, grep, exclude, level, output } => {
            let request = logs::Request { selector: &selector, follow, since, until, tail, grep: &grep, exclude: &exclude, level, output };
            logs::run(global, &request)
        }
        Verb::Stats { selector, by, once, output } => stats::run(global, &stats::Request { selector: &selector, by, once, output }),
        Verb::Top { selector, output } => top::run(global, &selector, output),
        Verb::Inspect { selector, output } => inspect::run(global, &selector, output),
        Verb::Doctor { subject, output } => doctor::run(global, subject.as_deref(), output),
        Verb::Themes(output) => themes::run(global, output),
        Verb::Keys(output) => keys::run(global, output),
        Verb::Sim { verb } => sim::run(&verb),
        Verb::Completions { shell } => completions::run(shell),
        Verb::Man => completions::man(),
    }
}
