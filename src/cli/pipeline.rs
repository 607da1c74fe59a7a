//! `pipeline`: from the newest commit to the first gate that needs a person, by itself; once, or whenever there is news.

mod round;
mod said;
mod turn;
mod way;

use std::time::Duration;

use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    args::{Format, Global},
    build::Named,
    deploy::quiet::cool,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out::complain,
};
use crate::{build::Logins, config::Layers, delivery::plan::Plan, fleet::AppName};
use round::Round;
use said::{About, Said, What};
use turn::Turn;

/// The longest pause after failures, where nothing new is committed.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What is asked for.
pub struct Request<'a> {
    /// An app of the configuration.
    pub app: &'a str,
    /// Whether it goes on looking.
    pub watch: bool,
    /// Between two looks; `None`: as the configuration says.
    pub every: Option<Duration>,
    pub format: Format,
}

/// Does it.
///
/// # Errors
/// What keeps it from beginning; while it watches, what is wrong with a look is told and tried again.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("pipeline")?;
    if sources.sim.is_some() {
        return Err(Failure::usage("pipeline: simulated hosts build nothing: leave --sim out"));
    }
    let app = AppName::new(request.app);
    let Some(configured) = sources.config.delivery.apps.get(&app) else {
        // Its sentence names the nearest.
        Named::find(&sources.config, request.app)?;
        return Err(Failure::usage(format!("there is no [apps.{app}] in the configuration: a pipeline is of a registered app")));
    };
    let every = request.every.unwrap_or(configured.poll);
    let logins = Logins::of(Layers::from_process(global.flags()).docker_config_dir);
    let _turn = Turn::take(&sources.config.state, &app)?;
    let stop = CancellationToken::new();
    let round = Round { sources: &sources, app: &app, logins: &logins, stop: &stop, format: request.format };
    let mut said = Said::new(app.clone(), request.format);
    wait(async {
        let work = async {
            match request.watch {
                true => watch(&round, &mut said, every).await,
                false => once(&round, &mut said).await,
            }
        };
        tokio::select! {
            done = work => done,
            failure = signalled(&stop) => Err(failure),
        }
    })
}

/// The first signal asks for the end, the second is it.
async fn signalled(stop: &CancellationToken) -> Failure {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else { return Failure::failed("signals cannot be received") };
    any(interrupt, terminate, hangup).await;
    complain("it ends; a deployment that is under way is carried to its end first, and broken off by a second signal");
    stop.cancel();
    any(interrupt, terminate, hangup).await;
    Failure::failed("ended in the middle: quarterdeck deployments tells of what; deployment resume or unwind carries it on")
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal, hangup: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

async fn once(round: &Round<'_>, said: &mut Said) -> Result<Exit, Failure> {
    let done = round.run(said, &mut None).await?;
    if !done.warm.is_empty() {
        complain("the old ones are put away when they have been warm for as long as their strategy says");
        let cooled = join_all(done.warm.iter().map(|plan| cool(round.sources, plan)));
        match round.stop.run_until_cancelled(cooled).await {
            Some(cooled) => cooled.into_iter().collect::<Result<Vec<()>, _>>().map(drop)?,
            None => done.warm.iter().for_each(left_warm),
        }
    }
    Ok(done.exit)
}

fn left_warm(plan: &Plan) {
    complain(&format!("the old ones of {} stay warm: quarterdeck deployment resume {} puts them away", plan.environment, plan.deployment));
}

/// Looks again and again, one look after the other, until somebody wants it to end.
async fn watch(round: &Round<'_>, said: &mut Said, every: Duration) -> Result<Exit, Failure> {
    let mut cooling = FuturesUnordered::new();
    let (mut newest, mut failures) = (None, 0);
    while !round.stop.is_cancelled() {
        let pause = match round.run(said, &mut newest).await {
            Ok(done) => {
                failures = 0;
                cooling.extend(done.warm.into_iter().map(|plan| async { (cool(round.sources, &plan).await, plan) }));
                every
            }
            Err(_) if round.stop.is_cancelled() => break,
            // Nobody reads what it tells.
            Err(failure) if failure.exit() == Exit::DONE => return Err(failure),
            Err(failure) => {
                failures += 1;
                let retry = back_off(every, failures);
                said.tell(What::Error, About { retry: Some(retry), ..About::default() }, &failure.words())?;
                retry
            }
        };
        let next = next_look(round, newest.as_deref(), (every, pause));
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                () = round.stop.cancelled() => break,
                Some((cooled, plan)) = cooling.next(), if !cooling.is_empty() => {
                    if let Err(failure) = cooled {
                        let about = About { environment: Some(&plan.environment), deployment: Some(&plan.deployment), ..About::default() };
                        said.tell(What::Note, about, &format!("the old ones are not put away: {}", failure.words()))?;
                    }
                }
            }
        }
    }
    if !cooling.is_empty() {
        complain("old ones stay warm: quarterdeck deployments names what `deployment resume` puts away");
    }
    Ok(Exit::DONE)
}

/// Twice as long with each failure, but never shorter than between two looks.
fn back_off(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(1 << failures.min(10)).min(LONGEST.max(every))
}

/// Waits for the next look. A longer pause after a failure ends when there is another commit: it may be what mends it.
async fn next_look(round: &Round<'_>, newest: Option<&str>, (every, pause): (Duration, Duration)) {
    let until = Instant::now() + pause;
    loop {
        let now = Instant::now();
        if now >= until {
            return;
        }
        tokio::time::sleep_until(until.min(now + every)).await;
        let Some(newest) = newest.filter(|_| Instant::now() < until) else { continue };
        let Ok(source) = Named::find(&round.sources.config, round.app.as_str()) else { continue };
        match source.newest(&round.sources.config).await {
            Ok(commit) if commit.sha != newest => return,
            Ok(_) => {}
            Err(failure) => tracing::info!(reason = %failure.words(), "the repository was asked in vain"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_seldom() {
        let seconds = Duration::from_secs;
        for (every, failures, expected) in [(30, 1, 60), (30, 2, 120), (30, 9, 900), (30, 99, 900), (3600, 3, 3600)] {
            assert_eq!(back_off(seconds(every), failures), seconds(expected), "{every} {failures}");
        }
    }
}
