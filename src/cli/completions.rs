//! `completions` and `man`: what shells and manuals want to know of this command line, made from its definition.

use clap::CommandFactory as _;

use super::{
    args::{Cli, Shell},
    exit::{Exit, Failure},
    out,
};

/// Prints a completion script.
pub fn run(shell: Shell) -> Result<Exit, Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Elvish => clap_complete::Shell::Elvish,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "quarterdeck", &mut script);
    out::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}

/// Prints the manual page, in roff: the program, then each verb.
pub fn man() -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(Failure::failed)?;
    out::print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::DONE)
}
