//! A command in a container that is thrown away, however it ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    fault::BuildFault,
    progress::{Progress, Say},
};
use crate::{
    engine::docker::{Client, EngineError, Errand},
    fleet::{ContainerId, mask::mask_command},
    text::clean_line,
};

/// So many last lines stand beside a failure.
const TAIL: usize = 20;

/// A command, for which image and for what.
pub(super) struct Task<'a> {
    pub client: &'a Client,
    pub host: &'a str,
    pub image: &'a str,
    /// `its test` or `prepare`.
    pub what: &'static str,
    pub errand: Errand,
    /// Its whole time.
    pub limit: Duration,
    pub stop: &'a CancellationToken,
}

/// How waiting for it ended.
enum End {
    Code(i64),
    Late,
    Stopped,
}

impl Task<'_> {
    /// Makes its container. Whoever makes one discards it, however its work ends.
    pub async fn create(&self) -> Result<ContainerId, BuildFault> {
        match self.stop.is_cancelled() {
            true => Err(BuildFault::Stopped),
            false => self.client.errand_create(&self.errand).await.map_err(|error| self.engine(error)),
        }
    }

    /// Throws the container away.
    pub async fn discard(&self, container: &ContainerId, say: &mut Say<'_>) {
        if let Err(error) = self.client.errand_remove(container).await {
            let left = format!("the container {} is left on {}: {error}", container.short(), self.host);
            say(Progress::Note(left.into()));
        }
    }

    /// Runs the command to its end.
    pub async fn attend(&self, container: &ContainerId, say: &mut Say<'_>) -> Result<(), BuildFault> {
        let deadline = Instant::now() + self.limit;
        let mut tail: VecDeque<String> = VecDeque::with_capacity(TAIL);
        let mut log = self.client.errand_start(container).await.map_err(|error| self.engine(error))?;
        let mut lines = Vec::new();
        let end = loop {
            let more = tokio::select! {
                () = self.stop.cancelled() => break End::Stopped,
                more = timeout_at(deadline, log.next(&mut lines)) => more,
            };
            for line in lines.drain(..) {
                let text = line.text.plain().into_owned();
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(text.clone());
                say(Progress::Output(Arc::from(text)));
            }
            match more {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break End::Code(self.client.errand_code(container).await.map_err(|error| self.engine(error))?),
                Ok(Err(error)) => return Err(self.engine(error)),
                Err(_) => break End::Late,
            }
        };
        let command = || clean_line(&mask_command(&self.errand.command).join(" "));
        match end {
            End::Code(0) => Ok(()),
            End::Code(code) => {
                Err(BuildFault::Command { image: self.image.to_owned(), what: self.what, code, command: command(), tail: tail.into() })
            }
            End::Late => {
                let minutes = self.limit.as_secs() / 60;
                Err(BuildFault::Endless { image: self.image.to_owned(), what: self.what, minutes, command: command() })
            }
            End::Stopped => Err(BuildFault::Stopped),
        }
    }

    pub fn engine(&self, error: EngineError) -> BuildFault {
        match error {
            EngineError::Status { message, .. } => BuildFault::Image {
                image: self.image.to_owned(),
                reason: format!("{} cannot be run on {}: {message}", self.what, self.host),
            },
            source => BuildFault::Engine { host: self.host.to_owned(), source },
        }
    }
}
