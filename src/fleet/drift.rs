//! Drift: a service that should be one thing and is several. Always with a reason that names the odd one out.
//!
//! Two kinds are told from what runs: one tag that stands for different bits, and more than one version in one environment. Kept
//! containers, one-off ones and what does not run take no part; what cannot be told apart is never drift.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    bits::{self, Sameness},
    container::Container,
    identity::IdentityOrigin,
    ids::{ContainerKey, EnvironmentId, HostId, ServiceKey},
    model::Fleet,
    version::{VersionOrigin, short_digest},
};

/// What kind of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// More than one version of the service in one environment.
    Versions,
    /// One tag, different bits.
    Bits,
}

/// One disagreement within a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What kind.
    pub kind: DriftKind,
    /// In which environment; `None` also when several are concerned.
    pub environment: Option<EnvironmentId>,
    /// The reason in words: `app-07 runs 1.0.1-19-04bd1c9, the other 3 run 1.0.1-22-7e56158`.
    pub why: Arc<str>,
    /// The odd ones out: all that do not belong to the majority.
    pub odd: BTreeSet<ContainerKey>,
}

/// A camp of containers that agree.
struct Camp<'a> {
    members: Vec<&'a Container>,
}

impl<'a> Camp<'a> {
    fn newest(&self) -> Option<DateTime<Utc>> {
        self.members.iter().map(|c| c.started.unwrap_or(c.created)).max()
    }

    fn hosts(&self) -> BTreeSet<&'a HostId> {
        self.members.iter().map(|c| &c.key.host).collect()
    }
}

/// The disagreements within one service, versions first. Where the versions of one moving tag disagree, the bits say it better: such a
/// disagreement is told once.
pub fn of_service(fleet: &Fleet, service: &ServiceKey) -> Vec<Arc<Drift>> {
    let members: Vec<&Container> = fleet.containers_of(service).filter(|c| c.is_running() && !c.is_kept() && !c.is_oneoff()).collect();
    if members.len() < 2 {
        return Vec::new();
    }
    let by_bits = of_bits(fleet, &members);
    let mut found = of_versions(fleet, &members);
    found.retain(|drift| !by_bits.iter().any(|other| other.odd == drift.odd));
    found.into_iter().chain(by_bits).map(Arc::new).collect()
}

/// More than one version in an environment. Containers that only their name names count as one service only within one repository:
/// `db` here and `db` there may be two products.
fn of_versions(fleet: &Fleet, members: &[&Container]) -> Vec<Drift> {
    let mut lanes: BTreeMap<(Option<&EnvironmentId>, &str), Vec<&Container>> = BTreeMap::new();
    for container in members {
        let place = match container.identity.origin {
            IdentityOrigin::Name => container.image.canonical_repository(),
            IdentityOrigin::Label | IdentityOrigin::Rule(_) | IdentityOrigin::Compose | IdentityOrigin::Swarm => "",
        };
        lanes.entry((container.identity.environment.as_ref(), place)).or_default().push(container);
    }
    let same = |a: &Container, b: &Container| {
        let by_bits = a.version.origin == VersionOrigin::Digest && b.version.origin == VersionOrigin::Digest;
        a.version.text == b.version.text || by_bits && bits::compare(fleet, a, b) != Sameness::Different
    };
    let mut found = Vec::new();
    for ((environment, _), lane) in lanes {
        let camps = camps(&lane, same);
        if camps.len() > 1 {
            let why = sentence(&camps, |c| c.version.text.to_string());
            found.push(drift(DriftKind::Versions, environment.cloned(), why, &camps));
        }
    }
    found
}

/// One tag of one repository with different bits, in any environments.
fn of_bits(fleet: &Fleet, members: &[&Container]) -> Vec<Drift> {
    let mut tags: BTreeMap<(&str, &str), Vec<&Container>> = BTreeMap::new();
    for container in members {
        let tag = match (&container.image.tag, &container.image.digest) {
            (Some(tag), _) => tag,
            (None, None) if !container.image.repository.is_empty() => "latest",
            (None, _) => continue,
        };
        tags.entry((container.image.canonical_repository(), tag)).or_default().push(container);
    }
    let mut found = Vec::new();
    for ((_, tag), lane) in tags {
        let camps = camps(&lane, |a, b| bits::compare(fleet, a, b) != Sameness::Different);
        if camps.len() > 1 {
            let first = lane[0].identity.environment.as_ref();
            let shared = lane.iter().all(|c| c.identity.environment.as_ref() == first);
            let why = bits_sentence(tag, &camps);
            found.push(drift(DriftKind::Bits, first.filter(|_| shared).cloned(), why, &camps));
        }
    }
    found
}

fn drift(kind: DriftKind, environment: Option<EnvironmentId>, why: String, camps: &[Camp<'_>]) -> Drift {
    let odd = camps[1..].iter().flat_map(|camp| &camp.members).map(|c| c.key.clone()).collect();
    Drift { kind, environment, why: why.into(), odd }
}

/// Sorts containers into camps that agree, the majority first. Of equally large camps the one with the newest start is the majority: the
/// old one is what was left behind.
fn camps<'a>(lane: &[&'a Container], same: impl Fn(&Container, &Container) -> bool) -> Vec<Camp<'a>> {
    let mut camps: Vec<Camp<'a>> = Vec::new();
    for &container in lane {
        match camps.iter_mut().find(|camp| same(camp.members[0], container)) {
            Some(camp) => camp.members.push(container),
            None => camps.push(Camp { members: vec![container] }),
        }
    }
    camps.sort_by(|a, b| b.members.len().cmp(&a.members.len()).then(b.newest().cmp(&a.newest())));
    camps
}

/// `app-07 runs 1.0.1-19-04bd1c9, the other 3 run 1.0.1-22-7e56158`.
fn sentence(camps: &[Camp<'_>], what: impl Fn(&Container) -> String) -> String {
    let odd = camps[1..].iter().map(|camp| {
        let verb = if camp.hosts().len() == 1 { "runs" } else { "run" };
        format!("{} {verb} {}", hosts(camp), what(camp.members[0]))
    });
    let rest = match camps[0].members.len() {
        1 => format!("{} runs {}", hosts(&camps[0]), what(camps[0].members[0])),
        n => format!("the other {n} run {}", what(camps[0].members[0])),
    };
    odd.chain([rest]).collect::<Vec<_>>().join(", ")
}

/// `tag 1.0.1-22 is sha256:3f9a12… on app-01 but sha256:77c0de… on app-02`.
fn bits_sentence(tag: &str, camps: &[Camp<'_>]) -> String {
    let bits = |camp: &Camp<'_>| {
        let container = camp.members[0];
        format!("sha256:{}…", short_digest(container.digest.as_deref().unwrap_or(container.image_id.as_str())))
    };
    let odd: Vec<String> = camps[1..].iter().map(|camp| format!("{} on {}", bits(camp), hosts(camp))).collect();
    format!("tag {tag} is {} but {} on {}", odd.join(", "), bits(&camps[0]), hosts(&camps[0]))
}

/// The hosts of a camp: at most three by name.
fn hosts(camp: &Camp<'_>) -> String {
    let hosts: Vec<&str> = camp.hosts().into_iter().map(HostId::as_str).collect();
    match hosts.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{
        ContainerState, Delta, HostSpec, ImageFact, ImageId,
        delta::ContainerSummary,
        fixture::{self, labels, now, spec},
    };

    fn hosts() -> Vec<HostSpec> {
        vec![spec("a", Some("production")), spec("b", Some("production")), spec("c", Some("production")), spec("t", Some("testing"))]
    }

    /// host, name, image, bits: `d:xxxxxx` a digest, `i:x` an image id, `l:x` layers under an id of the host's own.
    type Placed = (&'static str, &'static str, &'static str, &'static str);

    fn fleet(placed: &[Placed], change: impl Fn(&mut ContainerSummary)) -> Fleet {
        let mut fleet = Fleet::new(hosts(), vec![]);
        for spec in hosts() {
            let mut engine = fixture_engine();
            engine.containerd_store = spec.id.as_str() == "c";
            fleet.apply(Delta::Engine { host: spec.id.clone(), info: engine });
            let here = placed.iter().filter(|(host, ..)| *host == spec.id.as_str());
            let mut list = Vec::new();
            for (host, name, image, bits) in here {
                let mut summary = fixture::container(host, name, image);
                summary.labels = labels(&[("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")]);
                summary.image_id = match bits.split_once(':') {
                    Some(("i", id)) => ImageId::new(id),
                    _ => ImageId::new(format!("{host}-{bits}")),
                };
                let fact = ImageFact {
                    id: summary.image_id.clone(),
                    repo_digests: bits.strip_prefix("d:").map(|digest| format!("r/web@sha256:{digest}").into()).into_iter().collect(),
                    repo_tags: vec![],
                    layers: bits.strip_prefix("l:").map(Into::into).into_iter().collect(),
                };
                fleet.apply(Delta::Images { host: spec.id.clone(), images: vec![fact] });
                change(&mut summary);
                list.push(summary);
            }
            fleet.apply(Delta::List { host: spec.id, containers: list, asked: now(), at: now() });
        }
        fleet
    }

    fn fixture_engine() -> crate::fleet::EngineInfo {
        let engine = fixture::fleet().hosts().find_map(|host| host.engine.clone());
        engine.unwrap()
    }

    fn why(fleet: &Fleet) -> Vec<String> {
        let services: Vec<_> = fleet.services().cloned().collect();
        services.iter().flat_map(|service| of_service(fleet, service)).map(|drift| drift.why.to_string()).collect()
    }

    #[test]
    fn the_odd_one_out_is_named() {
        let cases: [(&[Placed], &[&str]); 11] = [
            (&[("a", "w", "r/web:1", "d:aaaaaa1"), ("b", "w", "r/web:1", "d:aaaaaa1")], &[]),
            (
                &[("a", "w", "r/web:1", "d:aaaaaa1"), ("a", "w2", "r/web:1", "d:aaaaaa1"), ("b", "w", "r/web:2", "d:bbbbbb1")],
                &["b runs 2, the other 2 run 1"],
            ),
            (&[("a", "w", "r/web:1", "d:aaaaaa1"), ("t", "w", "r/web:2", "d:bbbbbb1")], &[]),
            (
                &[("a", "w", "r/web:1", "d:aaaaaa1"), ("b", "w", "r/web:1", "d:bbbbbb1"), ("b", "w2", "r/web:1", "d:bbbbbb1")],
                &["tag 1 is sha256:aaaaaa… on a but sha256:bbbbbb… on b"],
            ),
            // Across environments too.
            (
                &[("t", "w", "r/web:1", "d:aaaaaa1"), ("a", "w", "r/web:1", "d:bbbbbb1"), ("b", "w", "r/web:1", "d:bbbbbb1")],
                &["tag 1 is sha256:aaaaaa… on t but sha256:bbbbbb… on a and b"],
            ),
            // A moving tag's disagreement is told once.
            (
                &[("a", "w", "r/web", "d:aaaaaa1"), ("b", "w", "r/web", "d:bbbbbb1"), ("c", "w", "r/web", "d:bbbbbb1")],
                &["tag latest is sha256:aaaaaa… on a but sha256:bbbbbb… on b and c"],
            ),
            // Image ids: a difference between engines of one kind, nothing between a and c, which are not.
            (
                &[("a", "w", "r/web:1", "i:1"), ("b", "w", "r/web:1", "i:2"), ("b", "w2", "r/web:1", "i:2")],
                &["tag 1 is sha256:1… on a but sha256:2… on b"],
            ),
            (&[("a", "w", "r/web:1", "i:1"), ("c", "w", "r/web:1", "i:2")], &[]),
            (&[("a", "w", "r/web", "i:1"), ("c", "w", "r/web", "i:2")], &[]),
            // Layers: unequal is different, equal is not the same.
            (&[("a", "w", "r/web:1", "l:1"), ("c", "w", "r/web:1", "l:1")], &[]),
            (&[("a", "w", "r/web:1", "l:1"), ("c", "w", "r/web:1", "l:2")], &["tag 1 is sha256:2… on c but sha256:1… on a"]),
        ];
        for (placed, expected) in cases {
            assert_eq!(why(&fleet(placed, |_| {})), expected, "{placed:?}");
        }
    }

    #[test]
    fn what_takes_no_part() {
        let placed: [Placed; 2] = [("a", "w", "r/web:1", "d:aaaaaa1"), ("b", "w", "r/web:2", "d:bbbbbb1")];
        let on_b = |summary: &ContainerSummary| summary.image.tag.as_deref() == Some("2");
        assert_eq!(why(&fleet(&placed, |_| {})).len(), 1);
        let stopped = fleet(&placed, |c| c.state = if on_b(c) { ContainerState::Exited } else { c.state });
        assert_eq!(why(&stopped).len(), 0);
        let kept = fleet(&placed, |c| {
            if on_b(c) {
                c.name = "w-kept".into();
                c.labels = labels(&[("quarterdeck.app", "shop"), ("quarterdeck.service", "web")]);
            }
        });
        assert_eq!(why(&kept).len(), 0);
        let oneoff = fleet(&placed, |c| {
            let mut all = (*c.labels).clone();
            if on_b(c) {
                all.insert("com.docker.compose.oneoff".into(), "True".into());
            }
            c.labels = all.into();
        });
        assert_eq!(why(&oneoff).len(), 0);
    }

    #[test]
    fn a_tie_blames_the_one_left_behind() {
        let placed: [Placed; 2] = [("a", "w", "r/web:2", "d:aaaaaa1"), ("b", "w", "r/web:1", "d:bbbbbb1")];
        let older = fleet(&placed, |c| {
            if c.image.tag.as_deref() == Some("1") {
                c.created -= chrono::TimeDelta::days(3);
            }
        });
        assert_eq!(why(&older), ["b runs 1, a runs 2"]);
    }

    #[test]
    fn a_name_alone_does_not_join_two_products() {
        let placed: [Placed; 2] = [("a", "db", "postgres:15", "d:aaaaaa1"), ("b", "db", "mysql:8", "d:bbbbbb1")];
        assert_eq!(why(&fleet(&placed, |c| c.labels = labels(&[]))).len(), 0);
        assert_eq!(why(&fleet(&placed, |_| {})).len(), 1);
    }
}
