//! The version of what runs, and which fact told it. Pure.
//!
//! Order (design: Identity): `quarterdeck.version` > an image tag of the form `<version>-<n>-<sha>` >
//! `org.opencontainers.image.version` > any other tag that does not move > short digest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
