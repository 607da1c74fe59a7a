//! The HTTP client of one link: pool, deadlines, rights, meter.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bollard::{BollardRequest, Docker};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower_service::Service;

use super::{
    EngineError, Meter, error,
    meter::Metered,
    wire::{self, WireBody},
};
use crate::{
    engine::transport::{ConnectError, IoStream, Link},
    rights::{Leaving, Rights},
    text::{clean_bytes, clean_line},
};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The newest API this program was written against; an engine that knows more is asked in this one.
pub const NEWEST_API: ApiVersion = ApiVersion { major: 1, minor: 51 };

/// The largest answer that is read whole: a list of more than 10,000 containers with their labels. A server that never ends its answer must
/// not fill the memory of who asks a thousand hosts.
const ANSWER_LIMIT: usize = 16 << 20;

/// So much of a refusal is read: its message is at the beginning.
const REFUSAL_LIMIT: usize = 64 << 10;

/// A version of the Docker HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Always 1 so far.
    pub major: u16,
    /// 41 in `1.41`.
    pub minor: u16,
}

impl ApiVersion {
    /// Reads `1.41`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The client of one link. Clones share pool and counters.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: legacy::Client<Connector, Body>,
    link: Arc<dyn Link>,
    meter: Arc<Meter>,
    rights: Rights,
    /// Set once by the handshake; requests before it are unversioned.
    api: OnceLock<ApiVersion>,
}

impl Client {
    /// A client over a link. `meter` outlives it, so that a host's counters survive reconnects.
    pub fn new(link: Arc<dyn Link>, meter: Arc<Meter>, rights: Rights) -> Self {
        let connector = Connector { link: Arc::clone(&link), meter: Arc::clone(&meter) };
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            // A few idle streams spare the handshake of the next request on tls and the channel open on ssh.
            .pool_max_idle_per_host(2)
            .build(connector);
        Self { inner: Arc::new(Inner { http, link, meter, rights, api: OnceLock::new() }) }
    }

    /// The link underneath.
    pub fn link(&self) -> &Arc<dyn Link> {
        &self.inner.link
    }

    /// The counters.
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// The API version in use, once negotiated.
    pub fn api(&self) -> Option<ApiVersion> {
        self.inner.api.get().copied()
    }

    /// Fixes the API version of all later requests: the engine's newest, at most [`NEWEST_API`].
    pub(super) fn set_api(&self, engine: ApiVersion) {
        self.inner.api.get_or_init(|| engine.min(NEWEST_API));
    }

    /// GET with a deadline for the whole answer.
    ///
    /// # Errors
    /// Every [`EngineError`]; a status outside 2xx is [`EngineError::Status`] with the engine's own message.
    pub async fn get(&self, path: &str, limit: Duration) -> Result<Bytes, EngineError> {
        let what = named(&Method::GET, path);
        let whole = async {
            let response = self.send(request(Method::GET, path)?).await?;
            read_whole(response, &what).await
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::Timeout { what, seconds: limit.as_secs() }),
        }
    }

    /// GET whose body is a stream without an end: the deadline covers the response head only.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn stream(&self, path: &str, limit: Duration) -> Result<Incoming, EngineError> {
        let what = named(&Method::GET, path);
        match tokio::time::timeout(limit, self.send(request(Method::GET, path)?)).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response.into_body()),
            Ok(Ok(response)) => match read_whole(response, &what).await {
                Ok(_) => Err(EngineError::Protocol { what, reason: "a success without a stream".to_owned() }),
                Err(error) => Err(error),
            },
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Timeout { what, seconds: limit.as_secs() }),
        }
    }

    /// GET on a connection of its own, whose body is read as it comes off the wire: for bodies of many small chunks, each of which would
    /// cost a turn of the pool's connection task. The deadline covers the response head only.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn wire(&self, path: &str, limit: Duration) -> Result<WireBody, EngineError> {
        let what = named(&Method::GET, path);
        let head = async {
            self.inner.rights.may(&Method::GET, path, false)?;
            let uri = self.versioned(path).map_err(|reason| EngineError::Protocol { what: what.clone(), reason })?;
            let target = uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
            self.inner.meter.count_request();
            let stream = self.inner.link.open().await?;
            wire::get(Metered::new(stream, Arc::clone(&self.inner.meter)), &target, &what).await
        };
        match tokio::time::timeout(limit, head).await {
            Ok(Ok((200..=299, body))) => Ok(body),
            Ok(Ok((status, body))) => Err(refusal(status, &body.gather(REFUSAL_LIMIT).await?, &what)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Timeout { what, seconds: limit.as_secs() }),
        }
    }

    /// bollard over the same pool, rights and meter. `limit` covers a request up to its response head.
    ///
    /// # Errors
    /// Only if bollard refuses its own default version.
    pub fn bollard(&self, limit: Duration) -> Result<Docker, EngineError> {
        let client = self.clone();
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            let request = request.map(|body| body.map_err(BoxError::from).boxed_unsync());
            async move { client.send(request).await.map_err(|error| bollard::errors::Error::IOError { err: std::io::Error::other(error) }) }
        };
        Docker::connect_with_custom_transport(transport, Some("http://engine"), limit.as_secs().max(1), bollard::API_DEFAULT_VERSION)
            .map_err(|error| EngineError::Protocol { what: "bollard".to_owned(), reason: clean_line(&error.to_string()) })
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, EngineError> {
        let (request, what) = self.cleared(request)?;
        self.inner.http.request(request).await.map_err(|error| explain(&what, &error))
    }

    /// The one gate before requests leave: rights, version prefix, counters. Gives the request's name for messages, too.
    pub(super) fn cleared(&self, mut request: Request<Body>) -> Result<(Request<Body>, String), EngineError> {
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        self.inner.rights.may(request.method(), target, upgrade)?;
        let what = named(request.method(), target);
        let uri = self.versioned(target).map_err(|reason| EngineError::Protocol { what: what.clone(), reason })?;
        *request.uri_mut() = uri;
        self.inner.meter.count_request();
        Ok((request, what))
    }

    /// A stream to a TCP address as the engine's host sees it; `None` where the link leads to no host.
    ///
    /// # Errors
    /// When it is not allowed, or nothing answers there.
    pub(crate) async fn dial(&self, address: &str, port: u16) -> Option<Result<IoStream, EngineError>> {
        if let Err(denied) = self.inner.rights.check(Leaving::Dial { address, port }) {
            return Some(Err(denied.into()));
        }
        Some(self.inner.link.dial(address, port)?.await.map_err(EngineError::from))
    }

    /// A stream of its own to the engine, outside the pool.
    pub(super) async fn own_stream(&self) -> Result<Metered, ConnectError> {
        Ok(Metered::new(self.inner.link.open().await?, Arc::clone(&self.inner.meter)))
    }

    fn versioned(&self, target: &str) -> Result<Uri, String> {
        let bare = target == "/_ping" || target == "/version" || target.starts_with("/v1.");
        let target = match self.api() {
            Some(api) if !bare => format!("http://engine/v{api}{target}"),
            Some(_) | None => format!("http://engine{target}"),
        };
        Uri::try_from(target).map_err(|error| error.to_string())
    }
}

/// A request without a body.
pub(super) fn request(method: Method, path: &str) -> Result<Request<Body>, EngineError> {
    let what = named(&method, path);
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "docker")
        .body(Empty::new().map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| EngineError::Protocol { what, reason: error.to_string() })
}

/// A request in messages: without its query, whose escapes would hide the reason that follows.
pub(super) fn named(method: &Method, target: &str) -> String {
    format!("{method} {}", clean_line(target.split('?').next().unwrap_or_default()))
}

/// All of a body in one piece, at most [`ANSWER_LIMIT`]. Copied as it comes: a server may send it in crumbs, and each kept crumb would hold on
/// to a whole read buffer.
async fn gather(mut body: Incoming, what: &str) -> Result<Bytes, EngineError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error::broken(what, &error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > ANSWER_LIMIT {
                return Err(EngineError::Protocol {
                    what: what.to_owned(),
                    reason: format!("it does not end within {} MB", ANSWER_LIMIT >> 20),
                });
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

pub(super) async fn read_whole(response: Response<Incoming>, what: &str) -> Result<Bytes, EngineError> {
    let status = response.status();
    let body = gather(response.into_body(), what).await?;
    if status.is_success() {
        return Ok(body);
    }
    Err(refusal(status.as_u16(), &body, what))
}

/// What an engine says when it does not do what it was asked.
fn refusal(status: u16, body: &[u8], what: &str) -> EngineError {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    let message = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => clean_line(&refusal.message),
        Err(_) => clean_line(&clean_bytes(body.get(..300).unwrap_or(body))),
    };
    if status == 400 && message.contains("HTTP request to an HTTPS server") {
        let remedy = "this port speaks TLS: set tls = { ca, cert, key } for this host";
        return ConnectError::new(crate::fleet::LinkCause::Tls, remedy).into();
    }
    let message = if message.is_empty() { format!("{what}: HTTP status {status}") } else { message };
    EngineError::Status { status, message }
}

/// Finds the cause at the bottom of hyper's error chain: our own connector's, rustls', or plain I/O.
fn explain(what: &str, error: &legacy::Error) -> EngineError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut deepest = error.to_string();
    while let Some(current) = source {
        if let Some(connect) = current.downcast_ref::<ConnectError>() {
            return EngineError::Connect(connect.clone());
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>()
            && io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
        {
            return EngineError::Connect(crate::engine::transport::explain_tls(io));
        }
        if let Some(http) = current.downcast_ref::<hyper::Error>()
            && http.is_parse()
        {
            return EngineError::Protocol { what: what.to_owned(), reason: clean_line(&http.to_string()) };
        }
        deepest = current.to_string();
        source = current.source();
    }
    error::broken(what, &deepest)
}

/// Opens streams for hyper's pool.
#[derive(Clone)]
struct Connector {
    link: Arc<dyn Link>,
    meter: Arc<Meter>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Metered>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { link, meter } = self.clone();
        Box::pin(async move { Ok(TokioIo::new(Metered::new(link.open().await?, meter))) })
    }
}
