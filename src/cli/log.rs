//! The log file. Never the screen: a console owns that, and a script reads what a verb prints.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, sync::Mutex};

use tracing_subscriber::EnvFilter;

use super::{args::Global, exit::Failure};

/// Opens the log that the flags ask for; nothing is logged without one. The file is appended to and, when new, readable only by its owner.
///
/// # Errors
/// `-v` without a file to write to, and a file that cannot be opened.
pub fn open(global: &Global) -> Result<(), Failure> {
    let Some(path) = &global.log_file else {
        return if global.verbose > 0 { Err(Failure::usage("-v needs --log-file FILE: the log never goes to the screen")) } else { Ok(()) };
    };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let file = file.map_err(|error| Failure::usage(format!("--log-file {}: {error}", path.display())))?;
    // Who reads a file of passwords for PostgreSQL logs its malformed lines in full.
    let levels = EnvFilter::new(match global.verbose {
        0 => "quarterdeck=info,warn,sqlx_postgres::options::pgpass=off",
        1 => "quarterdeck=debug,warn,sqlx_postgres::options::pgpass=off",
        _ => "trace,sqlx_postgres::options::pgpass=off",
    });
    tracing_subscriber::fmt()
        .with_env_filter(levels)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|error| Failure::failed(format!("--log-file: {error}")))
}
