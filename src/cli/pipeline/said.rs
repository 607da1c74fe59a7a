//! What a pipeline tells: a line of text or an object of JSON for each thing that happened, on standard output and at once.

use std::collections::HashMap;

use chrono::{Local, SecondsFormat, Utc};
use serde::Serialize;

use crate::{
    cli::{args::Format, exit::Failure, json, out},
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId},
    text::clean_line,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// There is a commit that was not built.
    Commit,
    /// It was built, or its outside images are other ones now.
    Built,
    /// A deployment begins.
    Deploys,
    /// It is good.
    Good,
    /// An environment has it all.
    NothingToDo,
    /// A person has to say yes, or to carry it on.
    Waits,
    /// A person did or has to do something else.
    Stopped,
    /// A deployment failed.
    Failed,
    /// Nothing was built, deployed or asked.
    NothingNew,
    /// Something to know.
    Note,
    /// Something stood in the way; it is tried again.
    Error,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Built => "built",
            Self::Deploys => "deploys",
            Self::Good => "good",
            Self::NothingToDo => "nothing to do",
            Self::Waits => "waits",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::NothingNew => "nothing new",
            Self::Note => "note",
            Self::Error => "error",
        }
    }
}

/// It, where, and in words.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    pub environment: Option<&'a EnvironmentId>,
    pub version: Option<&'a str>,
    pub deployment: Option<&'a DeploymentId>,
    pub retry: Option<std::time::Duration>,
}

#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    app: &'a str,
    event: What,
    environment: Option<&'a str>,
    version: Option<&'a str>,
    deployment: Option<String>,
    message: &'a str,
    retry_s: Option<u64>,
}

/// Where it is told.
pub struct Said {
    app: AppName,
    format: Format,
    /// What was told last of each kind, so that a state is told when it changes and not at every look.
    last: HashMap<(What, String), String>,
}

impl Said {
    pub fn new(app: AppName, format: Format) -> Self {
        Self { app, format, last: HashMap::new() }
    }

    /// Tells it, unless that was the last word of its kind already.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub fn tell(&mut self, what: What, about: About<'_>, message: &str) -> Result<(), Failure> {
        let message = clean_line(message);
        let place = about.environment.map_or_else(String::new, EnvironmentId::to_string);
        let is_state = matches!(what, What::NothingToDo | What::Waits | What::Stopped | What::NothingNew | What::Note);
        let last = self.last.insert((what, place.clone()), message.clone());
        if is_state && last.as_deref() == Some(message.as_str()) {
            return Ok(());
        }
        if what != What::NothingNew {
            // After something was told, that there is nothing more is news.
            self.last.remove(&(What::NothingNew, String::new()));
        }
        out::print(&match self.format {
            Format::Json => json::line(&Line {
                ts: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                app: self.app.as_str(),
                event: what,
                environment: about.environment.map(EnvironmentId::as_str),
                version: about.version,
                deployment: about.deployment.map(DeploymentId::to_string),
                message: &message,
                retry_s: about.retry.map(|retry| retry.as_secs()),
            })?,
            Format::Table => {
                let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
                let retry = about.retry.map_or_else(String::new, |retry| format!("; again in {} s", retry.as_secs()));
                format!("{} {} · {place}{}: {message}{retry}\n", Local::now().format("%H:%M:%S"), self.app, what.word())
            }
        })
    }
}
