//! From the bytes of `GET /containers/{id}/logs` to lines.
//!
//! Without a TTY the engine sends frames: 8 bytes of header (stream 1 or 2, three zeros, length as u32 big-endian), then one record of its
//! log, stamped. A line longer than 16 KiB is several records with the same stamp, of which only the last ends in a newline; they are
//! joined here, each stream by itself. With a TTY there are no frames, only stamped records. Incremental: any cutting of the input into
//! chunks gives the same lines, and a record that lies whole in a chunk is not copied.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::{
    LogLine, LogStream, RawText, SourceId, Stamp,
    level::{self, Level},
    stamp::StampReader,
};

/// The size at which dockerd cuts a long line into records; only a TTY's must be known, for its records have no end of their own.
const PIECE: usize = 16 * 1024;
/// The longest line that is kept; the rest of a longer one is thrown away and the line says so.
pub const LINE_LIMIT: usize = 1 << 20;
/// No engine sends larger records; a larger one means that what is read are not frames.
const FRAME_LIMIT: usize = 16 << 20;

/// How the engine frames a container's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Headers and records.
    Multiplexed,
    /// A TTY: records only.
    Raw,
}

/// What is read is no log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes where a header should be are none.
    #[error("the log is not framed as Docker frames it (header {header:02x?})")]
    NotAFrame {
        /// What stood there.
        header: [u8; 8],
    },
    /// The engine itself reports a failure inside the stream (stream 3).
    #[error("{0}")]
    Engine(String),
}

/// Makes lines of one container's log.
#[derive(Debug)]
pub struct LineDecoder {
    source: SourceId,
    input: Input,
    records: Records,
}

#[derive(Debug)]
enum Input {
    Frames(Frames),
    Raw(BytesMut),
}

impl LineDecoder {
    /// A decoder that stands at the beginning of an answer.
    pub fn new(source: SourceId, framing: Framing) -> Self {
        let input = match framing {
            Framing::Multiplexed => Input::Frames(Frames::default()),
            Framing::Raw => Input::Raw(BytesMut::new()),
        };
        Self { source, input, records: Records::default() }
    }

    /// Takes the next chunk; appends every line it completes.
    ///
    /// # Errors
    /// [`FrameError`]; nothing after it makes sense.
    pub fn push(&mut self, chunk: Bytes, lines: &mut Vec<LogLine>) -> Result<(), FrameError> {
        let Self { source, input, records } = self;
        match input {
            Input::Frames(frames) => frames.push(chunk, |stream, record| records.take(*source, stream, record, lines)),
            Input::Raw(rest) => {
                push_raw(rest, chunk, |record| records.take(*source, LogStream::Out, unseam(record), lines));
                Ok(())
            }
        }
    }

    /// The answer is over: appends the lines that had no newline.
    pub fn finish(&mut self, lines: &mut Vec<LogLine>) {
        if let Input::Raw(rest) = &mut self.input
            && !rest.is_empty()
        {
            self.records.take(self.source, LogStream::Out, unseam(rest.split().freeze()), lines);
        }
        self.records.finish(self.source, lines);
    }
}

/// The header decoder.
#[derive(Debug)]
struct Frames {
    header: [u8; 8],
    /// How much of `header` is there.
    have: usize,
    stream: u8,
    /// How much of the record is still to come; 0: the next byte is a header's.
    missing: usize,
    /// The part of the record that came in earlier chunks.
    record: BytesMut,
}

impl Default for Frames {
    fn default() -> Self {
        Self { header: [0; 8], have: 0, stream: 1, missing: 0, record: BytesMut::new() }
    }
}

impl Frames {
    fn push(&mut self, mut chunk: Bytes, mut out: impl FnMut(LogStream, Bytes)) -> Result<(), FrameError> {
        while !chunk.is_empty() {
            if self.missing == 0 {
                let take = (8 - self.have).min(chunk.len());
                self.header[self.have..self.have + take].copy_from_slice(&chunk[..take]);
                self.have += take;
                chunk.advance(take);
                if self.have == 8 {
                    self.open()?;
                }
                continue;
            }
            let record = if self.record.is_empty() && chunk.len() >= self.missing {
                chunk.split_to(self.missing)
            } else {
                let take = self.missing.min(chunk.len());
                self.record.extend_from_slice(&chunk[..take]);
                chunk.advance(take);
                self.missing -= take;
                if self.missing > 0 {
                    continue;
                }
                self.record.split().freeze()
            };
            self.missing = 0;
            match self.stream {
                2 => out(LogStream::Err, record),
                3 => return Err(FrameError::Engine(crate::text::clean_line(&crate::text::clean_bytes(&record)))),
                _ => out(LogStream::Out, record),
            }
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), FrameError> {
        self.have = 0;
        let [stream, a, b, c, len @ ..] = self.header;
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if stream > 3 || (a, b, c) != (0, 0, 0) || len > FRAME_LIMIT {
            return Err(FrameError::NotAFrame { header: self.header });
        }
        self.stream = stream;
        self.missing = len;
        Ok(())
    }
}

/// Records of a TTY end with their newline.
fn push_raw(rest: &mut BytesMut, mut chunk: Bytes, mut out: impl FnMut(Bytes)) {
    while let Some(at) = chunk.iter().position(|byte| *byte == b'\n') {
        let piece = chunk.split_to(at + 1);
        if rest.is_empty() {
            out(piece);
        } else {
            rest.extend_from_slice(&piece);
            out(rest.split().freeze());
        }
    }
    // What is beyond the limit (and the stamps inside) is never shown; the newline that ends it is all that counts.
    let room = (2 * LINE_LIMIT).saturating_sub(rest.len());
    rest.extend_from_slice(&chunk[..chunk.len().min(room)]);
}

/// A long line of a TTY has the stamp again after each 16 KiB: takes these out.
fn unseam(record: Bytes) -> Bytes {
    let Some(stamp) = record.iter().take(40).position(|byte| *byte == b' ').map(|space| record.slice(..=space)) else { return record };
    let step = stamp.len() + PIECE;
    if record.get(step..step + stamp.len()) != Some(&stamp[..]) {
        return record;
    }
    let mut joined = BytesMut::from(&record[..step]);
    let mut rest = &record[step..];
    while let Some(piece) = rest.strip_prefix(&stamp[..]) {
        let take = piece.len().min(PIECE);
        joined.extend_from_slice(&piece[..take]);
        rest = &piece[take..];
    }
    joined.extend_from_slice(rest);
    joined.freeze()
}

/// From records to lines.
#[derive(Debug, Default)]
struct Records {
    stamps: StampReader,
    /// The stamp of the record before: a record without one happened at the same time.
    last: Stamp,
    open: [Option<OpenLine>; 2],
    levels: [Option<Level>; 2],
}

/// A line whose end is still to come.
#[derive(Debug)]
struct OpenLine {
    at: Stamp,
    text: BytesMut,
    cut: bool,
}

impl Records {
    /// Takes a record; engines of other makers may put several lines into one.
    fn take(&mut self, source: SourceId, stream: LogStream, mut record: Bytes, lines: &mut Vec<LogLine>) {
        while !record.is_empty() {
            // The newline is nearly always the record's last byte.
            let last = record.len() - 1;
            let end = match record[..last].iter().position(|byte| *byte == b'\n') {
                Some(at) => Some(at),
                None => (record[last] == b'\n').then_some(last),
            };
            match end {
                Some(at) => {
                    let mut line = record.split_to(at + 1);
                    line.truncate(at);
                    self.piece(source, stream, line, true, lines);
                }
                None => {
                    let line = std::mem::take(&mut record);
                    self.piece(source, stream, line, false, lines);
                }
            }
        }
    }

    fn piece(&mut self, source: SourceId, stream: LogStream, mut text: Bytes, ended: bool, lines: &mut Vec<LogLine>) {
        let at = match self.stamps.read(&text) {
            Some((at, used)) => {
                text.advance(used);
                at
            }
            None => self.last,
        };
        self.last = at;
        let slot = stream as usize;
        match self.open[slot].take_if(|open| open.at == at) {
            Some(mut open) => {
                open.append(&text);
                if ended {
                    self.emit(source, stream, open.at, open.text.freeze(), open.cut, lines);
                } else {
                    self.open[slot] = Some(open);
                }
            }
            None => {
                // A program, or the engine, ended in the middle of its line; another began.
                if let Some(open) = self.open[slot].take() {
                    self.emit(source, stream, open.at, open.text.freeze(), open.cut, lines);
                }
                if ended {
                    let cut = text.len() > LINE_LIMIT;
                    text.truncate(LINE_LIMIT);
                    self.emit(source, stream, at, text, cut, lines);
                } else {
                    let mut open = OpenLine { at, text: BytesMut::new(), cut: false };
                    open.append(&text);
                    self.open[slot] = Some(open);
                }
            }
        }
    }

    fn emit(&mut self, source: SourceId, stream: LogStream, at: Stamp, mut text: Bytes, cut: bool, lines: &mut Vec<LogLine>) {
        if text.last() == Some(&b'\r') {
            text.truncate(text.len() - 1);
        }
        let slot = stream as usize;
        let level = match level::of(&text) {
            None if matches!(text.first(), Some(b' ' | b'\t')) => self.levels[slot],
            found => found,
        };
        self.levels[slot] = level;
        lines.push(LogLine { at, source, stream, level, late: false, cut, text: RawText::new(text) });
    }

    fn finish(&mut self, source: SourceId, lines: &mut Vec<LogLine>) {
        for stream in [LogStream::Out, LogStream::Err] {
            if let Some(open) = self.open[stream as usize].take() {
                self.emit(source, stream, open.at, open.text.freeze(), open.cut, lines);
            }
        }
    }
}

impl OpenLine {
    fn append(&mut self, text: &[u8]) {
        let take = text.len().min(LINE_LIMIT.saturating_sub(self.text.len()));
        self.text.extend_from_slice(&text[..take]);
        self.cut |= take < text.len();
    }
}

#[cfg(test)]
mod tests;
