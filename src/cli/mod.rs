//! The command line: one file per verb. A verb reads the same model through the same engine side as the console, so that the two
//! cannot disagree.

mod acts;
mod app;
mod approve;
pub mod args;
mod audit;
mod build;
mod bundle;
mod check;
mod completions;
mod console;
mod cp;
mod deed;
mod deploy;
mod deployments;
mod desk;
mod doctor;
mod drain;
mod events;
mod exec;
mod exit;
mod fleet;
mod freeze;
mod gather;
mod hosts;
mod init;
mod inspect;
mod json;
mod keys;
mod log;
mod logs;
mod out;
pub(crate) mod pages;
mod pipeline;
mod ps;
mod releases;
mod retention;
mod sim;
mod stats;
mod stock;
mod table;
mod themes;
mod top;
mod traffic;
mod unpack;
mod versions;

use std::{panic, thread};

use clap::Parser;

pub use crate::text::{TimeSpec, TimeSpecError};
use crate::{act::Act, ledger::Answer, run::journal::Way};

pub use exit::Exit;

use args::{Cli, ConfigVerb, DeploymentVerb, Global, LedgerVerb, TrafficVerb, Verb};
use exit::Failure;

/// Runs what the command line asks for; the process should end with this code.
pub fn run() -> Exit {
    let mut cli = match parse() {
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
    let given = std::env::args_os().filter(|word| is_host_flag(word)).count();
    let settled = cli.settle_host(given).map_err(Failure::usage);
    let outcome = settled.and_then(|()| log::open(&cli.global)).and_then(|()| match cli.verb {
        None => console::run(&cli.global),
        Some(verb) => perform(&cli.global, verb),
    });
    outcome.unwrap_or_else(Failure::report)
}

/// Whether a word of the command line is `--host` in one of its forms.
fn is_host_flag(word: &std::ffi::OsStr) -> bool {
    let word = word.as_encoded_bytes();
    word == b"--host" || word.starts_with(b"--host=") || word.starts_with(b"-H")
}

/// Reads the command line on a thread of its own: describing every verb takes a large stack for a moment, and what the main thread's stack
/// once took stays resident.
fn parse() -> Result<Cli, clap::Error> {
    match thread::Builder::new().spawn(Cli::try_parse) {
        Ok(thread) => thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)),
        Err(_) => Cli::try_parse(),
    }
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
        Verb::Start { acting } => acts::run(global, Act::Start, &acting),
        Verb::Stop { acting, time } => acts::run(global, Act::Stop { grace: time }, &acting),
        Verb::Restart { acting, time } => acts::run(global, Act::Restart { grace: time }, &acting),
        Verb::Kill { acting, signal } => acts::run(global, Act::Kill { signal }, &acting),
        Verb::Pause { acting } => acts::run(global, Act::Pause, &acting),
        Verb::Unpause { acting } => acts::run(global, Act::Unpause, &acting),
        Verb::Rm { acting, force, volumes } => acts::run(global, Act::Remove { force, volumes }, &acting),
        Verb::Rename { acting, to } => acts::run(global, Act::Rename { to }, &acting),
        Verb::App { verb } => app::run(global, &verb),
        Verb::Plan(asked) => deploy::run(global, &asked, &args::Running::default(), &deploy::Kind::Plan),
        Verb::Deploy(asked) => deploy::run(global, &asked.what, &asked.how, &deploy::Kind::Deploy),
        Verb::Rollback(asked) => deploy::run(global, &asked.what, &asked.how, &deploy::Kind::Rollback),
        Verb::Promote(asked) => deploy::promote(global, &asked),
        Verb::Config { verb: ConfigVerb::Apply(asked) } => deploy::apply(global, &asked),
        Verb::Unlock { app, environment, reason } => deploy::unlock::run(global, &app, &environment, &reason),
        Verb::Run { id } => deploy::carry::run(global, &id),
        Verb::Retention { app, dry_run, yes, output } => {
            retention::run(global, &retention::Request { app: app.as_deref(), dry_run, yes, output })
        }
        Verb::Ledger { verb: LedgerVerb::Rebuild { yes, output } } => deploy::rebuild::run(global, yes, output),
        Verb::Pipeline { app, watch, every, output } => {
            pipeline::run(global, &pipeline::Request { app: &app, watch, every, format: output.format })
        }
        Verb::Check { filter, usage, output } => check::run(global, &filter, usage, output),
        Verb::Traffic { verb: TrafficVerb::Show { lb, output } } => traffic::show(global, &lb, output),
        Verb::Traffic { verb: TrafficVerb::Sync { lb, yes, output } } => traffic::sync(global, &lb, yes, output),
        Verb::Drain { acting, within } => drain::drain(global, &acting, within),
        Verb::Undrain { acting } => drain::undrain(global, &acting),
        Verb::Bundle { out, selector } => bundle::run(global, out, &selector),
        Verb::Stats { selector, by, once, output } => stats::run(global, &stats::Request { selector: &selector, by, once, output }),
        Verb::Top { selector, output } => top::run(global, &selector, output),
        Verb::Inspect { selector, output } => inspect::run(global, &selector, output),
        Verb::Images(shelf) => stock::images(global, &shelf),
        Verb::Volumes(shelf) => stock::volumes(global, &shelf),
        Verb::Prune { filter, dry_run, yes, output } => stock::prune(global, &filter, dry_run, yes, output),
        Verb::Networks(shelf) => stock::networks(global, &shelf),
        Verb::Exec { selector, no_tty, no_stdin, command } => exec::run(global, exec::Request { selector, no_tty, no_stdin, command }),
        Verb::Cp { paths } => cp::run(global, &paths),
        Verb::Build { app, rev, no_push, logs, output } => {
            build::run(global, &build::Request { app: &app, rev: rev.as_deref(), push: !no_push, logs, output })
        }
        Verb::Audit { since, verify, heads, no_hosts, output } => {
            audit::run(global, &audit::Request { since, verify, heads, hosts: !no_hosts, output })
        }
        Verb::Releases { app, output } => releases::run(global, &app, output),
        Verb::Deployments { app, environment, by, since, at, limit, output } => {
            deployments::run(global, &deployments::Request { app, environment, by, since, at, limit, output })
        }
        Verb::Deployment { verb: DeploymentVerb::Show { id, output } } => deployments::show(global, &id, output),
        Verb::Deployment { verb: DeploymentVerb::Follow { id, output } } => deploy::follow::follow(global, &id, output),
        Verb::Deployment { verb: DeploymentVerb::Park { id, reason } } => deploy::standing::park(global, &id, &reason),
        Verb::Deployment { verb: DeploymentVerb::Finish(asked) } => deploy::standing::finish(global, &asked),
        Verb::Deployment { verb: DeploymentVerb::Resume(asked) } => deploy::standing::run(global, &asked, Way::Forward),
        Verb::Deployment { verb: DeploymentVerb::Unwind(asked) } => deploy::standing::run(global, &asked, Way::Back),
        Verb::Approve { id, reason } => approve::run(global, &id, Answer::Yes, &reason),
        Verb::Reject { id, reason } => approve::run(global, &id, Answer::No, &reason),
        Verb::Freeze { app, environment, reason } => freeze::run(global, freeze::Wish::Freeze, &app, &environment, &reason),
        Verb::Thaw { app, environment, reason } => freeze::run(global, freeze::Wish::Thaw, &app, &environment, &reason),
        Verb::Init { shared } => init::run(global, shared.as_deref()),
        Verb::Doctor { subject, output } => doctor::run(global, subject.as_deref(), output),
        Verb::Themes(output) => themes::run(global, output),
        Verb::Keys(output) => keys::run(global, output),
        Verb::Sim { verb } => sim::run(&verb),
        Verb::Completions { shell } => completions::run(shell),
        Verb::Man => completions::man(),
    }
}
