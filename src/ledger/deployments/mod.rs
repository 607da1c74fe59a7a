//! The table of deployments: which release was put where, when, by whom, and what came of it.
//!
//! A row is begun when somebody asks ([`Deployments::open`]), and from then on follows the journal: whoever writes a journal's row moves
//! the deployment's state in the same transaction, so that the two never disagree.

mod table;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;

pub(super) use table::{follow, one, turn_down};

use super::{Ledger, LedgerError};
use crate::{
    delivery::{
        plan::Plan,
        release::{DeploymentId, ReleaseId},
    },
    fleet::{AppName, EnvironmentId, HostId},
    run::journal::State,
};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What is to be done, in full.
    pub plan: Plan,
    /// Who asks, as [`Who::short`](super::audit::Who::short) names them.
    pub by: String,
    /// How many others must say yes first.
    pub needed: u32,
}

/// A deployment put together from what the hosts tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its id.
    pub id: DeploymentId,
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// What was put there.
    pub release: ReleaseId,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub asked: DateTime<Utc>,
    /// Since when it counts as good.
    pub good: DateTime<Utc>,
    /// Where something of it is.
    pub hosts: Vec<HostId>,
}

/// A deployment as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// What was put there.
    pub release: ReleaseId,
    /// What ran there before, on most containers.
    pub from_release: Option<ReleaseId>,
    /// Whether somebody asked for the way back.
    pub rollback: bool,
    /// Why a freeze or a gate was passed over.
    pub override_reason: Option<String>,
    /// How it stands.
    pub state: State,
    /// Who asked for it.
    pub by: String,
    /// How many others must say yes before it begins.
    pub needed: u32,
    /// Who did, in that order.
    pub approved_by: Vec<String>,
    /// When it was asked for.
    pub asked: DateTime<Utc>,
    /// When its run began; `None`: it waits.
    pub started: Option<DateTime<Utc>>,
    /// When it was good, failed or taken back; `None`: it was not yet.
    pub finished: Option<DateTime<Utc>>,
    /// Hosts that take part.
    pub hosts: Vec<HostId>,
    /// Hosts that did not get there.
    pub owed: Vec<HostId>,
    /// Requests that the balancer counted meanwhile.
    pub requests: Option<u64>,
    /// How many of them failed.
    pub failed: Option<u64>,
    /// Of our own requests through the front end, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Why it is not good.
    pub reason: Option<String>,
}

/// A deployment that has not come to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderWay {
    /// As it stands.
    pub deployment: Deployment,
    /// When its run wrote something last, by the clock of who wrote it; `None`: nothing yet.
    pub sign: Option<DateTime<Utc>>,
}

/// The balancer's and our own figures of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Proof {
    /// Requests that the balancer counted.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Of our own requests, in milliseconds; `None`: there were none.
    pub p99_ms: Option<f64>,
}

/// Which deployments; all that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// Of this product.
    pub app: Option<AppName>,
    /// In this environment.
    pub environment: Option<EnvironmentId>,
    /// Asked for by this person.
    pub by: Option<String>,
    /// That stand so.
    pub state: Option<State>,
    /// Asked for at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Asked for before this moment.
    pub until: Option<DateTime<Utc>>,
    /// At most so many, the newest.
    pub limit: u32,
}

impl Default for DeploymentFilter {
    fn default() -> Self {
        Self { app: None, environment: None, by: None, state: None, since: None, until: None, limit: 1000 }
    }
}

/// A release that was good somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The deployment that showed it.
    pub deployment: DeploymentId,
    /// Where.
    pub environment: EnvironmentId,
    /// Which.
    pub release: ReleaseId,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// What an environment ran at some moment, as far as the records know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// The last good deployment before that moment; `None`: none was.
    pub good: Option<Good>,
    /// Deployments since then that were under way, parked, or had failed and were not all taken back.
    pub unsettled: Vec<DeploymentId>,
}

/// The table of deployments, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Deployments {
    ledger: Ledger,
}

impl Deployments {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// An id for a new deployment; nobody else gets it. One that is not used leaves a gap, which hurts nobody.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn next_id(&self) -> Result<DeploymentId, LedgerError> {
        let random =
            random().map_err(|error| LedgerError::Other { place: self.ledger.place(), reason: format!("/dev/urandom: {error}") })?;
        let number = self.ledger.write(|connection| table::next_number(connection).boxed()).await?;
        Ok(DeploymentId::new(number, random))
    }

    /// The number that the next deployment would get, for a plan that is only shown.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn likely_number(&self) -> Result<u64, LedgerError> {
        match self.ledger.read(|connection| table::last_number(connection).boxed()).await {
            Ok(last) => Ok(last + 1),
            Err(LedgerError::Absent { .. }) => Ok(1),
            Err(error) => Err(error),
        }
    }

    /// Records that somebody asks for it. It waits until its run begins.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Taken` when there is one with this id.
    pub async fn open(&self, asked: Asked) -> Result<(), LedgerError> {
        let (now, place) = (Utc::now(), self.ledger.place());
        self.ledger.write(move |connection| async move { table::open(connection, &asked, now, place).await }.boxed()).await
    }

    /// Puts another plan in the place of that of a deployment that waits: answers to the old one do not count any more.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Unfit` when it does not wait.
    pub async fn replan(&self, plan: Plan) -> Result<(), LedgerError> {
        self.ledger.write(move |connection| async move { table::replan(connection, &plan).await }.boxed()).await
    }

    /// Puts one back that was good and is lost; what is there stays as it is. Whether it was lost.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn rebuild(&self, rebuilt: Rebuilt) -> Result<bool, LedgerError> {
        self.ledger.write(move |connection| async move { table::rebuild(connection, &rebuilt).await }.boxed()).await
    }

    /// One by its id, or by its number where only one has it.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `NoDeployment`, `Ambiguous`.
    pub async fn find(&self, text: &str) -> Result<Deployment, LedgerError> {
        let text = text.to_owned();
        self.ledger.read(move |connection| async move { table::find(connection, &text).await }.boxed()).await
    }

    /// Its plan; `None` for one that was put together from labels.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn plan(&self, id: &DeploymentId) -> Result<Option<Plan>, LedgerError> {
        let id = id.to_string();
        self.ledger.read(move |connection| async move { table::plan(connection, &id).await }.boxed()).await
    }

    /// Those that a filter names, newest first.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn list(&self, filter: DeploymentFilter) -> Result<Vec<Deployment>, LedgerError> {
        self.ledger.read(move |connection| async move { table::list(connection, &filter).await }.boxed()).await
    }

    /// Those that wait for their approval, run or stand still, in the order in which they were asked for; at most so many.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn under_way(&self, limit: u32) -> Result<Vec<UnderWay>, LedgerError> {
        self.ledger.read(move |connection| table::under_way(connection, limit).boxed()).await
    }

    /// What was good in an environment, newest first.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn good(&self, app: &AppName, environment: &EnvironmentId) -> Result<Vec<Good>, LedgerError> {
        let (app, environment) = (app.clone(), environment.clone());
        self.ledger.read(move |connection| async move { table::good(connection, app.as_str(), environment.as_str()).await }.boxed()).await
    }

    /// The release that was good there last, other than this one: where a rollback goes when nobody names another.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn last_good(
        &self,
        app: &AppName,
        environment: &EnvironmentId,
        other_than: Option<&ReleaseId>,
    ) -> Result<Option<Good>, LedgerError> {
        let good = self.good(app, environment).await?;
        Ok(good.into_iter().find(|good| other_than != Some(&good.release)))
    }

    /// Whether a build, in any configuration revision, was good there: what `after` asks.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn is_good(&self, app: &AppName, environment: &EnvironmentId, version: &str) -> Result<bool, LedgerError> {
        Ok(self.good(app, environment).await?.iter().any(|good| &*good.release.version == version))
    }

    /// What ran where at a moment, by app and environment.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn standing(&self, at: DateTime<Utc>) -> Result<Vec<Standing>, LedgerError> {
        self.ledger.read(move |connection| table::standing(connection, at).boxed()).await
    }

    /// Records the figures of its requests.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `NoDeployment`.
    pub async fn measure(&self, id: &DeploymentId, proof: Proof) -> Result<(), LedgerError> {
        let id = id.clone();
        self.ledger.write(move |connection| async move { table::measure(connection, &id, proof).await }.boxed()).await
    }
}

/// Keeps two ledgers that count alike apart; no secret.
fn random() -> std::io::Result<u32> {
    use std::io::Read as _;
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
