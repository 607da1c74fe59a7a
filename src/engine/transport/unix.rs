//! An engine's Unix socket on this machine.

use std::{io, path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::net::UnixStream;

use super::{CommandEnd, ConnectError, IoStream, Link, Transport, run_here};
use crate::{config::Endpoint, fleet::LinkCause};

/// Serves `unix://`.
pub struct UnixTransport;

struct UnixLink {
    path: PathBuf,
}

impl Transport for UnixTransport {
    fn scheme(&self) -> &'static str {
        "unix"
    }

    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async move {
            let Endpoint::Unix { path } = endpoint else {
                return Err(ConnectError::new(LinkCause::Configuration, "not a Unix socket"));
            };
            Ok(Arc::new(UnixLink { path: path.clone() }) as Arc<dyn Link>)
        })
    }
}

impl Link for UnixLink {
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>> {
        Box::pin(async move {
            match UnixStream::connect(&self.path).await {
                Ok(stream) => Ok(Box::new(stream) as IoStream),
                Err(error) => Err(self.explain(&error)),
            }
        })
    }

    fn socket<'a>(&'a self, path: &'a str) -> Option<BoxFuture<'a, Result<IoStream, ConnectError>>> {
        Some(Box::pin(async move {
            let stream = UnixStream::connect(path).await;
            stream.map(|stream| Box::new(stream) as IoStream).map_err(|error| elsewhere(path, &error))
        }))
    }

    fn command<'a>(&'a self, words: &'a [String], input: &'a [u8]) -> Option<BoxFuture<'a, Result<CommandEnd, ConnectError>>> {
        Some(Box::pin(run_here(words, input)))
    }
}

/// Why a socket of this machine that is no engine's cannot be opened.
pub(crate) fn elsewhere(path: &str, error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ConnectError::new(LinkCause::Permission, format!("permission denied on {path}: its owner must let you open it (mode, group)"))
        }
        io::ErrorKind::NotFound => ConnectError::new(LinkCause::NoEngine, format!("there is no socket at {path}")),
        io::ErrorKind::ConnectionRefused => ConnectError::new(LinkCause::NoEngine, format!("nobody listens on {path}")),
        _ => ConnectError::new(LinkCause::Unreachable, format!("{path}: {error}")),
    }
}

impl UnixLink {
    fn explain(&self, error: &io::Error) -> ConnectError {
        let path = self.path.display();
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let user = std::env::var("USER").unwrap_or_else(|_| "your user".to_owned());
                ConnectError::new(
                    LinkCause::Permission,
                    format!(
                        "permission denied on {path}: add {user} to the group that owns it (sudo usermod -aG docker {user}) and log in again"
                    ),
                )
            }
            io::ErrorKind::NotFound => {
                ConnectError::new(LinkCause::NoEngine, format!("no socket at {path}: is the engine running (systemctl status docker)?"))
            }
            io::ErrorKind::ConnectionRefused => ConnectError::new(
                LinkCause::NoEngine,
                format!("nobody listens on {path}: the engine is not running (systemctl start docker)"),
            ),
            _ => ConnectError::new(LinkCause::Unreachable, format!("{path}: {error}")),
        }
    }
}
