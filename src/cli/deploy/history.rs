//! What was deployed before, out of the ledger; and the deployment that is asked for now, into it.

use std::sync::Arc;

use crate::{
    build::Builds as _,
    cli::{
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
        AppBuild, Asked, Deployment, DeploymentFilter, Freeze, Ledger, LedgerError, RunRecords, StateDir,
        audit::{Intent, Outcome, Target, Who},
    },
    run::journal::State,
};

/// So many of an environment's last deployments are looked through for one that did something.
const LOOKED_THROUGH: u32 = 20;

/// The ledger, as deployments need it.
pub(super) struct History {
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
    pub(super) fn of(sources: &Sources) -> Result<Self, Failure> {
        let ledger = sources.ledger()?;
        let records = ledger.records(StateDir::at(&sources.config.state));
        Ok(Self { ledger, records })
    }

    pub(super) fn records(&self) -> &RunRecords {
        &self.records
    }

    pub(super) async fn reserve(&self) -> Result<DeploymentId, Failure> {
        self.ledger.deployments().next_id().await.map_err(fault)
    }

    /// Records the release, and that somebody asks for this plan.
    pub(super) async fn ask(&self, plan: &Plan, release: &Release, needed: u32) -> Result<(), Failure> {
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
        let intent = Intent {
            who: Who::of_process(),
            action: action.to_owned(),
            host: String::new(),
            target: Target { name: format!("{} in {}", plan.app, plan.environment), id: plan.deployment.to_string() },
            argument: plan.options.override_reason.as_deref().unwrap_or_default().to_owned(),
            plan: plan.headline(),
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
    pub(super) async fn deployment(&self, id: &DeploymentId) -> Result<Deployment, Failure> {
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
    pub(super) async fn release(&self, app: &AppName, id: &ReleaseId) -> Result<Option<Release>, Failure> {
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

    /// The release to go back to: as named, or the last good one before the one that is there.
    pub(super) async fn way_back(&self, app: &AppName, environment: &EnvironmentId, asked: Option<&str>) -> Result<Release, Failure> {
        let good = or_nothing(self.ledger.deployments().good(app, environment).await)?;
        let found = match asked {
            Some(asked) => good.iter().find(|good| good.release.to_string() == asked || *good.release.version == *asked),
            None => good.iter().find(|older| good.first().is_some_and(|now| now.release != older.release)),
        };
        let what = asked.unwrap_or("an older release");
        let found =
            found.ok_or_else(|| Failure::usage(format!("{what} was not good in {environment} of {app} as far as the ledger tells")))?;
        let release = self.release(app, &found.release).await?;
        release.ok_or_else(|| Failure::failed(format!("release {} of {app} is not in the ledger", found.release)))
    }

    /// Hosts that the last deployment there went on without, and those on which it failed.
    pub(super) async fn note_owed(&self, observed: &mut Observed, app: &AppName, environment: &EnvironmentId) -> Result<(), Failure> {
        let filter = DeploymentFilter {
            app: Some(app.clone()),
            environment: Some(environment.clone()),
            limit: LOOKED_THROUGH,
            ..DeploymentFilter::default()
        };
        let past = or_nothing(self.ledger.deployments().list(filter).await)?;
        // One that was never begun did nothing, and tells nothing of any host.
        if let Some(last) = past.into_iter().find(|past| past.started.is_some()) {
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
