//! Whether a run that says that it is under way is: one that breathes writes into the ledger every few seconds. What has been silent for too
//! long is asked for at its locks, by who may read those; nobody is asked twice in a short time.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use crate::{
    cli::{deploy::stage::Stage, desk::Desk},
    delivery::release::DeploymentId,
    ledger::Deployment,
    rights::Rights,
    run::{STALE, Sign, find_locks},
};

/// What the locks told holds for so long.
const HOLDS: Duration = Duration::from_secs(30);
/// So long the hosts of one deployment may take to tell.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the locks told.
#[derive(Clone, Debug)]
enum Verdict {
    /// Its run breathes; only the ledger does not hear of it.
    Alive,
    /// Nobody breathes, and who has the lock.
    Dead(Option<Arc<str>>),
}

/// The runs that may be dead.
#[derive(Debug, Default)]
pub(in crate::cli::desk) struct Doubts(RefCell<BTreeMap<DeploymentId, (Instant, Verdict)>>);

impl Doubts {
    /// Since when a run that is said to be under way has been silent, and who has its lock; `None`: it is alive as far as anybody can tell.
    /// `sign`: the last that it wrote.
    pub(super) async fn silent(
        &self,
        desk: &Desk,
        deployment: &Deployment,
        sign: Option<DateTime<Utc>>,
    ) -> Option<(DateTime<Utc>, Option<Arc<str>>)> {
        let since = sign.into_iter().chain(deployment.started).max()?;
        if (Utc::now() - since).to_std().unwrap_or_default() <= STALE {
            self.0.borrow_mut().remove(&deployment.id);
            return None;
        }
        let known = self.0.borrow().get(&deployment.id).filter(|(at, _)| at.elapsed() < HOLDS).map(|(_, verdict)| verdict.clone());
        let verdict = match known {
            Some(verdict) => verdict,
            None => {
                // A host that does not answer in time clears nobody.
                let asked = timeout(PATIENCE, ask(desk, deployment)).await.unwrap_or(Verdict::Dead(None));
                self.0.borrow_mut().insert(deployment.id.clone(), (Instant::now(), asked.clone()));
                asked
            }
        };
        match verdict {
            Verdict::Alive => None,
            Verdict::Dead(holder) => Some((since, holder)),
        }
    }
}

/// Asks the locks. Who may only look cannot read them, and goes by the ledger.
async fn ask(desk: &Desk, deployment: &Deployment) -> Verdict {
    match desk.sources.rights {
        Rights::Act => {}
        Rights::View { .. } => return Verdict::Dead(None),
    }
    let Ok(stage) = Stage::new(&desk.sources, &deployment.app, &deployment.environment, false) else { return Verdict::Dead(None) };
    let mut holder = None;
    for host in &deployment.hosts {
        let Ok(locks) = find_locks(&stage.port, host).await else { continue };
        let Some(lock) = locks.into_iter().find(|lock| lock.mark.deployment.as_ref() == Some(&deployment.id)) else { continue };
        holder = Some(Arc::clone(&lock.mark.holder));
        if Sign::of(&stage.port, host, lock.mark).await.is_ok_and(|sign| sign.is_alive()) {
            return Verdict::Alive;
        }
    }
    Verdict::Dead(holder)
}
