//! What of ours stays on hosts, and what may go: by digest, from what the records know and what the hosts have.
//!
//! Ours are the images that an app's builds made and the containers that a deployment kept. Images of others, outside images among them,
//! and whatever a container uses are never touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::Serialize;

use super::release::{KEPT, ReleaseId, label};
use crate::{
    fleet::{AppName, ContainerId, ContainerState, EnvironmentId, ImageId},
    text::counted,
};

/// Fewer good releases than these are no way back.
const LEAST: usize = 2;

/// What the records know of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// What was good where, newest first; one that was good twice may stand there twice.
    pub good: BTreeMap<EnvironmentId, Vec<ReleaseId>>,
    /// What waits, runs or stands still.
    pub pending: BTreeSet<(EnvironmentId, ReleaseId)>,
    /// Versions in the order of their builds, newest first.
    pub built: Vec<Arc<str>>,
    /// Versions that the configuration names.
    pub pinned: BTreeSet<Arc<str>>,
    /// The images that each version's build made, as `repository@sha256:…`.
    pub images: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// Why something stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is one of the last good ones of these environments.
    Good(BTreeSet<EnvironmentId>),
    /// A deployment of it has not ended.
    Pending,
    /// It is one of the newest builds.
    New,
    /// The configuration names it.
    Pinned,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(environments) => {
                let names: Vec<&str> = environments.iter().map(EnvironmentId::as_str).collect();
                write!(f, "one of the last good ones in {}", names.join(", "))
            }
            Self::Pending => f.write_str("a deployment of it has not ended"),
            Self::New => f.write_str("one of the newest builds"),
            Self::Pinned => f.write_str("pinned"),
        }
    }
}

/// What stays and what is ours, of all apps together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Images that stay.
    kept: BTreeMap<Arc<str>, Why>,
    /// Images that a build of ours made.
    ours: BTreeSet<Arc<str>>,
    /// Releases whose kept containers stay.
    releases: BTreeSet<(AppName, EnvironmentId, ReleaseId)>,
    apps: BTreeSet<AppName>,
}

impl Rule {
    /// Takes an app in; `keep` good releases of each environment stay.
    pub fn add(&mut self, app: &AppName, past: &Past, keep: u32) {
        self.apps.insert(app.clone());
        self.ours.extend(past.images.values().flatten().cloned());
        let keep = usize::try_from(keep).unwrap_or(usize::MAX).max(LEAST);
        let mut versions: BTreeMap<&Arc<str>, Why> = BTreeMap::new();
        versions.extend(past.built.iter().take(keep).map(|version| (version, Why::New)));
        versions.extend(past.pinned.iter().map(|version| (version, Why::Pinned)));
        for (environment, release) in &past.pending {
            versions.insert(&release.version, Why::Pending);
            self.releases.insert((app.clone(), environment.clone(), release.clone()));
        }
        for (environment, good) in &past.good {
            let mut last: Vec<&ReleaseId> = Vec::new();
            for release in good.iter() {
                if last.len() < keep && !last.contains(&release) {
                    last.push(release);
                }
            }
            for release in last {
                self.releases.insert((app.clone(), environment.clone(), release.clone()));
                match versions.entry(&release.version).or_insert_with(|| Why::Good(BTreeSet::new())) {
                    Why::Good(environments) => drop(environments.insert(environment.clone())),
                    other => *other = Why::Good([environment.clone()].into()),
                }
            }
        }
        for (version, why) in versions {
            for image in past.images.get(version).into_iter().flatten() {
                self.kept.insert(Arc::clone(image), why.clone());
            }
        }
    }
}

/// A container of a host, as far as this asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub id: ContainerId,
    /// Its name.
    pub name: Arc<str>,
    /// What it is made from.
    pub image: ImageId,
    /// What it does.
    pub state: ContainerState,
    /// What it says of itself.
    pub labels: Arc<BTreeMap<Arc<str>, Arc<str>>>,
}

/// An image of a host, as far as this asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What the engine knows it by.
    pub id: ImageId,
    /// `repository@sha256:…`, every one.
    pub digests: Vec<Arc<str>>,
    /// `repository:tag`, every one.
    pub names: Vec<Arc<str>>,
}

/// What may go from one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spare {
    /// Kept containers.
    pub containers: Vec<ContainerId>,
    /// Images, with the names that are taken from each; none: it goes by its id. `true`: somebody else's name stays on it.
    pub images: Vec<(ImageId, Vec<Arc<str>>, bool)>,
    /// What was left alone, and why, a line each.
    pub notes: Vec<String>,
}

/// What may go from a host that has these.
pub fn spare(rule: &Rule, containers: &[Found], images: &[Held]) -> Spare {
    let mut spare = Spare::default();
    let label = |found: &Found, key: &str| found.labels.get(key).cloned();
    let app_of = |found: &Found| label(found, label::APP).map(AppName::new).filter(|app| rule.apps.contains(app));
    // Somebody is at it: what a run is about to use is not ours to judge.
    let locked: BTreeSet<AppName> =
        containers.iter().filter(|found| label(found, label::KIND).as_deref() == Some("lock")).filter_map(&app_of).collect();
    spare.notes.extend(locked.iter().map(|app| format!("a deployment of {app} has its lock here: nothing of {app} goes")));
    let mut gone = BTreeSet::new();
    for found in containers.iter().filter(|found| found.name.ends_with(KEPT) && label(found, label::KIND).is_none()) {
        let place = (app_of(found), label(found, label::ENVIRONMENT).map(EnvironmentId::new), label(found, label::RELEASE));
        let (Some(app), Some(environment), Some(release)) = place else { continue };
        let Ok(release) = release.parse::<ReleaseId>() else { continue };
        // What runs is warm: it takes requests the moment somebody goes back.
        let is_warm = !matches!(found.state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead);
        if is_warm || locked.contains(&app) || rule.releases.contains(&(app, environment, release)) {
            continue;
        }
        gone.insert(&found.id);
        spare.containers.push(found.id.clone());
    }
    let used: BTreeSet<&ImageId> = containers.iter().filter(|found| !gone.contains(&found.id)).map(|found| &found.image).collect();
    for image in images {
        let ours: Vec<&Arc<str>> = image.digests.iter().filter(|digest| rule.ours.contains(*digest)).collect();
        let repositories: BTreeSet<&str> = ours.iter().filter_map(|digest| digest.split_once('@')).map(|(name, _)| name).collect();
        let is_locked = repositories.iter().any(|name| locked.iter().any(|app| name.contains(&format!("/{app}/"))));
        let is_kept = image.digests.iter().any(|digest| rule.kept.contains_key(digest));
        if ours.is_empty() || is_kept || is_locked || used.contains(&image.id) {
            continue;
        }
        let is_our_name = |name: &str| name.rsplit_once(':').is_some_and(|(repository, _)| repositories.contains(repository));
        let (own, other): (Vec<_>, Vec<_>) = image.names.iter().cloned().partition(|name| is_our_name(name));
        match (own.is_empty(), other.is_empty()) {
            // Under another's name alone it is another's.
            (true, false) => {}
            (_, false) => spare.images.push((image.id.clone(), own, true)),
            (_, true) => spare.images.push((image.id.clone(), own, false)),
        }
    }
    let kept: BTreeMap<&Why, usize> = images.iter().flat_map(|image| &image.digests).filter_map(|digest| rule.kept.get(digest)).fold(
        BTreeMap::new(),
        |mut counts, why| {
            *counts.entry(why).or_default() += 1;
            counts
        },
    );
    spare.notes.extend(kept.into_iter().map(|(why, count)| format!("{} stay: {why}", counted(count, "image"))));
    spare
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "r:5000/shop/web";

    fn release(n: u32) -> ReleaseId {
        format!("{}+00000000", version(n)).parse().unwrap()
    }

    fn version(n: u32) -> Arc<str> {
        format!("1.0-{n}-aaaaaaa").into()
    }

    fn digest(n: u32) -> Arc<str> {
        format!("{REGISTRY}@sha256:{n}").into()
    }

    /// Ten builds, of which the newest nine were good in testing and 3 and 2 in production.
    fn past() -> Past {
        Past {
            good: [
                ("testing".into(), (1..10).rev().map(release).collect()),
                ("production".into(), vec![release(3), release(2), release(3)]),
            ]
            .into(),
            pending: BTreeSet::new(),
            built: (1..=10).rev().map(version).collect(),
            pinned: BTreeSet::new(),
            images: (1..=10).map(|n| (version(n), [digest(n)].into())).collect(),
        }
    }

    fn rule(past: &Past, keep: u32) -> Rule {
        let mut rule = Rule::default();
        rule.add(&AppName::new("shop"), past, keep);
        rule
    }

    fn image(n: u32, names: &[&str]) -> Held {
        Held { id: ImageId::new(n.to_string()), digests: vec![digest(n)], names: names.iter().map(|name| Arc::from(*name)).collect() }
    }

    fn container(name: &str, n: u32, state: ContainerState, kind: Option<&str>) -> Found {
        let labels =
            [(label::APP, "shop".to_owned()), (label::ENVIRONMENT, "production".to_owned()), (label::RELEASE, release(n).to_string())];
        let labels = labels.into_iter().chain(kind.map(|kind| (label::KIND, kind.to_owned())));
        Found {
            id: ContainerId::new(name),
            name: name.into(),
            image: ImageId::new(n.to_string()),
            state,
            labels: Arc::new(labels.map(|(key, value)| (Arc::from(key), value.into())).collect()),
        }
    }

    fn gone(rule: &Rule, containers: &[Found], images: &[Held]) -> (Vec<String>, Vec<String>) {
        let spare = spare(rule, containers, images);
        let containers = spare.containers.iter().map(|id| id.as_str().to_owned()).collect();
        (containers, spare.images.iter().map(|(id, _, _)| id.as_str().to_owned()).collect())
    }

    fn all() -> Vec<Held> {
        (1..=10).map(|n| image(n, &[])).collect()
    }

    #[test]
    fn the_last_good_ones_and_the_newest_stay() {
        assert_eq!(gone(&rule(&past(), 3), &[], &all()).1, ["1", "4", "5", "6"]);
        // One alone would be no way back.
        assert_eq!(gone(&rule(&past(), 1), &[], &all()).1, gone(&rule(&past(), 2), &[], &all()).1);
        let pinned = Past { pinned: [version(1)].into(), pending: [("staging".into(), release(5))].into(), ..past() };
        assert_eq!(gone(&rule(&pinned, 3), &[], &all()).1, ["4", "6"]);
    }

    #[test]
    fn what_is_used_or_others_stays() {
        let rule = rule(&past(), 2);
        let running = container("shop-production-web-1", 4, ContainerState::Running, None);
        let mut images = all();
        images.push(Held { id: ImageId::new("postgres"), digests: vec!["postgres@sha256:1".into()], names: Vec::new() });
        images.push(Held { id: ImageId::new("unknown"), digests: vec![format!("{REGISTRY}@sha256:77").into()], names: Vec::new() });
        images.push(Held { id: ImageId::new("local"), digests: Vec::new(), names: vec![format!("{REGISTRY}:1.0-99-aaaaaaa").into()] });
        assert_eq!(gone(&rule, &[running], &images).1, ["1", "5", "6", "7"]);
        // Only our names are taken; under somebody else's name it stays.
        let ours = format!("{REGISTRY}:1.0-5-aaaaaaa");
        let named = [image(5, &[&ours]), image(6, &[&ours, "mine:keep"]), image(7, &["mine:other"])];
        let found = spare(&rule, &[], &named).images;
        let names = vec![Arc::from(ours.as_str())];
        assert_eq!(found, [(ImageId::new("5"), names.clone(), false), (ImageId::new("6"), names, true)]);
    }

    #[test]
    fn kept_containers_go_when_they_are_no_way_back() {
        let rule = rule(&past(), 2);
        let stopped = ContainerState::Exited;
        let containers = [
            container("web-1-kept", 1, stopped, None),
            container("web-2-kept", 2, stopped, None),
            container("web-warm-kept", 1, ContainerState::Running, None),
            container("web-used", 1, stopped, None),
        ];
        assert_eq!(gone(&rule, &containers, &[]).0, ["web-1-kept"]);
        // Its image goes with it, but not as long as another uses it.
        assert_eq!(gone(&rule, &containers[..1], &[image(1, &[])]).1, ["1"]);
        assert_eq!(gone(&rule, &containers, &[image(1, &[])]).1, [""; 0]);
        // Another program's container of that name, and another app's.
        let mut foreign = container("other-kept", 1, stopped, None);
        foreign.labels = Arc::default();
        assert_eq!(gone(&rule, &[foreign], &[]).0, [""; 0]);
    }

    #[test]
    fn nothing_goes_under_a_lock() {
        let lock = container("quarterdeck-lock-shop-production", 3, ContainerState::Created, Some("lock"));
        let kept = container("web-1-kept", 1, ContainerState::Exited, None);
        let spare = spare(&rule(&past(), 2), &[lock, kept], &all());
        assert_eq!((spare.containers.len(), spare.images.len()), (0, 0));
        assert!(spare.notes[0].contains("has its lock here"), "{:?}", spare.notes);
    }
}
