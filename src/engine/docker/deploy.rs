//! The requests of a deployment: making, starting and ending containers, and what they need around them. Each is sent once; whoever does not
//! know whether it was carried out looks and sends it again.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    Client, EngineError, OnceError, RegistryAuth,
    client::{Body, named, read_whole},
};
use crate::{fleet::ContainerId, text::clean_line};

/// For requests that cost an engine next to nothing.
const QUICK: Duration = Duration::from_secs(15);
/// For those that wait for a disk or a process.
const SLOW: Duration = Duration::from_secs(60);
/// A pull that brings nothing new for so long has died.
const PULL_IDLE: Duration = Duration::from_secs(90);

/// The image of containers that are never started: nothing is in it.
#[derive(Clone, Copy, Debug)]
pub struct MarkImage;

impl MarkImage {
    /// Its repository.
    pub const REPOSITORY: &str = "quarterdeck-lock";
    /// Its reference.
    pub const REFERENCE: &str = "quarterdeck-lock:1";
}

impl Client {
    async fn change(&self, method: Method, path: &str, body: &Value, limit: Duration) -> Result<(StatusCode, Bytes), OnceError> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = with_body(method, path, "application/json", bytes).map_err(OnceError::NotSent)?;
        self.exchange(request, limit).await
    }

    /// Makes a container from a `POST /containers/create` body.
    ///
    /// # Errors
    /// Every [`OnceError`]; `Refused` 409 when the name is taken, 404 when the image is not there.
    pub async fn container_create(&self, name: &str, body: &Value) -> Result<ContainerId, OnceError> {
        let path = format!("/containers/create?name={}", escaped(name));
        let (_, answer) = self.change(Method::POST, &path, body, SLOW).await?;
        let id = serde_json::from_slice::<Value>(&answer).ok().and_then(|answer| answer["Id"].as_str().map(str::to_owned));
        // It goes into paths: only what an id is made of.
        match id.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            Some(id) => Ok(ContainerId::new(id)),
            None => {
                Err(OnceError::Unsure(EngineError::Protocol { what: named(&Method::POST, &path), reason: "its Id is none".to_owned() }))
            }
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn container_start(&self, id: &ContainerId) -> Result<(), OnceError> {
        self.once(Method::POST, &format!("/containers/{id}/start"), SLOW).await.map(|_| ())
    }

    /// Asks it to end and ends it after `grace`.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn container_stop(&self, id: &ContainerId, grace: Duration) -> Result<(), OnceError> {
        let path = format!("/containers/{id}/stop?t={}", grace.as_secs());
        self.once(Method::POST, &path, grace + SLOW).await.map(|_| ())
    }

    /// Names it anew.
    ///
    /// # Errors
    /// Every [`OnceError`]; `Refused` 409 when the name is taken.
    pub async fn container_rename(&self, id: &ContainerId, to: &str) -> Result<(), OnceError> {
        self.once(Method::POST, &format!("/containers/{id}/rename?name={}", escaped(to)), QUICK).await.map(|_| ())
    }

    /// Sets its restart policy, in the engine's words.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn container_restart_policy(&self, id: &ContainerId, policy: &str) -> Result<(), OnceError> {
        let body = json!({ "RestartPolicy": { "Name": policy, "MaximumRetryCount": 0 } });
        self.change(Method::POST, &format!("/containers/{id}/update"), &body, QUICK).await.map(|_| ())
    }

    /// Removes it, running or not. Its volumes stay.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn container_remove(&self, id: &ContainerId) -> Result<(), OnceError> {
        self.once(Method::DELETE, &format!("/containers/{id}?force=true&v=false"), SLOW).await.map(|_| ())
    }

    /// Unpacks a tar stream at a path in a container, running or not.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn archive_put(&self, id: &ContainerId, path: &str, tar: Vec<u8>) -> Result<(), OnceError> {
        let path = format!("/containers/{id}/archive?path={}", escaped(path));
        let request = with_body(Method::PUT, &path, "application/x-tar", tar).map_err(OnceError::NotSent)?;
        self.exchange(request, SLOW).await.map(|_| ())
    }

    /// The labels of a network; `None`: there is none of that name.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn network_labels(&self, name: &str) -> Result<Option<Value>, EngineError> {
        self.labels_of(&format!("/networks/{}", escaped(name)), "/Labels").await
    }

    /// Makes a bridge network.
    ///
    /// # Errors
    /// Every [`OnceError`]; `Refused` 409 when the name is taken.
    pub async fn network_create(&self, name: &str, labels: &Value) -> Result<(), OnceError> {
        // Engines before API 1.44 make a second one of the same name without the check.
        let body = json!({ "Name": name, "CheckDuplicate": true, "Driver": "bridge", "Labels": labels });
        self.change(Method::POST, "/networks/create", &body, SLOW).await.map(|_| ())
    }

    /// The labels of a volume; `None`: there is none of that name.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn volume_labels(&self, name: &str) -> Result<Option<Value>, EngineError> {
        self.labels_of(&format!("/volumes/{}", escaped(name)), "/Labels").await
    }

    /// Makes a volume; one of that name that is there stays as it is, labels included.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn volume_create(&self, name: &str, labels: &Value) -> Result<(), OnceError> {
        self.change(Method::POST, "/volumes/create", &json!({ "Name": name, "Labels": labels }), SLOW).await.map(|_| ())
    }

    async fn labels_of(&self, path: &str, pointer: &str) -> Result<Option<Value>, EngineError> {
        match self.get(path, QUICK).await {
            Ok(answer) => {
                let document = super::decode::value(&answer, path)?;
                Ok(Some(document.pointer(pointer).cloned().unwrap_or(Value::Null)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether an image is there under this reference.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn has_image(&self, reference: &str) -> Result<bool, EngineError> {
        // A reference's slashes and colons are parts of the path.
        match self.get(&format!("/images/{reference}/json"), QUICK).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Pulls an image, as whoever we are to its registry.
    ///
    /// # Errors
    /// Every [`EngineError`]; what the registry says comes as `Status`, with 404 for what is not there.
    pub async fn image_pull(&self, reference: &str, auth: &RegistryAuth, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<(), EngineError> {
        let (repository, version) = split(reference);
        let path = format!("/images/create?fromImage={}&tag={}", escaped(repository), escaped(version));
        let what = named(&Method::POST, &path);
        let mut request = with_body(Method::POST, &path, "application/json", Vec::new())?;
        if let Ok(mut told) = header::HeaderValue::from_str(&auth.header()) {
            told.set_sensitive(true);
            request.headers_mut().insert("x-registry-auth", told);
        }
        let idle = || EngineError::Timeout { what: what.clone(), seconds: PULL_IDLE.as_secs() };
        let response = tokio::time::timeout(PULL_IDLE, self.send(request)).await.map_err(|_| idle())??;
        if !response.status().is_success() {
            return read_whole(response, &what).await.map(|_| ());
        }
        let mut body = response.into_body();
        let mut line = Vec::new();
        let mut layers = Layers::default();
        // The end of the stream says nothing: a failure midway is one of its lines.
        while let Some(frame) = tokio::time::timeout(PULL_IDLE, body.frame()).await.map_err(|_| idle())? {
            let frame = frame.map_err(|error| super::error::broken(&what, &error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            for piece in data.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(piece);
                if piece.ends_with(b"\n") {
                    told(&line)?;
                    if let Some((bytes, of)) = layers.note(&line) {
                        progress(bytes, of);
                    }
                    line.clear();
                }
            }
        }
        told(&line)
    }

    /// The image of marks, made from an empty archive where it is not there.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn mark_image(&self) -> Result<(), EngineError> {
        if self.has_image(MarkImage::REFERENCE).await? {
            return Ok(());
        }
        let path = format!("/images/create?fromSrc=-&repo={}&tag=1", MarkImage::REPOSITORY);
        let what = named(&Method::POST, &path);
        // Two blocks of zeros: the end of an archive without entries.
        let request = with_body(Method::POST, &path, "application/x-tar", vec![0; 1024])?;
        let limit = EngineError::Timeout { what: what.clone(), seconds: SLOW.as_secs() };
        let made = async { read_whole(self.send(request).await?, &what).await };
        let answer = tokio::time::timeout(SLOW, made).await.map_err(|_| limit)??;
        answer.split(|byte| *byte == b'\n').try_for_each(told)
    }

    /// The engine's clock, to the second. It stands on every answer; what an engine tells at length of its clock costs it processes.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn clock(&self) -> Result<DateTime<Utc>, EngineError> {
        let limit = || EngineError::Timeout { what: "GET /_ping".to_owned(), seconds: QUICK.as_secs() };
        let ask = async {
            let response = self.send(super::client::request(Method::GET, "/_ping")?).await?;
            let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
            read_whole(response, "GET /_ping").await.map(|_| date)
        };
        let date = tokio::time::timeout(QUICK, ask).await.map_err(|_| limit())??;
        let time = date.and_then(|date| DateTime::parse_from_rfc2822(&date).ok());
        let fault = || EngineError::Protocol { what: "GET /_ping".to_owned(), reason: "it does not tell its time".to_owned() };
        time.map(|time| time.with_timezone(&Utc)).ok_or_else(fault)
    }
}

fn with_body(method: Method, path: &str, kind: &'static str, bytes: Vec<u8>) -> Result<Request<Body>, EngineError> {
    let what = named(&method, path);
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "docker")
        .header(header::CONTENT_TYPE, kind)
        // Without a length an engine that ignores a body would wait for its end.
        .header(header::CONTENT_LENGTH, bytes.len())
        .body(Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| EngineError::Protocol { what, reason: error.to_string() })
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Repository and tag or digest, as the engine takes them.
fn split(reference: &str) -> (&str, &str) {
    if let Some((repository, digest)) = reference.split_once('@') {
        // A tag beside a digest says nothing more.
        return (split(repository).0, digest);
    }
    let path = reference.rfind('/').map_or(0, |slash| slash + 1);
    match reference[path..].rfind(':') {
        Some(colon) => (&reference[..path + colon], &reference[path + colon + 1..]),
        None => (reference, "latest"),
    }
}

/// One line of progress: an error in it is the end.
/// How much of an image's layers has come. An engine tells a layer's size when it begins to fetch it: the whole grows meanwhile.
#[derive(Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    /// An image has no more.
    const MOST: usize = 256;

    /// Takes a line of the engine's; what is there now of all that is known, where that has changed.
    fn note(&mut self, line: &[u8]) -> Option<(u64, u64)> {
        let value = serde_json::from_slice::<Value>(line).ok()?;
        let id = value["id"].as_str()?;
        match value["status"].as_str()? {
            "Downloading" if self.0.len() < Self::MOST || self.0.contains_key(id) => {
                let figure = |name: &str| value["progressDetail"][name].as_u64();
                self.0.insert(id.to_owned(), (figure("current")?, figure("total")?));
            }
            "Download complete" | "Verifying Checksum" => {
                let known = self.0.get_mut(id)?;
                known.0 = known.1;
            }
            _ => return None,
        }
        Some(self.0.values().fold((0, 0), |(now, of), layer| (now + layer.0, of + layer.1)))
    }
}

fn told(line: &[u8]) -> Result<(), EngineError> {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Ok(()) };
    let Some(message) = value["error"].as_str() else { return Ok(()) };
    let missing = message.contains("manifest unknown") || message.contains("not found");
    Err(EngineError::Status { status: if missing { 404 } else { 500 }, message: clean_line(message) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up() {
        let mut layers = Layers::default();
        let line = |id: &str, status: &str, now: u64, of: u64| {
            json!({ "id": id, "status": status, "progressDetail": { "current": now, "total": of } }).to_string().into_bytes()
        };
        assert_eq!(layers.note(&line("a", "Downloading", 10, 100)), Some((10, 100)));
        assert_eq!(layers.note(&line("b", "Downloading", 5, 50)), Some((15, 150)));
        assert_eq!(layers.note(&line("a", "Extracting", 10, 100)), None);
        assert_eq!(layers.note(&line("c", "Download complete", 0, 0)), None, "its size was never told");
        assert_eq!(layers.note(&line("a", "Download complete", 0, 0)), Some((105, 150)));
        assert_eq!(layers.note(b"nonsense"), None);
    }

    #[test]
    fn references_fall_into_what_the_engine_takes() {
        for (reference, expected) in [
            ("postgres", ("postgres", "latest")),
            ("postgres:15.4", ("postgres", "15.4")),
            ("registry:5000/shop/web", ("registry:5000/shop/web", "latest")),
            ("registry:5000/shop/web:1.0", ("registry:5000/shop/web", "1.0")),
            ("registry:5000/shop/web@sha256:aa", ("registry:5000/shop/web", "sha256:aa")),
            ("registry:5000/shop/web:1.0@sha256:aa", ("registry:5000/shop/web", "sha256:aa")),
        ] {
            assert_eq!(split(reference), expected, "{reference}");
        }
    }

    #[test]
    fn a_failure_in_the_stream_is_one() {
        assert!(told(br#"{"status":"Pulling fs layer","id":"aa"}"#).is_ok());
        assert!(told(b"").is_ok());
        assert!(told(br#"{"errorDetail":{"message":"x"},"error":"manifest unknown"}"#).unwrap_err().is_not_found());
        assert!(!told(br#"{"error":"dial tcp: connection refused"}"#).unwrap_err().is_not_found());
    }
}
