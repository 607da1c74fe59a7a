//! The table of images that were built and pushed: by key, so that nothing is built twice, and by tag, so that no tag is pushed twice.

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Ledger,
    rows::{from_json, moment, number, text, to_json},
    store::Trouble,
};
use crate::build::{Builds, BuiltImage, ImageKey, RecordsError};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT repository, version, key, digest, revision, size, layers, at FROM built_images ", $rest)
    };
}
const BY_KEY: &str = select!("WHERE key = $1 ORDER BY at DESC LIMIT 1");
const BY_TAG: &str = select!("WHERE repository = $1 AND version = $2");
const BY_DIGEST: &str = select!("WHERE repository = $1 AND digest = $2 ORDER BY at DESC LIMIT 1");
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
        let found = self.ledger.read(move |connection| async move { find(connection, question, values).await }.boxed()).await;
        found.map_err(|error| RecordsError(error.to_string()))
    }
}

impl BuildRecords {
    /// Bytes that an image takes unpacked, by its `repository@sha256:…`; `None` for one that was not built here.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn size(&self, pinned: &str) -> Result<Option<u64>, RecordsError> {
        let Some((repository, digest)) = pinned.split_once('@') else { return Ok(None) };
        Ok(self.find(BY_DIGEST, vec![repository.to_owned(), digest.to_owned()]).await?.map(|image| image.size))
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
        let recorded = self.ledger.write(move |connection| async move { insert(connection, &image).await }.boxed());
        async move { recorded.await.map_err(|error| RecordsError(format!("the image is pushed, but could not be recorded: {error}"))) }
            .boxed()
    }
}

async fn find(connection: &mut AnyConnection, question: &'static str, values: Vec<String>) -> Result<Option<BuiltImage>, Trouble> {
    let mut query = sqlx::query(question);
    for value in values {
        query = query.bind(value);
    }
    query.fetch_optional(connection).await?.map(|row| image(&row)).transpose()
}

async fn insert(connection: &mut AnyConnection, image: &BuiltImage) -> Result<(), Trouble> {
    let insert = sqlx::query(INSERT)
        .bind(image.repository.to_string())
        .bind(image.version.to_string())
        .bind(image.key.to_string())
        .bind(image.digest.to_string())
        .bind(image.revision.to_string())
        .bind(i64::try_from(image.size).unwrap_or(i64::MAX))
        .bind(to_json(&image.layers)?)
        .bind(image.at.timestamp_millis());
    insert.execute(connection).await?;
    Ok(())
}

fn image(row: &AnyRow) -> Result<BuiltImage, Trouble> {
    Ok(BuiltImage {
        repository: text(row, 0)?.into(),
        version: text(row, 1)?.into(),
        key: ImageKey::known(&text(row, 2)?),
        digest: text(row, 3)?.into(),
        revision: text(row, 4)?.into(),
        size: number(row, 5)?.try_into().unwrap_or_default(),
        layers: from_json(&text(row, 6)?)?,
        at: moment(number(row, 7)?)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

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

        assert_eq!(records.size("r:5000/shop/web@sha256:2").await, Ok(Some(1 << 40)));
        assert_eq!(records.size("r:5000/shop/web@sha256:9").await, Ok(None));
        assert_eq!(records.size("postgres:15.4").await, Ok(None));

        let viewer = Ledger::lazy(dir, Access::Look).builds();
        assert_eq!(viewer.last("r:5000/shop/web").await, Ok(Some(built("1", "d", 40))));
        assert!(viewer.record(built("9", "e", 50)).await.unwrap_err().to_string().contains("read-only"));
    }
}
