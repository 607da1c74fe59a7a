//! What is asked on the terminal before anything happens.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::{cli::exit::Failure, delivery::plan::Plan};

/// Waits for the right answer on the terminal; `yes` stands for it.
pub(super) fn confirm(yes: bool, plan: &Plan) -> Result<(), Failure> {
    must_say(yes, word(plan).map_or("yes", |(word, _)| word))
}

/// The word that a person has to type where a yes is not enough, and why it is not.
pub(in crate::cli) fn word(plan: &Plan) -> Option<(&str, &'static str)> {
    let one_way = plan.jobs.iter().any(|job| job.one_way);
    match () {
        () if one_way => Some((plan.app.as_str(), "a job in it cannot be undone")),
        () if plan.options.override_reason.is_some() => Some((plan.app.as_str(), "it passes over a gate")),
        () => None,
    }
}

/// Asks for a word, unless it was said beforehand.
pub(super) fn must_say(yes: bool, word: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nothing was done: --yes is needed where no terminal can be asked"));
    }
    // Without standard error nobody sees the question; the answer then is none.
    let _ = io::stderr().write_all(format!("go on? type {word}: ").as_bytes());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure::failed(format!("nothing was done: {error}")))?;
    if line.trim() == word { Ok(()) } else { Err(Failure::failed("nothing was done")) }
}
