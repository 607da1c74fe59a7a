//! The lock of one app in one environment: a never started container on every target host, whose name only one can have.
//!
//! Its id is the fencing token: who finds another's id, or none, stops. Plan, journal and heartbeat lie in it as files, so that any console can
//! read from the hosts alone what a dead run was doing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::join_all;
use thiserror::Error;

use super::{
    failure::{Failure, FailureKind},
    journal::{self, Entry},
    port::{MarkOrder, Port, PortError},
};
use crate::{
    delivery::{
        observed::{HostView, Mark},
        release::{DeploymentId, Names, label},
    },
    fleet::{AppName, ContainerId, ContainerSummary, EnvironmentId, HostId},
};

/// A heartbeat older than this is a dead run's, as far as anyone can tell.
pub const STALE: Duration = Duration::from_secs(60);

/// The files in a lock.
const PLAN: &str = "plan.jsonl";
const JOURNAL: &str = "journal.jsonl";
const HEARTBEAT: &str = "heartbeat";

/// Who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `alice@jump-01 (pid 4711)`.
    pub who: Arc<str>,
    /// Drawn anew by every run, so that it knows its own lock again after an answer was lost.
    pub nonce: Arc<str>,
}

/// Why there is no lock.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("locked by {} on host {host:?} since {}{}: wait, or resume, unwind or unlock it", .mark.holder, .mark.since, beat(.heartbeat.as_ref()))]
    Taken {
        /// Where it was seen first.
        host: HostId,
        /// Whose.
        mark: Box<Mark>,
        /// How old its last sign of life is, by the engine's clock.
        heartbeat: Option<Duration>,
    },
    /// A host does not give one.
    #[error("host {host:?} gives no lock: {reason}")]
    NotGiven {
        /// Which.
        host: HostId,
        /// In its words.
        reason: String,
    },
}

fn beat(age: Option<&Duration>) -> String {
    match age {
        Some(age) if *age > STALE => format!(", silent for {} s", age.as_secs()),
        Some(_) => ", alive".to_owned(),
        None => String::new(),
    }
}

/// The locks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The fencing token of each host.
    pub tokens: BTreeMap<HostId, ContainerId>,
}

/// What locks are made for.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) names: Names<'a>,
    pub(super) deployment: &'a DeploymentId,
    pub(super) holder: &'a Holder,
}

const NONCE: &str = "quarterdeck.run";

impl Claim<'_> {
    fn order(&self, now: DateTime<Utc>) -> MarkOrder {
        let text = |text: &dyn std::fmt::Display| -> Arc<str> { text.to_string().into() };
        let labels = [
            (label::APP, text(&self.names.app)),
            (label::ENVIRONMENT, text(&self.names.environment)),
            (label::KIND, "lock".into()),
            (label::DEPLOYMENT, text(self.deployment)),
            (label::HOLDER, Arc::clone(&self.holder.who)),
            (NONCE, Arc::clone(&self.holder.nonce)),
            (label::AT, now.to_rfc3339_opts(SecondsFormat::Secs, true).into()),
        ];
        MarkOrder { name: self.names.lock(), labels: labels.into_iter().map(|(key, value)| (Arc::from(key), value)).collect() }
    }

    /// Takes the lock on all of these hosts or on none. With `over` a lock of the same deployment is taken over, which exactly one can do: it
    /// is removed by its id first.
    pub(super) async fn acquire<P: Port>(&self, port: &P, hosts: &[HostId], over: bool) -> Result<Held, LockError> {
        let mut held = Held::default();
        // By name, all of them: two who want the same hosts meet at the first.
        for host in hosts {
            match self.one(port, host, over).await {
                Ok(id) => drop(held.tokens.insert(host.clone(), id)),
                Err(error) => {
                    // What was taken over belongs to this deployment and stays: nobody else may begin on it.
                    if !over {
                        held.release(port).await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    async fn one<P: Port>(&self, port: &P, host: &HostId, over: bool) -> Result<ContainerId, LockError> {
        let not_given = |error: PortError| LockError::NotGiven { host: host.clone(), reason: error.to_string() };
        let mut removed = false;
        loop {
            let made = port.mark(host, &self.order(port.now())).await;
            match made {
                Ok(id) => return Ok(id),
                // The answer to our own request may have been lost: the look that follows tells.
                Err(PortError::NameTaken(_) | PortError::Away(_)) => {}
                Err(error) => return Err(not_given(error)),
            }
            let all = port.containers(host).await.map_err(not_given)?;
            let ours = |id: &ContainerId| all.iter().any(|found| found.id == *id && found.labels.get(NONCE) == Some(&self.holder.nonce));
            let view = HostView::read(self.names, None, &all, &[]);
            let Some(mark) = view.lock else {
                // It went in between, or it is somebody else's container.
                if view.foreign.contains(&self.names.lock()) {
                    let reason = format!("a container named {} is there without our labels: remove it", self.names.lock());
                    return Err(LockError::NotGiven { host: host.clone(), reason });
                }
                continue;
            };
            if ours(&mark.id) {
                return Ok(mark.id);
            }
            if over && !removed && mark.deployment.as_ref() == Some(self.deployment) {
                match port.remove(host, &mark.id).await {
                    Ok(()) => removed = true,
                    // Another was quicker, or it is gone: the next look tells.
                    Err(PortError::Gone(_)) => removed = true,
                    Err(error) => return Err(not_given(error)),
                }
                continue;
            }
            let heartbeat = age(port, host, &mark.id).await;
            return Err(LockError::Taken { host: host.clone(), mark: Box::new(mark), heartbeat });
        }
    }
}

/// How long ago a lock's holder gave its last sign of life, which taking the lock is, too; `None` when nobody can tell.
pub(super) async fn age<P: Port>(port: &P, host: &HostId, id: &ContainerId) -> Option<Duration> {
    let then = match port.get(host, id, HEARTBEAT).await.ok()? {
        Some(file) => DateTime::parse_from_rfc3339(std::str::from_utf8(&file).ok()?.trim()).ok()?.with_timezone(&Utc),
        None => port.containers(host).await.ok()?.into_iter().find(|found| found.id == *id)?.created,
    };
    let now = port.engine_time(host).await.ok()?;
    Some((now - then).to_std().unwrap_or_default())
}

/// A lock as it stands on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Where.
    pub host: HostId,
    /// Whose, for what.
    pub mark: Mark,
    /// Since its holder's last sign of life, or, where it gave none yet, since it was taken; by the engine's clock. `None`: nobody can tell.
    pub silence: Option<Duration>,
}

impl Sign {
    /// Reads a lock that was seen.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn of<P: Port>(port: &P, host: &HostId, mark: Mark) -> Result<Self, PortError> {
        let silence = match age(port, host, &mark.id).await {
            Some(age) => Some(age),
            None => {
                let now = port.engine_time(host).await?;
                let since = DateTime::parse_from_rfc3339(&mark.since).ok();
                since.map(|since| (now - since.with_timezone(&Utc)).to_std().unwrap_or_default())
            }
        };
        Ok(Self { host: host.clone(), mark, silence })
    }

    /// Whether somebody may still be at it, as far as anyone can tell.
    pub fn is_alive(&self) -> bool {
        self.silence.is_some_and(|silence| silence <= STALE)
    }

    /// Why nobody else gets it.
    pub fn taken(self) -> LockError {
        LockError::Taken { host: self.host, mark: Box::new(self.mark), heartbeat: self.silence }
    }
}

/// A deployment's lock that was found without knowing of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLock {
    /// Where.
    pub host: HostId,
    /// The product.
    pub app: AppName,
    /// Where to.
    pub environment: EnvironmentId,
    /// Whose.
    pub mark: Mark,
}

/// The locks of all apps on a host.
///
/// # Errors
/// When the host does not answer.
pub async fn find_locks<P: Port>(port: &P, host: &HostId) -> Result<Vec<FoundLock>, PortError> {
    let all = port.containers(host).await?;
    let lock = |container: &ContainerSummary| {
        let label = |key: &str| container.labels.get(key).filter(|text| !text.is_empty());
        let (app, environment) = (AppName::new(&**label(label::APP)?), EnvironmentId::new(&**label(label::ENVIRONMENT)?));
        let names = Names { app: &app, environment: &environment };
        let mark = HostView::read(names, None, std::slice::from_ref(container), &[]).lock?;
        Some(FoundLock { host: host.clone(), app, environment, mark })
    };
    Ok(all.iter().filter_map(lock).collect())
}

impl Held {
    /// Whether this host's lock is still ours.
    pub(super) async fn check<P: Port>(&self, port: &P, host: &HostId) -> Result<(), Failure> {
        let Some(token) = self.tokens.get(host) else {
            return Err(Failure::new(FailureKind::Fenced, format!("there is no lock on host {host:?}")));
        };
        match port.life(host, token).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Failure::new(FailureKind::Fenced, format!("the lock on host {host:?} was taken away"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts one host's journal into its lock, and the plan where it is not there yet.
    pub(super) async fn put_journal<P: Port>(&self, port: &P, host: &HostId, plan: &[Entry], rows: &[Entry]) -> Result<(), PortError> {
        let Some(token) = self.tokens.get(host) else { return Ok(()) };
        let (plan, rows) = ((!plan.is_empty()).then(|| journal::write(plan)), journal::write(rows));
        let plan = plan.as_deref().map(|text| (PLAN, text));
        port.put(host, token, &plan.into_iter().chain([(JOURNAL, rows.as_slice())]).collect::<Vec<_>>()).await
    }

    /// Gives a sign of life on every host. One that is away for a moment gets the next; one whose lock is gone ends the run.
    pub(super) async fn beat<P: Port>(&self, port: &P) -> Result<(), Failure> {
        let beats = self.tokens.iter().map(|(host, token)| async move {
            let beaten = match port.engine_time(host).await {
                Ok(now) => port.put(host, token, &[(HEARTBEAT, now.to_rfc3339().as_bytes())]).await,
                Err(error) => Err(error),
            };
            (host, beaten)
        });
        // A host that is slow must not make the others look dead.
        for (host, beaten) in join_all(beats).await {
            if matches!(beaten, Err(PortError::Gone(_))) {
                return Err(Failure::new(FailureKind::Fenced, format!("the lock on host {host:?} was taken away")));
            }
        }
        Ok(())
    }

    /// Gives the locks back; the answer names hosts where that did not work.
    pub(super) async fn release<P: Port>(&self, port: &P) -> Vec<(HostId, PortError)> {
        let removals = self.tokens.iter().map(|(host, token)| async move { (host, port.remove(host, token).await) });
        let left = join_all(removals).await.into_iter().filter_map(|(host, removed)| match removed {
            Ok(()) | Err(PortError::Gone(_)) => None,
            Err(error) => Some((host.clone(), error)),
        });
        left.collect()
    }
}

/// A run's journal from the hosts alone, for a console that has no records of it: each host knows of its own steps, and all of the rest.
///
/// # Errors
/// The first host that does not answer; one without a lock tells nothing and is no error.
pub async fn read_journal<P: Port>(port: &P, names: Names<'_>, hosts: &[HostId]) -> Result<Vec<Entry>, (HostId, PortError)> {
    let mut rows: BTreeMap<u64, Entry> = BTreeMap::new();
    for host in hosts {
        let fault = |error| (host.clone(), error);
        let all = port.containers(host).await.map_err(fault)?;
        let Some(mark) = HostView::read(names, None, &all, &[]).lock else { continue };
        for file in [PLAN, JOURNAL] {
            let text = port.get(host, &mark.id, file).await.map_err(fault)?;
            rows.extend(journal::read(&text.unwrap_or_default()).into_iter().map(|entry| (entry.seq, entry)));
        }
    }
    Ok(rows.into_values().collect())
}
