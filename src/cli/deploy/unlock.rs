//! `unlock`: takes away the lock of a run that nobody will carry on. One that gives signs of life is its holder's.

use futures_util::future::join_all;

use super::{aim::Aim, history::History, stage::Stage};
use crate::{
    cli::{
        args::Global,
        build::Fresh,
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
        out,
    },
    delivery::observed::Sight,
    ledger::audit::Target,
    run::{Port as _, PortError, Sign},
};

/// Removes it by its id: one that somebody takes in the same moment stays.
///
/// # Errors
/// A lock that is alive, with its holder; hosts that do not answer.
pub(in crate::cli) fn run(global: &Global, app: &str, environment: &str, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("unlock")?;
    let aim = wait(Aim::of(&sources.config, app, environment, Fresh::LastKnown))?;
    let history = History::of(&sources)?;
    wait(async {
        let stage = Stage::new(&sources, &aim.app, &aim.environment, false)?;
        let observed = stage.observe(&aim.policy).await;
        let (mut locks, mut silent) = (Vec::new(), 0);
        for (host, sight) in &observed.hosts {
            match sight {
                Sight::Seen(view) => locks.extend(view.lock.clone().map(|mark| (host, mark))),
                Sight::Lost(why) => {
                    out::complain(&format!("host {:?}: no answer: {why}", host.as_str()));
                    silent += 1;
                }
            }
        }
        let port = &stage.port;
        let looks = locks.into_iter().map(|(host, mark)| async move { Sign::of(port, host, mark).await.map_err(|error| (host, error)) });
        let signs: Result<Vec<_>, _> = join_all(looks).await.into_iter().collect();
        let signs = signs.map_err(|(host, error)| Failure::incomplete(format!("host {:?}: {error}", host.as_str())))?;
        if let Some(alive) = signs.iter().find(|sign| sign.is_alive()) {
            return Err(Failure::locked(alive.clone().taken()));
        }
        let exit = if silent == 0 { Exit::DONE } else { Exit::INCOMPLETE };
        if signs.is_empty() {
            out::print(&format!("{app} in {environment}: is not locked\n"))?;
            return Ok(exit);
        }
        let target = Target { name: format!("{app} in {environment}"), id: String::new() };
        let whose: Vec<_> = signs.iter().map(|sign| format!("{}: {}", sign.host, sign.mark.holder)).collect();
        let work = async {
            for sign in &signs {
                remove(&stage, sign).await?;
            }
            Ok(exit)
        };
        history.told("environment.unlock", target, (reason, &whose.join("\n")), work).await
    })
}

async fn remove(stage: &Stage, sign: &Sign) -> Result<(), Failure> {
    let (host, mark) = (&sign.host, &sign.mark);
    match stage.port.remove(host, &mark.id).await {
        Ok(()) | Err(PortError::Gone(_)) => {}
        Err(error) => return Err(Failure::failed(format!("host {:?}: {error}", host.as_str()))),
    }
    let run = mark.deployment.as_ref().map(|id| format!(", deployment {id}")).unwrap_or_default();
    out::print(&format!("host {:?}: the lock of {} since {} is gone{run}\n", host.as_str(), mark.holder, mark.since))?;
    if let Some(id) = &mark.deployment {
        out::complain(&format!("what deployment {id} had begun stands as it was left: quarterdeck deployment resume {id}, or unwind {id}"));
    }
    Ok(())
}
