//! The table of images that were built and pushed: by key, so that nothing is built twice, and by tag, so that no tag is pushed twice.

use std::path::Path;

use chrono::DateTime;
use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{Row as _, any::AnyRow};

use super::{Ledger, LedgerError, store::Store};
use crate::build::{Builds, BuiltImage, ImageKey, RecordsError};

/// The table for SQLite. Types: `ledger`.
pub(super) const SQLITE_SCHEMA: &[&str] = &[
    "CREATE TABLE built_images (
        repository TEXT NOT NULL,
        version TEXT NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        revision TEXT NOT NULL,
        size BIGINT NOT NULL,
        layers TEXT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (repository, version)
    )",
    "CREATE INDEX built_images_key ON built_images (key)",
];

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT repository, version, key, digest, revision, size, layers, at FROM built_images ", $rest)
    };
}
const BY_KEY: &str = select!("WHERE key = $1 ORDER BY at DESC LIMIT 1");
const BY_TAG: &str = select!("WHERE repository = $1 AND version = $2");
const LAST: &str = select!("WHERE repository = $1 ORDER BY at DESC LIMIT 1");
/// Whoever pushed a tag last is who a registry believes.
const INSERT: &str = "INSERT INTO built_images (repository, version, key, digest, revision, size, layers, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (repository, version) DO UPDATE SET key = excluded.key, digest = excluded.digest, revision = excluded.revision,
        size = excluded.size, layers = excluded.layers, at = excluded.at";

/// The table of built images, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct BuildRecords {
    ledger: Ledger,
}

impl BuildRecords {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    async fn find(&self, question: &'static str, values: Vec<String>) -> Result<Option<BuiltImage>, RecordsError> {
        let found = self.ledger.run(move |store| Box::pin(find(store, question, values))).await;
        found.map_err(|error| RecordsError(error.to_string()))
    }
}

impl Builds for BuildRecords {
    fn known(&self, key: &ImageKey) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>> {
        self.find(BY_KEY, vec![key.to_string()]).boxed()
    }

    fn tagged(&self, repository: &str, version: &str) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>> {
        self.find(BY_TAG, vec![repository.to_owned(), version.to_owned()]).boxed()
    }

    fn last(&self, repository: &str) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>> {
        self.find(LAST, vec![repository.to_owned()]).boxed()
    }

    fn record(&self, image: BuiltImage) -> BoxFuture<'_, Result<(), RecordsError>> {
        let recorded = self.ledger.run(move |store| Box::pin(async move { insert(store, &image).await }));
        async move { recorded.await.map_err(|error| RecordsError(format!("the image is pushed, but could not be recorded: {error}"))) }
            .boxed()
    }
}

async fn find(store: &mut Store, question: &'static str, values: Vec<String>) -> Result<Option<BuiltImage>, LedgerError> {
    let file = store.file().to_owned();
    let connection = store.begin_read().await?;
    let mut query = sqlx::query(question);
    for value in values {
        query = query.bind(value);
    }
    let row = query.fetch_optional(connection).await.map_err(|error| LedgerError::database(&file, &error));
    let found = row.and_then(|row| row.map(|row| image(&row, &file)).transpose());
    store.end(found).await
}

async fn insert(store: &mut Store, image: &BuiltImage) -> Result<(), LedgerError> {
    let file = store.file().to_owned();
    let layers =
        serde_json::to_string(&image.layers).map_err(|error| LedgerError::Other { file: file.clone(), reason: error.to_string() })?;
    let connection = store.begin_write().await?;
    let insert = sqlx::query(INSERT)
        .bind(image.repository.to_string())
        .bind(image.version.to_string())
        .bind(image.key.to_string())
        .bind(image.digest.to_string())
        .bind(image.revision.to_string())
        .bind(i64::try_from(image.size).unwrap_or(i64::MAX))
        .bind(layers)
        .bind(image.at.timestamp_millis());
    let done = insert.execute(connection).await.map(|_| ()).map_err(|error| LedgerError::database(&file, &error));
    store.end(done).await
}

fn image(row: &AnyRow, file: &Path) -> Result<BuiltImage, LedgerError> {
    let read = || -> Result<Option<BuiltImage>, sqlx::Error> {
        let text = |index: usize| row.try_get::<String, _>(index);
        let (layers, at) = (serde_json::from_str(&text(6)?), DateTime::from_timestamp_millis(row.try_get(7)?));
        let (Ok(layers), Some(at)) = (layers, at) else { return Ok(None) };
        Ok(Some(BuiltImage {
            repository: text(0)?.into(),
            version: text(1)?.into(),
            key: ImageKey::known(&text(2)?),
            digest: text(3)?.into(),
            revision: text(4)?.into(),
            size: row.try_get::<i64, _>(5)?.try_into().unwrap_or_default(),
            layers,
            at,
        }))
    };
    let damaged = || LedgerError::Damaged { file: file.to_owned(), reason: "a row of built_images cannot be read".to_owned() };
    read().map_err(|error| LedgerError::database(file, &error))?.ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        build::Layer,
        ledger::{Access, StateDir},
    };

    fn built(version: &str, key: &str, seconds: i64) -> BuiltImage {
        BuiltImage {
            key: ImageKey::known(key),
            repository: "r:5000/shop/web".into(),
            version: version.into(),
            digest: format!("sha256:{version}").into(),
            revision: "7e56158".into(),
            size: 1 << 40,
            layers: vec![Layer { made_by: "COPY a".to_owned(), size: 5 }],
            at: DateTime::from_timestamp(seconds, 0).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_was_built_is_known_by_key_by_tag_and_as_the_last() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("state"));
        let records = Ledger::lazy(dir.clone(), Access::Record).builds();
        assert_eq!(records.known(&ImageKey::known("a")).await, Ok(None));
        for image in [built("1", "a", 10), built("2", "b", 20), built("3", "a", 30)] {
            records.record(image).await.unwrap();
        }
        assert_eq!(records.known(&ImageKey::known("a")).await, Ok(Some(built("3", "a", 30))));
        assert_eq!(records.known(&ImageKey::known("c")).await, Ok(None));
        assert_eq!(records.tagged("r:5000/shop/web", "1").await, Ok(Some(built("1", "a", 10))));
        assert_eq!(records.tagged("r:5000/shop/api", "1").await, Ok(None));
        assert_eq!(records.last("r:5000/shop/web").await, Ok(Some(built("3", "a", 30))));
        // Pushed again by somebody who did not know: what the registry has now is what counts.
        records.record(built("1", "d", 40)).await.unwrap();
        assert_eq!(records.tagged("r:5000/shop/web", "1").await, Ok(Some(built("1", "d", 40))));

        let viewer = Ledger::lazy(dir, Access::Look).builds();
        assert_eq!(viewer.last("r:5000/shop/web").await, Ok(Some(built("1", "d", 40))));
        assert!(viewer.record(built("9", "e", 50)).await.unwrap_err().to_string().contains("read-only"));
    }
}
