//! In what a lane differs from the one before it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::Desk,
    picture::{or_nothing, release},
    source::{self, COMMITS, between, commit_of},
};
use crate::{
    board::lanes::{
        Comparison, Pair,
        comparison::{ImageDifference, ServiceDifference},
    },
    cli::exit::Failure,
    delivery::{
        release::Release,
        spec::Policy,
        template::{Change, Diff, Differs, Part, render},
    },
    fleet::{
        AppName, EnvironmentId, ServiceName,
        mask::{is_secret, mask_text},
    },
};

/// What is good in an environment, and what would come from the lane before.
///
/// # Errors
/// What the ledger says, and that there is no such environment.
pub(super) async fn compare(desk: &Desk, pair: &Pair) -> Result<Comparison, Failure> {
    let Pair { app, environment, before } = pair;
    if desk.lanes.template(app).is_none() {
        source::read(desk, app).await;
    }
    let policies: BTreeMap<EnvironmentId, Policy> = desk.lanes.policies(app).into_iter().collect();
    let Some(policy) = policies.get(environment) else {
        let why = desk.lanes.of(app, |known| known.fault.clone());
        return Err(Failure::usage(why.unwrap_or_else(|| format!("{app} has no environment {environment} any more"))));
    };
    let here = good(desk, app, environment).await?;
    let there = match before {
        Some(before) => good(desk, app, before).await?,
        None => newest(desk, app, environment).await?,
    };
    let name = |release: &Option<Release>, build: bool| {
        release.as_ref().map(|release| if build { release.version.to_string() } else { release.id().to_string() })
    };
    let mut comparison = Comparison {
        here: name(&here, false),
        there: name(&there, before.is_none()),
        ahead: Ok(Vec::new()),
        behind: Vec::new(),
        more: false,
        services: Vec::new(),
        images: Vec::new(),
    };
    let (Some(here), Some(there)) = (&here, &there) else { return Ok(comparison) };
    commits(desk, app, (here, there), &mut comparison).await;
    // Both as today's policy of this environment would run them: where they stand is no difference between them.
    let as_here = |release: &Release| render(&release.spec, environment, &release.revision, policy);
    let diff = Diff::of(&as_here(here), &as_here(there));
    comparison.services.extend(diff.services.iter().map(|service| difference(service.name.as_str(), service)));
    comparison.services.extend(diff.jobs.iter().map(|job| difference(&job.name, job)));
    comparison.images = images(here, there);
    Ok(comparison)
}

async fn good(desk: &Desk, app: &AppName, environment: &EnvironmentId) -> Result<Option<Release>, Failure> {
    let good = or_nothing(desk.history.ledger().deployments().good(app, environment).await)?;
    let Some(good) = good.first() else { return Ok(None) };
    let found = release(desk, app, &good.release).await?;
    found
        .map(|release| (*release).clone())
        .map(Some)
        .ok_or_else(|| Failure::failed(format!("release {} of {app}, which is good in {environment}, is not in the ledger", good.release)))
}

/// The newest build, with what the environment says today.
async fn newest(desk: &Desk, app: &AppName, environment: &EnvironmentId) -> Result<Option<Release>, Failure> {
    let builds = or_nothing(desk.history.ledger().app_builds().newest(app).await)?;
    let (Some(build), Some(template)) = (builds.into_iter().next(), desk.lanes.template(app)) else { return Ok(None) };
    let revision = template.0.environments.get(environment).map(|said| said.revision.clone()).unwrap_or_default();
    let config = revision.hash();
    Ok(Some(Release { app: app.clone(), version: build.version, images: build.images, spec: build.spec, revision, config }))
}

async fn commits(desk: &Desk, app: &AppName, (here, there): (&Release, &Release), comparison: &mut Comparison) {
    let both = match (commit_of(&here.version), commit_of(&there.version)) {
        (Ok(here), Ok(there)) => Ok((here, there)),
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    let (here, there) = match both {
        Ok((here, there)) if here == there => return,
        Ok(both) => both,
        Err(why) => return comparison.ahead = Err(why),
    };
    if desk.lanes.of(app, |known| known.repository.is_none()) {
        source::read(desk, app).await;
    }
    comparison.ahead = between(desk, app, here, there).await;
    if let Ok(ahead) = &mut comparison.ahead {
        comparison.more = ahead.len() > COMMITS;
        ahead.truncate(COMMITS);
        // What has come there has what is here, or else it stands beside it.
        comparison.behind = between(desk, app, there, here).await.unwrap_or_default();
        comparison.more |= comparison.behind.len() > COMMITS;
        comparison.behind.truncate(COMMITS);
    }
}

fn difference<N>(name: &str, differs: &Differs<N>) -> ServiceDifference {
    // Another image is told by its digest, and the same name may hold another one.
    let changes = differs.changes.iter().filter(|change| change.part != Part::Image);
    ServiceDifference { service: name.into(), summary: differs.summary(), changes: changes.map(words).collect() }
}

/// One change, without anything that looks like a secret.
fn words(change: &Change) -> String {
    if let (Part::Variables, Some(name)) = (change.part, &change.name)
        && is_secret(name)
    {
        let what = match (&change.from, &change.to) {
            (None, _) => "new",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "another value",
        };
        return format!("{name}: {what}");
    }
    let masked = |text: &Option<String>| text.as_deref().map(|text| mask_text(text).into_owned());
    Change { from: masked(&change.from), to: masked(&change.to), ..change.clone() }.to_string()
}

/// Services that would run another image.
fn images(here: &Release, there: &Release) -> Vec<ImageDifference> {
    let of = |release: &Release| -> BTreeMap<ServiceName, Arc<str>> {
        let services = release.spec.services.iter();
        services.filter_map(|(name, service)| Some((name.clone(), release.image(&service.image).ok()?))).collect()
    };
    let (mut here, there) = (of(here), of(there));
    let mut differing = Vec::new();
    for (service, image) in there {
        let was = here.remove(&service);
        if was.as_ref() != Some(&image) {
            differing.push(ImageDifference { service, here: was, there: Some(image) });
        }
    }
    differing.extend(here.into_iter().map(|(service, image)| ImageDifference { service, here: Some(image), there: None }));
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_secret_is_told() {
        let change = |part, name: &str, from: Option<&str>, to: Option<&str>| Change {
            part,
            name: Some(name.into()),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        for (change, expected) in [
            (change(Part::Variables, "LOG", Some("\"info\""), Some("\"debug\"")), "LOG: \"info\" → \"debug\""),
            (change(Part::Variables, "API_TOKEN", Some("\"a\""), Some("\"b\"")), "API_TOKEN: another value"),
            (change(Part::Variables, "API_TOKEN", None, Some("\"b\"")), "API_TOKEN: new"),
            (change(Part::Variables, "DB_PASSWORD", Some("\"b\""), None), "DB_PASSWORD: removed"),
            (change(Part::Secrets, "DB_PASSWORD", None, Some("\"file\"")), "secret DB_PASSWORD: new"),
        ] {
            assert_eq!(words(&change), expected);
        }
    }
}
