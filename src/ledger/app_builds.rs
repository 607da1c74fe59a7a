//! The table of builds of whole apps: a version's images by digest, and what its commit's template said of them. A build never changes.
//!
//! The images of one build may have been built for different versions, because what did not change is not built again: so a version's
//! images are found here and not by their tags.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Ledger, LedgerError,
    rows::{from_json, moment, text, to_json},
    store::Trouble,
};
use crate::{build::version::first_build, delivery::Spec, fleet::AppName};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT app, version, revision, at, asker, body FROM app_builds ", $rest)
    };
}
const ONE: &str = select!("WHERE app = $1 AND version = $2");
const NEWEST: &str = select!("WHERE app = $1 ORDER BY at DESC, version DESC LIMIT 50");
const ALL: &str = select!("WHERE app = $1 ORDER BY at DESC, version DESC");
const OF_COMMIT: &str = select!("WHERE app = $1 AND revision = $2 ORDER BY at DESC, version DESC");
const INSERT: &str = "INSERT INTO app_builds (app, version, revision, at, asker, body) VALUES ($1, $2, $3, $4, $5, $6)";

/// A build of a whole app.
#[derive(Clone, Debug, PartialEq)]
pub struct AppBuild {
    /// The product.
    pub app: AppName,
    /// `1.0.1-22-7e56158`; another build of the same commit is `…-b2`.
    pub version: Arc<str>,
    /// All digits of the commit.
    pub revision: Arc<str>,
    /// Image of the spec → `repository@sha256:…`. Outside images stand here under their own references, as their registries had them.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// What the template said at the commit.
    pub spec: Spec,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
}

/// What of it is one text.
#[derive(Serialize, Deserialize)]
struct Body {
    images: BTreeMap<Arc<str>, Arc<str>>,
    spec: Spec,
}

impl AppBuild {
    /// Whether the same would run.
    pub fn is_same(&self, other: &Self) -> bool {
        self.images == other.images && self.spec == other.spec
    }
}

/// The table of builds, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct AppBuilds {
    ledger: Ledger,
}

impl AppBuilds {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Records a build, and tells under which version: that of the commit's newest build where nothing differs from it, the next free one
    /// where another build of the commit has its version.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn record(&self, build: AppBuild) -> Result<AppBuild, LedgerError> {
        self.ledger.write(move |connection| async move { record(connection, build).await }.boxed()).await
    }

    /// The build of a version.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn find(&self, app: &AppName, version: &str) -> Result<Option<AppBuild>, LedgerError> {
        let found = self.select(ONE, vec![app.to_string(), version.to_owned()]).await?;
        Ok(found.into_iter().next())
    }

    /// An app's last builds, newest first.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn newest(&self, app: &AppName) -> Result<Vec<AppBuild>, LedgerError> {
        self.select(NEWEST, vec![app.to_string()]).await
    }

    /// All of them, newest first.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn all(&self, app: &AppName) -> Result<Vec<AppBuild>, LedgerError> {
        self.select(ALL, vec![app.to_string()]).await
    }

    async fn select(&self, question: &'static str, values: Vec<String>) -> Result<Vec<AppBuild>, LedgerError> {
        self.ledger.read(move |connection| async move { select(connection, question, values).await }.boxed()).await
    }
}

async fn select(connection: &mut AnyConnection, question: &'static str, values: Vec<String>) -> Result<Vec<AppBuild>, Trouble> {
    let mut query = sqlx::query(question);
    for value in values {
        query = query.bind(value);
    }
    query.fetch_all(connection).await?.iter().map(build).collect()
}

fn build(row: &AnyRow) -> Result<AppBuild, Trouble> {
    let body: Body = from_json(&text(row, 5)?)?;
    Ok(AppBuild {
        app: AppName::new(text(row, 0)?),
        version: text(row, 1)?.into(),
        revision: text(row, 2)?.into(),
        at: moment(super::rows::number(row, 3)?)?,
        by: text(row, 4)?,
        images: body.images,
        spec: body.spec,
    })
}

async fn record(connection: &mut AnyConnection, mut build: AppBuild) -> Result<AppBuild, Trouble> {
    let (app, revision) = (build.app.to_string(), build.revision.to_string());
    let known = select(connection, OF_COMMIT, vec![app, revision]).await?;
    // A work tree with changes has the commit of one without.
    let first: Arc<str> = first_build(&build.version).into();
    let mut known = known.into_iter().filter(|other| first_build(&other.version) == &*first);
    if let Some(newest) = known.next() {
        if newest.is_same(&build) {
            return Ok(newest);
        }
        let taken: Vec<Arc<str>> = std::iter::once(newest).chain(known).map(|other| other.version).collect();
        let next = (2..u32::MAX).map(|number| Arc::from(format!("{first}-b{number}")));
        let mut free = std::iter::once(Arc::clone(&build.version)).chain(next).filter(|version| !taken.contains(version));
        build.version = free.next().unwrap_or(first);
    }
    let insert = sqlx::query(INSERT)
        .bind(build.app.to_string())
        .bind(build.version.to_string())
        .bind(build.revision.to_string())
        .bind(build.at.timestamp_millis())
        .bind(crate::text::clean_line(&build.by))
        .bind(to_json(&Body { images: build.images.clone(), spec: build.spec.clone() })?);
    insert.execute(connection).await?;
    Ok(build)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Access, StateDir};

    fn built(version: &str, revision: &str, digest: &str, at: i64) -> AppBuild {
        let app = AppName::new("shop");
        let (images, services, jobs) = Default::default();
        AppBuild {
            spec: Spec { app: app.clone(), registry: "r:5000".into(), images, services, jobs },
            app,
            version: version.into(),
            revision: revision.into(),
            images: [("web".into(), format!("r:5000/shop/web@sha256:{digest}").into())].into(),
            at: DateTime::from_timestamp(at, 0).unwrap(),
            by: "ana".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_build_is_recorded_once_and_never_changes() {
        let temp = tempfile::tempdir().unwrap();
        let builds = Ledger::lazy(StateDir::at(temp.path().join("state")), Access::Record).app_builds();
        let app = AppName::new("shop");
        let (one, sha) = ("1.0-1-aaaaaaa", "aaaaaaaaaa");
        let first = builds.record(built(one, sha, "1", 10)).await.unwrap();
        assert_eq!(first.version, one.into());
        // The same again.
        assert_eq!(builds.record(built(one, sha, "1", 20)).await.unwrap(), first);
        // Other bits of the same commit, whether or not a tag was found for them.
        assert_eq!(&*builds.record(built(one, sha, "2", 30)).await.unwrap().version, "1.0-1-aaaaaaa-b2");
        assert_eq!(&*builds.record(built("1.0-1-aaaaaaa-b2", sha, "3", 40)).await.unwrap().version, "1.0-1-aaaaaaa-b3");
        // Back to what it was is a build of its own: the newest is what counts.
        assert_eq!(&*builds.record(built(one, sha, "1", 50)).await.unwrap().version, "1.0-1-aaaaaaa-b4");
        // With changes of the work tree it is another one.
        assert_eq!(&*builds.record(built("1.0-1-aaaaaaa-dirty.00", sha, "9", 60)).await.unwrap().version, "1.0-1-aaaaaaa-dirty.00");
        assert_eq!(builds.find(&app, one).await.unwrap(), Some(first));
        let all: Vec<_> = builds.newest(&app).await.unwrap().into_iter().map(|build| build.version.to_string()).collect();
        assert_eq!(all, ["1.0-1-aaaaaaa-dirty.00", "1.0-1-aaaaaaa-b4", "1.0-1-aaaaaaa-b3", "1.0-1-aaaaaaa-b2", "1.0-1-aaaaaaa"]);
        assert_eq!(builds.newest(&AppName::new("other")).await.unwrap(), []);
    }
}
