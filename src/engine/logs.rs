//! Reads containers' logs: one task for each, that outlives broken links and restarts without losing or doubling a line.
//!
//! [`LogPort`] opens a [`LogReader`]; it is told whom to read and gives out what they say. Tasks live on the engine's thread and end with
//! their reader, or with the engine.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, mpsc, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    docker::{Client, EngineError, LogQuery},
    live::{Lifeline, Links, Live},
};
use crate::{
    fleet::{ContainerKey, HostId},
    logs::{Filter, Framing, LogLine, Seam, SourceId, Stamp, seam},
};

/// How many reports may wait for the reader's owner, each the lines of one chunk. A full queue makes the tasks wait, and through them
/// the engines: their logs keep what is not read yet. Who shows lines drops the oldest from its [`Ring`](crate::logs::Ring) and counts.
const REPORTS: usize = 256;
/// How many logs of one host are searched at a time.
pub const SEARCH_STREAMS: usize = 8;
/// How many logs of one host are followed at a time.
pub const FOLLOW_STREAMS: usize = 64;
/// How long a search waits for a lost host before what is left of it counts as not searched.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a search goes on after its stream broke.
const BREAKS: u32 = 3;
/// The first pause after a stream broke on a link that lives; doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(200);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A followed stream that gives nothing for so long is doubted: engines leave a follower behind when they rotate the log under it (measured
/// with 20.10: most rotations do), and such a stream is as silent as a container that says nothing. Doubles up to [`LONGEST_QUIET`].
const QUIET: Duration = Duration::from_secs(1);
/// The longest time between two such doubts.
const LONGEST_QUIET: Duration = Duration::from_secs(60);
/// Before an engine that lost its place in a rotated log is asked anew.
const SLIP: Duration = Duration::from_millis(50);
/// How long a doubted stream has to give what the engine says is there.
const GRACE: Duration = Duration::from_millis(500);
/// How long the engine has to say what is there.
const DOUBT: Duration = Duration::from_secs(5);

/// The way to the logs of every host.
#[derive(Clone)]
pub struct LogPort {
    links: Links,
    runtime: Handle,
}

/// Whose log, which part of it, and whether to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOrder {
    /// The name under which its lines come.
    pub source: SourceId,
    /// The container.
    pub container: ContainerKey,
    /// From here, inclusive.
    pub since: Option<Stamp>,
    /// To here, inclusive.
    pub until: Option<Stamp>,
    /// At most the newest so many lines of what is there; `None`: all.
    pub tail: Option<u64>,
}

/// What a reader is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMode {
    /// What is there, once: at most [`SEARCH_STREAMS`] a host at a time, the others wait for their turn.
    Search,
    /// And what comes, through restarts and lost links: at most [`FOLLOW_STREAMS`] a host.
    Follow,
}

/// Out of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogReport {
    /// Lines in their log's order.
    Lines {
        /// Whose.
        source: SourceId,
        /// Those that passed the filter.
        lines: Vec<LogLine>,
        /// How many were looked at for them.
        scanned: u64,
    },
    /// How the reading stands.
    State {
        /// Whose.
        source: SourceId,
        /// The new state.
        state: LogState,
        /// When, by our clock.
        at: DateTime<Utc>,
    },
}

/// How the reading of a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogState {
    /// It waits for a free stream.
    Queued,
    /// It is read.
    Reading,
    /// The stream broke; it goes on by itself.
    Broken {
        /// Why, in one clean line.
        reason: Arc<str>,
    },
    /// It went on, but what was written meanwhile may be lost. The lines that follow come after the gap.
    Gap {
        /// The newest line before it.
        after: Stamp,
        /// For how long nobody read.
        away: TimeDelta,
    },
    /// All was read; the container does not run. [`LogReader::wake`] goes on.
    Waiting,
    /// All was read. The last report of its source.
    Done,
    /// The container was removed, and its log with it. The last report of its source.
    Gone,
    /// It cannot be read, or no further. The last report of its source.
    Failed {
        /// Why, in one clean line.
        reason: Arc<str>,
    },
}

impl LogState {
    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Done | Self::Gone | Self::Failed { .. } => true,
            Self::Queued | Self::Reading | Self::Broken { .. } | Self::Gap { .. } | Self::Waiting => false,
        }
    }
}

impl LogPort {
    pub(super) fn new(links: Links, runtime: Handle) -> Self {
        Self { links, runtime }
    }

    /// A reader of nothing yet. Lines that `filter` does not let through are left behind at once and only counted.
    pub fn open(&self, mode: LogMode, filter: Filter) -> LogReader {
        // logs: wait
        let (out, reports) = mpsc::channel(REPORTS);
        LogReader { port: self.clone(), mode, filter: Arc::new(filter), out, reports, tasks: HashMap::new(), budgets: HashMap::new() }
    }
}

/// Reads the logs it was told to. Dropping it ends every task of it.
pub struct LogReader {
    port: LogPort,
    mode: LogMode,
    filter: Arc<Filter>,
    out: mpsc::Sender<LogReport>,
    reports: mpsc::Receiver<LogReport>,
    tasks: HashMap<SourceId, Task>,
    budgets: HashMap<HostId, Arc<Semaphore>>,
}

struct Task {
    wake: Arc<Notify>,
    handle: AbortHandle,
}

impl LogReader {
    /// Begins to read a log. A source that is read already begins anew.
    pub fn add(&mut self, order: LogOrder) {
        let streams = match self.mode {
            LogMode::Search => SEARCH_STREAMS,
            LogMode::Follow => FOLLOW_STREAMS,
        };
        let host = &order.container.host;
        let budget = self.budgets.entry(host.clone()).or_insert_with(|| Arc::new(Semaphore::new(streams)));
        let wake = Arc::new(Notify::new());
        let follower = Follower {
            link: self.port.links.of(host),
            mode: self.mode,
            filter: Arc::clone(&self.filter),
            out: self.out.clone(),
            budget: Arc::clone(budget),
            wake: Arc::clone(&wake),
            framing: None,
            seam: Seam::new(),
            heard: Instant::now(),
            held_back: None,
            breaks: 0,
            outbox: VecDeque::new(),
            order,
        };
        let source = follower.order.source;
        let handle = self.port.runtime.spawn(follower.run()).abort_handle();
        if let Some(before) = self.tasks.insert(source, Task { wake, handle }) {
            before.handle.abort();
        }
    }

    /// The container was started again: its log goes on. Without effect on one that is being read.
    pub fn wake(&self, source: SourceId) {
        if let Some(task) = self.tasks.get(&source) {
            task.wake.notify_one();
        }
    }

    /// Reads a log no further. What of it was read already may still come.
    pub fn remove(&mut self, source: SourceId) {
        if let Some(task) = self.tasks.remove(&source) {
            task.handle.abort();
        }
    }

    /// The next report. Waits for ever when nothing is read. Cancel-safe.
    pub async fn next(&mut self) -> Option<LogReport> {
        self.reports.recv().await
    }

    /// The next report if one is there: for a loop that does not wait.
    pub fn try_next(&mut self) -> Option<LogReport> {
        self.reports.try_recv().ok()
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.handle.abort();
        }
    }
}

/// Reads one log.
struct Follower {
    order: LogOrder,
    /// `None`: nobody knows the host.
    link: Option<watch::Receiver<Live>>,
    mode: LogMode,
    filter: Arc<Filter>,
    out: mpsc::Sender<LogReport>,
    budget: Arc<Semaphore>,
    wake: Arc<Notify>,
    framing: Option<Framing>,
    seam: Seam,
    /// When the last byte came.
    heard: Instant,
    /// The newest line that a doubted stream was found to hold back: one is no reason to break it twice.
    held_back: Option<Stamp>,
    /// How often in a row the stream broke without a new line.
    breaks: u32,
    /// What is to be reported: a turn of reading may be dropped at any await, and a line that the seam remembers must not go with it.
    outbox: VecDeque<LogReport>,
}

/// How one turn of reading ended.
enum End {
    /// With the log's end.
    Finished,
    /// In the middle.
    Broken(String),
    /// With the container's.
    Gone,
    /// For good.
    Failed(String),
}

/// What became of some lines.
enum Passed {
    /// What is new of them goes out.
    On,
    /// The answer begins too late: it is to be asked for anew.
    TooShort,
    /// The answer repeats itself: what is new of it goes out, and another is to be asked for.
    Again,
}

/// Nobody listens any more.
struct ReaderGone;

impl Follower {
    async fn run(mut self) {
        // The reader is gone: so is everybody who could be told.
        let _ = self.live().await;
    }

    async fn live(&mut self) -> Result<(), ReaderGone> {
        loop {
            self.flush().await?;
            let Some(mut link) = self.link.clone() else {
                return self.say(failed("no such host")).await;
            };
            let client = match self.client(&mut link).await {
                Ok(client) => client,
                Err(reason) => return self.give_up(&reason).await,
            };
            self.link = Some(link.clone());
            let mut lifeline = Lifeline::new(self.order.container.host.clone(), link.clone());
            let budget = Arc::clone(&self.budget);
            let permit = match budget.try_acquire() {
                Ok(permit) => permit,
                Err(_) => {
                    self.say(LogState::Queued).await?;
                    match budget.acquire().await {
                        Ok(permit) => permit,
                        Err(_) => return Ok(()),
                    }
                }
            };
            let end = tokio::select! {
                end = self.read(&client) => end?,
                // Also when it came back at once: the streams of the old link are dead.
                lost = lifeline.lost() => End::Broken(lost.to_string()),
            };
            drop(permit);
            self.flush().await?;
            match (end, self.mode) {
                (End::Failed(reason), _) => return self.say(failed(reason)).await,
                (End::Gone, _) => return self.say(LogState::Gone).await,
                (End::Finished, LogMode::Search) => return self.say(LogState::Done).await,
                (End::Finished, LogMode::Follow) if self.is_over() => return self.say(LogState::Done).await,
                (End::Finished, LogMode::Follow) => {
                    self.say(LogState::Waiting).await?;
                    tokio::select! {
                        () = self.wake.notified() => {}
                        // An engine that restarts may end its streams as if the containers had.
                        _ = link.changed() => {}
                    }
                }
                (End::Broken(reason), LogMode::Search) if self.breaks >= BREAKS => {
                    return self.give_up(&reason).await;
                }
                (End::Broken(reason), LogMode::Search | LogMode::Follow) => {
                    self.say(LogState::Broken { reason: reason.into() }).await?;
                    sleep(PAUSE.saturating_mul(1 << self.breaks.min(8)).min(LONGEST_PAUSE)).await;
                    self.breaks += 1;
                }
            }
        }
    }

    /// The client of the live link, once there is one.
    async fn client(&self, link: &mut watch::Receiver<Live>) -> Result<Client, String> {
        let up = async {
            loop {
                if let Some(client) = link.borrow_and_update().client() {
                    return Ok(client.clone());
                }
                if link.changed().await.is_err() {
                    return Err("the console ends".to_owned());
                }
            }
        };
        match self.mode {
            LogMode::Follow => up.await,
            LogMode::Search => match timeout(PATIENCE, up).await {
                Ok(client) => client,
                Err(_) => Err(format!("the host was not reachable for {} s", PATIENCE.as_secs())),
            },
        }
    }

    /// Whether a follower has all that it was asked for.
    fn is_over(&self) -> bool {
        self.order.until.is_some_and(|until| until <= Stamp::of(Utc::now()))
    }

    /// Reads until the log ends or the stream breaks; asks again where an answer does not reach back to what was seen.
    async fn read(&mut self, client: &Client) -> Result<End, ReaderGone> {
        let id = self.order.container.id.clone();
        let framing = match self.framing {
            Some(framing) => framing,
            None => match client.log_framing(&id).await {
                Ok(framing) => *self.framing.insert(framing),
                Err(error) => return Ok(ended_by(error)),
            },
        };
        let mut away = self.heard.elapsed();
        let mut attempt = 0;
        let mut lines = Vec::new();
        loop {
            let follow = self.mode == LogMode::Follow;
            let first = LogQuery { since: self.order.since, until: self.order.until, tail: self.order.tail, follow };
            let query = match self.seam.resume(away, attempt) {
                Some(next) => LogQuery { since: first.since.max(Some(next.since)), tail: next.tail, ..first },
                None => first,
            };
            let mut body = match client.logs(&id, query, framing, self.order.source).await {
                Ok(body) => body,
                Err(error) => return Ok(ended_by(error)),
            };
            self.say(LogState::Reading).await?;
            let over = loop {
                let more = match self.heed(client, framing, body.next(&mut lines)).await {
                    Ok(more) => more,
                    Err(end) => return Ok(end),
                };
                self.heard = Instant::now();
                match self.pass_on(&mut lines, away) {
                    Passed::On => self.flush().await?,
                    passed @ (Passed::TooShort | Passed::Again) => break passed,
                }
                if !more {
                    break if self.finish(away) { Passed::On } else { Passed::TooShort };
                }
            };
            match over {
                Passed::On => return Ok(End::Finished),
                Passed::TooShort => attempt += 1,
                Passed::Again => {
                    self.flush().await?;
                    sleep(SLIP).await;
                    (away, attempt) = (self.heard.elapsed(), 0);
                }
            }
        }
    }

    /// Waits for what comes next. A stream that is silent while the engine has newer lines is over, whatever it looks like.
    async fn heed(
        &mut self,
        client: &Client,
        framing: Framing,
        next: impl Future<Output = Result<bool, EngineError>>,
    ) -> Result<bool, End> {
        tokio::pin!(next);
        let mut quiet = QUIET;
        loop {
            let doubted = match self.mode {
                LogMode::Follow => timeout(quiet, &mut next).await,
                LogMode::Search => Ok((&mut next).await),
            };
            if let Ok(came) = doubted {
                return came.map_err(ended_by);
            }
            quiet = (quiet * 2).min(LONGEST_QUIET);
            if self.seam.newest().is_none() && self.order.tail == Some(0) {
                // What was there before was not asked for.
                continue;
            }
            let there = self.newest_there(client, framing).await;
            if there > self.seam.newest() && there > self.held_back {
                if let Ok(came) = timeout(GRACE, &mut next).await {
                    return came.map_err(ended_by);
                }
                self.held_back = there;
                return Err(End::Broken("the engine's stream stood still while there were new lines".to_owned()));
            }
        }
    }

    /// When the newest line of the log was written, as far as it was asked for; `None` when the engine does not say.
    async fn newest_there(&self, client: &Client, framing: Framing) -> Option<Stamp> {
        let query = LogQuery { since: self.order.since, until: self.order.until, tail: Some(1), follow: false };
        let newest = async {
            let mut body = client.logs(&self.order.container.id, query, framing, self.order.source).await.ok()?;
            let mut lines = Vec::new();
            while body.next(&mut lines).await.ok()? {}
            lines.last().map(|line| line.at)
        };
        timeout(DOUBT, newest).await.ok().flatten()
    }

    /// Puts what is new of `lines` into the outbox.
    fn pass_on(&mut self, lines: &mut Vec<LogLine>, away: Duration) -> Passed {
        if lines.is_empty() {
            return Passed::On;
        }
        let mut passed = Passed::On;
        let mut news = Vec::with_capacity(lines.len());
        let (mut scanned, mut bytes, mut kept) = (0, 0, 0);
        let newest = self.seam.newest();
        for line in lines.drain(..) {
            match self.seam.judge(&line) {
                seam::Verdict::Known => continue,
                seam::Verdict::TooShort => return Passed::TooShort,
                seam::Verdict::Again => {
                    passed = Passed::Again;
                    break;
                }
                seam::Verdict::New => {}
                seam::Verdict::Gap => self.put(gap(newest, away)),
            }
            scanned += 1;
            bytes += line.text.bytes().len();
            if self.filter.matches(&line) {
                kept += line.text.bytes().len();
                news.push(line);
            }
        }
        if kept * 2 < bytes {
            // Few lines of a chunk must not keep all of it in memory.
            for line in &mut news {
                line.text = line.text.detached();
            }
        }
        if scanned > 0 {
            self.breaks = 0;
            self.outbox.push_back(LogReport::Lines { source: self.order.source, lines: news, scanned });
        }
        passed
    }

    /// The answer is over; `false` when it did not reach back.
    fn finish(&mut self, away: Duration) -> bool {
        match self.seam.end() {
            seam::Verdict::TooShort => false,
            seam::Verdict::Gap => {
                self.put(gap(self.seam.newest(), away));
                true
            }
            seam::Verdict::New | seam::Verdict::Known | seam::Verdict::Again => true,
        }
    }

    async fn give_up(&mut self, reason: &str) -> Result<(), ReaderGone> {
        let upto = self.seam.newest().map_or(String::new(), |at| format!(", read up to {at}"));
        self.say(failed(format!("{reason}{upto}"))).await
    }

    async fn say(&mut self, state: LogState) -> Result<(), ReaderGone> {
        self.put(state);
        self.flush().await
    }

    fn put(&mut self, state: LogState) {
        self.outbox.push_back(LogReport::State { source: self.order.source, state, at: Utc::now() });
    }

    /// Sends the outbox. Cancel-safe: a report leaves it when its place in the queue is sure.
    async fn flush(&mut self) -> Result<(), ReaderGone> {
        while !self.outbox.is_empty() {
            let place = self.out.reserve().await.map_err(|_| ReaderGone)?;
            if let Some(report) = self.outbox.pop_front() {
                place.send(report);
            }
        }
        Ok(())
    }
}

fn failed(reason: impl Into<Arc<str>>) -> LogState {
    LogState::Failed { reason: reason.into() }
}

fn gap(newest: Option<Stamp>, away: Duration) -> LogState {
    LogState::Gap { after: newest.unwrap_or_default(), away: TimeDelta::from_std(away).unwrap_or(TimeDelta::MAX) }
}

/// What an error means for the reading: a connection may come back, a refusal stays one.
fn ended_by(error: EngineError) -> End {
    match error {
        EngineError::Status { status: 404, .. } => End::Gone,
        // "can not get logs from container which is dead or marked for removal"
        EngineError::Status { status: 409, .. } => End::Gone,
        // An engine that starts or stops answers 5xx to anything; that its log driver cannot be read, it says with 501 or in words.
        EngineError::Status { status: 500 | 502..=599, ref message } if !message.contains("does not support reading") => {
            End::Broken(error.to_string())
        }
        EngineError::Status { .. } | EngineError::Denied(_) | EngineError::Protocol { .. } => End::Failed(error.to_string()),
        EngineError::Connect(_) | EngineError::Timeout { .. } | EngineError::Broken { .. } => End::Broken(error.to_string()),
    }
}
