//! What a link costs and when the engine was last heard: counted where bytes pass.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::transport::IoStream;

/// Counters of one host's link. Shared by its streams; plain atomics, because each is a single number that nobody derives another from.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    /// Nanoseconds after `started` at which the last byte of the engine arrived. Coarser would not do: an answer within the same tick
    /// as its question would count as heard before it.
    heard: AtomicU64,
    received: AtomicU64,
    requests: AtomicU64,
    samples: AtomicU64,
    streams: AtomicU32,
}

impl Meter {
    /// A meter that starts now, with the engine counted as just heard.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            heard: AtomicU64::new(0),
            received: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            streams: AtomicU32::new(0),
        }
    }

    /// When the engine was last heard.
    pub fn heard(&self) -> Instant {
        self.started + Duration::from_nanos(self.heard.load(Ordering::Relaxed))
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Of the requests, those that asked for a container's counters.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Streams open now.
    pub fn streams(&self) -> u32 {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_sample(&self) {
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    fn count_bytes(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.heard.store(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// A stream whose incoming bytes are counted.
pub(super) struct Metered {
    stream: IoStream,
    meter: Arc<Meter>,
}

impl Metered {
    pub(super) fn new(stream: IoStream, meter: Arc<Meter>) -> Self {
        meter.streams.fetch_add(1, Ordering::Relaxed);
        Self { stream, meter }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.meter.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection for Metered {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if read > 0 {
            self.meter.count_bytes(read);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
