//! What is remembered of builds: which key became which image. The ledger keeps it; a build only asks and tells.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use thiserror::Error;

use super::{key::ImageKey, report::Layer};

/// An image that was built, tested and pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// What went into it.
    pub key: ImageKey,
    /// `<registry>/<app>/<image>`.
    pub repository: Arc<str>,
    /// Its tag: the version it was built for first.
    pub version: Arc<str>,
    /// The manifest's digest in the registry.
    pub digest: Arc<str>,
    /// The commit.
    pub revision: Arc<str>,
    /// Bytes of all layers, unpacked.
    pub size: u64,
    /// For the comparison with the next one.
    pub layers: Vec<Layer>,
    /// When.
    pub at: DateTime<Utc>,
}

impl BuiltImage {
    /// `<repository>:<version>`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.version)
    }

    /// `<repository>@<digest>`: these bits and no others.
    pub fn pinned(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

/// Why the records cannot be read or written; one clean line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RecordsError(pub String);

/// Keeps what was built.
pub trait Builds: Send + Sync {
    /// The image that this key became, the newest where there are several.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn known(&self, key: &ImageKey) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>>;

    /// The image that was pushed under this tag.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn tagged(&self, repository: &str, version: &str) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>>;

    /// The last image of a repository, whatever its key.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn last(&self, repository: &str) -> BoxFuture<'_, Result<Option<BuiltImage>, RecordsError>>;

    /// Keeps one; it is durable when this resolves.
    ///
    /// # Errors
    /// When the records cannot be written.
    fn record(&self, image: BuiltImage) -> BoxFuture<'_, Result<(), RecordsError>>;
}
