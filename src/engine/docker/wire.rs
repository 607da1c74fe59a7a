//! HTTP/1.1 for one body of many small chunks: a log.
//!
//! dockerd sends two chunks for each line. hyper hands every chunk from its connection's task to the reader's, which costs more than
//! everything else that happens to a line; here all that a read brings is taken apart at once. Only what a GET without a body needs:
//! `Transfer-Encoding: chunked`, `Content-Length`, or a body that ends with the connection (RFC 9112, sections 6 and 7).

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{EngineError, error::broken, meter::Metered};

/// A response head is never so long.
const HEAD_LIMIT: usize = 64 << 10;
/// The longest line between two chunks: a length, and extensions that nobody sends.
const LINE_LIMIT: usize = 1024;
/// The memory that reads share, in bytes: the first block, and the largest. Lines are kept in the block they came in, so a block is filled
/// before the next one is taken, and a quiet log has small ones.
const BLOCK: (usize, usize) = (4 << 10, 64 << 10);
/// Less room than this is not worth a read.
const ROOM: usize = 1 << 10;

/// What of the body comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The length of a chunk.
    Length,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line break after a chunk.
    Break,
    /// Trailers, until an empty line.
    Trailer,
    /// So many bytes, then nothing.
    Fixed(u64),
    /// Bytes until the connection ends.
    Rest,
    /// Nothing.
    Over,
}

/// The framing of a body, apart from where its bytes come from.
#[derive(Debug)]
struct Dechunker {
    next: Next,
}

impl Dechunker {
    /// Takes what it can of `buffer` and hands out the body's bytes; `Err` says what is wrong with them.
    fn take(&mut self, buffer: &mut BytesMut, mut out: impl FnMut(Bytes)) -> Result<(), &'static str> {
        loop {
            let mut give = |left: u64, buffer: &mut BytesMut| {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                if take > 0 {
                    out(buffer.split_to(take).freeze());
                }
                left - take as u64
            };
            self.next = match self.next {
                Next::Over => return Ok(()),
                Next::Rest => {
                    give(u64::MAX, buffer);
                    return Ok(());
                }
                Next::Fixed(left) => match give(left, buffer) {
                    0 => Next::Over,
                    left => {
                        self.next = Next::Fixed(left);
                        return Ok(());
                    }
                },
                Next::Chunk(left) => match give(left, buffer) {
                    0 => Next::Break,
                    left => {
                        self.next = Next::Chunk(left);
                        return Ok(());
                    }
                },
                Next::Break => match buffer.get(..2) {
                    Some(b"\r\n") => {
                        buffer.advance(2);
                        Next::Length
                    }
                    Some(_) => return Err("a chunk does not end where it should"),
                    None => return Ok(()),
                },
                Next::Length => match line(buffer)? {
                    Some(line) => match length(&line).ok_or("a chunk has no length")? {
                        0 => Next::Trailer,
                        left => Next::Chunk(left),
                    },
                    None => return Ok(()),
                },
                Next::Trailer => match line(buffer)? {
                    Some(line) if line.is_empty() => Next::Over,
                    Some(_) => Next::Trailer,
                    None => return Ok(()),
                },
            };
        }
    }
}

/// The next line without its break, if it is there.
fn line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, &'static str> {
    match buffer.iter().take(LINE_LIMIT).position(|byte| *byte == b'\n') {
        Some(at) => {
            let mut line = buffer.split_to(at + 1);
            line.truncate(at);
            if line.last() == Some(&b'\r') {
                line.truncate(at - 1);
            }
            Ok(Some(line))
        }
        None if buffer.len() >= LINE_LIMIT => Err("a line between chunks has no end"),
        None => Ok(None),
    }
}

/// `1a3f;extension`
fn length(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| Some(sum * 16 + u64::from(char::from(*byte).to_digit(16)?)))
}

/// The status of a response, how its body is framed, and the length of its head; `None` while it is not whole.
fn head(buffer: &[u8]) -> Option<Result<(u16, Next, usize), &'static str>> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(parse(&buffer[..end]).map(|(status, next)| (status, next, end)))
}

fn parse(head: &[u8]) -> Result<(u16, Next), &'static str> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let first = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let status =
        first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok()).ok_or("no HTTP status")?;
    let mut next = Next::Rest;
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            next = Next::Length;
        } else if name.eq_ignore_ascii_case(b"content-length") && next != Next::Length {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or("no length")?;
            next = if length == 0 { Next::Over } else { Next::Fixed(length) };
        }
    }
    Ok((status, next))
}

/// A body as it comes. Dropping it closes its connection.
pub struct WireBody {
    stream: Metered,
    buffer: BytesMut,
    framing: Dechunker,
    /// The size of the next block.
    block: usize,
    what: String,
}

/// Asks for `target` and reads the response head; `what` names the request in errors.
///
/// # Errors
/// [`EngineError::Broken`] when the connection ends before the head does, [`EngineError::Protocol`] when it is none.
pub async fn get(mut stream: Metered, target: &str, what: &str) -> Result<(u16, WireBody), EngineError> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: docker\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    let failed = |error: io::Error| failed(what, &error);
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let mut buffer = BytesMut::with_capacity(BLOCK.0);
    let wrong = |reason: &str| EngineError::Protocol { what: what.to_owned(), reason: reason.to_owned() };
    loop {
        match head(&buffer) {
            Some(Ok((status, next, length))) => {
                buffer.advance(length);
                // What may come before the answer proper.
                if !(100..200).contains(&status) {
                    let framing = Dechunker { next };
                    return Ok((status, WireBody { stream, buffer, framing, block: BLOCK.0, what: what.to_owned() }));
                }
                continue;
            }
            Some(Err(reason)) => return Err(wrong(reason)),
            None if buffer.len() > HEAD_LIMIT => return Err(wrong("its head has no end")),
            None => {}
        }
        if stream.read_buf(&mut buffer).await.map_err(failed)? == 0 {
            return Err(broken(what, "the connection ended before the answer began"));
        }
    }
}

impl WireBody {
    /// Hands out what has come, in pieces; waits for more only if nothing is there. `false` at the body's end. Cancel-safe.
    ///
    /// # Errors
    /// [`EngineError::Broken`] when the connection ended inside the body, [`EngineError::Protocol`] when its framing is wrong.
    pub async fn next(&mut self, mut out: impl FnMut(Bytes)) -> Result<bool, EngineError> {
        let Self { stream, buffer, framing, block, what } = self;
        if framing.next == Next::Over {
            return Ok(false);
        }
        if buffer.is_empty() || !can_go_on(framing.next, buffer) {
            if buffer.capacity() - buffer.len() < ROOM {
                buffer.reserve(*block);
            }
            if stream.read_buf(buffer).await.map_err(|error| failed(what, &error))? == 0 {
                return match framing.next {
                    Next::Rest | Next::Over => Ok(false),
                    Next::Length | Next::Chunk(_) | Next::Break | Next::Trailer | Next::Fixed(_) => {
                        Err(broken(what, "the connection ended inside the answer"))
                    }
                };
            }
        }
        if buffer.len() == buffer.capacity() {
            *block = (*block * 2).min(BLOCK.1);
        }
        let taken = framing.take(buffer, &mut out);
        taken.map_err(|reason| EngineError::Protocol { what: what.clone(), reason: reason.to_owned() })?;
        Ok(framing.next != Next::Over)
    }

    /// The beginning of the body, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`WireBody::next`].
    pub async fn gather(mut self, limit: usize) -> Result<BytesMut, EngineError> {
        let mut whole = BytesMut::new();
        while whole.len() < limit && self.next(|piece| whole.extend_from_slice(&piece)).await? {}
        whole.truncate(limit);
        Ok(whole)
    }
}

/// Whether the buffer holds something that can be taken: the rest of the head's read, once.
fn can_go_on(next: Next, buffer: &[u8]) -> bool {
    match next {
        Next::Length | Next::Trailer => buffer.contains(&b'\n'),
        Next::Break => buffer.len() >= 2,
        Next::Chunk(_) | Next::Fixed(_) | Next::Rest => !buffer.is_empty(),
        Next::Over => true,
    }
}

fn failed(what: &str, error: &io::Error) -> EngineError {
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return EngineError::Connect(crate::engine::transport::explain_tls(error));
    }
    broken(what, &error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dechunked(wire: &[u8], cut: usize) -> Result<(Vec<u8>, Next), &'static str> {
        let (mut buffer, mut framing, mut out) = (BytesMut::new(), Dechunker { next: Next::Length }, Vec::new());
        for piece in wire.chunks(cut.max(1)) {
            buffer.extend_from_slice(piece);
            framing.take(&mut buffer, |bytes| out.extend_from_slice(&bytes))?;
        }
        Ok((out, framing.next))
    }

    #[test]
    fn heads() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Some(Ok((200, Next::Length)))),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 12\r\n\r\n", Some(Ok((404, Next::Fixed(12))))),
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\n", Some(Ok((200, Next::Rest)))),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Some(Ok((204, Next::Over)))),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", None),
            ("SSH-2.0-OpenSSH\r\n\r\n", Some(Err("no HTTP status"))),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Some(Err("no length"))),
        ] {
            let found = head(text.as_bytes()).map(|parsed| parsed.map(|(status, next, _)| (status, next)));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn wrong_chunks_are_refused() {
        for wire in ["x\r\n", "\r\n", "3\r\nabcd\r\n", "ffffffffffffffffff\r\n"] {
            assert!(dechunked(wire.as_bytes(), 100).is_err(), "{wire:?}");
        }
        assert!(dechunked(&[b'1'; LINE_LIMIT], LINE_LIMIT).is_err());
        assert_eq!(dechunked(b"3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n", 4), Ok((b"abc".to_vec(), Next::Over)));
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..20), cut in 1usize..40) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            prop_assert_ne!(dechunked(&wire, cut).unwrap().1, Next::Over);
            wire.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(dechunked(&wire, cut), Ok((chunks.concat(), Next::Over)));
        }

        #[test]
        fn foreign_bytes_never_panic(wire in proptest::collection::vec(any::<u8>(), 0..200), cut in 1usize..50) {
            let _ = dechunked(&wire, cut);
            let _ = head(&wire);
        }
    }
}
