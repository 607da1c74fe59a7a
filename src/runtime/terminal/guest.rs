//! A remote program as the terminal's guest: its output goes to ours, our keys go to it, byte by byte in both directions.
//!
//! Back-pressure is the connection's: what our terminal does not take is not read from the engine, and what the program does not read is
//! not read from the keyboard.

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    sync::mpsc,
};

use super::{STACK, residue::Residue};

/// Pieces of input that may wait for the program. Overflow: reading waits.
const WAITING: usize = 8;
/// The largest piece, in either direction.
const PIECE: usize = 16 * 1024;

/// The terminal in raw mode, every key the guest's. Dropping it brings the mode back that was found.
pub struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Takes standard input's terminal.
    ///
    /// # Errors
    /// When it is none.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin().as_fd())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Fails only on a terminal that is gone.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}

/// What is typed or piped in, read by a thread that can be stopped. Dropping it ends the thread; what was not read yet stays for whoever
/// reads next.
pub struct Keys {
    pieces: Option<mpsc::Receiver<Bytes>>,
    wake: OwnedFd,
    thread: Option<thread::JoinHandle<()>>,
}

impl Keys {
    /// Begins to read standard input.
    ///
    /// # Errors
    /// When the system gives no thread or pipe.
    pub fn of_stdin() -> io::Result<Self> {
        Self::of(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 0)?)
    }

    fn of(input: OwnedFd) -> io::Result<Self> {
        let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let (tell, pieces) = mpsc::channel(WAITING);
        let thread = thread::Builder::new().name("guest-in".into()).stack_size(STACK).spawn(move || read(&input, &woken, &tell))?;
        Ok(Self { pieces: Some(pieces), wake, thread: Some(thread) })
    }

    /// The next piece; `None` at the end of the input. Cancel-safe.
    async fn next(&mut self) -> Option<Bytes> {
        self.pieces.as_mut()?.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Frees a thread that waits for room; the pipe wakes one that waits for keys.
        self.pieces = None;
        let _ = rustix::io::write(&self.wake, b"!");
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn read(input: &OwnedFd, woken: &OwnedFd, tell: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let mut fds = [PollFd::new(input, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        if !fds[1].revents().is_empty() {
            return;
        }
        match rustix::io::read(input, buffer.as_mut_slice()) {
            // The end of a file, a pipe or a terminal.
            Ok(0) => return,
            Ok(count) => {
                if tell.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                    return;
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

/// Where a guest's output goes.
pub enum Screen {
    /// Its terminal is ours: as it comes.
    Terminal(Residue),
    /// It has none: two outputs, in frames.
    Pipes(Frames),
}

impl Screen {
    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Terminal(residue) => {
                residue.watch(bytes);
                say(Stream::Out, Bytes::copy_from_slice(bytes)).await
            }
            Self::Pipes(frames) => {
                let mut rest = bytes;
                while let Some((stream, piece)) = frames.next(&mut rest)? {
                    say(stream, Bytes::copy_from_slice(piece)).await?;
                }
                Ok(())
            }
        }
    }

    /// Puts our terminal back as a shell expects it.
    pub async fn leave(&mut self) {
        if let Self::Terminal(residue) = self
            && io::stdout().is_terminal()
        {
            // A terminal that does not take it is gone.
            let _ = say(Stream::Out, residue.undo().into()).await;
        }
    }
}

/// Writes to our own output, on a thread that may wait for it: keys go on meanwhile.
///
/// # Errors
/// When nobody takes it any more.
pub async fn say(stream: Stream, bytes: Bytes) -> io::Result<()> {
    let written = tokio::task::spawn_blocking(move || match stream {
        Stream::Out => {
            let mut out = io::stdout().lock();
            out.write_all(&bytes).and_then(|()| out.flush())
        }
        Stream::Err => io::stderr().lock().write_all(&bytes),
    });
    written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// How a guest left.
#[derive(Debug)]
pub enum Left {
    /// Its output ended.
    Ended,
    /// The connection broke.
    Broken(io::Error),
    /// Our output takes nothing any more.
    Unheard(io::Error),
}

/// Joins a program to our input and output until its output ends. Dropping it in the middle loses nothing but what was under way.
pub async fn attend(streams: &mut (impl AsyncRead + AsyncWrite + Unpin), keys: Option<&mut Keys>, screen: &mut Screen) -> Left {
    let (mut from, mut to) = split(streams);
    let up = async {
        if let Some(keys) = keys {
            while let Some(piece) = keys.next().await {
                if to.write_all(&piece).await.is_err() || to.flush().await.is_err() {
                    // It closed its input; its output may go on.
                    break;
                }
            }
            // The end of its input. A connection that is gone ends in the other direction as well.
            let _ = to.shutdown().await;
        }
        std::future::pending::<Left>().await
    };
    let down = async {
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) => return Left::Ended,
                Ok(count) => {
                    if let Err(error) = screen.take(&buffer[..count]).await {
                        return Left::Unheard(error);
                    }
                }
                Err(error) => return Left::Broken(error),
            }
        }
    };
    tokio::select! {
        left = up => left,
        left = down => left,
    }
}

/// One of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Takes Docker's frames apart: a stream's number, three zeros, the length as a big-endian u32, then so many bytes. A frame may be of any
/// length and come in any pieces; nothing of it is kept.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    header: [u8; 8],
    /// How many bytes of the header are here.
    have: usize,
    /// How many bytes of the frame are still to come.
    left: usize,
}

impl Frames {
    /// Takes the next piece of a frame off `bytes`; `None` when they are used up.
    ///
    /// # Errors
    /// What is no frame.
    pub fn next<'b>(&mut self, bytes: &mut &'b [u8]) -> io::Result<Option<(Stream, &'b [u8])>> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at((self.header.len() - self.have).min(bytes.len()));
                self.header[self.have..self.have + head.len()].copy_from_slice(head);
                self.have += head.len();
                *bytes = rest;
                if self.have < self.header.len() {
                    break;
                }
                let [stream, zeros @ .., a, b, c, d] = self.header;
                if stream > 2 || zeros != [0; 3] {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the engine's answer is not in frames"));
                }
                self.have = 0;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                continue;
            }
            let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= piece.len();
            *bytes = rest;
            let stream = if self.header[0] == 2 { Stream::Err } else { Stream::Out };
            return Ok(Some((stream, piece)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text);
        frame
    }

    fn taken(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut frames, mut out, mut err) = (Frames::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while let Some((stream, bytes)) = frames.next(&mut rest).unwrap() {
                match stream {
                    Stream::Out => out.extend_from_slice(bytes),
                    Stream::Err => err.extend_from_slice(bytes),
                }
            }
        }
        (out, err)
    }

    proptest! {
        #[test]
        fn frames_come_apart_wherever_they_are_cut(
            texts in proptest::collection::vec((1..=2u8, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
            size in 1..50usize,
        ) {
            let whole: Vec<u8> = texts.iter().flat_map(|(stream, text)| frame(*stream, text)).collect();
            let of = |number: u8| texts.iter().filter(|(stream, _)| *stream == number).flat_map(|(_, text)| text.clone()).collect::<Vec<u8>>();
            prop_assert_eq!(taken(&whole.chunks(size).collect::<Vec<_>>()), (of(1), of(2)));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (mut frames, mut rest) = (Frames::default(), bytes.as_slice());
            while let Ok(Some(_)) = frames.next(&mut rest) {}
        }
    }

    #[test]
    fn what_is_no_frame_is_told() {
        assert!(Frames::default().next(&mut &b"OCI runtime exec failed"[..]).is_err());
    }

    #[tokio::test]
    async fn keys_arrive_the_end_arrives_and_what_is_not_taken_waits() {
        let (input, keyboard) = rustix::pipe::pipe().unwrap();
        let mut keys = Keys::of(input).unwrap();
        rustix::io::write(&keyboard, b"ls\r").unwrap();
        assert_eq!(tokio::time::timeout(LIMIT, keys.next()).await.unwrap().as_deref(), Some(&b"ls\r"[..]));
        drop(keyboard);
        assert_eq!(tokio::time::timeout(LIMIT, keys.next()).await.unwrap(), None);
    }

    #[test]
    fn dropping_ends_the_thread_even_when_nobody_takes_keys() {
        let (input, keyboard) = rustix::pipe::pipe().unwrap();
        let keys = Keys::of(input).unwrap();
        for _ in 0..WAITING * 2 {
            rustix::io::write(&keyboard, b"x").unwrap();
        }
        drop(keys);
        assert!(rustix::io::write(&keyboard, b"x").is_err(), "the thread let go of the terminal");
    }

    #[tokio::test]
    async fn the_end_of_our_input_is_the_end_of_its_input_and_not_of_its_output() {
        let (mut ours, theirs) = tokio::io::duplex(64);
        let (input, keyboard) = rustix::pipe::pipe().unwrap();
        let mut keys = Keys::of(input).unwrap();
        rustix::io::write(&keyboard, b"question").unwrap();
        drop(keyboard);
        let (mut screen, mut heard) = (Screen::Pipes(Frames::default()), Vec::new());
        let remote = async {
            let (mut from, mut to) = split(theirs);
            from.read_to_end(&mut heard).await.unwrap();
            to.write_all(&frame(1, b"")).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let both = async { tokio::join!(attend(&mut ours, Some(&mut keys), &mut screen), remote) };
        let (left, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
        assert!(matches!(left, Left::Ended), "{left:?}");
        assert_eq!(heard, b"question");
    }
}
