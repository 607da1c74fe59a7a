//! Carries plans out: for each target the intent into the audit, then the order to its host, then the outcome into the audit. Screen and
//! command line run the same one.
//!
//! It holds no link: orders leave as [`Turn::Send`], and what the engine side says of them comes in by [`Runner::take`]. Whoever drives it
//! calls [`Runner::turn`] until nothing is open any more.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    act::{ActId, ActWord, Fate, Intent, Journal, JournalError, Outcome, Plan, Progress, RunId, Stage, Target, Ticket},
    action::Action,
    engine::HostCommand,
    fleet::HostId,
};

/// So many acts are under way on one host at a time; the others wait, and can still be called off.
pub const AT_ONCE: usize = 4;

/// After a host's queue was full.
const AGAIN: Duration = Duration::from_millis(100);
/// A queue that stays full for so many tries does not take the order.
const TRIES: u32 = 50;

/// What the runner wants, or has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// Hand this to the host's task; if it does not take it, say so with [`Runner::undelivered`].
    Send {
        /// To whom.
        host: HostId,
        /// Which order it is.
        request: ActId,
        /// What.
        command: HostCommand,
    },
    /// A look at secrets is not in the audit.
    Unrecorded(JournalError),
    /// A target went on.
    Progress(Progress),
}

/// Carries plans out.
pub struct Runner {
    journal: Arc<dyn Journal>,
    who: Arc<str>,
    runs: BTreeMap<RunId, Live>,
    orders: HashMap<ActId, Order>,
    /// Acts of every run that are under way on a host.
    busy: HashMap<HostId, usize>,
    /// Writes to the audit and pauses; each of them belongs to a step.
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// What was not told yet: at most a few words for each step under way.
    out: VecDeque<Turn>,
    last_run: u64,
    last_order: u64,
}

/// One plan under way.
struct Live {
    plan: Arc<Plan>,
    /// What was shown, for the audit.
    line: Arc<str>,
    waiting: BTreeMap<HostId, VecDeque<usize>>,
    open: usize,
    cancelled: bool,
}

/// Which step of which run an order is for.
struct Order {
    run: RunId,
    step: usize,
    ticket: Ticket,
    tries: u32,
}

/// A piece of work that came to its end.
enum Done {
    Begun { run: RunId, step: usize, result: Result<Ticket, JournalError> },
    Ended { run: RunId, step: usize, outcome: Outcome, result: Result<(), JournalError> },
    Again(ActId),
    Recorded(Result<(), JournalError>),
}

impl Runner {
    /// A runner that acts in this person's name.
    pub fn new(journal: Arc<dyn Journal>, who: Arc<str>) -> Self {
        Self {
            journal,
            who,
            runs: BTreeMap::new(),
            orders: HashMap::new(),
            busy: HashMap::new(),
            work: FuturesUnordered::new(),
            out: VecDeque::new(),
            last_run: 0,
            last_order: 0,
        }
    }

    /// Begins a confirmed plan. A plan that is refused does nothing, whoever confirmed it.
    pub fn start(&mut self, plan: Arc<Plan>) -> RunId {
        self.last_run += 1;
        let run = RunId(self.last_run);
        let mut waiting: BTreeMap<HostId, VecDeque<usize>> = BTreeMap::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let outcome = match (&plan.refusal, &step.fate) {
                (Some(why), _) => Outcome::Denied { why: why.clone() },
                (None, Fate::Act) => {
                    waiting.entry(step.target.host.clone()).or_default().push_back(index);
                    continue;
                }
                (None, Fate::Already) => Outcome::Already,
                (None, Fate::Unreachable { why }) => Outcome::Unreachable { why: why.clone() },
                (None, Fate::Impossible { why }) => Outcome::Impossible { why: why.clone() },
            };
            self.tell(run, index, Stage::Over { result: outcome, unrecorded: None });
        }
        let open = waiting.values().map(VecDeque::len).sum();
        if open > 0 {
            self.runs.insert(run, Live { line: plan.line().into(), plan, waiting, open, cancelled: false });
            self.pump();
        }
        run
    }

    /// Writes a look at a container's secrets to the audit: nothing is sent for it.
    pub fn record_look(&mut self, host: HostId, name: Arc<str>, id: Arc<str>) {
        let intent = Intent {
            who: Arc::clone(&self.who),
            action: Action::InspectReveal.row().id.into(),
            host,
            target: name,
            target_id: id,
            argument: None,
            plan: "show its secrets on the screen".into(),
            deployment: None,
        };
        let journal = Arc::clone(&self.journal);
        self.work.push(Box::pin(async move {
            let recorded = async {
                let ticket = journal.begin(intent).await?;
                journal.end(ticket, Outcome::Done).await
            };
            Done::Recorded(recorded.await)
        }));
    }

    /// Calls off what is not sent yet. What is sent cannot be recalled.
    pub fn cancel(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.cancelled = true;
        let called_off: Vec<usize> = std::mem::take(&mut live.waiting).into_values().flatten().collect();
        for step in called_off {
            self.over(run, step, Outcome::Cancelled, None);
        }
    }

    /// Whether something is open.
    pub fn is_busy(&self) -> bool {
        !self.runs.is_empty() || !self.out.is_empty()
    }

    /// Takes what the engine side says of an order.
    pub fn take(&mut self, request: ActId, word: ActWord) {
        match word {
            ActWord::Unsure { why } => {
                if let Some(order) = self.orders.get(&request) {
                    self.tell(order.run, order.step, Stage::Unsure { why });
                }
            }
            ActWord::Over(outcome) => self.finish(request, outcome),
        }
    }

    /// An order was not taken: its host's queue is full. It is offered again, for a while.
    pub fn undelivered(&mut self, request: ActId) {
        let Some(order) = self.orders.get_mut(&request) else { return };
        order.tries += 1;
        if order.tries >= TRIES {
            return self.finish(request, Outcome::Unreachable { why: "the host has too much to do".into() });
        }
        self.work.push(Box::pin(async move {
            tokio::time::sleep(AGAIN).await;
            Done::Again(request)
        }));
    }

    /// The next thing to do or to tell; waits for ever while there is none. Cancel-safe.
    pub async fn turn(&mut self) -> Turn {
        loop {
            if let Some(turn) = self.out.pop_front() {
                return turn;
            }
            match self.work.next().await {
                Some(done) => self.on_done(done),
                None => std::future::pending().await,
            }
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Begun { run, step, result: Err(error) } => {
                self.release(run, step);
                self.over(run, step, Outcome::Unrecorded { why: error.to_string().into() }, None);
            }
            Done::Begun { run, step, result: Ok(ticket) } => {
                self.last_order += 1;
                let request = ActId(self.last_order);
                self.orders.insert(request, Order { run, step, ticket, tries: 0 });
                if self.runs.get(&run).is_none_or(|live| live.cancelled) {
                    return self.finish(request, Outcome::Cancelled);
                }
                self.send(request);
            }
            Done::Recorded(Ok(())) => {}
            Done::Recorded(Err(error)) => self.out.push_back(Turn::Unrecorded(error)),
            Done::Again(request) => {
                let cancelled = self.orders.get(&request).and_then(|order| self.runs.get(&order.run)).is_none_or(|live| live.cancelled);
                if cancelled { self.finish(request, Outcome::Cancelled) } else { self.send(request) }
            }
            Done::Ended { run, step, outcome, result } => {
                self.over(run, step, outcome, result.err().map(|error| error.to_string().into()));
            }
        }
        self.pump();
    }

    /// Begins steps until every host has as much to do as it may.
    fn pump(&mut self) {
        let Self { runs, busy, work, out, journal, who, .. } = self;
        for (run, live) in runs.iter_mut() {
            let Live { plan, line, waiting, .. } = live;
            for (host, queue) in waiting {
                let busy = busy.entry(host.clone()).or_default();
                while *busy < AT_ONCE
                    && let Some(step) = queue.pop_front()
                {
                    let Some(target) = plan.steps.get(step).map(|step| &step.target) else { continue };
                    let intent = intent(plan, line, target, who);
                    *busy += 1;
                    out.push_back(Turn::Progress(Progress { run: *run, step, stage: Stage::Recording }));
                    let (journal, run) = (Arc::clone(journal), *run);
                    work.push(Box::pin(async move { Done::Begun { run, step, result: journal.begin(intent).await } }));
                }
            }
        }
    }

    fn send(&mut self, request: ActId) {
        let Some(order) = self.orders.get(&request) else { return };
        let (run, step) = (order.run, order.step);
        let Some(live) = self.runs.get(&run) else { return };
        let Some(target) = live.plan.steps.get(step).map(|step| step.target.clone()) else { return };
        let command = HostCommand::Act { request, object: target.object, target: target.id, act: live.plan.act.clone(), asked: Utc::now() };
        self.tell(run, step, Stage::Sent);
        self.out.push_back(Turn::Send { host: target.host, request, command });
    }

    /// An order is over: its outcome goes into the audit, and then to who asked.
    fn finish(&mut self, request: ActId, outcome: Outcome) {
        let Some(Order { run, step, ticket, .. }) = self.orders.remove(&request) else { return };
        self.release(run, step);
        let journal = Arc::clone(&self.journal);
        self.work.push(Box::pin(async move {
            let result = journal.end(ticket, outcome.clone()).await;
            Done::Ended { run, step, outcome, result }
        }));
        self.pump();
    }

    /// A host has one thing less to do.
    fn release(&mut self, run: RunId, step: usize) {
        let Some(step) = self.runs.get(&run).and_then(|live| live.plan.steps.get(step)) else { return };
        if let Some(busy) = self.busy.get_mut(&step.target.host) {
            *busy = busy.saturating_sub(1);
        }
    }

    fn over(&mut self, run: RunId, step: usize, result: Outcome, unrecorded: Option<Arc<str>>) {
        self.tell(run, step, Stage::Over { result, unrecorded });
        if let Some(live) = self.runs.get_mut(&run) {
            live.open -= 1;
            if live.open == 0 {
                self.runs.remove(&run);
            }
        }
    }

    fn tell(&mut self, run: RunId, step: usize, stage: Stage) {
        self.out.push_back(Turn::Progress(Progress { run, step, stage }));
    }
}

fn intent(plan: &Plan, line: &Arc<str>, target: &Target, who: &Arc<str>) -> Intent {
    Intent {
        who: Arc::clone(who),
        action: plan.act.action().id().into(),
        host: target.host.clone(),
        target: target.name.clone(),
        target_id: target.id.clone(),
        argument: plan.act.argument().map(Into::into),
        plan: Arc::clone(line),
        deployment: plan.deployment.clone(),
    }
}

#[cfg(test)]
mod tests;
