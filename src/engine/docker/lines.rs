//! A response body as lines: the framing of `/events`, whose objects are separated by newlines (Podman) or merely
//! follow each other within chunks (old engines write one object per line too).

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{EngineError, error::broken};

/// The longest line that is kept; a longer one is an error of the engine.
const LINE_LIMIT: usize = 4 << 20;

/// Lines of a body that may never end.
pub struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no newline.
    searched: usize,
    what: &'static str,
}

impl Lines {
    /// Lines of `body`; `what` names the request in errors.
    pub fn new(body: Incoming, what: &'static str) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0, what }
    }

    /// The next line without its newline; `None` when the body ended cleanly. Cancel-safe.
    ///
    /// # Errors
    /// [`EngineError::Broken`] when the connection ends inside the body, [`EngineError::Protocol`] for a line beyond 4 MiB.
    pub async fn next(&mut self) -> Result<Option<BytesMut>, EngineError> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_LIMIT {
                return Err(EngineError::Protocol { what: self.what.to_owned(), reason: "a line without an end".to_owned() });
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(broken(self.what, &error.to_string())),
                None => return Ok(None),
            }
        }
    }
}
