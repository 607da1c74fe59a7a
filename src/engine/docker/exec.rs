//! `exec`: a command in a container, its streams over a connection that HTTP gives up for it.
//!
//! After `POST /exec/{id}/start` with `Upgrade: tcp` the connection is the command's: what is written is its input, what is read its
//! output, with a terminal as it comes, without one in frames (as logs have them). Closing our side is the end of its input.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Client, EngineError,
    client::{ApiVersion, Body, named, read_whole},
};
use crate::fleet::ContainerId;

/// For the small questions around a command.
const QUICK: Duration = Duration::from_secs(10);
/// For its start: the engine sets up a process in the container.
const START: Duration = Duration::from_secs(60);
/// Since this version the size of the terminal can be told before the first byte is written to it.
const CONSOLE_SIZE: ApiVersion = ApiVersion { major: 1, minor: 42 };

/// The connection that became a command's.
pub type Duplex = TokioIo<Upgraded>;

/// A command that was created in a container, by the engine's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecId(String);

/// What to run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOrder {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Whether it gets a terminal: then its two outputs are one.
    pub tty: bool,
    /// Whether it gets an input.
    pub stdin: bool,
    /// Columns and rows of its terminal.
    pub size: Option<(u16, u16)>,
}

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecState {
    /// Whether it runs.
    pub running: bool,
    /// Its exit code, once it does not.
    pub code: Option<i32>,
}

impl Client {
    /// Prepares a command; nothing runs yet.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Status` 409 when the container does not run.
    pub async fn exec_create(&self, container: &ContainerId, order: &ExecOrder) -> Result<ExecId, EngineError> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "Id")]
            id: String,
        }
        let mut body = json!({
            "AttachStdin": order.stdin, "AttachStdout": true, "AttachStderr": true, "Tty": order.tty, "Cmd": order.command,
        });
        self.add_size(&mut body, order);
        let path = format!("/containers/{container}/exec");
        let answer = self.post(&path, &body, QUICK).await?;
        let created: Created = serde_json::from_slice(&answer).map_err(|error| protocol(&path, &error))?;
        // It goes into paths: only what an id is made of.
        if created.id.is_empty() || !created.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(protocol(&path, &"its Id is none"));
        }
        Ok(ExecId(created.id))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn exec_start(&self, exec: &ExecId, order: &ExecOrder) -> Result<Duplex, EngineError> {
        let path = format!("/exec/{}/start", exec.0);
        let mut body = json!({ "Detach": false, "Tty": order.tty });
        self.add_size(&mut body, order);
        let mut request = request(&path, &body)?;
        request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("tcp"));
        let what = named(&Method::POST, &path);
        let taken = async {
            let response = self.send(request).await?;
            match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {
                    hyper::upgrade::on(response).await.map(TokioIo::new).map_err(|error| super::error::broken(&what, &error.to_string()))
                }
                status if status.is_success() => Err(protocol(&path, &"it does not hand the connection over")),
                _ => read_whole(response, &what).await.and(Err(protocol(&path, &"a refusal without a reason"))),
            }
        };
        within(START, &what, taken).await
    }

    /// Tells the size of its terminal.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn exec_resize(&self, exec: &ExecId, columns: u16, rows: u16) -> Result<(), EngineError> {
        self.post(&format!("/exec/{}/resize?h={rows}&w={columns}", exec.0), &Value::Null, QUICK).await.map(|_| ())
    }

    /// Asks how it stands.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn exec_state(&self, exec: &ExecId) -> Result<ExecState, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct State {
            running: bool,
            exit_code: Option<i32>,
        }
        let path = format!("/exec/{}/json", exec.0);
        let state: State = serde_json::from_slice(&self.get(&path, QUICK).await?).map_err(|error| protocol(&path, &error))?;
        Ok(ExecState { running: state.running, code: state.exit_code })
    }

    fn add_size(&self, body: &mut Value, order: &ExecOrder) {
        if let Some((columns, rows)) = order.size.filter(|_| order.tty && self.api() >= Some(CONSOLE_SIZE)) {
            body["ConsoleSize"] = json!([rows, columns]);
        }
    }

    async fn post(&self, path: &str, body: &Value, limit: Duration) -> Result<bytes::Bytes, EngineError> {
        let what = named(&Method::POST, path);
        let request = request(path, body)?;
        within(limit, &what, async { read_whole(self.send(request).await?, &what).await }).await
    }
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(EngineError::Timeout { what: what.to_owned(), seconds: limit.as_secs() }),
    }
}

fn request(path: &str, body: &Value) -> Result<Request<Body>, EngineError> {
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "docker")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| protocol(path, &error))
}

fn protocol(path: &str, reason: &dyn std::fmt::Display) -> EngineError {
    EngineError::Protocol { what: named(&Method::POST, path), reason: crate::text::clean_line(&reason.to_string()) }
}
