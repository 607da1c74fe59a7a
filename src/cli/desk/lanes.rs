//! The way of each app from commit to production: what its lanes are read from, and what is done from them.
//!
//! The ledger is read every few seconds while somebody looks; repositories and hosts seldom, and none of them holds up another: what was
//! read last stands in [`Known`] with its age, and a picture of all lanes is put together from it whenever something came.

mod acts;
mod building;
mod compare;
mod hosts;
mod known;
mod picture;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

use super::Desk;
use crate::{
    board::{
        News,
        lanes::{self, Order, Way},
    },
    cli::{deploy::stage::Stage, exit::Failure},
    fleet::{AppName, EnvironmentId},
    run::journal::State,
};

pub(super) use known::Known;

/// Between two looks into the ledger.
const GLANCE: Duration = Duration::from_secs(2);
/// What is read together comes in together: the picture waits so long for the next.
const SOON: Duration = Duration::from_millis(100);
/// Between two looks at repositories and hosts.
const LOOK: Duration = Duration::from_secs(60);

/// Does what is asked.
pub(super) async fn obey(desk: Rc<Desk>, order: Order) {
    match order {
        Order::Reload => desk.lanes.look_again(),
        Order::Compare(pair) => {
            let result = compare::compare(&desk, &pair).await.map(Box::new).map_err(Failure::words);
            desk.tell(News::Lanes(lanes::News::Compared(pair, result))).await;
        }
        Order::Ask(subject) => acts::tell_standing(&desk, subject).await,
        Order::AskCommits(app) => building::tell_commits(&desk, app).await,
        Order::Freeze { app, environment, reason } => acts::freeze(&desk, (&app, &environment), &reason).await,
        Order::Thaw { app, environment, reason } => acts::thaw(&desk, (&app, &environment), &reason).await,
        Order::Answer { deployment, answer, reason } => acts::answer(&desk, &deployment, answer, &reason).await,
        Order::Build(app) => building::build(&desk, &app).await,
    }
}

/// What is read slowly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    /// A repository and its template: its hosts come next.
    Source(AppName),
    /// The hosts of an environment.
    Hosts(AppName, EnvironmentId),
}

/// The links to the hosts of what is watched: they stay while somebody looks, and are closed with the watch.
type Stages = BTreeMap<(AppName, EnvironmentId), Rc<Stage>>;

/// Keeps the lanes up to date until it is dropped.
pub(super) async fn keep(desk: Rc<Desk>) {
    let mut stages = Stages::new();
    let mut slow: FuturesUnordered<LocalBoxFuture<'_, Read>> = FuturesUnordered::new();
    // What is being read is not read twice at once: one that hangs holds up itself alone.
    let mut busy: BTreeSet<Read> = BTreeSet::new();
    let (mut look, mut glance) = (Instant::now(), Instant::now());
    let mut told: Option<Result<Vec<Way>, String>> = None;
    loop {
        if Instant::now() >= glance {
            let ways = picture::ways(&desk).await.map_err(Failure::words);
            if let (Some(Ok(before)), Ok(now)) = (&told, &ways)
                && (has_ended(before, now) || is_thawed(before, now))
            {
                look = Instant::now();
            }
            if told.as_ref() != Some(&ways) {
                let news = match ways.clone() {
                    Ok(ways) => lanes::News::Ways(ways),
                    Err(why) => lanes::News::Unread(why),
                };
                desk.tell(News::Lanes(news)).await;
                told = Some(ways);
            }
            glance = Instant::now() + GLANCE;
        }
        if Instant::now() >= look {
            look = Instant::now() + LOOK;
            let idle = desk.sources.config.delivery.apps.keys().filter(|app| busy.insert(Read::Source((*app).clone())));
            slow.extend(idle.map(|app| read_source(Rc::clone(&desk), app.clone()).boxed_local()));
        }
        tokio::select! {
            Some(read) = slow.next() => {
                busy.remove(&read);
                if let Read::Source(app) = read {
                    let places = desk.lanes.environments(&app).into_iter().map(|environment| (app.clone(), environment));
                    let idle = places.filter(|(app, environment)| busy.insert(Read::Hosts(app.clone(), environment.clone())));
                    slow.extend(idle.map(|place| {
                        let stage = stage(&mut stages, &desk, &place);
                        read_hosts(Rc::clone(&desk), place, stage).boxed_local()
                    }));
                }
                glance = glance.min(Instant::now() + SOON);
            }
            () = sleep_until(glance) => {}
            () = desk.lanes.glance() => glance = Instant::now(),
            () = desk.lanes.again() => (look, glance) = (Instant::now(), Instant::now()),
        }
    }
}

async fn read_source(desk: Rc<Desk>, app: AppName) -> Read {
    source::read(&desk, &app).await;
    Read::Source(app)
}

async fn read_hosts(desk: Rc<Desk>, place: (AppName, EnvironmentId), stage: Result<Rc<Stage>, String>) -> Read {
    hosts::read(&desk, &place, stage).await;
    Read::Hosts(place.0, place.1)
}

fn stage(stages: &mut Stages, desk: &Desk, place: &(AppName, EnvironmentId)) -> Result<Rc<Stage>, String> {
    if let Some(stage) = stages.get(place) {
        return Ok(Rc::clone(stage));
    }
    let stage = Rc::new(Stage::new(&desk.sources, &place.0, &place.1, false).map_err(Failure::words)?);
    stages.insert(place.clone(), Rc::clone(&stage));
    Ok(stage)
}

/// Whether a deployment that was under way is so no more: what the hosts have is something else since.
fn has_ended(before: &[Way], now: &[Way]) -> bool {
    let running = |ways: &[Way]| -> Vec<_> {
        let tries = ways.iter().flat_map(|way| &way.stops).flat_map(|stop| &stop.tries);
        tries.filter(|one| one.state == State::Running).map(|one| one.deployment.clone()).collect()
    };
    let still = running(now);
    running(before).iter().any(|one| !still.contains(one))
}

/// Whether the ledger has lost a freeze: what hosts told of it holds no more.
fn is_thawed(before: &[Way], now: &[Way]) -> bool {
    let frozen = |ways: &[Way]| -> Vec<_> {
        let stops = ways.iter().flat_map(|way| way.stops.iter().map(move |stop| (&way.app, stop)));
        let by_ledger = |stop: &&lanes::Stop| stop.frozen.as_ref().is_some_and(|frozen| frozen.host.is_none());
        stops.filter(|(_, stop)| by_ledger(stop)).map(|(app, stop)| (app.clone(), stop.environment.clone())).collect()
    };
    let still = frozen(now);
    frozen(before).iter().any(|place| !still.contains(place))
}
