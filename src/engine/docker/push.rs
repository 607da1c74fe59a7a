//! Images between an engine and a registry.
//!
//! Push and pull are streams whose HTTP status says little: a refused push is a 200 whose last line is the error. bollard's types drop the
//! layer's id, so the lines are read here.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Empty};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Client, EngineError, Lines, RegistryAuth,
    client::{Body, named, read_whole},
    decode::parse,
};
use crate::text::{clean, clean_line};

/// How long a push or pull may be silent: an engine tries each layer five times, with growing pauses.
const SILENCE: Duration = Duration::from_secs(120);

/// What happens in a push or a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferEvent {
    /// A layer moved on.
    Layer {
        /// Its short name.
        id: Arc<str>,
        /// `Pushing`, `Pushed`, `Layer already exists`, `Downloading`, `Retrying in 5 seconds`.
        phase: Arc<str>,
        /// Bytes so far and, where known, in all; so far may exceed it.
        bytes: Option<(u64, Option<u64>)>,
    },
    /// Something else, in the engine's words.
    Said(Arc<str>),
    /// The manifest's digest.
    Digest(Arc<str>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    status: Option<String>,
    id: Option<String>,
    error: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Option<Progress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Progress {
    current: Option<u64>,
    total: Option<u64>,
}

/// A push or a pull under way. Dropping it ends it over there.
pub struct Transfer {
    lines: Lines,
    what: String,
}

impl Transfer {
    /// What happens next; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// [`EngineError::Status`] with the engine's words (status 200: it comes after the head), [`EngineError::Timeout`] after two silent
    /// minutes, [`EngineError::Broken`].
    pub async fn next(&mut self) -> Result<Option<TransferEvent>, EngineError> {
        loop {
            let line = match timeout(SILENCE, self.lines.next()).await {
                Ok(line) => line?,
                Err(_) => return Err(EngineError::Timeout { what: self.what.clone(), seconds: SILENCE.as_secs() }),
            };
            let Some(line) = line else { return Ok(None) };
            if let Some(event) = event(&line)? {
                return Ok(Some(event));
            }
        }
    }
}

fn event(line: &[u8]) -> Result<Option<TransferEvent>, EngineError> {
    let Ok(line) = serde_json::from_slice::<Line>(line) else { return Ok(None) };
    if let Some(error) = line.error {
        return Err(EngineError::Status { status: 200, message: clean_line(&error) });
    }
    let Some(status) = line.status else { return Ok(None) };
    if let Some(digest) = digest_of(&status) {
        return Ok(Some(TransferEvent::Digest(digest.into())));
    }
    let status = clean_line(&status);
    Ok(Some(match line.id {
        Some(id) => {
            let bytes = line.progress.and_then(|progress| Some((progress.current?, progress.total)));
            TransferEvent::Layer { id: clean(&id).as_ref().into(), phase: status.into(), bytes }
        }
        None => TransferEvent::Said(status.into()),
    }))
}

/// `1.0: digest: sha256:… size: 1148` (push) and `Digest: sha256:…` (pull): the one form that all engines have.
fn digest_of(status: &str) -> Option<String> {
    let at = status.find("igest: sha256:")? + "igest: ".len();
    let digest: String = status[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect();
    (digest.len() == "sha256:".len() + 64).then_some(digest)
}

impl Client {
    /// Sends an image to its registry.
    ///
    /// # Errors
    /// Every [`EngineError`]; refusals of the registry come out of the [`Transfer`].
    pub async fn push(&self, repository: &str, tag: &str, auth: &RegistryAuth) -> Result<Transfer, EngineError> {
        // The name is a path of several parts; the engine's router takes it as it is.
        self.transfer(&format!("/images/{repository}/push?tag={}", escaped(tag)), auth).await
    }

    /// Fetches an image, by tag or by digest.
    ///
    /// # Errors
    /// As [`Client::push`]; `Status` 404 when there is none, 401 for wrong credentials.
    pub async fn pull(&self, reference: &str, auth: &RegistryAuth) -> Result<Transfer, EngineError> {
        let (name, tag) = match reference.split_once('@') {
            Some((name, digest)) => (name, digest),
            None => split_tag(reference),
        };
        self.transfer(&format!("/images/create?fromImage={}&tag={}", escaped(name), escaped(tag)), auth).await
    }

    async fn transfer(&self, path: &str, auth: &RegistryAuth) -> Result<Transfer, EngineError> {
        let what = named(&Method::POST, path);
        let asked = async {
            let response = self.send(with_auth(Method::POST, path, auth, &what)?).await?;
            if response.status().is_success() {
                return Ok(Transfer { lines: Lines::new(response.into_body(), "an image transfer"), what: what.clone() });
            }
            let unexplained = EngineError::Protocol { what: what.clone(), reason: "a refusal without a reason".to_owned() };
            Err(read_whole(response, &what).await.err().unwrap_or(unexplained))
        };
        match timeout(SILENCE, asked).await {
            Ok(transfer) => transfer,
            Err(_) => Err(EngineError::Timeout { what: what.clone(), seconds: SILENCE.as_secs() }),
        }
    }

    /// Asks the registry, through the engine, for the digest behind a reference; `None`: there is no such thing there.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Timeout` when the registry is not reached within `limit`.
    pub async fn registry_digest(&self, reference: &str, auth: &RegistryAuth, limit: Duration) -> Result<Option<String>, EngineError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Descriptor")]
            descriptor: Descriptor,
        }
        #[derive(Deserialize)]
        struct Descriptor {
            digest: String,
        }
        let path = format!("/distribution/{reference}/json");
        let what = named(&Method::GET, &path);
        let asked = async {
            let response = self.send(with_auth(Method::GET, &path, auth, &what)?).await?;
            match read_whole(response, &what).await {
                Ok(answer) => {
                    let answer: Answer = parse(&answer, &what)?;
                    Ok(Some(clean(&answer.descriptor.digest).into_owned()))
                }
                // Podman has no such question, and answers with these words alone.
                Err(EngineError::Status { status: 404, message }) if message != "Not Found" => Ok(None),
                // Registries that will not say whether there is something answer so, too.
                Err(EngineError::Status { message, .. }) if message.contains("manifest unknown") || message.contains("name unknown") => {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        match timeout(limit, asked).await {
            Ok(digest) => digest,
            Err(_) => Err(EngineError::Timeout { what: what.clone(), seconds: limit.as_secs() }),
        }
    }
}

pub(super) fn with_auth(method: Method, path: &str, auth: &RegistryAuth, what: &str) -> Result<Request<Body>, EngineError> {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "docker").header("X-Registry-Auth", auth.header());
    request
        .body(Empty::new().map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| EngineError::Protocol { what: what.to_owned(), reason: error.to_string() })
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `host:5000/a/b:1` → name and tag; without a tag, `latest`.
pub fn split_tag(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_both_directions() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let layer = |phase: &str, bytes| TransferEvent::Layer { id: "a1".into(), phase: phase.into(), bytes };
        for (line, expected) in [
            (
                r#"{"status":"The push refers to repository [r/x]"}"#.to_owned(),
                TransferEvent::Said("The push refers to repository [r/x]".into()),
            ),
            (r#"{"status":"Preparing","progressDetail":{},"id":"a1"}"#.to_owned(), layer("Preparing", None)),
            (r#"{"status":"Pushing","progressDetail":{"current":512},"id":"a1"}"#.to_owned(), layer("Pushing", Some((512, None)))),
            (
                r#"{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"a1"}"#.to_owned(),
                layer("Downloading", Some((5, Some(9)))),
            ),
            (format!(r#"{{"status":"1: digest: {digest} size: 1148"}}"#), TransferEvent::Digest(digest.as_str().into())),
            (format!(r#"{{"status":"Digest: {digest}"}}"#), TransferEvent::Digest(digest.as_str().into())),
        ] {
            assert_eq!(event(line.as_bytes()).unwrap(), Some(expected), "{line}");
        }
        assert_eq!(event(br#"{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:x","Size":1}}"#).unwrap(), None);
        let error = event(br#"{"errorDetail":{"message":"unauthorized"},"error":"unauthorized: authentication required"}"#).unwrap_err();
        assert_eq!(error.to_string(), "unauthorized: authentication required");
    }

    #[test]
    fn names_and_tags() {
        for (reference, expected) in
            [("busybox", ("busybox", "latest")), ("r:5000/a/b", ("r:5000/a/b", "latest")), ("r:5000/a/b:1.0", ("r:5000/a/b", "1.0"))]
        {
            assert_eq!(split_tag(reference), expected);
        }
    }

    proptest! {
        #[test]
        fn foreign_lines_never_panic(line in any::<String>()) {
            let _ = event(line.as_bytes());
            let _ = digest_of(&line);
        }
    }
}
