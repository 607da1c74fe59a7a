//! `POST /build`: a context goes in as a stream, progress comes out as one, and in the end an image.
//!
//! BuildKit and the classic builder are asked through the same request. BuildKit is asked without a session: what a session would serve
//! (credentials for base images) is not needed, because base images are on the engine before the build begins. A build lives as long as its
//! connection: dropping the [`BuildStream`] cancels it over there.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::mpsc;

pub use super::build_progress::{BuildEvent, StepFailure};
use super::{
    Client, EngineError, Lines,
    build_progress::BuildReader,
    client::{ApiVersion, Body, BoxError, named, read_whole},
    decode::parse,
    push_auth::RegistryAuths,
};
use crate::text::clean;

/// For what the engine knows itself.
const QUICK: Duration = Duration::from_secs(10);

/// Since this version the engine has BuildKit (Docker 18.09).
const BUILDKIT: ApiVersion = ApiVersion { major: 1, minor: 39 };

/// Who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// Stages side by side, only what the target needs.
    Buildkit,
    /// Step by step.
    Classic,
}

/// What is to be built of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOrder {
    /// Who builds.
    pub builder: Builder,
    /// The Dockerfile's name in the context.
    pub dockerfile: String,
    /// What the image is called; `None`: by its id alone. An order for no image at all (`outputs` of type `cacheonly`) is refused from
    /// Docker 25 on.
    pub tag: Option<String>,
    /// The stage to build; `None`: the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<Arc<str>, Arc<str>>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
}

/// Pieces of a context, as they are read.
pub type ContextPieces = mpsc::Receiver<io::Result<Bytes>>;

/// Why a build has no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    /// A step failed.
    Step(StepFailure),
    /// The engine or the way to it did; its words.
    Engine(String),
}

/// A build under way.
pub struct BuildStream {
    lines: Lines,
    reader: BuildReader,
}

impl BuildStream {
    /// Appends what has happened since; `false` at the end. Cancel-safe.
    ///
    /// # Errors
    /// Why there is no image.
    pub async fn next(&mut self, events: &mut Vec<BuildEvent>) -> Result<bool, BuildEnd> {
        match self.lines.next().await.map_err(|error| BuildEnd::Engine(error.to_string()))? {
            Some(line) => self.reader.take(&line, events).map(|()| true).map_err(BuildEnd::Step),
            None => Ok(false),
        }
    }
}

impl Client {
    /// Who builds on an engine of this name and of the negotiated version: Podman has one builder of its own behind the classic request.
    pub fn builder(&self, engine: &str) -> Builder {
        let docker = engine.starts_with("Docker");
        if docker && self.api() >= Some(BUILDKIT) { Builder::Buildkit } else { Builder::Classic }
    }

    /// What the engine's own machine runs: `linux/amd64`.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn platform(&self) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Version {
            #[serde(default)]
            os: String,
            #[serde(default)]
            arch: String,
        }
        let version: Version = parse(&self.get("/version", QUICK).await?, "GET /version")?;
        Ok(clean(&format!("{}/{}", version.os, version.arch)).into_owned())
    }

    /// Starts a build. There is no deadline: the first word comes when the context has been read, and a step may be silent for long.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Status` 400 for a Dockerfile that the classic builder cannot read.
    pub async fn build(&self, order: &BuildOrder, auths: &RegistryAuths, context: ContextPieces) -> Result<BuildStream, EngineError> {
        let path = order.path();
        let what = named(&Method::POST, &path);
        let pieces = stream::unfold(context, |mut context| async move {
            let piece = context.recv().await?;
            Some((piece.map(Frame::data).map_err(|error| Box::new(error) as BoxError), context))
        });
        let body: Body = StreamBody::new(pieces).boxed_unsync();
        let request = Request::builder()
            .method(Method::POST)
            .uri(&path)
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/x-tar")
            .header("X-Registry-Config", auths.header())
            .body(body)
            .map_err(|error| EngineError::Protocol { what: what.clone(), reason: error.to_string() })?;
        let response = self.send(request).await?;
        match response.status().is_success() {
            true => Ok(BuildStream { lines: Lines::new(response.into_body(), "POST /build"), reader: BuildReader::default() }),
            false => {
                let unexplained = EngineError::Protocol { what: what.clone(), reason: "a refusal without a reason".to_owned() };
                Err(read_whole(response, &what).await.err().unwrap_or(unexplained))
            }
        }
    }
}

impl BuildOrder {
    fn path(&self) -> String {
        let mut pairs = vec![
            ("dockerfile", self.dockerfile.clone()),
            ("buildargs", serde_json::json!(self.args).to_string()),
            ("labels", serde_json::json!(self.labels).to_string()),
            ("rm", "1".to_owned()),
            ("forcerm", "1".to_owned()),
        ];
        pairs.extend(self.tag.clone().map(|tag| ("t", tag)));
        pairs.extend(self.target.clone().map(|target| ("target", target)));
        if self.builder == Builder::Buildkit {
            pairs.push(("version", "2".to_owned()));
        }
        let query: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
        format!("/build?{}", query.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question() {
        let order = BuildOrder {
            builder: Builder::Buildkit,
            dockerfile: "docker/Dockerfile".to_owned(),
            tag: None,
            target: Some("test".to_owned()),
            args: BTreeMap::from([("MODE".into(), "a b&c".into())]),
            labels: BTreeMap::new(),
        };
        let expected = "/build?dockerfile=docker%2FDockerfile&buildargs=%7B%22MODE%22%3A%22a%20b%26c%22%7D&labels=%7B%7D&rm=1&forcerm=1&target=test&version=2";
        assert_eq!(order.path(), expected);
        let whole = BuildOrder { builder: Builder::Classic, tag: Some("r:5000/a/b:1".to_owned()), target: None, ..order };
        assert!(whole.path().ends_with("&forcerm=1&t=r%3A5000%2Fa%2Fb%3A1"), "{}", whole.path());
    }
}
