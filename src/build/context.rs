//! A directory as the tar stream that a builder reads, without what `.dockerignore` leaves out.
//!
//! The same files give the same bytes: names in order, one time for all, owner 0, and of the mode only whether it may be run. Nothing outside
//! the directory is ever read: links go in as links. Memory is bounded by the pieces under way.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use tar::{EntryType, Header};
use thiserror::Error;
use tokio::sync::mpsc;

use super::ignore::Ignore;
use crate::text::clean_line;

/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Pieces that may wait for the engine. Overflow: reading waits.
const WAITING: usize = 8;

/// Why a context could not be read.
#[derive(Debug, Error)]
pub enum ContextError {
    /// A file or directory could not be read.
    #[error("{path}: {source}")]
    Read {
        /// From the context's directory.
        path: String,
        /// The system's words.
        source: io::Error,
    },
    /// It grew or shrank meanwhile.
    #[error("{path}: it changed while it was read")]
    Changed {
        /// From the context's directory.
        path: String,
    },
    /// The engine takes no more; its own words say why.
    #[error("the engine takes no more of the context")]
    Unwanted,
}

/// What is sent.
#[derive(Debug)]
pub struct Context {
    /// The directory.
    pub root: PathBuf,
    /// What stays out.
    pub ignore: Ignore,
    /// Files that are sent under a name of their own, whatever the directory holds: a Dockerfile from elsewhere.
    pub extra: Vec<(String, Vec<u8>)>,
    /// Files that are sent whatever the patterns say, from the directory.
    pub always: Vec<String>,
    /// The time of all files, in seconds since 1970.
    pub time: u64,
}

/// How much was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Files and links.
    pub files: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Context {
    /// Writes the stream.
    ///
    /// # Errors
    /// Every [`ContextError`].
    pub fn write(&self, out: impl Write) -> Result<Sent, ContextError> {
        let mut pack = Pack { context: self, tar: tar::Builder::new(out), sent: Sent::default() };
        pack.directory(&self.root, "")?;
        for (name, bytes) in &self.extra {
            let header = self.header(EntryType::Regular, 0o644, bytes.len() as u64);
            pack.append(header, name, bytes.as_slice(), bytes.len() as u64)?;
        }
        pack.tar.into_inner().and_then(|mut out| out.flush()).map_err(|_| ContextError::Unwanted)?;
        Ok(pack.sent)
    }

    /// The stream in pieces, read on a thread of its own that ends when the receiver is dropped.
    pub fn stream(self) -> (mpsc::Receiver<io::Result<Bytes>>, tokio::task::JoinHandle<Result<Sent, ContextError>>) {
        let (tell, pieces) = mpsc::channel(WAITING);
        let task = tokio::task::spawn_blocking(move || {
            let written = self.write(Pieces { tell: tell.clone(), piece: BytesMut::with_capacity(PIECE) });
            if let Err(error) = &written {
                // The request must not look whole. Whoever reads no more knows already.
                let _ = tell.blocking_send(Err(io::Error::other(error.to_string())));
            }
            written
        });
        (pieces, task)
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.time);
        header.set_size(size);
        header
    }
}

struct Pack<'a, W: Write> {
    context: &'a Context,
    tar: tar::Builder<W>,
    sent: Sent,
}

impl<W: Write> Pack<'_, W> {
    /// All below a directory, in order.
    fn directory(&mut self, dir: &Path, name: &str) -> Result<(), ContextError> {
        let told = |source| ContextError::Read { path: shown(name), source };
        let mut entries = std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(told)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let file_name = entry.file_name();
            // Docker reads names as text, too.
            let last = String::from_utf8_lossy(file_name.as_bytes());
            let path = if name.is_empty() { last.into_owned() } else { format!("{name}/{last}") };
            self.entry(&entry.path(), &path)?;
        }
        Ok(())
    }

    fn entry(&mut self, file: &Path, path: &str) -> Result<(), ContextError> {
        let told = |source| ContextError::Read { path: shown(path), source };
        let context = self.context;
        let meta = std::fs::symlink_metadata(file).map_err(told)?;
        let always = context.always.iter().any(|name| name == path);
        let out = !always && context.ignore.excludes(path);
        let leads = || context.always.iter().any(|name| name.starts_with(&format!("{path}/")));
        if meta.is_dir() {
            if out && context.ignore.is_final(path) && !leads() {
                return Ok(());
            }
            if !out {
                let header = context.header(EntryType::Directory, 0o755, 0);
                self.append(header, &format!("{path}/"), io::empty(), 0)?;
            }
            return self.directory(file, path);
        }
        if out {
            return Ok(());
        }
        if meta.file_type().is_symlink() {
            let to = std::fs::read_link(file).map_err(told)?;
            let mut header = context.header(EntryType::Symlink, 0o777, 0);
            self.sent.files += 1;
            return self.tar.append_link(&mut header, path, &to).map_err(|error| unwanted(error, path));
        }
        if !meta.is_file() {
            return Err(told(io::Error::other("it is neither a file nor a directory nor a link: name it in .dockerignore")));
        }
        let mode = if meta.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        let open = File::open(file).map_err(told)?;
        self.append(context.header(EntryType::Regular, mode, meta.len()), path, open, meta.len())?;
        self.sent.files += 1;
        self.sent.bytes += meta.len();
        Ok(())
    }

    fn append(&mut self, mut header: Header, path: &str, data: impl Read, size: u64) -> Result<(), ContextError> {
        let mut counted = Counted { data: data.take(size), failed: None };
        let done = self.tar.append_data(&mut header, path, &mut counted);
        match (counted.failed, counted.data.limit()) {
            (Some(source), _) => Err(ContextError::Read { path: shown(path), source }),
            (None, 0) => done.map_err(|error| unwanted(error, path)),
            (None, _) if done.is_err() => done.map_err(|error| unwanted(error, path)),
            (None, _) => Err(ContextError::Changed { path: shown(path) }),
        }
    }
}

/// What the stream itself says: that nobody reads it, or that a name cannot be told in it.
fn unwanted(source: io::Error, path: &str) -> ContextError {
    match source.kind() {
        io::ErrorKind::BrokenPipe => ContextError::Unwanted,
        _ => ContextError::Read { path: shown(path), source },
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() { "the context".to_owned() } else { clean_line(path) }
}

/// Tells an error in reading from one in writing.
struct Counted<R> {
    data: io::Take<R>,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.data.read(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

/// A writer whose bytes go to another thread.
struct Pieces {
    tell: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.tell.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::symlink};

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("Dockerfile", "FROM base");
        file(".dockerignore", "logs\n!logs/keep.log\nDockerfile\n.dockerignore\nsecret");
        file("b/run.sh", "#!/bin/sh");
        file("a.txt", "a");
        file("logs/keep.log", "keep");
        file("logs/other.log", "other");
        file("secret/key", "key");
        file(&format!("long/{}", "x".repeat(150)), "long");
        std::fs::set_permissions(dir.path().join("b/run.sh"), Permissions::from_mode(0o775)).unwrap();
        std::fs::set_permissions(dir.path().join("a.txt"), Permissions::from_mode(0o600)).unwrap();
        symlink("/etc/passwd", dir.path().join("link")).unwrap();
        dir
    }

    fn context(root: &Path) -> Context {
        let ignore = Ignore::parse(&std::fs::read_to_string(root.join(".dockerignore")).unwrap()).unwrap();
        Context {
            root: root.to_owned(),
            ignore,
            extra: vec![("Dockerfile.elsewhere".to_owned(), b"FROM x".to_vec())],
            always: vec!["Dockerfile".to_owned(), ".dockerignore".to_owned()],
            time: 1_700_000_000,
        }
    }

    #[test]
    fn what_is_in_the_stream() {
        let dir = tree();
        let mut bytes = Vec::new();
        let sent = context(dir.path()).write(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let found: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (1_700_000_000, 0));
                let name = entry.path().unwrap().display().to_string();
                format!("{}:{:o}", name.get(..20).unwrap_or(&name), header.mode().unwrap())
            })
            .collect();
        let expected = [
            ".dockerignore:644",
            "Dockerfile:644",
            "a.txt:644",
            "b/:755",
            "b/run.sh:755",
            "link:777",
            "logs/keep.log:644",
            "long/:755",
            "long/xxxxxxxxxxxxxxx:644",
            "Dockerfile.elsewhere:644",
        ];
        assert_eq!(found, expected);
        assert_eq!(sent.files, 7);
        let mut again = Vec::new();
        let copy = tree();
        context(copy.path()).write(&mut again).unwrap();
        assert!(again == bytes, "the same files are the same bytes");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tree();
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("b/pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let error = context(dir.path()).write(Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with("b/pipe: it is neither"), "{error}");
        let mut gone = context(dir.path());
        gone.root = dir.path().join("no-such");
        assert!(gone.write(Vec::new()).unwrap_err().to_string().starts_with("the context: No such file"));
    }

    #[tokio::test]
    async fn a_reader_that_leaves_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("big"), vec![7; 4 << 20]).unwrap();
        let context = Context { root: dir.path().to_owned(), ignore: Ignore::default(), extra: Vec::new(), always: Vec::new(), time: 0 };
        let (mut pieces, task) = context.stream();
        assert!((PIECE..2 * PIECE).contains(&pieces.recv().await.unwrap().unwrap().len()));
        drop(pieces);
        assert!(matches!(task.await.unwrap(), Err(ContextError::Unwanted)));
    }
}
