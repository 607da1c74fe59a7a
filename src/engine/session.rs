//! The life of one link: the first list, then events as the truth, inspect where a row needs it, a probe when the engine is
//! silent, and now and then a full list as the repair.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use indexmap::IndexMap;
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};

use super::{
    HostCommand, Question, Report, Shared,
    acts::{Acts, Order},
    docker::{Client, EngineError, Handshake, Lines, parse_event},
    host::BusClosed,
    machine::{self, Place},
    sampler::{Next, Sampler},
    transport::ConnectError,
    watchdog::{Verdict, Watchdog},
};
use crate::action::{Answer, RequestId};
use crate::fleet::{
    ContainerDetail, ContainerId, ContainerKey, ContainerSummary, Delta, EngineEvent, EngineInfo, EventKind, HostId, ImageFact, ImageId,
    LinkCause, LinkState, host::HostCost,
};
use crate::stats::{Batch, Demand, MachineReading, Sample};
use crate::stock::Stock;

/// How many inspects one host answers at a time.
const INSPECTS: usize = 8;
/// An event often has a sequel (create, start): one inspect a moment later serves both.
const SETTLE: Duration = Duration::from_millis(25);
/// A container that changes all the time is inspected no more often than this.
const INSPECT_PAUSE: Duration = Duration::from_millis(250);
/// After an inspect that failed for a passing reason.
const INSPECT_RETRY: Duration = Duration::from_secs(5);
/// An image event often has a sequel too (pull, tag).
const IMAGES_SETTLE: Duration = Duration::from_millis(300);
/// How often everything is listed again to repair what no event told.
const RELIST: Duration = Duration::from_secs(120);
/// How long a host waits for its turn among the lists of others, so that slow ones never hold up the rest.
const TURN: Duration = Duration::from_secs(2);

/// One live link.
pub(super) struct Session<'a> {
    host: &'a HostId,
    shared: &'a Shared,
    client: Client,
    out: &'a mpsc::Sender<Report>,
    memory: &'a mut Memory,
    acts: &'a mut Acts,
    /// Requests under way; dropping the session ends them.
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Rows to inspect, and not before when.
    dirty: IndexMap<ContainerId, Instant>,
    inspecting: HashSet<ContainerId>,
    images_known: HashSet<ImageId>,
    images_due: Option<Instant>,
    list_due: Instant,
    listing: bool,
    watchdog: Watchdog,
    since: DateTime<Utc>,
    sampler: Sampler,
    place: Place,
    /// What the engine says of itself, once it did.
    engine: Option<Arc<EngineInfo>>,
    /// The last round trip.
    latency_us: Option<u64>,
}

/// What outlives a link and is lent to it.
pub(super) struct Kept<'a> {
    pub memory: &'a mut Memory,
    pub acts: &'a mut Acts,
}

/// What is remembered: the next link goes on from here.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The engine's time of the last event seen: a new stream starts right after it.
    last_event: Option<DateTime<Utc>>,
    /// Rows of which more than the list was learned: after a gap that is learned again.
    detailed: HashSet<ContainerId>,
    /// What is to be measured.
    pub(super) demand: Demand,
}

/// A request that came to its end.
enum Done {
    Listed { asked: DateTime<Utc>, result: Result<Vec<ContainerSummary>, EngineError> },
    Inspected { id: ContainerId, result: Result<ContainerDetail, EngineError> },
    Images(Result<Vec<ImageFact>, EngineError>),
    Image(Result<ImageFact, EngineError>),
    Info(Result<EngineInfo, EngineError>),
    Pinged { sent: Instant, result: Result<(), EngineError> },
    Told(Result<Vec<EngineEvent>, EngineError>),
    Stocked(Result<Stock, EngineError>),
    Sampled { id: ContainerId, asked: Instant, result: Result<Option<Sample>, EngineError> },
    Machine(MachineReading),
    Answered { request: RequestId, id: ContainerId, result: Result<serde_json::Value, EngineError> },
}

/// How the live part of a session goes on.
type Step = Result<Option<ConnectError>, BusClosed>;

impl<'a> Session<'a> {
    pub(super) fn new(
        host: &'a HostId,
        shared: &'a Shared,
        client: Client,
        local: bool,
        out: &'a mpsc::Sender<Report>,
        kept: Kept<'a>,
    ) -> Self {
        let Kept { memory, acts } = kept;
        let mut sampler = Sampler::new(Instant::now());
        sampler.demand(memory.demand.clone(), Instant::now());
        Self {
            host,
            shared,
            client,
            out,
            memory,
            acts,
            work: FuturesUnordered::new(),
            dirty: IndexMap::new(),
            inspecting: HashSet::new(),
            images_known: HashSet::new(),
            images_due: None,
            list_due: Instant::now() + shared.spread(RELIST),
            listing: false,
            watchdog: Watchdog::new(local, shared.fleet_size),
            since: Utc::now(),
            sampler,
            place: if local { Place::Here } else { Place::There },
            engine: None,
            latency_us: None,
        }
    }

    /// Handshake, event stream, first list: in this order, so that nothing happens unseen between list and stream.
    pub(super) async fn open(&mut self) -> Result<Result<Lines, ConnectError>, BusClosed> {
        let (handshake, lines, asked, containers) = match self.first_answers().await {
            Ok(answers) => answers,
            Err(error) => return Ok(Err(error.into_connect())),
        };
        self.since = Utc::now();
        self.send(Delta::Link { host: self.host.clone(), link: LinkState::Live { since: self.since }, at: self.since }).await?;
        for container in &containers {
            if self.memory.detailed.contains(&container.id) {
                self.mark(container.id.clone(), Duration::ZERO);
            }
        }
        self.listed(asked, containers).await?;
        // First the ping: on the connection that the list left idle it tells the round trip, before the watchdog has a reason to ask.
        let client = self.client.clone();
        self.work.push(Box::pin(async move { Done::Pinged { sent: Instant::now(), result: client.ping().await } }));
        let client = self.client.clone();
        self.work.push(Box::pin(async move { Done::Info(client.info(&handshake).await) }));
        self.images_due = Some(Instant::now());
        Ok(Ok(lines))
    }

    /// The handshake goes beside the rest, unversioned requests being understood by every engine: on a slow link that is one round
    /// trip less until the first row.
    async fn first_answers(&mut self) -> Result<(Handshake, Lines, DateTime<Utc>, Vec<ContainerSummary>), EngineError> {
        let after_last = self.memory.last_event.map(|at| at + chrono::TimeDelta::nanoseconds(1));
        let rows = async {
            let lines = self.client.events(after_last).await?;
            let turn = timeout(TURN, self.shared.lists.acquire()).await;
            let asked = Utc::now();
            let containers = self.client.list().await?;
            drop(turn);
            Ok((lines, asked, containers))
        };
        let (handshake, (lines, asked, containers)) = tokio::try_join!(self.client.handshake(), rows)?;
        Ok((handshake, lines, asked, containers))
    }

    /// Lives until the link ends; returns why it ended.
    pub(super) async fn live(&mut self, mut lines: Lines, commands: &mut mpsc::Receiver<HostCommand>) -> Result<ConnectError, BusClosed> {
        let client = self.client.clone();
        let link = Arc::clone(client.link());
        let mut closed = link.closed();
        loop {
            let now = Instant::now();
            if let Some(end) = self.watch(now).await? {
                return Ok(end);
            }
            self.start_due(now);
            self.measure(now).await?;
            let wake = self.next_wake(now);
            let step = tokio::select! {
                line = lines.next() => self.on_line(line).await,
                Some(done) = self.work.next(), if !self.work.is_empty() => self.on_done(done).await,
                command = commands.recv() => match command {
                    Some(command) => { self.on_command(command); Ok(None) }
                    None => Err(BusClosed),
                },
                end = &mut closed => Ok(Some(end)),
                () = sleep_until(wake.into()) => Ok(None),
            };
            if let Some(end) = step? {
                return Ok(end);
            }
        }
    }

    async fn on_line(&mut self, line: Result<Option<bytes::BytesMut>, EngineError>) -> Step {
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => {
                return Ok(Some(ConnectError::new(LinkCause::Closed, "the engine closed the event stream: it is stopping or restarting")));
            }
            Err(error) => return Ok(Some(error.into_connect())),
        };
        let event = match parse_event(self.host, &line) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(error.into_connect())),
        };
        self.memory.last_event = self.memory.last_event.max(Some(event.at));
        if !is_told(&event) {
            return Ok(None);
        }
        match event.kind {
            EventKind::Container => {
                if event.verb() == "destroy" {
                    self.dirty.swap_remove(&event.id);
                    self.memory.detailed.remove(&event.id);
                } else {
                    self.mark(event.id.clone(), SETTLE);
                }
            }
            EventKind::Image => self.images_due = Some(Instant::now() + IMAGES_SETTLE),
            EventKind::Network | EventKind::Volume | EventKind::Daemon | EventKind::Other | EventKind::Link => {}
        }
        self.send(Delta::Event { event, live: true, at: Utc::now() }).await.map(|()| None)
    }

    async fn on_done(&mut self, done: Done) -> Step {
        let at = Utc::now();
        let host = self.host.clone();
        match done {
            Done::Listed { asked, result } => {
                self.listing = false;
                match result {
                    Ok(containers) => self.listed(asked, containers).await?,
                    Err(error) => return Ok(Some(error.into_connect())),
                }
            }
            Done::Inspected { id, result } => {
                self.inspecting.remove(&id);
                match result {
                    // Something happened since it was asked: that answer is old, the next one is on its way.
                    Ok(_) if self.dirty.contains_key(&id) => {}
                    Ok(container) => {
                        self.memory.detailed.insert(id);
                        self.expect_image(&container.summary.image_id);
                        self.send(Delta::Inspected { host, container: Box::new(container), at }).await?;
                    }
                    Err(error) if error.is_not_found() => {
                        self.memory.detailed.remove(&id);
                        self.send(Delta::Gone { host, id, at }).await?;
                    }
                    Err(EngineError::Status { status, message }) => {
                        tracing::warn!(host = %self.host, container = id.short(), status, %message, "inspect refused");
                    }
                    Err(error @ (EngineError::Denied(_) | EngineError::Protocol { .. })) => {
                        tracing::warn!(host = %self.host, container = id.short(), %error, "inspect failed");
                    }
                    Err(EngineError::Connect(_) | EngineError::Timeout { .. } | EngineError::Broken { .. }) => self.mark(id, INSPECT_RETRY),
                }
            }
            Done::Images(Ok(images)) => {
                self.images_known.extend(images.iter().map(|image| image.id.clone()));
                let undigested: Vec<ImageId> = images
                    .iter()
                    .filter(|image| image.repo_digests.is_empty() && !image.repo_tags.is_empty())
                    .map(|image| image.id.clone())
                    .collect();
                self.send(Delta::Images { host, images }).await?;
                // Only layers can tell whether two images that were never pushed are the same bits.
                for id in undigested {
                    let client = self.client.clone();
                    self.work.push(Box::pin(async move { Done::Image(client.image(&id).await) }));
                }
            }
            Done::Image(Ok(image)) => self.send(Delta::Images { host, images: vec![image] }).await?,
            Done::Info(Ok(info)) => {
                self.engine = Some(Arc::new(info.clone()));
                self.sampler.described();
                self.send(Delta::Engine { host, info }).await?;
            }
            Done::Images(Err(error)) | Done::Image(Err(error)) | Done::Info(Err(error)) => {
                tracing::warn!(host = %self.host, %error, "a secondary answer failed");
            }
            Done::Pinged { sent, result } => match result {
                Ok(()) => {
                    let latency_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.latency_us = Some(latency_us);
                    self.send(Delta::Heard { host: host.clone(), latency_us, at }).await?;
                    self.send(Delta::Cost { host, cost: self.cost() }).await?;
                }
                Err(error) => return Ok(Some(error.into_connect())),
            },
            Done::Sampled { id, asked, result } => self.sampler.answered(id, result, asked.elapsed(), Instant::now()),
            Done::Machine(reading) => self.sampler.machine_answered(reading, Instant::now()),
            Done::Told(result) => {
                let result = result.map_err(|error| error.to_string()).map(|events| events.into_iter().filter(is_told).collect());
                self.out.send(Report::History { host, result }).await.map_err(|_| BusClosed)?;
            }
            Done::Stocked(result) => {
                let result = result.map(Box::new).map_err(|error| error.to_string());
                self.out.send(Report::Stock { host, result }).await.map_err(|_| BusClosed)?;
            }
            Done::Answered { request, id, result } => {
                let key = ContainerKey { host, id };
                let answer = Answer { request, key, result: result.map_err(|error| error.to_string()) };
                self.out.send(Report::Answer(answer)).await.map_err(|_| BusClosed)?;
            }
        }
        Ok(None)
    }

    fn on_command(&mut self, command: HostCommand) {
        match command {
            HostCommand::Retry => self.list_due = Instant::now(),
            HostCommand::Inspect(ids) => {
                for id in ids {
                    self.mark(id, Duration::ZERO);
                }
            }
            HostCommand::Measure(demand) => {
                self.memory.demand = demand.clone();
                self.sampler.demand(demand, Instant::now());
            }
            HostCommand::History { since, until } => {
                let (client, host) = (self.client.clone(), self.host.clone());
                self.work.push(Box::pin(async move { Done::Told(client.events_between(&host, since, until).await) }));
            }
            HostCommand::Stock => {
                let client = self.client.clone();
                self.work.push(Box::pin(async move { Done::Stocked(client.stock().await) }));
            }
            HostCommand::Act { request, object, target, act, asked } => self.acts.begin(Order { request, object, target, act, asked }),
            HostCommand::Ask { request, question } => {
                let client = self.client.clone();
                self.work.push(Box::pin(async move {
                    match question {
                        Question::InspectRaw(id) => Done::Answered { request, result: client.inspect_raw(&id).await, id },
                        Question::Top(id) => Done::Answered { request, result: client.top(&id).await, id },
                    }
                }));
            }
        }
    }

    /// Probes a silent engine; says stale and live again; ends a link that stays silent.
    async fn watch(&mut self, now: Instant) -> Step {
        match self.watchdog.look(now, self.client.meter().heard()) {
            Verdict::Quiet => {}
            Verdict::Probe => {
                let client = self.client.clone();
                self.work.push(Box::pin(async move { Done::Pinged { sent: Instant::now(), result: client.ping().await } }));
            }
            Verdict::Stale { silence } => {
                let at = Utc::now();
                let since = at - silence;
                self.send(Delta::Link { host: self.host.clone(), link: LinkState::Stale { since }, at }).await?;
            }
            Verdict::Recovered => {
                let at = Utc::now();
                self.send(Delta::Link { host: self.host.clone(), link: LinkState::Live { since: self.since }, at }).await?;
                self.list_due = now;
            }
            Verdict::Lost { silence } => {
                let message = format!("the engine has not answered for {} s: it hangs, or the network drops packets", silence.as_secs());
                return Ok(Some(ConnectError::new(LinkCause::NoAnswer, message)));
            }
        }
        Ok(None)
    }

    /// Starts every request whose time has come.
    fn start_due(&mut self, now: Instant) {
        if self.list_due <= now && !self.listing {
            self.listing = true;
            self.list_due = now + self.shared.spread(RELIST);
            let client = self.client.clone();
            self.work.push(Box::pin(async move {
                let asked = Utc::now();
                Done::Listed { asked, result: client.list().await }
            }));
        }
        if self.images_due.is_some_and(|due| due <= now) {
            self.images_due = None;
            let client = self.client.clone();
            self.work.push(Box::pin(async move { Done::Images(client.images().await) }));
        }
        let mut index = 0;
        while self.inspecting.len() < INSPECTS && index < self.dirty.len() {
            match self.dirty.get_index(index) {
                Some((id, due)) if *due <= now && !self.inspecting.contains(id) => {
                    let id = id.clone();
                    self.dirty.swap_remove_index(index);
                    self.inspect(id);
                }
                Some(_) | None => index += 1,
            }
        }
    }

    /// Asks for what is to be measured and whose turn has come, and tells what was gathered.
    async fn measure(&mut self, now: Instant) -> Result<(), BusClosed> {
        while let Some(next) = self.sampler.next(now) {
            let client = self.client.clone();
            match next {
                Next::Container(id) => {
                    self.work.push(Box::pin(async move { Done::Sampled { result: client.sample(&id).await, asked: now, id } }));
                }
                Next::Machine => {
                    let (place, rights, engine) = (self.place, self.shared.rights.clone(), self.engine.clone());
                    self.work.push(Box::pin(async move { Done::Machine(machine::read(client, place, rights, engine).await) }));
                }
            }
        }
        let Some((samples, machine)) = self.sampler.told(now) else { return Ok(()) };
        let at = Utc::now();
        // An engine that answers all the time is never probed: what a probe tells is told here.
        if let Some(latency_us) = self.latency_us.filter(|_| !samples.is_empty()) {
            self.send(Delta::Heard { host: self.host.clone(), latency_us, at }).await?;
        }
        self.send(Delta::Cost { host: self.host.clone(), cost: self.cost() }).await?;
        let batch = Batch { host: self.host.clone(), at, samples, machine };
        self.out.send(Report::Measured(batch)).await.map_err(|_| BusClosed)
    }

    fn inspect(&mut self, id: ContainerId) {
        self.inspecting.insert(id.clone());
        let client = self.client.clone();
        self.work.push(Box::pin(async move { Done::Inspected { result: client.inspect(&id).await, id } }));
    }

    fn next_wake(&mut self, now: Instant) -> Instant {
        let inspects = self.dirty.iter().filter(|(id, _)| !self.inspecting.contains(*id)).map(|(_, due)| *due).min();
        let inspects = if self.inspecting.len() < INSPECTS { inspects } else { None };
        let wakes = [inspects, self.images_due, (!self.listing).then_some(self.list_due), self.sampler.wake(now)];
        wakes.into_iter().flatten().fold(self.watchdog.next_look(now, self.client.meter().heard()), Instant::min)
    }

    /// Notes that a row needs an inspect; one under way for it no longer counts.
    fn mark(&mut self, id: ContainerId, wait: Duration) {
        let pause = if self.inspecting.contains(&id) { wait.max(INSPECT_PAUSE) } else { wait };
        let due = Instant::now() + pause;
        self.dirty.entry(id).or_insert(due);
    }

    async fn listed(&mut self, asked: DateTime<Utc>, containers: Vec<ContainerSummary>) -> Result<(), BusClosed> {
        for container in &containers {
            self.expect_image(&container.image_id);
            // The list names an image by its id once its tag has moved on; inspect still knows the name.
            if container.image.repository.is_empty() {
                self.mark(container.id.clone(), Duration::ZERO);
            }
        }
        self.send(Delta::List { host: self.host.clone(), containers, asked, at: Utc::now() }).await?;
        self.send(Delta::Cost { host: self.host.clone(), cost: self.cost() }).await
    }

    /// An image that no images answer told of yet: ask once.
    fn expect_image(&mut self, id: &ImageId) {
        if self.images_known.insert(id.clone()) && self.images_due.is_none() {
            self.images_due = Some(Instant::now() + IMAGES_SETTLE);
        }
    }

    fn cost(&self) -> HostCost {
        let meter = self.client.meter();
        HostCost {
            requests: meter.requests(),
            samples: meter.samples(),
            connections: meter.streams(),
            sessions: self.client.link().load().sessions,
            received: meter.received(),
        }
    }

    async fn send(&mut self, delta: Delta) -> Result<(), BusClosed> {
        self.out.send(Report::Delta(delta)).await.map_err(|_| BusClosed)
    }
}

/// Whether an event goes out at all.
fn is_told(event: &EngineEvent) -> bool {
    match event.kind {
        EventKind::Container => is_news(event.verb()),
        EventKind::Network | EventKind::Volume => !matches!(event.verb(), "mount" | "unmount" | "connect" | "disconnect"),
        EventKind::Image | EventKind::Daemon | EventKind::Other | EventKind::Link => true,
    }
}

/// Whether a container event says that something changed; what health checks, viewers and copies cause is noise.
fn is_news(verb: &str) -> bool {
    !(verb.starts_with("exec_")
        || matches!(
            verb,
            "top" | "attach" | "detach" | "resize" | "archive-path" | "extract-to-dir" | "export" | "copy" | "init" | "cleanup" | "sync"
        ))
}
