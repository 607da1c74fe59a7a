//! The workbench: the engine that builds, and what is known there. It asks the engine and the registries; what to build is not its matter.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    builds::Builds,
    fault::BuildFault,
    git::Repository,
    login::Logins,
    progress::{Progress, Say},
};
use crate::{
    engine::docker::{Builder, Client, EngineError, Transfer, TransferEvent, split_tag},
    text::clean_line,
};

/// How long a registry may take to tell a digest. The engine's own copy is used when it does not.
const LOOK: Duration = Duration::from_secs(8);

/// Central Dockerfiles: `<app>/<image>/Dockerfile`.
#[derive(Clone, Debug)]
pub enum Central {
    /// A directory of this machine.
    Directory(PathBuf),
    /// The default branch of a repository.
    Repository(Repository),
}

/// An engine that builds.
pub struct Bench<'a> {
    /// Its connection, with the version negotiated.
    pub client: &'a Client,
    /// Its name, for messages.
    pub host: &'a str,
    /// Which builder it has.
    pub builder: Builder,
    /// `linux/amd64`.
    pub platform: &'a str,
    /// Who we are to registries.
    pub logins: &'a Logins,
    /// Where Dockerfiles are that are nowhere else.
    pub central: Option<&'a Central>,
    /// What was built before.
    pub builds: &'a dyn Builds,
    /// Somebody's wish that it ends.
    pub stop: &'a CancellationToken,
}

impl Bench<'_> {
    /// Waits for something, but not beyond the wish that it ends.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, BuildFault> {
        self.stop.run_until_cancelled(work).await.ok_or(BuildFault::Stopped)
    }

    pub(super) fn engine(&self, source: EngineError) -> BuildFault {
        BuildFault::Engine { host: self.host.to_owned(), source }
    }

    /// The arguments that every build has.
    pub(super) fn platform_args(&self) -> BTreeMap<String, String> {
        let (os, arch) = self.platform.split_once('/').unwrap_or(("linux", self.platform));
        let values = [("PLATFORM", self.platform), ("OS", os), ("ARCH", arch), ("VARIANT", "")];
        let both = values.iter().flat_map(|(name, value)| ["TARGET", "BUILD"].map(|side| (format!("{side}{name}"), (*value).to_owned())));
        both.collect()
    }

    /// The digest of an image that others made, and the image itself on the engine. The registry's word counts, so that a base that was
    /// mended is taken in; where it cannot be asked, the engine's own copy does.
    pub(super) async fn settle(&self, image: &str, base: &str, say: &mut Say<'_>) -> Result<String, BuildFault> {
        let failed =
            |reason: String| BuildFault::Base { image: image.to_owned(), base: clean_line(base), host: self.host.to_owned(), reason };
        if !is_reference(base) {
            return Err(failed("it is no image's name: is a build argument without a value in it?".to_owned()));
        }
        let auth = self.logins.find(base).await?;
        let here = self.client.image_report(base).await.map_err(|error| self.engine(error))?;
        if let (Some((_, digest)), Some(_)) = (base.split_once('@'), &here) {
            return Ok(digest.to_owned());
        }
        let there = self.client.registry_digest(base, &auth, LOOK).await;
        let own = here.as_ref().map(|report| digest_in(&report.repo_digests, base).unwrap_or_else(|| report.id.clone()));
        let wanted = match (there, own) {
            (Ok(Some(there)), Some(own)) if there == own => return Ok(own),
            (Ok(Some(there)), _) => Some(there),
            (Ok(None), Some(own)) => {
                say(Progress::Note(format!("{base}: its registry has none; the copy on {} is used", self.host).into()));
                return Ok(own);
            }
            (Err(error), Some(own)) => {
                say(Progress::Note(format!("{base}: its registry was asked in vain ({error}); the copy on {} is used", self.host).into()));
                return Ok(own);
            }
            (Ok(None) | Err(_), None) => None,
        };
        say(Progress::Begin { image: image.into(), what: format!("pull {base}").into() });
        let mut transfer = self.client.pull(base, &auth).await.map_err(|error| failed(error.to_string()))?;
        let told = follow(&mut transfer, say).await.map_err(|error| failed(error.to_string()))?;
        let report = self.client.image_report(base).await.map_err(|error| self.engine(error))?;
        let pulled = report.and_then(|report| digest_in(&report.repo_digests, base).or(Some(report.id)));
        told.or(pulled).or(wanted).ok_or_else(|| failed("the engine says that it came, and has none".to_owned()))
    }

    /// Whether a tag is in its registry already; `None` when nobody can tell.
    pub(super) async fn is_taken(&self, reference: &str) -> Result<Option<bool>, BuildFault> {
        let auth = self.logins.find(reference).await?;
        match self.client.registry_digest(reference, &auth, LOOK).await {
            Ok(digest) => Ok(Some(digest.is_some())),
            Err(error) => {
                tracing::debug!(%error, reference, "the registry was asked in vain");
                Ok(None)
            }
        }
    }

    /// Sends an image to its registry; gives its digest, as the registry told it and the engine knows it.
    pub(super) async fn push(&self, repository: &str, tag: &str, say: &mut Say<'_>) -> Result<String, BuildFault> {
        let reference = format!("{repository}:{tag}");
        let failed = |reason: String| BuildFault::Push { reference: reference.clone(), host: self.host.to_owned(), reason };
        let auth = self.logins.find(&reference).await?;
        let mut transfer = self.client.push(repository, tag, &auth).await.map_err(|error| failed(error.to_string()))?;
        let told = follow(&mut transfer, say).await.map_err(|error| failed(error.to_string()))?;
        let report = self.client.image_report(&reference).await.map_err(|error| self.engine(error))?;
        let known: Vec<String> = report.iter().flat_map(|report| digests_in(&report.repo_digests, repository)).collect();
        let Some(told) = told else { return known.into_iter().next().ok_or_else(|| failed("no digest was told".to_owned())) };
        if known.contains(&told) {
            return Ok(told);
        }
        // Podman compresses layers on the way, and goes on knowing the image by the digest it had before.
        match (self.client.registry_digest(&reference, &auth, LOOK).await, self.builder) {
            (Ok(Some(there)), _) if there == told => Ok(told),
            (Ok(Some(there)), _) => Err(BuildFault::Digest { reference, told, known: there }),
            (Ok(None) | Err(_), Builder::Classic) => Ok(told),
            (Ok(None) | Err(_), Builder::Buildkit) => Err(BuildFault::Digest { reference, told, known: known.join(" ") }),
        }
    }
}

/// Tells a transfer's progress until its end; gives the digest.
async fn follow(transfer: &mut Transfer, say: &mut Say<'_>) -> Result<Option<String>, EngineError> {
    let mut digest = None;
    while let Some(event) = transfer.next().await? {
        match event {
            TransferEvent::Layer { id, phase, bytes } => say(Progress::Layer { id, phase, bytes }),
            TransferEvent::Digest(told) => digest = Some(told.to_string()),
            // The head and the end of the engine's report: what we say ourselves.
            TransferEvent::Said(_) => {}
        }
    }
    Ok(digest)
}

/// What `docker pull` takes, and nothing that would be something else in a path of the engine's API.
pub(super) fn is_reference(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let (name, tag) = match text.split_once('@') {
        Some((name, digest)) => (name, digest),
        None => split_tag(text),
    };
    text.len() <= 512
        && text.chars().all(allowed)
        && !name.is_empty()
        && !tag.is_empty()
        && name
            .split('/')
            .all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// The digest under which an image is known in the repository of a reference.
fn digest_in(repo_digests: &[String], reference: &str) -> Option<String> {
    let name = reference.split('@').next().unwrap_or(reference);
    digests_in(repo_digests, split_tag(name).0).next()
}

/// All of them; an image may have been pushed to one repository twice.
fn digests_in<'a>(repo_digests: &'a [String], repository: &'a str) -> impl Iterator<Item = String> + 'a {
    // The engine shortens Docker Hub's names.
    let short = |name: &'a str| name.strip_prefix("docker.io/").unwrap_or(name).trim_start_matches("library/");
    let pairs = repo_digests.iter().filter_map(|entry| entry.split_once('@'));
    pairs.filter(move |(name, _)| short(name) == short(repository)).map(|(_, digest)| digest.to_owned())
}

/// What a registry's images are called: `<registry>/<app>/<image>`.
pub(super) fn repository(registry: &str, app: &str, image: &str) -> Arc<str> {
    format!("{}/{app}/{image}", registry.trim_end_matches('/')).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        for text in ["busybox", "busybox:1.36", "r:5000/a/b:1", "r.example/a@sha256:00", "localhost/a_b", "[::1]:5000/a"] {
            assert_eq!(is_reference(text), !text.starts_with('['), "{text}");
        }
        for text in ["", "a b", "a?b", "../../containers", "a//b", "a/../b", "/a", "a/", "r/node:", "a#b", "a%2e", ":1"] {
            assert!(!is_reference(text), "{text}");
        }
    }

    #[test]
    fn digests_of_a_repository() {
        let known = ["busybox@sha256:1".to_owned(), "r:5000/shop/web@sha256:2".to_owned(), "r:5000/shop/web@sha256:3".to_owned()];
        assert_eq!(digest_in(&known, "docker.io/library/busybox:1"), Some("sha256:1".to_owned()));
        assert_eq!(digest_in(&known, "r:5000/shop/web:1"), Some("sha256:2".to_owned()));
        assert_eq!(digests_in(&known, "r:5000/shop/web").count(), 2);
        assert_eq!(digest_in(&known, "shop/web"), None);
        assert_eq!(&*repository("r:5000/", "shop", "web"), "r:5000/shop/web");
    }
}
