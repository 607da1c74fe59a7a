//! The short name in front of a line: no longer than it takes to tell the sources of one stream apart.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use crate::text::width;

/// How many colours there are for sources.
pub const HUES: usize = 8;

/// What stands in front of a source's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `app-04`, `web-1`, or `app-04 web-1`.
    pub text: String,
    /// Which of the [`HUES`] colours.
    pub hue: usize,
}

/// The tags of all sources, by their number, and the width of the widest in cells. A container that took another one's place under the
/// same name has the same tag and colour.
pub fn tags(sources: &[Source]) -> (Vec<Tag>, usize) {
    let hosts: BTreeSet<_> = sources.iter().map(|source| &source.key.host).collect();
    let names: BTreeSet<_> = sources.iter().map(|source| &source.name).collect();
    let mut by_host: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for source in sources {
        by_host.entry(&source.key.host).or_default().insert((&source.service, &source.name));
    }
    let services: BTreeSet<_> = sources.iter().map(|source| &source.service).collect();
    // One service, one container a host: the host says all. A successor under another name needs both again.
    let host_says_all = hosts.len() > 1 && services.len() == 1 && by_host.values().all(|names| names.len() == 1);
    let text = |source: &Source| match () {
        () if host_says_all => source.key.host.to_string(),
        () if hosts.len() <= 1 || (names.len() == sources.len() && names.len() == hosts.len()) => source.name.to_string(),
        () => format!("{} {}", source.key.host, source.name),
    };
    let mut hues: BTreeMap<String, usize> = BTreeMap::new();
    let mut widest = 0;
    let tags = sources.iter().map(|source| {
        let text = text(source);
        let next = hues.len();
        let hue = *hues.entry(text.clone()).or_insert(next) % HUES;
        widest = widest.max(width(&text));
        Tag { text, hue }
    });
    let tags = tags.collect();
    (tags, widest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fleet::{Selector, fixture},
        logs::{Cast, CastRule},
    };

    fn told(selector: &str) -> Vec<String> {
        let (cast, _) = Cast::start(CastRule::Matching(Selector::parse(selector).unwrap()), &fixture::fleet());
        let mut told: Vec<String> = tags(cast.sources()).0.into_iter().map(|tag| tag.text).collect();
        told.sort();
        told
    }

    #[test]
    fn as_short_as_it_can_be() {
        assert_eq!(told("service:api env:production"), ["app-04", "app-05", "app-06", "app-07"]);
        assert_eq!(told("host:app-01"), ["proxy", "worker-1", "worker-2"]);
        assert_eq!(told("service:worker host:app-01,app-02"), ["app-01 worker-1", "app-01 worker-2", "app-02 worker-1", "app-02 worker-2"]);
        assert_eq!(told("service:db host:app-09"), ["db"]);
        assert!(told("name:nothing").is_empty());
    }

    #[test]
    fn the_same_name_has_the_same_colour() {
        let (cast, _) = Cast::start(CastRule::Matching(Selector::default()), &fixture::fleet());
        let mut sources = cast.sources().to_vec();
        let mut successor = sources[0].clone();
        successor.key.id = crate::fleet::ContainerId::new("other");
        sources.push(successor);
        let (tags, widest) = tags(&sources);
        assert_eq!(tags[0], tags[sources.len() - 1]);
        assert!(tags.iter().all(|tag| tag.hue < HUES && width(&tag.text) <= widest));
    }
}
