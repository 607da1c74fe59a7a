//! A visit to a container: a command run there with our input and output, written to the audit before and after.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::terminal::guest::Left;
use crate::{
    engine::{
        LinkLost,
        docker::EngineError,
        exec::{Duplex, ExecControl, ExecOrder, ExecPort},
    },
    fleet::{ContainerKey, HostId, mask::mask_command},
    ledger::{
        LedgerError,
        audit::{Audit, EntryId, Intent, Outcome, Target, Verdict, Who},
    },
    text::clean_line,
};

/// How long a link whose stream broke may take to say that it is lost altogether.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Who is visited, and what is to run there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The container.
    pub key: ContainerKey,
    /// Its name.
    pub name: String,
    /// The action's id, for the audit.
    pub action: &'static str,
    /// The command.
    pub order: ExecOrder,
}

/// A visit under way.
pub struct Visiting {
    /// What the command says and hears.
    pub streams: Duplex,
    /// Its size, its end.
    pub control: ExecControl,
    /// The command in one line, its secrets masked.
    pub words: String,
    host: HostId,
    audit: Audit,
    entry: EntryId,
}

/// Why there was no visit.
#[derive(Debug, Error)]
pub enum VisitError {
    /// It could not be written down, so it was not done.
    #[error("not done, because it could not be recorded: {0}")]
    Ledger(#[from] LedgerError),
    /// The engine did not run it.
    #[error("host {host:?}: {source}", host = .host.as_str())]
    Engine {
        /// Which host.
        host: HostId,
        /// Its words.
        source: EngineError,
    },
}

/// How a visit ended.
#[derive(Debug)]
pub enum End {
    /// As its streams did.
    Left(Left),
    /// The link to the host was lost.
    Lost(LinkLost),
    /// We were told to go.
    Interrupted,
}

/// What is left of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The command's exit code, where it is known.
    pub code: Option<i32>,
    /// What became of it, in a sentence.
    pub sentence: String,
}

impl Visit {
    /// Writes it down, then runs the command.
    ///
    /// # Errors
    /// Every [`VisitError`]; nothing runs then, as far as is known.
    pub async fn begin(self, port: &ExecPort, audit: &Audit) -> Result<Visiting, VisitError> {
        let words = clean_line(&mask_command(&self.order.command).join(" "));
        let place = if self.order.tty { " with a terminal" } else { "" };
        let intent = Intent {
            who: Who::of_process(),
            action: self.action.to_owned(),
            host: self.key.host.to_string(),
            target: Target { name: self.name.clone(), id: self.key.id.to_string() },
            argument: words.clone(),
            plan: format!("run {words} in {} on {}{place}", self.name, self.key.host),
        };
        let entry = audit.begin(intent).await?;
        match port.open(&self.key, self.order).await {
            Ok(session) => {
                let (streams, control, audit) = (session.streams, session.control, audit.clone());
                Ok(Visiting { streams, control, words, host: self.key.host, audit, entry })
            }
            Err(source) => {
                let verdict = match &source {
                    EngineError::Timeout { .. } | EngineError::Broken { .. } => Verdict::Unknown,
                    EngineError::Connect(_) | EngineError::Denied(_) | EngineError::Status { .. } | EngineError::Protocol { .. } => {
                        Verdict::Failed
                    }
                };
                if let Err(error) = audit.finish(entry, Outcome { verdict, detail: source.to_string() }).await {
                    tracing::error!(%error, "an outcome could not be recorded");
                }
                Err(VisitError::Engine { host: self.key.host, source })
            }
        }
    }
}

impl Visiting {
    /// Learns what became of the command, and writes it down.
    pub async fn end(self, end: End) -> Parting {
        let Self { streams, mut control, words, host, audit, entry } = self;
        // Whatever still waits in it goes with it: the command must not hang on an output that nobody reads.
        drop(streams);
        let outcome = |verdict, detail: &str| (None, Outcome { verdict, detail: detail.to_owned() });
        let (code, outcome) = match end {
            End::Left(Left::Ended) => match control.exit_code().await {
                Ok(Some(code)) => (Some(code), Outcome::done(format!("exit code {code}"))),
                Ok(None) => outcome(Verdict::Unknown, "its output ended, and it goes on"),
                Err(error) => {
                    let why = last_word(&mut control, format!("host {host:?}: {error}")).await;
                    outcome(Verdict::Unknown, &format!("its exit code is not known: {why}"))
                }
            },
            End::Left(Left::Broken(error)) => {
                let why = last_word(&mut control, format!("the connection to host {host:?} broke ({error})")).await;
                outcome(Verdict::Unknown, &format!("{why}; it may go on"))
            }
            End::Left(Left::Unheard(error)) => {
                outcome(Verdict::Cancelled, &format!("its output was taken no more ({error}); it may go on"))
            }
            End::Lost(lost) => outcome(Verdict::Unknown, &format!("{lost}; it may go on")),
            End::Interrupted => outcome(Verdict::Cancelled, "interrupted here; it may go on"),
        };
        let mut sentence = format!("{words}: {}", outcome.detail);
        if let Err(error) = audit.finish(entry, outcome).await {
            sentence.push_str(&format!(" · not recorded: {error}"));
        }
        Parting { code, sentence }
    }
}

/// Why a connection broke: if the whole link has, that is about to be told; else what the connection itself says.
async fn last_word(control: &mut ExecControl, otherwise: String) -> String {
    timeout(LAST_WORD, control.lost()).await.map_or(otherwise, |lost| lost.to_string())
}
