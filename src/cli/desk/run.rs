//! Deployments under way: what every console is told of all of them, and how far the one that is looked at is.
//!
//! Read out of the ledger alone; hosts are asked only about a run that has written nothing for a while, and only by who may act.

mod doubt;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::Desk;
use crate::{
    board::{
        News,
        run::{Account, Brief, Ended, News as Told, Order, Stand, Story},
    },
    cli::{
        deploy::{
            follow::words,
            standing::{Proposed, carry_on, put_away},
        },
        deployments::remedy,
        exit::Failure,
    },
    delivery::{plan::Plan, release::DeploymentId},
    ledger::Stamp,
    run::{
        Order as Word,
        journal::{Entry, State, Way, beginning},
    },
};

pub(super) use doubt::Doubts;

/// Between two looks at all of them.
const HERALD: Duration = Duration::from_secs(2);
/// After a look that failed.
const DISMAY: Duration = Duration::from_secs(30);
/// Between two looks at the one that is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// So many are told at once; nobody has more under way.
const MOST: u32 = 50;
/// Why, for the audit.
const REASON: &str = "from the console";

/// Does what is asked.
pub(super) async fn obey(desk: Rc<Desk>, order: Order) {
    let said = match order {
        Order::Park(id) => park(&desk, &id).await,
        Order::Unwind(id) => unwind(&desk, &id).await,
        Order::Resume(id) => carry(&desk, &id, Way::Forward).await,
        Order::Finish(id) => finish(&desk, &id).await,
    };
    desk.tell(News::Said(said.unwrap_or_else(Failure::words))).await;
}

async fn park(desk: &Desk, id: &DeploymentId) -> Result<String, Failure> {
    desk.sources.may_act("deployment park")?;
    desk.history.order(id, Word::Park, REASON).await?;
    Ok(format!("deployment {}: told; it finishes what is under way and stands still", id.number))
}

/// A run that is alive is told; what is left of one that is not is taken back by one of our own.
async fn unwind(desk: &Rc<Desk>, id: &DeploymentId) -> Result<String, Failure> {
    desk.sources.may_act("deployment unwind")?;
    let look = desk.history.look(id, 0).await?;
    let sign = look.pulse.map(|pulse| pulse.at).into_iter().chain(look.entries.last().map(|entry| entry.at)).max();
    let is_alive = look.deployment.state == State::Running && desk.doubts.silent(desk, &look.deployment, sign).await.is_none();
    if !is_alive {
        return carry(desk, id, Way::Back).await;
    }
    desk.history.order(id, Word::Unwind, REASON).await?;
    Ok(format!("deployment {}: told; it takes back what it did", id.number))
}

async fn carry(desk: &Rc<Desk>, id: &DeploymentId, way: Way) -> Result<String, Failure> {
    desk.sources.may_act("deployment")?;
    // One that stands still has ended its run: its locks are left on purpose, and their last sign of life may be of a moment ago.
    let is_parked = desk.history.deployment(id).await?.state == State::Parked;
    let proposed = carry_on(&desk.sources, &desk.history, (&id.to_string(), is_parked), way, &quietly).await?;
    send(desk, id, proposed).await
}

async fn finish(desk: &Rc<Desk>, id: &DeploymentId) -> Result<String, Failure> {
    desk.sources.may_act("deployment finish")?;
    send(desk, id, put_away(&desk.sources, &desk.history, (&id.to_string(), false), &quietly).await?).await
}

/// Nobody reads standard error behind a screen.
fn quietly(line: &str) {
    tracing::info!("{line}");
}

async fn send(desk: &Rc<Desk>, id: &DeploymentId, proposed: Proposed) -> Result<String, Failure> {
    let proposal = match proposed {
        Proposed::Errand(proposal) => proposal,
        Proposed::Nothing(words) => return Ok(words),
        Proposed::Void(_, failure) => return Err(failure),
    };
    let mut run = proposal.start(&desk.global, &desk.sources, &quietly).await?;
    let number = id.number;
    let attending = Rc::clone(desk);
    // It outlives us; as long as we are here, its last words are heard.
    tokio::task::spawn_local(async move {
        let ended = run.child.wait().await;
        if ended.is_ok_and(|status| !status.success())
            && let Some(last) = words(&run.log, run.said).lines().rfind(|line| !line.trim().is_empty())
        {
            attending.tell(News::Said(last.trim_start_matches("quarterdeck: ").to_owned())).await;
        }
    });
    Ok(format!("deployment {number}: its run was started"))
}

/// Tells every console what is under way, waits, or is dead: a look at the ledger's files, and at the ledger when they have changed.
pub(super) async fn herald(desk: Rc<Desk>) {
    let mut told: Option<Vec<Brief>> = None;
    let mut stamp = None;
    loop {
        let now = desk.history.stamp();
        // Only the clock tells that a run is dead.
        let is_moving = told.iter().flatten().any(|brief| matches!(brief.stand, Stand::Running | Stand::Silent { .. }));
        if is_moving || now.is_none() || now != stamp || told.is_none() {
            match abroad(&desk).await {
                Ok(briefs) => {
                    stamp = now;
                    let ended = ended(&desk, told.as_deref().unwrap_or_default(), &briefs).await;
                    if !ended.is_empty() || told.as_ref().map_or(!briefs.is_empty(), |told| *told != briefs) {
                        let watched = desk.watched.borrow().clone();
                        desk.tell(News::Run(Told::Abroad { briefs: briefs.clone(), ended, watched })).await;
                    }
                    told = Some(briefs);
                }
                // Who looks at it is told; the header only shows what is known.
                Err(failure) => {
                    tracing::debug!(why = failure.words(), "what is under way is not known");
                    sleep(DISMAY).await;
                }
            }
        }
        sleep(HERALD).await;
    }
}

async fn abroad(desk: &Desk) -> Result<Vec<Brief>, Failure> {
    let mut briefs = Vec::new();
    for found in desk.history.under_way(MOST).await? {
        let mut brief = Brief::of(&found.deployment);
        if brief.stand == Stand::Running
            && let Some((since, holder)) = desk.doubts.silent(desk, &found.deployment, found.sign).await
        {
            brief.stand = Stand::Silent { since, holder };
        }
        briefs.push(brief);
    }
    Ok(briefs)
}

/// How those ended that are not there any more.
async fn ended(desk: &Desk, before: &[Brief], now: &[Brief]) -> Vec<Ended> {
    let mut ended = Vec::new();
    for gone in before.iter().filter(|gone| now.iter().all(|brief| brief.id != gone.id)) {
        // Nothing can be told of one that cannot be read.
        if let Ok(found) = desk.history.deployment(&gone.id).await {
            ended.push(Ended { brief: Brief::of(&found), reason: found.reason });
        }
    }
    ended
}

/// Keeps the one that is looked at up to date.
pub(super) async fn follow(desk: Rc<Desk>, id: DeploymentId) {
    let mut follower = Follower { id, entries: Vec::new(), plan: None, about: None, stamp: None, due: None };
    let mut told: Option<Result<Story, String>> = None;
    loop {
        let found = match follower.look(&desk).await {
            Ok(None) => None,
            Ok(Some(story)) => Some(Ok(story)),
            Err(failure) => Some(Err(failure.words())),
        };
        if let Some(found) = found.filter(|found| told.as_ref() != Some(found)) {
            let news = match found.clone() {
                Ok(story) => Told::Story(Box::new(story)),
                Err(why) => Told::Unread { id: follower.id.clone(), why },
            };
            desk.tell(News::Run(news)).await;
            told = Some(found);
        }
        sleep(LOOK).await;
    }
}

/// Reads one deployment's journal as it grows.
struct Follower {
    id: DeploymentId,
    entries: Vec<Entry>,
    /// Of what stands in the ledger before it is begun.
    plan: Option<Plan>,
    /// How long such ones took lately, once that was asked.
    about: Option<Option<Duration>>,
    stamp: Option<Stamp>,
    /// When the clock alone may change what there is to tell.
    due: Option<Instant>,
}

impl Follower {
    /// How it stands; `None`: nothing was written since the last look.
    async fn look(&mut self, desk: &Desk) -> Result<Option<Story>, Failure> {
        let stamp = desk.history.stamp();
        let is_due = self.due.is_some_and(|due| due <= Instant::now());
        if stamp.is_some() && stamp == self.stamp && !is_due {
            return Ok(None);
        }
        let mut look = desk.history.look(&self.id, self.entries.last().map_or(0, |entry| entry.seq + 1)).await?;
        // A beginning that never got its locks is written over by the next.
        let begun = self.entries.first().map(|entry| entry.at.timestamp_millis());
        if begun.is_some() && look.deployment.started.map(|at| at.timestamp_millis()) != begun {
            self.entries.clear();
            look = desk.history.look(&self.id, 0).await?;
        }
        self.entries.extend(look.entries);
        self.stamp = stamp;
        let deployment = look.deployment;
        if self.about.is_none() {
            self.about = Some(median(desk.history.lately(&deployment.app, &deployment.environment).await?));
        }
        if self.entries.is_empty() {
            self.plan = desk.history.plan(&self.id).await?;
        }
        let sign = look.pulse.as_ref().map(|pulse| pulse.at).into_iter().chain(self.entries.last().map(|entry| entry.at)).max();
        let is_open = deployment.state == State::Running;
        self.due = is_open.then(|| Instant::now() + HERALD);
        let silent = if is_open { desk.doubts.silent(desk, &deployment, sign).await } else { None };
        let keeps_warm = match beginning(&self.entries).filter(|_| deployment.state == State::Good) {
            Some((plan, script)) if !script.cool.is_empty() => !desk.history.is_superseded(plan).await?,
            Some(_) | None => false,
        };
        Ok(Some(Story::of(&Account {
            deployment: &deployment,
            entries: &self.entries,
            pulse: look.pulse.as_ref(),
            plan: self.plan.as_ref(),
            about: self.about.flatten(),
            silent,
            remedies: remedy(&deployment).into_iter().collect(),
            keeps_warm,
        })))
    }
}

/// The one in the middle.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
