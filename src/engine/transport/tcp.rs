//! Plain TCP to an engine: works, and is marked as unprotected wherever the host is shown.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::{CONNECT_LIMIT, ConnectError, IoStream, Link, Transport};
use crate::{config::Endpoint, fleet::LinkCause};

/// Serves `tcp://` without TLS.
pub struct TcpTransport;

struct TcpLink {
    host: String,
    port: u16,
}

impl Transport for TcpTransport {
    fn scheme(&self) -> &'static str {
        "tcp"
    }

    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async move {
            let Endpoint::Tcp { host, port } = endpoint else {
                return Err(ConnectError::new(LinkCause::Configuration, "not a TCP address"));
            };
            Ok(Arc::new(TcpLink { host: host.clone(), port: *port }) as Arc<dyn Link>)
        })
    }
}

impl Link for TcpLink {
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>> {
        Box::pin(async move { Ok(Box::new(dial(&self.host, self.port).await?) as IoStream) })
    }
}

/// A TCP connection with everything that keeps a dead peer from going unnoticed: a connect deadline, no Nagle delay, and a user
/// timeout after which unacknowledged bytes end the connection.
pub(super) async fn dial(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let stream = match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(explain(host, port, &error)),
        Err(_) => {
            return Err(ConnectError::new(
                LinkCause::Unreachable,
                format!(
                    "no answer from {host} port {port} in {} s: check the address, the route and the firewall",
                    CONNECT_LIMIT.as_secs()
                ),
            ));
        }
    };
    let tuned = stream.set_nodelay(true).and_then(|()| {
        rustix::net::sockopt::set_tcp_user_timeout(&stream, Duration::from_secs(30).as_millis() as u32).map_err(io::Error::from)
    });
    match tuned {
        Ok(()) => Ok(stream),
        Err(error) => Err(ConnectError::new(LinkCause::Unreachable, format!("{host} port {port}: {error}"))),
    }
}

fn explain(host: &str, port: u16, error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::new(
            LinkCause::NoEngine,
            format!("nobody listens on {host} port {port}: start dockerd with -H tcp://, or reach the host by ssh://"),
        ),
        _ => ConnectError::new(LinkCause::Unreachable, format!("{host} port {port}: {error}")),
    }
}
