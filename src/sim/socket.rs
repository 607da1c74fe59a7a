//! A host's Unix socket: who gets in, and what becomes of the bytes.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use super::{
    engine::{
        gate::{Bytes, Door, Gate},
        world::World,
    },
    http,
};

/// Serves the host at place `me` until dropped, beginning with this listener.
pub async fn serve(world: Arc<World>, me: usize, path: PathBuf, first: UnixListener) {
    let Some(slot) = world.hosts.get(me) else { return };
    let mut entrance = slot.gate.entrance();
    let mut listener = Some(first);
    let mut epoch = entrance.borrow().epoch;
    // The connections of this host; dropping the set ends them.
    let mut connections = JoinSet::new();
    loop {
        let now = *entrance.borrow_and_update();
        if now.epoch != epoch {
            epoch = now.epoch;
            connections.shutdown().await;
        }
        match now.door {
            Door::Gone => {
                listener = None;
                remove(&path);
            }
            Door::Open | Door::Backlog if listener.is_none() => match UnixListener::bind(&path) {
                Ok(bound) => listener = Some(bound),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "the simulated engine cannot come back");
                    return;
                }
            },
            Door::Open | Door::Backlog => {}
        }
        let accepted = async {
            match &listener {
                Some(listener) if now.door == Door::Open => listener.accept().await,
                Some(_) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = entrance.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accepted => match accepted {
                Ok((stream, _)) => {
                    let world = world.clone();
                    connections.spawn(async move { connection(&world, me, stream).await });
                }
                Err(error) => {
                    // Out of descriptors: wait, or the loop would spin.
                    tracing::warn!(path = %path.display(), %error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
        }
    }
}

/// Removes a socket; that it is gone already is fine.
pub fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove the socket");
    }
}

async fn connection(world: &Arc<World>, me: usize, stream: UnixStream) {
    let wire = Wire { stream, world: world.clone(), me, closing: false };
    let service = hyper::service::service_fn(|request| http::answer(world.clone(), me, request));
    // hyper's own errors are the client's doing (it went away, it sent no HTTP): nothing to tell anyone.
    let _ = hyper::server::conn::http1::Builder::new().max_buf_size(16 * 1024).serve_connection(TokioIo::new(wire), service).await;
}

/// A stream whose bytes obey the host's gate.
struct Wire {
    stream: UnixStream,
    world: Arc<World>,
    me: usize,
    closing: bool,
}

impl Wire {
    fn gate(&self) -> Option<&Gate> {
        self.world.hosts.get(self.me).map(|slot| &slot.gate)
    }

    fn bytes(&self, context: &Context<'_>) -> Bytes {
        self.gate().map_or(Bytes::Flow, |gate| gate.poll_bytes(context))
    }

    /// Sends other bytes than the answer; the next call then fails, which closes the connection.
    fn poll_instead(&mut self, context: &mut Context<'_>, bytes: &[u8], claimed: usize) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(Ok(_)) => {
                self.closing = true;
                Poll::Ready(Ok(claimed))
            }
            other => other,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.bytes(context) == Bytes::Wait {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        match self.bytes(context) {
            Bytes::Flow => Pin::new(&mut self.stream).poll_write(context, buffer),
            Bytes::Wait => Poll::Pending,
            Bytes::Garbage(garbage) => self.poll_instead(context, &garbage, buffer.len()),
            Bytes::Half => {
                // The head goes out whole, so that it is the body that breaks off.
                let head = buffer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
                let half = head + (buffer.len() - head) / 2;
                self.poll_instead(context, &buffer[..half], buffer.len())
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
