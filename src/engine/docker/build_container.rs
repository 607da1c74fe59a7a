//! Containers that run one command and are thrown away: a test in a finished image, a preparation before a build.
//!
//! They carry no label of an app, so that no screen takes them for a service, and no port and no volume of anybody's.

use std::time::Duration;

use futures_util::stream;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::{
    Client, EngineError, LogBody, LogQuery, OnceError,
    build::ContextPieces,
    client::{Body, BoxError, named, read_whole},
    decode::parse,
};
use crate::{
    fleet::ContainerId,
    logs::{Framing, SourceId},
};

/// For making, starting and removing one.
const QUICK: Duration = Duration::from_secs(60);
/// For a tree of files on its way in.
const UPLOAD: Duration = Duration::from_secs(900);
/// How long the engine may take to note an end after the output has ended.
const AFTERMATH: Duration = Duration::from_secs(30);

/// What runs once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// In which image.
    pub image: String,
    /// The program and its arguments, in place of the image's own.
    pub command: Vec<String>,
    /// Where, made where there is no such directory; `None`: where the image says.
    pub directory: Option<String>,
    /// As whom; `None`: as the image says.
    pub user: Option<String>,
    /// What it is for, as the label `quarterdeck.errand`.
    pub purpose: String,
}

impl Client {
    /// Makes its container; nothing runs yet.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn errand_create(&self, errand: &Errand) -> Result<ContainerId, EngineError> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "Id")]
            id: String,
        }
        let (program, arguments) =
            errand.command.split_first().map_or((&[][..], &[][..]), |(first, rest)| (std::slice::from_ref(first), rest));
        let body = json!({
            "Image": errand.image,
            "Entrypoint": program,
            "Cmd": arguments,
            "WorkingDir": errand.directory.as_deref().unwrap_or_default(),
            "User": errand.user.as_deref().unwrap_or_default(),
            "Labels": { "quarterdeck.errand": errand.purpose },
            // A health check of the image's own would only be in the way.
            "Healthcheck": { "Test": ["NONE"] },
            "HostConfig": { "LogConfig": { "Type": "json-file", "Config": { "max-size": "16m" } }, "RestartPolicy": { "Name": "no" } },
        });
        let what = "POST /containers/create".to_owned();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/containers/create")
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.to_string().into()).map_err(|never| match never {}).boxed_unsync())
            .map_err(|error| EngineError::Protocol { what: what.clone(), reason: error.to_string() })?;
        let created: Created = match timeout(QUICK, async { read_whole(self.send(request).await?, &what).await }).await {
            Ok(answer) => parse(&answer?, &what)?,
            Err(_) => return Err(EngineError::Timeout { what, seconds: QUICK.as_secs() }),
        };
        // It goes into paths: only what an id is made of.
        match !created.id.is_empty() && created.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => Ok(ContainerId::new(created.id)),
            false => Err(EngineError::Protocol { what, reason: "its Id is none".to_owned() }),
        }
    }

    /// Puts a tar stream's files into a directory of a container.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn errand_put(&self, container: &ContainerId, directory: &str, pieces: ContextPieces) -> Result<(), EngineError> {
        let path = format!("/containers/{container}/archive?path={}", utf8_percent_encode(directory, NON_ALPHANUMERIC));
        let what = named(&Method::PUT, &path);
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece.map(Frame::data).map_err(|error| Box::new(error) as BoxError), pieces))
        });
        let body: Body = StreamBody::new(pieces).boxed_unsync();
        let request = Request::builder()
            .method(Method::PUT)
            .uri(&path)
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/x-tar")
            .body(body)
            .map_err(|error| EngineError::Protocol { what: what.clone(), reason: error.to_string() })?;
        match timeout(UPLOAD, async { read_whole(self.send(request).await?, &what).await }).await {
            Ok(answer) => answer.map(|_| ()),
            Err(_) => Err(EngineError::Timeout { what, seconds: UPLOAD.as_secs() }),
        }
    }

    /// Runs it; its output from the first line on.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Status` with the engine's words when there is no such program in the image.
    pub async fn errand_start(&self, container: &ContainerId) -> Result<LogBody, EngineError> {
        match self.once(Method::POST, &format!("/containers/{container}/start"), QUICK).await {
            Ok(_) => self.logs(container, LogQuery { follow: true, ..LogQuery::default() }, Framing::Multiplexed, SourceId(0)).await,
            Err(OnceError::Refused { status, message }) => Err(EngineError::Status { status, message }),
            Err(OnceError::NotSent(error) | OnceError::Unsure(error)) => Err(error),
        }
    }

    /// Its exit code, once its output has ended.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Timeout` when it goes on without output.
    pub async fn errand_code(&self, container: &ContainerId) -> Result<i64, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Ended {
            status_code: i64,
        }
        let path = format!("/containers/{container}/wait");
        let what = named(&Method::POST, &path);
        let request = super::client::request(Method::POST, &path)?;
        match timeout(AFTERMATH, async { read_whole(self.send(request).await?, &what).await }).await {
            Ok(answer) => parse::<Ended>(&answer?, &what).map(|ended| ended.status_code),
            Err(_) => Err(EngineError::Timeout { what, seconds: AFTERMATH.as_secs() }),
        }
    }

    /// Throws a container away, running or not, with its own volumes.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn errand_remove(&self, container: &ContainerId) -> Result<(), EngineError> {
        match self.once(Method::DELETE, &format!("/containers/{container}?force=true&v=true"), QUICK).await {
            Ok(StatusCode::NOT_MODIFIED) | Ok(_) | Err(OnceError::Refused { status: 404, .. }) => Ok(()),
            Err(OnceError::Refused { status, message }) => Err(EngineError::Status { status, message }),
            Err(OnceError::NotSent(error) | OnceError::Unsure(error)) => Err(error),
        }
    }
}
