//! What came of a build, written down as a whole: its images by digest, the outside ones as their registries have them now, and the spec
//! of its commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use futures_util::future::join_all;

use super::{Commit, Link};
use crate::{
    build::{Built, Logins},
    cli::exit::Failure,
    delivery::{Spec, spec::ImageSource},
    engine::docker::split_tag,
    fleet::ImageRef,
    ledger::{AppBuild, Ledger, LedgerError, audit::Who},
};

/// How long a registry may take to tell a digest.
const LOOK: Duration = Duration::from_secs(5);

/// Reference → `repository@sha256:…` of images that others make.
pub type Outside = BTreeMap<Arc<str>, Arc<str>>;

/// What the outside images of a spec are now. What a registry does not tell stays as the last build had it; what no build had is left as
/// it is written.
pub async fn outside(spec: &Spec, link: &Link, logins: &Logins, last: Option<&AppBuild>) -> Outside {
    let images = spec.services.values().map(|service| &service.image).chain(spec.jobs.values().map(|job| &job.image));
    let wanted: BTreeSet<&Arc<str>> = images
        .filter_map(|image| match image {
            // A digest is what it is.
            ImageSource::Outside(reference) if !reference.contains('@') => Some(reference),
            ImageSource::Outside(_) | ImageSource::Built(_) => None,
        })
        .collect();
    let asked = wanted.into_iter().map(|reference| async move {
        let told = match logins.find(reference).await {
            Ok(auth) => link.client.registry_digest(reference, &auth, LOOK).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let digest = told.unwrap_or_else(|error| {
            tracing::info!(%reference, %error, "the registry of an outside image was asked in vain");
            None
        });
        let repository = ImageRef::parse(reference).repository;
        let found = digest.map(|digest| Arc::from(format!("{repository}@{digest}")));
        Some((Arc::clone(reference), found.or_else(|| last?.images.get(reference).cloned())?))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// An app's last recorded build.
pub async fn last(ledger: &Ledger, spec: &Spec) -> Result<Option<AppBuild>, Failure> {
    match ledger.app_builds().newest(&spec.app).await {
        Ok(builds) => Ok(builds.into_iter().next()),
        Err(LedgerError::Absent { .. }) => Ok(None),
        Err(error) => Err(Failure::failed(error)),
    }
}

/// Records a build of which everything was pushed; `None` where something was not.
pub async fn record(ledger: &Ledger, commit: &Commit, built: &Built, outside: Outside) -> Result<Option<AppBuild>, Failure> {
    let pinned = built.images.iter().map(|image| {
        let digest = image.digest.as_ref()?;
        Some((Arc::clone(&image.name), Arc::from(format!("{}@{digest}", split_tag(&image.reference).0))))
    });
    let Some(mut images) = pinned.collect::<Option<BTreeMap<_, _>>>() else { return Ok(None) };
    images.extend(outside);
    let spec = commit.template.spec.clone();
    let build = AppBuild {
        app: spec.app.clone(),
        version: built.version.as_str().into(),
        revision: built.revision.as_str().into(),
        images,
        spec,
        at: Utc::now(),
        by: Who::of_process().short(),
    };
    let recorded = ledger.app_builds().record(build).await;
    recorded.map(Some).map_err(|error| Failure::failed(format!("the images are pushed, but the build could not be recorded: {error}")))
}
