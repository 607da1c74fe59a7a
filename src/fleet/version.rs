//! The version of what runs, and which fact told it. Pure.
//!
//! Order (design: Identity): `quarterdeck.version` > an image tag of the form `<version>-<n>-<sha>` >
//! `org.opencontainers.image.version` > any other tag that does not move > short digest.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{container::ImageRef, ids::ImageId};

/// A version as shown, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The text shown: `1.0.1-22-7e56158`, `15.4`, `latest@3f9a12`.
    pub text: Arc<str>,
    /// Which fact told it.
    pub origin: VersionOrigin,
}

/// Which fact told a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionOrigin {
    /// The label `quarterdeck.version`.
    Label,
    /// A tag of the form `<version>-<n>-<sha>`.
    BuildTag,
    /// The label `org.opencontainers.image.version`.
    Oci,
    /// Another tag that does not move.
    Tag,
    /// Nothing but the bits: short digest, or image id where there is no digest.
    Digest,
}

/// Tags that are pushed again and again: they name a stream, not a version.
const MOVING: [&str; 14] = [
    "latest",
    "main",
    "master",
    "stable",
    "edge",
    "dev",
    "develop",
    "development",
    "nightly",
    "release",
    "current",
    "testing",
    "staging",
    "production",
];

/// Whether a tag has the form `<version>-<n>-<sha>`, as `git describe` counts: app version, commits, 7 to 40 digits of the commit;
/// `-dirty.xxxx` for an unclean tree and `-bN` for a rebuild may follow.
///
/// By hand and not as a regular expression: it is asked of every container of every host, and often it is all that a start asks.
pub fn is_build_tag(tag: &str) -> bool {
    let all = |text: &str, allowed: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(allowed);
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut parts: Vec<&str> = tag.split('-').collect();
    if parts.last().and_then(|last| last.strip_prefix('b')).is_some_and(|number| all(number, u8::is_ascii_digit)) {
        parts.pop();
    }
    if parts.last().and_then(|last| last.strip_prefix("dirty.")).is_some_and(|diff| all(diff, hex)) {
        parts.pop();
    }
    let [version, more @ .., count, sha] = parts.as_slice() else { return false };
    let word: fn(&u8) -> bool = |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    version.starts_with(|first: char| first.is_ascii_alphanumeric())
        && all(version, word)
        && more.iter().all(|part| all(part, word))
        && all(count, u8::is_ascii_digit)
        && (7..=40).contains(&sha.len())
        && all(sha, hex)
}

/// Whether a tag names a stream that is pushed again and again, not one build.
pub fn is_moving_tag(tag: &str) -> bool {
    MOVING.contains(&tag)
}

/// The version of a container. `digest` is the manifest digest, where known; until then the image id stands in for it.
pub fn derive(labels: &BTreeMap<Arc<str>, Arc<str>>, image: &ImageRef, digest: Option<&str>, id: &ImageId) -> Version {
    let label = |key: &str| labels.get(key).filter(|value| !value.is_empty());
    if let Some(text) = label("quarterdeck.version") {
        return Version { text: Arc::clone(text), origin: VersionOrigin::Label };
    }
    if let Some(tag) = image.tag.as_ref().filter(|tag| is_build_tag(tag)) {
        return Version { text: Arc::clone(tag), origin: VersionOrigin::BuildTag };
    }
    if let Some(text) = label("org.opencontainers.image.version") {
        return Version { text: Arc::clone(text), origin: VersionOrigin::Oci };
    }
    if let Some(tag) = image.tag.as_ref().filter(|tag| !is_moving_tag(tag)) {
        return Version { text: Arc::clone(tag), origin: VersionOrigin::Tag };
    }
    let bits = image.digest.as_deref().or(digest).unwrap_or(id.as_str());
    let stream = match &image.tag {
        Some(tag) => tag,
        None if image.digest.is_some() || image.repository.is_empty() => "sha256",
        None => "latest",
    };
    let text = match (short_digest(bits), stream) {
        ("", stream) => stream.to_owned(),
        (short, "sha256") => format!("sha256:{short}"),
        (short, stream) => format!("{stream}@{short}"),
    };
    Version { text: text.into(), origin: VersionOrigin::Digest }
}

/// The first six digits of a digest or image id: enough to tell builds of one service apart on a screen.
pub fn short_digest(digest: &str) -> &str {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    hex.get(..6).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_tags() {
        for tag in ["1.0.1-22-7e56158", "1.0-3-7e56158abc", "2.3.0-rc.1-88-51be0aa", "1.0.1-22-7e56158-dirty.a1b2", "1.0.1-22-7e56158-b2"] {
            assert!(is_build_tag(tag), "{tag}");
        }
        for tag in ["15.4", "1.0.1-22", "latest", "1.0.1-22-7e561", "1.0.1-x-7e56158", "", "-22-7e56158", "1.0.1-22-7E56158"] {
            assert!(!is_build_tag(tag), "{tag}");
        }
    }

    #[test]
    fn order_of_facts() {
        let digest = "sha256:3f9a12aaaaaaaaaa";
        let id = ImageId::new("sha256:77c0debbbb");
        // labels, image, digest; version, origin.
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>, &'a str, VersionOrigin);
        let cases: [Case<'_>; 12] = [
            (&[("quarterdeck.version", "9-1-7e56158")], "r/web:1.0.1-22-7e56158", None, "9-1-7e56158", VersionOrigin::Label),
            (&[("org.opencontainers.image.version", "22.04")], "r/web:1.0.1-22-7e56158", None, "1.0.1-22-7e56158", VersionOrigin::BuildTag),
            (&[("org.opencontainers.image.version", "1.2")], "r/web:blue", None, "1.2", VersionOrigin::Oci),
            (&[("org.opencontainers.image.version", "1.2")], "r/web:latest", Some(digest), "1.2", VersionOrigin::Oci),
            (&[("org.opencontainers.image.version", "")], "r/web:blue", None, "blue", VersionOrigin::Tag),
            (&[], "postgres:15.4", None, "15.4", VersionOrigin::Tag),
            (&[], "proxy:latest", Some(digest), "latest@3f9a12", VersionOrigin::Digest),
            (&[], "proxy", Some(digest), "latest@3f9a12", VersionOrigin::Digest),
            (&[], "proxy:main", None, "main@77c0de", VersionOrigin::Digest),
            (&[], "proxy@sha256:abcdef012345", None, "sha256:abcdef", VersionOrigin::Digest),
            (&[], "proxy:latest@sha256:abcdef012345", Some(digest), "latest@abcdef", VersionOrigin::Digest),
            (&[], "sha256:0000000000000000000000000000000000000000000000000000000000000000", None, "sha256:77c0de", VersionOrigin::Digest),
        ];
        for (pairs, image, digest, text, origin) in cases {
            let labels = pairs.iter().map(|(k, v)| (Arc::from(*k), Arc::from(*v))).collect();
            let version = derive(&labels, &ImageRef::parse(image), digest, &id);
            assert_eq!((&*version.text, version.origin), (text, origin), "{image}");
        }
        let unknown = derive(&BTreeMap::new(), &ImageRef::parse("proxy"), None, &ImageId::new(""));
        assert_eq!(&*unknown.text, "latest");
    }
}
