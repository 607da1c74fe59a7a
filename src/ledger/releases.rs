//! The table of releases: what can be put into an environment and brought back. A release never changes.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::AnyConnection;

use super::{
    Good, Ledger, LedgerError, Place,
    rows::{from_json, moment, number, parsed, text, to_json},
    store::Trouble,
};
use crate::{
    delivery::release::{Release, ReleaseId},
    fleet::{AppName, EnvironmentId},
};

const LIST: &str = "SELECT release, body, at, asker FROM releases WHERE app = $1 ORDER BY at DESC, release DESC";
const GOOD: &str = "SELECT release, id, environment, finished FROM deployments
    WHERE app = $1 AND state = 'good' AND finished IS NOT NULL ORDER BY finished DESC, number DESC";
const ONE: &str = "SELECT body FROM releases WHERE app = $1 AND release = $2";
/// A version alone means its newest revision.
const FIND: &str = "SELECT body FROM releases WHERE app = $1 AND (release = $2 OR version = $2) ORDER BY at DESC, release DESC LIMIT 1";
const INSERT: &str = "INSERT INTO releases (app, release, version, config, at, asker, body) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// A release with its history.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRelease {
    /// What it is.
    pub release: Release,
    /// When it was recorded first.
    pub created: DateTime<Utc>,
    /// Who asked for it first.
    pub by: String,
    /// Where it was good: the last time in each environment, the newest first.
    pub good: Vec<Good>,
}

/// The table of releases, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Releases {
    ledger: Ledger,
}

impl Releases {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Records a release, and tells what is recorded under its name: the same, but with the outside images that were resolved the first
    /// time. That is the one to deploy.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Taken` when spec, built images or revision are other ones.
    pub async fn record(&self, release: Release, by: &str) -> Result<Release, LedgerError> {
        let (now, by, place) = (Utc::now(), crate::text::clean_line(by), self.ledger.place());
        self.ledger.write(move |connection| async move { record(connection, release, &by, now, place).await }.boxed()).await
    }

    /// An app's releases, newest first.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn list(&self, app: &AppName) -> Result<Vec<RecordedRelease>, LedgerError> {
        let app = app.clone();
        self.ledger.read(move |connection| async move { list(connection, app.as_str()).await }.boxed()).await
    }

    /// One by its written form, or the newest revision of a version.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn find(&self, app: &AppName, text: &str) -> Result<Option<Release>, LedgerError> {
        let (app, text) = (app.clone(), text.to_owned());

        self.ledger.read(move |connection| async move { body(connection, FIND, app.as_str(), &text).await }.boxed()).await
    }
}

async fn body(connection: &mut AnyConnection, question: &'static str, app: &str, release: &str) -> Result<Option<Release>, Trouble> {
    let row = sqlx::query(question).bind(app.to_owned()).bind(release.to_owned()).fetch_optional(connection).await?;
    row.map(|row| from_json(&text(&row, 0)?)).transpose()
}

async fn record(connection: &mut AnyConnection, release: Release, by: &str, now: DateTime<Utc>, place: Place) -> Result<Release, Trouble> {
    let id = release.id();
    if let Some(known) = body(connection, ONE, release.app.as_str(), &id.to_string()).await? {
        return match is_same(&known, &release) {
            true => Ok(known),
            false => {
                let remedy = "a tag is pushed once: build it again, so that it gets a version of its own";
                Err(LedgerError::Taken { place, what: format!("release {id} of {}", release.app), remedy }.into())
            }
        };
    }
    let insert = sqlx::query(INSERT)
        .bind(release.app.to_string())
        .bind(id.to_string())
        .bind(release.version.to_string())
        .bind(release.config.as_str().to_owned())
        .bind(now.timestamp_millis())
        .bind(by.to_owned())
        .bind(to_json(&release)?);
    insert.execute(connection).await?;
    Ok(release)
}

/// Whether all of it is the same that somebody chose or built.
fn is_same(known: &Release, other: &Release) -> bool {
    let built = |release: &Release| -> BTreeMap<Arc<str>, Arc<str>> {
        let built = release.images.iter().filter(|(name, _)| release.spec.images.contains_key(*name));
        built.map(|(name, digest)| (Arc::clone(name), Arc::clone(digest))).collect()
    };
    known.spec == other.spec && known.revision == other.revision && known.config == other.config && built(known) == built(other)
}

async fn list(connection: &mut AnyConnection, app: &str) -> Result<Vec<RecordedRelease>, Trouble> {
    let mut good: BTreeMap<String, Vec<Good>> = BTreeMap::new();
    for row in sqlx::query(GOOD).bind(app.to_owned()).fetch_all(&mut *connection).await? {
        let release = text(&row, 0)?;
        let one = Good {
            deployment: parsed(&text(&row, 1)?)?,
            environment: EnvironmentId::new(text(&row, 2)?),
            release: parsed::<ReleaseId>(&release)?,
            at: moment(number(&row, 3)?)?,
        };
        let of_release = good.entry(release).or_default();
        // The newest comes first.
        if of_release.iter().all(|known| known.environment != one.environment) {
            of_release.push(one);
        }
    }
    let rows = sqlx::query(LIST).bind(app.to_owned()).fetch_all(connection).await?;
    let releases = rows.iter().map(|row| {
        Ok(RecordedRelease {
            good: good.remove(&text(row, 0)?).unwrap_or_default(),
            release: from_json(&text(row, 1)?)?,
            created: moment(number(row, 2)?)?,
            by: text(row, 3)?,
        })
    });
    releases.collect()
}
