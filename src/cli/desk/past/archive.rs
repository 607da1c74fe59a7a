//! What the ledger knows of the past, read with the verbs' own code.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::{evidence, settings};
use crate::{
    board::past::{Account, Filter, Moment, Near, Nearness, News, Recorded, RecordedAct, RecordedDeployment, ReleaseRow, Stand, Wish},
    cli::{audit, deployments, exit::Failure, releases},
    delivery::release::{DeploymentId, Release, ReleaseId},
    fleet::{AppName, EnvironmentId},
    ledger::{Deployment, DeploymentFilter, Good, Ledger, LedgerError, RunRecords, Standing, audit::Entry},
    run::Records as _,
};

/// So many deployments are looked through for changes.
const LOOKED_THROUGH: u32 = 1_000;
/// One that was asked for so long before may still be under way.
const UNDER_WAY: TimeDelta = TimeDelta::days(1);

/// The ledger, as one who looks back needs it.
pub(super) struct Archive {
    ledger: Ledger,
    records: RunRecords,
    /// Of the configuration; the ledger may know more.
    apps: Vec<AppName>,
    /// What a deployment changed in the settings: releases never change, and reading two of them takes longer than all the rest.
    settings: RefCell<BTreeMap<DeploymentId, Vec<String>>>,
}

impl Archive {
    pub(super) fn new(ledger: Ledger, records: RunRecords, apps: Vec<AppName>) -> Self {
        Self { ledger, records, apps, settings: RefCell::default() }
    }

    /// Reads what is wished for, at this moment.
    ///
    /// # Errors
    /// What the ledger says.
    pub(super) async fn read<Z: TimeZone>(&self, wish: &Wish, now: &DateTime<Z>) -> Result<Vec<News>, Failure> {
        Ok(match wish {
            Wish::Deployments { filter, limit, open } => {
                let rows = deployments::list(&self.ledger, filter.query(now, *limit)).await?;
                let more = u32::try_from(rows.len()).is_ok_and(|count| count >= *limit);
                let listed = News::Deployments { filter: filter.clone(), rows, more };
                let account = match open {
                    Some(id) => self.account(id).await?,
                    None => None,
                };
                std::iter::once(listed).chain(account.map(|account| News::Account(Box::new(account)))).collect()
            }
            Wish::Releases { filter } => vec![News::Releases { filter: filter.clone(), rows: self.releases(filter, now).await? }],
            Wish::Moment { filter, at } => {
                vec![News::Moment { filter: filter.clone(), moment: self.moment(filter, *at, now.to_utc()).await? }]
            }
            Wish::Account(id) => self.account(id).await?.map(|account| News::Account(Box::new(account))).into_iter().collect(),
            Wish::Changes { near, since } => vec![News::Changes(Box::new(self.changes(near, *since).await?))],
        })
    }

    async fn deployment(&self, id: &DeploymentId) -> Result<Option<Deployment>, Failure> {
        match self.ledger.deployments().find(&id.to_string()).await {
            Ok(found) => Ok(Some(found)),
            // It was told by a list a moment ago, or stands on a container of another's.
            Err(LedgerError::NoDeployment(_) | LedgerError::Absent { .. }) => Ok(None),
            Err(error) => Err(Failure::failed(error)),
        }
    }

    async fn account(&self, id: &DeploymentId) -> Result<Option<Account>, Failure> {
        let Some(deployment) = self.deployment(id).await? else { return Ok(None) };
        let entries = self.records.load(id).await.map_err(Failure::failed)?;
        let page = deployments::Page::load(&self.ledger, &self.records, &deployment).await?;
        let (facts, chapters) = (page.facts(), page.chapters());
        let bundles = evidence::of(&entries);
        Ok(Some(Account { facts, chapters: chapters.into(), bundles, deployment }))
    }

    async fn releases<Z: TimeZone>(&self, filter: &Filter, now: &DateTime<Z>) -> Result<Vec<ReleaseRow>, Failure> {
        let apps: BTreeSet<AppName> = match filter.app() {
            Some(app) => [app.clone()].into(),
            None => {
                let standing = deployments::standing_at(&self.ledger, now.to_utc()).await?;
                self.apps.iter().cloned().chain(standing.into_iter().map(|one| one.app)).collect()
            }
        };
        let mut rows = Vec::new();
        for app in apps {
            let recorded = releases::list(&self.ledger, &app).await?;
            rows.extend(recorded.into_iter().map(|one| ReleaseRow {
                app: app.clone(),
                release: one.release.id(),
                created: one.created,
                by: one.by,
                images: one.release.images,
                good: one.good,
            }));
        }
        rows.retain(|row| filter.takes_release(row, now));
        rows.sort_by_key(|row| Reverse(row.created));
        Ok(rows)
    }

    async fn moment(&self, filter: &Filter, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<Moment, Failure> {
        type Places = BTreeMap<(AppName, EnvironmentId), (Option<Good>, Vec<DeploymentId>)>;
        let places = |standing: Vec<Standing>| -> Places {
            standing.into_iter().map(|one| ((one.app, one.environment), (one.good, one.unsettled))).collect()
        };
        let mut then = places(deployments::standing_at(&self.ledger, at).await?);
        let today = places(deployments::standing_at(&self.ledger, now).await?);
        let mut stands = Vec::new();
        for ((app, environment), (good_now, _)) in today.into_iter().filter(|((app, environment), _)| filter.takes_place(app, environment))
        {
            let (good, unsettled) = then.remove(&(app.clone(), environment.clone())).unwrap_or_default();
            let by = match &good {
                Some(good) => self.deployment(&good.deployment).await?.map(|one| one.by),
                None => None,
            };
            stands.push(Stand { app, environment, then: good, by, unsettled, now: good_now });
        }
        Ok(Moment { at, stands })
    }

    async fn changes(&self, near: &Near, since: DateTime<Utc>) -> Result<Recorded, Failure> {
        let from = since.checked_sub_signed(UNDER_WAY).unwrap_or(since);
        let filter = DeploymentFilter { since: Some(from), limit: LOOKED_THROUGH, ..DeploymentFilter::default() };
        let mut found = Vec::new();
        for deployment in deployments::list(&self.ledger, filter).await? {
            let last = deployment.asked.max(deployment.started.unwrap_or_default()).max(deployment.finished.unwrap_or_default());
            if last >= since && near.deployment(&deployment) != Nearness::Away {
                found.push(RecordedDeployment { settings: self.settings(&deployment).await?, deployment });
            }
        }
        let acts = audit::rows(&self.ledger, Some(since)).await?.into_iter().map(act).collect();
        Ok(Recorded { near: near.clone(), since, deployments: found, acts })
    }

    /// What a deployment changed in the settings; nothing where one of the two releases is not recorded.
    async fn settings(&self, deployment: &Deployment) -> Result<Vec<String>, Failure> {
        let Some(from) = deployment.from_release.as_ref().filter(|from| **from != deployment.release) else { return Ok(Vec::new()) };
        if let Some(known) = self.settings.borrow().get(&deployment.id) {
            return Ok(known.clone());
        }
        let (old, new) = (self.release(&deployment.app, from).await?, self.release(&deployment.app, &deployment.release).await?);
        let Some((old, new)) = old.zip(new) else { return Ok(Vec::new()) };
        let changed = settings::changed(&old, &new, &deployment.environment);
        self.settings.borrow_mut().insert(deployment.id.clone(), changed.clone());
        Ok(changed)
    }

    async fn release(&self, app: &AppName, id: &ReleaseId) -> Result<Option<Release>, Failure> {
        match self.ledger.releases().find(app, &id.to_string()).await {
            Err(LedgerError::Absent { .. }) => Ok(None),
            other => other.map_err(Failure::failed),
        }
    }
}

fn act(entry: Entry) -> RecordedAct {
    RecordedAct {
        at: entry.at,
        ended: entry.ended,
        who: entry.who.short(),
        action: entry.action.into(),
        host: entry.host.into(),
        target: entry.target.name.into(),
        target_id: entry.target.id.into(),
        argument: entry.argument.into(),
        verdict: entry.verdict,
    }
}
