//! Commits: out of our copy of an app's repository, which is brought up to date seldom and asked often.

use std::{rc::Rc, sync::Arc};

use chrono::{TimeDelta, Utc};

use super::super::Desk;
use crate::{
    board::lanes::{Commit, Source},
    build::{
        git::{self, Repository},
        version,
    },
    cli::{
        app,
        build::{Fresh, Named},
        exit::Failure,
    },
    fleet::AppName,
    ledger::{AppBuild, audit::Verdict},
    text::clean_line,
};

/// So many commits are told of at most.
pub(super) const COMMITS: usize = 50;
/// How a commit is named on the screen.
const DIGITS: usize = 7;
/// A build that failed longer ago is no news.
const NEWS: TimeDelta = TimeDelta::hours(24);

/// Brings our copy up to date, and reads the template in it. What cannot be read leaves what was read last, and says why.
pub(super) async fn read(desk: &Desk, app: &AppName) {
    let config = &desk.sources.config;
    let (repository, head, fault) = match Named::find(config, app.as_str()) {
        Ok(named) => match named.newest(config).await {
            Ok(head) => (Some(named.repository), Some(head), None),
            Err(failure) => {
                let last = named.repository.resolve(named.committed()).await.ok();
                (Some(named.repository), last, Some(failure.words()))
            }
        },
        Err(failure) => (None, None, Some(failure.words())),
    };
    let template = app::registered(config, app.as_str(), Fresh::AsFetched).await.map_err(Failure::words);
    desk.lanes.note(app, |known| {
        match &fault {
            None => known.at = Some(Utc::now()),
            // A copy of an earlier day is as old as it is.
            Some(_) => known.at = known.at.or_else(|| repository.as_ref().and_then(Repository::fetched)),
        }
        known.source_fault = fault;
        known.head = head.or(known.head.take());
        known.repository = repository;
        known.between.retain(|_, told| told.is_ok());
        known.fault = match template {
            Ok(template) => {
                known.template = Some(Rc::new(template));
                None
            }
            Err(why) => Some(why),
        };
    });
    read_failure(desk, app).await;
}

/// The last attempt to build it, where that failed: only the audit tells.
async fn read_failure(desk: &Desk, app: &AppName) {
    // Without an audit nobody built anything.
    let Ok(rows) = desk.history.ledger().audit().rows(Some(Utc::now() - NEWS)).await else { return };
    let of_app = rows.into_iter().filter(|row| row.action == crate::cli::build::ACTION && row.target.name == app.as_str());
    let last = of_app.max_by_key(|row| row.at);
    let failed = last.filter(|row| row.verdict == Some(Verdict::Failed)).map(|row| (row.ended.unwrap_or(row.at), row.detail));
    desk.lanes.note(app, |known| known.failed_build = failed);
}

/// What the repository has that a build has not.
pub(super) async fn unbuilt(desk: &Desk, app: &AppName, build: Option<&AppBuild>) -> Source {
    let (head, at, fault) = desk.lanes.of(app, |known| (known.head.clone(), known.at, known.source_fault.clone()));
    let mut source = Source { at, fault, ..Source::default() };
    let Some(head) = head else { return source };
    let found = between(desk, app, build.map_or("", |build| &build.revision), &head.sha).await;
    match found {
        Ok(mut commits) => {
            source.more = commits.len() > COMMITS;
            commits.truncate(COMMITS);
            source.unbuilt = commits;
        }
        Err(why) => source.fault = source.fault.or(Some(why)),
    }
    source
}

/// The commits of `to` that are not `from`'s, newest first; one more than [`COMMITS`] where there are more. `from` may be empty: nothing
/// comes before them all.
pub(super) async fn between(desk: &Desk, app: &AppName, from: &str, to: &str) -> Result<Vec<Commit>, String> {
    let key: (Arc<str>, Arc<str>) = (from.into(), to.into());
    let (known, repository) = desk.lanes.of(app, |known| (known.between.get(&key).cloned(), known.repository.clone()));
    if let Some(known) = known {
        return known;
    }
    let repository = repository.ok_or_else(|| "its repository was not read yet".to_owned())?;
    let ask = async {
        let to = repository.resolve(Some(to)).await?;
        if from.is_empty() {
            return repository.until(&to, COMMITS + 1).await;
        }
        let from = repository.resolve(Some(from)).await?;
        repository.between(&from, &to, COMMITS + 1).await
    };
    let found = ask.await.map(told).map_err(|error| error.to_string());
    desk.lanes.note(app, |known| drop(known.between.insert(key, found.clone())));
    found
}

fn told(commits: Vec<git::Commit>) -> Vec<Commit> {
    let one = |commit: git::Commit| Commit {
        sha: commit.sha.get(..DIGITS).unwrap_or(&commit.sha).into(),
        subject: clean_line(&commit.subject),
        author: clean_line(&commit.author),
        at: commit.at,
    };
    commits.into_iter().map(one).collect()
}

/// The digits of the commit that a version was built from.
pub(super) fn commit_of(version: &str) -> Result<&str, String> {
    version::commit(version).ok_or_else(|| format!("{version} tells no commit"))
}
