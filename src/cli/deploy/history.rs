//! What was deployed before, out of the ledger; and the deployment that is asked for now, into it.

use std::{sync::Arc, time::Duration};

use super::planned;
use crate::{
    build::Builds as _,
    cli::{
        deed,
        deployments::Page,
        exit::{Exit, Failure},
        fleet::Sources,
    },
    delivery::{
        observed::Observed,
        plan::Plan,
        release::{DeploymentId, Release, ReleaseId},
        template::Template,
    },
    fleet::{AppName, EnvironmentId},
    ledger::{
        AppBuild, Asked, Deployment, DeploymentFilter, Freeze, Ledger, LedgerError, Look, RunRecords, Stamp, StateDir, UnderWay,
        audit::{Intent, Outcome, Target, Who},
    },
    run::{
        Order, Records as _,
        journal::{Entry, State},
    },
};

/// So many of an environment's last deployments are looked through for one that did something.
const LOOKED_THROUGH: u32 = 20;
/// From so many of the last good ones it is told how long the next will take.
const LATELY: u32 = 5;

/// The ledger, as deployments need it.
pub(in crate::cli) struct History {
    ledger: Ledger,
    records: RunRecords,
}

fn fault(error: LedgerError) -> Failure {
    Failure::failed(error)
}

/// Where there is no ledger yet, nothing was deployed.
fn or_nothing<T: Default>(result: Result<T, LedgerError>) -> Result<T, Failure> {
    match result {
        Ok(found) => Ok(found),
        Err(LedgerError::Absent { .. }) => Ok(T::default()),
        Err(error) => Err(fault(error)),
    }
}

impl History {
    /// The one that the configuration names.
    pub(in crate::cli) fn of(sources: &Sources) -> Result<Self, Failure> {
        let ledger = sources.ledger()?;
        let records = ledger.records(StateDir::at(&sources.config.state));
        Ok(Self { ledger, records })
    }

    /// The ledger itself, for what only reads it.
    pub(in crate::cli) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(in crate::cli) fn records(&self) -> &RunRecords {
        &self.records
    }

    /// A deployment by its id or number; `None`: the ledger does not know it.
    pub(in crate::cli) async fn find(&self, text: &str) -> Result<Option<Deployment>, Failure> {
        match self.ledger.deployments().find(text).await {
            Ok(found) => Ok(Some(found)),
            Err(LedgerError::NoDeployment(_) | LedgerError::Absent { .. }) => Ok(None),
            Err(error) => Err(deed::failure(error)),
        }
    }

    /// Its journal.
    pub(in crate::cli) async fn journal(&self, id: &DeploymentId) -> Result<Vec<Entry>, Failure> {
        self.records.load(id).await.map_err(Failure::failed)
    }

    /// Its journal from this row on.
    pub(super) async fn since(&self, id: &DeploymentId, seq: u64) -> Result<Vec<Entry>, Failure> {
        self.records.since(id, seq).await.map_err(Failure::failed)
    }

    /// How it stands, with its journal from this row on and what its run is at.
    pub(in crate::cli) async fn look(&self, id: &DeploymentId, seq: u64) -> Result<Look, Failure> {
        self.records.look(id, seq).await.map_err(deed::failure)
    }

    /// What has not come to its end, at most so many.
    pub(in crate::cli) async fn under_way(&self, limit: u32) -> Result<Vec<UnderWay>, Failure> {
        or_nothing(self.ledger.deployments().under_way(limit).await)
    }

    /// Differs from the last one when something may have been written since; `None`: only a question tells.
    pub(in crate::cli) fn stamp(&self) -> Option<Stamp> {
        self.ledger.stamp()
    }

    /// How long the last good ones took there, newest first.
    pub(in crate::cli) async fn lately(&self, app: &AppName, environment: &EnvironmentId) -> Result<Vec<Duration>, Failure> {
        let filter = DeploymentFilter {
            app: Some(app.clone()),
            environment: Some(environment.clone()),
            state: Some(State::Good),
            limit: LATELY,
            ..DeploymentFilter::default()
        };
        let past = or_nothing(self.ledger.deployments().list(filter).await)?;
        Ok(past.iter().filter_map(|past| (past.finished? - past.started?).to_std().ok()).collect())
    }

    /// The plan that stands in the ledger.
    pub(in crate::cli) async fn plan(&self, id: &DeploymentId) -> Result<Option<Plan>, Failure> {
        self.ledger.deployments().plan(id).await.map_err(fault)
    }

    /// Tells the run of a deployment something, in the name of who runs this process.
    pub(in crate::cli) async fn order(&self, id: &DeploymentId, order: Order, reason: &str) -> Result<(), Failure> {
        let who = Who::of_process();
        let action = match order {
            Order::GoOn => "deployment.go-on",
            Order::Park => "deployment.park",
            Order::Unwind => "deployment.unwind",
        };
        let (orders, name) = (self.ledger.orders(), who.short());
        let work = orders.give(id, order, &name, reason);
        deed::Deed { action, target: id.to_string(), reason }.perform(&self.ledger, &who, work).await
    }

    /// A deployment as one object: what `deployment show` gives, and the plan in its parts.
    pub(super) async fn page(&self, id: &DeploymentId) -> Result<String, Failure> {
        let deployment = self.deployment(id).await?;
        let plan = self.plan(id).await?;
        planned::page(&Page::load(&self.ledger, &self.records, &deployment).await?, plan.as_ref())
    }

    /// The version that was good somewhere last.
    pub(super) async fn good_version(&self, app: &AppName, environment: &EnvironmentId) -> Result<Arc<str>, Failure> {
        let good = or_nothing(self.ledger.deployments().good(app, environment).await)?;
        let newest = good.into_iter().next();
        let found = newest.ok_or_else(|| {
            let remedy = format!("deploy one there, or name it: quarterdeck deploy {app} ENV --release R");
            Failure::usage(format!("no release of {app} was good in {environment}, as far as the ledger tells: {remedy}"))
        })?;
        Ok(found.release.version)
    }

    /// Whether a later deployment is good there: what this one kept is its business then.
    pub(in crate::cli) async fn is_superseded(&self, plan: &Plan) -> Result<bool, Failure> {
        let good = or_nothing(self.ledger.deployments().good(&plan.app, &plan.environment).await)?;
        Ok(good.first().is_some_and(|newest| newest.deployment != plan.deployment))
    }

    pub(in crate::cli) async fn reserve(&self) -> Result<DeploymentId, Failure> {
        self.ledger.deployments().next_id().await.map_err(fault)
    }

    /// Records the release, and that somebody asks for this plan.
    pub(in crate::cli) async fn ask(&self, plan: &Plan, release: &Release, needed: u32) -> Result<(), Failure> {
        let by = Who::of_process().short();
        self.ledger.releases().record(release.clone(), &by).await.map_err(fault)?;
        self.ledger.deployments().open(Asked { plan: plan.clone(), by, needed }).await.map_err(fault)
    }

    /// Carries something out between its two rows of the audit; without the first nothing is done.
    pub(super) async fn audited(
        &self,
        action: &str,
        plan: &Plan,
        work: impl Future<Output = Result<Exit, Failure>>,
    ) -> Result<Exit, Failure> {
        let target = Target { name: format!("{} in {}", plan.app, plan.environment), id: plan.deployment.to_string() };
        let argument = plan.options.override_reason.as_deref().or(plan.options.reason.as_deref()).unwrap_or_default();
        self.told(action, target, (argument, &plan.headline()), work).await
    }

    /// The same for what is no plan's.
    pub(super) async fn told(
        &self,
        action: &str,
        target: Target,
        (argument, plan): (&str, &str),
        work: impl Future<Output = Result<Exit, Failure>>,
    ) -> Result<Exit, Failure> {
        let intent = Intent {
            who: Who::of_process(),
            action: action.to_owned(),
            host: String::new(),
            target,
            argument: argument.to_owned(),
            plan: plan.to_owned(),
        };
        let audit = self.ledger.audit();
        let entry = audit.begin(intent).await.map_err(fault)?;
        let done = work.await;
        let outcome = match &done {
            Ok(exit) if *exit == Exit::DONE || *exit == Exit::INCOMPLETE => Outcome::done(""),
            Ok(_) => Outcome::failed("the journal tells why"),
            Err(failure) => Outcome::failed(failure.clone().words()),
        };
        audit.finish(entry, outcome).await.map_err(fault)?;
        done
    }

    /// The audit's head, as it is noted on what we start; empty where there is none yet.
    pub(super) async fn head(&self) -> Result<String, Failure> {
        Ok(or_nothing(self.ledger.audit().head().await)?.map(|head| head.to_string()).unwrap_or_default())
    }

    /// Whether nothing may be deployed there now, by whose word.
    pub(super) async fn freeze(&self, app: &AppName, environment: &EnvironmentId) -> Result<Option<Freeze>, Failure> {
        or_nothing(self.ledger.freezes().of(app, environment).await)
    }

    /// A deployment as it stands.
    pub(in crate::cli) async fn deployment(&self, id: &DeploymentId) -> Result<Deployment, Failure> {
        self.ledger.deployments().find(&id.to_string()).await.map_err(fault)
    }

    /// Puts another plan in the place of that of a deployment that waits.
    pub(super) async fn replan(&self, plan: &Plan) -> Result<(), Failure> {
        self.ledger.deployments().replan(plan.clone()).await.map_err(fault)
    }

    /// Whether this release was good there.
    pub(super) async fn was_good(&self, app: &AppName, environment: &EnvironmentId, release: &ReleaseId) -> Result<bool, Failure> {
        let good = or_nothing(self.ledger.deployments().good(app, environment).await)?;
        Ok(good.iter().any(|good| good.release == *release))
    }

    /// Whether a build was good there, with any configuration.
    pub(super) async fn is_build_good(&self, app: &AppName, environment: &EnvironmentId, version: &str) -> Result<bool, Failure> {
        or_nothing(self.ledger.deployments().is_good(app, environment, version).await)
    }

    /// What was recorded of a version: its spec and digests, with the newest of its configurations.
    pub(super) async fn version(&self, app: &AppName, version: &str) -> Result<Option<Release>, Failure> {
        or_nothing(self.ledger.releases().find(app, version).await)
    }

    /// A release of an app that was recorded.
    pub(in crate::cli) async fn release(&self, app: &AppName, id: &ReleaseId) -> Result<Option<Release>, Failure> {
        or_nothing(self.ledger.releases().find(app, &id.to_string()).await)
    }

    /// The build of a version, as it was recorded.
    pub(super) async fn build(&self, app: &AppName, version: &str) -> Result<Option<AppBuild>, Failure> {
        or_nothing(self.ledger.app_builds().find(app, version).await)
    }

    /// Bytes that an image takes unpacked, where it was built here.
    pub(super) async fn size(&self, image: &str) -> Option<u64> {
        // What is not known is not counted.
        self.ledger.builds().size(image).await.ok().flatten()
    }

    /// The version that was built last.
    pub(super) async fn newest(&self, template: &Template) -> Result<Option<Arc<str>>, Failure> {
        let spec = &template.spec;
        if let Some(build) = or_nothing(self.ledger.app_builds().newest(&spec.app).await)?.into_iter().next() {
            return Ok(Some(build.version));
        }
        let Some(image) = spec.images.keys().next() else { return Ok(None) };
        let repository = format!("{}/{}/{image}", spec.registry, spec.app);
        let last = self.ledger.builds().last(&repository).await.map_err(|error| Failure::failed(error.to_string()))?;
        Ok(last.map(|built| built.version))
    }

    /// The release to go back to: as named, or the last good one before the one that is there. One that is named and was never good there is taken
    /// too; what the policy asks of it is asked then.
    pub(super) async fn way_back(&self, app: &AppName, environment: &EnvironmentId, asked: Option<&str>) -> Result<Release, Failure> {
        let good = or_nothing(self.ledger.deployments().good(app, environment).await)?;
        let found = match asked {
            Some(asked) => good.iter().find(|good| good.release.to_string() == asked || *good.release.version == *asked),
            None => good.iter().find(|older| good.first().is_some_and(|now| now.release != older.release)),
        };
        let release = match (found, asked) {
            (Some(found), _) => self.release(app, &found.release).await?,
            (None, Some(asked)) => self.version(app, asked).await?,
            (None, None) => {
                let what =
                    format!("no older release was good in {environment} of {app}, as far as the ledger tells: name one with --release");
                return Err(Failure::usage(what));
            }
        };
        let named = || asked.map_or_else(|| found.map(|found| found.release.to_string()).unwrap_or_default(), str::to_owned);
        release.ok_or_else(|| Failure::usage(format!("release {} of {app} is not in the ledger: quarterdeck releases {app}", named())))
    }

    /// The last deployment that was begun there: one that never was did nothing, and tells nothing of any host.
    pub(in crate::cli) async fn last_begun(&self, app: &AppName, environment: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        let filter = DeploymentFilter {
            app: Some(app.clone()),
            environment: Some(environment.clone()),
            limit: LOOKED_THROUGH,
            ..DeploymentFilter::default()
        };
        let past = or_nothing(self.ledger.deployments().list(filter).await)?;
        Ok(past.into_iter().find(|past| past.started.is_some()))
    }

    /// Hosts that the last deployment there went on without, and those on which it failed.
    pub(super) async fn note_owed(&self, observed: &mut Observed, app: &AppName, environment: &EnvironmentId) -> Result<(), Failure> {
        if let Some(last) = self.last_begun(app, environment).await? {
            let (failed, owed): (Vec<_>, Vec<_>) = last.owed.into_iter().partition(|host| last.hosts.contains(host));
            observed.owed.extend(owed);
            observed.failed.extend(failed);
            if matches!(last.state, State::Failed | State::Unwound) {
                observed.failed.extend(last.hosts);
            }
        }
        Ok(())
    }
}
