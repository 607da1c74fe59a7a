//! Images: bits with a name. Their ids follow from their names, so that equal bits are equal on every host.

use std::collections::BTreeMap;

use super::seed;

/// One image on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// `sha256:…` of its configuration: its id.
    pub id: String,
    /// `sha256:…` of its manifest.
    pub digest: String,
    /// When it was built, nanoseconds since 1970.
    pub created: i64,
    /// Its size in bytes.
    pub size: u64,
    /// Its own labels.
    pub labels: BTreeMap<String, String>,
}

impl Image {
    /// The image of these bits under this name; other `bits`, other ids. `start` is the wall clock at the scenario's start.
    pub fn new(repository: &str, tag: &str, bits: &str, start: i64) -> Self {
        let text = format!("{repository}:{tag}:{bits}");
        let number = seed::number(&text);
        let mut labels = BTreeMap::new();
        labels.insert("org.opencontainers.image.version".to_owned(), tag.to_owned());
        if let Some(revision) = tag.rsplit('-').next().filter(|sha| sha.len() == 7 && sha.chars().all(|c| c.is_ascii_hexdigit())) {
            labels.insert("org.opencontainers.image.revision".to_owned(), revision.to_owned());
        } else {
            labels.clear();
        }
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            id: format!("sha256:{}", seed::hex(&format!("config {text}"))),
            digest: format!("sha256:{}", seed::hex(&format!("manifest {text}"))),
            created: start - (number % (90 * 86_400)) as i64 * 1_000_000_000 - 4 * 86_400_000_000_000,
            size: 20_000_000 + number % 300_000_000,
            labels,
        }
    }

    /// `repository:tag`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// `repository@sha256:…`.
    pub fn repo_digest(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }

    /// Whether this is what a person means by `name`: a name, a name with a digest, or an id or the start of one.
    pub fn answers_to(&self, name: &str) -> bool {
        let bare = name.strip_prefix("sha256:").unwrap_or(name);
        let hex = self.id.strip_prefix("sha256:").unwrap_or(&self.id);
        name == self.name()
            || name == self.repo_digest()
            || (self.tag == "latest" && name == self.repository)
            || (bare.len() >= 4 && hex.starts_with(bare))
    }
}
