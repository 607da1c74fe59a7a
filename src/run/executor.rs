//! The run itself: every step as soon as what it waits for is done, and what to do when one fails.
//!
//! One task owns everything: it writes all intents, then lets the steps run side by side, then writes what came of them. Killed between any
//! two of these, the journal says which steps may have happened, and each of them looks before it does anything again.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, join, join_all, select},
    stream::FuturesUnordered,
};
use thiserror::Error;

use super::{
    balance,
    failure::{Failure, FailureKind},
    halt::Halt,
    journal::{Entry, State, Way, Word, beginning, counted},
    lock::{Claim, Held, Holder, LockError, STALE, age},
    log::{Log, outcome},
    perform::{Scene, runs},
    port::Port,
    pulse::{Notes, Pulse},
    records::{Order, Records, RecordsError},
};
use crate::{
    delivery::{
        observed::{HostView, Instance},
        plan::{Change, Plan, ServicePlan},
        release::{DeploymentId, KEPT, Names},
        steps::{Act, Phase, Route, Step, StepId, Subject},
        strategies::Script,
    },
    fleet::HostId,
    traffic::proof::{Count, Proof},
};

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(5);
/// Until the first of them: taking the lock was one.
const FIRST_BEAT: Duration = Duration::from_secs(2);
/// Between two words to those who look on.
const TELL: Duration = Duration::from_secs(1);
/// Between two looks at what a person may have said.
const LISTEN: Duration = Duration::from_secs(1);

/// Why a run did not begin, or cannot be carried on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// Somebody else is at it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Nothing may happen that is not written down.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// There is nothing to carry on.
    #[error("deployment {0} has no plan in the records: read it from the hosts, or unlock it")]
    NoPlan(DeploymentId),
    /// What it is about has changed since it was planned.
    #[error("host {host:?}: {container} runs there and stands in no line of the plan: somebody else was quicker; ask for it anew")]
    Changed {
        /// Where.
        host: HostId,
        /// What the plan does not know.
        container: Arc<str>,
    },
    /// It is not dead.
    #[error("deployment {deployment} is alive on host {host:?}: its last sign of life is {seconds} s old; park it, or wait")]
    Alive {
        /// Which.
        deployment: DeploymentId,
        /// Where it was seen.
        host: HostId,
        /// How long ago.
        seconds: u64,
    },
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the deployment stands now.
    pub state: State,
    /// Why, where it is not good.
    pub reason: Option<Arc<str>>,
    /// Hosts that did not get to where the others are.
    pub owed: BTreeSet<HostId>,
}

/// One run of one deployment.
#[derive(Clone, Copy)]
pub struct Run<'a, P, R> {
    /// What it acts on.
    pub port: &'a P,
    /// What it writes to.
    pub records: &'a R,
    /// Who it is.
    pub holder: &'a Holder,
}

impl<'a, P: Port, R: Records> Run<'a, P, R> {
    /// Carries a plan out.
    ///
    /// # Errors
    /// When nothing was done: the lock is another's, or the records cannot be written.
    pub async fn begin(&self, plan: &Plan, script: &Script) -> Result<Outcome, RunError> {
        let deployment = &plan.deployment;
        // Before the locks: whoever finds one must be able to read what it is for.
        let word = Word::Begun { by: Arc::clone(&self.holder.who), plan: Box::new(plan.clone()), script: Box::new(script.clone()) };
        let entries = vec![Entry { seq: 0, at: self.port.now(), word }];
        let (written, ()) = join(self.records.append(deployment, &entries), self.call(&plan.hosts)).await;
        written?;
        let held = match self.claim(plan).acquire(self.port, &plan.hosts, false).await {
            Ok(held) => held,
            Err(error) => return self.not_begun(deployment, error.into()).await,
        };
        if let Some((host, container)) = self.unplanned(plan).await {
            for (host, error) in held.release(self.port).await {
                tracing::warn!(host = host.as_str(), %error, "the lock is left");
            }
            return self.not_begun(deployment, RunError::Changed { host, container }).await;
        }
        self.carry(plan, script, &entries, held, Way::Forward).await
    }

    /// Calls all hosts at once, so that those who are then asked one after the other answer without another handshake.
    async fn call(&self, hosts: &[HostId]) {
        // One that is away says so when something is asked of it.
        join_all(hosts.iter().map(|host| self.port.containers(host))).await;
    }

    async fn not_begun(&self, deployment: &DeploymentId, error: RunError) -> Result<Outcome, RunError> {
        let reason = Some(Arc::from(error.to_string()));
        let word = Word::Ended { state: State::Failed, reason, owed: BTreeSet::new() };
        self.records.append(deployment, &[Entry { seq: 1, at: self.port.now(), word }]).await?;
        Err(error)
    }

    /// A container that serves and that the plan does not know, because another deployment was there between plan and lock: what the plan says
    /// to be all of a service is not.
    async fn unplanned(&self, plan: &Plan) -> Option<(HostId, Arc<str>)> {
        let names = self.claim(plan).names;
        let looks = join_all(plan.hosts.iter().map(async |host| (host, self.port.containers(host).await))).await;
        for (host, all) in looks {
            // A host that is away for a moment is waited for by its first step.
            let Ok(all) = all else { continue };
            let view = HostView::read(names, None, &all, &[]);
            let is_planned = |found: &Instance| {
                // What writes to a volume may be left running on purpose, and is never one of several.
                let Some(service) = plan.service(&found.service).filter(|_| found.volumes.is_empty()) else { return true };
                service.changes.iter().any(|change| {
                    let back = change.incoming.as_ref().and_then(|incoming| incoming.subject().id);
                    let olds = change.outgoing.iter().chain(&change.keeps).map(|old| &old.id);
                    olds.chain(back.as_ref()).any(|id| *id == found.id)
                })
            };
            if let Some(found) = view.instances.iter().find(|found| found.is_up() && !is_planned(found)) {
                return Some((host.clone(), Arc::clone(&found.name)));
            }
        }
        None
    }

    /// Carries on what another run left, or takes it back. The other's lock is taken over; one that is alive is not, unless `alive` says that a
    /// person knows better.
    ///
    /// # Errors
    /// Every [`RunError`].
    pub async fn resume(&self, deployment: &DeploymentId, way: Way, alive: bool) -> Result<Outcome, RunError> {
        let entries = self.records.load(deployment).await?;
        let (plan, script) = beginning(&entries).ok_or_else(|| RunError::NoPlan(deployment.clone()))?;
        let (plan, script) = (plan.clone(), script.clone());
        if !alive {
            self.must_be_dead(&plan).await?;
        }
        let held = self.claim(&plan).acquire(self.port, &plan.hosts, true).await?;
        self.carry(&plan, &script, &entries, held, way).await
    }

    /// Waits until the old ones have been kept warm for as long as the strategy says, then puts them away; at once when there are none. Somebody else
    /// who is at it by then has taken them over, and nothing is done.
    ///
    /// # Errors
    /// When the records or the hosts do not answer.
    pub async fn cool(&self, plan: &Plan, script: &Script) -> Result<(), RunError> {
        if script.cool.is_empty() {
            return Ok(());
        }
        self.port.sleep(plan.strategy.keep_warm).await;
        self.put_away(plan).await
    }

    /// Puts the old ones away now. Somebody else who is at it has taken them over, and nothing is done.
    ///
    /// # Errors
    /// As [`Run::cool`].
    pub async fn put_away(&self, plan: &Plan) -> Result<(), RunError> {
        match self.resume(&plan.deployment, Way::Forward, true).await {
            Ok(_) | Err(RunError::Lock(LockError::Taken { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn claim<'b>(&'b self, plan: &'b Plan) -> Claim<'b> {
        let names = Names { app: &plan.app, environment: &plan.environment };
        Claim { names, deployment: &plan.deployment, holder: self.holder }
    }

    async fn must_be_dead(&self, plan: &Plan) -> Result<(), RunError> {
        for host in &plan.hosts {
            // A host that does not answer cannot tell; its lock will not be given either.
            let Ok(all) = self.port.containers(host).await else { continue };
            let Some(mark) = HostView::read(self.claim(plan).names, None, &all, &[]).lock else { continue };
            if mark.deployment.as_ref() != Some(&plan.deployment) {
                continue;
            }
            if let Some(age) = age(self.port, host, &mark.id).await.filter(|age| *age <= STALE) {
                let (deployment, host) = (plan.deployment.clone(), host.clone());
                return Err(RunError::Alive { deployment, host, seconds: age.as_secs() });
            }
        }
        Ok(())
    }

    /// With the locks in hand.
    async fn carry(&self, plan: &Plan, script: &Script, entries: &[Entry], held: Held, way: Way) -> Result<Outcome, RunError> {
        let deployment = &plan.deployment;
        let notes = Notes::default();
        let scene = Scene {
            port: self.port,
            records: self.records,
            deployment,
            script,
            halt: Halt::default(),
            notes: &notes,
            hosts: &plan.hosts,
            filling: tokio::sync::Mutex::new(()),
        };
        let log = Log::new(self.port, self.records, deployment, script, entries, &held);
        let mut drive = Drive { scene: &scene, plan, held: &held, log, leftovers: Vec::new(), counted: Vec::new() };
        let ended = drive.log.progress.ended.filter(|state| matches!(state, State::Good | State::Unwound));
        let mut baseline = Vec::new();
        let outcome = match ended {
            // Only the locks were left, and perhaps what is still warm.
            Some(state) => {
                let cooled = if state == State::Good { drive.cool().await } else { Ok(()) };
                match cooled {
                    Ok(()) => Outcome { state, reason: None, owed: BTreeSet::new() },
                    Err(stop) => drive.parked(&stop),
                }
            }
            None => {
                let resumed = entries.iter().any(|entry| !matches!(entry.word, Word::Begun { .. })) || way == Way::Back;
                let word = Word::Resumed { by: Arc::clone(&self.holder.who), way };
                let first = if resumed { vec![word] } else { Vec::new() };
                let now = self.port.proof_begins(&routes(plan)).await;
                baseline = match counted(entries) {
                    Some(before) => before.to_vec(),
                    None => {
                        if !now.is_empty() {
                            drive.log.later(Word::Counted { counts: now.clone() });
                        }
                        now
                    }
                };
                drive.counted.clone_from(&baseline);
                match drive.whole(first, way).await {
                    Ok(outcome) => outcome,
                    Err(stop) => drive.parked(&stop),
                }
            }
        };
        let proof = self.port.proof_ends(&baseline).await;
        self.finish(plan, &held, drive.log, (outcome, proof), ended.is_some()).await
    }

    async fn finish(
        &self,
        plan: &Plan,
        held: &Held,
        mut log: Log<'_, P, R>,
        (outcome, proof): (Outcome, Option<Proof>),
        written: bool,
    ) -> Result<Outcome, RunError> {
        if !written {
            let measured = proof.map(|proof| Word::Measured { proof: Box::new(proof) });
            let word = Word::Ended { state: outcome.state, reason: outcome.reason.clone(), owed: outcome.owed.clone() };
            if let Err(failure) = log.write(held, measured.into_iter().chain([word]).collect()).await {
                tracing::warn!(deployment = %plan.deployment, error = %failure, "the end is not written down");
            }
        }
        // A parked run keeps its locks: what is half done is nobody else's to change.
        if outcome.state != State::Parked {
            for (host, error) in held.release(self.port).await {
                tracing::warn!(host = host.as_str(), %error, "the lock is left");
            }
        }
        Ok(outcome)
    }
}

/// A run under way.
pub(super) struct Drive<'a, P, R> {
    pub(super) scene: &'a Scene<'a, P, R>,
    pub(super) plan: &'a Plan,
    pub(super) held: &'a Held,
    pub(super) log: Log<'a, P, R>,
    /// What could not be tidied up.
    leftovers: Vec<String>,
    /// What the balancers had served when it began.
    counted: Vec<Count>,
}

/// Why the run stands still where it is.
#[derive(Clone, Debug)]
pub(super) struct Stop(pub(super) String);

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self(failure.text)
    }
}

/// What went wrong on the way forward.
enum Trouble<'a> {
    /// A step failed for good.
    Failed(&'a Step, Failure),
    /// A person said so.
    Told(Order),
    /// It cannot go on or back before a person has looked.
    Stopped(Stop),
}

/// Where the requests of the services that change come from.
fn routes(plan: &Plan) -> Vec<Route> {
    let of = |service: &ServicePlan| {
        let traffic = service.traffic.as_ref().filter(|_| service.changes.iter().any(Change::is_change))?;
        Some(Route { lb: Arc::clone(&traffic.lb), backend: Arc::clone(&traffic.backend), port: traffic.port })
    };
    plan.services.iter().filter_map(of).collect()
}

impl<'a, P: Port, R: Records> Drive<'a, P, R> {
    /// The whole way, forward or back, with a sign of life all along.
    async fn whole(&mut self, first: Vec<Word>, way: Way) -> Result<Outcome, Stop> {
        let (scene, held) = (self.scene, self.held);
        let beats = async {
            // The lock is as fresh as a beat; the first moments belong to the work.
            scene.port.sleep(FIRST_BEAT).await;
            loop {
                if let Err(failure) = held.beat(scene.port).await {
                    return failure;
                }
                scene.port.sleep(BEAT).await;
            }
        };
        let tells = tell(scene, self.counted.clone());
        let work = async {
            self.log.write(self.held, first).await?;
            match (way, self.log.progress.turned.clone()) {
                // What was turned stays turned.
                (_, Some(turn)) if !self.log.progress.good => self.back(turn.because, &turn.scope, turn.to).await,
                (Way::Back, None) if !self.log.progress.good => self.told_back().await,
                (Way::Forward | Way::Back, _) => self.forward().await,
            }
        };
        // Nobody waits for those who only look on.
        let beats = async { select(pin!(beats), pin!(tells)).await.factor_first().0 };
        match select(pin!(work), pin!(beats)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((failure, _)) => Err(failure.into()),
        }
    }

    /// Puts away what is still warm and still kept: what somebody has brought back is not ours any more.
    async fn cool(&mut self) -> Result<(), Stop> {
        let script = self.scene.script;
        for step in &script.cool {
            if self.log.progress.done.contains(&step.id) || !self.is_kept(step).await? {
                continue;
            }
            self.log.write(self.held, vec![Word::Intent { step: step.id }]).await?;
            fence(self.scene, self.held, step).await?;
            let result = self.scene.perform(step.id, step.host.as_ref(), &step.act).await;
            self.log.write(self.held, vec![outcome(step.id, &result)]).await?;
            result.map_err(|failure| Stop(sentence(step, &failure)))?;
        }
        Ok(())
    }

    async fn is_kept(&self, step: &Step) -> Result<bool, Stop> {
        let (Some(host), Some(container)) = (&step.host, step.act.container()) else { return Ok(false) };
        Ok(self.scene.find(host, container).await?.is_some_and(|found| found.name.ends_with(KEPT)))
    }

    /// It stands still; the locks stay.
    fn parked(&self, stop: &Stop) -> Outcome {
        Outcome { state: State::Parked, reason: Some(stop.0.as_str().into()), owed: self.owed() }
    }

    async fn forward(&mut self) -> Result<Outcome, Stop> {
        self.recheck().await?;
        self.take_back_given_up().await?;
        loop {
            match self.steps(&|step| step.phase < Phase::Clean).await? {
                None => break,
                Some(Trouble::Told(Order::Park)) => return Err(Stop("parked by a person".to_owned())),
                Some(Trouble::Told(_)) => return self.told_back().await,
                Some(Trouble::Stopped(stop)) => return Err(stop),
                Some(Trouble::Failed(step, failure)) if self.is_borne(step) => self.give_up(step, &failure).await?,
                Some(Trouble::Failed(step, failure)) => return self.failed(step, failure).await,
            }
        }
        if !self.log.progress.good {
            self.log.write(self.held, vec![Word::Good]).await?;
        }
        match self.steps(&|step| step.phase == Phase::Clean).await? {
            Some(Trouble::Told(Order::Park)) => return Err(Stop("parked by a person; it is good, and only tidying is left".to_owned())),
            Some(Trouble::Stopped(stop)) => return Err(stop),
            Some(Trouble::Told(_) | Trouble::Failed(..)) | None => {}
        }
        let owed = self.owed();
        let reason = match (&*self.leftovers, owed.is_empty()) {
            ([], true) => None,
            ([], false) => Some("good but for hosts that failed or did not take part".into()),
            (left, _) => Some(format!("good; left behind: {}", left.join("; ")).into()),
        };
        Ok(Outcome { state: State::Good, reason, owed })
    }

    /// A host that fails within what is borne gets back what it had; the others go on.
    async fn give_up(&mut self, failed: &Step, failure: &Failure) -> Result<(), Stop> {
        let of_unit = |step: &&Step| step.host == failed.host && step.batch == failed.batch && step.phase == Phase::Change;
        let scope = self.scene.script.steps.iter().filter(of_unit).map(|step| step.id).collect();
        let because = Arc::from(sentence(failed, failure));
        self.log.write(self.held, vec![Word::GivenUp { because, scope }]).await?;
        self.take_back_given_up().await
    }

    async fn take_back_given_up(&mut self) -> Result<(), Stop> {
        let scope: BTreeSet<_> = self.log.progress.given_up.intersection(&self.log.progress.begun).copied().collect();
        match &*self.unwind(&scope).await? {
            [] => Ok(()),
            stuck => Err(Stop(format!("a host that failed does not get back what it had: {}", sentences(stuck)))),
        }
    }

    /// Hosts on which something was given up, and those that were out when the plan was made.
    fn owed(&self) -> BTreeSet<HostId> {
        let given_up = &self.log.progress.given_up;
        let failed = self.scene.script.steps.iter().filter(|step| given_up.contains(&step.id)).filter_map(|step| step.host.clone());
        failed.chain(self.plan.out.iter().filter(|(_, out)| out.is_owed()).map(|(host, _)| host.clone())).collect()
    }

    /// Containers that the journal says to run and that somebody took away since are made again, with their gate.
    async fn recheck(&mut self) -> Result<(), Stop> {
        let mut again: BTreeSet<Subject> = BTreeSet::new();
        let mut fleets = BTreeMap::new();
        for step in &self.scene.script.steps {
            let (Act::Start { container, .. }, Some(host)) = (&step.act, &step.host) else { continue };
            if !self.log.progress.done.contains(&step.id) {
                continue;
            }
            if !fleets.contains_key(host) {
                let all = self.scene.port.containers(host).await.map_err(Failure::from)?;
                fleets.insert(host.clone(), all);
            }
            let found = fleets.get(host).into_iter().flatten().find(|found| container.is(&found.id, &found.name));
            if !found.is_some_and(|found| runs(found.state)) {
                again.insert(container.clone());
            }
        }
        let resting = self.resting().await?;
        self.log.progress.done.retain(|id| !resting.contains(id));
        for step in &self.scene.script.steps {
            let subject = match &step.act {
                Act::Create { blueprint } => blueprint.subject(),
                Act::Start { container, .. } | Act::Gate { container, .. } | Act::Admit { container, .. } => container.clone(),
                _ => continue,
            };
            if again.contains(&subject) {
                self.log.progress.done.remove(&step.id);
            }
        }
        Ok(())
    }

    /// Steps that gave a container requests which it does not get any more although nobody took them away since: a balancer that was
    /// restarted meanwhile has forgotten it.
    async fn resting(&self) -> Result<BTreeSet<StepId>, Stop> {
        let done = &self.log.progress.done;
        let given: Vec<_> = self.scene.script.steps.iter().filter(|step| done.contains(&step.id)).collect();
        let mut resting = BTreeSet::new();
        for step in &given {
            if let Act::Switch { route, to, .. } = &step.act {
                for member in to {
                    let Some(found) = self.scene.find(&member.host, &member.container).await? else { continue };
                    if !balance::serves(self.scene.port, &member.host, &found, route).await? {
                        resting.insert(step.id);
                    }
                }
            }
            let (Act::Admit { route, container, .. }, Some(host)) = (&step.act, &step.host) else { continue };
            let left = |other: &&&Step| {
                let goes =
                    matches!(&other.act, Act::Drain { container: gone, .. } | Act::Withdraw { container: gone, .. } if gone == container);
                goes && other.host == step.host && other.id > step.id
            };
            if given.iter().any(|other| left(&other)) {
                continue;
            }
            let Some(found) = self.scene.find(host, container).await? else { continue };
            if !balance::serves(self.scene.port, host, &found, route).await? {
                resting.insert(step.id);
            }
        }
        Ok(resting)
    }

    /// Runs all steps that `wanted` names, each as soon as it may; the answer is what broke it off.
    async fn steps(&mut self, wanted: &dyn Fn(&Step) -> bool) -> Result<Option<Trouble<'a>>, Stop> {
        let scene = self.scene;
        let held = self.held;
        let mut running = FuturesUnordered::new();
        let mut under_way: BTreeSet<StepId> = BTreeSet::new();
        let mut words = Vec::new();
        let mut untidied: BTreeSet<StepId> = BTreeSet::new();
        let mut trouble: Option<Trouble<'a>> = None;
        let listen = async {
            loop {
                match scene.records.order(scene.deployment).await {
                    Ok(Order::GoOn) => scene.port.sleep(LISTEN).await,
                    Ok(order) => return order,
                    Err(error) => {
                        tracing::warn!(deployment = %scene.deployment, %error, "nobody can be heard");
                        scene.port.sleep(LISTEN).await;
                    }
                }
            }
        };
        let mut listen = Box::pin(listen.fuse());
        loop {
            let ready: Vec<_> = match trouble {
                None => self.ready(wanted, &under_way, &untidied),
                Some(_) => Vec::new(),
            };
            words.extend(ready.iter().map(|step| Word::Intent { step: step.id }));
            let mut ended = write_beside(&mut self.log, held, std::mem::take(&mut words), &mut running).await?;
            for step in ready {
                under_way.insert(step.id);
                running.push(async move {
                    let result = match fence(scene, held, step).await {
                        Ok(()) => scene.perform(step.id, step.host.as_ref(), &step.act).await,
                        Err(failure) => Err(failure),
                    };
                    (step, result)
                });
            }
            if ended.is_empty() {
                let next = match trouble {
                    None => match select(running.next(), &mut listen).await {
                        Either::Left((next, _)) => next,
                        Either::Right((order, _)) => {
                            scene.halt.say();
                            trouble = Some(Trouble::Told(order));
                            continue;
                        }
                    },
                    Some(_) => running.next().await,
                };
                // Nothing runs, and nothing more may begin.
                let Some(next) = next else { return Ok(trouble) };
                ended.push(next);
            }
            while let Some(Some(next)) = running.next().now_or_never() {
                ended.push(next);
            }
            for (step, result) in ended {
                under_way.remove(&step.id);
                words.push(outcome(step.id, &result));
                let Err(failure) = result else {
                    // Known from here on; written down before anything that follows from it begins.
                    self.log.progress.done.insert(step.id);
                    continue;
                };
                match failure.kind {
                    // What was only broken off has not failed.
                    FailureKind::Halted => drop(words.pop()),
                    FailureKind::Fenced => return Err(failure.into()),
                    // What is under way ends first; the way back would go over the same ground.
                    FailureKind::Undone => {
                        scene.halt.say();
                        trouble = Some(Trouble::Stopped(failure.into()));
                    }
                    _ if step.phase == Phase::Clean => {
                        self.leftovers.push(sentence(step, &failure));
                        untidied.insert(step.id);
                    }
                    _ if trouble.is_some() => {}
                    _ => {
                        // What is borne lets the others finish what they are at.
                        if !self.is_borne(step) {
                            scene.halt.say();
                        }
                        trouble = Some(Trouble::Failed(step, failure));
                    }
                }
            }
        }
    }

    fn ready(&self, wanted: &dyn Fn(&Step) -> bool, under_way: &BTreeSet<StepId>, untidied: &BTreeSet<StepId>) -> Vec<&'a Step> {
        let progress = &self.log.progress;
        let over = |id: &StepId| progress.done.contains(id) || progress.given_up.contains(id) || untidied.contains(id);
        let steps = self.scene.script.steps.iter().filter(|step| wanted(step));
        steps.filter(|step| !over(&step.id) && !under_way.contains(&step.id) && step.after.iter().all(over)).collect()
    }

    /// Whether one more failing host does not yet make the deployment fail.
    fn is_borne(&self, step: &Step) -> bool {
        let hosts: BTreeSet<_> = self.unit_hosts();
        let allowed = usize::try_from(self.plan.strategy.max_failures).unwrap_or(usize::MAX);
        let is_unit = step.phase == Phase::Change && step.service.is_some() && step.host.is_some() && !matches!(step.act, Act::Job { .. });
        is_unit && hosts.len() < allowed
    }

    fn unit_hosts(&self) -> BTreeSet<HostId> {
        let given_up = &self.log.progress.given_up;
        self.scene.script.steps.iter().filter(|step| given_up.contains(&step.id)).filter_map(|step| step.host.clone()).collect()
    }
}

/// Writes rows while the steps under way go on; the answer is which of them have ended meanwhile.
async fn write_beside<P: Port, R: Records, F: Future>(
    log: &mut Log<'_, P, R>,
    held: &Held,
    words: Vec<Word>,
    running: &mut FuturesUnordered<F>,
) -> Result<Vec<F::Output>, Failure> {
    let mut ended = Vec::new();
    let mut write = pin!(log.write(held, words));
    while !running.is_empty() {
        match select(write.as_mut(), running.next()).await {
            Either::Left((written, _)) => return written.map(|()| ended),
            Either::Right((next, _)) => ended.extend(next),
        }
    }
    write.await.map(|()| ended)
}

/// Tells those who look on what it is at: what is new at most once a second, a sign of life at every beat. What cannot be told is told the
/// next time.
async fn tell<P: Port, R: Records>(scene: &Scene<'_, P, R>, counted: Vec<Count>) -> Failure {
    let (mut traffic, mut silent) = (None, Duration::ZERO);
    loop {
        scene.port.sleep(TELL).await;
        silent += TELL;
        let (waits, is_new) = scene.notes.take();
        let is_due = silent >= BEAT;
        if !is_new && !is_due {
            continue;
        }
        if is_due && !counted.is_empty() {
            traffic = scene.port.proof_so_far(&counted).await;
        }
        silent = Duration::ZERO;
        let pulse = Pulse { at: scene.port.now(), waits, traffic: traffic.clone() };
        if let Err(error) = scene.records.pulse(scene.deployment, &pulse).await {
            tracing::debug!(deployment = %scene.deployment, %error, "those who look on are not told");
        }
    }
}

/// A failure with its place.
pub(super) fn sentence(step: &Step, failure: &Failure) -> String {
    match &step.host {
        Some(host) => format!("host {host:?}: {}: {failure}", step.act),
        None => format!("{}: {failure}", step.act),
    }
}

/// Several of them.
pub(super) fn sentences(stuck: &[(&Step, Failure)]) -> String {
    stuck.iter().map(|(step, failure)| sentence(step, failure)).collect::<Vec<_>>().join("; ")
}

/// Before every step: is the lock still ours?
pub(super) async fn fence<P: Port, R: Records>(scene: &Scene<'_, P, R>, held: &Held, step: &Step) -> Result<(), Failure> {
    let Some(host) = step.host.as_ref().or_else(|| held.tokens.keys().next()) else { return Ok(()) };
    match held.check(scene.port, host).await {
        // The step itself waits for a host that is away for a moment.
        Err(failure) if failure.kind == FailureKind::Away => Ok(()),
        other => other,
    }
}
