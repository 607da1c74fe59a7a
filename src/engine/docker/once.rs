//! Requests that change something: sent once and never again, and with a sure word on whether anything left.
//!
//! They do not use the pool: an idle connection may be half dead, and only a connection of its own tells whether a request was taken
//! from it unsent.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Method, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Client, EngineError,
    client::{Body, read_whole, request},
    error::broken,
};

/// Making a stream may take as long as making a link.
const OPENING: Duration = crate::engine::transport::CONNECT_LIMIT;

/// Why a request did not come back with a success.
#[derive(Clone, Debug, Error)]
pub enum OnceError {
    /// Nothing left: it was not carried out.
    #[error(transparent)]
    NotSent(EngineError),
    /// It left, or may have: nobody knows whether it was carried out.
    #[error(transparent)]
    Unsure(EngineError),
    /// The engine answered with a refusal.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The engine's own words, one clean line.
        message: String,
    },
}

impl Client {
    /// Sends a request without a body exactly once. The answer is waited for until `limit`; 304 is a success.
    ///
    /// # Errors
    /// Every [`OnceError`].
    pub async fn once(&self, method: Method, path: &str, limit: Duration) -> Result<StatusCode, OnceError> {
        let request = request(method, path).map_err(OnceError::NotSent)?;
        self.exchange(request, limit).await.map(|(status, _)| status)
    }

    /// The same with a request that may have a body, and with the whole of its answer.
    pub(super) async fn exchange(&self, request: Request<Body>, limit: Duration) -> Result<(StatusCode, Bytes), OnceError> {
        let (mut request, what) = self.cleared(request).map_err(OnceError::NotSent)?;
        // A connection of its own takes the path alone; the host stands in the header.
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(target);
        }
        let stream = match timeout(OPENING, self.own_stream()).await {
            Ok(stream) => stream.map_err(|error| OnceError::NotSent(error.into()))?,
            Err(_) => return Err(OnceError::NotSent(EngineError::Timeout { what, seconds: OPENING.as_secs() })),
        };
        let deadline = Instant::now() + limit;
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = opened.map_err(|error| OnceError::NotSent(broken(&what, &error.to_string())))?;
        let exchange = pin!(async {
            let response = sender.try_send_request(request).await.map_err(|mut error| {
                let unsent = error.take_message().is_some();
                let error = broken(&what, &error.into_error().to_string());
                if unsent { OnceError::NotSent(error) } else { OnceError::Unsure(error) }
            })?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED {
                return Ok((status, Bytes::new()));
            }
            if status.is_success() {
                // It was carried out; what is lost is the answer.
                return read_whole(response, &what).await.map(|body| (status, body)).map_err(OnceError::Unsure);
            }
            let message = match read_whole(response, &what).await {
                Err(EngineError::Status { message, .. }) => message,
                // The status came, and it says no; only the reason is lost.
                Ok(_) | Err(_) => format!("{what}: HTTP status {status}"),
            };
            Err(OnceError::Refused { status: status.as_u16(), message })
        });
        // The connection is driven here and nowhere else: it ends with this call.
        let driven = async {
            match select(exchange, pin!(connection)).await {
                Either::Left((answer, _)) => answer,
                Either::Right((_, exchange)) => exchange.await,
            }
        };
        match timeout_at(deadline, driven).await {
            Ok(answer) => answer,
            Err(_) => Err(OnceError::Unsure(EngineError::Timeout { what: what.clone(), seconds: limit.as_secs() })),
        }
    }
}
