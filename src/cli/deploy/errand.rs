//! What a run is sent to do: told over a pipe to a process of our own, which leaves the terminal and outlives us.
//!
//! Plan and secrets go over that pipe only: arguments and environment of a process can be read by others while it runs, and its arguments by
//! everybody. What it has to say goes into a file below the state directory; what it does, into the ledger.

use std::{io::Read, path::PathBuf, process::Stdio, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use super::stage::Values;
use crate::{
    cli::{args::Global, exit::Failure, fleet::Sources},
    config::SecretSource,
    delivery::{plan::Plan, release::DeploymentId},
    ledger::StateDir,
    run::journal::Way,
};

/// Below the state directory: what runs had to say.
const RUNS: &str = "runs";

/// What a run is to do. No `Debug`: there are secrets in it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Errand {
    pub(super) deployment: DeploymentId,
    /// As the audit calls it.
    pub(super) action: Arc<str>,
    pub(super) work: Work,
    /// Secrets by name.
    pub(super) values: Values,
}

/// The kinds of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    /// Carry this out.
    Begin {
        /// As it was agreed to.
        plan: Box<Plan>,
    },
    /// Carry on what another left, or take it back.
    Resume {
        /// Which of the two.
        way: Way,
        /// Also when the other gives signs of life.
        alive: bool,
    },
    /// Put away what is kept warm, and what a dead run left to be tidied up.
    Finish,
}

/// A run that was started.
pub(in crate::cli) struct Started {
    pub(in crate::cli) deployment: DeploymentId,
    pub(in crate::cli) child: Child,
    /// What it has to say.
    pub(in crate::cli) log: PathBuf,
    /// So much of that was said by others before.
    pub(in crate::cli) said: u64,
    /// No row of its journal is older.
    pub(super) at: DateTime<Utc>,
    /// Whether its journal begins with it.
    pub(super) begins: bool,
}

impl Errand {
    /// Starts the run and tells it everything.
    ///
    /// # Errors
    /// When there is no process or no place for its words; nothing was done then.
    pub(super) async fn start(&self, global: &Global, sources: &Sources) -> Result<Started, Failure> {
        let id = &self.deployment;
        let fail = |error: &dyn std::fmt::Display| Failure::failed(format!("deployment {id}: no run was started: {error}"));
        let (words, log) = StateDir::at(&sources.config.state).append(RUNS, &format!("{id}.log")).map_err(Failure::failed)?;
        let said = words.metadata().map_err(|error| fail(&error))?.len();
        let mut command = Command::new(ourselves().map_err(|error| fail(&error))?);
        command.args(arguments(global, sources)).arg("run").arg(id.to_string());
        for variable in secret_variables(sources) {
            command.env_remove(variable);
        }
        let errors = words.try_clone().map_err(|error| fail(&error))?;
        command.stdin(Stdio::piped()).stdout(words).stderr(errors);
        let at = Utc::now();
        let mut child = command.spawn().map_err(|error| fail(&error))?;
        let text = serde_json::to_vec(self).map_err(|error| fail(&error))?;
        if let Some(mut pipe) = child.stdin.take() {
            // One that died before it had read all of it tells why in its words.
            if let Err(error) = pipe.write_all(&text).await {
                tracing::warn!(deployment = %id, %error, "the run did not hear all of its errand");
            }
        }
        let begins = matches!(self.work, Work::Begin { .. });
        Ok(Started { deployment: id.clone(), child, log, said, at, begins })
    }

    /// Reads it on the other side, to the end.
    ///
    /// # Errors
    /// When it is none, or is cut off: nothing may be done then.
    pub(super) fn read(mut from: impl Read) -> Result<Self, Failure> {
        let mut text = Vec::new();
        let fault = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("quarterdeck starts its runs itself; this one was told nothing: {error}"))
        };
        from.read_to_end(&mut text).map_err(|error| fault(&error))?;
        // The words of serde would quote what they stumble over.
        serde_json::from_slice(&text).map_err(|error| fault(&format!("{:?} at {}:{}", error.classify(), error.line(), error.column())))
    }
}

/// Our own program, also after another was put in its place.
fn ourselves() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(if path.exists() { path } else { PathBuf::from("/proc/self/exe") })
}

/// The flags that lead to the same configuration.
fn arguments(global: &Global, sources: &Sources) -> Vec<std::ffi::OsString> {
    let mut arguments = Vec::new();
    let mut add = |flag: &str, value: &std::ffi::OsStr| {
        let mut word = std::ffi::OsString::from(format!("{flag}="));
        word.push(value);
        arguments.push(word);
    };
    if let Some(file) = &global.config {
        add("--config", file.as_os_str());
    }
    for host in &global.hosts {
        add("--host", host.as_ref());
    }
    add("--state", sources.config.state.as_os_str());
    if let Some(file) = &global.log_file {
        add("--log-file", file.as_os_str());
    }
    arguments.extend((0..global.verbose).map(|_| "--verbose".into()));
    arguments
}

/// Variables that hold secrets: a run has their values over its pipe, and its environment needs them no more.
fn secret_variables(sources: &Sources) -> impl Iterator<Item = &str> {
    let all = sources.config.delivery.secrets.values().flat_map(|named| named.values());
    all.filter_map(|source| match source {
        SecretSource::Env(variable) => Some(variable.as_str()),
        SecretSource::File(_) | SecretSource::Command(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_that_is_cut_off_is_none_and_is_not_quoted() {
        let errand = Errand {
            deployment: "44-k3f9".parse().unwrap(),
            action: "app.deploy".into(),
            work: Work::Resume { way: Way::Back, alive: true },
            values: [("KEY".into(), "s3cret".into())].into(),
        };
        let text = serde_json::to_vec(&errand).unwrap();
        let read = Errand::read(&*text).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!((read.deployment, read.values), (errand.deployment, errand.values));
        for cut in 0..text.len() {
            let failure = Errand::read(&text[..cut]).err().map(Failure::words).unwrap_or_default();
            assert!(failure.contains("told nothing") && !failure.contains("s3"), "{cut}: {failure}");
        }
    }
}
