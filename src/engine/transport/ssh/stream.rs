//! One stream of a session as the rest of the program sees it: a local socket whose other end the session's thread serves.

use std::{
    io,
    os::unix::net::UnixStream as StdUnixStream,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    sync::{OwnedSemaphorePermit, oneshot},
};

/// What the session's thread tells the reader beside the bytes.
#[derive(Debug, Default)]
pub(super) struct StreamState {
    /// Set before the local socket is shut down: the other side ended the stream properly.
    ///
    /// Without it an end of file means that the session died, which must not look like the end of a log or of a command.
    pub(super) ended: AtomicBool,
}

/// How a command on the other side ended.
#[derive(Clone, Debug, Default)]
pub(super) struct ExecEnd {
    /// Its exit status.
    pub(super) status: i32,
    /// The last of what it wrote to its standard error.
    pub(super) stderr: Vec<u8>,
}

/// A channel that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: StdUnixStream,
    pub(super) state: Arc<StreamState>,
    /// For a command: how it ended.
    pub(super) end: Option<oneshot::Receiver<ExecEnd>>,
}

/// An opened channel as an asynchronous stream.
pub(super) struct SshStream {
    socket: UnixStream,
    state: Arc<StreamState>,
    /// The place among the commands of this session, where these are limited.
    _permit: Option<OwnedSemaphorePermit>,
}

impl SshStream {
    pub(super) fn new(socket: StdUnixStream, state: Arc<StreamState>, permit: Option<OwnedSemaphorePermit>) -> io::Result<Self> {
        Ok(Self { socket: UnixStream::from_std(socket)?, state, _permit: permit })
    }
}

impl AsyncRead for SshStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if buf.filled().len() == before && room > 0 && !self.state.ended.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, "the SSH session was lost")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
