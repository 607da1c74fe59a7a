//! One host's task: connect, live as long as the [session](super::session) does, say why it ended, wait, again.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    HostCommand, Report, Shared, Target,
    acts::Acts,
    backoff,
    docker::{Client, Meter},
    live::Live,
    session::{Kept, Memory, Session},
    transport::ConnectError,
};
use crate::act::{ActWord, Outcome};
use crate::action::Answer;
use crate::config::Endpoint;
use crate::fleet::{ContainerKey, Delta, LinkCause, LinkState};

/// A whole attempt, from the first byte to the first list, may not take longer than this; each step has its own, shorter deadline.
const ATTEMPT: Duration = Duration::from_secs(90);

/// A task that owns the link to one host.
pub(super) struct HostTask {
    target: Target,
    shared: Arc<Shared>,
    out: mpsc::Sender<Report>,
    commands: mpsc::Receiver<HostCommand>,
    /// How the link stands, for who uses it beside this task; nobody may be there.
    live: watch::Sender<Live>,
    meter: Arc<Meter>,
    memory: Memory,
    /// What is being done there; outlives a link.
    acts: Acts,
    /// When the link was lost; `None` while it is live.
    lost: Option<DateTime<Utc>>,
    failures: u32,
}

/// The reader of the bus is gone: nothing is left to do.
#[derive(Debug)]
pub(super) struct BusClosed;

impl HostTask {
    pub(super) fn new(
        target: Target,
        shared: Arc<Shared>,
        out: mpsc::Sender<Report>,
        commands: mpsc::Receiver<HostCommand>,
        live: watch::Sender<Live>,
    ) -> Self {
        let acts = Acts::new(target.spec.id.clone(), out.clone(), live.subscribe());
        let (meter, memory) = (Arc::new(Meter::new()), Memory::default());
        Self { target, shared, out, commands, live, meter, memory, acts, lost: None, failures: 0 }
    }

    /// Runs until the bus or the command channel closes, or the task is aborted. Everything it opened is dropped with it.
    pub(super) async fn run(mut self) {
        loop {
            let end = match self.attempt().await {
                Ok(error) => error,
                Err(BusClosed) => {
                    self.live.send_replace(Live::None);
                    return;
                }
            };
            self.live.send_replace(Live::Down(end.clone()));
            tracing::info!(host = %self.target.spec.id, cause = ?end.cause, error = %end.message, "link lost");
            let pause = backoff::pause(&self.target.spec.id, self.failures, end.cause);
            self.failures = self.failures.saturating_add(1);
            if self.say_lost(end, pause).await.is_err() || self.wait(pause).await.is_err() {
                return;
            }
        }
    }

    /// One attempt and, if it succeeds, the life of the link. Returns why it ended.
    async fn attempt(&mut self) -> Result<ConnectError, BusClosed> {
        let transport = self.shared.transports.for_endpoint(&self.target.endpoint);
        let link = match timeout(ATTEMPT, transport.connect(&self.target.endpoint)).await {
            Ok(Ok(link)) => link,
            Ok(Err(error)) => return Ok(error),
            Err(_) => return Ok(ConnectError::new(LinkCause::Unreachable, format!("no connection within {} s", ATTEMPT.as_secs()))),
        };
        let client = Client::new(Arc::clone(&link), Arc::clone(&self.meter), self.shared.rights.clone());
        let local = matches!(self.target.endpoint, Endpoint::Unix { .. });
        let kept = Kept { memory: &mut self.memory, acts: &mut self.acts };
        let mut session = Session::new(&self.target.spec.id, &self.shared, client.clone(), local, &self.out, kept);
        let end = match session.open().await {
            Ok(Ok(lines)) => {
                self.lost = None;
                self.failures = 0;
                self.live.send_replace(Live::Up(client));
                session.live(lines, &mut self.commands).await?
            }
            Ok(Err(error)) => error,
            Err(closed) => return Err(closed),
        };
        Ok(end)
    }

    async fn say_lost(&mut self, end: ConnectError, pause: Duration) -> Result<(), BusClosed> {
        let now = Utc::now();
        let since = *self.lost.get_or_insert(now);
        let next = now + pause;
        let error = Arc::from(end.message);
        let cause = end.cause;
        let link = if cause.is_refusal() {
            LinkState::Refused { since, cause, error, next }
        } else {
            LinkState::Retrying { since, cause, error, next }
        };
        let delta = Delta::Link { host: self.target.spec.id.clone(), link, at: now };
        self.out.send(Report::Delta(delta)).await.map_err(|_| BusClosed)
    }

    /// Waits for the next turn, or for a person who does not want to.
    async fn wait(&mut self, pause: Duration) -> Result<(), BusClosed> {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                command = self.commands.recv() => match command {
                    Some(HostCommand::Retry) => return Ok(()),
                    Some(HostCommand::Inspect(_)) => {}
                    Some(HostCommand::Measure(demand)) => self.memory.demand = demand,
                    Some(HostCommand::History { .. }) => {
                        let host = self.target.spec.id.clone();
                        let result = Err(format!("host {host:?} is not reachable now"));
                        self.out.send(Report::History { host, result }).await.map_err(|_| BusClosed)?;
                    }
                    Some(HostCommand::Stock) => {
                        let host = self.target.spec.id.clone();
                        let result = Err("it is not reachable now".to_owned());
                        self.out.send(Report::Stock { host, result }).await.map_err(|_| BusClosed)?;
                    }
                    Some(HostCommand::Act { request, .. }) => {
                        let outcome = Outcome::Unreachable { why: "the host cannot be reached now".into() };
                        let (host, word) = (self.target.spec.id.clone(), ActWord::Over(outcome));
                        self.out.send(Report::Acted { host, request, word }).await.map_err(|_| BusClosed)?;
                    }
                    Some(HostCommand::Ask { request, question }) => {
                        let key = ContainerKey { host: self.target.spec.id.clone(), id: question.container().clone() };
                        let result = Err(format!("host {:?} is not reachable now", self.target.spec.id));
                        self.out.send(Report::Answer(Answer { request, key, result })).await.map_err(|_| BusClosed)?;
                    }
                    None => return Err(BusClosed),
                },
            }
        }
    }
}
