//! What was deployed before, out of the records.

use crate::{
    cli::exit::Failure,
    config::Config,
    delivery::{
        observed::Observed,
        release::{DeploymentId, Release, ReleaseId},
    },
    fleet::{AppName, EnvironmentId, HostId},
    run::{
        FileRecords,
        journal::{Entry, State, Word, beginning},
    },
};

/// All deployments of a state directory.
pub(super) struct History {
    records: FileRecords,
    /// Newest first.
    past: Vec<Past>,
}

struct Past {
    id: DeploymentId,
    app: AppName,
    environment: EnvironmentId,
    release: ReleaseId,
    state: State,
    owed: Vec<HostId>,
    hosts: Vec<HostId>,
}

fn fault(error: std::io::Error) -> Failure {
    Failure::failed(format!("the records of deployments cannot be used: {error}"))
}

impl History {
    /// The one that the configuration names.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let records = FileRecords::at(config.state.join("deployments"));
        let mut past = Vec::new();
        for id in records.deployments().map_err(fault)?.into_iter().rev() {
            past.extend(Past::of(id.clone(), &records.journal(&id).map_err(fault)?));
        }
        Ok(Self { records, past })
    }

    pub(super) fn records(&self) -> &FileRecords {
        &self.records
    }

    pub(super) fn reserve(&self) -> Result<DeploymentId, Failure> {
        #[allow(clippy::cast_possible_truncation, reason = "20 bits of it are used")]
        let random = super::stage::random() as u32;
        self.records.reserve(random).map_err(fault)
    }

    pub(super) fn keep(&self, id: &DeploymentId, release: &Release) -> Result<(), Failure> {
        self.records.keep_release(id, release).map_err(fault)
    }

    fn good<'a>(&'a self, app: &'a AppName, environment: &'a EnvironmentId) -> impl Iterator<Item = &'a Past> + 'a {
        self.past.iter().filter(move |past| past.app == *app && past.environment == *environment && past.state == State::Good)
    }

    /// Whether this release was good there.
    pub(super) fn was_good(&self, app: &AppName, environment: &EnvironmentId, release: &ReleaseId) -> Result<bool, Failure> {
        Ok(self.good(app, environment).any(|past| past.release == *release))
    }

    /// Whether a build was good there, with any configuration.
    pub(super) fn is_build_good(&self, app: &AppName, environment: &EnvironmentId, version: &str) -> Result<bool, Failure> {
        Ok(self.good(app, environment).any(|past| *past.release.version == *version))
    }

    /// A release of an app that was kept.
    pub(super) fn release(&self, app: &AppName, id: &ReleaseId) -> Result<Option<Release>, Failure> {
        for past in self.past.iter().filter(|past| past.app == *app && past.release == *id) {
            if let Some(release) = self.records.release(&past.id).map_err(fault)? {
                return Ok(Some(release));
            }
        }
        Ok(None)
    }

    /// The release to go back to: as named, or the last good one before the one that is there.
    pub(super) fn way_back(&self, app: &AppName, environment: &EnvironmentId, asked: Option<&str>) -> Result<Release, Failure> {
        let mut good = self.good(app, environment);
        let found = match asked {
            Some(asked) => good.find(|past| past.release.to_string() == asked || *past.release.version == *asked),
            None => {
                let now = good.next();
                good.find(|past| now.is_some_and(|now| now.release != past.release))
            }
        };
        let what = asked.unwrap_or("an older release");
        let found =
            found.ok_or_else(|| Failure::usage(format!("{what} was not good in {environment} of {app} as far as the records tell")))?;
        let release = self.records.release(&found.id).map_err(fault)?;
        release.ok_or_else(|| Failure::failed(format!("deployment {} did not keep its release", found.id)))
    }

    /// Hosts that the last deployment there went on without, and those on which it failed.
    pub(super) fn note_owed(&self, observed: &mut Observed, app: &AppName, environment: &EnvironmentId) -> Result<(), Failure> {
        let last = self.past.iter().find(|past| past.app == *app && past.environment == *environment);
        if let Some(last) = last {
            let (failed, owed): (Vec<_>, Vec<_>) = last.owed.iter().cloned().partition(|host| last.hosts.contains(host));
            observed.owed.extend(owed);
            observed.failed.extend(failed);
            if last.state == State::Failed || last.state == State::Unwound {
                observed.failed.extend(last.hosts.iter().cloned());
            }
        }
        Ok(())
    }
}

impl Past {
    fn of(id: DeploymentId, entries: &[Entry]) -> Option<Self> {
        let (plan, _) = beginning(entries)?;
        let ended = entries.iter().rev().find_map(|entry| match &entry.word {
            Word::Ended { state, owed, .. } => Some((*state, owed.iter().cloned().collect())),
            _ => None,
        });
        let (state, owed) = ended.unwrap_or((State::Running, Vec::new()));
        // One that found the lock taken did nothing and tells nothing of any host.
        if !entries.iter().any(|entry| matches!(entry.word, Word::Intent { .. })) {
            return None;
        }
        Some(Self {
            id,
            app: plan.app.clone(),
            environment: plan.environment.clone(),
            release: plan.release.clone(),
            state,
            owed,
            hosts: plan.hosts.clone(),
        })
    }
}
