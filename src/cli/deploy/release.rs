//! From what a person names to a release with digests.

use std::{collections::BTreeMap, sync::Arc};

use super::{history::History, stage::Stage};
use crate::{
    build::version::commit,
    cli::{
        build::{Fresh, Named},
        exit::Failure,
        fleet::Sources,
        out,
    },
    delivery::{
        Spec,
        observed::{Observed, Sight},
        release::{Release, ReleaseId},
        spec::{Policy, Revision},
        template::Template,
    },
    fleet::AppName,
};

/// A release that was kept, or the version's images out of the registry with today's configuration.
pub(super) async fn find(
    sources: &Sources,
    (stage, history): (&Stage, &History),
    template: &Template,
    revision: &Revision,
    (policy, observed): (&Policy, &Observed),
    asked: Option<&str>,
) -> Result<Release, Failure> {
    let app = &template.spec.app;
    let newest = match asked {
        Some(_) => None,
        None => history.newest(template).await?,
    };
    let Some(asked) = asked.or(newest.as_deref()) else {
        return Err(Failure::usage(format!(
            "nothing of {app} was built yet, as far as the ledger tells: quarterdeck build {app}, or name a release: --release 1.0.1-22-7e56158"
        )));
    };
    if let Ok(id) = asked.parse::<ReleaseId>() {
        let kept = history.release(app, &id).await?;
        return kept.ok_or_else(|| {
            Failure::usage(format!("there is no release {id} of {app} in the records; a version alone takes today's configuration"))
        });
    }
    // What a version is made of was said when it was built, and stays; only its configuration is today's.
    if let Some(build) = history.build(app, asked).await? {
        let (version, revision, config) = (build.version, revision.clone(), revision.hash());
        return Ok(Release { app: app.clone(), version, images: build.images, spec: build.spec, revision, config });
    }
    if let Some(built) = history.version(app, asked).await? {
        let release = Release { revision: revision.clone(), config: revision.hash(), ..built };
        if release.spec != template.spec {
            let what = "runs as it was built: what the template says anew of its services comes with the next build";
            out::complain(&format!("{} {what}", release.id()));
        }
        return Ok(release);
    }
    let spec = spec_of(sources, app, asked).await.unwrap_or_else(|| template.spec.clone());
    let seen = |host: &&crate::fleet::HostId| matches!(observed.hosts.get(*host), Some(Sight::Seen(_)));
    let host = policy.hosts.iter().find(seen).ok_or_else(|| Failure::incomplete("no host answers that could ask the registry"))?;
    let mut images: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for name in spec.images.keys() {
        let reference = format!("{}/{app}/{name}:{asked}", spec.registry);
        let resolved = stage.port.resolved(host, &reference).await;
        let resolved = resolved.map_err(|error| Failure::failed(format!("host {host:?}: {reference}: {error}")))?;
        images.insert(Arc::clone(name), resolved);
    }
    Ok(Release { app: app.clone(), version: asked.into(), images, spec, revision: revision.clone(), config: revision.hash() })
}

/// What the template said at the commit of a version that was built elsewhere; `None` where the app is in no repository that has it.
async fn spec_of(sources: &Sources, app: &AppName, version: &str) -> Option<Spec> {
    let sha = commit(version)?;
    let named = Named::find(&sources.config, app.as_str()).ok()?;
    let (file, text) = named.text(Some(sha), &sources.config, Fresh::LastKnown).await.ok()?;
    match Template::parse(&file, &text) {
        Ok(template) => Some(template.spec),
        Err(faults) => {
            out::complain(&format!("{version}: the template of its commit has mistakes, today's is used: {faults}"));
            None
        }
    }
}
