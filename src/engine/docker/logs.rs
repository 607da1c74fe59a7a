//! `GET /containers/{id}/logs`: asked in one piece, read as lines.

use std::time::Duration;

use super::{Client, EngineError, wire::WireBody};
use crate::{
    fleet::ContainerId,
    logs::{FrameError, Framing, LineDecoder, LogLine, SourceId, Stamp},
};

/// How long an engine may take until the first byte of a log: it may have to read a large file to find a beginning.
const HEAD: Duration = Duration::from_secs(60);

/// Which part of a log, and whether to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// From here, inclusive.
    pub since: Option<Stamp>,
    /// To here, inclusive.
    pub until: Option<Stamp>,
    /// At most the newest so many lines.
    pub tail: Option<u64>,
    /// Whether to wait for more.
    pub follow: bool,
}

impl LogQuery {
    fn path(self, id: &ContainerId) -> String {
        let mut path = format!("/containers/{id}/logs?stdout=true&stderr=true&timestamps=true&follow={}", self.follow);
        for (key, moment) in [("since", self.since), ("until", self.until)] {
            if let Some(moment) = moment {
                path.push_str(&format!("&{key}={}", moment.query()));
            }
        }
        match self.tail {
            Some(tail) => path.push_str(&format!("&tail={tail}")),
            None => path.push_str("&tail=all"),
        }
        path
    }
}

/// A log under way.
pub struct LogBody {
    body: WireBody,
    decoder: LineDecoder,
}

impl LogBody {
    /// Appends the lines of all that has come since, perhaps none; `false` when the log came to its end. Cancel-safe: what is taken is
    /// decoded at once.
    ///
    /// # Errors
    /// [`EngineError::Broken`] when the connection ended inside the log, [`EngineError::Protocol`] when it is none.
    pub async fn next(&mut self, lines: &mut Vec<LogLine>) -> Result<bool, EngineError> {
        let Self { body, decoder } = self;
        let mut wrong = None;
        let more = body
            .next(|piece| {
                if wrong.is_none() {
                    wrong = decoder.push(piece, lines).err();
                }
            })
            .await?;
        match wrong {
            // An engine's own trouble after its 200: as if it had come before. A file that it rotates just now it can read the next time.
            Some(FrameError::Engine(message)) => return Err(EngineError::Status { status: 500, message }),
            Some(error @ FrameError::NotAFrame { .. }) => {
                return Err(EngineError::Protocol { what: "the log".to_owned(), reason: error.to_string() });
            }
            None => {}
        }
        if !more {
            decoder.finish(lines);
        }
        Ok(more)
    }
}

impl Client {
    /// Whether a container's log has frames: its TTY decides, and before API 1.42 no answer but inspect tells.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn log_framing(&self, id: &ContainerId) -> Result<Framing, EngineError> {
        let document = self.inspect_raw(id).await?;
        let tty = document.pointer("/Config/Tty").and_then(serde_json::Value::as_bool).unwrap_or(false);
        Ok(if tty { Framing::Raw } else { Framing::Multiplexed })
    }

    /// A container's log; its lines name `source`.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Status` with the engine's words when its log driver cannot be read.
    pub async fn logs(&self, id: &ContainerId, query: LogQuery, framing: Framing, source: SourceId) -> Result<LogBody, EngineError> {
        let body = self.wire(&query.path(id), HEAD).await?;
        Ok(LogBody { body, decoder: LineDecoder::new(source, framing) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_one_that_a_viewer_may_ask() {
        let id = ContainerId::new("ab12");
        let whole = LogQuery { since: Some(Stamp(1_500_000_000)), until: Some(Stamp(2_000_000_000)), tail: Some(10), follow: true };
        assert_eq!(
            whole.path(&id),
            "/containers/ab12/logs?stdout=true&stderr=true&timestamps=true&follow=true&since=1.500000000&until=2.000000000&tail=10"
        );
        let view = crate::rights::Rights::view("test");
        for query in [whole, LogQuery::default()] {
            assert_eq!(view.may(&http::Method::GET, &query.path(&id), false), Ok(()));
        }
    }
}
