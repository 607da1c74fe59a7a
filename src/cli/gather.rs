//! From running links to a fleet that a verb can print: waits until every host has told what the verb needs, has failed, or is too slow.
//!
//! A host that failed is not waited for again; if its link comes up while others are waited for, its rows count. What is missing is told
//! on standard error, one line a host, and ends in exit code 3.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use chrono::{DateTime, Utc};
use indexmap::IndexSet;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    exit::{Exit, Failure},
    fleet::Sources,
    out::complain,
};
use crate::{
    act::{ActId, ActWord},
    action::{Answer, RequestId},
    engine::{DocumentPort, Engine, HostCommand, Question, Report, exec::ExecPort, logs::LogPort, transport::CONNECT_LIMIT},
    fleet::{Change, Container, ContainerKey, Delta, EngineEvent, Fleet, Host, HostId, ImageId, LinkState, Selector},
    stats::{Book, Demand, Wanted},
    stock::Stock,
};

/// A little longer than one connection may take, so that a host that does not answer is told in its transport's own words.
pub const PATIENCE: Duration = CONNECT_LIMIT.saturating_add(Duration::from_secs(2));

/// Engines walk their disks to count what things take.
const STOCK_PATIENCE: Duration = Duration::from_secs(60);

/// What a verb must know of each host.
#[derive(Clone, Debug)]
pub enum Need {
    /// Its engine, the round trip, how many containers.
    Engine,
    /// Its containers, each with its image's name and digest.
    Rows,
    /// And the layers of images that carry no digest: only they tell whether two are the same bits.
    Layers,
    /// And what only inspect knows of the containers that this selects.
    Details(Selector),
    /// The layers, and what only inspect knows of the containers that may be troubled.
    Triage,
}

/// What came of a host beside the model.
#[derive(Debug, Default)]
struct Known {
    images: bool,
    layers_due: HashSet<ImageId>,
    /// The details were asked for.
    asked: bool,
}

/// The links of one verb and what is known through them.
pub struct Watch {
    fleet: Fleet,
    book: Book,
    engine: Engine,
    reports: mpsc::Receiver<Report>,
    known: HashMap<HostId, Known>,
    /// Why a host has no history, or that it came.
    histories: HashMap<HostId, Result<(), String>>,
    answer: Option<Answer>,
    stocks: Vec<(HostId, Stock)>,
    /// Why a host's stock is not known, or that it came.
    stocked: HashMap<HostId, Result<(), String>>,
    /// What became of acts and was not asked for yet.
    acted: VecDeque<(ActId, ActWord)>,
    demands: HashMap<HostId, Demand>,
    /// Hosts that were not ready in time.
    late: IndexSet<HostId>,
    /// What changed since [`Watch::change`] last told.
    changed: Change,
}

/// What a verb may have to tell the moment it comes.
pub enum News {
    /// An event that was not told before.
    Event(std::sync::Arc<EngineEvent>),
    /// A host's link, lost or back.
    Link(HostId),
    /// Something was measured.
    Measured,
}

impl Watch {
    /// Starts all links.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(sources: &Sources) -> Result<Self, Failure> {
        let (engine, reports) = sources.start()?;
        Ok(Self {
            fleet: Fleet::new(sources.specs(), sources.rules.clone()),
            book: Book::default(),
            engine,
            reports,
            known: HashMap::new(),
            histories: HashMap::new(),
            answer: None,
            stocks: Vec::new(),
            stocked: HashMap::new(),
            acted: VecDeque::new(),
            demands: HashMap::new(),
            late: IndexSet::new(),
            changed: Change::default(),
        })
    }

    /// What is known now.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// What was measured.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Has this measured from now on, in place of what was; a host that is too busy to be told is told with the next call.
    pub fn measure(&mut self, wanted: &Wanted) {
        let mut demands = wanted.by_host();
        for host in self.demands.keys() {
            demands.entry(host.clone()).or_default();
        }
        for (host, demand) in demands {
            if self.demands.get(&host) != Some(&demand) && self.engine.command(&host, HostCommand::Measure(demand.clone())) {
                self.demands.insert(host, demand);
            }
        }
    }

    /// Waits until every host is ready or has failed, at most [`PATIENCE`].
    pub async fn settle(&mut self, need: &Need) {
        let until = Instant::now() + PATIENCE;
        let mut waiting: IndexSet<HostId> = self.fleet.hosts().map(|host| host.spec.id.clone()).collect();
        while !waiting.is_empty() {
            let Ok(Some(report)) = timeout_at(until, self.reports.recv()).await else { break };
            let host = host_of(&report).clone();
            self.take(report);
            if waiting.contains(&host) && (self.is_ready(&host, need) || self.has_failed(&host)) {
                waiting.swap_remove(&host);
            }
        }
        self.late = waiting;
    }

    fn has_failed(&self, host: &HostId) -> bool {
        self.fleet.host(host).is_none_or(|host| match host.link {
            LinkState::Retrying { .. } | LinkState::Refused { .. } => true,
            LinkState::Connecting | LinkState::Live { .. } | LinkState::Stale { .. } => false,
        })
    }

    /// Whether a host has told what is needed; asks it for the details once all else is there.
    fn is_ready(&mut self, id: &HostId, need: &Need) -> bool {
        let Some(host) = self.fleet.host(id).filter(|host| host.link.is_live() && host.listed) else { return false };
        let known = self.known.entry(id.clone()).or_default();
        match need {
            Need::Engine => host.engine.is_some() && host.latency_us.is_some(),
            Need::Rows => rows_are_whole(&self.fleet, id, known),
            Need::Layers => rows_are_whole(&self.fleet, id, known) && known.layers_due.is_empty(),
            Need::Details(_) | Need::Triage => {
                if !rows_are_whole(&self.fleet, id, known) || (matches!(need, Need::Triage) && !known.layers_due.is_empty()) {
                    return false;
                }
                let missing: Box<dyn Iterator<Item = &Container>> = match need {
                    Need::Details(filter) => Box::new(self.fleet.containers_on(id).filter(|container| filter.matches(container, host))),
                    _ => Box::new(self.fleet.troubled().filter(|container| container.key.host == *id)),
                };
                let mut missing = missing.filter(|container| container.restarts.is_none()).map(|container| container.key.id.clone());
                if known.asked {
                    return missing.next().is_none();
                }
                let ids: Vec<_> = missing.collect();
                // A full queue takes it with the next report.
                known.asked = ids.is_empty() || self.engine.command(id, HostCommand::Inspect(ids.clone()));
                ids.is_empty()
            }
        }
    }

    fn take(&mut self, report: Report) -> Option<News> {
        match report {
            Report::Delta(delta) => return self.apply(delta),
            Report::Answer(answer) => self.answer = Some(answer),
            Report::Stock { host, result } => {
                let result = result.map(|stock| self.stocks.push((host.clone(), *stock)));
                self.stocked.insert(host, result);
            }
            Report::Acted { request, word, .. } => self.acted.push_back((request, word)),
            Report::Measured(batch) => {
                self.book.take(&batch, &self.fleet);
                return Some(News::Measured);
            }
            Report::History { host, result } => {
                let result = result.map(|events| {
                    let at = Utc::now();
                    for event in events {
                        self.fleet.apply(Delta::Event { event, live: false, at });
                    }
                });
                self.histories.insert(host, result);
            }
        }
        None
    }

    fn apply(&mut self, delta: Delta) -> Option<News> {
        if let Delta::Images { host, images } = &delta {
            let known = self.known.entry(host.clone()).or_default();
            known.images = true;
            for image in images {
                if !image.layers.is_empty() {
                    known.layers_due.remove(&image.id);
                } else if image.repo_digests.is_empty() && !image.repo_tags.is_empty() {
                    known.layers_due.insert(image.id.clone());
                }
            }
        }
        let link = match &delta {
            Delta::Link { host, .. } => Some((host.clone(), self.is_up(host))),
            Delta::Engine { .. }
            | Delta::List { .. }
            | Delta::Inspected { .. }
            | Delta::Gone { .. }
            | Delta::Images { .. }
            | Delta::Event { .. }
            | Delta::Heard { .. }
            | Delta::Cost { .. } => None,
        };
        let change = self.fleet.apply(delta);
        let logged = change.logged;
        self.changed.merge(change);
        match link {
            Some((host, before)) => (self.is_up(&host) != before).then_some(News::Link(host)),
            None if logged => self.fleet.events().iter().next_back().cloned().map(News::Event),
            None => None,
        }
    }

    /// A stale link is kept; it is not lost yet.
    fn is_up(&self, host: &HostId) -> bool {
        !self.has_failed(host)
    }

    /// Asks every live host for its history and waits for all, at most [`PATIENCE`]; what came is in the fleet's events.
    pub async fn recall(&mut self, since: DateTime<Utc>, until: DateTime<Utc>) {
        let live = self.fleet.hosts().filter(|host| host.link.is_live()).map(|host| host.spec.id.clone());
        let asked: Vec<HostId> = live.filter(|host| self.engine.command(host, HostCommand::History { since, until })).collect();
        let deadline = Instant::now() + PATIENCE;
        while !asked.iter().all(|host| self.histories.contains_key(host) || self.has_failed(host)) {
            let Ok(Some(report)) = timeout_at(deadline, self.reports.recv()).await else { break };
            self.take(report);
        }
        for host in asked {
            if !self.histories.contains_key(&host) && !self.has_failed(&host) {
                let slow = format!("it did not tell its events within {} s: is its clock behind?", PATIENCE.as_secs());
                self.histories.insert(host, Err(slow));
            }
        }
    }

    /// Asks every live host that the filter selects for its images, volumes and networks, and waits for all, at most [`STOCK_PATIENCE`].
    pub async fn stocks(&mut self, filter: &Selector) -> Vec<(HostId, Stock)> {
        let live = self.fleet.hosts().filter(|host| host.link.is_live() && filter.matches_host(host)).map(|host| host.spec.id.clone());
        let asked: Vec<HostId> = live.filter(|host| self.engine.command(host, HostCommand::Stock)).collect();
        let deadline = Instant::now() + STOCK_PATIENCE;
        while !asked.iter().all(|host| self.stocked.contains_key(host) || self.has_failed(host)) {
            let Ok(Some(report)) = timeout_at(deadline, self.reports.recv()).await else { break };
            self.take(report);
        }
        for host in asked {
            if !self.stocked.contains_key(&host) && !self.has_failed(&host) {
                let slow = format!("its disks are slow: sizes did not come within {} s", STOCK_PATIENCE.as_secs());
                self.stocked.insert(host, Err(slow));
            }
        }
        let mut stocks = std::mem::take(&mut self.stocks);
        stocks.sort_by(|(a, _), (b, _)| a.cmp(b));
        stocks
    }

    /// A container's inspect document as the engine tells it.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn inspect(&mut self, key: &ContainerKey) -> Result<serde_json::Value, String> {
        self.ask(key, Question::InspectRaw(key.id.clone())).await
    }

    /// A container's processes as the engine tells them.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub async fn top(&mut self, key: &ContainerKey) -> Result<serde_json::Value, String> {
        self.ask(key, Question::Top(key.id.clone())).await
    }

    async fn ask(&mut self, key: &ContainerKey, question: Question) -> Result<serde_json::Value, String> {
        if !self.engine.command(&key.host, HostCommand::Ask { request: RequestId(1), question }) {
            return Err("the host is too busy".to_owned());
        }
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.answer.take().filter(|answer| answer.key == *key) {
                return answer.result;
            }
            match timeout_at(until, self.reports.recv()).await {
                Ok(Some(report)) => self.take(report),
                Ok(None) => return Err("the link has ended".to_owned()),
                Err(_) => return Err(format!("no answer within {} s", PATIENCE.as_secs())),
            };
        }
    }

    /// The next news; `None` when no more can come. Cancel-safe.
    pub async fn news(&mut self) -> Option<News> {
        loop {
            let report = self.reports.recv().await?;
            if let Some(news) = self.take(report) {
                return Some(news);
            }
        }
    }

    /// Does something beside the links, and follows the fleet meanwhile: a full bus would stop the tasks that keep them.
    pub async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(_) = self.news() => {}
            }
        }
    }

    /// Waits for the next change of the fleet, and tells all that changed since it was last asked; `None` when no more can come.
    /// Cancel-safe.
    pub async fn change(&mut self) -> Option<Change> {
        while !(self.changed.is_visible() || self.changed.logged) {
            let report = self.reports.recv().await?;
            self.take(report);
        }
        Some(std::mem::take(&mut self.changed))
    }

    /// Learns what only inspect knows of containers, now and after every gap: a start that no event told among it. What a full queue refuses
    /// is not learned.
    pub fn look_at<'a>(&self, keys: impl Iterator<Item = &'a ContainerKey>) {
        let mut hosts: HashMap<&HostId, Vec<_>> = HashMap::new();
        for key in keys {
            hosts.entry(&key.host).or_default().push(key.id.clone());
        }
        for (host, ids) in hosts {
            if !self.engine.command(host, HostCommand::Inspect(ids)) {
                tracing::debug!(%host, "too busy to be looked at");
            }
        }
    }

    /// Hands a command to a host's task; `false` when its queue is full.
    #[must_use]
    pub fn command(&self, host: &HostId, command: HostCommand) -> bool {
        self.engine.command(host, command)
    }

    /// The next word on an act that was ordered; `None` when no more can come. Cancel-safe.
    pub async fn acted(&mut self) -> Option<(ActId, ActWord)> {
        loop {
            if let Some(word) = self.acted.pop_front() {
                return Some(word);
            }
            let report = self.reports.recv().await?;
            self.take(report);
        }
    }

    /// The way to the containers' inspect documents.
    pub fn documents(&self) -> &DocumentPort {
        self.engine.documents()
    }

    /// The way to the containers' logs.
    pub fn logs(&self) -> &LogPort {
        self.engine.logs()
    }

    /// The way into the containers.
    pub fn exec(&self) -> &ExecPort {
        self.engine.exec()
    }

    /// What is missing, one sentence a host.
    pub fn shortfalls(&self) -> Vec<String> {
        self.fleet.hosts().filter_map(|host| self.shortfall(host)).collect()
    }

    fn shortfall(&self, host: &Host) -> Option<String> {
        let id = &host.spec.id;
        let seconds = PATIENCE.as_secs();
        let why = match &host.link {
            LinkState::Retrying { error, .. } | LinkState::Refused { error, .. } => error.to_string(),
            LinkState::Connecting => format!("no answer from {} within {seconds} s", host.spec.url),
            LinkState::Stale { .. } => "the engine stopped answering".to_owned(),
            LinkState::Live { .. } if self.late.contains(id) => format!("it is slow: what came within {seconds} s is not all"),
            LinkState::Live { .. } => {
                let asked = [self.histories.get(id), self.stocked.get(id)];
                asked.into_iter().flatten().find_map(|result| result.as_ref().err())?.clone()
            }
        };
        Some(format!("host {:?}: {why}", id.as_str()))
    }

    /// Tells on standard error what is missing.
    pub fn finish(&self) -> Exit {
        let missing = self.shortfalls();
        for line in &missing {
            complain(line);
        }
        if missing.is_empty() { Exit::DONE } else { Exit::INCOMPLETE }
    }
}

/// Whether digests and names are there: images are told, and a row whose image the list named only by its id was inspected.
fn rows_are_whole(fleet: &Fleet, host: &HostId, known: &Known) -> bool {
    let named = |container: &Container| !container.image.repository.is_empty() || container.restarts.is_some();
    known.images && fleet.containers_on(host).all(named)
}

fn host_of(report: &Report) -> &HostId {
    match report {
        Report::History { host, .. } | Report::Stock { host, .. } | Report::Acted { host, .. } => host,
        Report::Answer(answer) => &answer.key.host,
        Report::Measured(batch) => &batch.host,
        Report::Delta(delta) => match delta {
            Delta::Link { host, .. }
            | Delta::Engine { host, .. }
            | Delta::List { host, .. }
            | Delta::Inspected { host, .. }
            | Delta::Gone { host, .. }
            | Delta::Images { host, .. }
            | Delta::Heard { host, .. }
            | Delta::Cost { host, .. } => host,
            Delta::Event { event, .. } => &event.host,
        },
    }
}

/// Runs a verb's waiting on this thread.
///
/// # Errors
/// When the operating system gives no event queue; what the verb says otherwise.
pub fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(work);
    // Look-ups of host names may still hang in the runtime's pool; they hold nothing.
    runtime.shutdown_background();
    outcome
}

/// The terms of a filter as one selector.
///
/// # Errors
/// With the column.
pub fn selector(terms: &[String]) -> Result<Selector, Failure> {
    Selector::parse(&terms.join(" ")).map_err(|error| Failure::usage(format!("{:?}: {error}", terms.join(" "))))
}
