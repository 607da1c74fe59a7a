//! A deployment from the hosts alone: plan and journal lie in its locks, so that whoever has another ledger can look at a run, carry it on when it is
//! dead, or take it back.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;

use super::{history::History, stage::Stage};
use crate::{
    cli::{exit::Failure, fleet::Sources, out},
    delivery::{
        plan::Plan,
        release::{DeploymentId, Names},
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::Deployment,
    rights::Rights,
    run::{
        FoundLock, Records as _, RunError, Sign, find_locks,
        journal::{Entry, Progress, beginning},
        read_journal,
    },
};

/// What the locks of a deployment tell.
pub(in crate::cli) struct Sought {
    pub(in crate::cli) id: DeploymentId,
    /// Its journal, as far as the hosts that answer have it.
    pub(in crate::cli) entries: Vec<Entry>,
    /// Who holds it.
    pub(in crate::cli) holder: Arc<str>,
    /// Its run's sign of life, where there is a fresh one.
    pub(in crate::cli) alive: Option<Sign>,
    hosts: Vec<HostId>,
}

/// Looks for a deployment in the locks of all hosts; `None`: none of them has it.
///
/// # Errors
/// When its number is that of several; when hosts that might have it do not answer.
pub(in crate::cli) async fn seek(sources: &Sources, text: &str) -> Result<Option<Sought>, Failure> {
    // Reading files out of a container is more than looking.
    if !matches!(sources.rights, Rights::Act) || sources.targets.is_empty() {
        return Ok(None);
    }
    // Which app it is of shows in the lock; until then it is any.
    let stage = Stage::new(sources, &AppName::new("any"), &EnvironmentId::new("any"), false)?;
    let port = &stage.port;
    let looks = stage.known.iter().map(|host| async move { (host, find_locks(port, host).await) });
    let (mut found, mut silent): (Vec<FoundLock>, Vec<String>) = (Vec::new(), Vec::new());
    for (host, locks) in join_all(looks).await {
        match locks {
            Ok(locks) => found.extend(locks.into_iter().filter(|lock| is_named(lock, text))),
            Err(error) => silent.push(format!("host {:?}: {error}", host.as_str())),
        }
    }
    let ids: BTreeSet<_> = found.iter().filter_map(|lock| lock.mark.deployment.clone()).collect();
    let (Some(first), Some(id)) = (found.first(), ids.first()) else {
        return match silent.is_empty() {
            true => Ok(None),
            false => Err(Failure::incomplete(format!(
                "deployment {text} is not in the ledger, and hosts that may know it do not answer: {}",
                silent.join("; ")
            ))),
        };
    };
    if ids.len() > 1 {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("{text} is the number of several deployments: {}", ids.join(", "))));
    }
    let hosts: Vec<HostId> = found.iter().map(|lock| lock.host.clone()).collect();
    let names = Names { app: &first.app, environment: &first.environment };
    let entries = read_journal(&stage.port, names, &hosts).await;
    let entries = entries.map_err(|(host, error)| Failure::incomplete(format!("host {:?}: {error}", host.as_str())))?;
    silent.iter().for_each(|line| out::complain(line));
    let mut alive = None;
    for lock in found.iter().filter(|lock| lock.mark.deployment.as_ref() == Some(id)) {
        // A host that is away by now tells nothing either way.
        alive = alive.or(Sign::of(port, &lock.host, lock.mark.clone()).await.ok().filter(Sign::is_alive));
    }
    Ok(Some(Sought { id: id.clone(), entries, holder: Arc::clone(&first.mark.holder), alive, hosts }))
}

fn is_named(lock: &FoundLock, text: &str) -> bool {
    lock.mark.deployment.as_ref().is_some_and(|id| id.to_string() == text || id.number.to_string() == text)
}

/// A deployment from the ledger; one that it does not know is taken over from the hosts into it, and one that it knows is brought up to what the
/// hosts know, so that whoever carries it on does not begin where somebody else's copy ended. A run that lives elsewhere stays there, unless `alive`
/// says that a person knows better.
///
/// # Errors
/// When neither has it; when its run is alive.
pub(super) async fn known(
    sources: &Sources,
    history: &History,
    text: &str,
    alive: bool,
    say: &dyn Fn(&str),
) -> Result<Deployment, Failure> {
    if let Some(found) = history.find(text).await? {
        catch_up(sources, history, &found.id, say).await?;
        return Ok(found);
    }
    let absent = || Failure::usage(format!("there is no deployment {text:?}, neither in the ledger nor on a host"));
    let sought = seek(sources, text).await?.ok_or_else(absent)?;
    if beginning(&sought.entries).is_none() {
        let hosts: Vec<_> = sought.hosts.iter().map(HostId::as_str).collect();
        return Err(Failure::failed(format!(
            "deployment {}: its lock on {} tells of no plan, so nothing was begun: quarterdeck unlock",
            sought.id,
            hosts.join(", ")
        )));
    }
    if let Some(sign) = sought.alive.filter(|_| !alive) {
        let seconds = sign.silence.unwrap_or_default().as_secs();
        return Err(Failure::locked(RunError::Alive { deployment: sought.id, host: sign.host, seconds }));
    }
    history.records().append(&sought.id, &sought.entries).await.map_err(Failure::failed)?;
    let hosts: Vec<_> = sought.hosts.iter().map(HostId::as_str).collect();
    say(&format!("deployment {} was in another's ledger: read from {}, held by {}", sought.id, hosts.join(", "), sought.holder));
    history.deployment(&sought.id).await
}

/// Adds what stands in the locks and not yet in the ledger.
async fn catch_up(sources: &Sources, history: &History, id: &DeploymentId, say: &dyn Fn(&str)) -> Result<(), Failure> {
    let entries = history.journal(id).await?;
    let Some((Plan { app, environment, hosts, .. }, _)) = beginning(&entries) else { return Ok(()) };
    let stage = Stage::new(sources, app, environment, false)?;
    let next = Progress::of(&entries).next;
    for host in hosts {
        // One that does not answer, or whose lock is another's, has nothing to add.
        let Ok(locks) = find_locks(&stage.port, host).await else { continue };
        if !locks.iter().any(|lock| lock.mark.deployment.as_ref() == Some(id)) {
            return Ok(());
        }
    }
    match read_journal(&stage.port, Names { app, environment }, hosts).await {
        Ok(mut rows) => {
            rows.retain(|row| row.seq >= next);
            if !rows.is_empty() {
                history.records().append(id, &rows).await.map_err(Failure::failed)?;
                say(&format!("deployment {id}: another has carried it on since: {} more rows are read from the hosts", rows.len()));
            }
            Ok(())
        }
        // Whoever carries it on needs the host, and is told then.
        Err(_) => Ok(()),
    }
}
