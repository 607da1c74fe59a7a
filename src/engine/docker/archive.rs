//! Files out of a container: `GET /containers/{id}/archive`, a tar stream with the path's own description in a header.

use std::{
    io::{self, Read},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{
    Client, EngineError,
    client::{named, read_whole},
    error::broken,
};
use crate::{engine::Lifeline, fleet::ContainerId};

/// How long an engine may take until it knows what lies at a path.
const HEAD: Duration = Duration::from_secs(30);
/// The header that describes the path: JSON in base64.
const STAT: &str = "x-docker-container-path-stat";

/// What lies at a path in a container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PathStat {
    /// Its last part, as it came.
    pub name: String,
    /// Go's file mode: the permissions below, the kind above.
    pub mode: u32,
}

impl PathStat {
    /// Whether it is a directory (Go's `ModeDir`).
    pub fn is_dir(&self) -> bool {
        self.mode & (1 << 31) != 0
    }
}

/// A tar stream under way.
pub struct ArchiveBody {
    body: Incoming,
    /// A connection that hangs says nothing; the link it belongs to does.
    link: Option<Lifeline>,
}

/// Pieces that may wait to be read by [`ArchiveBody::read_by`]. Overflow: the engine waits.
const WAITING: usize = 8;

impl ArchiveBody {
    /// Makes the end of the link the end of the stream.
    pub(crate) fn until_lost(mut self, link: Lifeline) -> Self {
        self.link = Some(link);
        self
    }

    /// Has the whole stream read by work that blocks, on a thread of its own. A stream that breaks is an error of that read, too.
    ///
    /// # Errors
    /// Why the stream broke; else what the work says.
    pub async fn read_by<T: Send + 'static>(mut self, work: impl FnOnce(ArchivePieces) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let (tell, pieces) = mpsc::channel(WAITING);
        let reader = tokio::task::spawn_blocking(move || work(ArchivePieces { pieces, piece: Bytes::new() }));
        let broken = loop {
            match self.next().await {
                Ok(Some(piece)) => {
                    if tell.send(Ok(piece)).await.is_err() {
                        // It ended by itself, with a reason.
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(error) => {
                    // The reader may have ended already; the error is told all the same.
                    let _ = tell.send(Err(io::Error::other(error.to_string()))).await;
                    break Some(io::Error::other(error.to_string()));
                }
            }
        };
        drop(tell);
        let done = reader.await.map_err(io::Error::other)?;
        broken.map_or(done, Err)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`EngineError::Broken`] when the connection ended in the middle, [`EngineError::Connect`] when the whole link was lost.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            let frame = match &mut self.link {
                Some(link) => tokio::select! {
                    frame = self.body.frame() => frame,
                    lost = link.lost() => return Err(lost.into()),
                },
                None => self.body.frame().await,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(broken("the archive", &error.to_string())),
                None => return Ok(None),
            }
        }
    }
}

/// A tar stream as a thread that blocks reads it.
pub struct ArchivePieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for ArchivePieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl Client {
    /// What lies at a path in a container, running or not; `None`: nothing.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn path_stat(&self, container: &ContainerId, path: &str) -> Result<Option<PathStat>, EngineError> {
        let (path, what) = target(&Method::HEAD, container, path);
        let response = self.archive_request(Method::HEAD, &path, &what).await?;
        match response.status().as_u16() {
            404 => Ok(None),
            200 => stat(response.headers(), &what).map(Some),
            // The answer to HEAD has no body to tell why.
            status => Err(EngineError::Status { status, message: format!("{what}: HTTP status {status}") }),
        }
    }

    /// What lies at a path, as a tar stream.
    ///
    /// # Errors
    /// Every [`EngineError`]; [`EngineError::is_not_found`] when there is nothing.
    pub async fn archive(&self, container: &ContainerId, path: &str) -> Result<(PathStat, ArchiveBody), EngineError> {
        let (path, what) = target(&Method::GET, container, path);
        let response = self.archive_request(Method::GET, &path, &what).await?;
        if !response.status().is_success() {
            let refusal = EngineError::Protocol { what: what.clone(), reason: "a refusal without a reason".to_owned() };
            return read_whole(response, &what).await.and(Err(refusal));
        }
        Ok((stat(response.headers(), &what)?, ArchiveBody { body: response.into_body(), link: None }))
    }

    async fn archive_request(&self, method: Method, path: &str, what: &str) -> Result<http::Response<Incoming>, EngineError> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "docker");
        let request = request.body(Empty::new().map_err(|never| match never {}).boxed_unsync());
        let request = request.map_err(|error| EngineError::Protocol { what: what.to_owned(), reason: error.to_string() })?;
        match tokio::time::timeout(HEAD, self.send(request)).await {
            Ok(response) => response,
            Err(_) => Err(EngineError::Timeout { what: what.to_owned(), seconds: HEAD.as_secs() }),
        }
    }
}

fn target(method: &Method, container: &ContainerId, path: &str) -> (String, String) {
    let target = format!("/containers/{container}/archive?path={}", utf8_percent_encode(path, NON_ALPHANUMERIC));
    let what = named(method, &target);
    (target, what)
}

fn stat(headers: &HeaderMap, what: &str) -> Result<PathStat, EngineError> {
    let fault = |reason: &str| EngineError::Protocol { what: what.to_owned(), reason: reason.to_owned() };
    let text = headers.get(STAT).ok_or_else(|| fault("it does not describe the path"))?;
    let json = BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| fault("its description of the path is not base64"))?;
    serde_json::from_slice(&json).map_err(|_| fault("its description of the path is not JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_reads_back_and_nonsense_is_told() {
        let mut headers = HeaderMap::new();
        assert!(stat(&headers, "GET /x").unwrap_err().to_string().contains("does not describe"));
        for (text, expected) in [
            (r#"{"name":"etc","size":4096,"mode":2147484141,"mtime":"2026-11-21T00:00:00Z","linkTarget":""}"#, Some(true)),
            (r#"{"name":"passwd","mode":420}"#, Some(false)),
            (r#"{"name":"passwd"}"#, None),
            ("", None),
        ] {
            headers.insert(STAT, BASE64_STANDARD.encode(text).parse().unwrap());
            assert_eq!(stat(&headers, "GET /x").ok().map(|stat| stat.is_dir()), expected, "{text}");
        }
        headers.insert(STAT, "%%".parse().unwrap());
        assert!(stat(&headers, "GET /x").is_err());
    }

    #[test]
    fn a_path_is_one_value_of_the_query() {
        let (target, what) = target(&Method::GET, &ContainerId::new("ab12"), "/a b&c=../ü");
        assert_eq!(target, "/containers/ab12/archive?path=%2Fa%20b%26c%3D%2E%2E%2F%C3%BC");
        assert_eq!(what, "GET /containers/ab12/archive");
    }
}
